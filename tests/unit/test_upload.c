/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/upload.h"

#define NOBODY "00000000-0000-4000-8000-000000000000"

/* A suspended session that has these bytes. */
static void make_session(struct fixture *fixture, const char *content, char id[ID_SIZE])
{
    struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, ID_SIZE);
    if (*content) {
        assert_returns(0, upload_write(&upload, content, strlen(content), &error));
    }
    assert_returns(0, upload_suspend(&upload, &error));
    assert_int_equal(upload.data, -1);
    assert_int_equal(upload.lock.descriptor, -1);
}

static void finish_in(struct fixture *fixture, const char *id, const char *content)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256(content);
    struct error error = ERROR_INIT;

    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, content);
    assert_false(is_there(fixture->store.temporary, layout_upload(id).text));
}

static void collects_bytes_and_becomes_a_blob(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("abcdef");
    struct error error = ERROR_INIT;
    struct blob blob;

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    assert_int_equal(strlen(upload.id), ID_SIZE - 1);
    assert_int_equal(upload.size, 0);
    assert_returns(0, upload_write(&upload, "abc", 3, &error));
    assert_returns(0, upload_write(&upload, "", 0, &error));
    assert_returns(0, upload_write(&upload, "def", 3, &error));
    assert_int_equal(upload.size, 6);
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "abcdef");
    assert_int_equal(count_entries(fixture->store.temporary, "uploads"), 0);
}

static void an_empty_one_becomes_the_empty_blob(void **state)
{
    struct fixture *fixture = *state;
    char id[ID_SIZE];

    make_session(fixture, "", id);
    finish_in(fixture, id, "");
}

static void goes_on_in_another_request(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size = 0;

    make_session(fixture, "abc", id);
    assert_returns(0, upload_status(&fixture->repository, id, &size, &error));
    assert_int_equal(size, 3);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_int_equal(upload.size, 3);
    assert_int_equal(upload.hashed, 3); /* was not read again */
    assert_string_equal(upload.id, id);
    assert_returns(0, upload_write(&upload, "def", 3, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    finish_in(fixture, id, "abcdef");
}

static void one_that_was_dropped_is_hashed_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_session(fixture, "abc", id);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_write(&upload, "def", 3, &error));
    upload_release(&upload);
    upload_release(&upload);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_int_equal(upload.size, 6);
    assert_int_equal(upload.hashed, 3);
    assert_returns(0, upload_write(&upload, "ghi", 3, &error));
    upload_release(&upload);
    finish_in(fixture, id, "abcdefghi");
}

static void another_digest_is_refused_and_the_session_stays(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest wrong = sha256("abX");
    struct digest right = sha256("abc");
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size;

    make_session(fixture, "abc", id);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, &wrong, &error));
    assert_non_null(strstr(error.message, right.text));
    assert_int_equal(upload.lock.descriptor, -1);
    assert_returns(0, blob_is_stored(&fixture->store, &wrong, &size, &error));
    assert_returns(0, blob_is_stored(&fixture->store, &right, &size, &error));
    finish_in(fixture, id, "abc");
}

static void the_digest_may_be_of_another_algorithm(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    struct digest digest;
    struct blob blob;
    char id[ID_SIZE];

    make_session(fixture, "abc", id);
    digest_of(DIGEST_SHA512, "abX", 3, &digest);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, &digest, &error));
    digest_of(DIGEST_SHA512, "abc", 3, &digest);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "abc");
}

static void sha512_from_the_start(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    struct digest digest;
    char id[ID_SIZE];

    digest_of(DIGEST_SHA512, "abcdef", 6, &digest);
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA512, &error));
    memcpy(id, upload.id, sizeof(id));
    assert_returns(0, upload_write(&upload, "abc", 3, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_int_equal(upload.hashed, 3);
    assert_returns(0, upload_write(&upload, "def", 3, &error));
    assert_returns(0, upload_finish(&upload, &digest, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "abcdef");
}

static void belongs_to_one_repository(void **state)
{
    static const char *const names[] = {"team/other", "team", "team/app/x", "app"};
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size = 0;

    make_session(fixture, "abc", id);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct repository other = repository_named(fixture, names[i]);

        assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &other, id, &error));
        assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&other, id, &size, &error));
    }
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_cancel(&upload, &error));
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &fixture->repository, id, &error));
}

static void ids_are_uuids_and_nothing_else(void **state)
{
    static const char *const ids[] = {
        "",
        ".",
        "..",
        "../uploads",
        "x",
        NOBODY,
        NOBODY "0",
        "00000000-0000-4000-8000-00000000000",
        "00000000-0000-4000-8000-00000000000A",
        "00000000-0000-4000-8000-00000000000/",
        "00000000-0000-4000-8000_000000000000",
        "000000000000-4000-8000-0000-00000000",
        "../../../../../../../../../etc/passw",
        "0000000-00000-4000-8000-000000000000",
    };
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    uint64_t size = 4711;

    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_fails(ERROR_UPLOAD_UNKNOWN,
                     upload_open(&upload, &fixture->repository, ids[i], &error));
        assert_fails(ERROR_UPLOAD_UNKNOWN,
                     upload_status(&fixture->repository, ids[i], &size, &error));
        assert_int_equal(upload.lock.descriptor, -1);
    }
    assert_int_equal(size, 4711);
    assert_int_equal(count_entries(fixture->store.temporary, "uploads"), 0);
}

