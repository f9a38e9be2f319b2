/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/store/repository.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_an_immutable_tag_names_is_not_deleted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
