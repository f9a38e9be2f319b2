/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "tests/unit/trace.h"

/* A file on its way, as blob_publish() takes it. */
static int make_piece(struct fixture *fixture, const char *content)
{
    int descriptor;

    put_file(fixture->store.temporary, "pieces/piece", content);
    descriptor = openat(fixture->store.temporary, "pieces/piece", O_RDWR | O_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

static void a_repository_sees_only_what_it_has_a_link_to(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "team/other");
    struct repository prefix = repository_named(fixture, "team");
    struct digest digest = push_blob(&fixture->repository, "content");
    struct blob blob = {.size = 4711};
    struct error error = ERROR_INIT;
    uint64_t size;

    assert_returns(0, blob_find(&other, &digest, &blob, &error));
    assert_returns(0, blob_find(&prefix, &digest, &blob, &error));
    assert_int_equal(blob.size, 4711);
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_int_equal(blob.size, 7);
    assert_string_equal(blob.digest.text, digest.text);
    assert_string_equal(blob.target.text, digest.text);
    assert_returns(1, blob_is_stored(&fixture->store, &digest, &size, &error));
    assert_int_equal(size, 7);
    digest = sha256("another");
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_returns(0, blob_is_stored(&fixture->store, &digest, &size, &error));
    assert_int_equal(error.code, ERROR_NONE);
}

static void opens_for_reading(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;
    AUTO_CLOSE int descriptor = -1;
    char bytes[16];

    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    descriptor = blob_open(&fixture->repository, &blob, &error);
    assert_true(descriptor >= 0);
    assert_int_equal(fcntl(descriptor, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(read(descriptor, bytes, sizeof(bytes)), 7);
    assert_memory_equal(bytes, "content", 7);
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    fixture->damaged = true;
    assert_fails(ERROR_BLOB_UNKNOWN, blob_open(&fixture->repository, &blob, &error));
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
}

static void an_alias_of_distribution_leads_to_the_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct digest alias;
    struct error error = ERROR_INIT;
    struct blob blob;

    digest_of(DIGEST_SHA512, "content", 7, &alias);
    put_file(fixture->store.root, layout_link("team/app", LINK_LAYER, &alias).text, digest.text);
    assert_returns(1, blob_find(&fixture->repository, &alias, &blob, &error));
    assert_string_equal(blob.digest.text, alias.text);
    assert_string_equal(blob.target.text, digest.text);
    assert_int_equal(blob.size, 7);
}

static void is_synced_before_it_has_a_name_and_linked_after(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    struct error error = ERROR_INIT;
    AUTO_CLOSE int descriptor = make_piece(fixture, "content");
    size_t data;
    size_t named;
    size_t linked;

    trace_begin();
    assert_returns(0, blob_publish(&fixture->repository, &digest,
                                   (struct file_place){fixture->store.temporary, "pieces/piece"},
                                   descriptor, &error));
    (void)trace_end();
    data = trace_find("fsync ", "/pieces/piece", 0);
    named = trace_find("renameat pieces/piece ", layout_blob(&digest).text, data);
    linked = trace_find("renameat ", layout_link("team/app", LINK_LAYER, &digest).text, named);
    assert_true(data < named && named < linked && linked != SIZE_MAX);
    /* The directories come last: both names are in them. */
    assert_true(trace_find("fsync ", digest_hex(&digest), linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/blobs/sha256", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/_layers/sha256", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/repositories/team/app", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/repositories/team", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/repositories", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/docker/registry/v2", linked) == SIZE_MAX); /* at the start */
}

static void is_never_acknowledged_when_something_failed(void **state)
{
    static const char *const calls[] = {"fsync", "renameat", "pwrite"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    struct file_place place = {fixture->store.temporary, "pieces/piece"};

    for (size_t i = 0; i < COUNT(calls); i++) {
        bool reached = true;

        for (size_t n = 0; reached; n++) {
            struct error error = ERROR_INIT;
            AUTO_CLOSE int descriptor = make_piece(fixture, "content");
            struct blob blob;
            int result;

            trace_begin_with_fault(n, EIO);
            trace_fault_only(calls[i]);
            result = blob_publish(&fixture->repository, &digest, place, descriptor, &error);
            reached = trace_end();
            assert_int_equal(result, reached ? -1 : 0);
            assert_true(reached || n > 0);
            if (blob_find(&fixture->repository, &digest, &blob, &error) > 0) {
                assert_file(fixture->store.root, layout_blob(&digest).text, "content");
            }
            (void)unlinkat(fixture->store.temporary, "pieces/piece", 0);
            assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
            (void)repository_delete_blob(&fixture->repository, &digest, &error);
        }
    }
}

static void pushing_again_mends_a_damaged_one(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;

    put_file(fixture->store.root, layout_blob(&digest).text, "cont");
    (void)push_blob(&fixture->repository, "content");
    assert_file(fixture->store.root, layout_blob(&digest).text, "content");
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_int_equal(blob.size, 7);
}

static void mounting_gives_another_repository_a_link(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;
    size_t linked;

    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    other.store->synced =
        (struct sync_memory){.marks = {{{.born = 0}}}}; /* as in another process */
    trace_begin();
    assert_returns(1, blob_mount(&other, &blob, &error));
    (void)trace_end();
    linked = trace_find("renameat ", layout_link("other", LINK_LAYER, &digest).text, 0);
    assert_true(linked != SIZE_MAX);
    /* The answer relies on the blob, which another one may just have made. */
    assert_true(trace_find("fsync ", digest_hex(&digest), linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/blobs/sha256", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/repositories/other", linked) != SIZE_MAX);
    assert_returns(1, blob_find(&other, &digest, &blob, &error));
    assert_file(fixture->store.root, layout_link("other", LINK_LAYER, &digest).text, digest.text);
}

static void mounting_what_has_gone_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    struct blob blob = {sha256("content"), sha256("content"), 7, false};
    struct error error = ERROR_INIT;

    assert_returns(0, blob_mount(&other, &blob, &error));
    (void)push_blob(&fixture->repository, "content");
    assert_returns(0, blob_find(&other, &blob.digest, &blob, &error));
}

static void mounting_again_is_fine(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;

    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    fixture->repository.store->synced = (struct sync_memory){.marks = {{{.born = 0}}}};
    trace_begin();
    assert_returns(1, blob_mount(&fixture->repository, &blob, &error));
    (void)trace_end();
    assert_true(trace_find("renameat ", "", 0) == SIZE_MAX);
    /* That it is there already does not mean that it is synced. */
    assert_true(trace_find("fsync ", "/blobs/sha256", 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/repositories/team/app/_layers/sha256", 0) != SIZE_MAX);
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
}

static void a_mount_whose_sync_failed_is_not_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    struct digest digest = push_blob(&fixture->repository, "content");
    struct blob blob;
    bool reached = true;

    for (size_t n = 0; reached; n++) {
        struct error error = ERROR_INIT;
        int result;

        assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
        trace_begin_with_fault(n, EIO);
        trace_fault_only("fsync");
        result = blob_mount(&other, &blob, &error);
        reached = trace_end();
        assert_int_equal(result, reached ? -1 : 1);
        assert_true(reached || n >= 5);
    }
}

static void unlinking_takes_it_from_one_repository_only(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;

    (void)push_blob(&other, "content");
    assert_returns(1, repository_delete_blob(&fixture->repository, &digest, &error));
    assert_returns(0, repository_delete_blob(&fixture->repository, &digest, &error));
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_returns(1, blob_find(&other, &digest, &blob, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "content");
    /* Without `_layers` the repository would be none to a registry in Go. */
    assert_true(
        is_there(fixture->store.root, "docker/registry/v2/repositories/team/app/_layers/sha256"));
}

static void small_ones_are_written_from_memory(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct digest digest = sha256("small");
    struct error error = ERROR_INIT;
    struct blob blob;
    uint64_t size;

    buffer_add_text(&content, "small");
    assert_returns(0, blob_write(&fixture->store, &digest, &content, &syncs, &error));
    assert_file(fixture->store.root, layout_blob(&digest).text, "small");
    assert_returns(1, blob_is_stored(&fixture->store, &digest, &size, &error));
    assert_int_equal(size, 5);
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
}

static void is_read_as_a_whole_up_to_a_limit(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct digest absent = sha256("absent");
    struct error error = ERROR_INIT;

    buffer_add_text(&out, ">");
    assert_returns(1, blob_read(&fixture->store, &digest, 7, &out, &error));
    assert_string_equal(out.data, ">content");
    assert_fails(ERROR_INTERNAL, blob_read(&fixture->store, &digest, 6, &out, &error));
    assert_returns(0, blob_read(&fixture->store, &absent, 6, &out, &error));
    assert_string_equal(out.data, ">content");
}

/* A cached manifest may name a thousand blobs. */
static void a_cache_syncs_bytes_and_no_names(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    struct file_place place = {fixture->store.temporary, "pieces/piece"};
    AUTO_CLOSE int descriptor = make_piece(fixture, "content");
    struct error error = ERROR_INIT;
    size_t synced;

    fixture->options.may_be_lost = true;
    trace_begin();
    assert_returns(0, blob_publish(&fixture->repository, &digest, place, descriptor, &error));
    (void)trace_end();
    synced = trace_find("fsync", "/pieces/piece", 0);
    assert_true(synced < trace_find("renameat pieces/piece ", "/data", 0));
    assert_int_equal(trace_find("fsync", "", synced + 1), SIZE_MAX);

    trace_begin();
    (void)push_manifest(&fixture->repository, "{\"schemaVersion\":2,\"manifests\":[]}", "v1");
    (void)trace_end();
    synced = trace_find("fsync", "", 0);
    assert_true(synced < trace_find("renameat", "/data", 0));
    assert_int_equal(trace_find("fsync", "", synced + 1), SIZE_MAX);
}

static void a_file_that_becomes_the_blob_is_told_from_another(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = sha256("content");
    struct file_place place = {fixture->store.temporary, "pieces/piece"};
    AUTO_CLOSE int first = make_piece(fixture, "content");
    struct error error = ERROR_INIT;

    assert_returns(BLOB_ABSENT, blob_match(&fixture->store, &digest, first, &error));
    assert_returns(0, blob_publish(&fixture->repository, &digest, place, first, &error));
    assert_returns(BLOB_SAME, blob_match(&fixture->store, &digest, first, &error));
    (void)push_blob(&fixture->repository, "content");
    assert_returns(BLOB_OTHER, blob_match(&fixture->store, &digest, first, &error));
}

static void its_content_is_checked(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct digest absent = sha256("absent");
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, blob_open_stored(&fixture->store, &absent, &file, &error));
    assert_returns(1, blob_open_stored(&fixture->store, &digest, &file, &error));
    assert_int_equal(file.size, 7);
    assert_returns(BLOB_SOUND,
                   blob_check(&file, &digest, &(struct blob_reader){.read = NULL}, &error));
    assert_returns(BLOB_DAMAGED,
                   blob_check(&file, &absent, &(struct blob_reader){.read = NULL}, &error));
    put_file(fixture->store.root, layout_blob(&digest).text, "c");
    fixture->damaged = true;
    assert_returns(BLOB_DAMAGED,
                   blob_check(&file, &digest, &(struct blob_reader){.read = NULL}, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_repository_sees_only_what_it_has_a_link_to),
        IN_STORE(opens_for_reading),
        IN_STORE(an_alias_of_distribution_leads_to_the_bytes),
        IN_STORE(is_synced_before_it_has_a_name_and_linked_after),
        IN_STORE(is_never_acknowledged_when_something_failed),
        IN_STORE(pushing_again_mends_a_damaged_one),
        IN_STORE(mounting_gives_another_repository_a_link),
        IN_STORE(mounting_what_has_gone_leaves_nothing),
        IN_STORE(mounting_again_is_fine),
        IN_STORE(a_mount_whose_sync_failed_is_not_acknowledged),
        IN_STORE(unlinking_takes_it_from_one_repository_only),
        IN_STORE(small_ones_are_written_from_memory),
        IN_STORE(is_read_as_a_whole_up_to_a_limit),
        IN_STORE(a_cache_syncs_bytes_and_no_names),
        IN_STORE(a_file_that_becomes_the_blob_is_told_from_another),
        IN_STORE(its_content_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
