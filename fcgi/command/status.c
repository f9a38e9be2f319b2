/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/base/directory.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/observe/count/totals.h"
#include "lib/proxy/ask/health.h"
#include "lib/proxy/evict/kept.h"
#include "lib/proxy/evict/usage.h"
#include "lib/proxy/fill/space.h"
#include "lib/store/census.h"
#include "lib/store/chore.h"

/*
 * Nothing here walks through a store: what is dear was counted by `berth gc`, and is told with its
 * age. Each line is one of a table for people: what it is about, then the rest.
 */

enum { BAR_WIDTH = 20, PERCENT = 100 };

static void status_add_bar(uint64_t part, uint64_t whole, struct buffer *out)
{
    /* What was counted may be any number by now, and more than the whole is no part. */
    uint64_t percent = part < whole ? (uint64_t)((double)part / (double)whole * PERCENT)
                       : whole > 0  ? PERCENT
                                    : 0;
    uint64_t marks = percent * BAR_WIDTH / PERCENT;

    for (uint64_t i = 0; i < BAR_WIDTH; i++) {
        buffer_add_text(out, i < marks ? "#" : "-");
    }
    buffer_format(out, " %" PRIu64 " %%", percent);
}

/* How long ago something was, by a file's date, which may be ahead. */
static void status_say_age(struct line *line, const char *key, uint64_t age)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    if (age == UINT64_MAX) {
        line_raw(line, key, "null");
        line_say(line, "at a date that is ahead of the clock");
    } else {
        text_add_seconds(age, &text);
        line_number(line, key, age);
        line_say(line, "%s ago", text.data);
    }
}

/* How full the disk of a store is. */
static void status_tell_disk(const struct store *store, const char *name, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer free_text = BUFFER_INIT;
    AUTO_BUFFER struct buffer size_text = BUFFER_INIT;
    AUTO_BUFFER struct buffer bar = BUFFER_INIT;
    struct statvfs status;
    uint64_t available;
    uint64_t size;
    uint64_t used;

    if (fstatvfs(store->root, &status) < 0) {
        return;
    }
    available = (uint64_t)status.f_bavail * status.f_frsize;
    size = (uint64_t)status.f_blocks * status.f_frsize;
    text_add_bytes(available, &free_text);
    text_add_bytes(size, &size_text);
    used = size - (uint64_t)status.f_bfree * status.f_frsize;
    status_add_bar(used, used + available, &bar); /* as df(1) has it */
    line_text(&line, "store", name);
    line_text(&line, "path", store->options->root);
    line_number(&line, "disk_bytes", size);
    line_number(&line, "free_bytes", available);
    line_say(&line, "%-10s disk      %s, %s of %s free, in %s", name, bar.data, free_text.data,
             size_text.data, store->options->root);
    line_end(&line);
}

/* Since each repository sees only its own links, what it would have without the others is known. */
static void status_tell_sharing(const struct census *census, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer saved_text = BUFFER_INIT;
    AUTO_BUFFER struct buffer alone = BUFFER_INIT;
    AUTO_BUFFER struct buffer bar = BUFFER_INIT;
    uint64_t saved =
        census->linked_bytes > census->bytes ? census->linked_bytes - census->bytes : 0;

    text_add_bytes(saved, &saved_text);
    text_add_bytes(census->linked_bytes, &alone);
    status_add_bar(saved, census->linked_bytes, &bar);
    line_text(&line, "store", "registry");
    line_number(&line, "linked_bytes", census->linked_bytes);
    line_number(&line, "shared_bytes", saved);
    line_say(&line, "registry   sharing   %s, saves %s of the %s of all repositories", bar.data,
             saved_text.data, alone.data);
    line_end(&line);
}

static void status_tell_trash(const struct census *census, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer collected = BUFFER_INIT;
    const struct census_trash *deleted = &census->trash[TRASH_DELETED];
    const struct census_trash *taken = &census->trash[TRASH_COLLECTED];

    text_add_bytes(taken->bytes, &collected);
    line_text(&line, "store", "registry");
    line_number(&line, "trash_deleted_files", deleted->files);
    line_number(&line, "trash_deleted_bytes", deleted->bytes);
    line_number(&line, "trash_collected_files", taken->files);
    line_number(&line, "trash_collected_bytes", taken->bytes);
    line_say(&line,
             "registry   trash     %s in %" PRIu64 " files that were collected, %" PRIu64
             " links that were deleted",
             collected.data, taken->files, deleted->files);
    line_end(&line);
}

