/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/restoration.h"

#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/pulled.h"
#include "lib/store/repository.h"
#include "lib/store/revision.h"

void restoration_release(struct restoration *restoration)
{
    digest_keys_release(&restoration->seen);
    digest_keys_release(&restoration->failed);
    names_release(&restoration->collected);
}

void restoration_complain(struct restoration *restoration, const char *name, const char *why)
{
    restoration->problems++;
    restoration->problem(restoration->context, name, why);
}

int restoration_list(const struct restoration *restoration, enum trash which, struct path directory,
                     struct names *out, struct error *error)
{
    struct path path = layout_trash(which, directory.text);

    return directory_list(restoration->repository->store->root, path.text, out, error);
}

int restoration_look(struct restoration *restoration, enum link_kind kind,
                     const struct digest *digest, struct error *error)
{
    const struct repository *repository = restoration->repository;
    struct path path = layout_link(repository->name, kind, digest);
    struct digest target;
    uint64_t size;
    int found =
        link_read(repository->store, layout_trash(TRASH_DELETED, path.text).text, &target, error);

    if (found <= 0) {
        return found;
    }
    found = blob_is_stored(repository->store, &target, &size, error);
    if (found == 0) {
        restoration_complain(restoration, digest->text,
                             "its bytes have been removed from the trash");
    }
    return found;
}

int restoration_link(struct restoration *restoration, enum link_kind kind,
                     const struct digest *digest, struct error *error)
{
    const struct repository *repository = restoration->repository;
    struct path path = layout_link(repository->name, kind, digest);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    int found = restoration_look(restoration, kind, digest, error);

    if (found <= 0) {
        return found;
    }
    if (repository_lock(repository, &lock, error) < 0 ||
        revision_make_layers(repository, &syncs, error) < 0 || sync_set_flush(&syncs, error) < 0) {
        return -1;
    }
    return trash_take_back(repository->store, TRASH_DELETED, path.text, error);
}

/* What distribution keeps of a tag. */
static int restoration_index(struct restoration *restoration, enum trash which, const char *tag,
                             struct error *error)
{
    const struct repository *repository = restoration->repository;

    for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
        struct path directory =
            layout_tag_histories(repository->name, tag, (enum digest_algorithm)i);
        AUTO_NAMES struct names names = NAMES_INIT;

        if (restoration_list(restoration, which, directory, &names, error) < 0) {
            return -1;
        }
        for (size_t j = 0; j < names.count; j++) {
            struct path entry = layout_below(directory.text, names.names[j]);

            if (trash_take_back(repository->store, which, layout_below(entry.text, "link").text,
                                error) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

int restoration_read_tag(const struct restoration *restoration, enum trash which, const char *tag,
                         struct digest *out, struct error *error)
{
    const struct repository *repository = restoration->repository;
    struct path current = layout_tag_current(repository->name, tag);

    return link_read(repository->store, layout_trash(which, current.text).text, out, error);
}

int restoration_tag(struct restoration *restoration, enum trash which, const char *tag,
                    struct error *error)
{
    const struct repository *repository = restoration->repository;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct digest digest;
    struct tag_change change = {.tag = tag, .to = &digest, .actor = restoration->actor};
    int found;

    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    found = restoration_read_tag(restoration, which, tag, &digest, error);
    if (found <= 0) {
        return found;
    }
    found = revision_exists(repository, &digest, error);
    if (found == 0) {
        restoration_complain(restoration, tag,
                             "what it stands for has gone again meanwhile, and so it stays away");
    }
    if (found <= 0) {
        return found < 0 ? -1 : 1;
    }
    if (tag_judge(&lock, &change, error) < 0 ||
        restoration_index(restoration, which, tag, error) < 0) {
        return -1;
    }
    if (change.judged_former.text[0]) {
        return 1;
    }
    if (trash_take_back(repository->store, which, layout_pulled_tag(repository->name, tag).text,
                        error) < 0) {
        return -1;
    }
    /* Before the tag, which nobody would restore again that is there. */
    history_take_back(&lock, tag);
    pulled_note_restored(&lock, tag);
    found = trash_take_back(repository->store, which,
                            layout_tag_current(repository->name, tag).text, error);
    if (found > 0) {
        tag_note(&change, HISTORY_RESTORED);
        restoration->tags++;
        restoration->restored(restoration->context, "tag", tag);
        actor_tell(restoration->actor,
                   &(struct actor_deed){
                       .act = ACT_PUT, .repository = repository, .tag = tag, .digest = &digest});
    }
    return found;
}
