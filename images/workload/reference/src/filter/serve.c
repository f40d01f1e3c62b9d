/* One client, from its first byte to its last. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common.h"
#include "filter.h"

static long long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool send_all(int descriptor, const char *bytes, size_t length, int seconds)
{
    while (length) {
        struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
        if (poll(&wait, 1, seconds * 1000) != 1)
            return false;
        ssize_t sent = send(descriptor, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        }
    }
    return true;
}

static void answer(int client, int status, const char *text)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{400, "Bad Request"}, {403, "Forbidden"}, {408, "Request Timeout"}, {431, "Request Header Fields Too Large"}, {502, "Bad Gateway"}};
    const char *phrase = "Error";
    for (size_t at = 0; at < sizeof phrases / sizeof *phrases; at++)
        if (phrases[at].status == status)
            phrase = phrases[at].phrase;
    char bytes[512];
    int length = snprintf(bytes, sizeof bytes,
                          "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n"
                          "Via: 1.1 dots-family-filter\r\n\r\n%s\n",
                          status, phrase, strlen(text) + 1, text);
    send_all(client, bytes, (size_t)length, 5);
    /* Closing with unread bytes would reset the connection under the answer. */
    shutdown(client, SHUT_WR);
    for (int turns = 0; turns < 16; turns++) {
        struct pollfd wait = {.fd = client, .events = POLLIN};
        char rest[4096];
        if (poll(&wait, 1, 200) != 1 || recv(client, rest, sizeof rest, MSG_DONTWAIT) <= 0)
            break;
    }
}

/* Bytes read with a whole header among them; or minus the HTTP status; 0: the client left. */
static long read_header(int client, char *bytes, size_t *header, int seconds)
{
    size_t length = 0;
    long long end = milliseconds() + seconds * 1000LL;
    while (length < HEADER_MOST) {
        long long left = end - milliseconds();
        struct pollfd wait = {.fd = client, .events = POLLIN};
        if (left <= 0 || poll(&wait, 1, (int)left) != 1)
            return length ? -408 : 0;
        ssize_t got = recv(client, bytes + length, HEADER_MOST - length, 0);
        if (got <= 0)
            return 0;
        length += (size_t)got;
        if ((*header = request_complete(bytes, length)))
            return (long)length;
    }
    return -431;
}

/* Carries bytes both ways until both ends are done or nothing moves. `body`: bytes the client may still send; -1: any. */
static void relay(int client, int upstream, long long body, int seconds)
{
    struct pollfd ends[2] = {{.fd = client, .events = body ? POLLIN : 0}, {.fd = upstream, .events = POLLIN}};
    static _Thread_local char bytes[65536];
    while (ends[1].events && poll(ends, 2, seconds * 1000) > 0) {
        if (ends[0].revents & (POLLERR | POLLNVAL) || (ends[0].revents & POLLHUP && !(ends[0].revents & POLLIN)))
            return; /* nobody is left to answer to */
        for (int from = 0; from < 2; from++) {
            if (!(ends[from].events && ends[from].revents & (POLLIN | POLLHUP | POLLERR)))
                continue;
            size_t room = from == 0 && body >= 0 && body < (long long)sizeof bytes ? (size_t)body : sizeof bytes;
            ssize_t got = recv(ends[from].fd, bytes, room, 0);
            if (got < 0 || (got > 0 && !send_all(ends[!from].fd, bytes, (size_t)got, seconds)))
                return;
            if (from == 0 && body > 0)
                body -= got;
            if (got == 0) {
                shutdown(ends[!from].fd, SHUT_WR);
                ends[from].events = 0;
            } else if (from == 0 && body == 0) {
                ends[0].events = 0;
            }
        }
    }
}

static void forward(int client, int upstream, const char *bytes, size_t length, const struct request *request,
                    const struct limits *limits)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    char header[HEADER_MOST + 1024];
    size_t extra = length - request->header;
    long long body = request->connect ? -1 : request->body;
    if (request->connect) {
        if (!send_all(client, established, sizeof established - 1, limits->idle_seconds))
            return;
    } else {
        long rewritten = request_rewrite(bytes, request, header, sizeof header);
        if (rewritten < 0) {
            answer(client, 431, "The request's header is too large.");
            return;
        }
        if (!send_all(upstream, header, (size_t)rewritten, limits->idle_seconds))
            return;
        if (body >= 0 && (long long)extra > body)
            extra = (size_t)body; /* what follows is another request, and has not been judged */
        if (body > 0)
            body -= (long long)extra;
    }
    if (extra == 0 || send_all(upstream, bytes + request->header, extra, limits->idle_seconds))
        relay(client, upstream, body, limits->idle_seconds);
}

void serve(int client, const struct limits *limits)
{
    char bytes[HEADER_MOST];
    struct request request;
    size_t header = 0;
    long length = read_header(client, bytes, &header, limits->header_seconds);
    if (length == 0)
        return;
    if (length < 0) {
        answer(client, (int)-length, "The request's header is too large or too slow.");
        return;
    }
    int status = request_parse(bytes, header, &request);
    if (status) {
        answer(client, status, "This is a proxy: it takes whole http:// URLs and CONNECT.");
        return;
    }
    if (blocklist_holds(request.host)) {
        say(LOG_NOTICE, "blocked %s: on the block list", request.host);
        answer(client, 403, "This site is blocked by the family's block list.");
        return;
    }
    int upstream = upstream_connect(request.host, request.port, limits->allow_local, limits->connect_seconds);
    if (upstream == -403) {
        say(LOG_NOTICE, "blocked %s: leads to this machine or its link", request.host);
        answer(client, 403, "This address is not outside.");
    } else if (upstream < 0) {
        answer(client, 502, "The site does not answer.");
    } else {
        forward(client, upstream, bytes, (size_t)length, &request, limits);
        close(upstream);
    }
}
