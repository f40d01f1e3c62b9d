/* dots-family-ctl: the family's command line. 0 done; 1 "no" or unhealthy; 2 wrong words; 3 no daemon; 4 refused. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "common.h"

enum { DONE = 0, NO = 1, WRONG_WORDS = 2, NO_DAEMON = 3, REFUSED = 4 };

static const char HELP[] =
    "dots-family-ctl COMMAND\n"
    "\n"
    "  status                                 what the kernel and the daemon say; 1 if the daemon is not healthy\n"
    "  check APPLICATION                      whether you may run it now; 1 if not\n"
    "  time                                   minutes that are left for you today\n"
    "  request APPLICATION REASON             ask a parent for permission\n"
    "  profile list | show                    all profiles (parents) | your own active one\n"
    "  profile create NAME AGE-GROUP USER     age group as in 8-12\n"
    "  profile set-active NAME\n"
    "  rule set USER APPLICATION allow|deny   a denied program is killed as it starts\n"
    "  session lock USER                      until a profile of that user is made active\n"
    "  authenticate                           reads the parents' password from standard input\n"
    "\n"
    "Exit status: 0 done, 1 the answer is no, 2 wrong words, 3 the daemon does not answer, 4 it refused.\n";

static int problem(const sd_bus_error *error, int result)
{
    static const char *const away[] = {SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                       SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT, SD_BUS_ERROR_DISCONNECTED};
    bool missing = !sd_bus_error_is_set(error) || strncmp(error->name, "org.freedesktop.systemd1.", 25) == 0 ||
                   strncmp(error->name, "org.freedesktop.DBus.Error.Spawn", 32) == 0;
    for (size_t at = 0; at < sizeof away / sizeof *away; at++)
        missing = missing || sd_bus_error_has_name(error, away[at]);
    fprintf(stderr, "dots-family-ctl: %s: %s\n", missing ? "the daemon does not answer" : "refused",
            error->message ? error->message : strerror(-result));
    return missing ? NO_DAEMON : REFUSED;
}

/* Calls `member`; on success the reply stands in *reply. Returns an exit status. */
static int ask(sd_bus *bus, const char *member, sd_bus_message **reply, const char *types, ...)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *message = NULL;
    va_list arguments;
    va_start(arguments, types);
    int result = sd_bus_message_new_method_call(bus, &message, BUS_NAME, BUS_PATH, BUS_INTERFACE, member);
    if (result >= 0)
        result = sd_bus_message_appendv(message, types, arguments);
    va_end(arguments);
    if (result >= 0)
        result = sd_bus_call(bus, message, 0, &error, reply);
    int status = result < 0 ? problem(&error, result) : DONE;
    sd_bus_message_unref(message);
    sd_bus_error_free(&error);
    return status;
}

/* The reply is passed by its place: it is not there yet while the arguments of the call are put together. */
static int print_text(int status, sd_bus_message **reply)
{
    const char *text;
    if (status == DONE && sd_bus_message_read(*reply, "s", &text) >= 0)
        puts(text);
    return status;
}

static int yes_or_no(int status, sd_bus_message **reply, const char *yes, const char *no)
{
    int answer;
    if (status != DONE)
        return status;
    if (sd_bus_message_read(*reply, "b", &answer) < 0)
        return REFUSED;
    puts(answer ? yes : no);
    return answer ? DONE : NO;
}

static int show_status(sd_bus *bus, sd_bus_message **reply)
{
    uint32_t programs;
    int healthy;
    const char *text;
    int status = ask(bus, "GetEbpfStatus", reply, "");
    if (status != DONE)
        return status;
    if (sd_bus_message_read(*reply, "ubs", &programs, &healthy, &text) < 0)
        return REFUSED;
    printf("%s\nprograms: %u\nebpf: %s\n", healthy ? "healthy" : "NOT HEALTHY", programs, text);
    *reply = sd_bus_message_unref(*reply);
    status = ask(bus, "GetMonitoringSnapshot", reply, "");
    if (status != DONE)
        return status;
    if (sd_bus_message_read(*reply, "s", &text) >= 0)
        printf("snapshot: %s\n", text);
    return healthy ? DONE : NO;
}

static int authenticate(sd_bus *bus, sd_bus_message **reply)
{
    char line[512];
    if (!fgets(line, sizeof line, stdin)) {
        fputs("dots-family-ctl: authenticate: no password on standard input\n", stderr);
        return WRONG_WORDS;
    }
    line[strcspn(line, "\n")] = 0;
    int status = print_text(ask(bus, "AuthenticateParent", reply, "s", line), reply);
    explicit_bzero(line, sizeof line);
    return status;
}

/* WRONG_WORDS where the words are none of ours. */
static int obey(sd_bus *bus, int count, char **words, sd_bus_message **reply)
{
#define SAID(at, word) (count > (at) && strcmp(words[at], (word)) == 0)
    if (count == 1 && SAID(0, "status"))
        return show_status(bus, reply);
    if (count == 2 && SAID(0, "check"))
        return yes_or_no(ask(bus, "CheckApplicationAllowed", reply, "s", words[1]), reply, "allowed", "not allowed");
    if (count == 1 && SAID(0, "time")) {
        uint32_t minutes;
        int status = ask(bus, "GetRemainingTime", reply, "");
        if (status == DONE && sd_bus_message_read(*reply, "u", &minutes) >= 0)
            printf("%u\n", minutes);
        return status;
    }
    if (count == 3 && SAID(0, "request"))
        return print_text(ask(bus, "RequestParentPermission", reply, "ss", words[1], words[2]), reply);
    if (count == 2 && SAID(0, "profile") && SAID(1, "list"))
        return print_text(ask(bus, "ListProfiles", reply, ""), reply);
    if (count == 2 && SAID(0, "profile") && SAID(1, "show"))
        return print_text(ask(bus, "GetActiveProfile", reply, ""), reply);
    if (count == 5 && SAID(0, "profile") && SAID(1, "create"))
        return print_text(ask(bus, "CreateProfile", reply, "sss", words[2], words[3], words[4]), reply);
    if (count == 3 && SAID(0, "profile") && SAID(1, "set-active"))
        return yes_or_no(ask(bus, "SetActiveProfile", reply, "s", words[2]), reply, "active", "not active");
    if (count == 5 && SAID(0, "rule") && SAID(1, "set") && (SAID(4, "allow") || SAID(4, "deny")))
        return yes_or_no(ask(bus, "SetApplicationRule", reply, "ssb", words[2], words[3], (int)SAID(4, "allow")), reply,
                         "in force", "not in force");
    if (count == 3 && SAID(0, "session") && SAID(1, "lock"))
        return yes_or_no(ask(bus, "LockSession", reply, "s", words[2]), reply, "locked", "not locked");
    if (count == 1 && SAID(0, "authenticate"))
        return authenticate(bus, reply);
    fputs("dots-family-ctl: no such command; --help lists all\n", stderr);
    return WRONG_WORDS;
#undef SAID
}

int main(int count, char **arguments)
{
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(HELP, stdout);
        return DONE;
    }
    if (count < 2) {
        fputs(HELP, stderr);
        return WRONG_WORDS;
    }
    sd_bus *bus = NULL;
    sd_bus_message *reply = NULL;
    int result = sd_bus_open_system(&bus);
    if (result < 0) {
        fprintf(stderr, "dots-family-ctl: no system bus: %s\n", strerror(-result));
        return NO_DAEMON;
    }
    int status = obey(bus, count - 1, arguments + 1, &reply);
    sd_bus_message_unref(reply);
    sd_bus_flush_close_unref(bus);
    return status;
}
