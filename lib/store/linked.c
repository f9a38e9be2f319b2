/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/linked.h"

#include "lib/base/cleanup.h"
#include "lib/store/link.h"
#include "lib/store/walk.h"

static void linked_add(struct digest_keys *marked, const struct digest *digest)
{
    struct digest_key key = digest_key_of(digest);

    if (!digest_keys_have(marked, &key)) {
        digest_keys_add(marked, &key);
    }
}

/* One link, in its directory. False if nobody knows where it leads. */
static bool linked_mark_link(const struct store *store, struct path directory,
                             const struct digest *digest, struct digest_keys *marked)
{
    struct path path = layout_below(directory.text, "link");
    struct digest target;
    struct error ignored;
    int found = link_read(store, path.text, &target, &ignored);

    linked_add(marked, digest);
    if (found > 0) {
        linked_add(marked, &target);
    } else if (found == 0) {
        found = walk_refuse_links(store, path.text, &ignored);
    }
    return found >= 0 || digest->algorithm == DIGEST_SHA256;
}

/* All links in a directory, which are named by the digits of their digests. */
static bool linked_mark_links(const struct store *store, const char *path,
                              enum digest_algorithm algorithm, struct digest_keys *marked)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct error ignored;
    const char *entry;
    bool is_all = true;
    int found = walk_open(&directory, store, path, &ignored);

    if (found <= 0) {
        return found == 0;
    }
    while ((found = directory_next(&directory, &entry, &ignored)) > 0) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct digest digest;

        buffer_format(&text, "%s:%s", digest_algorithm_name(algorithm), entry);
        if (digest_parse(&digest, text.data, &ignored) == 0) {
            is_all &= linked_mark_link(store, layout_below(path, entry), &digest, marked);
        }
    }
    return found == 0 && is_all;
}

/* The trash first: what is taken back meanwhile is seen in its place. */
bool linked_mark(const struct repository *repository, struct digest_keys *marked,
                 struct digest_keys *held)
{
    static const enum link_kind kinds[] = {LINK_LAYER, LINK_REVISION};
    bool is_all = true;

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        enum digest_algorithm algorithm = (enum digest_algorithm)i;

        for (size_t j = 0; j < sizeof(kinds) / sizeof(*kinds); j++) {
            struct path links = layout_links(repository->name, kinds[j], algorithm);

            for (int which = 0; which < TRASH_COUNT; which++) {
                struct path there = layout_trash((enum trash)which, links.text);

                is_all &= linked_mark_links(repository->store, there.text, algorithm, held);
            }
            is_all &= linked_mark_links(repository->store, links.text, algorithm, marked);
        }
    }
    return is_all;
}
