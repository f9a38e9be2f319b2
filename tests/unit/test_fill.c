/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/*
 * Those who wait for a fetch, and read what comes of it: what they make of each other's steps, of
 * earlier fetches and other upstreams', and of looks that the disk fails. The filler is the test,
 * which holds the lock, and does something at one of the reader's calls.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/directory.h"
#include "lib/base/lock.h"
#include "lib/proxy/fill/fill.h"
#include "lib/store/blob.h"
#include "tests/unit/trace.h"

#define WORDS "what one upstream has, another may have too"
enum { SIZE = sizeof(WORDS) - 1 };

static struct error error;
static struct proxy_options options;
static struct upstream upstream;
static struct fill fill;
static struct lock filler = LOCK_INIT;

/* What happens at which of the reader's calls. */
static struct {
    const char *suffix; /* of the calls that are counted; "": of all */
    unsigned left;
    void (*step)(struct fixture *fixture);
    struct fixture *fixture;
} plan;

static void follow_plan(void *context, const char *line)
{
    size_t length = strlen(line);
    size_t suffix = strlen(plan.suffix);

    (void)context;
    if (plan.left > 0 && length >= suffix && strcmp(line + length - suffix, plan.suffix) == 0 &&
        --plan.left == 0) {
        plan.step(plan.fixture);
    }
}

static void begin(struct fixture *fixture)
{
    fixture->options.may_be_lost = true;
    options = (struct proxy_options){.enabled = true, .maximum_waiting = 8};
    upstream =
        (struct upstream){.options = &options, .store = &fixture->store, .name = "one.example"};
    fill = (struct fill){.upstream = &upstream,
                         .repository = &fixture->repository,
                         .name = "app",
                         .digest = sha256(WORDS)};
    plan.fixture = fixture;
}

/* From now on somebody is at work, as far as others can see. */
static void take_lock(struct fixture *fixture)
{
    struct path path = partial_place(&fill, "lock");

    assert_int_equal(lock_take(&filler, (struct file_place){fixture->store.temporary, path.text},
                               LOCK_TRY, &error),
                     LOCK_TAKEN);
}

static void end(void)
{
    lock_release(&filler);
    partial_discard(&fill);
}

/* These bytes are there, and not yet the blob. */
static struct fill_view read_so_far(struct fixture *fixture, const char *bytes)
{
    struct fill_view view = FILL_VIEW_INIT;
    struct path data = partial_place(&fill, "data");

    assert_returns(0, partial_prepare(&fill, &error));
    assert_returns(0, partial_write_total(&fill, SIZE, &error));
    put_file(fixture->store.temporary, data.text, bytes);
    view.fill = fill;
    view.size = SIZE;
    view.has_waited = true;
    view.is_reading = true;
    view.descriptor = openat(fixture->store.temporary, data.text, O_RDONLY | O_CLOEXEC);
    assert_true(view.descriptor >= 0);
    return view;
}

static struct fill_view read_all_but_the_end(struct fixture *fixture)
{
    return read_so_far(fixture, WORDS);
}

static void forget(struct fixture *fixture)
{
    assert_returns(0, directory_remove(fixture->store.root, LAYOUT_BLOBS, &error));
    assert_returns(0, directory_remove(fixture->store.root, LAYOUT_REPOSITORIES, &error));
}

static enum error_code failing = ERROR_UPSTREAM;

static void fail_with(const char *message)
{
    struct report report = REPORT_INIT;
    struct error failure;

    (void)error_set(&failure, failing, "%s", message);
    partial_write_failure(&fill, &report, &failure);
}

/* Whoever else wants the blob passes it through for a while, and does not fetch it in vain. */
static void what_could_not_be_kept_here_is_remembered(void **state)
{
    static const struct {
        enum error_code code;
        bool is_remembered;
    } failures[] = {
        {ERROR_NO_SPACE, true},   {ERROR_INTERNAL, true},      {ERROR_LOCK_HELD, true},
        {ERROR_DATA_LOST, false}, {ERROR_BLOB_UNKNOWN, false}, {ERROR_UPSTREAM, false},
    };
    struct fixture *fixture = *state;

    begin(fixture);
    for (size_t i = 0; i < COUNT(failures); i++) {
        assert_returns(0, partial_prepare(&fill, &error));
        failing = failures[i].code;
        fail_with("just now");
        assert_int_equal(partial_was_not_kept(&fill), failures[i].is_remembered);
        end();
    }
    failing = ERROR_UPSTREAM;
}

