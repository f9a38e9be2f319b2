/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/space.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/proxy/evict/usage.h"

enum {
    LOW_PERCENT = 90,                /* of maximum_size, to which room is made */
    HIGH_PERCENT = 95,               /* above which that begins */
    ROOM_TRIES = 3,                  /* others may be faster in using what was made */
    UNKNOWN_PIECE = 8 * 1024 * 1024, /* bytes that may come until who has no length looks again */
    STALE_SECONDS = 600,             /* after which nobody is expected to go on with a fetch */
    FAILED_SECONDS = 60,             /* the same, of one that brought nothing */
    SWEEP_COUNT = 1000,
};

/* A file of a fetch, with what it is called there. */
static struct file_place space_place(const struct store *store, const struct path *directory,
                                     const char *what, struct path *out_path)
{
    *out_path = layout_below(directory->text, what);
    return (struct file_place){store->temporary, out_path->text};
}

static bool space_is_claimed(const struct store *store, const struct path *directory)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct path path;
    struct error ignored;

    return lock_take(&lock, space_place(store, directory, "lock", &path), LOCK_TRY, &ignored) ==
           LOCK_BUSY;
}

/* What fetches take and will take, in bytes. */
struct space_need {
    uint64_t total;   /* when they are complete */
    uint64_t missing; /* of that, what is not on the disk yet */
    uint64_t claimed; /* how many of them somebody is at work on */
    uint64_t written; /* bytes that these have */
};

static uint64_t space_sum(uint64_t one, uint64_t other)
{
    return one < UINT64_MAX - other ? one + other : UINT64_MAX;
}

static uint64_t space_written(const struct store *store, const struct path *directory,
                              time_t *out_when)
{
    struct path data = layout_below(directory->text, "data");
    struct stat status = {.st_size = 0};

    (void)fstatat(store->temporary, data.text, &status, AT_SYMLINK_NOFOLLOW);
    *out_when = status.st_mtime;
    return (uint64_t)status.st_size;
}

/* What the fetch in a directory has declared and not yet written. */
static void space_add_need(struct store *store, const struct path *directory, void *context)
{
    struct space_need *need = context;
    uint64_t total;
    time_t when;
    uint64_t written = space_written(store, directory, &when);
    bool is_declared = partial_total_in(store, directory, &total);

    if (!is_declared || !space_is_claimed(store, directory)) {
        total = 0;
    } else {
        need->claimed++;
        need->written += written;
    }
    need->total = space_sum(need->total, total > written ? total : written);
    need->missing = space_sum(need->missing, total > written ? total - written : 0);
}

/* What is removed on the way. */
struct space_sweep {
    bool makes_room; /* also of bytes */
    unsigned left;   /* directories that may still be removed: somebody waits for this */
};

/* Whether a directory has what a filler that died has left, and nobody has gone on with soon; or
 * nothing but why it failed, which those who waited know by now. */
