/* Sorted in memory and searched by halving: a list of a million domains costs twenty comparisons a label. */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

struct list {
    char *bytes;
    char **domains;
    size_t count;
};

static struct list current;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static int compare(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *bytes = NULL;
    size_t length = 0, room = 0, got;
    do {
        if (room - length < 65536) {
            room = room * 2 + 131072;
            char *more = realloc(bytes, room);
            if (!more) {
                free(bytes);
                fclose(file);
                errno = ENOMEM;
                return NULL;
            }
            bytes = more;
        }
        got = fread(bytes + length, 1, room - length - 1, file);
        length += got;
    } while (got);
    int error = ferror(file) ? (errno ? errno : EIO) : 0;
    fclose(file);
    if (error) { /* a folder opens, but does not read */
        free(bytes);
        errno = error;
        return NULL;
    }
    bytes[length] = 0;
    return bytes;
}

/* One domain a line: `#` starts a comment, a leading `*.` or `.` and a final dot mean nothing more. */
static char *domain_of(char *line)
{
    line[strcspn(line, "#\r")] = 0;
    while (isspace((unsigned char)*line))
        line++;
    if (strncmp(line, "*.", 2) == 0)
        line += 2;
    while (*line == '.')
        line++;
    size_t length = strcspn(line, " \t");
    while (length && line[length - 1] == '.')
        length--;
    line[length] = 0;
    for (char *at = line; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return line;
}

int blocklist_load(const char *path)
{
    struct list fresh = {.bytes = read_whole(path)};
    if (!fresh.bytes)
        return -errno;
    size_t lines = 1;
    for (char *at = fresh.bytes; *at; at++)
        lines += *at == '\n';
    fresh.domains = calloc(lines, sizeof *fresh.domains);
    if (!fresh.domains) {
        free(fresh.bytes);
        return -ENOMEM;
    }
    for (char *line = fresh.bytes, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        char *domain = domain_of(line);
        if (*domain)
            fresh.domains[fresh.count++] = domain;
    }
    qsort(fresh.domains, fresh.count, sizeof *fresh.domains, compare);
    pthread_rwlock_wrlock(&lock);
    struct list old = current;
    current = fresh;
    pthread_rwlock_unlock(&lock);
    free(old.domains);
    free(old.bytes);
    return (int)fresh.count;
}

bool blocklist_holds(const char *host)
{
    bool found = false;
    pthread_rwlock_rdlock(&lock);
    for (const char *at = host; at && !found; at = strchr(at, '.')) {
        at += *at == '.';
        found = current.count && bsearch(&at, current.domains, current.count, sizeof *current.domains, compare);
    }
    pthread_rwlock_unlock(&lock);
    return found;
}
