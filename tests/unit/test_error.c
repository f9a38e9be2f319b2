/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"

static void setting_one_takes_one_line(void **state)
{
    struct error error = ERROR_INIT;

    (void)state;
    assert_int_equal(error.code, ERROR_NONE);
    assert_int_equal(error_set(&error, ERROR_BLOB_UNKNOWN, "no '%s' of %d", "x", 3), -1);
    assert_int_equal(error.code, ERROR_BLOB_UNKNOWN);
    assert_string_equal(error.message, "no 'x' of 3");
}

static void errno_decides_between_a_full_disk_and_the_rest(void **state)
{
    static const struct {
        int number;
        enum error_code code;
        const char *message;
    } rows[] = {
        {ENOSPC, ERROR_NO_SPACE, "open 'a': No space left on device"},
        {EROFS, ERROR_NO_SPACE, "open 'a': Read-only file system"},
        {EDQUOT, ERROR_NO_SPACE, "open 'a': Disk quota exceeded"},
        {EACCES, ERROR_INTERNAL, "open 'a': Permission denied"},
        {EIO, ERROR_INTERNAL, "open 'a': Input/output error"},
        {EFBIG, ERROR_INTERNAL, "open 'a': File too large"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error error = ERROR_INIT;

        errno = rows[i].number;
        assert_int_equal(error_errno(&error, "open '%s'", "a"), -1);
        assert_int_equal(error.code, rows[i].code);
        assert_string_equal(error.message, rows[i].message);
    }
}

/* A path as long as paths may be, with an end that can be told from its beginning. */
static void make_long_path(char path[4096], char begin, char end)
{
    memset(path, 'p', 4095);
    path[0] = begin;
    path[4094] = end;
    path[4095] = '\0';
}

static void long_paths_lose_their_middle_and_messages_keep_their_ends(void **state)
{
    struct error error = ERROR_INIT;
    char one[4096];
    char other[4096];

    (void)state;
    make_long_path(one, 'A', 'B');
    make_long_path(other, 'C', 'D');
    (void)error_set(&error, ERROR_INTERNAL, "%s", one);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
    assert_true(error.message[0] == 'A' && error.message[sizeof(error.message) - 2] == 'B');
    (void)error_set(&error, ERROR_INTERNAL,
                    "a file cannot be moved between the two of '%s' and '%s': put both below one "
                    "mount point",
                    one, other);
    assert_true(strlen(error.message) < sizeof(error.message));
    assert_int_equal(strncmp(error.message, "a file cannot be moved between the two of 'Ap", 45),
                     0);
    assert_non_null(strstr(error.message, "pB' and 'Cp"));
    assert_non_null(strstr(error.message, "pD': put both below one mount point"));
    errno = EACCES;
    (void)error_errno(&error, "open '%s'", one);
    assert_true(strlen(error.message) < sizeof(error.message));
    assert_int_equal(strncmp(error.message, "open 'Ap", 8), 0);
    assert_non_null(strstr(error.message, "...p"));
    assert_non_null(strstr(error.message, "pB': Permission denied"));
    assert_int_equal(errno, EACCES);
    /* Words alone: nothing is left but to say that there was more. */
    memset(one, ' ', 4095);
    (void)error_set(&error, ERROR_INTERNAL, "%s", one);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
    assert_string_equal(error.message + sizeof(error.message) - 4, "...");
}

/* What a function writes to standard error. */
static void capture(void (*write_lines)(void), struct buffer *out)
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    char piece[8192];
    ssize_t got;

    assert_true(saved >= 0);
    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    (void)close(ends[1]);
    write_lines();
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    while ((got = read(ends[0], piece, sizeof(piece))) > 0) {
        buffer_add(out, piece, (size_t)got);
    }
    (void)close(ends[0]);
}

static void write_three(void)
{
    errno = EIO;
    log_error("e %d", 1);
    log_warning("w %s", "2");
    log_info("i");
    assert_int_equal(errno, EIO);
}

static void an_event_is_a_line(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    (void)unsetenv("JOURNAL_STREAM");
    capture(write_three, &out);
    assert_string_equal(out.data, "berth: error: e 1\nberth: warning: w 2\nberth: i\n");
}

static void lines_have_a_priority_under_systemd(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    (void)setenv("JOURNAL_STREAM", "8:1", 1);
    capture(write_three, &out);
    (void)unsetenv("JOURNAL_STREAM");
    assert_string_equal(out.data, "<3>berth: error: e 1\n<4>berth: warning: w 2\n<6>berth: i\n");
}

static void write_attack(void)
{
    log_info("%s", "/v2/\nberth: error: forged\r\x1b[31m\t\x7f \x9b"
                   "2J \xc3\xa4");
}

static void controls_can_forge_nothing(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    capture(write_attack, &out);
    assert_string_equal(out.data, "berth: /v2/?berth: error: forged??[31m?? ?2J \xc3\xa4\n");
}

static size_t attempted_length;

static void write_long(void)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    memset(buffer_reserve(&text, attempted_length), 'y', attempted_length);
    buffer_added(&text, attempted_length);
    log_info("%s", text.data);
}

static void long_lines_are_cut_and_still_end(void **state)
{
    /* Around the limit of 4096 bytes, and far above it. */
    (void)state;
    for (attempted_length = 4080; attempted_length < 20000;
         attempted_length += attempted_length < 4100 ? 1 : 5000) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        capture(write_long, &out);
        assert_true(out.length <= 4096);
        assert_int_equal(out.data[out.length - 1], '\n');
        assert_int_equal(strlen(out.data), out.length);
        assert_true(strspn(out.data + 7, "y") == out.length - 8);
        assert_true(out.length >= 4000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_one_takes_one_line),
        cmocka_unit_test(errno_decides_between_a_full_disk_and_the_rest),
        cmocka_unit_test(long_paths_lose_their_middle_and_messages_keep_their_ends),
        cmocka_unit_test(an_event_is_a_line),
        cmocka_unit_test(lines_have_a_priority_under_systemd),
        cmocka_unit_test(controls_can_forge_nothing),
        cmocka_unit_test(long_lines_are_cut_and_still_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