static void status_tell_census(const struct store *store, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct census census = {.blobs = 0};
    uint64_t age = 0;
    struct error ignored;
    int found = census_read(store, &census, &age, &ignored);

    line_text(&line, "store", "registry");
    line_raw(&line, "is_counted", found > 0 ? "true" : "false");
    if (found <= 0) { /* what cannot be read `berth gc` tells of */
        line_say(&line, "registry   content   not counted yet: `berth gc` counts");
        line_end(&line);
        return;
    }
    text_add_bytes(census.bytes, &bytes);
    line_number(&line, "repositories", census.repositories);
    line_number(&line, "tags", census.tags);
    line_number(&line, "manifests", census.manifests);
    line_number(&line, "blobs", census.blobs);
    line_number(&line, "bytes", census.bytes);
    line_say(&line,
             "registry   content   %" PRIu64 " repositories, %" PRIu64 " tags, %" PRIu64
             " manifests, %" PRIu64 " blobs of %s, as `berth gc` counted ",
             census.repositories, census.tags, census.manifests, census.blobs, bytes.data);
    status_say_age(&line, "counted_seconds_ago", age);
    line_end(&line);
    status_tell_sharing(&census, json);
    status_tell_trash(&census, json);
}

static void status_add_members(struct line *line, const char *key, const struct chore_past *past)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"problems", past->problems}, {"seconds", past->seconds}};
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    buffer_format(&name, "%s_outcome", key);
    line_text(line, name.data, chore_outcome_name(past->outcome));
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        buffer_clear(&name);
        buffer_format(&name, "%s_%s", key, members[i].name);
        line_number(line, name.data, members[i].value);
    }
}

/* What became of a chore the last time; `key` is what it is called for machines. */
static int status_tell_chore(const struct store *store, const char *name, enum chore_kind kind,
                             bool json, struct error *error)
{
    const char *key = kind == CHORE_COLLECT ? "gc" : "check";
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer ago = BUFFER_INIT;
    struct chore_past past;
    int found = chore_read(store, kind, &past, error);

    if (found < 0) {
        return -1;
    }
    line_text(&line, "store", name);
    line_say(&line, "%-10s %-9s ", name, key);
    if (found == 0) {
        line_say(&line, "never");
        line_end(&line);
        return 0;
    }
    status_add_members(&line, key, &past);
    buffer_format(&ago, "%s_seconds_ago", key);
    if (past.outcome == CHORE_UNDER_WAY) {
        text_add_seconds(past.ago, &text);
        line_number(&line, ago.data, past.ago);
        line_say(&line, "for %s: %s", text.data, chore_outcome_name(past.outcome));
    } else {
        text_add_seconds(past.seconds, &text);
        status_say_age(&line, ago.data, past.ago);
        line_say(&line, ": %s after %s, %" PRIu64 " problems", chore_outcome_name(past.outcome),
                 text.data, past.problems);
    }
    line_end(&line);
    return 0;
}

static int status_tell_uploads(const struct store *store, bool json, struct error *error)
{
    AUTO_LINE struct line line = line_begin(json);
    struct census_uploads uploads;

    if (census_count_uploads(store, &uploads, error) < 0) {
        return -1;
    }
    line_text(&line, "store", "registry");
    line_number(&line, "uploads", uploads.sessions);
    line_number(&line, "uploads_active", uploads.active);
    line_say(&line, "registry   uploads   %" PRIu64 ", of which %" PRIu64 " are being written",
             uploads.sessions, uploads.active);
    line_end(&line);
    return 0;
}

static int status_tell_registry(const struct configuration *configuration, bool json,
                                struct error *error)
{
    struct store store = STORE_INIT;
    int result = command_open_hosted(&store, configuration, OPEN_TO_LOOK, error);

    if (result == 0) {
        status_tell_disk(&store, "registry", json);
        status_tell_census(&store, json);
    }
    if (result == 0) {
        result = status_tell_uploads(&store, json, error);
    }
    if (result == 0) {
        result = status_tell_chore(&store, "registry", CHORE_COLLECT, json, error);
    }
    if (result == 0) {
        result = status_tell_chore(&store, "registry", CHORE_CHECK, json, error);
    }
    store_close(&store);
    return result;
}

