/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/upload.h"
#include "tests/unit/trace.h"

/* A suspended session that has "abcdef". */
static void make_session(struct fixture *fixture, char id[ID_SIZE])
{
    struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, ID_SIZE);
    assert_returns(0, upload_write(&upload, "abcdef", 6, &error));
    assert_returns(0, upload_suspend(&upload, &error));
}

/* Its state with one line exchanged; NULL cuts the state off there. */
static void change_state(struct fixture *fixture, const char *id, unsigned line, const char *text)
{
    AUTO_BUFFER struct buffer state = BUFFER_INIT;
    AUTO_BUFFER struct buffer changed = BUFFER_INIT;
    struct path path = layout_upload_state(id);
    struct error error = ERROR_INIT;
    const char *cursor;

    assert_returns(1, file_read(fixture->store.temporary, path.text, 4096, &state, &error));
    cursor = state.data;
    for (unsigned i = 0; *cursor; i++) {
        size_t length = strcspn(cursor, "\n");

        if (i == line && !text) {
            break;
        }
        buffer_format(&changed, "%.*s\n", (int)(i == line ? strlen(text) : length),
                      i == line ? text : cursor);
        cursor += length + 1;
    }
    put_file(fixture->store.temporary, path.text, changed.data);
}

/* The lines of a state file: what it is, whose, the algorithm, the boot, the offset, the hash. */
static void a_state_of_somebody_else_is_no_session(void **state)
{
    static const struct {
        unsigned line;
        const char *text;
    } rows[] = {
        {0, "berth-upload-0"}, {0, ""}, {0, NULL}, {1, "team/ap"}, {1, "team/app/x"}, {1, ""},
        {2, "sha1"},           {2, ""}, {2, NULL}, {3, NULL},      {4, NULL},         {5, NULL},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct error error = ERROR_INIT;
        char id[ID_SIZE];
        uint64_t size;

        make_session(fixture, id);
        change_state(fixture, id, rows[i].line, rows[i].text);
        assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &fixture->repository, id, &error));
        assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&fixture->repository, id, &size, &error));
    }
}

static void a_hash_that_cannot_be_trusted_is_computed_again(void **state)
{
    static const struct {
        unsigned line;
        const char *text;
    } rows[] = {
        {3, "00000000-0000-0000-0000-000000000000"}, /* another boot */
        {3, ""},
        {4, ""},
        {4, "x"},
        {4, "-1"},
        {4, "5"},
        {4, "0"},
        {4, "7"},
        {4, "70"},
        {4, "99999999999999999999999"},
        {5, ""},
        {5, "00"},
        {2, "sha512"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct digest digest = sha256("abcdef");
        struct error error = ERROR_INIT;
        char id[ID_SIZE];

        make_session(fixture, id);
        change_state(fixture, id, rows[i].line, rows[i].text);
        assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
        assert_int_equal(upload.size, 6);
        assert_int_equal(upload.hashed, 0);
        assert_returns(0, upload_finish(&upload, &digest, &error));
        assert_file(fixture->store.root, layout_blob(&digest).text, "abcdef");
    }
}

static void a_session_without_lock_or_state_is_none(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_session(fixture, id);
    assert_int_equal(unlinkat(fixture->store.temporary, layout_upload_state(id).text, 0), 0);
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &fixture->repository, id, &error));
    make_session(fixture, id);
    assert_int_equal(unlinkat(fixture->store.temporary, layout_upload_lock(id).text, 0), 0);
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &fixture->repository, id, &error));
}

/* Where the web server leaves bodies, and what it left. */
static void make_body(struct fixture *fixture, const char *content, char *path, size_t size)
{
    put_file(fixture->store.temporary, "bodies/0000000001", content);
    assert_int_equal(fchmodat(fixture->store.temporary, "bodies/0000000001", 0600, 0), 0);
    (void)snprintf(path, size, "%s/bodies/0000000001", fixture->temporary);
}

static ino_t inode_of(int directory, const char *path)
{
    struct stat status;

    assert_int_equal(fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_ino;
}

static void a_body_file_is_linked_not_copied(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("body");
    struct error error = ERROR_INIT;
    struct stat status;
    mode_t mask = umask(027);
    char path[256];
    ino_t inode;

    store_close(&fixture->store);
    assert_returns(0, store_open(&fixture->store, &fixture->options, &error));
    make_body(fixture, "body", path, sizeof(path));
    inode = inode_of(fixture->store.temporary, "bodies/0000000001");
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_int_equal(upload.size, 4);
    assert_int_equal(inode_of(fixture->store.temporary, layout_upload_data(upload.id).text), inode);
    /* The web server removes its own name. */
    assert_int_equal(unlink(path), 0);
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "body");
    assert_int_equal(fstatat(fixture->store.root, layout_blob(&digest).text, &status, 0), 0);
    assert_int_equal(status.st_ino, inode);
    assert_int_equal(status.st_mode & 0777, 0640); /* was for the web server's user only */
    assert_int_equal(umask(mask), 027);            /* untouched */
}

