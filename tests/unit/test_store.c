/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/repository.h"
#include "lib/store/upload.h"
#include "tests/unit/trace.h"

static void opening_makes_what_is_missing(void **state)
{
    struct fixture *fixture = *state;

    assert_true(is_there(fixture->store.root, "docker/registry/v2/blobs"));
    assert_true(is_there(fixture->store.root, "docker/registry/v2/repositories"));
    assert_true(is_there(fixture->store.root, "_berth/locks"));
    assert_true(is_there(fixture->store.temporary, "uploads"));
    assert_true(is_there(fixture->store.temporary, "pieces"));
    assert_true(is_there(fixture->store.temporary, "bodies"));
    assert_int_equal(fcntl(fixture->store.root, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fixture->store.temporary, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    /* The trial of link and rename leaves nothing behind. */
    assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
    assert_int_equal(count_entries(fixture->store.root, "_berth"), 1);
}

static void opens_a_store_that_is_there_already(void **state)
{
    struct fixture *fixture = *state;
    struct store again = STORE_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = push_blob(&fixture->repository, "content");

    assert_returns(0, store_open(&again, &fixture->options, &error));
    assert_int_equal(error.code, ERROR_NONE);
    assert_file(again.root, layout_blob(&digest).text, "content");
    store_close(&again);
    assert_int_equal(again.root, -1);
    assert_int_equal(again.temporary, -1);
    store_close(&again);
}

static void looking_makes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store store = STORE_INIT;
    struct store_options options = fixture->options;
    struct error error = ERROR_INIT;
    char root[256];
    char temporary[256];

    (void)snprintf(root, sizeof(root), "%s/new", fixture->path);
    (void)snprintf(temporary, sizeof(temporary), "%s/new-tmp", fixture->path);
    options.root = root;
    options.temporary = temporary;
    assert_fails(ERROR_INTERNAL, store_look(&store, &options, &error));
    assert_non_null(strstr(error.message, root));
    assert_int_equal(store.root, -1);
    assert_false(is_there(fixture->directory, "new"));
    assert_int_equal(mkdirat(fixture->directory, "new", 0777), 0);
    assert_returns(0, store_look(&store, &options, &error));
    assert_int_equal(count_entries(store.root, "."), 0);
    assert_false(is_there(fixture->directory, "new-tmp"));
    assert_int_equal(store.temporary, -1);
    store_close(&store);
}

static void makes_the_directories_above_the_two(void **state)
{
    struct fixture *fixture = *state;
    struct store store = STORE_INIT;
    struct store_options options = fixture->options;
    struct error error = ERROR_INIT;
    char root[256];
    char temporary[256];

    (void)snprintf(root, sizeof(root), "%s/a/b/c", fixture->path);
    (void)snprintf(temporary, sizeof(temporary), "%s/a/x/y", fixture->path);
    options.root = root;
    options.temporary = temporary;
    assert_returns(0, store_open(&store, &options, &error));
    assert_true(is_there(fixture->directory, "a/b/c/_berth/locks"));
    assert_true(is_there(fixture->directory, "a/x/y/pieces"));
    store_close(&store);
}

/* The first thing that is acknowledged relies on the store's own directories. */
static void opening_syncs_what_it_makes(void **state)
{
    struct fixture *fixture = *state;
    struct store store = STORE_INIT;
    struct store_options options = fixture->options;
    struct error error = ERROR_INIT;
    char root[256];
    char temporary[256];

    (void)snprintf(root, sizeof(root), "%s/new", fixture->path);
    (void)snprintf(temporary, sizeof(temporary), "%s/new-tmp", fixture->path);
    options.root = root;
    options.temporary = temporary;
    trace_begin();
    assert_returns(0, store_open(&store, &options, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", "/new", 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", strrchr(fixture->path, '/'), 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/new/docker", 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/new/docker/registry", 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/new/docker/registry/v2", 0) != SIZE_MAX);
    store_close(&store);
}

static void a_file_in_the_way_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct store store = STORE_INIT;
    struct store_options options = fixture->options;
    struct error error = ERROR_INIT;
    char root[256];

    put_file(fixture->directory, "file", "");
    (void)snprintf(root, sizeof(root), "%s/file", fixture->path);
    options.root = root;
    assert_fails(ERROR_INTERNAL, store_open(&store, &options, &error));
    (void)snprintf(root, sizeof(root), "%s/file/below", fixture->path);
    assert_fails(ERROR_INTERNAL, store_open(&store, &options, &error));
    put_file(fixture->directory, "half/docker", "");
    (void)snprintf(root, sizeof(root), "%s/half", fixture->path);
    assert_fails(ERROR_INTERNAL, store_open(&store, &options, &error));
    assert_int_equal(store.root, -1);
}

static int open_on_two_filesystems(struct fixture *fixture)
{
    struct store store = STORE_INIT;
    struct store_options options = fixture->options;
    struct error error = ERROR_INIT;
    char temporary[256];

    (void)snprintf(temporary, sizeof(temporary), "%s/other", fixture->path);
    EXPECT(mkdir(temporary, 0777) == 0);
    if (!mount_small(temporary, "1m")) {
        print_message("no mounts here: not tested\n");
        return 0;
    }
    options.temporary = temporary;
    EXPECT(store_open(&store, &options, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL && strstr(error.message, "one filesystem"));
    EXPECT(strstr(error.message, temporary));
    return 0;
}

static void refuses_two_filesystems(void **state)
{
    run_in_child(open_on_two_filesystems, *state);
}

static int open_without_links(struct fixture *fixture)
{
    static const int numbers[] = {EXDEV, EPERM, ENOSYS, EMLINK};
    static const char *const calls[] = {"linkat", "renameat"};

    for (size_t i = 0; i < COUNT(numbers) * COUNT(calls); i++) {
        struct store store = STORE_INIT;
        struct error error = ERROR_INIT;

        trace_begin_with_fault(0, numbers[i % COUNT(numbers)]);
        trace_fault_only(calls[i / COUNT(numbers)]);
        EXPECT(store_open(&store, &fixture->options, &error) == -1);
        EXPECT(trace_end());
        EXPECT(error.code == ERROR_INTERNAL);
        EXPECT(count_entries(fixture->store.temporary, "pieces") == 0);
        EXPECT(count_entries(fixture->store.root, "_berth") == 1);
    }
    return 0;
}

static void refuses_where_link_or_rename_do_not_work(void **state)
{
    run_in_child(open_without_links, *state);
}

static int open_on_tiny_disk(struct fixture *fixture)
{
    struct store store = STORE_INIT;
    struct error error = ERROR_INIT;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(-1);

    store_close(&fixture->store);
    if (!mount_small(fixture->path, "256k")) {
        print_message("no mounts here: not tested\n");
        return 0;
    }
    EXPECT(store_open(&store, &fixture->options, &error) == 0);
    make_noise(&noise, 1024 * 1024);
    syncs.root = store.root;
    EXPECT(store_write(&store, "docker/file", &noise, &syncs, &error) == -1);
    EXPECT(error.code == ERROR_NO_SPACE);
    EXPECT(!is_there(store.root, "docker/file"));
    EXPECT(count_entries(store.temporary, "pieces") == 0);
    EXPECT(store_check_space(&store, 300 * 1024, &error) == -1 && error.code == ERROR_NO_SPACE);
    EXPECT(store_check_space(&store, 1024, &error) == 0);
    store_close(&store);
    EXPECT(make_read_only(fixture->path));
    error = (struct error)ERROR_INIT;
    EXPECT(store_open(&store, &fixture->options, &error) == 0);
    EXPECT(error.code == ERROR_NONE);
    syncs.root = store.root;
    noise.length = 10;
    EXPECT(store_write(&store, "docker/file", &noise, &syncs, &error) == -1);
    EXPECT(error.code == ERROR_NO_SPACE);
    store_close(&store);
    return 0;
}

static void a_full_disk_leaves_nothing_half_and_a_read_only_one_opens(void **state)
{
    struct fixture *fixture = *state;

    run_in_child(open_on_tiny_disk, fixture);
}

static void knows_how_much_space_there_is(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct statvfs status;
    uint64_t available;

    assert_int_equal(fstatvfs(fixture->store.root, &status), 0);
    available = (uint64_t)status.f_bavail * status.f_frsize;
    assert_returns(0, store_check_space(&fixture->store, 0, &error));
    assert_returns(0, store_check_space(&fixture->store, available / 2, &error));
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, available * 2, &error));
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, UINT64_MAX, &error));
    fixture->options.minimum_free_space = available / 2;
    assert_returns(0, store_check_space(&fixture->store, available / 4, &error));
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, available / 4 * 3, &error));
    fixture->options.minimum_free_space = UINT64_MAX;
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, 0, &error));
    fixture->options.minimum_free_space = available * 2;
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, 0, &error));
}

