/* The methods on the bus. Who may call what is the bus policy's business: the daemon itself asks nobody's group. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "daemon.h"
#include "policy.h"

#define REPORT_MOST 65536
#define REQUESTS_MOST 100 /* pending, for one user */

/* The caller's uid, and the user's name (`name` holds at least 64 bytes). */
static int caller(sd_bus_message *call, uid_t *uid, char *name)
{
    sd_bus_creds *creds = NULL;
    int result = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);
    if (result >= 0)
        result = sd_bus_creds_get_euid(creds, uid);
    sd_bus_creds_unref(creds);
    if (result >= 0 && !policy_user_name(*uid, name))
        snprintf(name, 64, "#%u", *uid);
    return result;
}

static int refuse(sd_bus_error *error, const char *name, const char *text)
{
    return sd_bus_error_set(error, name, text);
}

static int bad(sd_bus_error *error, const char *text)
{
    return refuse(error, SD_BUS_ERROR_INVALID_ARGS, text);
}

static int broken(sd_bus_error *error)
{
    return refuse(error, BUS_ERROR("Database"), "the database refused; the daemon's log says why");
}

static int reply_text(sd_bus_message *call, char *text, sd_bus_error *error)
{
    if (!text)
        return broken(error);
    int result = sd_bus_reply_method_return(call, "s", text);
    free(text);
    return result;
}

static bool word(const char *text, size_t most)
{
    size_t length = strlen(text);
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return length > 0 && length <= most;
}

static void announce(struct daemon *daemon, const char *what)
{
    sd_bus_emit_signal(daemon->bus, BUS_PATH, BUS_INTERFACE, "PolicyUpdated", "s", what);
}

static int ping(sd_bus_message *call, void *context, sd_bus_error *error)
{
    (void)error;
    ((struct daemon *)context)->calls++;
    return sd_bus_reply_method_return(call, "s", "pong");
}

static int get_active_profile(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    uid_t uid;
    char name[64];
    int result = caller(call, &uid, name);
    if (result < 0)
        return result;
    return reply_text(call,
                      database_text(&daemon->database,
                                    "SELECT json_object('profile', (SELECT json_object('id', id, 'name', name,"
                                    " 'age_group', age_group, 'user', user) FROM profiles WHERE user = ? AND active))",
                                    "s", name),
                      error);
}

static int check_application(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    const char *application;
    char name[64], comm[COMM_LENGTH];
    uid_t uid;
    int result = sd_bus_message_read(call, "s", &application);
    if (result >= 0)
        result = caller(call, &uid, name);
    if (result < 0)
        return result;
    if (!policy_comm(application, comm))
        return bad(error, "not an application's name or path");
    return sd_bus_reply_method_return(call, "b", policy_allows(&daemon->database, name, comm));
}

static int get_remaining_time(sd_bus_message *call, void *context, sd_bus_error *error)
{
    (void)error;
    struct daemon *daemon = context;
    uid_t uid;
    char name[64];
    int result = caller(call, &uid, name);
    if (result < 0)
        return result;
    return sd_bus_reply_method_return(call, "u", policy_minutes_left(&daemon->database, name));
}

