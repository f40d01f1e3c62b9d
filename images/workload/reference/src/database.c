#include "database.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"

static const char SCHEMA[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "PRAGMA foreign_keys=ON;"
    "CREATE TABLE IF NOT EXISTS exec_events (id INTEGER PRIMARY KEY, at REAL NOT NULL, pid INTEGER NOT NULL,"
    " uid INTEGER NOT NULL, comm TEXT NOT NULL, denied INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS profiles (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age_group TEXT NOT NULL,"
    " user TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL);"
    "CREATE TABLE IF NOT EXISTS rules (user TEXT NOT NULL, application TEXT NOT NULL, allowed INTEGER NOT NULL,"
    " PRIMARY KEY (user, application));"
    "CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, at REAL NOT NULL, uid INTEGER NOT NULL,"
    " application TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending');"
    "CREATE TABLE IF NOT EXISTS activity (id INTEGER PRIMARY KEY, at REAL NOT NULL, uid INTEGER NOT NULL,"
    " report TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS heartbeats (monitor TEXT PRIMARY KEY, at REAL NOT NULL, uid INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS usage (user TEXT NOT NULL, day TEXT NOT NULL, seconds REAL NOT NULL,"
    " PRIMARY KEY (user, day));"
    "CREATE TABLE IF NOT EXISTS locks (user TEXT PRIMARY KEY, at REAL NOT NULL, uid INTEGER NOT NULL);";

static bool complain(const struct database *database, const char *what)
{
    say(LOG_ERR, "database %s: %s: %s", database->path, what, sqlite3_errmsg(database->handle));
    return false;
}

bool database_open(struct database *database, const char *path)
{
    memset(database, 0, sizeof *database);
    snprintf(database->path, sizeof database->path, "%s", path);
    if (sqlite3_open_v2(path, &database->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        goto failed;
    sqlite3_busy_timeout(database->handle, 2000);
    if (sqlite3_exec(database->handle, SCHEMA, NULL, NULL, NULL) != SQLITE_OK)
        goto failed;
    if (sqlite3_prepare_v3(database->handle,
                           "INSERT INTO exec_events (at, pid, uid, comm, denied) VALUES (?, ?, ?, ?, ?)", -1,
                           SQLITE_PREPARE_PERSISTENT, &database->insert_exec, NULL) != SQLITE_OK)
        goto failed;
    return true;
failed:
    complain(database, "open");
    database_close(database);
    return false;
}

void database_close(struct database *database)
{
    sqlite3_finalize(database->insert_exec);
    sqlite3_close(database->handle);
    database->insert_exec = NULL;
    database->handle = NULL;
}

static bool insert(struct database *database, const struct exec_record *record)
{
    sqlite3_stmt *row = database->insert_exec;
    sqlite3_bind_double(row, 1, record->at);
    sqlite3_bind_int64(row, 2, record->pid);
    sqlite3_bind_int64(row, 3, record->uid);
    sqlite3_bind_text(row, 4, record->comm, -1, SQLITE_STATIC);
    sqlite3_bind_int(row, 5, record->denied);
    bool done = sqlite3_step(row) == SQLITE_DONE;
    sqlite3_reset(row);
    return done;
}

bool database_record(struct database *database, const struct exec_record *records, size_t count)
{
    if (sqlite3_exec(database->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return complain(database, "begin");
    for (size_t at = 0; at < count; at++)
        if (!insert(database, &records[at])) {
            complain(database, "record exec event");
            sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    if (sqlite3_exec(database->handle, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        complain(database, "commit");
        sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
        return false;
    }
    return true;
}

void database_maintain(struct database *database, long keep)
{
    database_run(database, "DELETE FROM exec_events WHERE id <= (SELECT max(id) FROM exec_events) - ?", "i",
                 (int64_t)keep);
    database_run(database, "DELETE FROM activity WHERE id <= (SELECT max(id) FROM activity) - ?", "i", (int64_t)keep);
    database_run(database, "DELETE FROM usage WHERE day < date('now', '-90 days')", "");
    if (sqlite3_exec(database->handle, "PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);", NULL, NULL, NULL))
        complain(database, "checkpoint");
}

static int64_t size_of(const char *path, const char *ending)
{
    char name[600];
    struct stat state;
    snprintf(name, sizeof name, "%s%s", path, ending);
    return stat(name, &state) == 0 ? (int64_t)state.st_size : 0;
}

int64_t database_bytes(const struct database *database)
{
    return size_of(database->path, "") + size_of(database->path, "-wal");
}

static sqlite3_stmt *prepare(struct database *database, const char *sql, const char *format, va_list arguments)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(database->handle, sql, -1, &row, NULL) != SQLITE_OK) {
        complain(database, sql);
        return NULL;
    }
    for (int at = 1; *format; format++, at++) {
        if (*format == 's') {
            const char *value = va_arg(arguments, const char *);
            sqlite3_bind_text(row, at, value, -1, SQLITE_TRANSIENT);
        } else if (*format == 'i') {
            sqlite3_bind_int64(row, at, va_arg(arguments, int64_t));
        } else {
            sqlite3_bind_double(row, at, va_arg(arguments, double));
        }
    }
    return row;
}

bool database_run(struct database *database, const char *sql, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *row = prepare(database, sql, format, arguments);
    va_end(arguments);
    int status;
    do
        status = row ? sqlite3_step(row) : SQLITE_ERROR;
    while (status == SQLITE_ROW);
    if (row && status != SQLITE_DONE)
        complain(database, sql);
    sqlite3_finalize(row);
    return status == SQLITE_DONE;
}

int64_t database_number(struct database *database, int64_t fallback, const char *sql, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *row = prepare(database, sql, format, arguments);
    va_end(arguments);
    if (row && sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL)
        fallback = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return fallback;
}

char *database_text(struct database *database, const char *sql, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *row = prepare(database, sql, format, arguments);
    va_end(arguments);
    char *text = NULL;
    if (row && sqlite3_step(row) == SQLITE_ROW && sqlite3_column_text(row, 0))
        text = strdup((const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    return text;
}

bool database_each(struct database *database, database_row handler, void *context, const char *sql)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(database->handle, sql, -1, &row, NULL) != SQLITE_OK)
        return complain(database, sql);
    int status;
    while ((status = sqlite3_step(row)) == SQLITE_ROW)
        handler(row, context);
    sqlite3_finalize(row);
    return status == SQLITE_DONE || complain(database, sql);
}

int database_changes(const struct database *database)
{
    return sqlite3_changes(database->handle);
}
