/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store/repository.h"
#include "tests/unit/trace.h"

static int push_to(const struct repository *repository, const char *json, const char *const *tags,
                   size_t tag_count, struct error *error)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct manifest_put put = {.document = {json, strlen(json), NULL},
                               .manifest = &manifest,
                               .digest = sha256(json),
                               .tags = tags,
                               .tag_count = tag_count};

    assert_int_equal(manifest_parse(&manifest, &put.document, error), 0);
    return repository_put_manifest(repository, &put, &missing, error);
}

/* With one immutable tag nothing of what it stands for, and nothing beside it, goes. */
static void what_an_immutable_tag_names_is_not_deleted(void **state)
{
    static const struct actor host = {.forces = true};
    struct fixture *fixture = *state;
    const struct repository *repository = &fixture->repository;
    char *patterns[] = {TEXT("v*")};
    AUTO_BUFFER struct buffer old = BUFFER_INIT;
    AUTO_BUFFER struct buffer new = BUFFER_INIT;
    const char *tags[] = {"a", "v1", "z"};
    struct digest digest;
    struct digest current;
    struct error error = ERROR_INIT;

    make_image(repository, "old", &old);
    make_image(repository, "new", &new);
    digest = push_manifest(repository, old.data, "a");
    (void)push_manifest(repository, old.data, "v1");
    fixture->options.immutable_tags = (struct names){.names = patterns, .count = COUNT(patterns)};
    assert_fails(ERROR_TAG_IMMUTABLE, push_to(repository, new.data, tags, COUNT(tags), &error));
    assert_returns(0, tag_get(repository, "z", &current, &error));
    assert_fails(ERROR_TAG_IMMUTABLE, repository_delete_tag(repository, "v1", NULL, NULL, &error));
    assert_fails(ERROR_TAG_IMMUTABLE,
                 repository_delete_manifest(repository, &digest, NULL, &error));
    assert_fails(ERROR_TAG_IMMUTABLE, repository_delete_all(repository, NULL, &error));
    for (size_t i = 0; i < 2; i++) {
        assert_returns(1, tag_get(repository, tags[i], &current, &error));
        assert_true(digest_equal(&current, &digest));
    }
    assert_returns(1, revision_exists(repository, &digest, &error));
    assert_returns(1, repository_delete_tag(repository, "a", NULL, NULL, &error));
    assert_returns(1, repository_delete_tag(repository, "v1", NULL, &host, &error));
    assert_returns(1, repository_delete_manifest(repository, &digest, NULL, &error));
}

/* An index of others. */
static struct digest push_index(const struct repository *repository,
                                const struct digest *const *children, size_t count,
                                const char *tag_or_null)
{
    AUTO_BUFFER struct buffer index = BUFFER_INIT;

    buffer_add_text(&index, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX
                            "\",\"manifests\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_format(&index,
                      "%s{\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX "\",\"digest\":\"%s\",\"size\":2}",
                      i > 0 ? "," : "", children[i]->text);
    }
    buffer_add_text(&index, "]}");
    return push_manifest(repository, index.data, tag_or_null);
}

/* However deep it is. */
static void at_any_depth_what_it_names_is_not_deleted(void **state)
{
    enum { DEPTH = 40 };
    struct fixture *fixture = *state;
    const struct repository *repository = &fixture->repository;
    char *patterns[] = {TEXT("v*")};
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct digest chain[DEPTH];
    struct error error = ERROR_INIT;

    make_image(repository, "deep", &image);
    chain[0] = push_manifest(repository, image.data, NULL);
    for (size_t i = 1; i < DEPTH; i++) {
        const struct digest *child = &chain[i - 1];

        chain[i] = push_index(repository, &child, 1, i == DEPTH - 1 ? "v1" : NULL);
    }
    fixture->options.immutable_tags = (struct names){.names = patterns, .count = COUNT(patterns)};
    for (size_t i = 0; i < DEPTH; i++) {
        assert_fails(ERROR_TAG_IMMUTABLE,
                     repository_delete_manifest(repository, &chain[i], NULL, &error));
    }
}

