/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/*
 * Blobs of a cache between their name and their sync: who may believe them, and what becomes of
 * them when their writer dies, with or without the machine.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/directory.h"
#include "lib/proxy/fill/unsynced.h"
#include "lib/store/blob.h"
#include "lib/store/settle.h"
#include "tests/unit/trace.h"

static struct error error;

/* On a filesystem where syncs can be put off: a tmpfs and this machine's disks are. */
static void make_cache(struct fixture *fixture)
{
    fixture->options.may_be_lost = true;
    assert_returns(0, store_mend(&fixture->store, &error));
    assert_true(fixture->store.puts_off_syncs);
    assert_false(fixture->store.keeps_no_marks);
}

/* Publishes; the descriptor, which vouches for it. */
static int publish(struct fixture *fixture, const char *content)
{
    struct digest digest = sha256(content);
    struct file_place place = {fixture->store.temporary, "pieces/new"};
    int descriptor = file_create(place.directory, place.path, &error);

    assert_true(descriptor >= 0);
    assert_returns(0, file_write_at(descriptor, 0, content, strlen(content), &error));
    assert_returns(0, blob_publish(&fixture->repository, &digest, place, descriptor, &error));
    return descriptor;
}

static struct blob find(struct fixture *fixture, const char *content)
{
    struct digest digest = sha256(content);
    struct blob blob;

    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    return blob;
}

static bool is_believed(struct fixture *fixture, const char *content)
{
    struct blob blob = find(fixture, content);

    return blob_is_believed(&fixture->store, &blob);
}

static bool is_gone(struct fixture *fixture, const char *content)
{
    struct digest digest = sha256(content);
    uint64_t size;

    return blob_is_stored(&fixture->store, &digest, &size, &error) == 0;
}

static int prove(struct fixture *fixture, const char *content)
{
    struct digest digest = sha256(content);

    return blob_prove(&fixture->store, &digest, &error);
}

static void a_blob_has_its_name_before_it_is_synced(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    int descriptor;

    make_cache(fixture);
    trace_begin();
    descriptor = publish(fixture, "content");
    (void)trace_end();
    assert_int_equal(trace_find("fsync ", "", 0), SIZE_MAX);
    assert_false(find(fixture, "content").is_settled);
    assert_true(is_believed(fixture, "content"));

    assert_returns(0, blob_settle(&fixture->store, &digest, descriptor, &error));
    (void)close(descriptor);
    assert_true(find(fixture, "content").is_settled);
    assert_true(is_believed(fixture, "content"));
}

/* As after a power cut, too: nobody has it open. */
static void what_nobody_vouches_for_is_proven_first(void **state)
{
    struct fixture *fixture = *state;

    make_cache(fixture);
    (void)close(publish(fixture, "content"));
    assert_false(is_believed(fixture, "content"));
    assert_returns(1, prove(fixture, "content"));
    assert_true(find(fixture, "content").is_settled);
    assert_true(is_believed(fixture, "content"));
    assert_returns(1, prove(fixture, "content"));
}

static void what_a_power_cut_has_damaged_is_gone(void **state)
{
    static const char *const left[] = {"", "cont", "c\0ntent", "CONTENT", "content and more"};
    struct fixture *fixture = *state;

    fixture->damaged = true; /* links to what is gone */
    make_cache(fixture);
    for (size_t i = 0; i < COUNT(left); i++) {
        struct path path = blob_path(&(struct blob){.target = sha256("content")});

        (void)close(publish(fixture, "content"));
        put_file(fixture->store.root, path.text, left[i]);
        assert_false(is_believed(fixture, "content"));
        assert_returns(0, prove(fixture, "content"));
        assert_true(is_gone(fixture, "content"));
    }
}

static int live_with_it(struct fixture *fixture, int told)
{
    (void)publish(fixture, "content");
    (void)!write(told, "x", 1);
    (void)pause();
    return 0;
}

static void a_writer_vouches_with_his_life(void **state)
{
    struct fixture *fixture = *state;
    int told[2];
    char byte;
    pid_t child;

    make_cache(fixture);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    child = fork_child();
    if (child == 0) {
        _exit(live_with_it(fixture, told[1]));
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_true(is_believed(fixture, "content"));
    assert_returns(1, prove(fixture, "content"));
    assert_false(find(fixture, "content").is_settled); /* that is for who has it */
    end_child(child);
    assert_false(is_believed(fixture, "content"));
    (void)close(told[0]);
    (void)close(told[1]);
}

static void what_the_disk_does_not_keep_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    int descriptor;

    fixture->damaged = true; /* links to what is gone */
    make_cache(fixture);
    descriptor = publish(fixture, "content");
    trace_begin_with_fault(0, EIO);
    trace_fault_only("fsync");
    assert_fails(ERROR_DATA_LOST, blob_settle(&fixture->store, &digest, descriptor, &error));
    assert_true(trace_end());
    (void)close(descriptor);
    assert_true(is_gone(fixture, "content"));

    (void)close(publish(fixture, "content"));
    trace_begin_with_fault(0, EIO);
    trace_fault_only("fsync");
    assert_returns(0, prove(fixture, "content"));
    assert_true(trace_end());
    assert_true(is_gone(fixture, "content"));
}

