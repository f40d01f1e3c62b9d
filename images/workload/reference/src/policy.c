#include "policy.h"

#include <crypt.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define FREE_FAILURES 5
#define FIRST_WAIT 30   /* seconds; doubles with every further failure */
#define LONGEST_WAIT 900
#define CALLERS_MOST 128
#define UNLIMITED_MINUTES 1440u

bool policy_comm(const char *application, char comm[COMM_LENGTH])
{
    const char *slash = strrchr(application, '/');
    const char *name = slash ? slash + 1 : application;
    if (!*name || strlen(application) > 255)
        return false;
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    memset(comm, 0, COMM_LENGTH);
    strncpy(comm, name, COMM_LENGTH - 1);
    return true;
}

bool policy_user_name(uid_t uid, char *name)
{
    struct passwd entry, *found = NULL;
    char room[4096];
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) || !found)
        return false;
    snprintf(name, 64, "%s", entry.pw_name);
    return true;
}

bool policy_user_id(const char *name, uid_t *uid)
{
    struct passwd entry, *found = NULL;
    char room[4096];
    if (getpwnam_r(name, &entry, room, sizeof room, &found) || !found)
        return false;
    *uid = entry.pw_uid;
    return true;
}

struct loading {
    struct ebpf *ebpf;
    bool complete;
};

static void load_rule(sqlite3_stmt *row, void *context)
{
    struct loading *loading = context;
    const char *user = (const char *)sqlite3_column_text(row, 0), *comm = (const char *)sqlite3_column_text(row, 1);
    uid_t uid;
    if (!policy_user_id(user, &uid)) {
        say(LOG_WARNING, "rule for %s is skipped: no such user", user);
        return;
    }
    int result = ebpf_deny(loading->ebpf, uid, comm);
    if (result < 0) {
        say(LOG_ERR, "rule that denies %s to %s is not in force: %s", comm, user, strerror(-result));
        loading->complete = false;
    }
}

bool policy_load(struct database *database, struct ebpf *ebpf)
{
    struct loading loading = {ebpf, true};
    return database_each(database, load_rule, &loading, "SELECT user, application FROM rules WHERE NOT allowed") &&
           loading.complete;
}

bool policy_set_rule(struct database *database, struct ebpf *ebpf, const char *user, const char *comm, bool allowed)
{
    uid_t uid;
    if (!policy_user_id(user, &uid) ||
        !database_run(database,
                      "INSERT INTO rules VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET allowed = excluded.allowed", "ssi",
                      user, comm, (int64_t)allowed))
        return false;
    int result = allowed ? ebpf_allow(ebpf, uid, comm) : ebpf_deny(ebpf, uid, comm);
    if (result < 0)
        say(LOG_ERR, "rule for %s and %s is stored but not in force: %s", user, comm, strerror(-result));
    return result == 0;
}

uint32_t policy_minutes_left(struct database *database, const char *user)
{
    if (database_number(database, 0, "SELECT count(*) FROM locks WHERE user = ?", "s", user))
        return 0;
    if (!database_number(database, 0, "SELECT count(*) FROM profiles WHERE user = ? AND active", "s", user))
        return UNLIMITED_MINUTES;
    int64_t used = database_number(
        database, 0, "SELECT seconds FROM usage WHERE user = ? AND day = date('now', 'localtime')", "s", user);
    int64_t limit = setting_number("DAILY_LIMIT_MINUTES", 120, 0, UNLIMITED_MINUTES);
    return used / 60 >= limit ? 0 : (uint32_t)(limit - used / 60);
}

bool policy_allows(struct database *database, const char *user, const char *comm)
{
    return policy_minutes_left(database, user) > 0 &&
           database_number(database, 1, "SELECT allowed FROM rules WHERE user = ? AND application = ?", "ss", user, comm);
}

void policy_account(struct database *database, const char *user)
{
    double now = wall_seconds();
    /* A gap of more than 30 s was no use of the computer: the monitor speaks every 10 s. */
    database_run(database,
                 "INSERT INTO usage SELECT monitor, date('now', 'localtime'), max(0, ?2 - at) FROM heartbeats"
                 " WHERE monitor = ?1 AND ?2 - at BETWEEN 0 AND 30"
                 " ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
                 "sd", user, now);
}

static struct caller {
    uid_t uid;
    unsigned failures;
    uint64_t until; /* boot time in nanoseconds */
} callers[CALLERS_MOST];
static size_t callers_count;

static struct caller *caller_of(uid_t uid)
{
    for (size_t at = 0; at < callers_count; at++)
        if (callers[at].uid == uid)
            return &callers[at];
    /* With the table full, strangers share its last place: they are throttled together. */
    if (callers_count == CALLERS_MOST)
        return &callers[CALLERS_MOST - 1];
    callers[callers_count] = (struct caller){.uid = uid};
    return &callers[callers_count++];
}

static bool matches(const char *password)
{
    char path[512], hash[256];
    snprintf(path, sizeof path, "%s/parent.shadow", setting("DOTS_FAMILY_CONFIG_DIR", "/etc/dots-family"));
    FILE *file = fopen(path, "re");
    bool read = file && fgets(hash, sizeof hash, file);
    int error = errno;
    if (file)
        fclose(file);
    if (!read) {
        say(LOG_WARNING, "no parent's password is set (%s: %s): nobody can authenticate", path,
            file ? "empty" : strerror(error));
        return false;
    }
    hash[strcspn(hash, "\r\n")] = 0;
    if (*hash != '$') {
        say(LOG_ERR, "%s does not hold a hash as `openssl passwd -5` makes it", path);
        return false;
    }
    static struct crypt_data data;
    const char *made = crypt_r(password, hash, &data);
    bool same = made && strcmp(made, hash) == 0; /* comparing hashes: its timing tells nothing of the password */
    explicit_bzero(&data, sizeof data);
    return same;
}

int policy_authenticate(uid_t uid, const char *password, unsigned *wait_seconds)
{
    struct caller *caller = caller_of(uid);
    uint64_t now = boot_nanoseconds();
    if (now < caller->until) {
        *wait_seconds = (unsigned)((caller->until - now) / 1000000000u) + 1;
        say(LOG_WARNING, "authentication throttled: uid %u must wait %u s", uid, *wait_seconds);
        return -EBUSY;
    }
    if (matches(password)) {
        say(LOG_NOTICE, "authentication succeeded: uid %u", uid);
        caller->failures = 0;
        return 0;
    }
    caller->failures++;
    say(LOG_WARNING, "authentication failed: uid %u, failure %u", uid, caller->failures);
    if (caller->failures >= FREE_FAILURES) {
        unsigned doubled = caller->failures - FREE_FAILURES;
        uint64_t wait = doubled > 5 ? LONGEST_WAIT : (uint64_t)FIRST_WAIT << doubled;
        caller->until = now + (wait > LONGEST_WAIT ? LONGEST_WAIT : wait) * 1000000000u;
    }
    return -EACCES;
}
