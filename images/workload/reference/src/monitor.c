/* dots-family-monitor: runs as the watched user, and tells the daemon which programs of that user run. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "common.h"

#define PROCESSES_MOST 256
#define CALL_MICROSECONDS 3000000

struct monitor {
    sd_bus *bus;
    char name[64];
    uid_t uid;
    bool heard; /* whether the daemon took the last report: only changes are logged */
};

static bool read_file(const char *pid, const char *file, char *into, size_t size)
{
    char path[288];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor < 0 ? -1 : read(descriptor, into, size - 1);
    if (descriptor >= 0)
        close(descriptor);
    if (length <= 0)
        return false;
    into[length] = 0;
    return true;
}

/* /proc/PID/stat: the name stands in parentheses and may itself hold blanks and parentheses. */
static bool add_process(struct text *report, const char *pid, bool first)
{
    char line[1024];
    unsigned long user, system;
    long pages;
    if (!read_file(pid, "stat", line, sizeof line))
        return false; /* it has ended meanwhile */
    char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (!open || !close || close < open)
        return false;
    if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld", &user,
               &system, &pages) != 3)
        return false;
    *close = 0;
    text_add(report, "%s{\"pid\": %s, \"comm\": ", first ? "" : ", ", pid);
    text_add_json(report, open + 1);
    text_add(report, ", \"cpu_ms\": %lu, \"rss_kb\": %ld}", (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK),
             pages * (sysconf(_SC_PAGESIZE) / 1024));
    return true;
}

static void describe(const struct monitor *monitor, struct text *report)
{
    text_add(report, "{\"monitor\": ");
    text_add_json(report, monitor->name);
    text_add(report, ", \"uid\": %u, \"at\": %.3f, \"processes\": [", monitor->uid, wall_seconds());
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    unsigned count = 0;
    while (folder && count < PROCESSES_MOST && (entry = readdir(folder))) {
        struct stat state;
        if (!isdigit((unsigned char)*entry->d_name))
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &state, 0) == 0 && state.st_uid == monitor->uid)
            count += add_process(report, entry->d_name, count == 0);
    }
    if (folder)
        closedir(folder);
    text_add(report, "]}");
}

static int call(struct monitor *monitor, const char *member, const char *argument, sd_bus_error *error)
{
    sd_bus_message *message = NULL, *reply = NULL;
    int result = sd_bus_message_new_method_call(monitor->bus, &message, BUS_NAME, BUS_PATH, BUS_INTERFACE, member);
    if (result >= 0)
        result = sd_bus_message_set_auto_start(message, 0); /* a daemon that was stopped stays stopped */
    if (result >= 0)
        result = sd_bus_message_append(message, "s", argument);
    if (result >= 0)
        result = sd_bus_call(monitor->bus, message, CALL_MICROSECONDS, error, &reply);
    sd_bus_message_unref(message);
    sd_bus_message_unref(reply);
    return result;
}

static void report(struct monitor *monitor)
{
    struct text text = {0};
    sd_bus_error error = SD_BUS_ERROR_NULL;
    describe(monitor, &text);
    int result = text.bytes ? 0 : -ENOMEM;
    if (result >= 0 && !monitor->bus)
        result = sd_bus_open_system(&monitor->bus);
    if (result >= 0)
        result = call(monitor, "SendHeartbeat", monitor->name, &error);
    if (result >= 0)
        result = call(monitor, "ReportActivity", text.bytes, &error);
    free(text.bytes);
    if (result >= 0 && !monitor->heard) {
        say(LOG_NOTICE, "the daemon takes the reports of %s", monitor->name);
        sd_notify(0, "STATUS=Reporting to the daemon");
    } else if (result < 0 && monitor->heard) {
        say(LOG_WARNING, "the daemon does not take reports: %s", error.message ? error.message : strerror(-result));
        sd_notify(0, "STATUS=The daemon does not take reports; trying again");
    }
    monitor->heard = result >= 0;
    sd_bus_error_free(&error);
    if (monitor->bus && sd_bus_is_open(monitor->bus) <= 0) /* the bus itself went away */
        monitor->bus = sd_bus_close_unref(monitor->bus);
}

int main(int count, char **arguments)
{
    if (count > 1) {
        fprintf(stderr, "%s takes no arguments: it watches the user that it runs as\n", arguments[0]);
        return 2;
    }
    struct monitor monitor = {.uid = getuid(), .heard = true};
    const struct passwd *entry = getpwuid(monitor.uid);
    if (!entry) {
        say(LOG_ERR, "uid %u has no name", monitor.uid);
        return EXIT_FAILURE;
    }
    snprintf(monitor.name, sizeof monitor.name, "%s", entry->pw_name);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    struct timespec pause = {.tv_sec = setting_number("MONITOR_SECONDS", 10, 1, 3600)};
    say(LOG_NOTICE, "watching %s", monitor.name);
    sd_notify(0, "READY=1");
    int number;
    do { /* SIGHUP: report at once */
        report(&monitor);
        number = sigtimedwait(&signals, NULL, &pause);
    } while (number != SIGTERM && number != SIGINT);
    sd_notify(0, "STOPPING=1");
    sd_bus_flush_close_unref(monitor.bus);
    return EXIT_SUCCESS;
}