static void bring_the_blob(struct fixture *fixture)
{
    (void)push_blob(&fixture->repository, WORDS);
}

static void fail_anew(struct fixture *fixture)
{
    (void)fixture;
    fail_with("just now");
}

/* Who has taken the lock has not yet come to removing what the last one has left. */
static void an_earlier_failure_is_told_to_nobody_who_comes_later(void **state)
{
    struct fixture *fixture = *state;
    struct report report = REPORT_INIT;
    struct fill_view view;

    begin(fixture);
    for (int fails = 0; fails < 2; fails++) {
        assert_returns(0, partial_prepare(&fill, &error));
        fail_with("long ago");
        take_lock(fixture);
        plan.suffix = "/lock";
        plan.left = 5;
        plan.step = fails ? fail_anew : bring_the_blob;
        trace_begin();
        trace_looks();
        trace_hook(follow_plan, NULL);
        assert_int_equal(fill_join(&view, &fill, &report, &error),
                         fails ? FILL_FAILED : FILL_STORED);
        (void)trace_end();
        assert_int_equal(plan.left, 0);
        if (fails) {
            assert_string_equal(error.message, "just now");
        }
        end();
        forget(fixture);
    }
    report_release(&report);
}

static struct fill_view reader;

static void verify_ours(struct fixture *fixture)
{
    (void)fixture;
    partial_give_away(reader.descriptor);
}

static void die(struct fixture *fixture)
{
    (void)fixture;
    lock_release(&filler);
}

/* Registries have layers in common. What ours sends is not worse for that another was faster; and
 * if ours sends no more, that other one's blob is as good. */
static void another_upstreams_blob_cuts_nobody_short(void **state)
{
    static void (*const steps[])(struct fixture *) = {verify_ours, die, fail_anew};
    struct fixture *fixture = *state;

    begin(fixture);
    for (size_t i = 0; i < COUNT(steps); i++) {
        char bytes[SIZE + 1] = "";

        reader = read_all_but_the_end(fixture);
        take_lock(fixture);
        bring_the_blob(fixture);
        plan.suffix = layout_blob(&fill.digest).text;
        plan.left = 3;
        plan.step = steps[i];
        trace_begin();
        trace_looks();
        trace_hook(follow_plan, NULL);
        assert_returns(SIZE, fill_read(&reader, 0, bytes, SIZE, &error));
        (void)trace_end();
        assert_int_equal(plan.left, 0);
        assert_string_equal(bytes, WORDS);
        fill_close(&reader);
        end();
        forget(fixture);
    }
}

/* He may have been given a part of it long ago: it is now that he may not. */
static void what_is_refused_to_a_repository_no_other_brings_it(void **state)
{
    static const enum error_code refusals[] = {ERROR_BLOB_UNKNOWN, ERROR_DENIED,
                                               ERROR_UPSTREAM_REFUSED};
    struct fixture *fixture = *state;

    begin(fixture);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char bytes[SIZE + 1] = "";

        reader = read_so_far(fixture, "");
        take_lock(fixture);
        bring_the_blob(fixture);
        failing = refusals[i];
        fail_with("not for you");
        assert_fails(refusals[i], fill_read(&reader, 0, bytes, SIZE, &error));
        assert_string_equal(bytes, "");
        fill_close(&reader);
        end();
        forget(fixture);
    }
    failing = ERROR_UPSTREAM;
}

/* Who has read something else already gets no end to it. */
static void only_a_blob_that_begins_alike_is_read_on(void **state)
{
    enum { READ = 5, WRONG = READ - 1 };
    struct fixture *fixture = *state;

    begin(fixture);
    for (size_t wrong = WRONG; wrong <= WRONG + 1; wrong++) {
        char ours[] = WORDS;
        char bytes[SIZE + 1] = "";

        ours[wrong] = '!';
        ours[SIZE / 2] = '\0';
        reader = read_so_far(fixture, ours);
        bring_the_blob(fixture);
        assert_returns(wrong < READ ? -1 : SIZE - READ,
                       fill_read(&reader, READ, bytes, SIZE, &error));
        assert_string_equal(bytes, wrong < READ ? "" : WORDS + READ);
        fill_close(&reader);
        end();
        forget(fixture);
    }
}

static char again[] = WORDS; /* what a filler that has started over gets */

