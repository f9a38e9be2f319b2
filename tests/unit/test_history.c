/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/store/history.h"
#include "lib/store/tag.h"
#include "tests/unit/trace.h"

enum { HUGE_LIMIT = 100000 };

static struct path file_of(const char *tag)
{
    return layout_history("team/app", tag);
}

static void add(struct fixture *fixture, enum history_event event, const char *author,
                const char *content)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct digest digest = sha256(content);

    history_add(&lock, "v1", event, author, &digest);
}

/* "EVENT AUTHOR CONTENT" of each, the newest first; contents are one of `contents`. */
static void read_as_text(struct fixture *fixture, size_t limit, struct buffer *out)
{
    static const char *const contents[] = {"first", "second", "third"};
    AUTO_HISTORY struct history history = HISTORY_INIT;
    struct error error = ERROR_INIT;

    assert_true(history_read(&fixture->repository, "v1", limit, &history, &error) >= 0);
    for (size_t i = 0; i < history.count; i++) {
        const struct history_entry *entry = &history.entries[i];
        const char *content = "?";

        for (size_t j = 0; j < COUNT(contents); j++) {
            struct digest digest = sha256(contents[j]);

            content = digest_equal(&digest, &entry->digest) ? contents[j] : content;
        }
        buffer_format(out, "%s %s %s\n", history_event_word(entry->event),
                      entry->author ? entry->author : "(nobody knows)", content);
    }
}

static void assert_history(struct fixture *fixture, const char *expected)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    read_as_text(fixture, HUGE_LIMIT, &text);
    assert_string_equal(text.data, expected);
}

static void tells_the_newest_first(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    assert_history(fixture, "");
    add(fixture, HISTORY_PUSHED, "alice", "first");
    add(fixture, HISTORY_PUSHED, "", "second");
    add(fixture, HISTORY_PUT_BACK, "issuer/repo:a b%", "first");
    assert_history(fixture, "put-back issuer/repo:a b% first\npushed  second\n"
                            "pushed alice first\n");
    read_as_text(fixture, 1, &text);
    assert_string_equal(text.data, "put-back issuer/repo:a b% first\n");
}

static void an_entry_costs_no_sync_and_few_calls(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, HISTORY_PUSHED, "alice", "first");
    trace_begin();
    trace_looks();
    add(fixture, HISTORY_PUSHED, "alice", "second");
    (void)trace_end();
    assert_int_equal(trace_find("fsync ", "", 0), SIZE_MAX);
    assert_int_equal(trace_count(), 4); /* two for the lock, the file, the line */
}

