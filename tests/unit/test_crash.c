/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/* What clients ask for, see tests/unit/crashing.h. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/expire.h"
#include "lib/store/put_back.h"
#include "lib/store/repository.h"
#include "lib/store/restore.h"
#include "lib/store/upload.h"
#include "tests/unit/crashing.h"
#include "tests/unit/trace.h"

#define OLD "{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{\"n\":\"old\"}}"
#define NEW "{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{\"n\":\"new\"}}"

static struct error error;

static int put_manifest(struct fixture *fixture, const char *json)
{
    static const char *const tags[] = {"v1", "v2"};
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct manifest_put put = {.document = {json, strlen(json), NULL},
                               .manifest = &manifest,
                               .digest = sha256(json),
                               .tags = tags,
                               .tag_count = COUNT(tags)};

    if (manifest_parse(&manifest, &put.document, &error) < 0) {
        return -1;
    }
    return repository_put_manifest(&fixture->repository, &put, &missing, &error);
}

static void prepare_old(struct fixture *fixture)
{
    assert_returns(0, put_manifest(fixture, OLD));
}

static int run_put(struct fixture *fixture)
{
    return put_manifest(fixture, NEW);
}

/* 0 for OLD, 1 for NEW, 2 for nothing, -1 for anything else. */
static int content_of(struct fixture *fixture, const char *tag)
{
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    int found = repository_get_manifest(&fixture->repository, tag, &read, &error);

    if (found <= 0) {
        return found < 0 ? -1 : 2;
    }
    return strcmp(read.content.data, OLD) == 0 ? 0 : strcmp(read.content.data, NEW) == 0 ? 1 : -1;
}

/* Each tag stands for itself, but nothing but old and new is ever seen. */
static int state_of_put(struct fixture *fixture)
{
    int first = content_of(fixture, "v1");
    int second = content_of(fixture, "v2");

    if (first < 0 || first > 1 || second < 0 || second > 1) {
        return -1;
    }
    return first == 1 && second == 1;
}

static int run_first_put(struct fixture *fixture)
{
    return put_manifest(fixture, NEW);
}

static int state_of_first_put(struct fixture *fixture)
{
    int first = content_of(fixture, "v1");
    int second = content_of(fixture, "v2");

    if ((first != 1 && first != 2) || (second != 1 && second != 2)) {
        return -1;
    }
    return first == 1 && second == 1;
}

static int run_delete_manifest(struct fixture *fixture)
{
    struct digest digest = sha256(OLD);

    return repository_delete_manifest(&fixture->repository, &digest, NULL, &error);
}

static int state_of_delete_manifest(struct fixture *fixture)
{
    int first = content_of(fixture, "v1");
    int second = content_of(fixture, "v2");
    int digest = content_of(fixture, sha256(OLD).text);

    if ((first != 0 && first != 2) || (second != 0 && second != 2) ||
        (digest != 0 && digest != 2)) {
        return -1;
    }
    /* A tag never outlives its manifest. */
    if (digest == 2 && (first == 0 || second == 0)) {
        return -1;
    }
    return first == 2 && second == 2 && digest == 2;
}

static int run_delete_tag(struct fixture *fixture)
{
    return repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error);
}

static int state_of_delete_tag(struct fixture *fixture)
{
    int first = content_of(fixture, "v1");

    if (content_of(fixture, "v2") != 0 || (first != 0 && first != 2)) {
        return -1;
    }
    return first == 2;
}

/* Both tags stand for NEW, and OLD is in the trash. */
static void prepare_put_back(struct fixture *fixture)
{
    struct digest digest = sha256(OLD);

    prepare_old(fixture);
    assert_returns(0, put_manifest(fixture, NEW));
    assert_returns(1, repository_delete_manifest(&fixture->repository, &digest, NULL, &error));
}

static void say_nothing(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    (void)name;
}

static int run_put_back(struct fixture *fixture)
{
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    struct digest digest = sha256(OLD);

    restoration.restored = say_nothing;
    restoration.problem = say_nothing;
    return put_back_tag(&restoration, "v1", &digest, &error);
}

