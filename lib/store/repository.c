/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/store/blob.h"
#include "lib/store/immutable.h"
#include "lib/store/link.h"
#include "lib/store/referrers.h"
#include "lib/store/retire.h"
#include "lib/store/settle.h"
#include "lib/store/tagged.h"
#include "lib/store/touch.h"
#include "lib/store/walk.h"

int repository_exists(const struct repository *repository, struct error *error)
{
    struct path directory = layout_layers(repository->name);
    struct stat status;

    if (fstatat(repository->store->root, directory.text, &status, 0) == 0) {
        return 1;
    }
    return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", directory.text);
}

/* A tag or a digest, as a digest. 1; 0 if there is no such tag; -1. */
static int repository_resolve(const struct repository *repository, const char *reference,
                              struct digest *out_digest, struct error *error)
{
    if (strchr(reference, ':')) {
        return digest_parse(out_digest, reference, error) < 0 ? -1 : 1;
    }
    return tag_is_valid(reference) ? tag_get(repository, reference, out_digest, error) : 0;
}

int repository_get_manifest(const struct repository *repository, const char *reference,
                            struct stored_manifest *out_manifest, struct error *error)
{
    struct digest digest;
    int found = repository_resolve(repository, reference, &digest, error);

    return found > 0 ? revision_read(repository, &digest, out_manifest, error) : found;
}

int repository_look_at_manifest(const struct repository *repository, const char *reference,
                                struct stored_manifest *out_manifest, struct error *error)
{
    struct digest digest;
    int found = repository_resolve(repository, reference, &digest, error);

    return found > 0 ? revision_look(repository, &digest, out_manifest, error) : found;
}

/* Whether what a manifest names is in the repository; if so, it will be synced with the rest,
 * unless that was done. */
static int repository_find_reference(const struct repository *repository,
                                     const struct reference *reference, struct sync_set *syncs,
                                     struct error *error)
{
    struct blob blob = {.is_settled = false};
    enum link_kind kind = LINK_LAYER;
    struct path link;
    struct stat status;
    int found = 0;

    if (reference->kind == REFERENCE_MANIFEST) {
        kind = LINK_REVISION;
        found = revision_find(repository, &reference->digest, &blob.target, error);
    }
    if (found == 0) { /* an index may list plain blobs as well */
        kind = LINK_LAYER;
        found = blob_find(repository, &reference->digest, &blob, error);
    }
    link = layout_link(repository->name, kind, &reference->digest);
    if (found <= 0) {
        return found;
    }
    if (fstatat(repository->store->root, link.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        status.st_mode = 0; /* collected in this moment: the manifest's readers take it back */
    } else {
        touch_file(repository->store, link.text, &status);
    }
    if (!(blob.is_settled && settle_is_done(&status))) {
        sync_set_add(syncs, link.text);
        blob_add_to_syncs(&blob.target, syncs);
    }
    return 1;
}

bool repository_may_lack(const struct repository *repository, const struct reference *reference)
{
    switch (repository->store->options->accept_sparse) {
    case SPARSE_ALL:
        return true;
    case SPARSE_INDEX:
        return reference->elsewhere || reference->kind == REFERENCE_MANIFEST;
    case SPARSE_NO:
        return reference->elsewhere;
    }
    return false;
}

static int repository_check_references(const struct repository *repository,
                                       const struct manifest *manifest, struct sync_set *syncs,
                                       struct buffer *out_missing, struct error *error)
{
    AUTO_DIGEST_SET struct digest_set missing = DIGEST_SET_INIT;

