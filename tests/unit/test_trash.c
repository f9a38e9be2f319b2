/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "lib/store/settle.h"
#include "lib/store/trash.h"
#include "tests/unit/trace.h"

static void put_in_trash(struct fixture *fixture, enum trash which, const char *path)
{
    struct error error = ERROR_INIT;

    assert_returns(1, trash_put(&fixture->store, which, path, &error));
    assert_false(is_there(fixture->store.root, path));
    assert_true(is_there(fixture->store.root, layout_trash(which, path).text));
}

static struct stat look(struct fixture *fixture, const char *path)
{
    struct stat status;

    assert_int_equal(fstatat(fixture->store.root, path, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status;
}

/* Until what is done next has a later time than what was done before. */
static struct timespec later(struct fixture *fixture)
{
    struct stat before;
    struct stat now;

    put_file(fixture->store.root, "_berth/before", "");
    before = look(fixture, "_berth/before");
    do {
        put_file(fixture->store.root, "_berth/now", "");
        now = look(fixture, "_berth/now");
    } while (!trash_is_before(&before, &now.st_ctim));
    return now.st_ctim;
}

static void what_was_put_there_is_out_of_sight_with_its_directory(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct error error = ERROR_INIT;
    struct blob blob;

    put_in_trash(fixture, TRASH_DELETED, link.text);
    assert_false(is_there(fixture->store.root, layout_above(link.text).text));
    assert_true(is_there(fixture->store.root, layout_layers("team/app").text));
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_returns(0, trash_put(&fixture->store, TRASH_DELETED, link.text, &error));
    assert_returns(0, trash_put(&fixture->store, TRASH_COLLECTED, link.text, &error));
    assert_returns(1, trash_take_back(&fixture->store, TRASH_DELETED, link.text, &error));
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_returns(0, trash_take_back(&fixture->store, TRASH_DELETED, link.text, &error));
}

static void collected_bytes_come_back_for_whoever_looks(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path path = layout_blob(&digest);
    struct repository other = repository_named(fixture, "other");
    struct error error = ERROR_INIT;
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct blob blob;
    uint64_t size;
    AUTO_CLOSE int descriptor = -1;

    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_int_equal(blob.size, 7);
    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    descriptor = blob_open(&fixture->repository, &blob, &error);
    assert_true(descriptor >= 0);
    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    assert_returns(1, blob_is_stored(&fixture->store, &digest, &size, &error));
    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    assert_returns(1, blob_read(&fixture->store, &digest, 100, &bytes, &error));
    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    assert_returns(1, blob_mount(&other, &blob, &error));
    assert_true(is_there(fixture->store.root, path.text));
}

static void collected_links_come_back_for_whoever_follows_them(void **state)
{
    struct fixture *fixture = *state;
    struct digest layer = push_blob(&fixture->repository, "content");
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest manifest;
    struct blob blob;

    make_image(&fixture->repository, "one", &image);
    manifest = push_manifest(&fixture->repository, image.data, "latest");
    put_in_trash(fixture, TRASH_COLLECTED, layout_link("team/app", LINK_LAYER, &layer).text);
    put_in_trash(fixture, TRASH_COLLECTED, layout_blob(&layer).text);
    assert_returns(1, blob_find(&fixture->repository, &layer, &blob, &error));
    put_in_trash(fixture, TRASH_COLLECTED, layout_link("team/app", LINK_REVISION, &manifest).text);
    assert_returns(1, revision_exists(&fixture->repository, &manifest, &error));
}

/* Somebody else, who takes a thing back in the moment between a look at its place and one at the
 * trash; and a collector who takes that once more. */
struct somebody {
    struct fixture *fixture;
    struct path place;
    int takes;    /* how often it is taken back before the look at the trash */
    int collects; /* how often it is collected before the look at its place */
};

static void interfere(void *context, const char *line)
{
    struct somebody *somebody = context;
    int root = somebody->fixture->store.root;
    struct path trash = layout_trash(TRASH_COLLECTED, somebody->place.text);
    bool is_look = strncmp(line, "fstatat ", 8) == 0 || strncmp(line, "openat ", 7) == 0;

    if (is_look && strstr(line, trash.text) && somebody->takes > 0) {
        somebody->takes--;
        (void)mkdirat(root, layout_above(somebody->place.text).text, 0777);
        assert_int_equal(renameat(root, trash.text, root, somebody->place.text), 0);
    } else if (is_look && !strstr(line, trash.text) && strstr(line, somebody->place.text) &&
               somebody->collects > 0 && is_there(root, somebody->place.text)) {
        somebody->collects--;
        (void)mkdirat(root, layout_above(trash.text).text, 0777);
        assert_int_equal(renameat(root, somebody->place.text, root, trash.text), 0);
    }
}

static void assert_found_although(struct somebody somebody, const struct digest *digest)
{
    struct error error = ERROR_INIT;
    struct blob blob;

    put_in_trash(somebody.fixture, TRASH_COLLECTED, somebody.place.text);
    trace_begin();
    trace_looks();
    trace_hook(interfere, &somebody);
    assert_returns(1, blob_find(&somebody.fixture->repository, digest, &blob, &error));
    (void)trace_end();
    assert_int_equal(somebody.takes + somebody.collects, 0);
    somebody.fixture->store.only_looks = false;
    assert_returns(1, blob_find(&somebody.fixture->repository, digest, &blob, &error));
}

static void what_somebody_else_takes_back_meanwhile_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path places[] = {layout_blob(&digest), layout_link("team/app", LINK_LAYER, &digest)};

    for (size_t i = 0; i < COUNT(places); i++) {
        assert_found_although((struct somebody){fixture, places[i], 1, 0}, &digest);
        assert_found_although((struct somebody){fixture, places[i], 0, 2}, &digest);
        fixture->store.only_looks = true;
        assert_found_although((struct somebody){fixture, places[i], 1, 0}, &digest);
    }
}

static void what_somebody_deleted_stays_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct error error = ERROR_INIT;
    struct blob blob;

