/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/store/blob.h"
#include "lib/store/link.h"
#include "lib/store/touch.h"
#include "tests/unit/trace.h"

/* Whether the file of this path is touched, by its mtime, which nobody else sets. */
static bool is_touched(struct fixture *fixture, const char *path)
{
    struct stat status;

    assert_int_equal(fstatat(fixture->store.root, path, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mtime > 1000;
}

static void make_old(struct fixture *fixture, const char *path)
{
    static const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    assert_int_equal(utimensat(fixture->store.root, path, times, 0), 0);
    assert_false(is_touched(fixture, path));
}

static void a_file_is_touched_when_half_of_the_grace_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct path path = layout_lock(1);
    struct stat status = {.st_mode = S_IFREG};
    time_t now = clock_date();

    put_file(fixture->store.root, path.text, "");
    make_old(fixture, path.text);
    fixture->options.grace = 600;
    status.st_ctim.tv_sec = now - 200;
    touch_file(&fixture->store, path.text, &status);
    assert_false(is_touched(fixture, path.text));
    status.st_ctim.tv_sec = now - 400;
    touch_file(&fixture->store, path.text, &status);
    assert_true(is_touched(fixture, path.text));
    make_old(fixture, path.text);
    fixture->options.grace = 86400; /* no more than half an hour */
    status.st_ctim.tv_sec = now - 1700;
    touch_file(&fixture->store, path.text, &status);
    assert_false(is_touched(fixture, path.text));
    status.st_ctim.tv_sec = now - 1900;
    touch_file(&fixture->store, path.text, &status);
    assert_true(is_touched(fixture, path.text));
    touch_file(&fixture->store, "no/such/file", NULL);
}

static void whoever_relies_on_what_is_there_touches_it(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest layer = push_blob(&fixture->repository, "content");
    struct path bytes = layout_blob(&layer);
    struct path link = layout_link("team/app", LINK_LAYER, &layer);
    struct digest manifest;
    struct path revision;
    struct blob blob;

    assert_returns(1, blob_find(&fixture->repository, &layer, &blob, &error));
    make_old(fixture, bytes.text);
    assert_returns(1, blob_mount(&other, &blob, &error));
    assert_true(is_touched(fixture, bytes.text));
    make_old(fixture, link.text);
    assert_returns(1, blob_mount(&fixture->repository, &blob, &error));
    assert_true(is_touched(fixture, link.text));
    make_old(fixture, link.text);
    (void)push_blob(&fixture->repository, "content");
    assert_true(is_touched(fixture, link.text));
    make_old(fixture, link.text);
    blob_touch(&fixture->repository, &blob);
    assert_true(is_touched(fixture, link.text));

    make_image(&fixture->repository, "one", &image);
    manifest = push_manifest(&fixture->repository, image.data, "latest");
    revision = layout_link("team/app", LINK_REVISION, &manifest);
    make_old(fixture, revision.text);
    (void)push_manifest(&fixture->repository, image.data, "again");
    assert_true(is_touched(fixture, revision.text));
}

static void a_manifest_touches_what_it_names(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    struct digest child;
    struct path revision;

    make_image(&fixture->repository, "one", &image);
    child = push_manifest(&fixture->repository, image.data, NULL);
    revision = layout_link("team/app", LINK_REVISION, &child);
    make_old(fixture, revision.text);
    buffer_format(&index,
                  "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[{\"mediaType\":\"%s\","
                  "\"digest\":\"%s\",\"size\":%zu}]}",
                  MEDIA_TYPE_OCI_INDEX, MEDIA_TYPE_OCI_MANIFEST, child.text, image.length);
    (void)push_manifest(&fixture->repository, index.data, "latest");
    assert_true(is_touched(fixture, revision.text));
}

static void a_manifest_is_untagged_since_its_tag_moved_or_went(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer one = BUFFER_INIT;
    AUTO_BUFFER struct buffer two = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest first;
    struct path revision;

    fixture->options.grace = 86400; /* so that nobody else touches it */
    make_image(&fixture->repository, "one", &one);
    make_image(&fixture->repository, "two", &two);
    first = push_manifest(&fixture->repository, one.data, "latest");
    revision = layout_link("team/app", LINK_REVISION, &first);
    make_old(fixture, revision.text);
    (void)push_manifest(&fixture->repository, one.data, "latest");
    assert_false(is_touched(fixture, revision.text));
    (void)push_manifest(&fixture->repository, two.data, "latest");
    assert_true(is_touched(fixture, revision.text));
    (void)push_manifest(&fixture->repository, one.data, "other");
    make_old(fixture, revision.text);
    assert_returns(1, repository_delete_tag(&fixture->repository, "other", NULL, NULL, &error));
    assert_true(is_touched(fixture, revision.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_file_is_touched_when_half_of_the_grace_is_over),
        IN_STORE(whoever_relies_on_what_is_there_touches_it),
        IN_STORE(a_manifest_touches_what_it_names),
        IN_STORE(a_manifest_is_untagged_since_its_tag_moved_or_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