static int run_out_of_inodes(struct fixture *fixture)
{
    struct store store = STORE_INIT;
    struct error error = ERROR_INIT;

    store_close(&fixture->store);
    if (!mount_small(fixture->path, "1m,nr_inodes=30")) {
        print_message("no mounts here: not tested\n");
        return 0;
    }
    EXPECT(store_open(&store, &fixture->options, &error) == 0);
    fixture->options.minimum_free_space = 900 * 1024;
    fixture->options.may_be_lost = true;
    EXPECT(store_check_space(&store, 0, &error) == -1 && error.code == ERROR_NO_SPACE);
    EXPECT(strstr(error.message, " of 30 inodes are free, a smaller part than [proxy] "
                                 "minimum_free_space = 900.0 KiB is of its bytes: remove files, or "
                                 "lower it"));
    store_close(&store);
    return 0;
}

static void says_how_much_lacks_where_and_whose_reserve_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    AUTO_BUFFER struct buffer begin = BUFFER_INIT;

    buffer_format(&begin, "the storage '%s' is full: ", fixture->root);
    fixture->options.minimum_free_space = 3 * 1024;
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, 1ULL << 60, &error));
    assert_int_equal(strncmp(error.message, begin.data, begin.length), 0);
    assert_non_null(strstr(error.message, "B are free, 1048576.0 TiB are wanted, and [hosted] "
                                          "minimum_free_space = 3.0 KiB has to be left: make room, "
                                          "or lower it"));
    fixture->options.may_be_lost = true;
    assert_fails(ERROR_NO_SPACE, store_check_space(&fixture->store, 1ULL << 60, &error));
    assert_non_null(strstr(error.message, "[proxy] minimum_free_space = "));
    fixture->options.may_be_lost = false;
    run_in_child(run_out_of_inodes, fixture);
}