static void a_second_body_is_appended(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("onetwothree");
    struct error error = ERROR_INIT;
    char path[256];
    char id[ID_SIZE];

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, sizeof(id));
    make_body(fixture, "one", path, sizeof(path));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_int_equal(unlink(path), 0);
    assert_returns(0, upload_suspend(&upload, &error));
    make_body(fixture, "two", path, sizeof(path));
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_file(fixture->store.temporary, "bodies/0000000001", "two");
    assert_returns(0, upload_write(&upload, "three", 5, &error));
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "onetwothree");
}

/* As a web server sends it that tries again: the session's bytes are the file itself by then. */
static void a_body_that_comes_again_is_copied_once(void **state)
{
    static const struct rlimit limit = {1 << 20, RLIM_INFINITY};
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("bodybody");
    struct error error = ERROR_INIT;
    struct rlimit former;
    char path[256];

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &former), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    make_body(fixture, "body", path, sizeof(path));
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_int_equal(upload.size, 8);
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &former), 0);
}

static void an_empty_body_is_one_too(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("x");
    struct error error = ERROR_INIT;
    char path[256];

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    make_body(fixture, "", path, sizeof(path));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_int_equal(upload.size, 0);
    make_body(fixture, "x", path, sizeof(path));
    assert_returns(0, upload_adopt(&upload, path, &error));
    assert_int_equal(upload.size, 1);
    assert_returns(0, upload_finish(&upload, &digest, &error));
}

static void where_links_do_not_work_it_is_copied(void **state)
{
    static const int numbers[] = {EXDEV, EPERM, EMLINK, EACCES};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    struct digest digest;
    char path[256];

    make_noise(&noise, 600 * 1000); /* more than one piece */
    digest_of(DIGEST_SHA256, noise.data, noise.length, &digest);
    put_bytes(fixture->store.temporary, "bodies/large", noise.data, noise.length);
    (void)snprintf(path, sizeof(path), "%s/bodies/large", fixture->temporary);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
        trace_begin_with_fault(0, numbers[i]);
        trace_fault_only("linkat");
        assert_returns(0, upload_adopt(&upload, path, &error));
        assert_true(trace_end());
        assert_int_equal(upload.size, noise.length);
        assert_returns(0, upload_finish(&upload, &digest, &error));
    }
}

static void a_body_that_is_not_there_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/bodies/none", fixture->temporary);
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    assert_fails(ERROR_INTERNAL, upload_adopt(&upload, path, &error));
    assert_int_equal(upload.size, 0);
    assert_returns(0, upload_cancel(&upload, &error));
}

static int write_too_much(struct fixture *fixture)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    struct digest digest = sha256("");
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size;

    store_close(&fixture->store);
    if (!mount_small(fixture->path, "300k")) {
        print_message("no mounts here: not tested\n");
        return 0;
    }
    EXPECT(store_open(&fixture->store, &fixture->options, &error) == 0);
    make_noise(&noise, 400 * 1024);
    EXPECT(upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error) == 0);
    memcpy(id, upload.id, sizeof(id));
    EXPECT(upload_write(&upload, noise.data, noise.length, &error) == -1);
    EXPECT(error.code == ERROR_NO_SPACE);
    EXPECT(blob_is_stored(&fixture->store, &digest, &size, &error) == 0);
    EXPECT(upload_cancel(&upload, &error) == 0);
    EXPECT(upload_status(&fixture->repository, id, &size, &error) == -1);
    EXPECT(error.code == ERROR_UPLOAD_UNKNOWN);
    EXPECT(count_entries(fixture->store.temporary, "uploads") == 0);
    EXPECT(count_entries(fixture->store.temporary, "pieces") == 0);
    /* The space is free again. */
    EXPECT(upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error) == 0);
    EXPECT(upload_write(&upload, noise.data, 200 * 1024, &error) == 0);
    EXPECT(upload_cancel(&upload, &error) == 0);
    return 0;
}

static void a_full_disk_ends_the_session(void **state)
{
    run_in_child(write_too_much, *state);
}

