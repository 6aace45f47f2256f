/* The kernel's count of bytes: see received.h. */
#include "pep/received.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int pep_received_bytes(int fd, uint64_t *ret)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    int waiting = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received) ||
        ioctl(fd, FIONREAD, &waiting) != 0 || waiting < 0)
        return -1;
    uint64_t received = info.tcpi_bytes_received, unread = (uint64_t)waiting;
    *ret = received > unread ? received - unread : 0;
    return 0;
}

size_t pep_received_part(size_t size)
{
    size_t frame = 33 + size; /* a name, a nonce, a MAC, flags */
    return frame + (frame > 255 ? 9 : 2);
}