static void ids_are_uuids_and_differ(void **state)
{
    static const char form[] = "xxxxxxxx-xxxx-4xxx-Vxxx-xxxxxxxxxxxx";
    char last[ID_SIZE] = "";

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[ID_SIZE];

        id_make(id);
        assert_int_equal(strlen(id), sizeof(form) - 1);
        for (size_t j = 0; form[j]; j++) {
            const char *allowed = form[j] == 'x'   ? "0123456789abcdef"
                                  : form[j] == 'V' ? "89ab"
                                  : form[j] == '4' ? "4"
                                                   : "-";

            assert_non_null(strchr(allowed, id[j]));
        }
        assert_string_not_equal(id, last);
        memcpy(last, id, sizeof(last));
    }
}

static void writes_the_content_before_the_name(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct error error = ERROR_INIT;
    size_t written;
    size_t synced;
    size_t renamed;

    buffer_add_text(&content, "new");
    put_file(fixture->store.root, "docker/x/file", "old");
    trace_begin();
    assert_returns(0, store_write(&fixture->store, "docker/x/file", &content, &syncs, &error));
    assert_returns(0, sync_set_flush(&syncs, &error));
    (void)trace_end();
    written = trace_find("pwrite ", "", 0);
    synced = trace_find("fsync ", "", written);
    renamed = trace_find("renameat ", " docker/x/file", synced);
    assert_true(written < synced && synced < renamed && renamed != SIZE_MAX);
    assert_string_equal(trace_line(synced) + 6, trace_line(written) + 7);
    assert_true(trace_find("fsync ", "/docker/x", renamed) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/docker", renamed) != SIZE_MAX);
    assert_file(fixture->store.root, "docker/x/file", "new");
    assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
}

static void a_failed_write_leaves_the_old_content(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    bool reached = true;

    buffer_add_text(&content, "new");
    put_file(fixture->store.root, "docker/x/file", "old");
    for (size_t n = 0; reached; n++) {
        AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
        struct error error = ERROR_INIT;
        int result;

        trace_begin_with_fault(n, ENOSPC);
        result = store_write(&fixture->store, "docker/x/file", &content, &syncs, &error);
        reached = trace_end();
        assert_int_equal(result, reached ? -1 : 0);
        assert_int_equal(error.code, reached ? ERROR_NO_SPACE : ERROR_NONE);
        assert_file(fixture->store.root, "docker/x/file", reached ? "old" : "new");
        assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
    }
}

static void discarding_takes_out_of_sight_first(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct file_place tree = {fixture->store.root, "docker/tree"};
    struct file_place file = {fixture->store.root, "docker/file"};

    put_file(fixture->store.root, "docker/tree/a/b", "x");
    put_file(fixture->store.root, "docker/file", "x");
    trace_begin();
    assert_returns(1, store_discard(&fixture->store, tree, &error));
    (void)trace_end();
    assert_int_equal(trace_find("renameat docker/tree ", "", 0), 0);
    assert_false(is_there(fixture->store.root, "docker/tree"));
    assert_returns(1, store_discard(&fixture->store, file, &error));
    assert_false(is_there(fixture->store.root, "docker/file"));
    assert_returns(0, store_discard(&fixture->store, file, &error));
    assert_returns(0, store_discard(&fixture->store,
                                    (struct file_place){fixture->store.root, "none/x"}, &error));
    assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
    assert_int_equal(error.code, ERROR_NONE);
}

/* Somebody has emptied the temporary directory while we serve. */
static void discarding_never_pretends(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct file_place file = {fixture->store.root, "docker/file"};
    int result;

    put_file(fixture->store.root, "docker/file", "x");
    assert_int_equal(unlinkat(fixture->store.temporary, "pieces", AT_REMOVEDIR), 0);
    result = store_discard(&fixture->store, file, &error);
    assert_int_equal(result == 1, !is_there(fixture->store.root, "docker/file"));
    assert_true(result != 0);
}

/* What is there can be read, and it becomes whole as soon as there is room again. */
static void a_full_or_read_only_disk_opens_whatever_cannot_be_made(void **state)
{
    static const int numbers[] = {ENOSPC, EDQUOT, EROFS};
    static const char *const calls[] = {"mkdirat", "linkat", "renameat", "fsync"};
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    size_t failed = 0;

    for (size_t i = 0; i < COUNT(numbers) * COUNT(calls); i++) {
        bool reached = true;

        for (size_t n = 0; reached; n++) {
            AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
            struct store store = STORE_INIT;
            struct repository repository = {.store = &store, .name = "team/app"};
            struct error error = ERROR_INIT;
            struct blob blob;

            trace_begin_with_fault(n, numbers[i % COUNT(numbers)]);
            trace_fault_only(calls[i / COUNT(numbers)]);
            assert_returns(0, store_open(&store, &fixture->options, &error));
            reached = trace_end();
            failed += !store.is_whole;
            assert_int_equal(error.code, ERROR_NONE);
            assert_true(store.is_whole || reached); /* no word about the root's own parent */
            assert_returns(1, blob_find(&repository, &digest, &blob, &error));
            assert_returns(0, upload_start(&upload, &repository, DIGEST_SHA256, &error));
            assert_true(store.is_whole);
            assert_returns(0, upload_cancel(&upload, &error));
            assert_int_equal(count_entries(store.temporary, "pieces"), 0);
            store_close(&store);
        }
    }
    assert_true(failed > COUNT(numbers) * COUNT(calls));
}

static void a_full_disk_is_not_called_two_filesystems(void **state)
{
    static const int numbers[] = {ENOSPC, EDQUOT, EROFS, EIO};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct error error = ERROR_INIT;

        trace_begin_with_fault(0, numbers[i]);
        trace_fault_only("linkat");
        assert_returns(-1, store_mend(&fixture->store, &error));
        assert_true(trace_end());
        assert_null(strstr(error.message, "one filesystem"));
        assert_int_equal(error.code, numbers[i] == EIO ? ERROR_INTERNAL : ERROR_NO_SPACE);
    }
}

