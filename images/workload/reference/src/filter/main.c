/* dots-family-filter: listens, and hands clients to a fixed number of threads. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "../common.h"
#include "filter.h"

#define WAITING_MOST 256

static struct {
    int clients[WAITING_MOST];
    size_t first, count;
    pthread_mutex_t lock;
    pthread_cond_t some;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

static bool put(int client)
{
    pthread_mutex_lock(&waiting.lock);
    bool room = waiting.count < WAITING_MOST;
    if (room)
        waiting.clients[(waiting.first + waiting.count++) % WAITING_MOST] = client;
    pthread_cond_signal(&waiting.some);
    pthread_mutex_unlock(&waiting.lock);
    return room;
}

static int take(void)
{
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.count)
        pthread_cond_wait(&waiting.some, &waiting.lock);
    int client = waiting.clients[waiting.first];
    waiting.first = (waiting.first + 1) % WAITING_MOST;
    waiting.count--;
    pthread_mutex_unlock(&waiting.lock);
    return client;
}

static void *work(void *limits)
{
    for (;;) {
        int client = take();
        serve(client, limits);
        close(client);
    }
    return NULL;
}

static int start_workers(long count, const struct limits *limits)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 512 * 1024);
    int error = 0;
    for (long at = 0; at < count && !error; at++) {
        pthread_t thread;
        error = pthread_create(&thread, &attributes, work, (void *)limits);
    }
    pthread_attr_destroy(&attributes);
    return error;
}

static int listen_on(const char *address, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE}, *found;
    int error = getaddrinfo(address, port, &hints, &found);
    if (error) {
        say(LOG_ERR, "cannot listen on %s port %s: %s", address, port, gai_strerror(error));
        return -1;
    }
    int on = 1, descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(descriptor, found->ai_addr, found->ai_addrlen) < 0 || listen(descriptor, 128) < 0) {
        say(LOG_ERR, "cannot listen on %s port %s: %s", address, port, strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        descriptor = -1;
    }
    freeaddrinfo(found);
    return descriptor;
}

static bool load_list(void)
{
    const char *path = setting("FILTER_BLOCKLIST", "/etc/dots-family/blocklist");
    int count = blocklist_load(path);
    if (count < 0)
        say(LOG_ERR, "block list %s: %s", path, strerror(-count));
    else
        say(LOG_NOTICE, "block list %s: %d domains", path, count);
    return count >= 0;
}

/* True until it is time to end. */
static bool signalled(int signals)
{
    struct signalfd_siginfo one;
    if (read(signals, &one, sizeof one) != sizeof one)
        return true;
    if (one.ssi_signo != SIGHUP)
        return false;
    load_list(); /* an unreadable list is logged, and the one in use stays */
    return true;
}

static void run(int listener, int signals)
{
    struct pollfd ends[2] = {{.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (bool on = true; on;) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR)
            return;
        if (ends[1].revents)
            on = signalled(signals);
        if (!ends[0].revents)
            continue;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0 && !put(client)) {
            static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            send(client, busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            close(client);
        } else if (client < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
            say(LOG_WARNING, "cannot take a client: %s", strerror(errno));
            poll(NULL, 0, 100);
        }
    }
}

static bool read_arguments(int count, char **arguments, const char **address, const char **port)
{
    static const struct option options[] = {{"bind-address", required_argument, NULL, 'b'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"daemon-mode", no_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        if (option == 'b')
            *address = optarg;
        else if (option == 'p')
            *port = optarg;
        else if (option != 'd') /* --daemon-mode: it always stays in the foreground, as systemd wants it */
            return false;
    }
    return optind == count;
}

int main(int count, char **arguments)
{
    const char *address = "127.0.0.1", *port = "8080";
    if (!read_arguments(count, arguments, &address, &port)) {
        fprintf(stderr, "usage: %s [--bind-address ADDRESS] [--port PORT] [--daemon-mode]\n", arguments[0]);
        return 2;
    }
    static struct limits limits;
    limits.header_seconds = (int)setting_number("FILTER_HEADER_SECONDS", 10, 1, 300);
    limits.connect_seconds = (int)setting_number("FILTER_CONNECT_SECONDS", 10, 1, 300);
    limits.idle_seconds = (int)setting_number("FILTER_IDLE_SECONDS", 60, 1, 3600);
    limits.allow_local = setting_flag("FILTER_ALLOW_LOCAL", false);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || !load_list())
        return EXIT_FAILURE; /* without its list it would let everything through */
    int listener = listen_on(address, port);
    if (listener < 0)
        return EXIT_FAILURE;
    int error = start_workers(setting_number("FILTER_WORKERS", 32, 1, 90), &limits);
    if (error) {
        say(LOG_ERR, "threads: %s", strerror(error));
        return EXIT_FAILURE;
    }
    say(LOG_NOTICE, "listening on %s port %s", address, port);
    sd_notify(0, "READY=1");
    run(listener, signals);
    sd_notify(0, "STOPPING=1");
    return EXIT_SUCCESS;
}
