/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/history.h"
#include "lib/store/link.h"
#include "lib/store/referrers.h"
#include "lib/store/revision.h"
#include "lib/store/settle.h"
#include "lib/store/tag.h"
#include "lib/store/touch.h"

/* Writes a link anew that is empty, garbled or not there; 0 if its blob is not there. 1, 0, -1.
 * Durable once `syncs` is flushed. */
static int mend_link(const struct repository_lock *held, enum link_kind kind,
                     const struct digest *digest, struct sync_set *syncs, struct error *error)
{
    const struct repository *repository = held->repository;
    struct path path = layout_link(repository->name, kind, digest);
    uint64_t size;
    int found = blob_is_stored(repository->store, digest, &size, error);

    if (found <= 0) {
        return found;
    }
    return link_overwrite(held, path.text, digest, syncs, error) < 0 ? -1 : 1;
}

/* The entry that a manifest has among the referrers of its subject. 1; 0 if it has no such subject;
 * -1. */
static int mend_referrer(const struct repository_lock *held, const struct shape_fault *fault,
                         struct sync_set *syncs, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct referrer referrer = {.manifest = &manifest,
                                .self = {.kind = REFERENCE_MANIFEST, .digest = fault->digest}};
    struct error ignored;
    int found = revision_read(held->repository, &fault->digest, &stored, error);

    if (found <= 0 || stored_manifest_parse(&stored, &manifest, &ignored) < 0 ||
        !manifest.has_subject || !digest_equal(&manifest.subject, &fault->subject)) {
        return found < 0 ? -1 : 0;
    }
    referrer.self.size = stored.content.length;
    return referrers_add(held, &referrer, syncs, error) < 0 ? -1 : 1;
}

/* A file that tells what it has to tell by being there, and by its time. */
static int mend_note(const struct repository_lock *held, const struct shape_fault *fault,
                     const struct timespec *time, struct error *error)
{
    struct store *store = held->repository->store;
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, *time};
    const struct buffer nothing = BUFFER_INIT;

    if (fault->thing == THING_TAG_INDEX) {
        struct path link = layout_tag_history(held->repository->name, fault->tag, &fault->digest);

        if (link_note(held, link.text, &fault->digest, error) < 0) {
            return -1;
        }
        (void)utimensat(store->root, link.text, times, 0);
        return 1;
    }
    if (store_replace(store, (struct file_place){store->root, fault->path.text}, &nothing,
                      REPLACE_SHARED, error) < 0) {
        return -1;
    }
    (void)utimensat(store->root, fault->path.text, times, 0);
    return 1;
}

/* Says of a tag that cannot be read, and goes, what it was: that manifest is kept for as long as
 * one that has just lost its tag. */
static void mend_tell_tag(const struct repository_lock *held, const char *tag, struct buffer *out)
{
    const struct repository *repository = held->repository;
    AUTO_HISTORY struct history history = HISTORY_INIT;
    struct error ignored;

    buffer_add_text(out, "; the tag has gone");
    if (history_read(repository, tag, 1, &history, &ignored) > 0) {
        const char *digest = history.entries[0].digest.text;

        touch_always(repository->store,
                     layout_link(repository->name, LINK_REVISION, &history.entries[0].digest).text);
        buffer_format(out, ", and stood for %s, as its history tells: 'berth restore %s:%s@%s'",
                      digest, repository->name, tag, digest);
    }
}

/* When what was in the way is out of it. */
static int mend_anew(const struct repository_lock *held, const struct shape_fault *fault,
                     const struct timespec *time, struct buffer *out, struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(held->repository->store);
    int written = 0;

    switch (fault->thing) {
    case THING_LAYER:
        written = mend_link(held, LINK_LAYER, &fault->digest, &syncs, error);
        break;
    case THING_REVISION:
        written = mend_link(held, LINK_REVISION, &fault->digest, &syncs, error);
        break;
    case THING_REFERRER:
        written = mend_referrer(held, fault, &syncs, error);
        break;
    case THING_TAG_INDEX:
    case THING_PULLED:
        written = mend_note(held, fault, time, error);
        break;
    case THING_TAG:
        mend_tell_tag(held, fault->tag, out);
        break;
    case THING_DIRECTORY:
    case THING_HISTORY:
    case THING_RETIRED:
    case THING_TYPE:
        break;
    }
    if (written > 0) {
        buffer_add_text(out, ", and written anew");
    }
    return written < 0 ? -1 : sync_set_flush(&syncs, error);
}

