/* What all programs of the product share: log lines, clocks, settings, JSON text, the bus names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#define BUS_NAME "org.dots.FamilyDaemon"
#define BUS_PATH "/org/dots/FamilyDaemon"
#define BUS_INTERFACE "org.dots.FamilyDaemon"
#define BUS_ERROR(name) "org.dots.FamilyDaemon.Error." name

/* One line on standard error with the level that the journal understands (LOG_ERR, LOG_WARNING, ...). */
void say(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Seconds since the epoch, and nanoseconds since boot (suspended time included). */
double wall_seconds(void);
uint64_t boot_nanoseconds(void);

/* Settings come from the environment; `fallback` where one is not set or empty. */
const char *setting(const char *name, const char *fallback);
long setting_number(const char *name, long fallback, long least, long most);
bool setting_flag(const char *name, bool fallback);

/* Read KEY=VALUE lines into the environment, as systemd's EnvironmentFile= does. 0 or -errno. */
int settings_read(const char *path);

/* Text that grows; `bytes` is NULL after memory ran out, and stays so. */
struct text {
    char *bytes;
    size_t length, room;
};
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_json(struct text *text, const char *value); /* quoted and escaped; other than ASCII becomes '?' */