/* How much is cached, where that is known. */
static int status_tell_usage(const struct store *store, uint64_t limit, bool json,
                             struct error *error)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer used = BUFFER_INIT;
    AUTO_BUFFER struct buffer most = BUFFER_INIT;
    AUTO_BUFFER struct buffer bar = BUFFER_INIT;
    AUTO_KEPT struct kept kept = KEPT_INIT;
    struct usage usage = {.used = 0};
    int found = limit > 0 ? usage_read(store, &usage, error) : 0;

    if (found < 0 || kept_refresh(store, &kept, error) < 0) {
        return -1;
    }
    line_text(&line, "store", "proxy");
    line_number(&line, "kept_images", kept.images);
    line_number(&line, "maximum_bytes", limit);
    if (found > 0) {
        line_number(&line, "used_bytes", usage.used);
        line_number(&line, "kept_bytes", usage.fixed);
        text_add_bytes(usage.used, &used);
        text_add_bytes(limit, &most);
        status_add_bar(usage.used, limit, &bar);
        line_say(&line, "proxy      content   %s, %s of %s, %" PRIu64 " images are kept", bar.data,
                 used.data, most.data, kept.images);
    } else {
        line_say(&line, "proxy      content   %s, %" PRIu64 " images are kept",
                 limit > 0 ? "not counted yet" : "not limited", kept.images);
    }
    line_end(&line);
    return 0;
}

static void status_tell_fetches(struct store *store, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer done = BUFFER_INIT;
    AUTO_BUFFER struct buffer total = BUFFER_INIT;
    struct space_fetches fetches;

    space_count_fetches(store, &fetches);
    text_add_bytes(fetches.bytes, &done);
    text_add_bytes(fetches.total, &total);
    line_text(&line, "store", "proxy");
    line_number(&line, "fetches", fetches.count);
    line_number(&line, "fetched_bytes", fetches.bytes);
    line_number(&line, "fetching_bytes", fetches.total);
    line_say(&line, "proxy      fetches   %" PRIu64 ", %s of %s", fetches.count, done.data,
             total.data);
    line_end(&line);
}

/* One that was asked lately: whether it is well, and what it says of its rate limit. */
static void status_tell_upstream(struct store *store, const char *name, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    struct health_limit limit;
    uint64_t seconds = 0;
    bool is_bad = health_explain(store, name, &message, &seconds);

    line_text(&line, "upstream", name);
    line_raw(&line, "is_well", is_bad ? "false" : "true");
    line_say(&line, "proxy      upstream  %s: ", name);
    if (is_bad) {
        line_text(&line, "trouble", message.data);
        line_number(&line, "asked_again_in_seconds", seconds);
        line_say(&line, "%s (asked again in %" PRIu64 " s)", message.data, seconds);
    } else {
        line_say(&line, "well");
    }
    if (health_find_limit(store, name, &limit)) {
        AUTO_BUFFER struct buffer bar = BUFFER_INIT;

        status_add_bar(limit.remaining, limit.limit, &bar);
        line_number(&line, "limit", limit.limit);
        line_number(&line, "limit_remaining", limit.remaining);
        line_number(&line, "limit_seconds_ago", limit.age);
        line_say(&line, ", %s, %" PRIu64 " of %" PRIu64 " requests left", bar.data, limit.remaining,
                 limit.limit);
    }
    line_end(&line);
}

/* Strangers may have named very many. */
static int status_tell_upstreams(struct store *store, bool json, struct error *error)
{
    enum { LIMIT = 100 };
    AUTO_NAMES struct names upstreams = NAMES_INIT;

    if (directory_list(store->root, LAYOUT_UPSTREAMS, &upstreams, error) < 0) {
        return -1;
    }
    for (size_t i = 0; i < upstreams.count && i < LIMIT; i++) {
        status_tell_upstream(store, upstreams.names[i], json);
    }
    return 0;
}

static int status_tell_cache(const struct configuration *configuration, bool json,
                             struct error *error)
{
    const struct proxy_options *proxy = &configuration->registry.proxy;
    struct store cache = STORE_INIT;
    int result;

