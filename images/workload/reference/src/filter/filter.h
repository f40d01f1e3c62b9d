/* The web filter: an HTTP proxy that knows which domains are blocked and never leads back into this machine. */
#pragma once

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define HEADER_MOST 16384
#define HOST_MOST 255

/* --- the block list --- */
int blocklist_load(const char *path);        /* number of domains, or -errno and the old list stays */
bool blocklist_holds(const char *host);      /* the host or a domain above it; `host` in lower case */

/* --- requests --- */
struct request {
    bool connect;             /* CONNECT host:port */
    char host[HOST_MOST + 1]; /* lower case, without brackets and final dot */
    char port[6];
    long long body;           /* bytes of the body by Content-Length; -1: chunked */
    size_t header;            /* bytes of the header, final empty line included */
};

/* Bytes of a whole header within `length`, 0 if it is not whole yet. */
size_t request_complete(const char *bytes, size_t length);
/* 0, or the HTTP status that says what is wrong with it. */
int request_parse(const char *bytes, size_t header, struct request *request);
/* The header as the origin server wants it: path for URL, one connection for one request. -1: no room. */
long request_rewrite(const char *bytes, const struct request *request, char *into, size_t room);

/* --- upstream --- */
bool upstream_is_local(const struct sockaddr *address); /* loopback, link-local, unspecified, multicast; mapped too */
/* A connected socket, or -403 (leads into this machine) or -502. */
int upstream_connect(const char *host, const char *port, bool allow_local, int seconds);

/* --- one client --- */
struct limits {
    int header_seconds, connect_seconds, idle_seconds;
    bool allow_local;
};
void serve(int client, const struct limits *limits); /* does not close `client` */