/* Whether an empty file tells something until its content is written, or at least who looks next
 * what is to be written. */
static bool mend_leaves_trace(const struct shape_fault *fault)
{
    return fault->thing == THING_LAYER || fault->thing == THING_REVISION ||
           fault->thing == THING_TAG_INDEX || fault->thing == THING_REFERRER ||
           fault->thing == THING_PULLED;
}

/*
 * Moves what is in the way aside. An empty file takes its place in the same moment, where that can
 * be: a crash in between would else lose what only the name tells. 0, -1.
 */
static int mend_move(struct store *store, const struct shape_fault *fault, const char *aside,
                     struct error *error)
{
    struct file_place from = {store->root, fault->path.text};
    struct file_place to = {store->root, aside};
    const struct buffer nothing = BUFFER_INIT;
    struct path link = layout_link_in(aside);
    const char *trace = fault->wants_file ? aside : link.text;
    int exchanged;

    if (!mend_leaves_trace(fault) || store->options->may_be_lost) {
        return file_publish(from, to, error);
    }
    if (store_replace(store, (struct file_place){store->root, trace}, &nothing, REPLACE_SHARED,
                      error) < 0) {
        return -1;
    }
    exchanged = file_exchange(from, to, error);
    if (exchanged > 0) {
        return 0;
    }
    if (directory_remove(store->root, aside, error) < 0 || exchanged < 0) {
        return -1;
    }
    return file_publish(from, to, error);
}

int mend_shape(const struct repository *repository, const struct shape_fault *fault,
               struct buffer *out, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    struct store *store = repository->store;
    struct shape_fault again = *fault;
    struct stat status;
    struct path aside;
    char id[ID_SIZE];

    if (repository_lock(repository, &lock, error) < 0) {
        return -1;
    }
    if (!shape_is_faulty(store, &again) || !again.may_move ||
        fstatat(store->root, fault->path.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0;
    }
    id_make(id);
    aside = layout_damaged_path(id, fault->path.text);
    if (mend_move(store, fault, aside.text, error) < 0) {
        return -1;
    }
    buffer_format(out, "moved to '%s'", aside.text);
    return store->options->may_be_lost || mend_anew(&lock, fault, &status.st_mtim, out, error) == 0
               ? 1
               : -1;
}

int mend_judge_link(const struct repository *repository, enum link_kind kind,
                    const struct digest *digest, struct link_fault *out, struct error *error)
{
    struct path path = layout_link(repository->name, kind, digest);
    struct stat status;
    uint64_t size;
    bool is_there = true;
    int found = 0;

    for (int i = 0; i < 2 && found == 0 && is_there; i++) { /* just pushed? */
        found = link_find(repository, kind, digest, &out->target, error);
        is_there = found == 0 && fstatat(repository->store->root, path.text, &status, 0) == 0;
    }
    out->what = is_there ? "an empty, garbled or wrong link" : NULL;
    out->leads_somewhere = found > 0;
    if (found > 0) {
        found = blob_is_stored(repository->store, &out->target, &size, error);
        out->what = found == 0 ? "a link to a blob that is not there" : NULL;
    }
    return found < 0 ? -1 : 0;
}

/*
 * Where what leads nowhere is kept: all of a run below one id, so that one copy puts it back,
 * should it have been another thing that was wrong (blobs that are only not mounted, another host's
 * that are not seen yet).
 */
static struct path mend_place_astray(const char *path)
{
    static char id[ID_SIZE];

    if (!id[0]) {
        id_make(id);
    }
    return layout_damaged_path(id, path);
}

/* Nobody is to believe that its name is on disk when it is put back. */
static int mend_set_aside(struct store *store, const char *path, const char *aside,
                          struct sync_set *syncs, struct error *error)
{
    if (settle_forget(store, path, error) < 0 ||
        file_publish((struct file_place){store->root, path},
                     (struct file_place){store->root, aside}, error) < 0) {
        return -1;
    }
    sync_set_add(syncs, path);
    sync_set_add(syncs, aside);
    (void)unlinkat(store->root, layout_above(path).text, AT_REMOVEDIR);
    return 0;
}

int mend_blob(struct store *store, const struct digest *digest, struct buffer *out,
              struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);
    struct path path = blob_path(&(struct blob){.target = *digest});
    struct path aside;
    struct stat status;
    char id[ID_SIZE];

    if (fstatat(store->root, path.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "stat '%s'", path.text);
    }
    if (!S_ISDIR(status.st_mode)) {
        return 0;
    }
    id_make(id); /* of its own: who puts back what leads nowhere wants this to stay away */
    aside = layout_damaged_path(id, path.text);
    if (mend_set_aside(store, path.text, aside.text, &syncs, error) < 0) {
        return -1;
    }
    buffer_format(out, ": moved to '%s'", aside.text);
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}