    put_in_trash(fixture, TRASH_COLLECTED, link.text); /* and is pushed again */
    (void)push_blob(&fixture->repository, "content");
    put_in_trash(fixture, TRASH_DELETED, link.text);
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
    assert_returns(1, trash_take_back(&fixture->store, TRASH_DELETED, link.text, &error));
    put_in_trash(fixture, TRASH_COLLECTED, link.text); /* not seen, but meant */
    assert_returns(1, trash_put(&fixture->store, TRASH_DELETED, link.text, &error));
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
}

static void is_durable_and_unsettled_before_it_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path path = layout_blob(&digest);
    struct error error = ERROR_INIT;
    struct stat status = look(fixture, path.text);
    uint64_t size;
    size_t moved;

    assert_true(settle_is_done(&status));
    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    trace_begin();
    assert_returns(1, blob_is_stored(&fixture->store, &digest, &size, &error));
    (void)trace_end();
    moved = trace_find("renameat ", path.text, 0);
    assert_true(moved != SIZE_MAX);
    assert_true(trace_find("fsync ", digest_hex(&digest), moved) != SIZE_MAX);
    assert_true(trace_find("fsync ", layout_above(layout_above(path.text).text).text, moved) !=
                SIZE_MAX);
    assert_true(trace_find("fsync ", LAYOUT_BLOBS, moved) != SIZE_MAX);
    status = look(fixture, path.text);
    assert_false(settle_is_done(&status));
}

static void is_an_error_when_it_cannot_be_made_durable(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path path = layout_blob(&digest);
    struct error error = ERROR_INIT;
    uint64_t size;

    put_in_trash(fixture, TRASH_COLLECTED, path.text);
    trace_begin_with_fault(0, 5 /* EIO */);
    trace_fault_only("fsync");
    assert_fails(ERROR_INTERNAL, blob_is_stored(&fixture->store, &digest, &size, &error));
    assert_true(trace_end());
    assert_returns(1, blob_is_stored(&fixture->store, &digest, &size, &error));
}