    if (!proxy->enabled || access(proxy->store.root, F_OK) < 0) {
        return 0; /* there is none yet */
    }
    result = command_open_cache(&cache, configuration, OPEN_TO_LOOK, error);
    if (result == 0) {
        status_tell_disk(&cache, "proxy", json);
        result = status_tell_usage(&cache, proxy->maximum_size, json, error);
    }
    if (result == 0) {
        result = status_tell_chore(&cache, "proxy", CHORE_CHECK, json, error);
    }
    if (result == 0) {
        status_tell_fetches(&cache, json);
        result = status_tell_upstreams(&cache, json, error);
    }
    store_close(&cache);
    return result;
}

/* What all hosts have served today and in the last days. */
static void status_tell_days(const struct totals *totals, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer today = BUFFER_INIT;
    AUTO_BUFFER struct buffer served = BUFFER_INIT;
    struct totals_day sum = {.served = 0};

    for (size_t i = 0; i < TOTALS_DAYS; i++) {
        sum.served += totals->days[i].served;
        sum.pulls += totals->days[i].pulls;
        sum.pushes += totals->days[i].pushes;
    }
    text_add_bytes(totals->days[0].served, &today);
    text_add_bytes(sum.served, &served);
    line_number(&line, "served_bytes_today", totals->days[0].served);
    line_number(&line, "pulls_today", totals->days[0].pulls);
    line_number(&line, "pushes_today", totals->days[0].pushes);
    line_number(&line, "served_bytes_30_days", sum.served);
    line_number(&line, "pulls_30_days", sum.pulls);
    line_number(&line, "pushes_30_days", sum.pushes);
    line_say(&line,
             "traffic    today     %s served, %" PRIu64 " pulls, %" PRIu64
             " pushes; in 30 days %s, "
             "%" PRIu64 ", %" PRIu64,
             today.data, totals->days[0].pulls, totals->days[0].pushes, served.data, sum.pulls,
             sum.pushes);
    line_end(&line);
}

/* What the cache was good for. */
static void status_tell_savings(const struct totals_upstream *upstream, bool json)
{
    AUTO_LINE struct line line = line_begin(json);
    AUTO_BUFFER struct buffer bar = BUFFER_INIT;
    AUTO_BUFFER struct buffer saved = BUFFER_INIT;
    AUTO_BUFFER struct buffer served = BUFFER_INIT;
    const char *name = *upstream->name ? upstream->name : "others";

    status_add_bar(upstream->saved, upstream->served, &bar);
    text_add_bytes(upstream->saved, &saved);
    text_add_bytes(upstream->served, &served);
    line_text(&line, "traffic_of", name);
    for (size_t i = 0; i < LOOK_COUNT; i++) {
        AUTO_BUFFER struct buffer key = BUFFER_INIT;

        buffer_format(&key, "lookups_%s", counted_look_words[i]);
        line_number(&line, key.data, upstream->looks[i]);
    }
    line_number(&line, "served_bytes", upstream->served);
    line_number(&line, "fetched_bytes", upstream->fetched);
    line_number(&line, "saved_bytes", upstream->saved);
    line_say(&line, "traffic    %-9s %s, %s of %s came from the cache", name, bar.data, saved.data,
             served.data);
    line_end(&line);
}

static int status_tell_traffic(const struct configuration *configuration, bool json,
                               struct error *error)
{
    AUTO_FREE struct totals *totals = memory_allocate(1, sizeof(*totals));
    int found = totals_read(configuration->registry.metrics.hosts, totals, error);

    if (found <= 0) {
        return found;
    }
    status_tell_days(totals, json);
    for (size_t i = 0; i < totals->upstream_count; i++) {
        status_tell_savings(&totals->upstreams[i], json);
    }
    return 0;
}

static int status_run(const struct configuration *configuration, const struct arguments *arguments)
{
    bool json = arguments->has[OPTION_JSON];
    struct error error;

    if (status_tell_registry(configuration, json, &error) < 0 ||
        status_tell_cache(configuration, json, &error) < 0 ||
        status_tell_traffic(configuration, json, &error) < 0) {
        return command_fail(&command_status, &error);
    }
    return EXIT_FINE;
}

static const struct option_row status_options[] = {
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_status = {
    .name = "status",
    .summary = "tell how full the stores are, what is on its way, and what was served",
    .options = status_options,
    .run = status_run,
};
