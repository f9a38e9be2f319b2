/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/retire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/store/pulled.h"
#include "lib/store/tag.h"
#include "lib/store/touch.h"
#include "lib/store/walk.h"

/* How many tags are deleted while the lock is held once. */
enum { RETIRE_BATCH = 100 };

/* The tags of a repository, as they were found. */
struct retire {
    const struct repository *repository;
    const struct retire_rules *rules;
    struct retire_report *report;
    struct names names; /* of the tags: the walk forgets them as it goes */
    struct retention_tag *tags;
    size_t count;
    size_t capacity;
};

static void retire_release(struct retire *retire)
{
    names_release(&retire->names);
    free(retire->tags);
}

/* 1; 0 if there is no such tag (any more); -1. */
static int retire_look(const struct repository *repository, const char *name,
                       struct retention_tag *out, struct digest *out_digest, struct error *error)
{
    struct pulled pulled;
    time_t pushed;
    int found = tag_get_dated(repository, name, out_digest, &pushed, error);

    if (found <= 0) {
        return found;
    }
    if (pulled_read(repository, name, out_digest, &pulled, error) < 0) {
        return -1;
    }
    *out = (struct retention_tag){.name = name,
                                  .digest = digest_key_of(out_digest),
                                  .pushed = pushed,
                                  .pulled = pulled.last,
                                  .restored = pulled.restored,
                                  .is_immutable = tag_is_immutable(repository->store, name)};
    return 1;
}

static int retire_find(struct retire *retire, struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(retire->repository, NULL);
    const char *name;
    enum walk_result found;

    while ((found = tag_walk_next(&walk, &name, error)) > 0) {
        struct retention_tag tag;
        struct digest digest;
        int result = 0;

        if (found == WALK_FOUND) {
            result = retire_look(retire->repository, name, &tag, &digest, error);
        }
        if (result < 0) {
            return -1;
        }
        if (result > 0) {
            if (retire->count == retire->capacity) {
                retire->capacity = retire->capacity ? retire->capacity * 2 : 16;
                retire->tags = memory_resize(retire->tags, retire->capacity, sizeof(tag));
            }
            names_add(&retire->names, name);
            tag.name = retire->names.names[retire->names.count - 1];
            retire->tags[retire->count++] = tag;
        }
    }
    return (int)found;
}

/* Whether it is still what was judged. 1, and its digest; 0; -1. */
static int retire_look_again(const struct retire *retire, const struct retention_tag *tag,
                             struct digest *out_digest, struct error *error)
{
    struct retention_tag now;
    int found = retire_look(retire->repository, tag->name, &now, out_digest, error);

    return found <= 0
               ? found
               : digest_key_compare(&now.digest, &tag->digest) == 0 && now.pushed == tag->pushed &&
                     now.pulled == tag->pulled && now.restored == tag->restored;
}

/* Whatever is there: nobody waits for the other end of a pipe, and holds the lock. */
static int retire_open_note(const struct store *store, const char *path)
{
    return openat(store->root, path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW,
                  store->file_mode);
}

/* That the image loses its last tag: the file's being there says it, and its ctime since when. */
static int retire_note(const struct repository_lock *held, const struct digest *digest,
                       struct sync_set *syncs, struct error *error)
{
    const struct store *store = held->repository->store;
    struct path path = layout_retired(held->repository->name, digest);
    AUTO_CLOSE int descriptor = retire_open_note(store, path.text);

    if (descriptor < 0 && errno == ENOENT) {
        if (file_make_parents(store->root, path.text, error) < 0) {
            return -1;
        }
        descriptor = retire_open_note(store, path.text);
    }
    if (descriptor < 0) {
        return error_errno(error, "create '%s'", path.text);
    }
    touch_always(store, path.text);
    sync_set_add(syncs, path.text);
    return 0;
}

/* Under the lock. Those that have changed, or find no room, stay. */
static int retire_note_batch(const struct repository_lock *held, const struct retire *retire,
                             struct retention_tag *const *batch, size_t count, struct error *error)
{
    AUTO_SYNC_SET struct sync_set syncs = STORE_SYNCS_INIT(held->repository->store);

    for (size_t i = 0; i < count; i++) {
        struct digest digest;
        int found = retire_look_again(retire, batch[i], &digest, error);

        if (found == 0) {
            batch[i]->verdict.reason = RETENTION_CHANGED;
        } else if (found > 0 && retire_note(held, &digest, &syncs, error) < 0) {
            if (error->code != ERROR_NO_SPACE) {
                return -1;
            }
            batch[i]->verdict.reason = RETENTION_NO_ROOM;
            no_room_add(retire->rules->no_room, error);
        }
        if (found < 0) {
            return -1;
        }
    }
    return sync_set_flush(&syncs, error);
}

