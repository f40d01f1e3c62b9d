/* The exec monitor in the kernel: one program on sched_process_exec, and the ring buffer that it fills. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EBPF_PROGRAM "dots_exec"
#define EBPF_TRACEPOINT "sched_process_exec"
#define COMM_LENGTH 16 /* the kernel's TASK_COMM_LEN, end included */

enum verdict { VERDICT_NONE = 0, VERDICT_KILLED = 1, VERDICT_KILL_FAILED = 2 };

/* As the program writes it into the ring buffer. */
struct exec_event {
    uint32_t pid, uid;
    uint64_t at; /* nanoseconds since boot */
    uint32_t verdict, unused;
    char comm[COMM_LENGTH];
};

/* As the program counts, in the kernel. */
struct exec_counters {
    uint64_t seen, lost, denied;
};

struct ebpf {
    int counters, rules, ring, program, link; /* descriptors, -1 when not loaded */
    void *consumer, *producer;                /* the ring buffer's pages */
    int error;                                /* errno of what failed, 0 when all is attached */
    const char *failed;                       /* what failed, in words */
};

/* What the kernel itself says of the program and its link. */
struct ebpf_state {
    bool loaded, attached;
    uint32_t program_id, link_id;
    uint64_t run_count, run_nanoseconds; /* 0 unless kernel.bpf_stats_enabled */
    struct exec_counters counters;
};

typedef void (*exec_handler)(const struct exec_event *event, void *context);

#define EBPF_NONE ((struct ebpf){-1, -1, -1, -1, -1, NULL, NULL, 0, "not loaded"})

int ebpf_load(struct ebpf *ebpf);   /* 0, or -errno with `failed` saying what */
void ebpf_unload(struct ebpf *ebpf);
void ebpf_ask(const struct ebpf *ebpf, struct ebpf_state *state);
size_t ebpf_drain(struct ebpf *ebpf, exec_handler handler, void *context); /* events handed over */

/* Programs that the kernel kills at exec, by user and name. 0 or -errno. */
int ebpf_deny(struct ebpf *ebpf, uint32_t uid, const char *comm);
int ebpf_allow(struct ebpf *ebpf, uint32_t uid, const char *comm);