/* He has verified it by now. */
static void start_over_with_it(struct fixture *fixture)
{
    struct path data = partial_place(&fill, "data");
    AUTO_CLOSE int file = -1;

    assert_int_equal(unlinkat(fixture->store.temporary, data.text, 0), 0);
    put_file(fixture->store.temporary, data.text, again);
    file = openat(fixture->store.temporary, data.text, O_RDONLY | O_CLOEXEC);
    partial_give_away(file);
}

/* As it does of an upstream that knows no ranges, and breaks off. */
static void a_fetch_that_starts_over_is_read_on_if_it_begins_alike(void **state)
{
    enum { READ = 10 };
    struct fixture *fixture = *state;

    begin(fixture);
    for (int wrong = 0; wrong < 2; wrong++) {
        char bytes[SIZE + 1] = "";

        again[READ - 1] = wrong ? '!' : WORDS[READ - 1];
        reader = read_so_far(fixture, "what one upstream");
        take_lock(fixture);
        plan.suffix = "/data";
        plan.left = 1;
        plan.step = start_over_with_it;
        trace_begin();
        trace_looks();
        trace_hook(follow_plan, NULL);
        assert_returns(wrong ? -1 : SIZE - READ, fill_read(&reader, READ, bytes, SIZE, &error));
        (void)trace_end();
        assert_int_equal(plan.left, 0);
        assert_string_equal(bytes, wrong ? "" : WORDS + READ);
        fill_close(&reader);
        end();
    }
}

/* He has asked for a part, of which nothing was there: so there is nothing to compare. */
static void who_has_read_nothing_yet_may_read_any_other_fetch(void **state)
{
    enum { FIRST = 10 };
    struct fixture *fixture = *state;
    char bytes[SIZE + 1] = "";

    begin(fixture);
    again[FIRST - 1] = WORDS[FIRST - 1];
    reader = read_so_far(fixture, "what");
    reader.is_part = true;
    take_lock(fixture);
    plan.suffix = "/data";
    plan.left = 1;
    plan.step = start_over_with_it;
    trace_begin();
    trace_looks();
    trace_hook(follow_plan, NULL);
    assert_returns(SIZE - FIRST, fill_read(&reader, FIRST, bytes, SIZE, &error));
    (void)trace_end();
    assert_int_equal(plan.left, 0);
    assert_string_equal(bytes, WORDS + FIRST);
    fill_close(&reader);
    end();
}

/* For which its upstream has its own account, so that this one may not see what comes of it. */
static void prepare_for_another(void)
{
    struct fill other = fill;

    other.name = "other";
    assert_returns(0, partial_prepare(&other, &error));
    assert_returns(0, partial_write_total(&other, SIZE, &error));
}

/* Another repository's fetch begins before the file is opened, and has ended before it is asked
 * whose it is. */
static bool is_open;

static void come_and_go(void *context, const char *line)
{
    struct fixture *fixture = context;
    size_t length = strlen(line);

    if (strncmp(line, "openat", strlen("openat")) != 0) {
        return;
    }
    if (strcmp(line + length - strlen("/data"), "/data") == 0) {
        is_open = true;
        prepare_for_another();
    } else if (is_open && strcmp(line + length - strlen("/lock"), "/lock") == 0) {
        is_open = false;
        bring_the_blob(fixture);
        partial_discard(&fill);
    }
}

static void what_has_ended_before_it_is_known_whose_it_was_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    struct report report = REPORT_INIT;

    begin(fixture);
    reader = read_so_far(fixture, "what");
    fill_close(&reader);
    take_lock(fixture);
    trace_begin();
    trace_looks();
    trace_hook(come_and_go, fixture);
    assert_int_equal(fill_join(&reader, &fill, &report, &error), FILL_STORED);
    (void)trace_end();
    end();
    forget(fixture);
    report_release(&report);
}

/* Room was made before its reader, who is slow, has come to the end. */
static void what_is_kept_no_more_cuts_nobody_short(void **state)
{
    struct fixture *fixture = *state;
    struct path data;
    char bytes[SIZE + 1] = "";
    AUTO_CLOSE int vouching = -1;

    begin(fixture);
    data = partial_place(&fill, "data");
    reader = read_all_but_the_end(fixture);
    take_lock(fixture);
    vouching = openat(fixture->store.temporary, data.text, O_RDWR | O_CLOEXEC);
    assert_true(lock_claim(vouching));
    assert_int_equal(unlinkat(fixture->store.temporary, data.text, 0), 0);
    assert_returns(SIZE, fill_read(&reader, 0, bytes, SIZE, &error));
    assert_string_equal(bytes, WORDS);
    fill_close(&reader);
    end();
}

