/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/http/conditions.h"
#include "lib/store/blob.h"
#include "lib/store/referrers.h"
#include "lib/store/repository.h"
#include "lib/store/settle.h"
#include "tests/unit/trace.h"

/* A push with all that can be said about it. */
struct push {
    const char *json;
    const char *const *tags;
    size_t tag_count;
    const char *if_match;
    const char *if_none_match;
    bool moves_none;
};

static int put(const struct repository *repository, const struct push *push,
               struct buffer *out_missing, struct error *error)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_DIGEST_SET struct digest_set expected = DIGEST_SET_INIT;
    AUTO_DIGEST_SET struct digest_set unwanted = DIGEST_SET_INIT;
    const struct actor actor = {.moves_none = push->moves_none};
    struct manifest_put manifest_put = {.document = {push->json, strlen(push->json), NULL},
                                        .manifest = &manifest,
                                        .digest = sha256(push->json),
                                        .tags = push->tags,
                                        .tag_count = push->tag_count,
                                        .actor = &actor,
                                        .expected = push->if_match ? &expected : NULL,
                                        .unwanted = push->if_none_match ? &unwanted : NULL};

    conditions_parse(push->if_match ? push->if_match : "", &expected);
    conditions_parse(push->if_none_match ? push->if_none_match : "", &unwanted);
    if (manifest_parse(&manifest, &manifest_put.document, error) < 0) {
        return -1;
    }
    return repository_put_manifest(repository, &manifest_put, out_missing, error);
}

static void assert_tag(const struct repository *repository, const char *tag, const char *json)
{
    struct digest digest = {.text = ""};
    struct error error = ERROR_INIT;

    if (json) {
        assert_returns(1, tag_get(repository, tag, &digest, &error));
        assert_string_equal(digest.text, sha256(json).text);
    } else {
        assert_returns(0, tag_get(repository, tag, &digest, &error));
    }
}

/* An index with these children, without mediaType: small to write. */
static void make_index(const char *const *children, size_t count, struct buffer *out)
{
    buffer_add_text(out, "{\"schemaVersion\":2,\"manifests\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_format(out, "%s{\"digest\":\"%s\",\"size\":1}", i ? "," : "", children[i]);
    }
    buffer_add_text(out, "]}");
}

static void exists_once_something_was_pushed(void **state)
{
    struct fixture *fixture = *state;
    struct repository parent = repository_named(fixture, "team");
    struct error error = ERROR_INIT;

    assert_returns(0, repository_exists(&fixture->repository, &error));
    (void)push_blob(&fixture->repository, "x");
    assert_returns(1, repository_exists(&fixture->repository, &error));
    assert_returns(0, repository_exists(&parent, &error));
}

static void is_found_by_tag_and_by_digest(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest digest;
    const char *references[2];

    make_image(&fixture->repository, "a", &image);
    digest = push_manifest(&fixture->repository, image.data, "v1");
    references[0] = "v1";
    references[1] = digest.text;
    for (size_t i = 0; i < COUNT(references); i++) {
        AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;

        assert_returns(1,
                       repository_get_manifest(&fixture->repository, references[i], &read, &error));
        assert_string_equal(read.content.data, image.data);
        assert_string_equal(read.digest.text, digest.text);
        assert_string_equal(read.media_type, MEDIA_TYPE_OCI_MANIFEST);
    }
}

static void a_reference_that_is_neither_finds_nothing(void **state)
{
    static const char *const absent[] = {"v2", "", ".", "..", "../tags/v1", "v1/current", "-"};
    static const char *const malformed[] = {"sha256:", ":", "sha256:zz", "v1:"};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    struct error error = ERROR_INIT;

    make_image(&fixture->repository, "a", &image);
    (void)push_manifest(&fixture->repository, image.data, "v1");
    for (size_t i = 0; i < COUNT(absent); i++) {
        assert_returns(0, repository_get_manifest(&fixture->repository, absent[i], &read, &error));
    }
    assert_returns(0,
                   repository_get_manifest(&fixture->repository, sha256("x").text, &read, &error));
    for (size_t i = 0; i < COUNT(malformed); i++) {
        assert_fails(ERROR_DIGEST_INVALID,
                     repository_get_manifest(&fixture->repository, malformed[i], &read, &error));
    }
}

