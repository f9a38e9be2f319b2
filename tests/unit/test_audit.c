/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* Behind the date, which is as long each time. */
static void lines_are_added_at_the_end(void **state)
{
    static const char rest[] =
        "\"event\":\"push\",\"subject\":\"alice\",\"status\":201}\n{\"time\":\"";
    struct fixture *fixture = *state;
    char path[256];
    char content[512] = "";
    struct stat status;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/audit.log", fixture->path);
    write_line(path, "alice");
    write_line(path, "bob");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0027, 0);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(content, 1, sizeof(content) - 1, file) > 0);
    (void)fclose(file);
    assert_int_equal(strncmp(content, "{\"time\":\"", 9), 0);
    assert_int_equal(strncmp(content + 9 + 24, "\",", 2), 0);
    assert_int_equal(strncmp(content + 9 + 26, rest, strlen(rest)), 0);
    assert_non_null(strstr(content, "\"subject\":\"bob\",\"status\":201}\n"));
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
        cmocka_unit_test(a_text_is_cut_and_cleaned),
        cmocka_unit_test(nobody_wants_what_goes_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
