/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/proxy/fill/space.h"
#include "lib/store/blob.h"

/* On a disk of its own, so that nobody else's files count. */

enum { MIB = 1024 * 1024, DISK = 64, RESERVE = 8 };

static struct error error;
static struct proxy_options options;
static struct upstream upstream = {.name = "registry.example", .options = &options};

static int open_small_cache(struct fixture *fixture)
{
    store_close(&fixture->store);
    if (!mount_small(fixture->path, "64m,nr_inodes=2000")) {
        print_message("a filesystem cannot be mounted here\n");
        return -1;
    }
    fixture->options.minimum_free_space = (uint64_t)RESERVE * MIB;
    fixture->options.may_be_lost = true;
    upstream.store = &fixture->store;
    return store_open(&fixture->store, &fixture->options, &error);
}

static struct fill fill_of(const char *text)
{
    return (struct fill){.upstream = &upstream, .name = "app", .digest = sha256(text)};
}

/* Another fetch, of which so much has come; its lock. */
static void begin(const struct fill *fill, off_t has, struct lock *lock)
{
    struct path data = partial_place(fill, "data");
    struct path path = partial_place(fill, "lock");
    int descriptor;

    (void)lock_take_or_make(lock, (struct file_place){upstream.store->temporary, path.text},
                            LOCK_TRY, &error);
    descriptor = openat(upstream.store->temporary, data.text, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    (void)!ftruncate(descriptor, has); /* without taking room */
    (void)close(descriptor);
}

static int reserve_bytes(const struct fill *fill, uint64_t bytes)
{
    int result = space_reserve(fill, bytes, bytes, &error);

    return result < 0 && error.code != ERROR_NO_SPACE ? -2 : result;
}

static int reserve(const struct fill *fill, uint64_t mebibytes)
{
    return reserve_bytes(fill, mebibytes * MIB);
}

static int count_what_others_need(struct fixture *fixture)
{
    struct fill first = fill_of("first");
    struct fill second = fill_of("second");
    struct fill third = fill_of("third");
    struct lock locks[3] = {LOCK_INIT, LOCK_INIT, LOCK_INIT};
    uint64_t total;

    EXPECT(open_small_cache(fixture) == 0);
    begin(&first, 0, &locks[0]);
    begin(&second, 0, &locks[1]);
    EXPECT(reserve(&first, DISK) == -1);
    EXPECT(reserve(&first, DISK - RESERVE + 1) == -1);
    EXPECT(!partial_total(&first, &total));
    EXPECT(reserve(&first, 30) == 0);
    EXPECT(partial_total(&first, &total) && total == 30 * MIB);
    EXPECT(reserve(&first, 30) == 0); /* its own does not count twice */

    EXPECT(reserve(&second, 30) == -1);
    EXPECT(!partial_total(&second, &total));
    EXPECT(reserve(&second, 20) == 0);
    EXPECT(space_check(&second, false, &error) == 0);

    begin(&third, 0, &locks[2]);
    EXPECT(reserve(&third, 15) == -1);
    begin(&first, 10 * MIB, &locks[2]); /* the lock is taken: only the bytes are new */
    EXPECT(reserve(&third, 15) == 0);
    for (size_t i = 0; i < COUNT(locks); i++) {
        lock_release(&locks[i]);
    }
    return 0;
}

static void what_others_still_need_is_not_given_away(void **state)
{
    run_in_child(count_what_others_need, *state);
}

static int forget_the_dead(struct fixture *fixture)
{
    struct fill dead = fill_of("dead");
    struct fill next = fill_of("next");
    struct lock lock = LOCK_INIT;

    EXPECT(open_small_cache(fixture) == 0);
    begin(&dead, 0, &lock);
    EXPECT(reserve(&dead, 40) == 0);
    EXPECT(reserve(&next, 40) == -1);
    lock_release(&lock);
    EXPECT(reserve(&next, 40) == 0);
    return 0;
}

static void what_nobody_is_at_work_on_needs_nothing(void **state)
{
    run_in_child(forget_the_dead, *state);
}

/* Whatever an upstream says: sums do not wrap. */
static int believe_in_no_giants(struct fixture *fixture)
{
    struct fill giant = fill_of("giant");
    struct fill other = fill_of("other");
    struct lock lock = LOCK_INIT;

    EXPECT(open_small_cache(fixture) == 0);
    begin(&giant, 0, &lock);
    EXPECT(space_reserve(&giant, INT64_MAX, INT64_MAX, &error) == -1);
    EXPECT(reserve(&other, 1) == 0); /* what has not been given is not declared */
    EXPECT(partial_write_total(&giant, INT64_MAX, &error) == 0);
    EXPECT(space_reserve(&other, INT64_MAX, INT64_MAX, &error) == -1);
    EXPECT(space_reserve(&other, UINT64_MAX, UINT64_MAX, &error) == -1);
    EXPECT(space_check(&other, false, &error) == -1 && error.code == ERROR_NO_SPACE);
    lock_release(&lock);
    return 0;
}

static void no_size_is_too_large_to_be_refused(void **state)
{
    run_in_child(believe_in_no_giants, *state);
}

/* RESERVE of DISK bytes: an eighth of the inodes, too. */
static int use_up_inodes(struct fixture *fixture)
{
    struct fill fill = fill_of("x");
    struct statvfs status;
    char name[32];

    EXPECT(open_small_cache(fixture) == 0);
    EXPECT(fstatvfs(fixture->store.root, &status) == 0 && status.f_files == 2000);
    EXPECT(space_check(&fill, false, &error) == 0);
    for (uint64_t i = 0; i < status.f_files * 15 / 16; i++) {
        (void)snprintf(name, sizeof(name), "%" PRIu64, i);
        EXPECT(symlinkat("x", fixture->store.temporary, name) == 0);
    }
    EXPECT(space_check(&fill, false, &error) == -1 && error.code == ERROR_NO_SPACE);
    fixture->options.minimum_free_space = 0;
    EXPECT(space_check(&fill, false, &error) == 0);
    return 0;
}

static void inodes_are_left_in_the_same_proportion(void **state)
{
    run_in_child(use_up_inodes, *state);
}

enum { BLOCK = 4096 };

static struct digest store_blob(struct fixture *fixture, unsigned number, time_t age)
{
    char text[32];
    struct blob blob;

    (void)snprintf(text, sizeof(text), "blob %u", number);
    blob.target = push_blob(&fixture->repository, text);
    set_age(fixture->store.root, blob_path(&blob).text, age);
    return blob.target;
}

static size_t count_stored(const struct digest *digests, size_t count)
{
    size_t stored = 0;
    uint64_t size;

    for (size_t i = 0; i < count; i++) {
        stored += blob_is_stored(upstream.store, &digests[i], &size, &error) > 0;
    }
    return stored;
}

static int reserve_blocks(const struct fill *fill, uint64_t blocks)
{
    return reserve_bytes(fill, blocks * BLOCK);
}

/* A cache of 20 blocks, of which 12 are blobs. */
static void room_is_made_before_it_is_used(void **state)
{
    struct fixture *fixture = *state;
    struct fill first = fill_of("first");
    struct fill second = fill_of("second");
    struct fill third = fill_of("third");
    struct lock locks[2] = {LOCK_INIT, LOCK_INIT};
    struct digest digests[12];
    uint64_t total;

    fixture->options.may_be_lost = true;
    upstream.store = &fixture->store;
    options = (struct proxy_options){.maximum_size = 20 * BLOCK};
    for (unsigned i = 0; i < COUNT(digests); i++) {
        digests[i] = store_blob(fixture, i, 900 - i);
    }
    begin(&first, 0, &locks[0]);
    assert_int_equal(reserve_blocks(&first, 21), -1); /* not even alone */
    assert_int_equal(count_stored(digests, COUNT(digests)), 12);
    assert_int_equal(reserve_blocks(&first, 6), 0); /* after nothing but counting */
    assert_int_equal(count_stored(digests, COUNT(digests)), 12);
    begin(&second, 2 * BLOCK, &locks[1]);
    assert_int_equal(reserve_blocks(&second, 16), -1); /* beside what the first one still needs */
    /* To nine tenths, with both of them: 8 for blobs. */
    assert_int_equal(reserve_blocks(&second, 4), 0);
    assert_int_equal(count_stored(digests, COUNT(digests)), 8);
    assert_int_equal(count_stored(digests, 4), 0);
    assert_true(partial_total(&second, &total) && total == 4 * BLOCK);
    assert_int_equal(reserve_blocks(&third, 2), 0);
    for (size_t i = 0; i < COUNT(locks); i++) {
        lock_release(&locks[i]);
    }
    options.maximum_size = 0;
}

static void put_cached(struct fixture *fixture, const struct digest *digest,
                       const struct buffer *bytes, time_t age)
{
    struct blob blob = {.target = *digest};
    struct path link = layout_link("team/app", LINK_LAYER, digest);

    put_bytes(fixture->store.root, blob_path(&blob).text, bytes->data, bytes->length);
    put_file(fixture->store.root, link.text, digest->text);
    set_age(fixture->store.root, blob_path(&blob).text, age);
}

/* 40 of 64 MiB are blobs, 8 are to be left. */
static int make_room_on_the_disk(struct fixture *fixture)
{
    struct fill fill = fill_of("x");
    struct lock lock = LOCK_INIT;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    struct digest digests[4];

    EXPECT(open_small_cache(fixture) == 0);
    make_noise(&noise, (size_t)10 * MIB);
    for (unsigned i = 0; i < COUNT(digests); i++) {
        digests[i] = sha256((const char[]){(char)('a' + i), 0});
        put_cached(fixture, &digests[i], &noise, 900 - (time_t)i);
    }
    begin(&fill, 0, &lock);
    EXPECT(reserve(&fill, 30) == -1); /* as ever */
    options = (struct proxy_options){.maximum_size = (uint64_t)1024 * MIB};
    EXPECT(reserve(&fill, 60) == -1); /* all of them would not do */
    EXPECT(count_stored(digests, COUNT(digests)) == 4);
    EXPECT(reserve(&fill, 30) == 0);
    EXPECT(count_stored(digests, COUNT(digests)) == 2);
    EXPECT(count_stored(digests, 2) == 0);
    lock_release(&lock);
    return 0;
}

static void blobs_go_where_the_disk_lacks_room(void **state)
{
    struct fixture *fixture = *state;

    fixture->damaged = true; /* these are no such bytes, in another process's mount */
    run_in_child(make_room_on_the_disk, fixture);
}

/* 2000 inodes, an eighth to be left, of which what is cached has used most: bytes there are enough.
 */
static int make_room_for_inodes(struct fixture *fixture)
{
    enum { STORED = 600, KEPT = 50 };
    struct fill fill = fill_of("x");
    struct lock lock = LOCK_INIT;
    struct digest digests[STORED];
    AUTO_BUFFER struct buffer byte = BUFFER_INIT;
    size_t stored = 0;

    EXPECT(open_small_cache(fixture) == 0);
    begin(&fill, 0, &lock);
    make_noise(&byte, 1);
    for (unsigned i = 0; i < STORED && store_lacks_inodes(&fixture->store) == 0; i++) {
        digests[i] = sha256((const char[]){(char)('a' + i / 26), (char)('a' + i % 26), 0});
        put_cached(fixture, &digests[i], &byte, 900 - (time_t)i);
        stored = i + 1;
    }
    EXPECT(store_lacks_inodes(&fixture->store) > 0);
    EXPECT(store_lacks(&fixture->store, MIB) == 0);
    EXPECT(reserve(&fill, 1) == -1); /* as ever */
    options = (struct proxy_options){.maximum_size = (uint64_t)1024 * MIB};
    EXPECT(reserve(&fill, 1) == 0);
    EXPECT(store_lacks_inodes(&fixture->store) == 0);
    EXPECT(count_stored(digests, stored) < stored && count_stored(digests, stored) > stored / 2);
    EXPECT(count_stored(&digests[stored - KEPT], KEPT) == KEPT); /* used last */
    lock_release(&lock);
    return 0;
}

static void blobs_go_where_the_disk_lacks_inodes(void **state)
{
    struct fixture *fixture = *state;

    fixture->damaged = true; /* these are no such bytes, in another process's mount */
    run_in_child(make_room_for_inodes, fixture);
}

/* It has declared nothing, so that what it has got so far counts, and some more. */
static void a_blob_of_unknown_length_has_to_fit_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct fill fill = fill_of("x");
    struct lock lock = LOCK_INIT;
    struct digest kept;

    fixture->options.may_be_lost = true;
    upstream.store = &fixture->store;
    options = (struct proxy_options){.maximum_size = 20 * MIB};
    kept = store_blob(fixture, 0, 10);
    begin(&fill, 11 * MIB, &lock);
    assert_returns(0, space_check(&fill, false, &error));
    begin(&fill, 13 * MIB, &lock);
    assert_fails(ERROR_NO_SPACE, space_check(&fill, false, &error));
    assert_int_equal(count_stored(&kept, 1), 1);
    lock_release(&lock);
    options.maximum_size = 0;
}