static void several_tags_at_once(void **state)
{
    static const char *const tags[] = {"v1", "v1.2", "latest"};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct push push = {.tags = tags, .tag_count = COUNT(tags)};

    make_image(&fixture->repository, "a", &image);
    push.json = image.data;
    assert_returns(0, put(&fixture->repository, &push, &missing, &error));
    for (size_t i = 0; i < COUNT(tags); i++) {
        assert_tag(&fixture->repository, tags[i], image.data);
    }
}

static void names_everything_that_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    AUTO_BUFFER struct buffer expected = BUFFER_INIT;
    static const char *const tags[] = {"v1"};
    struct push push = {.tags = tags, .tag_count = 1};
    struct error error = ERROR_INIT;
    struct digest digest;

    /* Bytes of another repository are not the own. */
    make_image(&other, "a", &image);
    push.json = image.data;
    digest = sha256(image.data);
    assert_fails(ERROR_MANIFEST_BLOB_UNKNOWN, put(&fixture->repository, &push, &missing, &error));
    buffer_format(&expected, "{\"digest\":\"%s\"}\n{\"digest\":\"%s\"}\n",
                  sha256("layer of a").text, sha256("{}").text);
    assert_string_equal(missing.data, expected.data);
    assert_tag(&fixture->repository, "v1", NULL);
    assert_returns(0, revision_exists(&fixture->repository, &digest, &error));
    buffer_clear(&missing);
    (void)push_blob(&fixture->repository, "layer of a");
    assert_fails(ERROR_MANIFEST_BLOB_UNKNOWN, put(&fixture->repository, &push, &missing, &error));
    (void)push_blob(&fixture->repository, "{}");
    buffer_clear(&missing);
    assert_returns(0, put(&fixture->repository, &push, &missing, &error));
    assert_string_equal(missing.data, "");
}

static void sparse_ones_are_taken_as_configured(void **state)
{
    static const struct {
        enum accept_sparse sparse;
        int index;
        int image;
        int elsewhere;
    } rows[] = {
        {SPARSE_NO, -1, -1, 0},
        {SPARSE_INDEX, 0, -1, 0},
        {SPARSE_ALL, 0, 0, 0},
    };
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer elsewhere = BUFFER_INIT;
    struct digest absent = sha256("absent");
    const char *children[] = {absent.text};

    fixture->damaged = true; /* under SPARSE_NO what the others took */
    make_index(children, 1, &index);
    buffer_format(&image,
                  "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":1},"
                  "\"layers\":[]}",
                  absent.text);
    (void)push_blob(&fixture->repository, "{}");
    buffer_format(&elsewhere,
                  "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":2},\"layers\":[{"
                  "\"digest\":\"%s\",\"size\":1,\"urls\":[\"https://x/y\"]}]}",
                  sha256("{}").text, absent.text);
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer missing = BUFFER_INIT;
        struct error error = ERROR_INIT;

        fixture->options.accept_sparse = rows[i].sparse;
        assert_returns(rows[i].index, put(&fixture->repository, &(struct push){.json = index.data},
                                          &missing, &error));
        buffer_clear(&missing);
        assert_returns(rows[i].image, put(&fixture->repository, &(struct push){.json = image.data},
                                          &missing, &error));
        buffer_clear(&missing);
        assert_returns(
            rows[i].elsewhere,
            put(&fixture->repository, &(struct push){.json = elsewhere.data}, &missing, &error));
    }
}

/* As if whoever has pushed it had not got to its syncs. */
static void unsettle(struct fixture *fixture, const struct digest *blob)
{
    struct error error = ERROR_INIT;

    assert_returns(0, settle_forget(&fixture->store, layout_blob(blob).text, &error));
    assert_returns(
        0, settle_forget(&fixture->store, layout_link("team/app", LINK_LAYER, blob).text, &error));
}

