/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/put_back.h"

#include "lib/store/repository.h"

/* Whether a tag has ever stood for a manifest, as far as is known. 1, 0, -1. */
static int put_back_has_been(const struct restoration *restoration, const char *tag,
                             const struct digest *digest, struct error *error)
{
    AUTO_HISTORY struct history history = HISTORY_INIT;

    if (history_read(restoration->repository, tag, SIZE_MAX, &history, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < history.count; i++) {
        if (digest_equal(&history.entries[i].digest, digest)) {
            return 1;
        }
    }
    return 0;
}

/* By the way that pushed tags go, with what is there: so whatever is checked of these is here. */
static int put_back_move_tag(struct restoration *restoration, const char *tag,
                             const struct digest *digest, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct manifest_put put = {.manifest = &manifest,
                               .digest = *digest,
                               .tags = &tag,
                               .tag_count = 1,
                               .actor = restoration->actor,
                               .event = HISTORY_PUT_BACK};
    int found = revision_read(restoration->repository, digest, &stored, error);

    if (found <= 0) {
        return found;
    }
    put.document = stored_manifest_document(&stored);
    if (stored_manifest_parse(&stored, &manifest, error) < 0 ||
        repository_put_manifest(restoration->repository, &put, &missing, error) < 0) {
        return -1;
    }
    restoration->tags++;
    restoration->restored(restoration->context, "tag", tag);
    return 1;
}

/* Before anything comes back for who may not move the tag. 1, 0 if it need not move, -1. */
static int put_back_judge(const struct restoration *restoration, const char *tag,
                          const struct digest *digest, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct tag_change change = {.tag = tag, .to = digest, .actor = restoration->actor};

    if (repository_lock(restoration->repository, &lock, error) < 0 ||
        tag_judge(&lock, &change, error) < 0) {
        return -1;
    }
    return !digest_equal(&change.judged_former, digest);
}

int put_back_tag(struct restoration *restoration, const char *tag, const struct digest *digest,
                 struct error *error)
{
    int found = put_back_judge(restoration, tag, digest, error);

    if (found <= 0) {
        return found;
    }
    found = put_back_has_been(restoration, tag, digest, error);
    if (found == 0) {
        return error_set(error, ERROR_MANIFEST_UNKNOWN,
                         "the tag '%s' has never stood for %s, as far as its history tells", tag,
                         digest->text);
    }
    if (found > 0) {
        found = restore_untagged(restoration, digest, error);
    }
    if (found > 0) {
        found = put_back_move_tag(restoration, tag, digest, error);
    }
    return found == 0 ? error_set(error, ERROR_MANIFEST_UNKNOWN,
                                  "the manifest %s is not there any more, not even in the trash",
                                  digest->text)
                      : found;
}
