/* The family's SQLite database (WAL). Every function logs what SQLite says when it fails. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "ebpf.h"

struct database {
    sqlite3 *handle;
    sqlite3_stmt *insert_exec;
    char path[512];
};

/* An exec event with its wall-clock time, in seconds since the epoch. */
struct exec_record {
    double at;
    uint32_t pid, uid;
    bool denied;
    char comm[COMM_LENGTH];
};

bool database_open(struct database *database, const char *path); /* makes the schema where it is missing */
void database_close(struct database *database);
bool database_record(struct database *database, const struct exec_record *records, size_t count); /* one transaction */
void database_maintain(struct database *database, long keep); /* trims to `keep` exec events, empties the WAL */
int64_t database_bytes(const struct database *database);

/* `format` names one letter per argument: s text (NULL is NULL), i int64_t, d double. */
bool database_run(struct database *database, const char *sql, const char *format, ...);
int64_t database_number(struct database *database, int64_t fallback, const char *sql, const char *format, ...);
char *database_text(struct database *database, const char *sql, const char *format, ...); /* free it; NULL: no row */
typedef void (*database_row)(sqlite3_stmt *row, void *context);
bool database_each(struct database *database, database_row handler, void *context, const char *sql);
int database_changes(const struct database *database); /* rows that the last change touched */
