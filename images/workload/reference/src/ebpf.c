/* Talks to bpf(2) directly. Needs CAP_BPF and CAP_PERFMON only; no tracefs, no BTF, no writable code page. */
#include "ebpf.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "ebpf_asm.h"

#define RING_BYTES (1u << 20) /* about 18000 events between two reads */
#define RULES_MOST 4096

struct rule_key {
    uint32_t uid;
    char comm[COMM_LENGTH];
};

static long bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int make_map(enum bpf_map_type type, const char *name, uint32_t key, uint32_t value, uint32_t entries)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = type;
    attributes.key_size = key;
    attributes.value_size = value;
    attributes.max_entries = entries;
    strncpy(attributes.map_name, name, sizeof attributes.map_name - 1);
    return (int)bpf(BPF_MAP_CREATE, &attributes);
}

/* r6 counters, later the event; r7 pid; r8 uid; r9 verdict. The rule's key lies on the stack at -24. */
static int load_program(const struct ebpf *ebpf)
{
    const struct bpf_insn program[] = {
        LOAD_MAP_VALUE(BPF_REG_6, ebpf->counters),
        SET(BPF_REG_1, 1),
        ATOMIC_ADD64(BPF_REG_6, offsetof(struct exec_counters, seen), BPF_REG_1),
        CALL(BPF_FUNC_get_current_pid_tgid),
        MOVE(BPF_REG_7, BPF_REG_0),
        SHIFT_RIGHT(BPF_REG_7, 32),
        CALL(BPF_FUNC_get_current_uid_gid),
        MOVE_LOW(BPF_REG_8, BPF_REG_0),
        /* Linux 6.1 leaves what follows the name's end as it was, and the key is compared whole: start from zeros. */
        SET(BPF_REG_1, 0),
        STORE64(BPF_REG_10, -24, BPF_REG_1),
        STORE64(BPF_REG_10, -16, BPF_REG_1),
        STORE64(BPF_REG_10, -8, BPF_REG_1),
        STORE32(BPF_REG_10, -24, BPF_REG_8),
        MOVE(BPF_REG_1, BPF_REG_10),
        ADD(BPF_REG_1, -20),
        SET(BPF_REG_2, COMM_LENGTH),
        CALL(BPF_FUNC_get_current_comm),
        LOAD_MAP(BPF_REG_1, ebpf->rules),
        MOVE(BPF_REG_2, BPF_REG_10),
        ADD(BPF_REG_2, -24),
        CALL(BPF_FUNC_map_lookup_elem),
        SET(BPF_REG_9, VERDICT_NONE),
        JUMP_IF(BPF_REG_0, 0, 7),
        /* denied: count it, and let it die before its first instruction */
        SET(BPF_REG_1, 1),
        ATOMIC_ADD64(BPF_REG_6, offsetof(struct exec_counters, denied), BPF_REG_1),
        SET(BPF_REG_1, SIGKILL),
        CALL(BPF_FUNC_send_signal),
        SET(BPF_REG_9, VERDICT_KILLED),
        JUMP_IF(BPF_REG_0, 0, 1),
        SET(BPF_REG_9, VERDICT_KILL_FAILED),
        /* the event */
        LOAD_MAP(BPF_REG_1, ebpf->ring),
        SET(BPF_REG_2, sizeof(struct exec_event)),
        SET(BPF_REG_3, 0),
        CALL(BPF_FUNC_ringbuf_reserve),
        JUMP_UNLESS(BPF_REG_0, 0, 3),
        SET(BPF_REG_1, 1),
        ATOMIC_ADD64(BPF_REG_6, offsetof(struct exec_counters, lost), BPF_REG_1),
        JUMP(19),
        MOVE(BPF_REG_6, BPF_REG_0),
        STORE32(BPF_REG_6, offsetof(struct exec_event, pid), BPF_REG_7),
        STORE32(BPF_REG_6, offsetof(struct exec_event, uid), BPF_REG_8),
        STORE32(BPF_REG_6, offsetof(struct exec_event, verdict), BPF_REG_9),
        SET(BPF_REG_1, 0),
        STORE32(BPF_REG_6, offsetof(struct exec_event, unused), BPF_REG_1),
        CALL(BPF_FUNC_ktime_get_boot_ns),
        STORE64(BPF_REG_6, offsetof(struct exec_event, at), BPF_REG_0),
        LOAD32(BPF_REG_1, BPF_REG_10, -20),
        STORE32(BPF_REG_6, offsetof(struct exec_event, comm), BPF_REG_1),
        LOAD32(BPF_REG_1, BPF_REG_10, -16),
        STORE32(BPF_REG_6, offsetof(struct exec_event, comm) + 4, BPF_REG_1),
        LOAD32(BPF_REG_1, BPF_REG_10, -12),
        STORE32(BPF_REG_6, offsetof(struct exec_event, comm) + 8, BPF_REG_1),
        LOAD32(BPF_REG_1, BPF_REG_10, -8),
        STORE32(BPF_REG_6, offsetof(struct exec_event, comm) + 12, BPF_REG_1),
        MOVE(BPF_REG_1, BPF_REG_6),
        SET(BPF_REG_2, 0),
        CALL(BPF_FUNC_ringbuf_submit),
        SET(BPF_REG_0, 0),
        EXIT(),
    };
    static char log[16384];
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
    attributes.insns = (uint64_t)(uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof *program;
    attributes.license = (uint64_t)(uintptr_t) "Dual MIT/GPL";
    strncpy(attributes.prog_name, EBPF_PROGRAM, sizeof attributes.prog_name - 1);
    int descriptor = (int)bpf(BPF_PROG_LOAD, &attributes);
    if (descriptor < 0 && (errno == EINVAL || errno == EACCES)) { /* ask again, for the verifier's reasons */
        attributes.log_level = 1;
        attributes.log_buf = (uint64_t)(uintptr_t)log;
        attributes.log_size = sizeof log;
        descriptor = (int)bpf(BPF_PROG_LOAD, &attributes);
        int error = errno;
        size_t length = strlen(log);
        if (descriptor < 0 && length)
            say(LOG_ERR, "eBPF verifier: ...%s", log + (length > 900 ? length - 900 : 0));
        errno = error;
    }
    return descriptor;
}

static int attach(int program)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.raw_tracepoint.name = (uint64_t)(uintptr_t)EBPF_TRACEPOINT;
    attributes.raw_tracepoint.prog_fd = (uint32_t)program;
    return (int)bpf(BPF_RAW_TRACEPOINT_OPEN, &attributes);
}

