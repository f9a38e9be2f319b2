/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/store/trash.h"

void collected_release(struct collected *collected)
{
    buffer_release(&collected->found);
    buffer_release(&collected->problems);
}

static void note_found(void *context, const char *path, const char *why, uint64_t bytes)
{
    struct collected *collected = context;

    (void)bytes;
    buffer_format(&collected->found, "%s: %s\n", path, why);
}

static void note_problem(void *context, const char *path, const char *what,
                         enum collect_spared spared)
{
    static const char *const words[] = {"", " (tags)", " (repository)", " (blobs)"};
    struct collected *collected = context;

    buffer_format(&collected->problems, "%s: %s%s\n", path, what, words[spared]);
}

static void step(void *context)
{
    (void)context;
}

struct timespec let_time_pass(struct fixture *fixture)
{
    struct stat before;
    struct stat now;

    put_file(fixture->store.root, "_berth/before", "");
    assert_int_equal(fstatat(fixture->store.root, "_berth/before", &before, 0), 0);
    do {
        put_file(fixture->store.root, "_berth/now", "");
        assert_int_equal(fstatat(fixture->store.root, "_berth/now", &now, 0), 0);
    } while (!trash_is_before(&before, &now.st_ctim));
    return now.st_ctim;
}

int collect_try(struct fixture *fixture, const struct collect_options *options,
                struct collected *out, struct error *error)
{
    (void)let_time_pass(fixture);
    collected_release(out);
    out->found = (struct buffer)BUFFER_INIT;
    out->problems = (struct buffer)BUFFER_INIT;
    out->report.found = note_found;
    out->report.problem = note_problem;
    out->report.step = step;
    out->report.context = out;
    return collect_store(&fixture->store, options, &out->report, error);
}

void collect_with(struct fixture *fixture, const struct collect_options *options,
                  struct collected *out)
{
    struct error error = ERROR_INIT;

    assert_returns(1, collect_try(fixture, options, out, &error));
}

void collect(struct fixture *fixture, struct collected *out)
{
    static const struct collect_options options = {.trash_days = 7};

    out->report = (struct collect_report){.dry_run = false};
    collect_with(fixture, &options, out);
}

void collect_untagged(struct fixture *fixture, struct collected *out)
{
    static const struct collect_options options = {.trash_days = 7, .untagged = 1};

    clock_pause(1100);
    out->report = (struct collect_report){.dry_run = false};
    collect_with(fixture, &options, out);
}

static void add_descriptor(struct buffer *out, const char *type, const struct digest *digest,
                           size_t size)
{
    buffer_format(out, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", type, digest->text,
                  size);
}

struct image push(const struct repository *repository, const char *note, const char *tag,
                  const struct digest *subject)
{
    struct image image = {.layer = push_blob(repository, note)};
    struct digest config = push_blob(repository, "{}");
    AUTO_BUFFER struct buffer json = BUFFER_INIT;

    buffer_format(&json,
                  "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":", MEDIA_TYPE_OCI_MANIFEST);
    add_descriptor(&json, "application/vnd.oci.image.config.v1+json", &config, 2);
    buffer_add_text(&json, ",\"layers\":[");
    add_descriptor(&json, "application/vnd.oci.image.layer.v1.tar", &image.layer, strlen(note));
    buffer_add_text(&json, "]");
    if (subject) {
        buffer_add_text(&json, ",\"subject\":");
        add_descriptor(&json, MEDIA_TYPE_OCI_MANIFEST, subject, 2);
    }
    buffer_add_text(&json, "}");
    image.digest = push_manifest(repository, json.data, tag);
    return image;
}

struct digest push_index(const struct repository *repository, const struct image *children,
                         size_t count, const char *tag)
{
    AUTO_BUFFER struct buffer json = BUFFER_INIT;

    buffer_format(&json, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[",
                  MEDIA_TYPE_OCI_INDEX);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&json, i == 0 ? "" : ",");
        add_descriptor(&json, MEDIA_TYPE_OCI_MANIFEST, &children[i].digest, 2);
    }
    buffer_add_text(&json, "]}");
    return push_manifest(repository, json.data, tag);
}

bool has_link(struct fixture *fixture, enum link_kind kind, const struct digest *digest)
{
    return is_there(fixture->store.root, layout_link("team/app", kind, digest).text);
}

bool has_blob(struct fixture *fixture, const struct digest *digest)
{
    return is_there(fixture->store.root, layout_blob(digest).text);
}

bool has_image(struct fixture *fixture, const struct image *image)
{
    bool has = has_link(fixture, LINK_REVISION, &image->digest);

    assert_int_equal(has_link(fixture, LINK_LAYER, &image->layer), has);
    assert_int_equal(has_blob(fixture, &image->digest), has);
    assert_int_equal(has_blob(fixture, &image->layer), has);
    return has;
}

bool is_in_trash(struct fixture *fixture, const char *path)
{
    return is_there(fixture->store.root, layout_trash(TRASH_COLLECTED, path).text);
}
