/* What the family has decided: who may run what, for how long, and who has proved to be a parent. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "database.h"
#include "ebpf.h"

/* The name under which the kernel knows a program: the path's last part, at most 15 bytes. False: no such name. */
bool policy_comm(const char *application, char comm[COMM_LENGTH]);

/* False where there is no such user. `name` holds at least 64 bytes. */
bool policy_user_name(uid_t uid, char *name);
bool policy_user_id(const char *name, uid_t *uid);

/* Tell the kernel every rule that denies. False, with log lines, where some could not be told. */
bool policy_load(struct database *database, struct ebpf *ebpf);
bool policy_set_rule(struct database *database, struct ebpf *ebpf, const char *user, const char *comm, bool allowed);

bool policy_allows(struct database *database, const char *user, const char *comm);
uint32_t policy_minutes_left(struct database *database, const char *user);
void policy_account(struct database *database, const char *user); /* a heartbeat: adds the time since the last one */

/* Parents' password: 0, -EACCES (wrong or none set) or -EBUSY (too many failures: `wait` says for how long). */
int policy_authenticate(uid_t uid, const char *password, unsigned *wait_seconds);