static int request_permission(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    struct database *database = &daemon->database;
    const char *application, *reason;
    char name[64];
    uid_t uid;
    int result = sd_bus_message_read(call, "ss", &application, &reason);
    if (result >= 0)
        result = caller(call, &uid, name);
    if (result < 0)
        return result;
    if (!word(application, 255) || strlen(reason) > 1000)
        return bad(error, "application: 1 to 255 characters; reason: at most 1000");
    if (database_number(database, 0, "SELECT count(*) FROM requests WHERE uid = ? AND state = 'pending'", "i",
                        (int64_t)uid) >= REQUESTS_MOST)
        return refuse(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many requests are waiting for a parent");
    if (!database_run(database, "INSERT INTO requests (at, uid, application, reason) VALUES (?, ?, ?, ?)", "diss",
                      wall_seconds(), (int64_t)uid, application, reason))
        return broken(error);
    say(LOG_INFO, "%s asks to use %s", name, application);
    return reply_text(call, database_text(database, "SELECT 'request-' || last_insert_rowid()", ""), error);
}

static int report_activity(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    const char *report;
    char name[64];
    uid_t uid;
    int result = sd_bus_message_read(call, "s", &report);
    if (result >= 0)
        result = caller(call, &uid, name);
    if (result < 0)
        return result;
    if (strlen(report) > REPORT_MOST)
        return bad(error, "a report has at most 65536 bytes");
    if (!database_number(&daemon->database, 0, "SELECT json_valid(?)", "s", report))
        return bad(error, "a report is JSON text");
    if (database_number(&daemon->database, (int64_t)uid, "SELECT json_extract(?, '$.uid')", "s", report) != (int64_t)uid) {
        say(LOG_WARNING, "report refused: uid %u reported for another user", uid);
        return refuse(error, SD_BUS_ERROR_ACCESS_DENIED, "the report is about another user than its sender");
    }
    if (!database_run(&daemon->database, "INSERT INTO activity (at, uid, report) VALUES (?, ?, ?)", "dis",
                      wall_seconds(), (int64_t)uid, report))
        return broken(error);
    return sd_bus_reply_method_return(call, "b", true);
}

static int send_heartbeat(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    const char *monitor;
    char name[64];
    uid_t uid;
    int result = sd_bus_message_read(call, "s", &monitor);
    if (result >= 0)
        result = caller(call, &uid, name);
    if (result < 0)
        return result;
    if (strcmp(monitor, name) != 0) {
        say(LOG_WARNING, "heartbeat refused: uid %u is not monitor %s", uid, monitor);
        return refuse(error, SD_BUS_ERROR_ACCESS_DENIED, "a monitor's id is the name of its user");
    }
    policy_account(&daemon->database, name);
    if (!database_run(&daemon->database,
                      "INSERT INTO heartbeats VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at", "sdi", name,
                      wall_seconds(), (int64_t)uid))
        return broken(error);
    return sd_bus_reply_method_return(call, "b", true);
}

static int authenticate_parent(sd_bus_message *call, void *context, sd_bus_error *error)
{
    (void)context;
    const char *password;
    char name[64], text[128];
    uid_t uid;
    unsigned wait = 0;
    int result = sd_bus_message_read(call, "s", &password);
    if (result >= 0)
        result = sd_bus_message_sensitive(call);
    if (result >= 0)
        result = caller(call, &uid, name);
    if (result < 0)
        return result;
    result = policy_authenticate(uid, password, &wait);
    if (result == 0)
        return sd_bus_reply_method_return(call, "s", "authenticated");
    if (result != -EBUSY)
        return refuse(error, BUS_ERROR("AuthenticationFailed"), "wrong password, or none is set");
    snprintf(text, sizeof text, "too many failures: wait %u s", wait);
    return refuse(error, BUS_ERROR("Throttled"), text);
}

static int list_profiles(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    return reply_text(call,
                      database_text(&daemon->database,
                                    "SELECT json_group_array(json_object('id', id, 'name', name, 'age_group', age_group,"
                                    " 'user', user, 'active', json(iif(active, 'true', 'false'))))"
                                    " FROM (SELECT * FROM profiles ORDER BY id)",
                                    ""),
                      error);
}

static int create_profile(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    struct database *database = &daemon->database;
    const char *name, *age_group, *user;
    uid_t uid;
    int result = sd_bus_message_read(call, "sss", &name, &age_group, &user);
    if (result < 0)
        return result;
    if (!word(name, 64) || !word(age_group, 16))
        return bad(error, "name: 1 to 64 characters; age group: 1 to 16, as in 8-12");
    if (!policy_user_id(user, &uid))
        return bad(error, "no such user");
    if (!database_run(database,
                      "INSERT OR IGNORE INTO profiles (name, age_group, user, created) VALUES (?, ?, ?, ?)", "sssd", name,
                      age_group, user, wall_seconds()))
        return broken(error);
    char *id = database_text(database, "SELECT id FROM profiles WHERE name = ? AND age_group = ? AND user = ?", "sss",
                             name, age_group, user);
    if (!id)
        return refuse(error, BUS_ERROR("Exists"), "another profile has this name");
    say(LOG_NOTICE, "profile %s (id %s) is there for %s", name, id, user);
    return reply_text(call, id, error);
}

static int set_active_profile(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    struct database *database = &daemon->database;
    const char *profile;
    int result = sd_bus_message_read(call, "s", &profile);
    if (result < 0)
        return result;
    char *user = database_text(database, "SELECT user FROM profiles WHERE name = ?1 OR id = ?1 ORDER BY name = ?1 DESC",
                               "s", profile);
    if (!user)
        return refuse(error, BUS_ERROR("UnknownProfile"), "no profile has this name or id");
    bool done = database_run(database,
                             "UPDATE profiles SET active = (id = (SELECT id FROM profiles WHERE name = ?1 OR id = ?1"
                             " ORDER BY name = ?1 DESC LIMIT 1)) WHERE user = ?2",
                             "ss", profile, user) &&
                database_run(database, "DELETE FROM locks WHERE user = ?", "s", user);
    if (done) {
        say(LOG_NOTICE, "profile %s is active for %s", profile, user);
        announce(daemon, user);
    }
    free(user);
    return done ? sd_bus_reply_method_return(call, "b", true) : broken(error);
}

static int set_application_rule(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    const char *user, *application;
    char comm[COMM_LENGTH];
    int allowed;
    uid_t uid;
    int result = sd_bus_message_read(call, "ssb", &user, &application, &allowed);
    if (result < 0)
        return result;
    if (!policy_user_id(user, &uid) || uid < 1000)
        return bad(error, "rules are for people: a user with a uid of 1000 or more");
    if (!policy_comm(application, comm))
        return bad(error, "not an application's name or path");
    bool done = policy_set_rule(&daemon->database, &daemon->ebpf, user, comm, allowed);
    if (!done)
        return refuse(error, BUS_ERROR("NotInForce"), "the rule is not in force; the daemon's log says why");
    say(LOG_NOTICE, "rule: %s %s %s", user, allowed ? "may run" : "may not run", comm);
    announce(daemon, user);
    return sd_bus_reply_method_return(call, "b", true);
}

#define LOGIND "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"

static int screen_answered(sd_bus_message *reply, void *context, sd_bus_error *error)
{
    (void)context, (void)error;
    if (sd_bus_message_is_method_error(reply, NULL))
        say(LOG_WARNING, "logind does not lock the screen: %s", sd_bus_message_get_error(reply)->message);
    return 0;
}

static int sessions_listed(sd_bus_message *reply, void *context, sd_bus_error *error)
{
    const char *session, *path, *user, *seat;
    uint32_t uid;
    if (sd_bus_message_is_method_error(reply, NULL))
        return screen_answered(reply, NULL, error);
    int result = sd_bus_message_enter_container(reply, 'a', "(susso)");
    while (result >= 0 && (result = sd_bus_message_read(reply, "(susso)", &session, &uid, &user, &seat, &path)) > 0)
        if (uid == (uint32_t)(uintptr_t)context)
            result = sd_bus_call_method_async(sd_bus_message_get_bus(reply), NULL, LOGIND, "LockSession",
                                              screen_answered, NULL, "s", session);
    return 0;
}

static int lock_session(sd_bus_message *call, void *context, sd_bus_error *error)
{
    struct daemon *daemon = context;
    const char *user;
    uid_t uid, by;
    char name[64];
    int result = sd_bus_message_read(call, "s", &user);
    if (result >= 0)
        result = caller(call, &by, name);
    if (result < 0)
        return result;
    if (!policy_user_id(user, &uid))
        return bad(error, "no such user");
    if (!database_run(&daemon->database, "INSERT OR REPLACE INTO locks VALUES (?, ?, ?)", "sdi", user, wall_seconds(),
                      (int64_t)by))
        return broken(error);
    say(LOG_NOTICE, "%s is locked by %s: no time is left until a profile is made active", user, name);
    announce(daemon, user);
    /* Screens as well, where logind lets us; the lock above holds either way. */
    sd_bus_call_method_async(daemon->bus, NULL, LOGIND, "ListSessions", sessions_listed, (void *)(uintptr_t)uid, "");
    return sd_bus_reply_method_return(call, "b", true);
}

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

static int get_monitoring_snapshot(sd_bus_message *call, void *context, sd_bus_error *error)
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

static int get_ebpf_status(sd_bus_message *call, void *context, sd_bus_error *error)
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

/* UNPRIVILEGED: without it, sd-bus would let only root call, and no policy could open it. */
#define METHOD(name, arguments, argument_names, returns, return_names, handler) \
    SD_BUS_METHOD_WITH_NAMES(name, arguments, argument_names, returns, return_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable METHODS[] = {
    SD_BUS_VTABLE_START(0),
    METHOD("Ping", "", , "s", SD_BUS_PARAM(answer), ping),
    METHOD("GetActiveProfile", "", , "s", SD_BUS_PARAM(json), get_active_profile),
    METHOD("CheckApplicationAllowed", "s", SD_BUS_PARAM(application), "b", SD_BUS_PARAM(allowed), check_application),
    METHOD("GetRemainingTime", "", , "u", SD_BUS_PARAM(minutes), get_remaining_time),
    METHOD("RequestParentPermission", "ss", SD_BUS_PARAM(application) SD_BUS_PARAM(reason), "s", SD_BUS_PARAM(request),
           request_permission),
    METHOD("ReportActivity", "s", SD_BUS_PARAM(json), "b", SD_BUS_PARAM(accepted), report_activity),
    METHOD("SendHeartbeat", "s", SD_BUS_PARAM(monitor), "b", SD_BUS_PARAM(accepted), send_heartbeat),
    METHOD("AuthenticateParent", "s", SD_BUS_PARAM(password), "s", SD_BUS_PARAM(answer), authenticate_parent),
    METHOD("ListProfiles", "", , "s", SD_BUS_PARAM(json), list_profiles),
    METHOD("CreateProfile", "sss", SD_BUS_PARAM(name) SD_BUS_PARAM(age_group) SD_BUS_PARAM(user), "s", SD_BUS_PARAM(id),
           create_profile),
    METHOD("SetActiveProfile", "s", SD_BUS_PARAM(profile), "b", SD_BUS_PARAM(done), set_active_profile),
    METHOD("SetApplicationRule", "ssb", SD_BUS_PARAM(user) SD_BUS_PARAM(application) SD_BUS_PARAM(allowed), "b",
           SD_BUS_PARAM(in_force), set_application_rule),
    METHOD("LockSession", "s", SD_BUS_PARAM(user), "b", SD_BUS_PARAM(locked), lock_session),
    METHOD("GetMonitoringSnapshot", "", , "s", SD_BUS_PARAM(json), get_monitoring_snapshot),
    METHOD("GetEbpfStatus", "", , "ubs",
           SD_BUS_PARAM(programs) SD_BUS_PARAM(healthy) SD_BUS_PARAM(text), get_ebpf_status),
    SD_BUS_SIGNAL_WITH_NAMES("PolicyUpdated", "s", SD_BUS_PARAM(user), 0),
    SD_BUS_VTABLE_END,
};

int bus_attach(struct daemon *daemon)
{
    int result = sd_bus_open_system(&daemon->bus);
    if (result < 0) {
        say(LOG_ERR, "system bus: %s", strerror(-result));
        return result;
    }
    sd_bus_set_exit_on_disconnect(daemon->bus, true); /* systemd starts us again, with the bus */
    result = sd_bus_add_object_vtable(daemon->bus, NULL, BUS_PATH, BUS_INTERFACE, METHODS, daemon);
    if (result >= 0)
        result = sd_bus_attach_event(daemon->bus, daemon->loop, SD_EVENT_PRIORITY_NORMAL);
    if (result >= 0)
        result = sd_bus_request_name(daemon->bus, BUS_NAME, 0);
    if (result < 0)
        say(LOG_ERR, "bus name " BUS_NAME ": %s", strerror(-result));
    return result;
}
