/*
 * How much of a connection's bytes libzmq holds for messages that have not arrived whole.
 *
 * libzmq limits the size of one part and the number of whole messages, not the number of parts: one
 * message of endless parts would fill the memory of the host process. So the kernel's count of the
 * bytes that came is held against the parts that we were given. In a file of its own, because
 * Linux's <linux/tcp.h>, which has the counter, and <netinet/tcp.h> exclude each other.
 */
#ifndef PEP_RECEIVED_H
#define PEP_RECEIVED_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that came by this TCP connection and were read from the socket. Nonzero if it is none (any
 * more), or if the kernel (before 4.1) does not count. */
int pep_received_bytes(int fd, uint64_t *ret);
/* The bytes of a part inside the frame that CURVE makes of it (RFC 26). */
size_t pep_received_part(size_t size);

#endif
