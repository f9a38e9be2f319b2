/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/proxy/evict/evict.h"
#include "lib/proxy/evict/kept.h"
#include "lib/proxy/evict/usage.h"
#include "lib/store/blob.h"
#include "tests/unit/trace.h"

enum { DAY = 86400, BLOCK = 4096, OLDEST = 900 };

#define MANIFEST "{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{\"n\":\"1\"}}"

static struct error error;
static struct proxy_options options;
static struct evict_report report;

/* As if it had come, and been used last, so many seconds ago. */
static void set_use(struct fixture *fixture, const struct digest *digest, time_t age)
{
    struct blob blob = {.target = *digest};

    set_age(fixture->store.root, blob_path(&blob).text, age);
}

static bool is_stored(struct fixture *fixture, const struct digest *digest)
{
    uint64_t size;

    return blob_is_stored(&fixture->store, digest, &size, &error) > 0;
}

/* Blobs of a block each, the first the oldest. */
static void store_blobs(struct fixture *fixture, struct digest *out, size_t count)
{
    fixture->options.may_be_lost = true;
    options = (struct proxy_options){.maximum_size = (uint64_t)1024 * BLOCK};
    for (size_t i = 0; i < count; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "blob %zu", i);
        out[i] = push_blob(&fixture->repository, text);
        set_use(fixture, &out[i], OLDEST - (time_t)i);
    }
}

static int evict_to(struct fixture *fixture, uint64_t blocks)
{
    struct evict_wish wish = {.room = blocks == UINT64_MAX ? blocks : blocks * BLOCK,
                              .patience = 0,
                              .wait = LOCK_TRY,
                              .is_trial = false};

    return evict_run(&options, &fixture->store, &wish, &report, &error);
}

static void assert_left(struct fixture *fixture, const struct digest *digests, const char *left)
{
    for (size_t i = 0; left[i]; i++) {
        if (is_stored(fixture, &digests[i]) != (left[i] == '+')) {
            fail_msg("not as in %s: %zu", left, i);
        }
    }
}

static void what_is_hosted_is_never_evicted(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest;

    store_blobs(fixture, &digest, 1);
    fixture->options.may_be_lost = false;
    assert_fails(ERROR_INTERNAL, evict_to(fixture, 0));
    assert_true(is_stored(fixture, &digest));
}

static void the_least_recently_used_goes_first_and_no_more_than_has_to(void **state)
{
    struct fixture *fixture = *state;
    struct digest digests[5];

    store_blobs(fixture, digests, COUNT(digests));
    set_use(fixture, &digests[1], 10);
    assert_returns(1, evict_to(fixture, 5));
    assert_left(fixture, digests, "+++++");
    assert_returns(1, evict_to(fixture, 3));
    assert_left(fixture, digests, "-+-++");
    assert_int_equal(report.blobs, 2);
    assert_int_equal(report.bytes, 2 * BLOCK);
    assert_int_equal(report.used, 3 * BLOCK);
    assert_returns(1, evict_to(fixture, 1));
    assert_left(fixture, digests, "-+---");
    assert_returns(1, evict_to(fixture, 0));
    assert_left(fixture, digests, "-----");
}

/* In place of a directory there is a link to itself, so that nobody can look what is there. */
static void put_loop(struct fixture *fixture, const char *path)
{
    assert_int_equal(symlinkat(strrchr(path, '/') + 1, fixture->store.root, path), 0);
}

static void what_cannot_be_looked_at_keeps_nothing_else_from_going(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "team/other");
    struct digest digests[3];
    struct path damaged[4];
    int root = fixture->store.root;

    store_blobs(fixture, digests, COUNT(digests));
    damaged[0] = layout_above(layout_above(layout_blob(&digests[2]).text).text);
    damaged[1] = layout_above(layout_blob(&digests[2]).text);
    damaged[2] = layout_links("team/other", LINK_LAYER, DIGEST_SHA256);
    damaged[3] = layout_repository("team/other");
    for (size_t i = 0; i < COUNT(damaged); i++) {
        store_blobs(fixture, digests, COUNT(digests));
        (void)push_blob(&other, "of another");
        assert_int_equal(renameat(root, damaged[i].text, root, "away"), 0);
        put_loop(fixture, damaged[i].text);
        assert_returns(1, evict_to(fixture, 0));
        assert_left(fixture, digests, "--");
        assert_int_not_equal(report.passed.count, 0);
        assert_non_null(strstr(report.passed.why.message, "symbolic link"));
        assert_int_equal(unlinkat(root, damaged[i].text, 0), 0);
        assert_int_equal(renameat(root, "away", root, damaged[i].text), 0);
    }
    assert_returns(1, evict_to(fixture, 0));
    assert_left(fixture, digests, "---");
    assert_int_equal(report.passed.count, 0);
}

