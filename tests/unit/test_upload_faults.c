/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

/* And the next request has it open. */
static void make_open_session(struct fixture *fixture, char id[ID_SIZE], struct upload *out_upload)
{
    struct error error = ERROR_INIT;

    make_session(fixture, id);
    assert_returns(0, upload_open(out_upload, &fixture->repository, id, &error));
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

/* A second sync of the same bytes would succeed, whatever the disk has dropped of them. */
static void bytes_that_could_not_be_synced_are_never_a_blob(void **state)
{
    static const int numbers[] = {EIO, ENOSPC, EDQUOT};
    struct fixture *fixture = *state;
    struct digest digest = sha256("abcdef");

    for (size_t i = 0; i < COUNT(numbers); i++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct error error = ERROR_INIT;
        char id[ID_SIZE];
        struct blob blob;
        uint64_t size;

        make_open_session(fixture, id, &upload);
        trace_begin_with_fault(0, numbers[i]);
        trace_fault_only("fsync");
        assert_fails(numbers[i] == EIO ? ERROR_DATA_LOST : ERROR_NO_SPACE,
                     upload_finish(&upload, &digest, &error));
        assert_true(trace_end());
        assert_true(numbers[i] != EIO || strstr(error.message, "cancelled"));
        assert_fails(ERROR_UPLOAD_UNKNOWN, finish_again(fixture, id, &digest, &error));
        assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&fixture->repository, id, &size, &error));
        assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
        assert_int_equal(count_entries(fixture->store.temporary, LAYOUT_UPLOADS), 0);
    }
}

/* Not even when the session cannot be cancelled, or its process ends before it does so. */
static void what_is_left_of_a_failed_sync_is_empty(void **state)
{
    struct fixture *fixture = *state;
    struct path data;
    struct error error = ERROR_INIT;
    int descriptor;
    char id[ID_SIZE];
    struct digest digest = sha256("abcdef");

    make_session(fixture, id);
    data = layout_upload_data(id);
    descriptor = openat(fixture->store.temporary, data.text, O_RDWR);
    trace_begin_with_fault(0, EIO);
    assert_fails(ERROR_DATA_LOST, file_sync(descriptor, data.text, &error));
    assert_true(trace_end());
    (void)close(descriptor);
    assert_file(fixture->store.temporary, data.text, "");
    assert_fails(ERROR_DIGEST_INVALID, finish_again(fixture, id, &digest, &error));
}

/* It cannot be moved out of the way: then what it takes to open it goes. */
static void a_session_that_cannot_be_moved_away_is_cancelled_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size;

    make_open_session(fixture, id, &upload);
    trace_begin_with_fault(0, EIO);
    trace_fault_only("renameat");
    assert_returns(0, upload_cancel(&upload, &error));
    assert_true(trace_end());
    assert_int_equal(error.code, ERROR_NONE);
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&fixture->repository, id, &size, &error));
}

/* A disk that does not answer says nothing about the session: it is still there. */
static void a_session_that_cannot_be_looked_at_is_not_an_unknown_one(void **state)
{
    static const char *const calls[] = {"openat", "fstatat"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("abcdef");

    for (size_t i = 0; i < COUNT(calls); i++) {
        bool reached = true;

        for (size_t n = 0; reached; n++) {
            AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
            struct error error = ERROR_INIT;
            char id[ID_SIZE];
            int result;

            make_session(fixture, id);
            trace_begin_with_fault(n, EIO);
            trace_looks();
            trace_fault_only(calls[i]);
            result = upload_open(&upload, &fixture->repository, id, &error);
            reached = trace_end();
            assert_int_equal(result, reached ? -1 : 0);
            assert_int_equal(error.code, reached ? ERROR_INTERNAL : ERROR_NONE);
            upload_release(&upload);
            assert_returns(0, finish_again(fixture, id, &digest, &error));
        }
    }
}

static void no_room_for_the_state_ends_the_session(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size;

    make_open_session(fixture, id, &upload);
    assert_returns(0, upload_write(&upload, "ghi", 3, &error));
    trace_begin_with_fault(0, ENOSPC);
    trace_fault_only("pwrite");
    assert_fails(ERROR_NO_SPACE, upload_suspend(&upload, &error));
    assert_true(trace_end());
    assert_int_equal(upload.lock.descriptor, -1);
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&fixture->repository, id, &size, &error));
    assert_int_equal(count_entries(fixture->store.temporary, LAYOUT_UPLOADS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(bytes_that_could_not_be_synced_are_never_a_blob),
        IN_STORE(what_is_left_of_a_failed_sync_is_empty),
        IN_STORE(a_session_that_cannot_be_moved_away_is_cancelled_all_the_same),
        IN_STORE(no_room_for_the_state_ends_the_session),
        IN_STORE(a_session_that_cannot_be_looked_at_is_not_an_unknown_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