/* More than are kept open at a time, and one of them the disk does not keep. */
static void many_are_settled_together(void **state)
{
    enum { MANY = 100, LOST = 70 };
    struct fixture *fixture = *state;
    char content[16];
    int gone = 0;

    fixture->damaged = true; /* a link to what is gone */
    make_cache(fixture);
    for (int i = 0; i < MANY; i++) {
        struct digest digest;

        (void)snprintf(content, sizeof(content), "content %d", i);
        digest = sha256(content);
        unsynced_add(&fixture->store, &digest, publish(fixture, content));
        assert_true(unsynced_has_any());
        assert_true(is_believed(fixture, content));
    }
    trace_begin_with_fault(0, EIO);
    trace_fault_only("fsync");
    unsynced_settle();
    assert_true(trace_end());
    assert_false(unsynced_has_any());
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(content, sizeof(content), "content %d", i);
        gone += is_gone(fixture, content);
        assert_true(is_gone(fixture, content) || find(fixture, content).is_settled);
    }
    assert_int_equal(gone, 1);
}

/* A mark that another fill has left on the file, of which it was true. */
static void a_mark_of_before_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    int descriptor;

    make_cache(fixture);
    descriptor = file_create(fixture->store.root, "file", &error);
    settle_own(&fixture->store, descriptor);
    assert_true(settle_is_believed(&fixture->store, descriptor));
    assert_true(settle_put_off(&fixture->store, descriptor));
    (void)close(descriptor);
    descriptor = openat(fixture->store.root, "file", O_RDONLY | O_CLOEXEC);
    assert_false(settle_is_believed(&fixture->store, descriptor));
    (void)close(descriptor);
}

/* Where others read what only this machine has yet, or the filesystem keeps no marks. */
static void nothing_is_put_off_elsewhere(void **state)
{
    struct fixture *fixture = *state;

    make_cache(fixture);
    fixture->store.puts_off_syncs = false;
    trace_begin();
    (void)close(publish(fixture, "content"));
    (void)trace_end();
    assert_int_not_equal(trace_find("fsync ", "", 0), SIZE_MAX);
    assert_true(find(fixture, "content").is_settled);

    fixture->store.keeps_no_marks = true;
    assert_returns(0, settle_forget(&fixture->store,
                                    blob_path(&(struct blob){.target = sha256("content")}).text,
                                    &error));
    assert_true(is_believed(fixture, "content"));
}

/* Of a host that shares its disk: it may still be in its memory, whoever has read it from
 * elsewhere. */
static void who_reads_over_a_network_marks_nothing_that_is_new(void **state)
{
    struct fixture *fixture = *state;
    struct path path = blob_path(&(struct blob){.target = sha256("content")});

    make_cache(fixture);
    (void)close(publish(fixture, "content"));
    fixture->store.puts_off_syncs = false;
    assert_returns(1, prove(fixture, "content"));
    assert_false(find(fixture, "content").is_settled);
    set_age(fixture->store.root, path.text, 3600);
    assert_returns(1, prove(fixture, "content"));
    assert_true(find(fixture, "content").is_settled);
}

/* A manifest's readers ask nobody whether it is proven: what takes its name has to be on disk. */
static void what_takes_the_place_of_another_is_synced_first(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(&fixture->store);

    make_cache(fixture);
    buffer_add_text(&content, "content");
    assert_returns(0, blob_write(&fixture->store, &digest, &content, &syncs, &error));
    trace_begin();
    (void)close(publish(fixture, "content"));
    (void)trace_end();
    assert_int_not_equal(trace_find("fsync ", "", 0), SIZE_MAX);
    assert_true(find(fixture, "content").is_settled);
}

/* Where no file can be marked, all are synced, and believed; where one cannot, it is read. */
static void a_mark_that_cannot_be_set_keeps_nobody_from_reading(void **state)
{
    struct fixture *fixture = *state;

    make_cache(fixture);
    (void)close(publish(fixture, "content"));
    trace_begin_with_fault(0, EROFS);
    trace_fault_only("fchmod");
    assert_returns(1, prove(fixture, "content"));
    assert_true(trace_end());
    assert_false(is_believed(fixture, "content"));

    fixture->store.puts_off_syncs = false;
    trace_begin_with_fault(0, EPERM);
    trace_fault_only("fchmod");
    assert_returns(0, store_mend(&fixture->store, &error));
    assert_true(trace_end());
    assert_true(fixture->store.keeps_no_marks && !fixture->store.puts_off_syncs);
    assert_true(is_believed(fixture, "content"));

    fixture->store.keeps_no_marks = false;
    trace_begin_with_fault(0, EIO);
    trace_fault_only("fchmod");
    assert_returns(0, store_mend(&fixture->store, &error));
    assert_true(trace_end());
    assert_false(fixture->store.keeps_no_marks || is_believed(fixture, "content"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_blob_has_its_name_before_it_is_synced),
        IN_STORE(what_nobody_vouches_for_is_proven_first),
        IN_STORE(what_a_power_cut_has_damaged_is_gone),
        IN_STORE(a_writer_vouches_with_his_life),
        IN_STORE(what_the_disk_does_not_keep_is_gone),
        IN_STORE(many_are_settled_together),
        IN_STORE(a_mark_of_before_does_not_count),
        IN_STORE(nothing_is_put_off_elsewhere),
        IN_STORE(who_reads_over_a_network_marks_nothing_that_is_new),
        IN_STORE(what_takes_the_place_of_another_is_synced_first),
        IN_STORE(a_mark_that_cannot_be_set_keeps_nobody_from_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