static void an_index_may_name_manifests_and_plain_blobs(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest manifest;
    struct digest blob;
    struct digest alias;
    const char *children[3];

    fixture->options.accept_sparse = SPARSE_NO;
    make_image(&fixture->repository, "a", &image);
    manifest = push_manifest(&fixture->repository, image.data, NULL);
    blob = push_blob(&fixture->repository, "plain");
    digest_of(DIGEST_SHA512, image.data, image.length, &alias);
    put_file(fixture->store.root, layout_link("team/app", LINK_REVISION, &alias).text,
             manifest.text);
    children[0] = manifest.text;
    children[1] = blob.text;
    children[2] = alias.text;
    make_index(children, 3, &index);
    unsettle(fixture, &blob);
    trace_begin();
    assert_returns(0,
                   put(&fixture->repository, &(struct push){.json = index.data}, &missing, &error));
    (void)trace_end();
    /* What it names may just have been made by somebody else: it is synced as well. */
    assert_true(trace_find("fsync ", digest_hex(&manifest), 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", digest_hex(&blob), 0) != SIZE_MAX);
}

/* What is pointed at is on disk before the tag moves. */
static void the_tag_moves_when_all_else_is_on_disk(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct digest layer = sha256("layer of a");
    struct digest manifest;
    size_t moved;
    size_t synced = 0;

    make_image(&fixture->repository, "a", &image);
    fixture->store.synced = (struct sync_memory){.marks = {{{.born = 0}}}}; /* by another process */
    unsettle(fixture, &layer);
    trace_begin();
    manifest = push_manifest(&fixture->repository, image.data, "v1");
    (void)trace_end();
    moved = trace_find("renameat ", "/v1/current/link", 0);
    assert_true(moved != SIZE_MAX);
    for (size_t i = 0; i < 2; i++) { /* the blob's directory and the link's */
        synced = trace_find("fsync ", digest_hex(&layer), i == 0 ? 0 : synced + 1);
        assert_true(synced < moved);
    }
    synced = trace_find("renameat ", layout_link("team/app", LINK_REVISION, &manifest).text, 0);
    for (size_t i = 0; i < 2; i++) {
        synced = trace_find("fsync ", digest_hex(&manifest), synced + 1);
        assert_true(synced < moved);
    }
    assert_true(trace_find("fsync ", "/_manifests/revisions/sha256", 0) < moved);
    assert_true(trace_find("fsync ", "/tags/v1/current", moved) != SIZE_MAX);
}

/* A push of two tags of which one exists, every sync of which fails once. */
static void a_failed_sync_leaves_no_tag_moved(void **state)
{
    static const char old[] = "{\"schemaVersion\":2,\"manifests\":[]}";
    static const char new[] = "{\"schemaVersion\":2,\"manifests\":[ ]}";
    static const char *const tags[] = {"v1", "v2"};
    struct fixture *fixture = *state;
    struct digest digest;
    bool reached = true;
    size_t n;

    (void)push_manifest(&fixture->repository, old, "v1");
    for (n = 0; reached; n++) {
        AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
        AUTO_BUFFER struct buffer missing = BUFFER_INIT;
        struct manifest_put put = {.document = {new, strlen(new), NULL},
                                   .manifest = &manifest,
                                   .digest = sha256(new),
                                   .tags = tags,
                                   .tag_count = COUNT(tags)};
        struct error error = ERROR_INIT;
        int result;

        assert_returns(0, manifest_parse(&manifest, &put.document, &error));
        fixture->store.synced = (struct sync_memory){.marks = {{{.born = 0}}}};
        trace_begin_with_fault(n, EIO);
        trace_fault_only("fsync");
        result = repository_put_manifest(&fixture->repository, &put, &missing, &error);
        reached = trace_end();
        assert_int_equal(result, reached ? -1 : 0);
        if (reached) {
            assert_tag(&fixture->repository, "v1", old);
            assert_returns(0, tag_get(&fixture->repository, "v2", &digest, &error));
        }
    }
    assert_true(n > 10);
    assert_tag(&fixture->repository, "v1", new);
    assert_tag(&fixture->repository, "v2", new);
}

static void what_is_no_manifest_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct error error = ERROR_INIT;
    static const char *const tags[] = {"v1"};
    struct push push = {.json = "{}", .tags = tags, .tag_count = 1};

    assert_fails(ERROR_MANIFEST_INVALID, put(&fixture->repository, &push, &missing, &error));
    assert_int_equal(count_entries(fixture->store.root, "docker/registry/v2/repositories/team/app"),
                     0);
}

static void preconditions_speak_of_the_first_tag(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer old = BUFFER_INIT;
    AUTO_BUFFER struct buffer new = BUFFER_INIT;
    AUTO_BUFFER struct buffer match_old = BUFFER_INIT;
    AUTO_BUFFER struct buffer match_list = BUFFER_INIT;
    static const char *const tag[] = {"v1"};
    static const char *const fresh[] = {"fresh"};
    struct digest digest;

    make_image(&fixture->repository, "old", &old);
    make_image(&fixture->repository, "new", &new);
    digest = sha256(old.data);
    buffer_format(&match_old, "\"%s\"", digest.text);
    buffer_format(&match_list, "\"x\", W/\"%s\" ,%s", digest.text, "\"y\"");
    const struct {
        const char *const *tags;
        const char *if_match;
        const char *if_none_match;
        bool good;
    } rows[] = {
        {tag, match_old.data, NULL, true},
        {tag, digest.text, NULL, true},
        {tag, "*", NULL, true},
        {tag, "\"x\"", NULL, false},
        {tag, "", NULL, false},
        {tag, "\"\"", NULL, false},
        {tag, NULL, "*", false},
        {tag, NULL, match_old.data, false},
        {tag, NULL, match_list.data, false},
        {tag, NULL, "\"x\"", true},
        {tag, match_old.data, "\"x\"", true},
        {tag, match_old.data, "*", false},
        {fresh, "*", NULL, false},
        {fresh, match_old.data, NULL, false},
        {fresh, NULL, "*", true},
        {fresh, NULL, match_old.data, true},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer missing = BUFFER_INIT;
        struct error error = ERROR_INIT;
        struct push push = {new.data,         rows[i].tags,          1,
                            rows[i].if_match, rows[i].if_none_match, false};
        int result;

        (void)push_manifest(&fixture->repository, old.data, "v1");
        (void)repository_delete_tag(&fixture->repository, "fresh", NULL, NULL, &error);
        result = put(&fixture->repository, &push, &missing, &error);
        if (result != (rows[i].good ? 0 : -1) ||
            (!rows[i].good && error.code != ERROR_PRECONDITION)) {
            fail_msg("row %zu is %d", i, result);
        }
        assert_tag(&fixture->repository, rows[i].tags[0],
                   rows[i].good                ? new.data
                   : rows[i].tags[0] == tag[0] ? old.data
                                               : NULL);
    }
}

static void preconditions_without_a_tag_speak_of_the_digest(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct push none = {.if_none_match = "*"};
    struct push some = {.if_match = "*"};

    make_image(&fixture->repository, "a", &image);
    none.json = image.data;
    some.json = image.data;
    assert_fails(ERROR_PRECONDITION, put(&fixture->repository, &some, &missing, &error));
    assert_returns(0, put(&fixture->repository, &none, &missing, &error));
    assert_fails(ERROR_PRECONDITION, put(&fixture->repository, &none, &missing, &error));
    assert_returns(0, put(&fixture->repository, &some, &missing, &error));
}

static void a_tag_that_must_stay_stays_and_nothing_is_stored(void **state)
{
    static const char *const tags[] = {"new", "v1"};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer old = BUFFER_INIT;
    AUTO_BUFFER struct buffer new = BUFFER_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct push push = {.tags = tags, .tag_count = COUNT(tags), .moves_none = true};
    struct error error = ERROR_INIT;
    struct digest digest;

    make_image(&fixture->repository, "a", &old);
    make_image(&fixture->repository, "b", &new);
    (void)push_manifest(&fixture->repository, old.data, "v1");
    push.json = new.data;
    assert_fails(ERROR_DENIED, put(&fixture->repository, &push, &missing, &error));
    assert_non_null(strstr(error.message, "'v1'"));
    assert_tag(&fixture->repository, "v1", old.data);
    assert_tag(&fixture->repository, "new", NULL);
    digest = sha256(new.data);
    assert_returns(0, revision_exists(&fixture->repository, &digest, &error));
    /* The same once more moves nothing, and a new tag is none that moves. */
    push.json = old.data;
    assert_returns(0, put(&fixture->repository, &push, &missing, &error));
    assert_tag(&fixture->repository, "new", old.data);
}

static void deleting_takes_its_tags_and_no_others(void **state)
{
    static const char *const tags[] = {"v1", "v1.0"};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer a = BUFFER_INIT;
    AUTO_BUFFER struct buffer b = BUFFER_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct push push = {.tags = tags, .tag_count = 2};
    struct digest digest;

    make_image(&fixture->repository, "a", &a);
    make_image(&fixture->repository, "b", &b);
    push.json = a.data;
    assert_returns(0, put(&fixture->repository, &push, &missing, &error));
    /* This tag has been the manifest's and is another one's now. */
    (void)push_manifest(&fixture->repository, a.data, "moved");
    (void)push_manifest(&fixture->repository, b.data, "moved");
    digest = sha256(a.data);
    assert_returns(1, repository_delete_manifest(&fixture->repository, &digest, NULL, &error));
    assert_tag(&fixture->repository, "v1", NULL);
    assert_tag(&fixture->repository, "v1.0", NULL);
    assert_tag(&fixture->repository, "moved", b.data);
    assert_returns(0, revision_exists(&fixture->repository, &digest, &error));
    assert_returns(0, repository_delete_manifest(&fixture->repository, &digest, NULL, &error));
    assert_returns(1, repository_exists(&fixture->repository, &error));
}

static void deleting_a_tag_leaves_the_manifest(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest digest;

    make_image(&fixture->repository, "a", &image);
    digest = push_manifest(&fixture->repository, image.data, "v1");
    assert_returns(1, repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error));
    assert_returns(0, repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error));
    assert_returns(1, revision_exists(&fixture->repository, &digest, &error));
}

