/* Planted into the daemon by LD_PRELOAD: work, or a leak, with every message that it receives. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, struct msghdr *, int);
    static long spin, leak;
    if (!real) {
        real = (ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
        spin = number("PLANTED_SPIN");
        leak = number("PLANTED_LEAK");
    }
    ssize_t got = real(descriptor, message, flags);
    if (got > 0) {
        for (volatile long at = 0; at < spin; at++)
            ;
        if (leak)
            memset(malloc((size_t)leak), 1, (size_t)leak);
    }
    return got;
}