/* Whoever has brought the bytes since they were looked for relies on the link: then it is written
 * again. 1 if it has gone, 0, -1. */
static int mend_drop_link(const struct repository_lock *held, const char *path,
                          const struct link_fault *fault, struct buffer *out, struct error *error)
{
    struct store *store = held->repository->store;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(store);
    struct path aside = mend_place_astray(path);
    uint64_t size;
    int found = 0;

    if (mend_set_aside(store, path, aside.text, &syncs, error) < 0) {
        return -1;
    }
    buffer_format(out, ": moved to '%s'", aside.text);
    if (fault->leads_somewhere) {
        found = blob_is_stored(store, &fault->target, &size, error);
    }
    if (found > 0) {
        found = link_write(held, path, &fault->target, &syncs, error) < 0 ? -1 : 1;
    }
    return sync_set_flush(&syncs, error) < 0 || found < 0 ? -1 : !found;
}

int mend_bad_link(const struct repository *repository, enum link_kind kind,
                  const struct digest *digest, struct buffer *out, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    struct path path = layout_link(repository->name, kind, digest);
    AUTO_BUFFER struct buffer done = BUFFER_INIT;
    struct link_fault fault;
    int mended = 0;

    if (repository_lock(repository, &lock, error) < 0 ||
        mend_judge_link(repository, kind, digest, &fault, error) < 0) {
        return -1;
    }
    if (!fault.what) {
        return 0; /* mended meanwhile */
    }
    if (!fault.leads_somewhere) {
        mended = mend_link(&lock, kind, digest, &syncs, error);
    }
    if (mended > 0) {
        buffer_format(out, "%s: written anew", fault.what);
        return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
    }
    if (mended == 0) {
        mended = mend_drop_link(&lock, path.text, &fault, &done, error);
    }
    if (mended > 0) {
        buffer_format(out, "%s%s, until somebody pushes it again", fault.what, done.data);
    }
    return mended;
}

int mend_judge_tag(const struct repository *repository, const char *tag, struct error *error)
{
    struct path path = layout_tag_current(repository->name, tag);
    struct digest digest;
    struct stat status;
    int found = 0;

    for (int i = 0; i < 2 && found == 0; i++) { /* just moved? */
        found = tag_get(repository, tag, &digest, error);
        if (found > 0) {
            found = revision_exists(repository, &digest, error);
        }
    }
    return found == 0 && fstatat(repository->store->root, path.text, &status, 0) < 0 ? 1 : found;
}

int mend_bad_tag(const struct repository *repository, const char *tag, struct buffer *out,
                 struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(repository->store);
    struct path path = layout_tag_current(repository->name, tag);
    struct path aside = mend_place_astray(path.text);
    struct digest digest;
    int is_told;
    int found = repository_lock(repository, &lock, error);

    if (found == 0) {
        found = mend_judge_tag(repository, tag, error);
    }
    if (found != 0) {
        return found < 0 ? -1 : 0; /* 1: pushed, or deleted, meanwhile */
    }
    is_told = tag_get(repository, tag, &digest, error);
    if (is_told < 0 ||
        mend_set_aside(repository->store, path.text, aside.text, &syncs, error) < 0) {
        return -1;
    }
    buffer_format(out, MEND_NO_MANIFEST ": moved to '%s'", aside.text);
    if (is_told > 0) {
        buffer_format(out, "; the tag has gone, and stood for %s", digest.text);
    } else {
        mend_tell_tag(&lock, tag, out);
    }
    return sync_set_flush(&syncs, error) < 0 ? -1 : 1;
}