static int write_above_the_limit(struct fixture *fixture)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    struct digest digest;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_noise(&noise, 10000);
    digest_of(DIGEST_SHA256, noise.data, noise.length, &digest);
    EXPECT(upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error) == 0);
    memcpy(id, upload.id, sizeof(id));
    limit_file_size(5000);
    EXPECT(upload_write(&upload, noise.data, noise.length, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL);
    EXPECT(upload.size == 0 && upload.hashed == 0);
    EXPECT(upload_suspend(&upload, &error) == 0);
    /* What was written of the piece is there: whoever goes on is told how far it is. */
    EXPECT(upload_open(&upload, &fixture->repository, id, &error) == 0);
    EXPECT(upload.size <= 5000);
    EXPECT(upload_finish(&upload, &digest, &error) == -1);
    EXPECT(error.code == ERROR_DIGEST_INVALID);
    return 0;
}

static void a_partial_write_never_counts_as_all(void **state)
{
    run_in_child(write_above_the_limit, *state);
}

/* Whatever fails on the way: no answer says yes, and no blob is wrong. */
static void finishing_fails_as_a_whole(void **state)
{
    static const char *const calls[] = {"fsync", "renameat", "pwrite"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("abcdef");

    for (size_t i = 0; i < COUNT(calls); i++) {
        bool reached = true;

        for (size_t n = 0; reached && n < 100; n++) {
            AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
            struct error error = ERROR_INIT;
            struct blob blob;
            char id[ID_SIZE];
            int result;

            make_session(fixture, id);
            assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
            trace_begin_with_fault(n, EIO);
            trace_fault_only(calls[i]);
            result = upload_finish(&upload, &digest, &error);
            reached = trace_end();
            if (blob_find(&fixture->repository, &digest, &blob, &error) > 0) {
                assert_file(fixture->store.root, layout_blob(&digest).text, "abcdef");
            } else {
                assert_int_equal(result, -1);
            }
            assert_true(result == 0 || reached);
            assert_false(result == 0 && reached && strcmp(calls[i], "fsync") == 0);
            (void)repository_delete_blob(&fixture->repository, &digest, &error);
        }
    }
}

/* Finishes by an id, as the next request does. */
static int finish_again(struct fixture *fixture, const char *id, const struct digest *digest,
                        struct error *error)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;

    return upload_open(&upload, &fixture->repository, id, error) < 0
               ? -1
               : upload_finish(&upload, digest, error);
}

/* Sends a session of six bytes, whose finishing fails at the n-th call of a name. Whether it did.
 */
static bool fail_to_finish(struct fixture *fixture, const char *call, size_t n, char id[ID_SIZE])
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("abcdef");
    struct error error = ERROR_INIT;
    bool reached;
    int result;

    fixture->store.synced = (struct sync_memory){.marks = {{{.born = 0}}}};
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, ID_SIZE);
    assert_returns(0, upload_write(&upload, "abcdef", 6, &error));
    trace_begin_with_fault(n, EIO);
    trace_fault_only(call);
    result = upload_finish(&upload, &digest, &error);
    reached = trace_end();
    assert_true(result == 0 || error.code == ERROR_INTERNAL);
    return reached && result < 0;
}

static void a_finish_that_failed_succeeds_when_it_is_repeated(void **state)
{
    static const char *const calls[] = {"fsync", "renameat", "pwrite", "mkdirat"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("abcdef");
    size_t closed = 0;

    for (size_t i = 0; i < COUNT(calls); i++) {
        char id[ID_SIZE];

        /* But for the sync of the data itself. */
        for (size_t n = i == 0; fail_to_finish(fixture, calls[i], n, id); n++) {
            struct error error = ERROR_INIT;
            struct blob blob;
            uint64_t size;

            closed += !is_there(fixture->store.temporary, layout_upload_data(id).text);
            assert_returns(0, upload_status(&fixture->repository, id, &size, &error));
            assert_int_equal(size, 6);
            assert_returns(0, finish_again(fixture, id, &digest, &error));
            assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
            assert_file(fixture->store.root, layout_blob(&digest).text, "abcdef");
            assert_fails(ERROR_UPLOAD_UNKNOWN,
                         upload_status(&fixture->repository, id, &size, &error));
            assert_false(is_there(fixture->store.temporary, layout_upload(id).text));
            assert_returns(1, repository_delete_blob(&fixture->repository, &digest, &error));
        }
    }
    assert_true(closed >= 5); /* the bytes were the blob already */
}

/* Ends a process that finishes a suspended session before its n-th call. Whether it got there. */
static bool die_while_finishing(struct fixture *fixture, const char *id, size_t n)
{
    pid_t child = fork_child();

    if (child == 0) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct digest digest = sha256("abcdef");
        struct error error = ERROR_INIT;

        trace_begin_with_fault(n, 0);
        if (upload_open(&upload, &fixture->repository, id, &error) < 0 ||
            upload_finish(&upload, &digest, &error) < 0) {
            _exit(2);
        }
        _exit(1);
    }
    return wait_for_child(child) == 0;
}