static void what_a_filler_has_left_goes_first(void **state)
{
    struct fixture *fixture = *state;
    struct fill stale = fill_of("stale");
    struct fill fresh = fill_of("fresh");
    struct fill fill = fill_of("fill");
    struct lock lock = LOCK_INIT;
    struct path path = partial_directory(&stale);

    fixture->options.may_be_lost = true;
    upstream.store = &fixture->store;
    options = (struct proxy_options){.maximum_size = 20 * MIB};
    begin(&stale, 8 * MIB, &lock);
    lock_release(&lock);
    set_age_of_all(fixture->store.temporary, path.text, 3600);
    begin(&fresh, 8 * MIB, &lock);
    lock_release(&lock);
    assert_int_equal(reserve(&fill, 10), 0);
    assert_false(is_there(fixture->store.temporary, path.text));
    assert_true(is_there(fixture->store.temporary, partial_directory(&fresh).text));
    options.maximum_size = 0;
}

/* A fetch that brought nothing. */
static void fail_to_fetch(const struct fill *fill)
{
    struct report report = REPORT_INIT;
    struct lock lock = LOCK_INIT;

    begin(fill, 0, &lock);
    (void)error_set(&error, ERROR_BLOB_UNKNOWN, "it is nowhere");
    partial_write_failure(fill, &report, &error);
    lock_release(&lock);
}

