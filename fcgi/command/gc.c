/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "fcgi/command/command.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/observe/events.h"
#include "lib/proxy/evict/sweep.h"
#include "lib/proxy/fill/space.h"
#include "lib/registry/cached.h"
#include "lib/store/census.h"
#include "lib/store/chore.h"
#include "lib/store/collect.h"
#include "lib/store/expire.h"
#include "lib/store/sizes.h"

struct gc {
    struct collect_report report;
    struct store store;
    struct chore chore;
    const struct configuration *configuration;
    bool json;
    bool draws;    /* standard error is a terminal */
    int64_t drawn; /* milliseconds */
};

static void gc_clear(const struct gc *gc)
{
    if (gc->draws && gc->drawn > 0) {
        line_clear(stderr);
    }
}

/* What a dry run is for. */
static void gc_tell_found(void *context, const char *path, const char *why, uint64_t bytes)
{
    const struct gc *gc = context;
    AUTO_LINE struct line line = line_begin(gc->json);

    if (!gc->report.dry_run) {
        return;
    }
    gc_clear(gc);
    line_text(&line, "path", path);
    line_text(&line, "reason", why);
    line_number(&line, "bytes", bytes);
    line_say(&line, "would go: %s: %s", path, why);
    line_end(&line);
}

/* Each tag in a dry run, else those that have gone, or found no room for that: which line of the
 * configuration says so. */
static void gc_tell_judged(void *context, const struct repository *repository,
                           const struct retention_tag *tag)
{
    struct gc *gc = context;
    const struct retention_verdict *verdict = &tag->verdict;
    bool stays = retention_stays(verdict);
    AUTO_LINE struct line line = line_begin(gc->json);
    AUTO_BUFFER struct buffer why = BUFFER_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    if (stays && !gc->report.dry_run && verdict->reason != RETENTION_NO_ROOM) {
        return;
    }
    gc_clear(gc);
    buffer_format(&name, "%s:%s", repository->name, tag->name);
    retention_explain(verdict, &why);
    line_text(&line, "tag", name.data);
    line_text(&line, "verdict", stays ? "kept" : "deleted");
    line_text(&line, "reason", why.data);
    line_say(&line, "%s: %s: %s", name.data,
             stays                ? "kept"
             : gc->report.dry_run ? "would be deleted"
                                  : "deleted",
             why.data);
    if (verdict->section) {
        line_text(&line, "section", verdict->section->name);
        line_text(&line, "key", verdict->key);
        line_text(&line, "file", gc->configuration->file);
        line_number(&line, "line", verdict->line);
        line_say(&line, " (%s:%u)", gc->configuration->file, verdict->line);
    }
    line_end(&line);
}

/* What stays because of a problem, in one word and in some. */
static const struct {
    const char *word;
    const char *consequence;
} gc_spared[] = {
    [COLLECT_SPARES_TAGS] = {"tags", "retention deletes nothing more in this repository"},
    [COLLECT_SPARES_REPOSITORY] = {"repository",
                                   "nothing of this repository is collected, nor removed from the "
                                   "trash"},
    [COLLECT_SPARES_BLOBS] = {"blobs",
                              "no blob of any repository is collected, and nothing is removed from "
                              "the trash"},
};
#define GC_ROOM "make room, as 'berth gc --empty-trash' does, and run it again"
#define GC_REMEDY "'berth check --repair' mends it, or says what to do"

static void gc_tell_problem(void *context, const char *path, const char *what,
                            enum collect_spared spared)
{
    const struct gc *gc = context;
    AUTO_LINE struct line line = line_begin(gc->json);

    gc_clear(gc);
    line_text(&line, "path", path);
    line_text(&line, "problem", what);
    line_say(&line, "%s: %s", path, what);
    if (spared != COLLECT_SPARES_NOTHING) {
        line_text(&line, "spares", gc_spared[spared].word);
        line_text(&line, "consequence", gc_spared[spared].consequence);
        line_text(&line, "remedy", GC_REMEDY);
        line_say(&line, ": until this is mended %s: " GC_REMEDY, gc_spared[spared].consequence);
    }
    line_end(&line);
}

/* That it goes on, from when we know that we are the only one. */
static void gc_note(struct gc *gc)
{
    if (gc->report.dry_run) {
        return;
    }
    if (gc->chore.began == 0) {
        chore_begin(&gc->chore, CHORE_COLLECT, &gc->store);
    }
    chore_go_on(&gc->chore, &gc->store);
}