static void after_a_crash_the_client_goes_on_or_is_told_that_all_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("abcdef");
    bool died = true;
    size_t n;

    for (n = 0; died; n++) {
        struct error error = ERROR_INIT;
        struct blob blob;
        char id[ID_SIZE];
        int result;

        make_session(fixture, id);
        died = die_while_finishing(fixture, id, n);
        result = finish_again(fixture, id, &digest, &error);
        assert_true(result == 0 || error.code == ERROR_UPLOAD_UNKNOWN);
        /* Unknown is a session only that was finished, but for what it left behind. */
        assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
        assert_returns(1, repository_delete_blob(&fixture->repository, &digest, &error));
    }
    assert_true(n > 10);
    fixture->damaged = true; /* pieces of the dead */
}

/* A session whose bytes have become the blob before its link could be written. */
static void make_closed_session(struct fixture *fixture, char id[ID_SIZE])
{
    assert_true(fail_to_finish(fixture, "fsync", 1, id));
    assert_false(is_there(fixture->store.temporary, layout_upload_data(id).text));
}

static void a_closed_session_takes_nothing_more(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("abcdef");
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_closed_session(fixture, id);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_true(upload.is_closed);
    assert_int_equal(upload.size, 6);
    put_file(fixture->store.temporary, LAYOUT_BODIES "/body", "ghi");
    assert_returns(0, upload_write(&upload, "ghi", 3, &error));
    assert_returns(0, upload_adopt(&upload, "/dev/null", &error));
    assert_returns(0, upload_rewind(&upload, 6, &error));
    assert_int_equal(upload.size, 6);
    assert_returns(0, upload_suspend(&upload, &error));
    assert_returns(0, finish_again(fixture, id, &digest, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "abcdef");
}

/* The blob may be somebody else's by now: who cannot prove that it was theirs gets nothing. */
static void a_closed_session_is_worth_what_its_hash_proves(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    struct digest secret = push_blob(&other, "secret");
    struct digest digest = sha256("abcdef");
    struct digest large;
    const struct digest *const wrong[] = {&secret, &large};
    struct blob blob;

    digest_of(DIGEST_SHA512, "abcdef", 6, &large);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct error error = ERROR_INIT;
        char id[ID_SIZE];

        make_closed_session(fixture, id);
        assert_fails(ERROR_UPLOAD_UNKNOWN, finish_again(fixture, id, wrong[i], &error));
        assert_returns(0, blob_find(&fixture->repository, wrong[i], &blob, &error));
        assert_fails(ERROR_UPLOAD_UNKNOWN, finish_again(fixture, id, &digest, &error));
    }
}

static void a_closed_session_whose_blob_or_hash_has_gone_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("abcdef");
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size;

    make_closed_session(fixture, id);
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    assert_fails(ERROR_UPLOAD_UNKNOWN, finish_again(fixture, id, &digest, &error));
    make_closed_session(fixture, id);
    change_state(fixture, id, 3, "00000000-0000-0000-0000-000000000000"); /* another boot */
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&fixture->repository, id, &size, &error));
    assert_fails(ERROR_UPLOAD_UNKNOWN, finish_again(fixture, id, &digest, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_state_of_somebody_else_is_no_session),
        IN_STORE(a_hash_that_cannot_be_trusted_is_computed_again),
        IN_STORE(a_session_without_lock_or_state_is_none),
        IN_STORE(a_body_file_is_linked_not_copied),
        IN_STORE(a_second_body_is_appended),
        IN_STORE(a_body_that_comes_again_is_copied_once),
        IN_STORE(an_empty_body_is_one_too),
        IN_STORE(where_links_do_not_work_it_is_copied),
        IN_STORE(a_body_that_is_not_there_is_an_error),
        IN_STORE(a_full_disk_ends_the_session),
        IN_STORE(a_partial_write_never_counts_as_all),
        IN_STORE(a_finish_that_failed_succeeds_when_it_is_repeated),
        IN_STORE(after_a_crash_the_client_goes_on_or_is_told_that_all_is_lost),
        IN_STORE(a_closed_session_takes_nothing_more),
        IN_STORE(a_closed_session_is_worth_what_its_hash_proves),
        IN_STORE(a_closed_session_whose_blob_or_hash_has_gone_is_none),
        IN_STORE(finishing_fails_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
