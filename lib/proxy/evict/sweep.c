/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/evict/sweep.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/store/expire.h"
#include "lib/store/mark.h"
#include "lib/store/memo.h"

enum {
    KEEP_SECONDS = 86400,
    SWEEP_SECONDS = 3600, /* between two sweeps */
};

/* Removes a file if it is of no more use. */
typedef void sweep_drop(struct store *cache, const char *path);

struct sweep {
    struct store *cache;
    sweep_drop *drop;
    size_t left;   /* entries that may still be looked at */
    bool is_short; /* there were more */
};

static bool sweep_is_old(const struct store *cache, const char *path)
{
    struct stat status;

    return fstatat(cache->root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_age(status.st_mtime) > KEEP_SECONDS;
}

static void sweep_memo(struct store *cache, const char *path)
{
    if (sweep_is_old(cache, path)) {
        memo_forget((struct file_place){cache->root, path});
    }
}

/* A token's first line is when it expires. */
static void sweep_token(struct store *cache, const char *path)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;
    uint64_t expires;
    uint64_t age;

    if (memo_read((struct file_place){cache->root, path}, &memo, &age, &ignored) <= 0) {
        return;
    }
    if (age > KEEP_SECONDS || !memo_number(&memo, 0, &expires) ||
        (uint64_t)clock_date() >= expires) {
        memo_forget((struct file_place){cache->root, path});
    }
}

/* A lock is removed by who holds it: others look again when they get one. */
static void sweep_lock(struct store *cache, const char *path)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct file_place place = {cache->root, path};
    struct error ignored;

    if (sweep_is_old(cache, path) && lock_take(&lock, place, LOCK_TRY, &ignored) == LOCK_TAKEN) {
        memo_forget(place);
    }
}

/* What is known of an upstream, which may be any name that a stranger has asked for. */
static void sweep_upstream(struct store *cache, const char *path)
{
    if (strstr(path, LAYOUT_TOKENS)) {
        sweep_token(cache, path);
    } else if (strcmp(path + strlen(layout_above(path).text), "/probe") == 0) {
        sweep_lock(cache, path);
    } else {
        sweep_memo(cache, path);
    }
}

/* Everything below a directory, and the directories that are empty then. Whoever needs one makes it
 * again together with what it is for. */
static void sweep_tree(struct sweep *sweep, const char *directory)
{
    struct store *cache = sweep->cache;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;

    if (directory_sample(cache->root, directory, SWEEP_LIMIT, &names, &ignored) <= 0) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_BUFFER struct buffer path = BUFFER_INIT;
        struct stat status;

        if (sweep->left == 0) {
            sweep->is_short = true;
            return;
        }
        sweep->left--;
        buffer_format(&path, "%s/%s", directory, names.names[i]);
        if (fstatat(cache->root, path.data, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            sweep_tree(sweep, path.data);
        } else {
            sweep->drop(cache, path.data);
        }
    }
    (void)unlinkat(cache->root, directory, AT_REMOVEDIR);
}

/* True if there was more than one sweep is for. */
static bool sweep_some(struct store *cache, const char *directory, sweep_drop *drop)
{
    struct sweep sweep = {.cache = cache, .drop = drop, .left = SWEEP_LIMIT - 1};

    sweep_tree(&sweep, directory);
    return sweep.is_short;
}

void sweep_cache(struct store *cache)
{
    bool is_short;
    struct file_place swept = {cache->root, LAYOUT_CACHE_SWEPT};
    struct mark mark;
    struct error error;

    if (expire_abandoned(cache, &error) < 0) {
        log_warning("what is abandoned in the cache cannot be removed: %s", error.message);
    }
    if (mark_is_due(swept, SWEEP_SECONDS, &mark, &error) > 0) {
        is_short = sweep_some(cache, LAYOUT_UPSTREAMS, sweep_upstream);
        is_short |= sweep_some(cache, LAYOUT_MEMOS, sweep_memo);
        is_short |= sweep_some(cache, LAYOUT_FLIGHTS, sweep_lock);
        is_short |= sweep_some(cache, LAYOUT_SLOTS, sweep_lock);
        if (is_short) {
            mark_hasten(swept, &mark, SWEEP_SECONDS, SWEEP_SOON);
        }
    }
}