static void gc_draw(void *context)
{
    enum { INTERVAL = 100 }; /* milliseconds */
    struct gc *gc = context;
    const struct collect_report *report = &gc->report;
    int64_t now = clock_milliseconds();

    gc_note(gc);
    if (!gc->draws || now - gc->drawn < INTERVAL) {
        return;
    }
    gc_clear(gc);
    gc->drawn = now;
    line_draw(stderr, "%" PRIu64 " repositories, %" PRIu64 " manifests, %" PRIu64 " blobs",
              report->repositories, report->manifests, report->blobs + report->collected_blobs);
}

static void gc_tell_no_room(const struct gc *gc)
{
    AUTO_LINE struct line line = line_begin(gc->json);
    const struct no_room *no_room = &gc->report.no_room;

    if (no_room->count > 0) {
        line_number(&line, "no_room", no_room->count);
        line_text(&line, "reason", no_room->why.message);
        line_text(&line, "remedy", GC_ROOM);
        line_say(&line,
                 "there was no room to move %" PRIu64
                 " things to the trash, and they stay: %s: " GC_ROOM,
                 no_room->count, no_room->why.message);
        line_end(&line);
    }
}

static void gc_summarize_retention(const struct gc *gc)
{
    const struct collect_report *report = &gc->report;
    AUTO_LINE struct line line = line_begin(gc->json);

    if (gc->configuration->registry.collect.retention.section_count > 0) {
        line_number(&line, "retention_tags", report->retention_tags);
        line_number(&line, "retention_deleted", report->retired_tags);
        line_say(&line, "retention: of %" PRIu64 " tags %" PRIu64 " %s", report->retention_tags,
                 report->retired_tags,
                 report->dry_run ? "would be deleted, and what only they lead to is counted below"
                                 : "were deleted, see berth restore");
        line_end(&line);
    }
}

static void gc_summarize(const struct gc *gc)
{
    const struct collect_report *report = &gc->report;
    AUTO_LINE struct line line = line_begin(gc->json);
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    AUTO_BUFFER struct buffer collected = BUFFER_INIT;
    AUTO_BUFFER struct buffer emptied = BUFFER_INIT;

    text_add_bytes(report->bytes, &bytes);
    text_add_bytes(report->collected_bytes, &collected);
    text_add_bytes(report->emptied_bytes, &emptied);
    line_number(&line, "repositories", report->repositories);
    line_number(&line, "tags", report->tags);
    line_number(&line, "manifests", report->manifests);
    line_number(&line, "blobs", report->blobs);
    line_number(&line, "bytes", report->bytes);
    line_number(&line, "collected_manifests", report->collected_manifests);
    line_number(&line, "collected_tags", report->collected_tags);
    line_number(&line, "collected_links", report->collected_links);
    line_number(&line, "collected_blobs", report->collected_blobs);
    line_number(&line, "collected_bytes", report->collected_bytes);
    line_number(&line, "removed_repositories", report->removed_repositories);
    line_number(&line, "emptied_files", report->emptied_files);
    line_number(&line, "emptied_bytes", report->emptied_bytes);
    line_number(&line, "problems", report->problems);
    line_number(&line, "spared_repositories", report->spared_repositories);
    line_raw(&line, "spares_blobs", report->spares_blobs ? "true" : "false");
    line_say(&line,
             "%" PRIu64 " repositories, %" PRIu64 " tags, %" PRIu64 " manifests, %" PRIu64
             " blobs of %s; %s to the trash: %" PRIu64 " manifests, %" PRIu64 " tags, %" PRIu64
             " links, %" PRIu64 " blobs of %s; %s from the trash: %" PRIu64 " files of %s; %" PRIu64
             " problems",
             report->repositories, report->tags, report->manifests, report->blobs, bytes.data,
             report->dry_run ? "would go" : "went", report->collected_manifests,
             report->collected_tags, report->collected_links, report->collected_blobs,
             collected.data, report->dry_run ? "would be removed" : "removed",
             report->emptied_files, emptied.data, report->problems);
    if (report->spares_blobs) {
        line_say(&line, "; not all links could be seen, and so no blob and nothing in the trash "
                        "was judged: berth check --repair");
    } else if (report->spared_repositories > 0) {
        line_say(&line, "; %" PRIu64 " repositories could not be judged: berth check --repair",
                 report->spared_repositories);
    }
    line_end(&line);
}

