/* dots-family-daemon: the family's rules on the system bus, and what the kernel sees of programs started. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <systemd/sd-daemon.h>

#include "common.h"
#include "daemon.h"
#include "policy.h"

#define FLUSH_MICROSECONDS 200000

static void tell_systemd(const struct daemon *daemon)
{
    if (daemon->ebpf.link >= 0)
        sd_notify(0, "STATUS=eBPF program " EBPF_PROGRAM " attached to " EBPF_TRACEPOINT);
    else
        sd_notifyf(0, "STATUS=eBPF FAILED: %s: %s", daemon->ebpf.failed, strerror(daemon->ebpf.error));
}

static void flush(struct daemon *daemon)
{
    if (!daemon->batched)
        return;
    bool done = database_record(&daemon->database, daemon->batch, daemon->batched);
    *(done ? &daemon->recorded : &daemon->dropped) += daemon->batched;
    daemon->database_failing = !done;
    daemon->batched = 0;
}

static void took(const struct exec_event *event, void *context)
{
    struct daemon *daemon = context;
    if (daemon->batched == BATCH_MOST)
        flush(daemon);
    struct exec_record *record = &daemon->batch[daemon->batched++];
    *record = (struct exec_record){.pid = event->pid, .uid = event->uid, .denied = event->verdict != VERDICT_NONE};
    record->at = wall_seconds() - (double)(boot_nanoseconds() - event->at) / 1e9;
    memcpy(record->comm, event->comm, COMM_LENGTH - 1);
    for (char *at = record->comm; *at; at++)
        if (*at < 0x20 || *at == 0x7f) /* the rest of the world reads this as UTF-8 text */
            *at = '?';
    if (event->verdict == VERDICT_NONE)
        return;
    bool dead = event->verdict == VERDICT_KILLED || kill((pid_t)event->pid, SIGKILL) == 0 || errno == ESRCH;
    daemon->killed += dead;
    say(dead ? LOG_NOTICE : LOG_ERR, "%s %s (pid %u, uid %u): denied by rule", dead ? "killed" : "could NOT kill",
        record->comm, event->pid, event->uid);
}

void daemon_collect(struct daemon *daemon)
{
    ebpf_drain(&daemon->ebpf, took, daemon);
    flush(daemon);
}

/* Between two flushes the ring buffer fills unwatched: one wake-up a batch, not one a program. What is denied has
 * been killed in the kernel already, so nothing waits for us. */
static int on_flush(sd_event_source *source, uint64_t now, void *context)
{
    (void)source, (void)now;
    struct daemon *daemon = context;
    daemon_collect(daemon);
    if (daemon->ring_source)
        sd_event_source_set_enabled(daemon->ring_source, SD_EVENT_ON);
    return 0;
}

static int on_ring(sd_event_source *source, int descriptor, uint32_t events, void *context)
{
    (void)descriptor, (void)events;
    struct daemon *daemon = context;
    ebpf_drain(&daemon->ebpf, took, daemon);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    sd_event_source_set_time_relative(daemon->flush_source, FLUSH_MICROSECONDS);
    sd_event_source_set_enabled(daemon->flush_source, SD_EVENT_ONESHOT);
    return 0;
}

static void start_ebpf(struct daemon *daemon)
{
    int result = ebpf_load(&daemon->ebpf);
    if (result < 0) {
        say(LOG_ERR, "eBPF FAILED: %s: %s. No program start is seen and no rule is enforced; reload to try again",
            daemon->ebpf.failed, strerror(-result));
    } else {
        result = sd_event_add_io(daemon->loop, &daemon->ring_source, daemon->ebpf.ring, EPOLLIN, on_ring, daemon);
        if (result < 0)
            say(LOG_ERR, "cannot wait for exec events: %s", strerror(-result));
        daemon->rules_complete = policy_load(&daemon->database, &daemon->ebpf);
        say(LOG_INFO, "eBPF program " EBPF_PROGRAM " is attached to " EBPF_TRACEPOINT);
    }
    tell_systemd(daemon);
}

static const char *database_path(void)
{
    return setting("DOTS_FAMILY_DB_PATH", "/tmp/dots-family.db");
}

/* The new database is opened before the old one is let go: a reload never leaves the daemon without any. */
static int on_reload(sd_event_source *source, const struct signalfd_siginfo *information, void *context)
{
    (void)source, (void)information;
    struct daemon *daemon = context;
    const char *folder = setting("DOTS_FAMILY_CONFIG_DIR", NULL);
    char path[512];
    if (folder) {
        snprintf(path, sizeof path, "%s/daemon.conf", folder);
        int result = settings_read(path);
        if (result < 0 && result != -ENOENT)
            say(LOG_ERR, "reload: %s: %s", path, strerror(-result));
    }
    daemon_collect(daemon);
    struct database fresh;
    if (database_open(&fresh, database_path())) {
        database_close(&daemon->database);
        daemon->database = fresh;
        database_maintain(&daemon->database, setting_number("KEEP_EVENTS", 200000, 1000, 100000000));
    } else {
        say(LOG_ERR, "reload: going on with the database that was open");
    }
    if (daemon->ebpf.link < 0)
        start_ebpf(daemon);
    else
        daemon->rules_complete = policy_load(&daemon->database, &daemon->ebpf);
    say(LOG_NOTICE, "reloaded");
    return 0;
}

static int prepare(struct daemon *daemon)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int result = sd_event_default(&daemon->loop);
    if (result >= 0)
        result = sd_event_add_signal(daemon->loop, NULL, SIGTERM, NULL, NULL);
    if (result >= 0)
        result = sd_event_add_signal(daemon->loop, NULL, SIGINT, NULL, NULL);
    if (result >= 0)
        result = sd_event_add_signal(daemon->loop, NULL, SIGHUP, on_reload, daemon);
    if (result >= 0)
        result = sd_event_add_time_relative(daemon->loop, &daemon->flush_source, CLOCK_MONOTONIC, 0, 1000, on_flush,
                                            daemon);
    if (result >= 0)
        result = sd_event_source_set_enabled(daemon->flush_source, SD_EVENT_OFF);
    return result;
}

int main(int count, char **arguments)
{
    if (count > 1) {
        fprintf(stderr, "%s takes no arguments; its settings are environment variables\n", arguments[0]);
        return 2;
    }
    static struct daemon daemon = {.ebpf = EBPF_NONE, .rules_complete = true};
    daemon.started = boot_nanoseconds();
    int result = prepare(&daemon);
    if (result < 0) {
        say(LOG_ERR, "event loop: %s", strerror(-result));
        return EXIT_FAILURE;
    }
    if (!database_open(&daemon.database, database_path()))
        return EXIT_FAILURE;
    start_ebpf(&daemon);
    result = bus_attach(&daemon);
    if (result < 0)
        return EXIT_FAILURE;
    say(LOG_NOTICE, "ready: database %s", daemon.database.path);
    sd_notify(0, "READY=1");
    result = sd_event_loop(daemon.loop);
    sd_notify(0, "STOPPING=1");
    daemon_collect(&daemon);
    say(LOG_NOTICE, "stopped: %llu exec events recorded", (unsigned long long)daemon.recorded);
    sd_event_source_unref(daemon.ring_source);
    ebpf_unload(&daemon.ebpf);
    database_close(&daemon.database);
    sd_bus_flush_close_unref(daemon.bus);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
