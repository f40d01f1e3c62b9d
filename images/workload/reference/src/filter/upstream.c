/* Where a request leads: judged by the addresses that its name resolves to, and connected to those very addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "filter.h"

static bool local4(uint32_t address) /* in host order */
{
    uint32_t first = address >> 24;
    return first == 127 || first == 0 || first >= 224 || (address >> 16) == 0xa9fe; /* 169.254.0.0/16 */
}

static uint32_t embedded(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool upstream_is_local(const struct sockaddr *address)
{
    static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (address->sa_family == AF_INET)
        return local4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    if (address->sa_family != AF_INET6)
        return true;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six) || IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_MULTICAST(six))
        return true;
    if (IN6_IS_ADDR_V4MAPPED(six) || IN6_IS_ADDR_V4COMPAT(six) || memcmp(six->s6_addr, nat64, sizeof nat64) == 0)
        return local4(embedded(six->s6_addr + 12));
    if (six->s6_addr[0] == 0x20 && six->s6_addr[1] == 0x02) /* 6to4 */
        return local4(embedded(six->s6_addr + 2));
    return false;
}

static int connect_within(const struct addrinfo *to, int seconds)
{
    int descriptor = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (descriptor < 0)
        return -1;
    int error = connect(descriptor, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
        socklen_t size = sizeof error;
        if (poll(&wait, 1, seconds * 1000) != 1 || getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = ETIMEDOUT;
    }
    if (error) {
        close(descriptor);
        return -1;
    }
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

int upstream_connect(const char *host, const char *port, bool allow_local, int seconds)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -502;
    int result = -502;
    /* One address that leads inside condemns the name: which one is tried is chance. */
    for (struct addrinfo *at = found; at && !allow_local; at = at->ai_next)
        if (upstream_is_local(at->ai_addr))
            result = -403;
    for (struct addrinfo *at = found; at && result == -502; at = at->ai_next) {
        int descriptor = connect_within(at, seconds);
        result = descriptor < 0 ? -502 : descriptor;
    }
    freeaddrinfo(found);
    return result;
}
