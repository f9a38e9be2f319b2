/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store/settle.h"
#include "lib/store/upload.h"
#include "tests/unit/trace.h"

/* How often the way to a layer was synced by a push of the image that names it. */
static size_t count_syncs_for(struct fixture *fixture, const char *json, const struct digest *layer)
{
    size_t count = 0;

    trace_begin();
    (void)push_manifest(&fixture->repository, json, "v1");
    (void)trace_end();
    for (size_t at = 0;
         (at = trace_find("fsync ", digest_hex(layer), count == 0 ? 0 : at + 1)) != SIZE_MAX;) {
        count++;
    }
    return count;
}

/* Both its bytes and its link are settled, or all of its way is synced. */
static void what_is_settled_is_not_synced_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct digest layer = sha256("layer of a");
    struct path link = layout_link("team/app", LINK_LAYER, &layer);
    struct path bytes = layout_blob(&layer);
    struct error error = ERROR_INIT;

    make_image(&fixture->repository, "a", &image);
    assert_true(settle_is_done_at(&fixture->store, link.text));
    assert_true(settle_is_done_at(&fixture->store, bytes.text));
    assert_int_equal(count_syncs_for(fixture, image.data, &layer), 0);
    assert_returns(0, settle_forget(&fixture->store, link.text, &error));
    assert_int_equal(count_syncs_for(fixture, image.data, &layer), 2);
    assert_int_equal(count_syncs_for(fixture, image.data, &layer), 2);
    (void)push_blob(&fixture->repository, "layer of a");
    assert_int_equal(count_syncs_for(fixture, image.data, &layer), 0);
    assert_returns(0, settle_forget(&fixture->store, bytes.text, &error));
    assert_int_equal(count_syncs_for(fixture, image.data, &layer), 2);
    /* What takes the name of something that was settled is not. */
    (void)push_blob(&fixture->repository, "layer of a");
    put_file(fixture->directory, "other", layer.text);
    assert_int_equal(renameat(fixture->directory, "other", fixture->store.root, link.text), 0);
    assert_int_equal(count_syncs_for(fixture, image.data, &layer), 2);
}

/* A push that failed on its way has settled nothing. */
static void nothing_is_settled_whose_sync_failed(void **state)
{
    struct fixture *fixture = *state;
    struct digest layer = sha256("content");
    struct path link = layout_link("team/app", LINK_LAYER, &layer);
    size_t failed = 0;
    bool reached = true;

    for (size_t n = 0; reached; n++) {
        AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
        struct error error = ERROR_INIT;

        assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
        assert_returns(0, upload_write(&upload, "content", 7, &error));
        trace_begin_with_fault(n, EIO);
        trace_fault_only("fsync");
        (void)upload_finish(&upload, &layer, &error);
        reached = trace_end();
        assert_int_equal(settle_is_done_at(&fixture->store, link.text), !reached);
        failed += reached;
    }
    assert_true(failed >= 6);
}

/* The names of a cache are synced by nobody: its mark is about the bytes. */
static void no_link_is_settled_in_a_store_that_may_be_lost(void **state)
{
    struct fixture *fixture = *state;
    struct digest layer;

    fixture->options.may_be_lost = true;
    layer = push_blob(&fixture->repository, "content");
    assert_false(
        settle_is_done_at(&fixture->store, layout_link("team/app", LINK_LAYER, &layer).text));
    assert_true(settle_is_done_at(&fixture->store, layout_blob(&layer).text));
}

/* The mark is no permission, and takes none away. */
static void the_mark_leaves_the_permissions(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct digest layer = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &layer);
    struct stat status;

    assert_int_equal(fstatat(fixture->store.root, link.text, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, fixture->store.file_mode | S_ISVTX);
    assert_returns(0, settle_forget(&fixture->store, link.text, &error));
    assert_int_equal(fstatat(fixture->store.root, link.text, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, fixture->store.file_mode);
    assert_returns(0, settle_forget(&fixture->store, "none", &error));
}

static void take_away(void *context, const char *line)
{
    struct fixture *fixture = context;

    if (strncmp(line, "fchmodat ", strlen("fchmodat ")) == 0) {
        (void)unlinkat(fixture->store.root, line + strlen("fchmodat "), 0);
    }
}

/* Two who miss the same thing take it back from the trash at the same moment. */
static void what_goes_in_between_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct digest layer = push_blob(&fixture->repository, "content");
    struct path link = layout_link("team/app", LINK_LAYER, &layer);
    struct error error = ERROR_INIT;

    trace_begin();
    trace_looks();
    trace_hook(take_away, fixture);
    assert_returns(0, settle_forget(&fixture->store, link.text, &error));
    (void)trace_end();
    assert_false(is_there(fixture->store.root, link.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_is_settled_is_not_synced_again),
        IN_STORE(nothing_is_settled_whose_sync_failed),
        IN_STORE(no_link_is_settled_in_a_store_that_may_be_lost),
        IN_STORE(the_mark_leaves_the_permissions),
        IN_STORE(what_goes_in_between_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
