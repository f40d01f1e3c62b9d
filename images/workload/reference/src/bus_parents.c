/* Methods for parents. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus.h"
#include "common.h"
#include "policy.h"

int authenticate_parent(sd_bus_message *call, void *context, sd_bus_error *error)
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

int list_profiles(sd_bus_message *call, void *context, sd_bus_error *error)
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

int create_profile(sd_bus_message *call, void *context, sd_bus_error *error)
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

int set_active_profile(sd_bus_message *call, void *context, sd_bus_error *error)
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

int set_application_rule(sd_bus_message *call, void *context, sd_bus_error *error)
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

int lock_session(sd_bus_message *call, void *context, sd_bus_error *error)
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
