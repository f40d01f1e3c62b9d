/* The daemon's one state, which the loop and the bus methods share. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "database.h"
#include "ebpf.h"

#define BATCH_MOST 256

struct daemon {
    sd_event *loop;
    sd_bus *bus;
    sd_event_source *ring_source, *flush_source;
    struct database database;
    struct ebpf ebpf;
    struct exec_record batch[BATCH_MOST];
    size_t batched;
    bool rules_complete, database_failing;
    uint64_t recorded, dropped, killed, calls; /* events since start; `dropped`: the database refused them */
    uint64_t started;                          /* boot time in nanoseconds */
};

int bus_attach(struct daemon *daemon);          /* connect, export the object, own the name: 0 or -errno */
void daemon_collect(struct daemon *daemon);     /* take what the kernel has for us, and write it down */