static void publish_ours(struct fixture *fixture)
{
    struct path data = partial_place(&fill, "data");

    assert_returns(0, blob_publish(&fixture->repository, &fill.digest,
                                   (struct file_place){fixture->store.temporary, data.text},
                                   reader.descriptor, &error));
}

/* While a filler is at work, and well. */
static void no_failed_look_cuts_a_reader_short(void **state)
{
    enum { CALLS = 14 };
    struct fixture *fixture = *state;
    bool reached = true;
    size_t n;

    begin(fixture);
    for (n = 0; reached && n < CALLS; n++) {
        char bytes[SIZE + 1] = "";

        reader = read_all_but_the_end(fixture);
        take_lock(fixture);
        plan.suffix = "";
        plan.left = CALLS;
        plan.step = publish_ours;
        trace_begin_with_fault(n, EIO);
        trace_looks();
        trace_hook(follow_plan, NULL);
        assert_returns(SIZE, fill_read(&reader, 0, bytes, SIZE, &error));
        reached = trace_end();
        assert_string_equal(bytes, WORDS);
        fill_close(&reader);
        end();
        forget(fixture);
    }
    assert_true(n > 5);
}

/* Its length is known from now on to be another one. */
static void start_over(void *context, const char *line)
{
    struct fixture *fixture = context;
    size_t length = strlen(line);

    if (strncmp(line, "openat", strlen("openat")) != 0 ||
        strcmp(line + length - strlen("/data"), "/data") != 0) {
        return;
    }
    assert_returns(0, partial_forget_total(&fill, &error));
    assert_int_equal(unlinkat(fixture->store.temporary, partial_place(&fill, "data").text, 0), 0);
    put_file(fixture->store.temporary, partial_place(&fill, "data").text, WORDS);
}

/* Between a reader's look at the length and the one at what there is. */
static void who_was_told_too_small_a_length_gets_no_end(void **state)
{
    enum { LESS = SIZE - 5 };
    struct fixture *fixture = *state;
    struct report report = REPORT_INIT;
    char bytes[SIZE + 1] = "";

    begin(fixture);
    assert_returns(0, partial_prepare(&fill, &error));
    assert_returns(0, partial_write_total(&fill, LESS, &error));
    put_file(fixture->store.temporary, partial_place(&fill, "data").text, "what");
    take_lock(fixture);
    trace_begin();
    trace_looks();
    trace_hook(start_over, fixture);
    assert_int_equal(fill_join(&reader, &fill, &report, &error), FILL_GROWING);
    (void)trace_end();
    assert_int_equal(reader.size, LESS);
    publish_ours(fixture);
    assert_returns(-1, fill_read(&reader, 0, bytes, LESS, &error));
    assert_false(reader.is_stuck);
    fill_close(&reader);
    end();
    report_release(&report);
}

/* A power cut may have left anything, which a part must not have before all is verified. */
static void what_cannot_be_looked_at_is_taken_for_found(void **state)
{
    struct fixture *fixture = *state;
    bool reached = true;
    unsigned prepared = 0;

    begin(fixture);
    for (size_t n = 0; reached; n++) {
        int result;

        assert_returns(0, partial_prepare(&fill, &error));
        put_file(fixture->store.temporary, partial_place(&fill, "data").text, WORDS);
        trace_begin_with_fault(n, EIO);
        trace_looks();
        result = partial_prepare(&fill, &error);
        reached = trace_end();
        if (result == 0) {
            assert_true(partial_found(&fill) >= SIZE);
            prepared++;
        }
        end();
    }
    assert_true(prepared > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_could_not_be_kept_here_is_remembered),
        IN_STORE(an_earlier_failure_is_told_to_nobody_who_comes_later),
        IN_STORE(another_upstreams_blob_cuts_nobody_short),
        IN_STORE(what_is_refused_to_a_repository_no_other_brings_it),
        IN_STORE(only_a_blob_that_begins_alike_is_read_on),
        IN_STORE(a_fetch_that_starts_over_is_read_on_if_it_begins_alike),
        IN_STORE(who_has_read_nothing_yet_may_read_any_other_fetch),
        IN_STORE(what_has_ended_before_it_is_known_whose_it_was_is_not_read),
        IN_STORE(what_is_kept_no_more_cuts_nobody_short),
        IN_STORE(no_failed_look_cuts_a_reader_short),
        IN_STORE(who_was_told_too_small_a_length_gets_no_end),
        IN_STORE(what_cannot_be_looked_at_is_taken_for_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
