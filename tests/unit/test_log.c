/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

/* Standard error, while a test writes to it. */
struct captured {
    int pipe[2];
    int saved;
};

static void capture(struct captured *captured)
{
    assert_int_equal(pipe2(captured->pipe, O_CLOEXEC), 0);
    captured->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_int_equal(dup2(captured->pipe[1], STDERR_FILENO), STDERR_FILENO);
}

/* What was written: less than a pipe holds. */
static void captured_text(struct captured *captured, char *out, size_t size)
{
    ssize_t got;

    assert_int_equal(dup2(captured->saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(captured->saved);
    (void)close(captured->pipe[1]);
    got = read(captured->pipe[0], out, size - 1);
    (void)close(captured->pipe[0]);
    assert_true(got >= 0);
    out[got] = '\0';
}

static unsigned evaluated;

static const char *evaluate(void)
{
    evaluated++;
    return "word";
}

static void log_one_of_each(void)
{
    log_error("e %s", "word");
    log_warning("w %s", "word");
    log_info("i %s", "word");
    log_debug("d %s", evaluate());
}

static void a_level_shows_itself_and_what_is_worse(void **state)
{
    static const char *const lines[] = {"berth: error: e word\n", "berth: warning: w word\n",
                                        "berth: i word\n"};

    (void)state;
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        struct captured captured;
        AUTO_BUFFER struct buffer expected = BUFFER_INIT;
        char text[1024];

        for (int i = 0; i <= level; i++) {
            if (i == LOG_LEVEL_DEBUG) {
                buffer_format(&expected, "berth: debug: [%ld] d word\n", (long)getpid());
            } else {
                buffer_add_text(&expected, lines[i]);
            }
        }
        evaluated = 0;
        log_set_level((enum log_level)level);
        capture(&captured);
        log_one_of_each();
        captured_text(&captured, text, sizeof(text));
        log_set_level(LOG_LEVEL_INFO);
        assert_string_equal(text, expected.data);
        assert_int_equal(evaluated, level == LOG_LEVEL_DEBUG);
    }
}

static void info_is_the_level_that_nobody_chose(void **state)
{
    (void)state;
    assert_true(log_has_level(LOG_LEVEL_INFO));
    assert_false(log_has_level(LOG_LEVEL_DEBUG));
}

static void a_line_cannot_be_forged(void **state)
{
    struct captured captured;
    char text[1024];

    (void)state;
    capture(&captured);
    log_info("a%s", "\nberth: error: b\r\033[31m\x9b"
                    "c\t\x7f");
    captured_text(&captured, text, sizeof(text));
    assert_string_equal(text, "berth: a?berth: error: b??[31m?c??\n");
}

static void words_of_any_language_stay_what_they_are(void **state)
{
    struct captured captured;
    char text[1024];

    (void)state;
    capture(&captured);
    log_info("\xc3\x80 \xe5\x80\x80 %s", "\xc2\x9b \xe2\x80\xae \xff");
    captured_text(&captured, text, sizeof(text));
    assert_string_equal(text, "berth: \xc3\x80 \xe5\x80\x80 ?? ??? ?\n");
}

static void a_long_line_is_cut_and_ends(void **state)
{
    struct captured captured;
    AUTO_BUFFER struct buffer word = BUFFER_INIT;
    char text[8192];

    (void)state;
    for (int i = 0; i < 6000; i++) {
        buffer_add_text(&word, "x");
    }
    capture(&captured);
    log_info("%s", word.data);
    captured_text(&captured, text, sizeof(text));
    assert_true(strlen(text) < 4096);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_int_equal(text[strlen(text) - 2], 'x');
}

static void the_journal_is_told_the_priority(void **state)
{
    struct captured captured;
    char text[1024];

    (void)state;
    assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
    capture(&captured);
    errno = ENOSPC;
    log_error("full");
    assert_int_equal(errno, ENOSPC);
    captured_text(&captured, text, sizeof(text));
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    assert_string_equal(text, "<3>berth: error: full\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_is_the_level_that_nobody_chose),
        cmocka_unit_test(a_level_shows_itself_and_what_is_worse),
        cmocka_unit_test(a_line_cannot_be_forged),
        cmocka_unit_test(words_of_any_language_stay_what_they_are),
        cmocka_unit_test(a_long_line_is_cut_and_ends),
        cmocka_unit_test(the_journal_is_told_the_priority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