/* Or whoever asks for a thousand things that are nowhere makes all that is fetched later wait. */
static void what_has_failed_is_not_gone_through_for_ever(void **state)
{
    struct fixture *fixture = *state;
    struct fill fills[] = {fill_of("failed"), fill_of("begun"), fill_of("busy"), fill_of("fresh")};
    struct fill fill = fill_of("fill");
    struct lock busy = LOCK_INIT;
    struct lock lock = LOCK_INIT;

    fixture->options.may_be_lost = true;
    upstream.store = &fixture->store;
    fail_to_fetch(&fills[0]);
    begin(&fills[1], MIB, &lock);
    lock_release(&lock);
    begin(&fills[2], 0, &busy);
    set_age_of_all(fixture->store.temporary, LAYOUT_PARTIAL, 3600);
    fail_to_fetch(&fills[3]);
    assert_int_equal(reserve(&fill, 10), 0);
    for (size_t i = 0; i < COUNT(fills); i++) {
        assert_int_equal(is_there(fixture->store.temporary, partial_directory(&fills[i]).text),
                         i > 0);
    }
    lock_release(&busy);
}

/* Stopped, or on a host that hangs, while he looked for room. */
static void nobody_waits_for_ever_to_look_for_room(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->store.root, LAYOUT_SPACE_LOCK};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct fill fill = fill_of("fill");
    pid_t child;

    fixture->options.may_be_lost = true;
    upstream.store = &fixture->store;
    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_TRY, &error));
    set_age(place.directory, place.path, 3600);
    child = fork_child();
    if (child == 0) {
        lock_release(&lock);
        begin(&fill, 0, &lock);
        _exit(reserve(&fill, 1) != 0);
    }
    assert_false(is_blocked_in_the_end(child));
    assert_int_equal(wait_for_child(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_others_still_need_is_not_given_away),
        IN_STORE(what_nobody_is_at_work_on_needs_nothing),
        IN_STORE(no_size_is_too_large_to_be_refused),
        IN_STORE(inodes_are_left_in_the_same_proportion),
        IN_STORE(room_is_made_before_it_is_used),
        IN_STORE(blobs_go_where_the_disk_lacks_room),
        IN_STORE(blobs_go_where_the_disk_lacks_inodes),
        IN_STORE(a_blob_of_unknown_length_has_to_fit_as_well),
        IN_STORE(what_a_filler_has_left_goes_first),
        IN_STORE(what_has_failed_is_not_gone_through_for_ever),
        IN_STORE(nobody_waits_for_ever_to_look_for_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
