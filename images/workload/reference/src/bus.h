/* The bus methods by who may call them, and what they share. */
#pragma once

#include <systemd/sd-bus.h>

#include "daemon.h"

/* The caller's uid, and the user's name (`name` holds at least 64 bytes). */
int caller(sd_bus_message *call, uid_t *uid, char *name);
int refuse(sd_bus_error *error, const char *name, const char *text);
int bad(sd_bus_error *error, const char *text); /* wrong arguments */
int broken(sd_bus_error *error);                /* the database refused */
int reply_text(sd_bus_message *call, char *text, sd_bus_error *error); /* frees `text`; NULL: the database refused */
bool word(const char *text, size_t most); /* 1 to `most` bytes, none of them a control character */
void announce(struct daemon *daemon, const char *user); /* the signal PolicyUpdated */

typedef int bus_method(sd_bus_message *call, void *daemon, sd_bus_error *error);

/* bus_family.c: the family and its monitors */
bus_method ping, get_active_profile, check_application, get_remaining_time, request_permission, report_activity, send_heartbeat;
/* bus_parents.c */
bus_method authenticate_parent, list_profiles, create_profile, set_active_profile, set_application_rule, lock_session;
/* bus_health.c */
bus_method get_monitoring_snapshot, get_ebpf_status;
