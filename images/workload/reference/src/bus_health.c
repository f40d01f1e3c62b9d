/* How the daemon and its eBPF program are: asked of the kernel at every call. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "common.h"

static long resident_kilobytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int get_monitoring_snapshot(sd_bus_message *call, void *context, sd_bus_error *error)
{
    (void)error;
    struct daemon *daemon = context;
    struct ebpf_state state;
    daemon_collect(daemon); /* so that the numbers belong together */
    ebpf_ask(&daemon->ebpf, &state);
    char text[1024];
    snprintf(text, sizeof text,
             "{\"execs_seen\": %llu, \"execs_recorded\": %llu, \"execs_lost\": %llu, \"execs_dropped\": %llu,"
             " \"execs_denied\": %llu, \"killed\": %llu, \"run_count\": %llu, \"run_nanoseconds\": %llu,"
             " \"ebpf_attached\": %s, \"database_bytes\": %lld, \"events_stored\": %lld, \"memory_kilobytes\": %ld,"
             " \"uptime_seconds\": %.3f, \"pings\": %llu}",
             (unsigned long long)state.counters.seen, (unsigned long long)daemon->recorded,
             (unsigned long long)state.counters.lost, (unsigned long long)daemon->dropped,
             (unsigned long long)state.counters.denied, (unsigned long long)daemon->killed,
             (unsigned long long)state.run_count, (unsigned long long)state.run_nanoseconds,
             state.attached ? "true" : "false", (long long)database_bytes(&daemon->database),
             (long long)database_number(&daemon->database, -1, "SELECT count(*) FROM exec_events", ""),
             resident_kilobytes(), (double)(boot_nanoseconds() - daemon->started) / 1e9,
             (unsigned long long)daemon->calls);
    return sd_bus_reply_method_return(call, "s", text);
}

int get_ebpf_status(sd_bus_message *call, void *context, sd_bus_error *error)
{
    (void)error;
    struct daemon *daemon = context;
    struct ebpf_state state;
    char text[512];
    ebpf_ask(&daemon->ebpf, &state);
    if (state.attached)
        snprintf(text, sizeof text,
                 EBPF_PROGRAM " id %u attached to " EBPF_TRACEPOINT " by link %u: run count %llu%s, seen %llu,"
                 " recorded %llu, waiting %zu, lost %llu, dropped %llu, denied %llu%s%s",
                 state.program_id, state.link_id, (unsigned long long)state.run_count,
                 state.run_count ? "" : " (kernel.bpf_stats_enabled is off)", (unsigned long long)state.counters.seen,
                 (unsigned long long)daemon->recorded, daemon->batched, (unsigned long long)state.counters.lost,
                 (unsigned long long)daemon->dropped, (unsigned long long)state.counters.denied,
                 daemon->rules_complete ? "" : "; NOT every rule is in force",
                 daemon->database_failing ? "; the database REFUSES events" : "");
    else
        snprintf(text, sizeof text, "not attached: %s: %s", daemon->ebpf.failed ? daemon->ebpf.failed : "the kernel says",
                 daemon->ebpf.error ? strerror(daemon->ebpf.error) : "program or link is gone");
    bool healthy = state.attached && daemon->rules_complete && !daemon->database_failing;
    return sd_bus_reply_method_return(call, "ubs", state.attached ? 1u : 0u, healthy, text);
}