static int map_ring(struct ebpf *ebpf)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ebpf->ring, 0);
    if (consumer == MAP_FAILED)
        return -1;
    ebpf->consumer = consumer;
    /* The data pages are there twice in a row, so that an event never wraps. */
    void *producer = mmap(NULL, page + 2 * RING_BYTES, PROT_READ, MAP_SHARED, ebpf->ring, (off_t)page);
    if (producer == MAP_FAILED)
        return -1;
    ebpf->producer = producer;
    return 0;
}

static int failed(struct ebpf *ebpf, const char *what)
{
    int error = errno ? errno : EIO;
    ebpf_unload(ebpf);
    ebpf->error = error;
    ebpf->failed = what;
    return -error;
}

int ebpf_load(struct ebpf *ebpf)
{
    *ebpf = EBPF_NONE;
    ebpf->counters = make_map(BPF_MAP_TYPE_ARRAY, "dots_counters", 4, sizeof(struct exec_counters), 1);
    if (ebpf->counters < 0)
        return failed(ebpf, "map of counters");
    ebpf->rules = make_map(BPF_MAP_TYPE_HASH, "dots_rules", sizeof(struct rule_key), 1, RULES_MOST);
    if (ebpf->rules < 0)
        return failed(ebpf, "map of rules");
    ebpf->ring = make_map(BPF_MAP_TYPE_RINGBUF, "dots_events", 0, 0, RING_BYTES);
    if (ebpf->ring < 0)
        return failed(ebpf, "ring buffer");
    if (map_ring(ebpf) < 0)
        return failed(ebpf, "pages of the ring buffer");
    ebpf->program = load_program(ebpf);
    if (ebpf->program < 0)
        return failed(ebpf, "program " EBPF_PROGRAM);
    ebpf->link = attach(ebpf->program);
    if (ebpf->link < 0)
        return failed(ebpf, "attaching to " EBPF_TRACEPOINT);
    ebpf->error = 0;
    ebpf->failed = NULL;
    return 0;
}