/* Whatever was cut, what is known of the tag begins with its first push. */
static int state_of_put_back(struct fixture *fixture)
{
    AUTO_HISTORY struct history history = HISTORY_INIT;
    int first = content_of(fixture, "v1");
    struct digest digest = sha256(OLD);

    if (content_of(fixture, "v2") != 1 || (first != 0 && first != 1) ||
        history_read(&fixture->repository, "v1", SIZE_MAX, &history, &error) <= 0 ||
        history.count < 2 || history.count > 3 ||
        !digest_equal(&history.entries[history.count - 1].digest, &digest)) {
        return -1;
    }
    return first == 0;
}

static int run_push_blob(struct fixture *fixture)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256("content");
    char id[ID_SIZE];

    if (upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error) < 0) {
        return -1;
    }
    memcpy(id, upload.id, sizeof(id));
    if (upload_write(&upload, "cont", 4, &error) < 0 || upload_suspend(&upload, &error) < 0 ||
        upload_open(&upload, &fixture->repository, id, &error) < 0 ||
        upload_write(&upload, "ent", 3, &error) < 0) {
        return -1;
    }
    return upload_finish(&upload, &digest, &error);
}

static int state_of_blob(struct fixture *fixture)
{
    struct digest digest = sha256("content");
    struct blob blob;
    int found = blob_find(&fixture->repository, &digest, &blob, &error);

    if (found > 0) {
        assert_file(fixture->store.root, layout_blob(&digest).text, "content");
    }
    return found;
}

static void prepare_blob_elsewhere(struct fixture *fixture)
{
    struct repository other = repository_named(fixture, "other");

    (void)push_blob(&other, "content");
}

static int run_mount(struct fixture *fixture)
{
    struct blob blob = {sha256("content"), sha256("content"), 7, false};

    return blob_mount(&fixture->repository, &blob, &error);
}

static void prepare_blob(struct fixture *fixture)
{
    (void)push_blob(&fixture->repository, "content");
}

static int run_unlink(struct fixture *fixture)
{
    struct digest digest = sha256("content");

    return repository_delete_blob(&fixture->repository, &digest, &error);
}

static int state_of_unlink(struct fixture *fixture)
{
    int found = state_of_blob(fixture);

    return found < 0 ? -1 : !found;
}

static const struct crashing operations[] = {
    {"the first push of a manifest", NULL, run_first_put, state_of_first_put, false, NULL},
    {"a push that moves tags", prepare_old, run_put, state_of_put, false, NULL},
    {"deleting a manifest", prepare_old, run_delete_manifest, state_of_delete_manifest, false,
     NULL},
    {"deleting a tag", prepare_old, run_delete_tag, state_of_delete_tag, false, NULL},
    {"putting a tag back", prepare_put_back, run_put_back, state_of_put_back, false, NULL},
    {"pushing a blob", NULL, run_push_blob, state_of_blob, false, NULL},
    {"mounting a blob", prepare_blob_elsewhere, run_mount, state_of_blob, false, NULL},
    {"unlinking a blob", prepare_blob, run_unlink, state_of_unlink, false, NULL},
};

static void a_crash_at_any_call_leaves_a_good_store(void **state)
{
    (void)state;
    crash_everywhere(operations, COUNT(operations), 0, &error);
}

static void an_io_error_at_any_call_leaves_a_good_store(void **state)
{
    (void)state;
    crash_everywhere(operations, COUNT(operations), EIO, &error);
}

static void a_full_disk_at_any_call_leaves_a_good_store(void **state)
{
    (void)state;
    crash_everywhere(operations, COUNT(operations), ENOSPC, &error);
}

static void what_a_crash_left_expires(void **state)
{
    struct fixture *fixture = *state;

    for (size_t n = 0;; n++) {
        pid_t child = fork_child();

        if (child == 0) {
            trace_begin_with_fault(n, 0);
            _exit(run_push_blob(fixture) < 0 ? 2 : 1);
        }
        if (wait_for_child(child) != 0) {
            break;
        }
    }
    assert_true(count_entries(fixture->store.temporary, LAYOUT_UPLOADS) > 3);
    fixture->options.upload_expiry = 1;
    set_age_of_all(fixture->store.temporary, ".", 3600);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_int_equal(count_entries(fixture->store.temporary, LAYOUT_UPLOADS), 0);
    assert_int_equal(count_entries(fixture->store.temporary, LAYOUT_PIECES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_call_leaves_a_good_store),
        cmocka_unit_test(an_io_error_at_any_call_leaves_a_good_store),
        cmocka_unit_test(a_full_disk_at_any_call_leaves_a_good_store),
        IN_STORE(what_a_crash_left_expires),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