static void the_links_of_a_cache_do_not_come_back(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct error error = ERROR_INIT;
    struct blob blob;

    put_in_trash(fixture, TRASH_COLLECTED, layout_link("team/app", LINK_LAYER, &digest).text);
    fixture->options.may_be_lost = true;
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
    fixture->options.may_be_lost = false;
    assert_returns(1, blob_find(&fixture->repository, &digest, &blob, &error));
}

static void what_a_cache_deletes_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct error error = ERROR_INIT;

    fixture->options.may_be_lost = true;
    assert_returns(1, trash_put(&fixture->store, TRASH_DELETED, link.text, &error));
    assert_returns(0, trash_put(&fixture->store, TRASH_DELETED, link.text, &error));
    assert_false(is_there(fixture->store.root, layout_above(link.text).text));
    assert_false(is_there(fixture->store.root, LAYOUT_TRASH));
}

static void who_only_looks_follows_a_link_and_leaves_it_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct store looked = STORE_INIT;
    struct repository repository = fixture->repository;
    struct error error = ERROR_INIT;
    struct blob blob;

    put_in_trash(fixture, TRASH_COLLECTED, link.text);
    assert_returns(0, store_look(&looked, fixture->store.options, &error));
    repository.store = &looked;
    assert_returns(1, blob_find(&repository, &digest, &blob, &error));
    assert_false(is_there(fixture->store.root, link.text));
    store_close(&looked);
}

static bool is_no_layer(void *context, const char *path)
{
    struct buffer *seen = context;

    buffer_format(seen, "%s\n", path);
    return !strstr(path, "/_layers/");
}

/* Where a move is a second name and the end of the first, as on NFS, a crash in between leaves
 * both; and to rename one to the other is nothing at all. */
static void what_came_back_by_half_can_be_put_there_again(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path path = layout_link("team/app", LINK_LAYER, &digest);
    struct path there = layout_trash(TRASH_DELETED, path.text);
    int root = fixture->store.root;

    put_in_trash(fixture, TRASH_DELETED, path.text);
    assert_int_equal(mkdirat(root, layout_above(path.text).text, 0777), 0);
    assert_int_equal(linkat(root, there.text, root, path.text, 0), 0);
    put_in_trash(fixture, TRASH_DELETED, path.text);
    assert_int_equal(look(fixture, there.text).st_nlink, 1);
}

static void is_emptied_of_what_is_old_and_may_go(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct digest young = push_blob(&fixture->repository, "young");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    AUTO_BUFFER struct buffer seen = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct trash_emptying emptying = {.may_go = is_no_layer, .context = &seen, .dry_run = true};

    put_in_trash(fixture, TRASH_COLLECTED, layout_blob(&digest).text);
    put_in_trash(fixture, TRASH_COLLECTED, link.text);
    emptying.before = later(fixture);
    put_in_trash(fixture, TRASH_COLLECTED, layout_link("team/app", LINK_LAYER, &young).text);
    put_in_trash(fixture, TRASH_COLLECTED, layout_blob(&young).text);
    assert_returns(0, trash_empty(&fixture->store, TRASH_COLLECTED, &emptying, &error));
    assert_int_equal(emptying.files, 1);
    assert_int_equal(emptying.bytes, 7);
    assert_non_null(strstr(seen.data, link.text));
    emptying =
        (struct trash_emptying){.may_go = is_no_layer, .context = &seen, .before = emptying.before};
    assert_returns(0, trash_empty(&fixture->store, TRASH_COLLECTED, &emptying, &error));
    assert_int_equal(emptying.files, 1);
    assert_returns(0,
                   trash_has(&fixture->store, TRASH_COLLECTED, layout_blob(&digest).text, &error));
    assert_returns(1,
                   trash_has(&fixture->store, TRASH_COLLECTED, layout_blob(&young).text, &error));
    assert_returns(1, trash_has(&fixture->store, TRASH_COLLECTED, link.text, &error));
    emptying = (struct trash_emptying){.before = later(fixture)};
    assert_returns(0, trash_empty(&fixture->store, TRASH_COLLECTED, &emptying, &error));
    assert_int_equal(emptying.files, 3);
    assert_int_equal(count_entries(fixture->store.root, layout_trash(TRASH_COLLECTED, "").text), 0);
}