static bool space_is_stale(const struct store *store, const struct path *directory, bool makes_room)
{
    struct path data = layout_below(directory->text, "data");
    struct stat status = {.st_size = 0};

    if (fstatat(store->temporary, data.text, &status, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) {
        return false;
    }
    if (status.st_size > 0) {
        return makes_room && clock_age(status.st_mtime) > STALE_SECONDS;
    }
    return fstatat(store->temporary, directory->text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_age(status.st_mtime) > FAILED_SECONDS;
}

/* Who asks for what no upstream has leaves a directory each time, and all are gone through. */
static void space_discard_stale(struct store *store, const struct path *directory, void *context)
{
    struct space_sweep *sweep = context;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct path path;
    struct error ignored;

    if (sweep->left > 0 && space_is_stale(store, directory, sweep->makes_room) &&
        lock_take(&lock, space_place(store, directory, "lock", &path), LOCK_TRY, &ignored) ==
            LOCK_TAKEN) {
        sweep->left--;
        (void)store_discard(store, (struct file_place){store->temporary, directory->text},
                            &ignored);
    }
}

/* What is done with the directory of a fetch. */
typedef void space_visitor(struct store *store, const struct path *directory, void *context);

/* Goes through all fetches but one (NULL: all). */
static void space_visit(struct store *store, const struct path *but, space_visitor *visit,
                        void *context)
{
    AUTO_NAMES struct names upstreams = NAMES_INIT;
    struct error ignored;

    (void)directory_list(store->temporary, LAYOUT_PARTIAL, &upstreams, &ignored);
    for (size_t i = 0; i < upstreams.count; i++) {
        struct path above = layout_below(LAYOUT_PARTIAL, upstreams.names[i]);
        AUTO_NAMES struct names fetches = NAMES_INIT;

        (void)directory_list(store->temporary, above.text, &fetches, &ignored);
        for (size_t j = 0; j < fetches.count; j++) {
            struct path directory = layout_below(above.text, fetches.names[j]);

            if (!but || strcmp(directory.text, but->text) != 0) {
                visit(store, &directory, context);
            }
        }
    }
}

/* What all fetches but this one still need. */
static struct space_need space_promised(const struct fill *fill)
{
    struct path own = partial_directory(fill);
    struct space_need need = {.total = 0};

    space_visit(fill->upstream->store, &own, space_add_need, &need);
    return need;
}

static uint64_t space_part(uint64_t whole, unsigned percent)
{
    return whole / 100 * percent + whole % 100 * percent / 100;
}

/* What may be stored beside fetches that will take `total` bytes, once room was made for them. */
static uint64_t space_low(uint64_t limit, uint64_t total)
{
    uint64_t low = space_part(limit, LOW_PERCENT);

    return low > total ? low - total : limit > total ? limit - total : 0;
}

static int space_refuse(const struct proxy_options *options, const struct usage *usage,
                        uint64_t total, struct error *error)
{
    AUTO_BUFFER struct buffer limit = BUFFER_INIT;
    AUTO_BUFFER struct buffer wanted = BUFFER_INIT;
    AUTO_BUFFER struct buffer fixed = BUFFER_INIT;

    text_add_bytes(options->maximum_size, &limit);
    text_add_bytes(total, &wanted);
    text_add_bytes(usage->fixed, &fixed);
    return error_set(error, ERROR_NO_SPACE,
                     "the cache has no room: [proxy] maximum_size is %s, images that are kept take "
                     "%s, and what is being fetched would take %s",
                     limit.data, fixed.data, wanted.data);
}

/* The disk has not enough, of bytes or of inodes. What is cached may give way, if that is enough;
 * some more goes, so that the next one finds some. 0; -1. */
static int space_clear_disk(const struct store *store, const struct usage *usage, uint64_t missing,
                            struct evict_wish *out_wish)
{
    enum { MORE = 20 };
    uint64_t bytes = store_lacks(store, missing);
    uint64_t inodes = store_lacks_inodes(store);
    uint64_t spare = usage->used > usage->fixed ? usage->used - usage->fixed : 0;

    if ((bytes == 0 && inodes == 0) || bytes > spare || inodes > usage->inodes) {
        return -1;
    }
    if (bytes > 0) {
        bytes = space_sum(bytes, usage->used / MORE);
        out_wish->room = usage->used > bytes ? usage->used - bytes : 0;
    }
    if (inodes > 0) {
        bool is_known = usage->inodes < UINT64_MAX;

        out_wish->inodes = space_sum(inodes, (is_known ? usage->inodes : inodes) / MORE);
    }
    return 0;
}

/* Whether there is room. 1; 0 if there will be when `out_wish` has come true; -1. */
static int space_judge(const struct proxy_options *options, struct store *store,
                       const struct space_need *need, struct evict_wish *out_wish,
                       struct error *error)
{
    uint64_t limit = options->maximum_size;
    struct usage usage = {.used = 0};
    struct error ignored;
    int known = limit > 0 ? usage_read(store, &usage, &ignored) : 0;

    *out_wish = (struct evict_wish){
        .room = UINT64_MAX, .patience = EVICT_PATIENCE, .wait = LOCK_WAIT, .is_trial = false};
    if (store_check_space(store, need->missing, error) < 0) {
        if (error->code != ERROR_NO_SPACE || limit == 0) {
            return -1;
        }
        return known > 0 ? space_clear_disk(store, &usage, need->missing, out_wish) : 0;
    }
    if (limit == 0) {
        return 1;
    }
    if (need->total > limit || usage.fixed > limit - need->total) {
        return space_refuse(options, &usage, need->total, error);
    }
    /* Where nobody has counted yet, there may be room enough. */
    out_wish->room = known > 0 ? space_low(limit, need->total) : limit - need->total;
    return known > 0 && usage.used <= limit - need->total;
}

/* Little is left: somebody else makes room, before it is wanted. */
static void space_look_ahead(const struct proxy_options *options, struct store *store,
                             const struct space_need *need)
{
    uint64_t limit = options->maximum_size;
    struct evict_wish wish = {.room = space_low(limit, need->total),
                              .patience = EVICT_PATIENCE,
                              .wait = LOCK_TRY,
                              .is_trial = false};
    struct usage usage;
    struct error ignored;

    if (limit > 0 && usage_read(store, &usage, &ignored) > 0 &&
        space_sum(usage.used, need->total) > space_part(limit, HIGH_PERCENT) &&
        space_sum(usage.fixed, need->total) < space_part(limit, LOW_PERCENT)) {
        evict_start(options, store, &wish);
    }
}

void space_look_for_some(const struct proxy_options *options, struct store *store, uint64_t bytes)
{
    struct evict_wish wish = {
        .room = UINT64_MAX, .patience = EVICT_PATIENCE, .wait = LOCK_TRY, .is_trial = false};
    struct usage usage;
    struct error ignored;

    if (options->maximum_size > 0 && usage_read(store, &usage, &ignored) > 0 &&
        space_clear_disk(store, &usage, bytes, &wish) == 0) {
        evict_start(options, store, &wish);
    }
}

/* Declares under the lock. 1; 0 if room has to be made first; -1. */
static int space_try(const struct fill *fill, const struct space_need *own,
                     struct evict_wish *out_wish, struct error *error)
{
    struct store *store = fill->upstream->store;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct space_need need;
    int judged;

    if (usage_lock(store, &lock, error) == LOCK_FAILED) {
        return -1;
    }
    need = space_promised(fill);
    need.total = space_sum(need.total, own->total);
    need.missing = space_sum(need.missing, own->missing);
    judged = space_judge(fill->upstream->options, store, &need, out_wish, error);
    if (judged <= 0) {
        return judged;
    }
    if (partial_write_total(fill, own->total, error) < 0) {
        return -1;
    }
    lock_release(&lock);
    space_look_ahead(fill->upstream->options, store, &need);
    return 1;
}

/* Makes the room that was wanted. */
static int space_make(const struct fill *fill, const struct evict_wish *wish, struct error *error)
{
    struct evict_report report;

    return evict_run(fill->upstream->options, fill->upstream->store, wish, &report, error) < 0 ? -1
                                                                                               : 0;
}

static int space_give_up(struct error *error)
{
    return error_set(error, ERROR_NO_SPACE,
                     "the cache has no room, as fast as it is made: what it has is in use");
}

int space_reserve(const struct fill *fill, uint64_t total, uint64_t missing, struct error *error)
{
    struct space_need own = {.total = total, .missing = missing};
    struct space_sweep sweep = {.makes_room = fill->upstream->options->maximum_size > 0,
                                .left = SWEEP_COUNT};

    space_visit(fill->upstream->store, NULL, space_discard_stale, &sweep);
    for (int i = 0; i < ROOM_TRIES; i++) {
        struct evict_wish wish;
        int reserved = space_try(fill, &own, &wish, error);

        if (reserved != 0) {
            return reserved < 0 ? -1 : 0;
        }
        if (space_make(fill, &wish, error) < 0) {
            return -1;
        }
    }
    return space_give_up(error);
}

int space_check(const struct fill *fill, bool is_reserved, struct error *error)
{
    struct store *store = fill->upstream->store;
    struct path own = partial_directory(fill);
    time_t when;

    if (is_reserved) {
        return store_check_space(store, 0, error);
    }
    for (int i = 0; i < ROOM_TRIES; i++) {
        struct space_need need = space_promised(fill);
        struct evict_wish wish;
        int judged;

        need.total = space_sum(need.total, space_written(store, &own, &when) + UNKNOWN_PIECE);
        judged = space_judge(fill->upstream->options, store, &need, &wish, error);
        if (judged != 0) {
            return judged < 0 ? -1 : 0;
        }
        if (space_make(fill, &wish, error) < 0) {
            return -1;
        }
    }
    return space_give_up(error);
}

void space_count_fetches(struct store *store, struct space_fetches *out)
{
    struct space_need need = {.total = 0};

    if (store->temporary >= 0) {
        space_visit(store, NULL, space_add_need, &need);
    }
    *out = (struct space_fetches){.count = need.claimed,
                                  .bytes = need.written,
                                  .total = space_sum(need.written, need.missing)};
}

/* Where what is found goes. */
struct space_list {
    struct space_fetch *fetches;
    size_t count;
    size_t limit;
};

static void space_add_fetch(struct store *store, const struct path *directory, void *context)
{
    struct space_list *list = context;
    struct space_fetch fetch = {.total = 0};
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    time_t when;

    if (list->count == list->limit || !space_is_claimed(store, directory) ||
        !partial_name_in(store, directory, &name)) {
        return;
    }
    if (!layout_read_partial(directory->text, fetch.upstream, &fetch.digest) ||
        !text_copy(fetch.name, sizeof(fetch.name), name.data, name.length)) {
        return;
    }
    fetch.bytes = space_written(store, directory, &when);
    (void)partial_total_in(store, directory, &fetch.total);
    list->fetches[list->count++] = fetch;
}

size_t space_list_fetches(struct store *store, struct space_fetch *out, size_t limit)
{
    struct space_list list = {.fetches = out, .limit = limit};

    if (store->temporary >= 0) {
        space_visit(store, NULL, space_add_fetch, &list);
    }
    return list.count;
}

int space_collect(const struct proxy_options *options, struct store *store, bool is_trial,
                  struct evict_report *out_report, struct error *error)
{
    struct evict_wish wish = {
        .room = UINT64_MAX, .patience = EVICT_PATIENCE, .wait = LOCK_TRY, .is_trial = is_trial};
    uint64_t high = space_part(options->maximum_size, HIGH_PERCENT);
    struct space_need need = {.total = 0};
    struct usage usage;
    int result;

    if (options->maximum_size > 0) {
        space_visit(store, NULL, space_add_need, &need);
        wish.room = high > need.total ? high - need.total : 0;
        wish.spare = high - space_part(options->maximum_size, LOW_PERCENT);
    }
    result = evict_run(options, store, &wish, out_report, error);
    usage = (struct usage){
        .used = out_report->used, .fixed = out_report->fixed, .inodes = out_report->inodes};
    /* What there is is known by now, whatever the memo says that a full disk had no room for. */
    if (result > 0 && options->maximum_size > 0 && !is_trial &&
        space_clear_disk(store, &usage, need.missing, &wish) == 0) {
        struct evict_report before = *out_report;

        wish.spare = 0;
        result = evict_run(options, store, &wish, out_report, error);
        evict_report_add(out_report, &before);
    }
    return result;
}