/* Whatever lies there under another kind of name, and however much it looks like a session. */
static void a_session_under_another_name_is_none(void **state)
{
    static const char *const names[] = {"00000000-0000-4000-8000-00000000000A",
                                        "00000000_0000_4000_8000_000000000000", "session"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(names); i++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct error error = ERROR_INIT;
        char id[ID_SIZE];
        uint64_t size;

        make_session(fixture, "abc", id);
        assert_int_equal(renameat(fixture->store.temporary, layout_upload(id).text,
                                  fixture->store.temporary, layout_upload(names[i]).text),
                         0);
        assert_fails(ERROR_UPLOAD_UNKNOWN,
                     upload_open(&upload, &fixture->repository, names[i], &error));
        assert_fails(ERROR_UPLOAD_UNKNOWN,
                     upload_status(&fixture->repository, names[i], &size, &error));
    }
}

static void a_second_request_is_refused_and_may_still_ask_how_far_it_is(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload first = UPLOAD_INIT;
    AUTO_UPLOAD struct upload second = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    uint64_t size = 0;

    assert_returns(0, upload_start(&first, &fixture->repository, DIGEST_SHA256, &error));
    assert_fails(ERROR_UPLOAD_BUSY, upload_open(&second, &fixture->repository, first.id, &error));
    assert_int_equal(second.lock.descriptor, -1);
    assert_returns(0, upload_status(&fixture->repository, first.id, &size, &error));
    assert_int_equal(size, 0);
    assert_returns(0, upload_write(&first, "abcd", 4, &error));
    assert_returns(0, upload_status(&fixture->repository, first.id, &size, &error));
    assert_int_equal(size, 4);
}

static void a_cancelled_one_is_gone(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];
    uint64_t size;

    make_session(fixture, "abc", id);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_cancel(&upload, &error));
    assert_int_equal(upload.lock.descriptor, -1);
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_UPLOAD_UNKNOWN, upload_status(&fixture->repository, id, &size, &error));
    assert_int_equal(count_entries(fixture->store.temporary, "uploads"), 0);
}

static void rewinding_takes_back_what_came_since(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_session(fixture, "abc", id);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_rewind(&upload, 3, &error));
    assert_returns(0, upload_write(&upload, "XYZ", 3, &error));
    assert_returns(0, upload_rewind(&upload, 3, &error));
    assert_int_equal(upload.size, 3);
    assert_returns(0, upload_rewind(&upload, 10, &error));
    assert_int_equal(upload.size, 3);
    assert_returns(0, upload_write(&upload, "def", 3, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    finish_in(fixture, id, "abcdef");
}

static void rewinding_nothing_is_fine(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    assert_returns(0, upload_rewind(&upload, 0, &error));
    assert_int_equal(upload.size, 0);
}

/* The saved hash must never vouch for bytes that others have replaced. */
static void a_hash_of_bytes_that_were_rewound_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest old = sha256("AAAA");
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_session(fixture, "AAAA", id);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_rewind(&upload, 1, &error));
    assert_returns(0, upload_write(&upload, "BBB", 3, &error));
    upload_release(&upload); /* as if killed */
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, &old, &error));
    finish_in(fixture, id, "ABBB");
}

static void bytes_that_are_missing_are_noticed(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("abcdef");
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_session(fixture, "abcdef", id);
    put_file(fixture->store.temporary, layout_upload_data(id).text, "abc");
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_int_equal(upload.size, 3);
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, &digest, &error));
    finish_in(fixture, id, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(collects_bytes_and_becomes_a_blob),
        IN_STORE(an_empty_one_becomes_the_empty_blob),
        IN_STORE(goes_on_in_another_request),
        IN_STORE(one_that_was_dropped_is_hashed_again),
        IN_STORE(another_digest_is_refused_and_the_session_stays),
        IN_STORE(the_digest_may_be_of_another_algorithm),
        IN_STORE(sha512_from_the_start),
        IN_STORE(belongs_to_one_repository),
        IN_STORE(ids_are_uuids_and_nothing_else),
        IN_STORE(a_session_under_another_name_is_none),
        IN_STORE(a_second_request_is_refused_and_may_still_ask_how_far_it_is),
        IN_STORE(a_cancelled_one_is_gone),
        IN_STORE(rewinding_takes_back_what_came_since),
        IN_STORE(rewinding_nothing_is_fine),
        IN_STORE(a_hash_of_bytes_that_were_rewound_is_forgotten),
        IN_STORE(bytes_that_are_missing_are_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