/* Deletes the links of some blobs. */
static void delete_links(struct fixture *fixture, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[16];
        struct digest digest;

        (void)snprintf(text, sizeof(text), "blob %zu", i);
        digest = push_blob(&fixture->repository, text);
        put_in_trash(fixture, TRASH_DELETED, layout_link("team/app", LINK_LAYER, &digest).text);
    }
}

/* Calls of this name. */
static size_t count_calls(const char *name)
{
    size_t count = 0;

    for (size_t i = 0; (i = trace_find(name, "", i)) != SIZE_MAX; i++) {
        count++;
    }
    return count;
}

static void what_stays_is_looked_at_once(void **state)
{
    enum { LINKS = 20, ABOVE = 9 /* from the tree to the directory of links */ };
    struct fixture *fixture = *state;
    struct trash_emptying emptying = {.before = {.tv_sec = 1}};
    struct error error = ERROR_INIT;

    delete_links(fixture, LINKS);
    trace_begin();
    trace_looks();
    assert_returns(0, trash_empty(&fixture->store, TRASH_DELETED, &emptying, &error));
    (void)trace_end();
    assert_int_equal(emptying.left_files, LINKS);
    assert_int_equal(count_calls("fstatat "), LINKS);
    assert_int_equal(count_calls("openat "), LINKS + ABOVE);
    assert_int_equal(count_calls("unlinkat "), 0);
}

static void what_cannot_be_looked_at_keeps_nothing_else_from_going(void **state)
{
    enum { LINKS = 5, FAILS = 11 /* of the openat()s, the directory of a link */ };
    struct fixture *fixture = *state;
    struct trash_emptying emptying = {.may_go = NULL};
    struct error error = ERROR_INIT;

    delete_links(fixture, LINKS);
    emptying.before = later(fixture);
    trace_begin_with_fault(FAILS, EACCES);
    trace_looks();
    trace_fault_only("openat");
    assert_fails(ERROR_INTERNAL, trash_empty(&fixture->store, TRASH_DELETED, &emptying, &error));
    assert_true(trace_end());
    assert_non_null(strstr(error.message, LAYOUT_TRASH "/deleted/" LAYOUT_REPOSITORIES "/"));
    assert_int_equal(emptying.files, LINKS - 1);
    assert_returns(0, trash_empty(&fixture->store, TRASH_DELETED, &emptying, &error));
    assert_int_equal(emptying.files, LINKS);
    assert_int_equal(count_entries(fixture->store.root, layout_trash(TRASH_DELETED, "").text), 0);
}

/* As the link of a tag that was written long ago. */
static struct path put_index(struct fixture *fixture, const char *tag)
{
    struct digest digest = sha256(tag);
    struct path link = layout_tag_history("team/app", tag, &digest);

    put_file(fixture->store.root, link.text, digest.text);
    return link;
}