static void gc_summarize_cache(const struct gc *gc, const struct evict_report *report)
{
    AUTO_LINE struct line line = line_begin(gc->json);
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    AUTO_BUFFER struct buffer used = BUFFER_INIT;

    text_add_bytes(report->bytes, &bytes);
    text_add_bytes(report->used, &used);
    line_text(&line, "store", "proxy");
    line_number(&line, "evicted_blobs", report->blobs);
    line_number(&line, "evicted_manifests", report->manifests);
    line_number(&line, "evicted_bytes", report->bytes);
    line_number(&line, "removed_links", report->links);
    line_number(&line, "removed_repositories", report->repositories);
    line_number(&line, "kept_images", report->images);
    line_number(&line, "kept_bytes", report->fixed);
    line_number(&line, "bytes", report->used);
    line_say(&line,
             "proxy: %s: %" PRIu64 " blobs and %" PRIu64 " manifests of %s, %" PRIu64
             " links, %" PRIu64 " repositories; %s %s left, %" PRIu64 " images are kept",
             gc->report.dry_run ? "would go" : "went", report->blobs, report->manifests, bytes.data,
             report->links, report->repositories, used.data,
             gc->report.dry_run ? "would be" : "are", report->images);
    line_end(&line);
}

/* What is no reason to have done all the rest in vain, nor to keep from telling it. */
static void gc_add_problem(struct gc *gc, const char *path, const struct error *error)
{
    gc->report.problems++;
    gc_tell_problem(gc, path, error->message, COLLECT_SPARES_NOTHING);
}

/* Of what is written for the page and for `berth status`: for want of room it is as old as it is.
 */
static void gc_judge_note(struct gc *gc, int written, const char *path, const struct error *error)
{
    if (written < 0 && error->code != ERROR_NO_SPACE) {
        gc_add_problem(gc, path, error);
    }
}

/* What nobody has touched for long in a store's temporary storage. */
static void gc_expire(struct gc *gc, struct store *store)
{
    struct error error;

    if (expire_all(store, &error) < 0) {
        gc_add_problem(gc, store->options->temporary, &error);
    }
}

/* What is abandoned in the cache, what is of no more use there, and what it has no room for. */
static int gc_clean_cache(const struct configuration *configuration, struct gc *gc,
                          struct error *error)
{
    const struct proxy_options *proxy = &configuration->registry.proxy;
    bool dry_run = gc->report.dry_run;
    struct evict_report report = {.used = 0};
    struct store cache = STORE_INIT;
    int result;

    if (!command_has_cache(configuration)) {
        return 0;
    }
    result =
        command_open_cache(&cache, configuration, dry_run ? OPEN_TO_LOOK : OPEN_TO_CHANGE, error);
    if (result == 0 && !dry_run) {
        gc_expire(gc, &cache);
        sweep_cache(&cache);
    }
    if (result == 0) {
        result = space_collect(proxy, &cache, dry_run, &report, error);
    }
    if (result >= 0 && !dry_run) {
        struct error reason;

        gc_judge_note(gc, cached_count_sizes(proxy, &cache, &reason), LAYOUT_SIZES, &reason);
    }
    if (result > 0 && report.passed.count > 0) {
        gc_add_problem(gc, proxy->store.root, &report.passed.why);
    }
    if (result > 0) { /* 0: a fetch is making room in this moment */
        gc_summarize_cache(gc, &report);
    }
    store_close(&cache);
    return result < 0 ? -1 : 0;
}

/* What was counted on the way. */
static void gc_keep_census(struct gc *gc)
{
    const struct collect_report *report = &gc->report;
    struct census census = {.repositories = report->repositories - report->removed_repositories,
                            .tags = report->tags,
                            .manifests = report->manifests - report->collected_manifests,
                            .blobs = report->blobs,
                            .bytes = report->bytes,
                            .linked_bytes = report->linked_bytes};
    struct error error;

    for (int i = 0; i < TRASH_COUNT; i++) {
        census.trash[i] = (struct census_trash){report->trash[i].files, report->trash[i].bytes};
    }
    gc_judge_note(gc, census_write(&gc->store, &census, &error), LAYOUT_CENSUS, &error);
}

/* 1; 0 if somebody else is at it, who tells how he fares; -1. */
static int gc_change(const struct configuration *configuration, struct gc *gc, struct error *error)
{
    struct error reason;
    int result;

    gc_expire(gc, &gc->store); /* first: what is moved next may need the room */
    result = collect_store(&gc->store, &configuration->registry.collect, &gc->report, error);
    gc_clear(gc);
    if (result > 0) {
        gc_judge_note(gc, sizes_count(&gc->store, NULL, &reason), LAYOUT_SIZES, &reason);
        gc_keep_census(gc);
    }
    if (result != 0) {
        gc_note(gc);
        chore_end(&gc->chore, &gc->store, result < 0 ? CHORE_FAILED : CHORE_DONE,
                  gc->report.problems + gc->report.no_room.count);
    }
    return result;
}