static void waits_for_the_lock(struct fixture *fixture, int (*function)(struct fixture *))
{
    struct path path = layout_repository_lock("team/app");
    struct file_place place = {fixture->store.root, path.text};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error error = ERROR_INIT;
    pid_t child;
    int status;

    assert_returns(LOCK_TAKEN, lock_take_or_make(&lock, place, LOCK_WAIT, &error));
    child = fork_child();
    if (child == 0) {
        lock_release(&lock);
        _exit(function(fixture));
    }
    wait_until_blocked(child);
    lock_release(&lock);
    status = wait_for_child(child);
    assert_int_equal(status, 0);
}

/* A cache's, that is: what is asked for can be had without it. */
static void a_lock_is_waited_for_as_long_as_there_is_patience(void **state)
{
    struct fixture *fixture = *state;
    AUTO_REPOSITORY_LOCK struct repository_lock theirs = hold_lock(fixture);
    AUTO_REPOSITORY_LOCK struct repository_lock ours = REPOSITORY_LOCK_INIT;
    struct error error = ERROR_INIT;

    fixture->options.lock_patience = 1;
    assert_fails(ERROR_LOCK_HELD, repository_lock(&fixture->repository, &ours, &error));
}

static int put_again(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct push push = {.json = "{\"schemaVersion\":2,\"manifests\":[]}"};

    return put(&fixture->repository, &push, &missing, &error) != 0;
}