static void remove_from_store(struct fixture *fixture, const char *path)
{
    struct error error;

    if (*path) {
        assert_returns(0, directory_remove(fixture->store.temporary, path, &error));
    } else {
        assert_returns(0, directory_remove(AT_FDCWD, fixture->temporary, &error));
    }
}

/* While we serve, somebody tidies up. */
static void what_was_removed_of_it_is_made_again_by_the_next_push(void **state)
{
    static const char *const paths[] = {LAYOUT_UPLOADS, LAYOUT_PIECES, LAYOUT_BODIES, ""};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(paths); i++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct error error = ERROR_INIT;

        remove_from_store(fixture, paths[i]);
        assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
        for (size_t k = 0; k + 1 < COUNT(paths); k++) {
            assert_true(is_there(fixture->store.temporary, paths[k]));
        }
        assert_returns(0, upload_cancel(&upload, &error));
        remove_from_store(fixture, paths[i]);
        (void)push_manifest(&fixture->repository,
                            "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":"
                            "\"application/vnd.oci.image.index.v1+json\"}",
                            "v1");
        remove_from_store(fixture, paths[i]);
        assert_returns(1, repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(opening_makes_what_is_missing),
        IN_STORE(opens_a_store_that_is_there_already),
        IN_STORE(looking_makes_nothing),
        IN_STORE(makes_the_directories_above_the_two),
        IN_STORE(opening_syncs_what_it_makes),
        IN_STORE(a_file_in_the_way_is_an_error),
        IN_STORE(refuses_two_filesystems),
        IN_STORE(refuses_where_link_or_rename_do_not_work),
        IN_STORE(a_full_disk_leaves_nothing_half_and_a_read_only_one_opens),
        IN_STORE(knows_how_much_space_there_is),
        IN_STORE(says_how_much_lacks_where_and_whose_reserve_it_is),
        cmocka_unit_test(ids_are_uuids_and_differ),
        IN_STORE(writes_the_content_before_the_name),
        IN_STORE(a_failed_write_leaves_the_old_content),
        IN_STORE(discarding_takes_out_of_sight_first),
        IN_STORE(discarding_never_pretends),
        IN_STORE(a_full_or_read_only_disk_opens_whatever_cannot_be_made),
        IN_STORE(a_full_disk_is_not_called_two_filesystems),
        IN_STORE(what_was_removed_of_it_is_made_again_by_the_next_push),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