    for (size_t i = 0; i < manifest->reference_count && missing.count < MISSING_LIMIT; i++) {
        const struct reference *reference = &manifest->references[i];
        int found = repository_find_reference(repository, reference, syncs, error);

        if (found < 0) {
            return -1;
        }
        if (!found && !repository_may_lack(repository, reference) &&
            !digest_set_has(&missing, &reference->digest)) {
            digest_set_add(&missing, &reference->digest);
            buffer_format(out_missing, "{\"digest\":\"%s\"}\n", reference->digest.text);
        }
    }
    if (missing.count > 0) {
        return error_set(error, ERROR_MANIFEST_BLOB_UNKNOWN,
                         "the manifest names content that is not in the repository");
    }
    return 0;
}

static int repository_check_expected(const struct repository *repository,
                                     const struct manifest_put *put, struct error *error)
{
    struct digest current = put->digest;
    int found;

    if (!put->expected && !put->unwanted) {
        return 0;
    }
    found = put->tag_count > 0 ? tag_get(repository, put->tags[0], &current, error)
                               : revision_exists(repository, &put->digest, error);
    if (found < 0) {
        return -1;
    }
    if (put->expected && !digest_set_has(put->expected, found ? &current : NULL)) {
        return error_set(error, ERROR_PRECONDITION, "the tag is another manifest now");
    }
    if (put->unwanted && digest_set_has(put->unwanted, found ? &current : NULL)) {
        return error_set(error, ERROR_PRECONDITION, "there is such a manifest");
    }
    return 0;
}

/* The bytes, the referrers' entry, the revision: in the order of the header. */
static int repository_store_manifest(const struct repository_lock *held,
                                     const struct manifest_put *put, struct sync_set *syncs,
                                     struct error *error)
{
    const struct manifest *manifest = put->manifest;
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    struct referrer referrer = {manifest,
                                {REFERENCE_MANIFEST, put->digest, put->document.length, false}};

    stored.digest = put->digest;
    memcpy(stored.media_type, manifest->media_type, sizeof(stored.media_type));
    stored.type_source = manifest->type_source;
    buffer_add(&stored.content, put->document.bytes, put->document.length);
    if (manifest->has_subject && referrers_add(held, &referrer, syncs, error) < 0) {
        return -1;
    }
    if (revision_write(held, &stored, syncs, error) < 0 ||
        retire_forget(held, &put->digest, syncs, error) < 0) {
        return -1;
    }
    return sync_set_flush(syncs, error);
}

/* A manifest that loses a tag is untagged since then: see lib/store/collect. */
static void repository_note_untagged(const struct repository *repository,
                                     const struct digest *digest)
{
    touch_always(repository->store, layout_link(repository->name, LINK_REVISION, digest).text);
}

/* Points the tags to what is on disk already. A failure leaves none of them moved. */
static int repository_move_tags(const struct repository *repository, const struct manifest_put *put,
                                const struct tag_change *changes, struct sync_set *syncs,
                                struct error *error)
{
    struct error ignored;
    size_t moved = 0;
    int result = 0;

    while (result >= 0 && moved < put->tag_count) {
        result = tag_set(&changes[moved++], syncs, error);
    }
    if (result >= 0) {
        result = sync_set_flush(syncs, error);
    }
    if (result < 0) { /* as far as that goes: whatever failed may fail again */
        AUTO_SYNC_SET struct sync_set back = STORE_SYNCS_INIT(repository->store);

        while (moved > 0) { /* the last one first: what it has used up is wanted */
            tag_set_back(&changes[--moved], &back);
        }
        (void)sync_set_flush(&back, &ignored);
        return -1;
    }
    for (size_t i = 0; i < put->tag_count; i++) {
        const struct digest *former = &changes[i].judged_former;

        tag_note(&changes[i], put->event);
        if (former->text[0] && !digest_equal(former, &put->digest)) {
            repository_note_untagged(repository, former);
        }
    }
    return 0;
}

/* Before anything is stored, under the lock: none can move between looking and acting. */
static int repository_judge_moves(const struct repository_lock *held,
                                  const struct manifest_put *put, struct tag_change *changes,
                                  struct error *error)
{
    for (size_t i = 0; i < put->tag_count; i++) {
        changes[i] =
            (struct tag_change){.tag = put->tags[i], .to = &put->digest, .actor = put->actor};
        if (tag_judge(held, &changes[i], error) < 0) {
            return -1;
        }
    }
    return 0;
}

static void repository_tell_put(const struct repository *repository, const struct manifest_put *put)
{
    struct actor_deed deed = {.act = ACT_PUT, .repository = repository, .digest = &put->digest};

    if (put->tag_count == 0) {
        actor_tell(put->actor, &deed);
    }
    for (size_t i = 0; i < put->tag_count; i++) {
        deed.tag = put->tags[i];
        actor_tell(put->actor, &deed);
    }
}

int repository_put_manifest(const struct repository *repository, const struct manifest_put *put,
                            struct buffer *out_missing, struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_FREE struct tag_change *changes = memory_allocate(put->tag_count, sizeof(*changes));

    if (repository_lock(repository, &lock, error) < 0 ||
        repository_check_expected(repository, put, error) < 0 ||
        repository_judge_moves(&lock, put, changes, error) < 0 ||
        repository_check_references(repository, put->manifest, &syncs, out_missing, error) < 0 ||
        repository_store_manifest(&lock, put, &syncs, error) < 0 ||
        repository_move_tags(repository, put, changes, &syncs, error) < 0) {
        return -1;
    }
    repository_tell_put(repository, put);
    return 0;
}

/* Tags, if all of them may go. Durable on return: what is pointed at goes after what points. 1, 0
 * if none was there, -1. */
static int repository_delete_tags(const struct repository_lock *held, const struct names *tags,
                                  const struct actor *actor, struct sync_set *syncs,
                                  struct error *error)
{
    int any = 0;