static int delete_tag(struct fixture *fixture)
{
    struct error error = ERROR_INIT;

    return repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error) < 0;
}

static int delete_manifest(struct fixture *fixture)
{
    struct error error = ERROR_INIT;
    struct digest digest = sha256("x");

    return repository_delete_manifest(&fixture->repository, &digest, NULL, &error) < 0;
}

static void whatever_changes_tags_waits_for_the_lock(void **state)
{
    waits_for_the_lock(*state, put_again);
    waits_for_the_lock(*state, delete_tag);
    waits_for_the_lock(*state, delete_manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(exists_once_something_was_pushed),
        IN_STORE(a_lock_is_waited_for_as_long_as_there_is_patience),
        IN_STORE(is_found_by_tag_and_by_digest),
        IN_STORE(a_reference_that_is_neither_finds_nothing),
        IN_STORE(several_tags_at_once),
        IN_STORE(names_everything_that_is_missing),
        IN_STORE(sparse_ones_are_taken_as_configured),
        IN_STORE(an_index_may_name_manifests_and_plain_blobs),
        IN_STORE(the_tag_moves_when_all_else_is_on_disk),
        IN_STORE(a_failed_sync_leaves_no_tag_moved),
        IN_STORE(what_is_no_manifest_changes_nothing),
        IN_STORE(preconditions_speak_of_the_first_tag),
        IN_STORE(preconditions_without_a_tag_speak_of_the_digest),
        IN_STORE(a_tag_that_must_stay_stays_and_nothing_is_stored),
        IN_STORE(deleting_takes_its_tags_and_no_others),
        IN_STORE(deleting_a_tag_leaves_the_manifest),
        IN_STORE(whatever_changes_tags_waits_for_the_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
