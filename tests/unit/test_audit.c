/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/observe/audit.h"

static void write_line(const char *path, const char *subject)
{
    struct audit_options options = {.file = (char *)path};
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    assert_true(audit_is_wanted(&options));
    audit_begin(&line, "push");
    audit_text(&line, "subject", subject);
    audit_text(&line, "nothing", "");
    audit_text(&line, "none", NULL);
    audit_number(&line, "status", 201);
    audit_end(&line, &options);
}

static void read_all(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_true(fread(out, 1, size - 1, file) > 0);
    (void)fclose(file);
}

/* Behind the date, which is as long each time. */
static void lines_are_added_at_the_end(void **state)
{
    static const char rest[] =
        "\"event\":\"push\",\"subject\":\"alice\",\"status\":201}\n{\"time\":\"";
    struct fixture *fixture = *state;
    char path[256];
    char content[512] = "";
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/audit.log", fixture->path);
    write_line(path, "alice");
    write_line(path, "bob");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0027, 0);
    read_all(path, content, sizeof(content));
    assert_int_equal(strncmp(content, "{\"time\":\"", 9), 0);
    assert_int_equal(strncmp(content + 9 + 24, "\",", 2), 0);
    assert_int_equal(strncmp(content + 9 + 26, rest, strlen(rest)), 0);
    assert_non_null(strstr(content, "\"subject\":\"bob\",\"status\":201}\n"));
}

/* A write that the disk had no room for, by whichever process. */
static void what_was_cut_short_spoils_no_other_line(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    char content[512] = "";

    (void)snprintf(path, sizeof(path), "%s/audit.log", fixture->path);
    put_file(fixture->directory, "audit.log", "{\"time\":\"2026");
    write_line(path, "alice");
    read_all(path, content, sizeof(content));
    assert_non_null(strstr(content, "{\"time\":\"2026\n{\"time\":\""));
}

static int write_into_a_pipe(struct fixture *fixture)
{
    char path[256];

    (void)alarm(20); /* which ends who waits for its reader */
    (void)snprintf(path, sizeof(path), "%s/audit.log", fixture->path);
    EXPECT(mkfifo(path, 0600) == 0);
    write_line(path, "alice");
    return 0;
}

static void nobody_waits_for_the_reader_of_a_pipe(void **state)
{
    run_in_child(write_into_a_pipe, *state);
}

static int talk_to_a_daemon(struct fixture *fixture)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    struct audit_options options = {.syslog = true};
    char told[4096] = "";
    int daemon = socket(AF_UNIX, SOCK_DGRAM, 0);
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)fixture;
    (void)dup2(quiet, STDERR_FILENO); /* which says what is lost */
    EXPECT(mount_small("/dev", "64k"));
    EXPECT(bind(daemon, (const struct sockaddr *)&address, sizeof(address)) == 0);
    (void)alarm(60); /* which ends who waits for the daemon */
    for (int i = 0; i < 600; i++) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT;

        audit_begin(&line, "push");
        audit_text(&line, "subject", "alice\n<0>root");
        audit_end(&line, &options); /* nobody reads, and soon there is no room */
    }
    EXPECT(recv(daemon, told, sizeof(told) - 1, MSG_DONTWAIT) > 0);
    EXPECT(strncmp(told, "<85>", 4) == 0);
    EXPECT(strstr(told, " berth[") && strstr(told, "]: {\"time\":\""));
    EXPECT(strstr(told, "\"event\":\"push\",\"subject\":\"alice?<0>root\"}"));
    EXPECT(!strchr(told, '\n'));
    return 0;
}

static void a_syslog_that_hangs_keeps_nobody(void **state)
{
    run_in_child(talk_to_a_daemon, *state);
}

static void a_text_is_cut_and_cleaned(void **state)
{
    char text[2000];
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    (void)state;
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "\n\x1b\xff", 3);
    audit_begin(&line, "refused");
    audit_text(&line, "agent", text);
    assert_non_null(strstr(line.data, "\"agent\":\"???\\\"\\\""));
    assert_null(strchr(line.data, '\n'));
    assert_in_range(line.length, 2 * (AUDIT_TEXT - 3), 2 * AUDIT_TEXT + 100);
}

static void nobody_wants_what_goes_nowhere(void **state)
{
    (void)state;
    assert_false(audit_is_wanted(&(struct audit_options){.file = NULL}));
    assert_false(audit_is_wanted(&(struct audit_options){.file = TEXT("")}));
    assert_true(audit_is_wanted(&(struct audit_options){.syslog = true}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(lines_are_added_at_the_end),
        IN_DIRECTORY(what_was_cut_short_spoils_no_other_line),
        IN_DIRECTORY(nobody_waits_for_the_reader_of_a_pipe),
        IN_DIRECTORY(a_syslog_that_hangs_keeps_nobody),
        cmocka_unit_test(a_text_is_cut_and_cleaned),
        cmocka_unit_test(nobody_wants_what_goes_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
