#include "common.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

void say(int level, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *at = line; *at; at++) /* callers quote what others sent: one line stays one line */
        if ((unsigned char)*at < 0x20)
            *at = ' ';
    fprintf(stderr, "<%d>%s\n", level, line);
}

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double wall_seconds(void)
{
    return (double)nanoseconds(CLOCK_REALTIME) / 1e9;
}

uint64_t boot_nanoseconds(void)
{
    return nanoseconds(CLOCK_BOOTTIME);
}

const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

long setting_number(const char *name, long fallback, long least, long most)
{
    const char *value = setting(name, NULL);
    if (!value)
        return fallback;
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (errno || *end || number < least || number > most) {
        say(LOG_WARNING, "%s=%s is not a number from %ld to %ld: using %ld", name, value, least, most, fallback);
        return fallback;
    }
    return number;
}

bool setting_flag(const char *name, bool fallback)
{
    const char *value = setting(name, NULL);
    if (!value)
        return fallback;
    return !strcasecmp(value, "yes") || !strcasecmp(value, "true") || !strcasecmp(value, "on") || !strcmp(value, "1");
}

static void read_line(char *line, const char *path, int number)
{
    char *start = line;
    while (isspace((unsigned char)*start))
        start++;
    char *end = start + strlen(start);
    while (end > start && isspace((unsigned char)end[-1]))
        *--end = 0;
    if (!*start || *start == '#' || *start == ';')
        return;
    char *equals = strchr(start, '=');
    if (!equals || equals == start) {
        say(LOG_WARNING, "%s:%d: not KEY=VALUE, ignored", path, number);
        return;
    }
    *equals++ = 0;
    size_t length = strlen(equals);
    if (length >= 2 && (*equals == '"' || *equals == '\'') && equals[length - 1] == *equals) {
        equals[length - 1] = 0;
        equals++;
    }
    setenv(start, equals, 1);
}

int settings_read(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    char line[4096];
    for (int number = 1; fgets(line, sizeof line, file); number++)
        read_line(line, path, number);
    fclose(file);
    return 0;
}

static void text_failed(struct text *text)
{
    free(text->bytes);
    *text = (struct text){.room = SIZE_MAX};
}

void text_add(struct text *text, const char *format, ...)
{
    if (text->room == SIZE_MAX)
        return;
    for (;;) {
        size_t left = text->room - text->length;
        va_list arguments;
        va_start(arguments, format);
        int need = vsnprintf(left ? text->bytes + text->length : NULL, left, format, arguments);
        va_end(arguments);
        if (need < 0) {
            text_failed(text);
            return;
        }
        if ((size_t)need < left) {
            text->length += (size_t)need;
            return;
        }
        size_t room = text->room * 2 + (size_t)need + 64;
        char *bytes = realloc(text->bytes, room);
        if (!bytes) {
            text_failed(text);
            return;
        }
        text->bytes = bytes;
        text->room = room;
    }
}

void text_add_json(struct text *text, const char *value)
{
    text_add(text, "\"");
    for (const unsigned char *at = (const unsigned char *)value; *at; at++) {
        if (*at == '"' || *at == '\\')
            text_add(text, "\\%c", *at);
        else
            text_add(text, "%c", *at < 0x20 || *at > 0x7e ? '?' : *at);
    }
    text_add(text, "\"");
}