/* As no digest could be; somebody who writes to the store can. */
static void indexes_that_name_each_other_end_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct repository *repository = &fixture->repository;
    char *patterns[] = {TEXT("v*")};
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer other = BUFFER_INIT;
    AUTO_BUFFER struct buffer circle = BUFFER_INIT;
    struct digest digest;
    struct digest alone;
    struct digest index;
    const struct digest *child = &digest;
    struct error error = ERROR_INIT;

    make_image(repository, "in it", &image);
    make_image(repository, "alone", &other);
    digest = push_manifest(repository, image.data, NULL);
    alone = push_manifest(repository, other.data, NULL);
    index = push_index(repository, &child, 1, "v1");
    fixture->damaged = true;
    buffer_format(&circle,
                  "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x/y\",\"digest\":"
                  "\"%s\",\"size\":2}]}",
                  index.text);
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    put_file(fixture->store.root, layout_blob(&digest).text, circle.data);
    fixture->options.immutable_tags = (struct names){.names = patterns, .count = COUNT(patterns)};
    assert_fails(ERROR_TAG_IMMUTABLE,
                 repository_delete_manifest(repository, &digest, NULL, &error));
    assert_returns(1, repository_delete_manifest(repository, &alone, NULL, &error));
}

/* There may be ten thousand, and nobody else changes a tag meanwhile. */
static void each_tag_is_read_once(void **state)
{
    enum { TAGS = 10 };
    struct fixture *fixture = *state;
    const struct repository *repository = &fixture->repository;
    char *patterns[] = {TEXT("v*")};
    AUTO_BUFFER struct buffer alone = BUFFER_INIT;
    struct digest digest;
    struct error error = ERROR_INIT;
    size_t reads = 0;

    for (size_t i = 0; i < TAGS; i++) {
        AUTO_BUFFER struct buffer image = BUFFER_INIT;
        char tag[8];

        (void)snprintf(tag, sizeof(tag), "v%zu", i);
        make_image(repository, tag, &image);
        (void)push_manifest(repository, image.data, tag);
    }
    make_image(repository, "alone", &alone);
    digest = push_manifest(repository, alone.data, NULL);
    fixture->options.immutable_tags = (struct names){.names = patterns, .count = COUNT(patterns)};
    trace_begin();
    trace_looks();
    assert_returns(1, repository_delete_manifest(repository, &digest, NULL, &error));
    (void)trace_end();
    for (size_t i = 0; (i = trace_find("openat ", "/current/link", i)) != SIZE_MAX; i++) {
        reads++;
    }
    assert_int_equal(reads, TAGS);
}

/* Nobody knows what it names: what is there stays, and who is refused hears of which tag. What is
 * not there is not looked for. */
static void where_a_manifest_cannot_be_read_nothing_goes(void **state)
{
    static const struct actor host = {.forces = true};
    struct fixture *fixture = *state;
    const struct repository *repository = &fixture->repository;
    char *patterns[] = {TEXT("v*")};
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer other = BUFFER_INIT;
    struct digest nobody = sha256("nobody has this");
    struct digest layer = push_blob(repository, "a layer");
    struct digest digest;
    struct digest alone;
    struct error error = ERROR_INIT;

    make_image(repository, "damaged", &image);
    make_image(repository, "alone", &other);
    digest = push_manifest(repository, image.data, "v1");
    alone = push_manifest(repository, other.data, NULL);
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    fixture->damaged = true;
    assert_int_equal(mkdirat(fixture->store.root, layout_blob(&digest).text, 0777), 0);
    fixture->options.immutable_tags = (struct names){.names = patterns, .count = COUNT(patterns)};
    assert_returns(-1, repository_delete_blob(repository, &layer, &error));
    assert_non_null(strstr(error.message, "'v1' is immutable, and what it needs cannot be told"));
    assert_returns(-1, repository_delete_manifest(repository, &alone, NULL, &error));
    assert_returns(0, repository_delete_blob(repository, &nobody, &error));
    assert_returns(0, repository_delete_manifest(repository, &nobody, NULL, &error));
    assert_returns(1, repository_delete_manifest(repository, &alone, &host, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_an_immutable_tag_names_is_not_deleted),
        IN_STORE(at_any_depth_what_it_names_is_not_deleted),
        IN_STORE(indexes_that_name_each_other_end_nothing),
        IN_STORE(each_tag_is_read_once),
        IN_STORE(where_a_manifest_cannot_be_read_nothing_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
