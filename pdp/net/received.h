/*
 * How many bytes a TCP connection has brought into this process, as the kernel counts. In a file of
 * its own, because Linux's <linux/tcp.h>, which has the counter, and <netinet/tcp.h> exclude each
 * other.
 */
#ifndef PDP_NET_RECEIVED_H
#define PDP_NET_RECEIVED_H

#include <stdint.h>

/* Received and already read from the socket. Nonzero if the descriptor is no TCP connection, or if
 * the kernel (before 4.1) does not count. */
int received_bytes(int fd, uint64_t *ret);

#endif