static void what_came_with_its_directory_has_lain_there_as_long_as_that(void **state)
{
    struct fixture *fixture = *state;
    struct path old = put_index(fixture, "old");
    struct path young = put_index(fixture, "young");
    struct trash_emptying emptying = {.may_go = NULL};
    struct error error = ERROR_INIT;
    struct stat file;

    assert_true(
        trash_put_tree(&fixture->store, TRASH_DELETED, layout_tag_index("team/app", "old").text));
    emptying.before = later(fixture);
    assert_true(
        trash_put_tree(&fixture->store, TRASH_DELETED, layout_tag_index("team/app", "young").text));
    file = look(fixture, layout_trash(TRASH_DELETED, young.text).text);
    assert_true(trash_is_before(&file, &emptying.before)); /* by itself it is as old */
    assert_returns(0, trash_empty(&fixture->store, TRASH_DELETED, &emptying, &error));
    assert_int_equal(emptying.files, 1);
    assert_int_equal(emptying.left_files, 1);
    assert_returns(0, trash_has(&fixture->store, TRASH_DELETED, old.text, &error));
    assert_returns(1, trash_take_back(&fixture->store, TRASH_DELETED, young.text, &error));
    assert_file(fixture->store.root, young.text, sha256("young").text);
}

static void is_asked_for_the_index_of_a_tag_and_nothing_else(void **state)
{
    static const char *const others[] = {
        "",
        LAYOUT_REPOSITORIES "/team/app/_manifests/tags",
        LAYOUT_REPOSITORIES "/team/app/_manifests/tags/",
        LAYOUT_REPOSITORIES "/team/app/_manifests/tags/index",
        LAYOUT_REPOSITORIES "/team/app/_manifests/tags/v1/index/sha256",
        LAYOUT_REPOSITORIES "/team/app/_manifests/tags/v1/current",
        LAYOUT_REPOSITORIES "/team/index",
    };

    (void)state;
    assert_true(layout_is_tag_index(layout_tag_index("team/app", "index").text));
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_false(layout_is_tag_index(others[i]));
    }
}

static void reads_whose_blob_a_path_is(void **state)
{
    static const char *const others[] = {
        "",
        LAYOUT_BLOBS,
        LAYOUT_BLOBS "/sha256",
        LAYOUT_BLOBS "/sha256/ab/data",
        LAYOUT_BLOBS "//data",
        LAYOUT_BLOBS "/md5/ab/abcd/data",
        LAYOUT_REPOSITORIES "/team/app/_layers/sha256",
    };
    struct digest digest = sha256("content");
    struct digest read;
    struct path wrong = layout_blob(&digest);

    (void)state;
    assert_true(layout_read_blob(layout_blob(&digest).text, &read));
    assert_string_equal(read.text, digest.text);
    digest_of(DIGEST_SHA512, "x", 1, &digest);
    assert_true(layout_read_blob(layout_blob(&digest).text, &read));
    assert_string_equal(read.text, digest.text);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_false(layout_read_blob(others[i], &read));
    }
    wrong.text[strlen(LAYOUT_BLOBS "/sha256/")] ^= 1; /* in another one's directory */
    assert_false(layout_read_blob(wrong.text, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_was_put_there_is_out_of_sight_with_its_directory),
        IN_STORE(collected_bytes_come_back_for_whoever_looks),
        IN_STORE(collected_links_come_back_for_whoever_follows_them),
        IN_STORE(what_somebody_else_takes_back_meanwhile_is_there),
        IN_STORE(what_somebody_deleted_stays_deleted),
        IN_STORE(is_durable_and_unsettled_before_it_is_found),
        IN_STORE(is_an_error_when_it_cannot_be_made_durable),
        IN_STORE(the_links_of_a_cache_do_not_come_back),
        IN_STORE(what_a_cache_deletes_is_gone),
        IN_STORE(who_only_looks_follows_a_link_and_leaves_it_where_it_is),
        IN_STORE(what_came_back_by_half_can_be_put_there_again),
        IN_STORE(is_emptied_of_what_is_old_and_may_go),
        IN_STORE(what_stays_is_looked_at_once),
        IN_STORE(what_cannot_be_looked_at_keeps_nothing_else_from_going),
        IN_STORE(what_came_with_its_directory_has_lain_there_as_long_as_that),
        cmocka_unit_test(is_asked_for_the_index_of_a_tag_and_nothing_else),
        cmocka_unit_test(reads_whose_blob_a_path_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