    for (size_t i = 0; i < tags->count; i++) {
        struct tag_change change = {.tag = tags->names[i], .actor = actor};

        if (tag_judge(held, &change, error) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < tags->count; i++) {
        struct tag_change change = {.tag = tags->names[i], .actor = actor};

        if (tag_judge(held, &change, error) < 0 ||
            (change.judged_former.text[0] && tag_delete(&change, syncs, error) < 0)) {
            return -1;
        }
        any |= change.judged_former.text[0] != '\0';
    }
    return sync_set_flush(syncs, error) < 0 ? -1 : any;
}

/* What there is to know of a repository's tags before a manifest goes. */
struct repository_tags {
    const struct digest *digest; /* the manifest's */
    struct names tags;           /* that stand for it */
    struct immutables immutables;
};

static void repository_tags_release(struct repository_tags *tags)
{
    names_release(&tags->tags);
    immutables_release(&tags->immutables);
}

static void repository_tags_add(void *context, const char *tag, const struct digest *digest)
{
    struct repository_tags *tags = context;

    if (digest_equal(digest, tags->digest)) {
        names_add(&tags->tags, tag);
    }
    immutables_add(&tags->immutables, tag, digest);
}

/* Its tags, if it may go: each tag of the repository is read once for both. 0, -1. */
static int repository_delete_tags_of(const struct repository_lock *held,
                                     const struct digest *digest, const struct actor *actor,
                                     struct sync_set *syncs, struct error *error)
{
    AUTO(repository_tags_release)
    struct repository_tags tags = {.digest = digest,
                                   .tags = NAMES_INIT,
                                   .immutables = IMMUTABLES_INIT(held, LINK_REVISION, digest)};

    if (tagged_visit(held->repository, repository_tags_add, &tags, error) < 0 ||
        immutables_judge(&tags.immutables, actor, error) < 0) {
        return -1;
    }
    names_sort(&tags.tags);
    return repository_delete_tags(held, &tags.tags, actor, syncs, error) < 0 ? -1 : 0;
}

static int repository_delete_all_tags(const struct repository_lock *held, const struct actor *actor,
                                      struct sync_set *syncs, struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(held->repository, NULL);
    AUTO_NAMES struct names tags = NAMES_INIT;
    const char *tag;
    enum walk_result result;

    while ((result = tag_walk_next(&walk, &tag, error)) > 0) {
        if (result == WALK_FOUND) {
            names_add(&tags, tag);
        }
    }
    return result == WALK_FAILED ? -1 : repository_delete_tags(held, &tags, actor, syncs, error);
}

/* Of what is durable: `tag` alone, or the manifest; NULL and NULL are all. */
static int repository_tell_delete(const struct repository_lock *held, int removed,
                                  const struct actor *actor, const char *tag,
                                  const struct digest *digest)
{
    const struct actor_deed deed = {
        .act = ACT_DELETE, .repository = held->repository, .tag = tag, .digest = digest};

    if (removed > 0) {
        actor_tell(actor, &deed);
    }
    return removed;
}

/* What is kept beside a manifest stays for when that is restored; in a cache it goes, too. */
static int repository_forget_companions(const struct repository_lock *held,
                                        const struct digest *digest, struct sync_set *syncs,
                                        struct error *error)
{
    const struct repository *repository = held->repository;
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct path media_type = layout_media_type(repository->name, digest);
    struct referrer referrer = {&manifest, {.digest = *digest}};
    struct error ignored;
    int found;