static void a_use_of_one_repository_is_one_for_all(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "team/other");
    struct digest digests[2];
    struct blob blob;

    store_blobs(fixture, digests, COUNT(digests));
    assert_returns(1, blob_find(&fixture->repository, &digests[0], &blob, &error));
    assert_returns(1, blob_mount(&other, &blob, &error));
    fixture->options.use_grain = 3600;
    assert_returns(1, blob_find(&other, &digests[0], &blob, &error));
    assert_returns(1, evict_to(fixture, 1));
    assert_left(fixture, digests, "+-");
    assert_returns(1, evict_to(fixture, 0));
    assert_left(fixture, digests, "--");
    assert_false(is_there(fixture->store.root, layout_repository("team").text));
    assert_int_equal(report.repositories, 2);
}

static void manifests_go_last_and_with_their_tags(void **state)
{
    struct fixture *fixture = *state;
    struct digest digests[2];
    struct digest manifest;
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;

    store_blobs(fixture, digests, COUNT(digests));
    manifest = push_manifest(&fixture->repository, MANIFEST, "1");
    set_use(fixture, &manifest, 10 * DAY);
    assert_returns(1, evict_to(fixture, 1));
    assert_left(fixture, digests, "--");
    assert_returns(1, repository_get_manifest(&fixture->repository, "1", &stored, &error));
    assert_int_equal(report.manifests, 0);
    set_use(fixture, &manifest, 10 * DAY);
    assert_returns(1, evict_to(fixture, 0));
    assert_int_equal(report.manifests, 1);
    stored_manifest_release(&stored);
    assert_returns(0, repository_get_manifest(&fixture->repository, "1", &stored, &error));
    assert_false(is_there(fixture->store.root, layout_repository("team").text));
}

static void what_was_not_used_for_long_goes_however_much_room_there_is(void **state)
{
    struct fixture *fixture = *state;
    struct digest digests[3];
    struct digest manifest;

    store_blobs(fixture, digests, COUNT(digests));
    manifest = push_manifest(&fixture->repository, MANIFEST, "1");
    options = (struct proxy_options){.maximum_age = DAY};
    set_use(fixture, &digests[1], DAY + 100);
    set_use(fixture, &digests[2], -10 * DAY); /* a date that was set */
    set_use(fixture, &manifest, DAY + 100);
    assert_returns(1, evict_to(fixture, UINT64_MAX));
    assert_left(fixture, digests, "+-+");
    assert_false(is_stored(fixture, &manifest));
    assert_int_equal(report.used, 2 * BLOCK);
}

static void keep(struct fixture *fixture, const struct digest *digest)
{
    struct kept_image image = {"team/app", "1"};
    AUTO_BUFFER struct buffer lines = BUFFER_INIT;

    buffer_format(&lines, "%s\n", digest->text);
    assert_returns(0, kept_write(&fixture->store, &image, &lines, &error));
}

static void what_is_kept_stays_until_it_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct kept_image image = {"team/app", "1"};
    AUTO_BUFFER struct buffer lines = BUFFER_INIT;
    struct digest digests[3];

    store_blobs(fixture, digests, COUNT(digests));
    options.maximum_age = 1;
    keep(fixture, &digests[1]);
    assert_returns(1, evict_to(fixture, 0));
    assert_left(fixture, digests, "-+-");
    assert_int_equal(report.fixed, BLOCK);
    assert_int_equal(report.images, 1);
    assert_returns(1, kept_read(&fixture->store, &image, &lines, &error));
    assert_memory_equal(lines.data, digests[1].text, strlen(digests[1].text));
    assert_returns(1, kept_drop(&fixture->store, &image, &error));
    assert_returns(0, kept_drop(&fixture->store, &image, &error));
    assert_returns(1, evict_to(fixture, 0));
    assert_left(fixture, digests, "---");
}