/* It stays if there is no room. */
static int retire_tag(const struct repository_lock *held, const struct retire_rules *rules,
                      struct retention_tag *tag, struct error *error)
{
    static const struct actor nobody = {.name = "@retention"};
    const struct actor *actor = rules->actor ? rules->actor : &nobody;
    struct path current = layout_tag_current(held->repository->name, tag->name);
    struct tag_change change = {.tag = tag->name, .actor = actor};
    struct digest digest;
    struct error ignored;
    int found = tag_judge(held, &change, error);

    if (found == 0) {
        found = trash_make_room(held->repository->store, TRASH_RETIRED, current.text, error);
    }
    /* First, so that whenever the run is ended nothing has gone that nobody was told of: the next
     * one tells it once more, and deletes it. */
    if (found == 0) {
        actor_tell(actor, &(struct actor_deed){
                              .act = ACT_RETIRE, .repository = held->repository, .tag = tag->name});
    }
    if (found == 0) {
        found = tag_retire(&change, error);
    }
    if (found >= 0) {
        return 0;
    }
    if (error->code != ERROR_NO_SPACE) {
        return -1;
    }
    if (tag_get(held->repository, tag->name, &digest, &ignored) != 0) {
        tag->verdict.reason = RETENTION_NO_ROOM;
        no_room_add(rules->no_room, error);
    }
    return 0;
}

static int retire_batch(const struct retire *retire, struct retention_tag *const *batch,
                        size_t count, struct error *error)
{
    AUTO_REPOSITORY_LOCK struct repository_lock lock = REPOSITORY_LOCK_INIT;

    if (repository_lock(retire->repository, &lock, error) < 0 ||
        retire_note_batch(&lock, retire, batch, count, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!retention_stays(&batch[i]->verdict) &&
            retire_tag(&lock, retire->rules, batch[i], error) < 0) {
            return -1;
        }
    }
    return 0;
}

static int retire_unkept(const struct retire *retire, struct error *error)
{
    struct retention_tag *batch[RETIRE_BATCH];
    size_t count = 0;

    for (size_t i = 0; i < retire->count; i++) {
        if (!retention_stays(&retire->tags[i].verdict)) {
            batch[count++] = &retire->tags[i];
        }
        if (count == RETIRE_BATCH) {
            if (retire_batch(retire, batch, count, error) < 0) {
                return -1;
            }
            count = 0;
        }
    }
    return count > 0 ? retire_batch(retire, batch, count, error) : 0;
}

static void retire_tell(const struct retire *retire, struct names *out_retired)
{
    const struct retire_rules *rules = retire->rules;

    for (size_t i = 0; i < retire->count; i++) {
        const struct retention_tag *tag = &retire->tags[i];

        if (!retention_stays(&tag->verdict)) {
            names_add(out_retired, tag->name);
            retire->report->retired++;
        }
        if (rules->judged) {
            rules->judged(rules->context, retire->repository, tag);
        }
    }
    retire->report->judged += retire->count;
}

int retire_tags(const struct repository *repository, const struct retire_rules *rules,
                struct names *out_retired, struct retire_report *report, struct error *error)
{
    AUTO(retire_release)
    struct retire retire = {
        .repository = repository, .rules = rules, .report = report, .names = NAMES_INIT};
    struct retention_scene scene = rules->scene;

    if (!retention_is_about(rules->retention, repository->name)) {
        return 0;
    }
    if (retire_find(&retire, error) < 0) {
        return -1;
    }
    scene.repository = repository->name;
    retention_judge(rules->retention, &scene, retire.tags, retire.count);
    if (!rules->dry_run && retire_unkept(&retire, error) < 0) {
        return -1;
    }
    retire_tell(&retire, out_retired);
    return 0;
}

bool retire_is_noted(const struct repository *repository, const struct digest *digest,
                     const struct stat *status)
{
    struct path path = layout_retired(repository->name, digest);
    struct stat noted;

    if (fstatat(repository->store->root, path.text, &noted, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    return noted.st_ctim.tv_sec != status->st_ctim.tv_sec
               ? noted.st_ctim.tv_sec > status->st_ctim.tv_sec
               : noted.st_ctim.tv_nsec >= status->st_ctim.tv_nsec;
}

int retire_forget(const struct repository_lock *held, const struct digest *digest,
                  struct sync_set *syncs, struct error *error)
{
    struct path path = layout_retired(held->repository->name, digest);
    int removed = file_remove(held->repository->store->root, path.text, error);

    if (removed > 0) {
        sync_set_add(syncs, path.text);
    }
    return removed < 0 ? -1 : 0;
}
