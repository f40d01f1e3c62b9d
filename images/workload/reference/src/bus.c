/* The object on the bus. Who may call what is the bus policy's business: the daemon itself asks nobody's group. */
#include "bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "policy.h"

int caller(sd_bus_message *call, uid_t *uid, char *name)
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

int refuse(sd_bus_error *error, const char *name, const char *text)
{
    return sd_bus_error_set(error, name, text);
}

int bad(sd_bus_error *error, const char *text)
{
    return refuse(error, SD_BUS_ERROR_INVALID_ARGS, text);
}

int broken(sd_bus_error *error)
{
    return refuse(error, BUS_ERROR("Database"), "the database refused; the daemon's log says why");
}

int reply_text(sd_bus_message *call, char *text, sd_bus_error *error)
{
    if (!text)
        return broken(error);
    int result = sd_bus_reply_method_return(call, "s", text);
    free(text);
    return result;
}

bool word(const char *text, size_t most)
{
    size_t length = strlen(text);
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return length > 0 && length <= most;
}

void announce(struct daemon *daemon, const char *user)
{
    sd_bus_emit_signal(daemon->bus, BUS_PATH, BUS_INTERFACE, "PolicyUpdated", "s", user);
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