/* What somebody does when the victims are chosen and none has gone yet. */
struct intruder {
    struct fixture *fixture;
    struct digest *victim;
    void (*act)(struct fixture *fixture, const struct digest *digest);
};

static void intrude(void *context, const char *line)
{
    struct intruder *intruder = context;

    if (intruder->act && strncmp(line, "openat", 6) == 0 && strstr(line, LAYOUT_KEPT_LOCK)) {
        intruder->act(intruder->fixture, intruder->victim);
        intruder->act = NULL;
    }
}

static void use(struct fixture *fixture, const struct digest *digest)
{
    struct blob blob;

    fixture->store.only_looks = false;
    assert_returns(1, blob_find(&fixture->repository, digest, &blob, &error));
    fixture->store.only_looks = true;
}

static void push_again(struct fixture *fixture, const struct digest *digest)
{
    struct digest again = push_blob(&fixture->repository, "blob 0");

    assert_true(digest_equal(&again, digest));
    set_age(fixture->store.root, layout_link("team/app", LINK_LAYER, digest).text, 0);
}

static void whoever_uses_keeps_or_brings_a_victim_in_time_saves_it(void **state)
{
    static void (*const acts[])(struct fixture * fixture,
                                const struct digest *digest) = {use, keep, push_again};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(acts); i++) {
        struct digest digests[2];
        struct intruder intruder = {fixture, digests, acts[i]};
        struct kept_image image = {"team/app", "1"};
        struct blob blob;

        store_blobs(fixture, digests, COUNT(digests));
        fixture->options.use_grain = 3600;
        trace_begin();
        trace_looks();
        trace_hook(intrude, &intruder);
        assert_returns(1, evict_to(fixture, 0));
        (void)trace_end();
        assert_null(intruder.act);
        assert_left(fixture, digests, "+-");
        assert_returns(1, blob_find(&fixture->repository, &digests[0], &blob, &error));
        (void)kept_drop(&fixture->store, &image, &error);
    }
}

static void what_a_crash_left_goes(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "team/other");
    struct digest digests[3];
    struct digest none = sha256("never stored");
    struct path dead = layout_link("team/other", LINK_LAYER, &none);
    struct path young = layout_link("team/app", LINK_LAYER, &none);
    struct path revision = layout_link("team/other", LINK_REVISION, &none);
    struct path tag = layout_tag_current("team/other", "1");
    struct path origin;

    store_blobs(fixture, digests, COUNT(digests));
    (void)other;
    (void)push_manifest(&fixture->repository, MANIFEST, "1"); /* which might name it */
    put_file(fixture->store.root, dead.text, none.text);
    put_file(fixture->store.root, revision.text, none.text);
    put_file(fixture->store.root, tag.text, none.text);
    set_age(fixture->store.root, dead.text, 2 * DAY);
    set_age(fixture->store.root, revision.text, 2 * DAY);
    put_file(fixture->store.root, young.text, none.text);
    origin = layout_below(layout_origins(&digests[0]).text, "x");
    put_file(fixture->store.root, origin.text, "x");
    /* Bytes that nobody has: for long, and for a moment. */
    for (size_t i = 0; i < 2; i++) {
        assert_returns(1, repository_delete_blob(&fixture->repository, &digests[i], &error));
    }
    set_use(fixture, &digests[0], 2 * 3600);
    assert_returns(1, evict_to(fixture, UINT64_MAX));
    assert_left(fixture, digests, "-++");
    assert_false(is_there(fixture->store.root, layout_above(origin.text).text));
    assert_false(is_there(fixture->store.root, layout_repository("team/other").text));
    assert_true(is_there(fixture->store.root, young.text));
    fixture->damaged = true; /* that link */
}

static void a_trial_only_says_what_would_go(void **state)
{
    struct fixture *fixture = *state;
    struct evict_wish wish = {
        .room = (uint64_t)BLOCK, .patience = 0, .wait = LOCK_TRY, .is_trial = true};
    struct digest digests[3];

    store_blobs(fixture, digests, COUNT(digests));
    trace_begin();
    assert_returns(1, evict_run(&options, &fixture->store, &wish, &report, &error));
    assert_int_equal(trace_count(), 0);
    (void)trace_end();
    assert_left(fixture, digests, "+++");
    assert_int_equal(report.blobs, 2);
    assert_int_equal(report.used, BLOCK);
}