/* Where nobody sends requests, nobody else sees to what receivers have not taken. */
static int gc_deliver(struct store *store, const struct events_options *options,
                      const struct gc *gc, struct error *error)
{
    struct events_report report = {.delivered = 0};
    AUTO_LINE struct line line = line_begin(gc->json);

    if (options->webhook_count == 0) {
        return 0;
    }
    if (events_deliver(store, options, &report, error) < 0) {
        return -1;
    }
    if (report.delivered + report.waiting + report.failed > 0) {
        line_number(&line, "events_delivered", report.delivered);
        line_number(&line, "events_waiting", report.waiting);
        line_number(&line, "events_failed", report.failed);
        line_say(&line,
                 "%" PRIu64 " events delivered, %" PRIu64 " wait, %" PRIu64 " failed: berth events "
                 "list",
                 report.delivered, report.waiting, report.failed);
        line_end(&line);
    }
    return 0;
}

/* 1; 0 if somebody else is at it; -1. */
static int gc_collect(const struct configuration *configuration, struct gc *gc, struct error *error)
{
    bool dry_run = gc->report.dry_run;
    int result = command_open_hosted(&gc->store, configuration,
                                     dry_run ? OPEN_TO_LOOK : OPEN_TO_CHANGE, error);

    if (result == 0 && dry_run) {
        result = collect_store(&gc->store, &configuration->registry.collect, &gc->report, error);
        gc_clear(gc);
    } else if (result == 0) {
        result = gc_change(configuration, gc, error);
    }
    if (result > 0 && !dry_run && gc_deliver(&gc->store, &configuration->events, gc, error) < 0) {
        result = -1;
    }
    store_close(&gc->store);
    return result;
}

static int gc_run(const struct configuration *configuration, const struct arguments *arguments)
{
    struct gc gc = {
        .report = {.dry_run = arguments->has[OPTION_DRY_RUN],
                   .empty_trash = arguments->has[OPTION_EMPTY_TRASH],
                   .found = gc_tell_found,
                   .judged = gc_tell_judged,
                   .problem = gc_tell_problem,
                   .step = gc_draw},
        .store = STORE_INIT,
        .configuration = configuration,
        .json = arguments->has[OPTION_JSON],
        .draws = isatty(STDERR_FILENO) == 1,
    };
    struct command_teller teller = {&gc.store, configuration, "@retention"};
    const struct actor actor = command_actor(&teller);
    struct error error;
    int result;

    if (gc.report.empty_trash && configuration->registry.hosted.grace == 0) {
        line_complain(
            "berth gc: --empty-trash would take from pushes under way what they were told "
            "is there: [collect] grace has to be more than 0s for that");
        return EXIT_FAILED;
    }
    gc.report.context = &gc;
    gc.report.actor = &actor;
    result = gc_collect(configuration, &gc, &error);
    if (result == 0) {
        line_complain("berth gc: another one is at work");
        return EXIT_FAILED;
    }
    if (result < 0) {
        return command_fail(&command_gc, &error);
    }
    result = gc_clean_cache(configuration, &gc, &error);
    gc_tell_no_room(&gc);
    gc_summarize_retention(&gc);
    gc_summarize(&gc);
    if (result < 0) {
        return command_fail(&command_gc, &error);
    }
    return gc.report.problems + gc.report.no_room.count > 0 ? EXIT_FOUND : EXIT_FINE;
}

static const struct option_row gc_options[] = {
    {.id = OPTION_DRY_RUN,
     .name = "--dry-run",
     .help = "change nothing: say what would go, and why"},
    {.id = OPTION_EMPTY_TRASH,
     .name = "--empty-trash",
     .help =
         "remove what is in the trash: at once what was deleted, which cannot be taken back any "
         "more, and what was collected when it has lain there for [collect] grace"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_gc = {
    .name = "gc",
    .summary =
        "apply retention, move to the trash what nobody can reach, remove what lay there long",
    .options = gc_options,
    .details = "It runs beside pulls and pushes. What it moves comes back by itself when somebody "
               "needs it.",
    .is_audited = true,
    .run = gc_run,
};