    if (!repository->store->options->may_be_lost) {
        return 0;
    }
    found = revision_read(repository, digest, &stored, error);
    (void)file_remove(repository->store->root, media_type.text, &ignored);
    if (found <= 0 || stored_manifest_parse(&stored, &manifest, &ignored) < 0 ||
        !manifest.has_subject) {
        return found < 0 ? -1 : 0;
    }
    return referrers_remove(held, &referrer, syncs, error);
}

int repository_delete_manifest(const struct repository *repository, const struct digest *digest,
                               const struct actor *actor, struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    int removed;

    if (repository_lock(repository, &lock, error) < 0 ||
        repository_delete_tags_of(&lock, digest, actor, &syncs, error) < 0 ||
        repository_forget_companions(&lock, digest, &syncs, error) < 0) {
        return -1;
    }
    /* The revision last: as long as it is there, all of this can be done again. */
    removed = revision_remove(&lock, digest, &syncs, error);
    if (removed < 0 || sync_set_flush(&syncs, error) < 0) {
        return -1;
    }
    return repository_tell_delete(&lock, removed, actor, NULL, digest);
}

int repository_delete_blob(const struct repository *repository, const struct digest *digest,
                           struct error *error)
{
    struct path link = layout_link(repository->name, LINK_LAYER, digest);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    int removed;

    if (repository_lock(repository, &lock, error) < 0 ||
        immutable_judge(&lock, LINK_LAYER, digest, NULL, error) < 0) {
        return -1;
    }
    removed = link_delete(&lock, link.text, &syncs, error);
    if (removed <= 0) {
        return removed;
    }
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}

int repository_delete_all(const struct repository *repository, const struct actor *actor,
                          struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, LINK_REVISION);
    struct digest digest;
    enum walk_result result;
    int any;

    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    any = repository_delete_all_tags(&lock, actor, &syncs, error);
    if (any < 0) {
        return -1;
    }
    while ((result = link_walk_next(&walk, &digest, error)) > 0) {
        int removed = 0;

        if (result == WALK_FOUND) {
            removed = repository_forget_companions(&lock, &digest, &syncs, error) < 0
                          ? -1
                          : revision_remove(&lock, &digest, &syncs, error);
        }
        if (removed < 0) {
            return -1;
        }
        any |= removed;
    }
    return result == WALK_FAILED || sync_set_flush(&syncs, error) < 0
               ? -1
               : repository_tell_delete(&lock, any, actor, NULL, NULL);
}

int repository_delete_tag(const struct repository *repository, const char *tag,
                          const struct digest_set *expected, const struct actor *actor,
                          struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct tag_change change = {.tag = tag, .actor = actor};
    int removed;

    if (repository_lock(repository, &lock, error) < 0 || tag_judge(&lock, &change, error) < 0) {
        return -1;
    }
    if (expected && change.judged_former.text[0] &&
        !digest_set_has(expected, &change.judged_former)) {
        return error_set(error, ERROR_PRECONDITION, "the tag is another manifest now");
    }
    removed = tag_delete(&change, &syncs, error);
    if (removed < 0 || sync_set_flush(&syncs, error) < 0) {
        return -1;
    }
    return repository_tell_delete(&lock, removed, actor, tag, NULL);
}