/* As a power cut or a full disk may leave it. */
static void passes_over_what_it_cannot_read(void **state)
{
    static const char *const tails[] = {
        "\n17 pushed =bob sha256:0123",
        "\n17 pushed =bob",
        "\n17 eaten =bob %s\n",
        "\nx pushed =bob %s\n",
        "\n-1 pushed =bob %s\n",
        "\n17 pushed bob %s\n",
        "\n17 pushed =%%zz %s\n",
        "\n17 pushed =bob %s more\n",
        "\n17 pushed = bob %s\n",
        "\n\n\n",
        "garbage",
    };
    struct fixture *fixture = *state;
    struct digest second = sha256("second");

    for (size_t i = 0; i < COUNT(tails); i++) {
        AUTO_BUFFER struct buffer content = BUFFER_INIT;
        struct digest first = sha256("first");

        buffer_format(&content, "\n16 pushed =alice %s\n", first.text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buffer_format(&content, tails[i], second.text);
#pragma GCC diagnostic pop
        put_file(fixture->store.root, file_of("v1").text, content.data);
        assert_history(fixture, "pushed alice first\n");
        add(fixture, HISTORY_PUSHED, "carol", "third");
        assert_history(fixture, "pushed carol third\npushed alice first\n");
    }
    put_bytes(fixture->store.root, file_of("v1").text, "\0\0\0\0\n\0", 6);
    add(fixture, HISTORY_PUSHED, "carol", "third");
    assert_history(fixture, "pushed carol third\n");
}

static off_t size_of(struct fixture *fixture)
{
    struct stat status;

    assert_int_equal(fstatat(fixture->store.root, file_of("v1").text, &status, 0), 0);
    return status.st_size;
}

static void is_bounded_and_keeps_the_newest(void **state)
{
    struct fixture *fixture = *state;
    AUTO_HISTORY struct history history = HISTORY_INIT;
    struct error error = ERROR_INIT;
    off_t largest = 0;

    for (int i = 0; i < 3000; i++) {
        add(fixture, HISTORY_PUSHED, i == 2999 ? "last" : "alice", i % 2 ? "first" : "second");
        largest = size_of(fixture) > largest ? size_of(fixture) : largest;
    }
    assert_in_range(largest, HISTORY_SIZE, HISTORY_SIZE + 200);
    assert_returns(1, history_read(&fixture->repository, "v1", HUGE_LIMIT, &history, &error));
    assert_in_range(history.count, 250, 1000);
    assert_string_equal(history.entries[0].author, "last");
    for (size_t i = 1; i < history.count; i++) {
        assert_string_equal(history.entries[i].author, "alice");
    }
}

/* Whatever is in the way of a file of ours. */
static void a_push_does_not_fail_for_it(void **state)
{
    struct fixture *fixture = *state;

    put_file(fixture->store.root, layout_below(file_of("v1").text, "file").text, "");
    add(fixture, HISTORY_PUSHED, "alice", "first");
    assert_int_equal(
        unlinkat(fixture->store.root, layout_below(file_of("v1").text, "file").text, 0), 0);
    assert_int_equal(unlinkat(fixture->store.root, file_of("v1").text, AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("../../elsewhere", fixture->store.root, file_of("v1").text), 0);
    add(fixture, HISTORY_PUSHED, "alice", "first");
    assert_history(fixture, "");
}

static void tells_what_another_program_has_written(void **state)
{
    struct fixture *fixture = *state;
    struct digest first = sha256("first");
    struct digest second = sha256("second");
    struct digest third = sha256("third");

    put_file(fixture->store.root, layout_tag_history("team/app", "v1", &first).text, first.text);
    set_age(fixture->store.root, layout_tag_history("team/app", "v1", &first).text, 3600);
    put_file(fixture->store.root, layout_tag_history("team/app", "v1", &second).text, second.text);
    set_age(fixture->store.root, layout_tag_history("team/app", "v1", &second).text, 7200);
    add(fixture, HISTORY_PUSHED, "alice", "third");
    put_file(fixture->store.root, layout_tag_history("team/app", "v1", &third).text, third.text);
    assert_history(fixture, "pushed alice third\npushed (nobody knows) first\n"
                            "pushed (nobody knows) second\n");
}

/* A tag as push and deletion make it. */
static void change(struct fixture *fixture, const char *to, const char *author)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(&fixture->store);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct digest digest = sha256(to ? to : "");
    struct actor actor = {.name = author};
    struct tag_change tag_change = {.tag = "v1", .to = to ? &digest : NULL, .actor = &actor};
    struct error error = ERROR_INIT;

    fixture->damaged = true; /* tags of manifests that are not there */
    assert_returns(0, tag_judge(&lock, &tag_change, &error));
    if (to) {
        assert_returns(0, tag_set(&tag_change, &syncs, &error));
        tag_note(&tag_change, HISTORY_PUSHED);
    } else {
        assert_returns(1, tag_delete(&tag_change, &syncs, &error));
    }
    assert_returns(0, sync_set_flush(&syncs, &error));
}

static void goes_with_its_tag_and_on_with_the_next(void **state)
{
    struct fixture *fixture = *state;

    change(fixture, "first", "alice");
    change(fixture, NULL, "bob");
    assert_false(is_there(fixture->store.root, file_of("v1").text));
    assert_true(
        is_there(fixture->store.root, layout_trash(TRASH_DELETED, file_of("v1").text).text));
    assert_history(fixture, "deleted bob first\npushed alice first\n");
    change(fixture, "second", "carol");
    assert_false(
        is_there(fixture->store.root, layout_trash(TRASH_DELETED, file_of("v1").text).text));
    assert_history(fixture, "pushed carol second\ndeleted bob first\npushed alice first\n");
}

static time_t pushed_at(struct fixture *fixture)
{
    struct error error = ERROR_INIT;
    struct digest digest;
    time_t time = 0;

    assert_returns(1, tag_get_dated(&fixture->repository, "v1", &digest, &time, &error));
    return time;
}

static void assert_is_now(time_t time)
{
    assert_in_range(clock_date() - time, 0, 600);
}

static void a_push_is_dated_by_history_or_else_by_the_link(void **state)
{
    struct fixture *fixture = *state;
    struct path current = layout_tag_current("team/app", "v1");
    struct digest first = sha256("first");
    struct error error = ERROR_INIT;
    struct stat status;
    struct digest digest;
    time_t time;

    assert_returns(0, tag_get_dated(&fixture->repository, "v1", &digest, &time, &error));
    change(fixture, "first", "alice");
    change(fixture, "second", "alice");
    set_age(fixture->store.root, current.text, 7200);
    assert_is_now(pushed_at(fixture));
    put_file(fixture->store.root, current.text, first.text); /* another program moves it */
    set_age(fixture->store.root, current.text, 7200);
    assert_int_equal(fstatat(fixture->store.root, current.text, &status, 0), 0);
    assert_int_equal(pushed_at(fixture), status.st_mtime);
    assert_int_equal(unlinkat(fixture->store.root, file_of("v1").text, 0), 0);
    assert_int_equal(pushed_at(fixture), status.st_mtime);
}

static void a_restored_tag_keeps_the_date_of_its_push(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct digest first = sha256("first");

    change(fixture, "first", "alice");
    buffer_format(&content, "\n1000 pushed =a %s\n\n2000 deleted =a %s\n\n3000 restored =a %s\n",
                  first.text, first.text, first.text);
    put_file(fixture->store.root, file_of("v1").text, content.data);
    assert_int_equal(pushed_at(fixture), 1000);
    buffer_format(&content, "\n4000 deleted =a %s\n", first.text);
    put_file(fixture->store.root, file_of("v1").text, content.data);
    assert_is_now(pushed_at(fixture)); /* somebody else's tag */
}

static void a_cache_has_none(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.may_be_lost = true;
    change(fixture, "first", "alice");
    change(fixture, NULL, "alice");
    assert_false(is_there(fixture->store.root, layout_histories("team/app").text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(tells_the_newest_first),
        IN_STORE(an_entry_costs_no_sync_and_few_calls),
        IN_STORE(passes_over_what_it_cannot_read),
        IN_STORE(is_bounded_and_keeps_the_newest),
        IN_STORE(a_push_does_not_fail_for_it),
        IN_STORE(tells_what_another_program_has_written),
        IN_STORE(goes_with_its_tag_and_on_with_the_next),
        IN_STORE(a_push_is_dated_by_history_or_else_by_the_link),
        IN_STORE(a_restored_tag_keeps_the_date_of_its_push),
        IN_STORE(a_cache_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
