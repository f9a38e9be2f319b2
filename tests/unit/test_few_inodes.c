/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/repository.h"
#include "lib/store/tag.h"

/* What is pushed where there is room for a part of it only. */

enum { TAGS = 3 };

static int put(struct fixture *fixture, const char *json, const char *const *tags,
               struct error *error)
{
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct manifest_put put = {.document = {json, strlen(json), NULL},
                               .manifest = &manifest,
                               .digest = sha256(json),
                               .tags = tags,
                               .tag_count = TAGS};

    return manifest_parse(&manifest, &put.document, error) < 0
               ? -1
               : repository_put_manifest(&fixture->repository, &put, &missing, error);
}

/* So that as many inodes are left, by files of nobody's. */
static bool leave_inodes(struct fixture *fixture, uint64_t wanted)
{
    static unsigned made;
    struct statvfs status;
    char name[32];

    for (;;) {
        if (fstatvfs(fixture->store.root, &status) < 0 || status.f_favail == wanted) {
            return status.f_favail == wanted;
        }
        made -= status.f_favail < wanted;
        (void)snprintf(name, sizeof(name), "other%u", made);
        if ((status.f_favail > wanted ? symlinkat("x", fixture->store.temporary, name)
                                      : unlinkat(fixture->store.temporary, name, 0)) < 0) {
            return false;
        }
        made += status.f_favail > wanted;
    }
}

static bool has_tag(struct fixture *fixture, const char *tag, const char *json)
{
    struct digest digest = {.text = ""};
    struct error error = ERROR_INIT;

    (void)tag_get(&fixture->repository, tag, &digest, &error);
    return strcmp(digest.text, json ? sha256(json).text : "") == 0;
}

/* Whichever inode is the first that lacks. */
static int push_with_ever_more_inodes(struct fixture *fixture)
{
    enum { ENOUGH = 40 };
    const char *tags[TAGS] = {"v1", "v2", NULL};
    char former[100] = "{\"schemaVersion\":2,\"manifests\":[]}";
    struct error error = ERROR_INIT;
    int refused = 0;

    store_close(&fixture->store);
    if (!mount_small(fixture->path, "4m,nr_inodes=3000")) {
        print_message("no mounts here: not tested\n");
        return 0;
    }
    EXPECT(store_open(&fixture->store, &fixture->options, &error) == 0);
    (void)push_manifest(&fixture->repository, former, "v1");
    (void)push_manifest(&fixture->repository, former, "v2");
    for (unsigned i = 0; i < ENOUGH; i++) {
        char fresh[32];
        char json[sizeof(former)];
        bool is_put;

        (void)snprintf(fresh, sizeof(fresh), "new%u", i);
        (void)snprintf(json, sizeof(json),
                       "{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{\"n\":\"%u\"}}", i);
        tags[2] = fresh;
        EXPECT(leave_inodes(fixture, i));
        is_put = put(fixture, json, tags, &error) == 0;
        EXPECT(is_put || error.code == ERROR_NO_SPACE);
        if (is_put) {
            memcpy(former, json, sizeof(former));
        }
        EXPECT(has_tag(fixture, "v1", former));
        EXPECT(has_tag(fixture, "v2", former));
        EXPECT(has_tag(fixture, fresh, is_put ? json : NULL));
        refused += !is_put;
    }
    EXPECT(refused > 0 && refused < ENOUGH);
    return 0;
}

static void all_tags_move_or_none_however_few_inodes_are_left(void **state)
{
    run_in_child(push_with_ever_more_inodes, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(all_tags_move_or_none_however_few_inodes_are_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
