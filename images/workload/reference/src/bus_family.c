/* Methods for everyone in the family, and for the monitors that run as its children. */
#include <string.h>

#include "bus.h"
#include "common.h"
#include "policy.h"

#define REPORT_MOST 65536
#define REQUESTS_MOST 100 /* pending, for one user */

int ping(sd_bus_message *call, void *context, sd_bus_error *error)
{
    (void)error;
    ((struct daemon *)context)->calls++;
    return sd_bus_reply_method_return(call, "s", "pong");
}

int get_active_profile(sd_bus_message *call, void *context, sd_bus_error *error)
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

int check_application(sd_bus_message *call, void *context, sd_bus_error *error)
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

int get_remaining_time(sd_bus_message *call, void *context, sd_bus_error *error)
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

int request_permission(sd_bus_message *call, void *context, sd_bus_error *error)
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

int report_activity(sd_bus_message *call, void *context, sd_bus_error *error)
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

int send_heartbeat(sd_bus_message *call, void *context, sd_bus_error *error)
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