static void put_back(int descriptor)
{
    if (descriptor >= 0)
        close(descriptor);
}

void ebpf_unload(struct ebpf *ebpf)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (ebpf->consumer)
        munmap(ebpf->consumer, page);
    if (ebpf->producer)
        munmap(ebpf->producer, page + 2 * RING_BYTES);
    put_back(ebpf->link);
    put_back(ebpf->program);
    put_back(ebpf->ring);
    put_back(ebpf->rules);
    put_back(ebpf->counters);
    *ebpf = EBPF_NONE;
}

static bool info(int descriptor, void *into, uint32_t size)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    memset(into, 0, size);
    attributes.info.bpf_fd = (uint32_t)descriptor;
    attributes.info.info_len = size;
    attributes.info.info = (uint64_t)(uintptr_t)into;
    return descriptor >= 0 && bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes) == 0;
}

void ebpf_ask(const struct ebpf *ebpf, struct ebpf_state *state)
{
    *state = (struct ebpf_state){0};
    struct bpf_prog_info program;
    struct bpf_link_info link;
    if (info(ebpf->program, &program, sizeof program)) {
        state->loaded = true;
        state->program_id = program.id;
        state->run_count = program.run_cnt;
        state->run_nanoseconds = program.run_time_ns;
    }
    if (info(ebpf->link, &link, sizeof link)) {
        state->attached = state->loaded && link.type == BPF_LINK_TYPE_RAW_TRACEPOINT && link.prog_id == program.id;
        state->link_id = link.id;
    }
    if (ebpf->counters >= 0) {
        uint32_t key = 0;
        union bpf_attr attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.map_fd = (uint32_t)ebpf->counters;
        attributes.key = (uint64_t)(uintptr_t)&key;
        attributes.value = (uint64_t)(uintptr_t)&state->counters;
        bpf(BPF_MAP_LOOKUP_ELEM, &attributes);
    }
}

size_t ebpf_drain(struct ebpf *ebpf, exec_handler handler, void *context)
{
    if (!ebpf->producer)
        return 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    const char *data = (const char *)ebpf->producer + page;
    unsigned long position = __atomic_load_n((unsigned long *)ebpf->consumer, __ATOMIC_ACQUIRE);
    for (;;) {
        unsigned long end = __atomic_load_n((unsigned long *)ebpf->producer, __ATOMIC_ACQUIRE);
        if (position >= end)
            return count;
        const char *record = data + (position & (RING_BYTES - 1));
        uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
        if (header & BPF_RINGBUF_BUSY_BIT)
            return count; /* still being written: the next wake-up brings it */
        uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        if (!(header & BPF_RINGBUF_DISCARD_BIT) && length == sizeof(struct exec_event)) {
            handler((const struct exec_event *)(record + BPF_RINGBUF_HDR_SZ), context);
            count++;
        }
        position += (length + BPF_RINGBUF_HDR_SZ + 7u) & ~7ul;
        __atomic_store_n((unsigned long *)ebpf->consumer, position, __ATOMIC_RELEASE);
    }
}

static int change_rule(struct ebpf *ebpf, enum bpf_cmd command, uint32_t uid, const char *comm)
{
    if (ebpf->rules < 0)
        return -ENODEV;
    struct rule_key key = {.uid = uid};
    strncpy(key.comm, comm, sizeof key.comm - 1);
    uint8_t value = 1;
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)ebpf->rules;
    attributes.key = (uint64_t)(uintptr_t)&key;
    if (command == BPF_MAP_UPDATE_ELEM)
        attributes.value = (uint64_t)(uintptr_t)&value;
    return bpf(command, &attributes) == 0 ? 0 : -errno;
}

int ebpf_deny(struct ebpf *ebpf, uint32_t uid, const char *comm)
{
    return change_rule(ebpf, BPF_MAP_UPDATE_ELEM, uid, comm);
}

int ebpf_allow(struct ebpf *ebpf, uint32_t uid, const char *comm)
{
    int result = change_rule(ebpf, BPF_MAP_DELETE_ELEM, uid, comm);
    return result == -ENOENT ? 0 : result;
}
