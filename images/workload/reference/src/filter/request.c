/* Reading and rewriting request headers: hostile bytes, so every step has a bound and an answer. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter.h"

size_t request_complete(const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    return end ? (size_t)(end - bytes) + 4 : 0;
}

/* HOST, HOST:PORT, [V6] or [V6]:PORT */
static bool read_authority(const char *text, size_t length, const char *port, struct request *request)
{
    const char *end = text + length, *host_end, *rest;
    if (length && *text == '[') {
        text++;
        host_end = memchr(text, ']', (size_t)(end - text));
        if (!host_end)
            return false;
        rest = host_end + 1;
    } else {
        host_end = memchr(text, ':', length);
        host_end = rest = host_end ? host_end : end;
    }
    size_t host = (size_t)(host_end - text);
    while (host && text[host - 1] == '.')
        host--;
    if (host == 0 || host > HOST_MOST)
        return false;
    for (size_t at = 0; at < host; at++) {
        unsigned char letter = (unsigned char)text[at];
        if (!isalnum(letter) && !strchr("-._:", letter))
            return false;
        request->host[at] = (char)tolower(letter);
    }
    request->host[host] = 0;
    snprintf(request->port, sizeof request->port, "%s", port);
    if (rest == end)
        return *port != 0;
    size_t digits = (size_t)(end - ++rest);
    if (rest[-1] != ':' || digits == 0 || digits > 5)
        return false;
    for (size_t at = 0; at < digits; at++)
        if (!isdigit((unsigned char)rest[at]))
            return false;
    memcpy(request->port, rest, digits);
    request->port[digits] = 0;
    long number = strtol(request->port, NULL, 10);
    return number > 0 && number < 65536;
}

static bool named(const char *line, size_t length, const char *name)
{
    size_t need = strlen(name);
    return length > need && strncasecmp(line, name, need) == 0 && line[need] == ':';
}

/* Only a body whose end is known passes: two lengths, or odd ones, are how requests are smuggled. */
static bool read_framing(const char *line, size_t length, struct request *request, bool *seen)
{
    if (named(line, length, "Transfer-Encoding")) {
        if (*seen)
            return false;
        *seen = true;
        request->body = -1;
    } else if (named(line, length, "Content-Length")) {
        const char *at = line + sizeof "Content-Length", *end = line + length;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (*seen || at == end || end - at > 15)
            return false;
        for (*seen = true; at < end; at++) {
            if (!isdigit((unsigned char)*at))
                return false;
            request->body = request->body * 10 + (*at - '0');
        }
    }
    return true;
}

static bool read_fields(const char *bytes, size_t header, struct request *request)
{
    bool seen = false;
    const char *line = (const char *)memmem(bytes, header, "\r\n", 2) + 2, *end = bytes + header - 2;
    while (line < end) {
        const char *next = memmem(line, (size_t)(bytes + header - line), "\r\n", 2);
        size_t length = (size_t)(next - line);
        if (!memchr(line, ':', length) || *line == ' ' || *line == '\t' || memchr(line, '\n', length) ||
            memchr(line, '\r', length) || !read_framing(line, length, request, &seen))
            return false;
        line = next + 2;
    }
    return true;
}

int request_parse(const char *bytes, size_t header, struct request *request)
{
    memset(request, 0, sizeof *request);
    request->header = header;
    if (memchr(bytes, 0, header))
        return 400;
    const char *end = memmem(bytes, header, "\r\n", 2);
    const char *method_end = memchr(bytes, ' ', (size_t)(end - bytes));
    if (!method_end || method_end == bytes || method_end - bytes > 20)
        return 400;
    for (const char *at = bytes; at < method_end; at++)
        if (!isupper((unsigned char)*at))
            return 400;
    const char *target = method_end + 1, *target_end = memchr(target, ' ', (size_t)(end - target));
    if (!target_end || end - target_end != 9 || memcmp(target_end, " HTTP/1.", 8) != 0)
        return 400;
    if (!read_fields(bytes, header, request))
        return 400;
    request->connect = method_end - bytes == 7 && memcmp(bytes, "CONNECT", 7) == 0;
    if (request->connect)
        return read_authority(target, (size_t)(target_end - target), "", request) ? 0 : 400;
    if (target_end - target < 8 || strncasecmp(target, "http://", 7) != 0)
        return 400; /* a proxy is asked by whole URLs */
    target += 7;
    size_t authority = 0;
    while (target + authority < target_end && !strchr("/?#", target[authority]))
        authority++;
    return read_authority(target, authority, "80", request) ? 0 : 400;
}

static bool dropped(const char *line, size_t length)
{
    static const char *const names[] = {"Connection", "Proxy-Connection", "Proxy-Authorization", "Keep-Alive", "Upgrade", "Host"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        if (named(line, length, names[at]))
            return true;
    return false;
}

long request_rewrite(const char *bytes, const struct request *request, char *into, size_t room)
{
    const char *end = memmem(bytes, request->header, "\r\n", 2), *method_end = memchr(bytes, ' ', request->header);
    const char *path = method_end + 8; /* past " http://" */
    const char *target_end = memchr(path, ' ', (size_t)(end - path));
    while (path < target_end && !strchr("/?#", *path))
        path++;
    bool v6 = strchr(request->host, ':') != NULL, usual = strcmp(request->port, "80") == 0;
    int length = snprintf(into, room, "%.*s %s%.*s HTTP/1.1\r\nHost: %s%s%s%s%s\r\nConnection: close\r\n",
                          (int)(method_end - bytes), bytes, *path == '/' ? "" : "/", (int)(target_end - path), path,
                          v6 ? "[" : "", request->host, v6 ? "]" : "", usual ? "" : ":", usual ? "" : request->port);
    if (length < 0 || (size_t)length >= room)
        return -1;
    size_t used = (size_t)length;
    for (const char *line = end + 2, *stop = bytes + request->header - 2; line < stop;) {
        const char *next = (const char *)memmem(line, (size_t)(bytes + request->header - line), "\r\n", 2) + 2;
        size_t size = (size_t)(next - line);
        if (!dropped(line, size)) {
            if (room - used < size + 2)
                return -1;
            memcpy(into + used, line, size);
            used += size;
        }
        line = next;
    }
    if (room - used < 2)
        return -1;
    memcpy(into + used, "\r\n", 2);
    return (long)used + 2;
}