static void once_something_goes_more_goes_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct evict_wish wish = {.room = (uint64_t)5 * BLOCK,
                              .spare = (uint64_t)3 * BLOCK,
                              .patience = 0,
                              .wait = LOCK_TRY,
                              .is_trial = false};
    struct digest digests[6];

    store_blobs(fixture, digests, COUNT(digests) - 1);
    assert_returns(1, evict_run(&options, &fixture->store, &wish, &report, &error));
    assert_int_equal(report.blobs, 0);
    store_blobs(fixture, digests, COUNT(digests));
    assert_returns(1, evict_run(&options, &fixture->store, &wish, &report, &error));
    assert_left(fixture, digests, "----++");
}

static void two_at_once_are_one(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, LAYOUT_EVICT_LOCK};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct digest digests[2];

    store_blobs(fixture, digests, COUNT(digests));
    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    assert_returns(0, evict_to(fixture, 0));
    assert_left(fixture, digests, "++");
}

static int use_some(struct fixture *fixture)
{
    usage_add(&options, &fixture->store, 10);
    return 0;
}

static int evict_and_wait(struct fixture *fixture)
{
    struct evict_wish wish = {.room = BLOCK, .patience = 0, .wait = LOCK_WAIT, .is_trial = false};

    return evict_run(&options, &fixture->store, &wish, &report, &error) != 1;
}

/* Of somebody who is stopped, or on a host that hangs. */
static void does_without(struct fixture *fixture, const char *path,
                         int (*work)(struct fixture *fixture))
{
    struct file_place place = {fixture->store.root, path};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    pid_t child;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    set_age(place.directory, place.path, 3600);
    child = fork_child();
    if (child == 0) {
        lock_release(&lock);
        _exit(work(fixture));
    }
    assert_false(is_blocked_in_the_end(child));
    assert_int_equal(wait_for_child(child), 0);
}

static void who_hangs_keeps_nobody_from_counting(void **state)
{
    struct fixture *fixture = *state;
    struct digest digests[2];

    store_blobs(fixture, digests, COUNT(digests));
    does_without(fixture, LAYOUT_SPACE_LOCK, use_some);
}

static void who_hangs_keeps_nobody_from_making_room(void **state)
{
    struct fixture *fixture = *state;
    struct digest digests[2];

    store_blobs(fixture, digests, COUNT(digests));
    does_without(fixture, LAYOUT_EVICT_LOCK, evict_and_wait);
    assert_left(fixture, digests, "-+");
}

static void whoever_waited_for_another_run_finds_the_room_made(void **state)
{
    struct fixture *fixture = *state;
    struct evict_wish wish = {
        .room = (uint64_t)2 * BLOCK, .patience = 0, .wait = LOCK_WAIT, .is_trial = false};
    struct digest digests[3];

    store_blobs(fixture, digests, COUNT(digests));
    assert_returns(1, evict_run(&options, &fixture->store, &wish, &report, &error));
    assert_returns(0, evict_run(&options, &fixture->store, &wish, &report, &error));
    assert_left(fixture, digests, "-++");
}

static void what_is_used_is_known_after_counting_and_kept_up_to_date(void **state)
{
    struct fixture *fixture = *state;
    struct usage usage;
    struct digest digests[3];

    store_blobs(fixture, digests, COUNT(digests));
    assert_returns(0, usage_read(&fixture->store, &usage, &error));
    usage_add(&options, &fixture->store, 10); /* unknown stays unknown */
    assert_returns(0, usage_read(&fixture->store, &usage, &error));
    keep(fixture, &digests[0]);
    assert_returns(1, evict_to(fixture, 2));
    assert_returns(1, usage_read(&fixture->store, &usage, &error));
    assert_int_equal(usage.used, 2 * BLOCK);
    assert_int_equal(usage.fixed, BLOCK);
    usage_add(&options, &fixture->store, BLOCK + 1);
    assert_returns(1, usage_read(&fixture->store, &usage, &error));
    assert_int_equal(usage.used, 4 * BLOCK);
    /* What comes while somebody counts counts as well. */
    usage_add(&options, &fixture->store, 1);
    usage_correct(&fixture->store, &usage, &(struct usage){.used = BLOCK});
    assert_returns(1, usage_read(&fixture->store, &usage, &error));
    assert_int_equal(usage.used, 2 * BLOCK);
    options.maximum_size = 0;
    usage_add(&options, &fixture->store, BLOCK); /* nobody wants to know */
    assert_returns(1, usage_read(&fixture->store, &usage, &error));
    assert_int_equal(usage.used, 2 * BLOCK);
}

/* In a child: ends, or fails, at the n-th call. */
static int end_or_fail_at(struct fixture *fixture, size_t n, int number, bool *out_reached)
{
    pid_t child;

    if (number != 0) {
        trace_begin_with_fault(n, number);
        (void)evict_to(fixture, 1);
        *out_reached = trace_end();
        return 0;
    }
    child = fork_child();
    if (child == 0) {
        trace_begin_with_fault(n, 0);
        (void)evict_to(fixture, 1);
        _exit(trace_end() ? 0 : 77);
    }
    *out_reached = wait_for_child(child) != 77;
    return 0;
}

/* Every blob that is there has its bytes, and the next run removes what is left over. */
static void go_through_all_calls(int number)
{
    bool reached = true;

    for (size_t n = 0; reached; n++) {
        void *state = NULL;
        struct fixture *fixture;
        struct digest digests[3];
        struct digest manifest;
        AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;

        (void)store_setup(&state);
        fixture = state;
        store_blobs(fixture, digests, COUNT(digests));
        manifest = push_manifest(&fixture->repository, MANIFEST, "1");
        set_use(fixture, &manifest, 10);
        keep(fixture, &digests[2]);
        (void)end_or_fail_at(fixture, n, number, &reached);
        assert_true(is_stored(fixture, &digests[2]));
        if (repository_get_manifest(&fixture->repository, "1", &stored, &error) > 0) {
            assert_string_equal(stored.content.data, MANIFEST);
        }
        for (size_t i = 0; i < 3; i++) {
            if (is_there(fixture->store.root,
                         layout_link("team/app", LINK_LAYER, &digests[i]).text)) {
                set_age(fixture->store.root, layout_link("team/app", LINK_LAYER, &digests[i]).text,
                        2 * DAY);
            }
        }
        assert_returns(1, evict_to(fixture, 1));
        assert_left(fixture, digests, "--+");
        assert_false(is_stored(fixture, &manifest));
        assert_problems(fixture, 0);
        fixture->damaged = true; /* a file that was on its way may be left */
        (void)store_teardown(&state);
    }
}

static void a_crash_at_any_call_leaves_what_is_right_or_gone(void **state)
{
    (void)state;
    go_through_all_calls(0);
}

static void an_error_at_any_call_leaves_what_is_right_or_gone(void **state)
{
    (void)state;
    go_through_all_calls(5);  /* EIO */
    go_through_all_calls(28); /* ENOSPC */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_is_hosted_is_never_evicted),
        IN_STORE(the_least_recently_used_goes_first_and_no_more_than_has_to),
        IN_STORE(what_cannot_be_looked_at_keeps_nothing_else_from_going),
        IN_STORE(a_use_of_one_repository_is_one_for_all),
        IN_STORE(manifests_go_last_and_with_their_tags),
        IN_STORE(what_was_not_used_for_long_goes_however_much_room_there_is),
        IN_STORE(what_is_kept_stays_until_it_is_dropped),
        IN_STORE(whoever_uses_keeps_or_brings_a_victim_in_time_saves_it),
        IN_STORE(what_a_crash_left_goes),
        IN_STORE(a_trial_only_says_what_would_go),
        IN_STORE(once_something_goes_more_goes_at_once),
        IN_STORE(two_at_once_are_one),
        IN_STORE(who_hangs_keeps_nobody_from_counting),
        IN_STORE(who_hangs_keeps_nobody_from_making_room),
        IN_STORE(whoever_waited_for_another_run_finds_the_room_made),
        IN_STORE(what_is_used_is_known_after_counting_and_kept_up_to_date),
        cmocka_unit_test(a_crash_at_any_call_leaves_what_is_right_or_gone),
        cmocka_unit_test(an_error_at_any_call_leaves_what_is_right_or_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
