/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/download.h"
#include "fcgi/command/line.h"
#include "fcgi/command/open.h"
#include "lib/base/text.h"
#include "lib/oci/image.h"
#include "lib/oci/index.h"
#include "lib/proxy/fill/fetcher.h"
#include "lib/proxy/keep.h"
#include "lib/store/repository.h"

enum {
    PLATFORM_LIMIT = 32,
    DEPTH_LIMIT = 4, /* indexes inside of each other */
};

struct prefetch {
    const struct configuration *configuration;
    struct progress progress;
    bool json;
    struct platform platforms[PLATFORM_LIMIT];
    size_t platform_count;
    struct store hosted; /* where events wait; open only if anybody is told of any */
    struct store cache;
    struct command_teller teller;
    /* Of the image in hand: */
    const char *image; /* as it was written */
    struct proxied proxied;
    struct report report;
    uint64_t manifests;
    struct downloads downloads;
    struct keep keep;
};

static bool prefetch_wants(const struct prefetch *prefetch, const struct index_child *child)
{
    for (size_t i = 0; i < prefetch->platform_count; i++) {
        if (platform_matches(&prefetch->platforms[i], &child->platform)) {
            return true;
        }
    }
    return prefetch->platform_count == 0 || !child->has_platform;
}

/* What a cached manifest had to be served for, such as an upstream that is down. */
static void prefetch_tell_warning(struct prefetch *prefetch)
{
    struct buffer *warning = &prefetch->report.warning;

    if (warning->length > 0) {
        line_complain("berth prefetch: %s: warning: %s", prefetch->image, warning->data);
        buffer_clear(warning);
    }
}

/* As a worker tells of what comes in because somebody pulls. */
static void prefetch_tell_fill(const struct prefetch *prefetch, const char *reference,
                               const struct stored_manifest *manifest)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    if (prefetch->proxied.has_filled && prefetch->teller.store) {
        buffer_format(&name, UPSTREAM_PREFIX "%s", prefetch->proxied.repository.name);
        command_tell_fill(&prefetch->teller, name.data, reference, manifest);
    }
}

/* One that was passed on without being kept is of no use here. */
static int prefetch_check_kept(const struct prefetch *prefetch, const char *reference,
                               const struct stored_manifest *manifest, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest kept = STORED_MANIFEST_INIT;
    struct error ignored;
    int found = repository_get_manifest(&prefetch->proxied.repository, reference, &kept, &ignored);

    if (found > 0 && digest_equal(&kept.digest, &manifest->digest)) {
        return 0;
    }
    return error_set(error, ERROR_NO_SPACE,
                     "the manifest %s could not be kept in the cache: it has no room, or could not "
                     "be written",
                     manifest->digest.text);
}

static int prefetch_get_manifest(struct prefetch *prefetch, const char *reference,
                                 struct stored_manifest *out, struct error *error)
{
    int found;

    prefetch->proxied.has_filled = false;
    found = proxy_get_manifest(&prefetch->proxied, reference, false, out, error);
    if (found == 0) {
        return error_set(error, ERROR_MANIFEST_UNKNOWN, "the upstream has no manifest '%s'",
                         reference);
    }
    if (found < 0 || prefetch_check_kept(prefetch, reference, out, error) < 0) {
        return -1;
    }
    prefetch_tell_warning(prefetch);
    prefetch_tell_fill(prefetch, reference, out);
    prefetch->manifests++;
    return 0;
}

/* A manifest and everything below it. Goes down into indexes, at most DEPTH_LIMIT times. */
static int prefetch_fetch_manifest(struct prefetch *prefetch, const char *reference, unsigned depth,
                                   struct digest *out_digest, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_INDEX struct index index = INDEX_INIT;
    struct document document;
    bool any = false;

    if (depth > DEPTH_LIMIT) {
        return error_set(error, ERROR_UPSTREAM, "its indexes are nested too deeply");
    }
    if (prefetch_get_manifest(prefetch, reference, &stored, error) < 0) {
        return -1;
    }
    document = stored_manifest_document(&stored);
    if (manifest_parse(&manifest, &document, error) < 0 ||
        index_parse(&index, &document, error) < 0) {
        return -1;
    }
    if (keep_manifest(&prefetch->keep, &stored.digest, &manifest, error) < 0) {
        return -1;
    }
    *out_digest = stored.digest;
    for (size_t i = 0; i < index.count; i++) {
        struct digest ignored;

        if (prefetch_wants(prefetch, &index.children[i])) {
            any = true;
            if (prefetch_fetch_manifest(prefetch, index.children[i].digest.text, depth + 1,
                                        &ignored, error) < 0) {
                return -1;
            }
        }
    }
    if (index.count > 0 && !any && depth == 0) {
        return error_set(error, ERROR_MANIFEST_UNKNOWN, "it is not there for this platform");
    }
    return downloads_fetch(&prefetch->downloads, &manifest, error);
}

static void prefetch_tell_success(const struct prefetch *prefetch, const struct digest *digest)
{
    const struct downloads *downloads = &prefetch->downloads;
    AUTO_LINE struct line line = line_begin(prefetch->json);
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    AUTO_BUFFER struct buffer fetched = BUFFER_INIT;

    line_text(&line, "image", prefetch->image);
    line_text(&line, "result", "done");
    line_text(&line, "digest", digest->text);
    line_number(&line, "manifests", prefetch->manifests);
    line_number(&line, "blobs", downloads->blobs);
    line_number(&line, "bytes", downloads->bytes);
    line_number(&line, "fetched", downloads->fetched);
    text_add_bytes(downloads->bytes, &bytes);
    text_add_bytes(downloads->fetched, &fetched);
    line_say(&line, "%s: %s, %" PRIu64 " manifests, %" PRIu64 " blobs, %s, fetched %s",
             prefetch->image, digest->text, prefetch->manifests, downloads->blobs, bytes.data,
             fetched.data);
    line_end(&line);
}

/* With the upstream's own words, if it said any. To people on standard error. */
static void prefetch_tell_failure(const struct prefetch *prefetch, const struct error *error)
{
    const struct buffer *detail = &prefetch->report.detail;
    struct document document = {detail->data, detail->length, NULL};
    AUTO_BUFFER struct buffer words = BUFFER_INIT;
    AUTO_LINE struct line line = line_begin(prefetch->json);

    line_text(&line, "image", prefetch->image);
    line_text(&line, "result", "failed");
    line_text(&line, "message", error->message);
    if (detail->length > 0) {
        line_raw(&line, "detail", detail->data);
    }
    if (prefetch->json) {
        line_end(&line);
        return;
    }
    if (document_text_member(&document, "message", &words) && strstr(error->message, words.data)) {
        buffer_clear(&words); /* said already */
    }
    line_complain("berth prefetch: %s: %s%s%s", prefetch->image, error->message,
                  words.length > 0 ? ": " : "", words.data);
}

/* Whether it begins with the name of a configured upstream. */
static bool prefetch_names_alias(const struct proxy_options *options, const char *text)
{
    size_t length = strcspn(text, "/");

    for (size_t i = 0; i < options->section_count; i++) {
        const char *name = options->sections[i].name;

        if (strlen(name) == length && strncmp(name, text, length) == 0 && text[length] == '/') {
            return true;
        }
    }
    return false;
}

static int prefetch_parse(const struct prefetch *prefetch, const char *text, struct image *out,
                          struct error *error)
{
    static const char prefix[] = "proxy/";

    if (text_begins(text, prefix)) {
        return image_parse(out, text + strlen(prefix), true, error);
    }
    return image_parse(out, text,
                       prefetch_names_alias(&prefetch->configuration->registry.proxy, text), error);
}

/* Which repository of the cache an image belongs to; in `out_image`, its reference there. */
static int prefetch_open(struct prefetch *prefetch, const char *text, struct image *out_image,
                         struct error *error)
{
    const struct proxy_options *options = &prefetch->configuration->registry.proxy;
    struct upstream upstream;
    char name[NAME_SIZE];

    if (prefetch_parse(prefetch, text, out_image, error) < 0 ||
        upstream_find(&upstream, options, out_image->host, error) < 0 ||
        upstream_repository(&upstream, out_image->name, name, error) < 0) {
        return -1;
    }
    proxied_open(&prefetch->proxied, &upstream, name, &prefetch->cache, &prefetch->report);
    return 0;
}

static int prefetch_fetch_image(struct prefetch *prefetch, const char *text,
                                struct digest *out_digest, struct error *error)
{
    struct kept_image kept = {.repository = prefetch->proxied.repository.name};
    struct image image;

    if (prefetch_open(prefetch, text, &image, error) < 0) {
        return -1;
    }
    kept.reference = image.reference;
    prefetch->proxied.may_wait = true;
    if (keep_begin(&prefetch->keep, &prefetch->cache, &kept, error) < 0 ||
        prefetch_fetch_manifest(prefetch, image.reference, 0, out_digest, error) < 0) {
        return -1;
    }
    return keep_end(&prefetch->keep, error);
}

static int prefetch_fetch(struct prefetch *prefetch, const char *text)
{
    struct digest digest;
    struct error error;
    int result;

    prefetch->image = text;
    prefetch->progress.topic = text;
    prefetch->manifests = 0;
    prefetch->downloads = (struct downloads){
        .proxied = &prefetch->proxied, .cache = &prefetch->cache, .progress = &prefetch->progress};
    prefetch->report = (struct report)REPORT_INIT;
    result = prefetch_fetch_image(prefetch, text, &digest, &error);
    if (result == 0) {
        prefetch_tell_success(prefetch, &digest);
    } else {
        prefetch_tell_failure(prefetch, &error);
    }
    report_release(&prefetch->report);
    return result;
}

/* It may go again. -1 if it was not kept. */
static int prefetch_drop(struct prefetch *prefetch, const char *text)
{
    AUTO_LINE struct line line = line_begin(prefetch->json);
    struct kept_image kept = {.repository = prefetch->proxied.repository.name};
    struct image image;
    struct error error;
    int dropped;

    prefetch->image = text;
    dropped = prefetch_open(prefetch, text, &image, &error);
    if (dropped == 0) {
        kept.reference = image.reference;
        dropped = kept_drop(&prefetch->cache, &kept, &error);
    }
    if (dropped <= 0) {
        if (dropped == 0) {
            (void)error_set(&error, ERROR_MANIFEST_UNKNOWN, "it is not kept");
        }
        prefetch_tell_failure(prefetch, &error);
        return -1;
    }
    line_text(&line, "image", text);
    line_text(&line, "result", "dropped");
    line_say(&line, "%s: is not kept any longer", text);
    line_end(&line);
    return 0;
}

static int prefetch_read_platforms(struct prefetch *prefetch, const struct arguments *arguments)
{
    const char *text;

    while ((text = arguments_value(arguments, OPTION_PLATFORM, prefetch->platform_count))) {
        if (prefetch->platform_count == PLATFORM_LIMIT) {
            return command_refuse(&command_prefetch, "there are too many platforms: '%s'", text);
        }
        if (!platform_parse(&prefetch->platforms[prefetch->platform_count++], text)) {
            return command_refuse(&command_prefetch, "this is no platform: '%s'", text);
        }
    }
    return EXIT_FINE;
}

/* All of them before the first one is fetched: a mistake in the last one shows at once. */
static int prefetch_check_images(const struct prefetch *prefetch, const char *const *images)
{
    for (; *images; images++) {
        struct image ignored;
        struct error error;

        if (prefetch_parse(prefetch, *images, &ignored, &error) < 0) {
            return command_refuse(&command_prefetch, "%s '%s'", error.message, *images);
        }
    }
    return EXIT_FINE;
}

static int prefetch_open_stores(struct prefetch *prefetch, bool drops, struct error *error)
{
    const struct configuration *configuration = prefetch->configuration;

    if (!drops && configuration->events.webhook_count > 0) {
        if (command_open_hosted(&prefetch->hosted, configuration, OPEN_TO_MAKE, error) < 0) {
            return -1;
        }
        prefetch->teller = (struct command_teller){&prefetch->hosted, configuration, "@berth"};
    }
    return command_open_cache(&prefetch->cache, configuration,
                              drops ? OPEN_TO_CHANGE : OPEN_TO_MAKE, error);
}

static void prefetch_close_stores(struct prefetch *prefetch)
{
    if (prefetch->teller.store) {
        events_start(&prefetch->hosted, &prefetch->configuration->events);
    }
    store_close(&prefetch->hosted);
    store_close(&prefetch->cache);
}

static int prefetch_run(const struct configuration *configuration,
                        const struct arguments *arguments)
{
    struct prefetch prefetch = {.configuration = configuration,
                                .json = arguments->has[OPTION_JSON],
                                .hosted = STORE_INIT,
                                .cache = STORE_INIT,
                                .report = REPORT_INIT,
                                .keep = KEEP_INIT};
    struct error error;
    bool drops = arguments->has[OPTION_DROP];
    int status = prefetch_read_platforms(&prefetch, arguments);

    prefetch.keep.is_wanted = arguments->has[OPTION_KEEP];
    if (drops && (arguments->has[OPTION_KEEP] || prefetch.platform_count > 0)) {
        return command_refuse(&command_prefetch, "--drop stands alone: it fetches nothing");
    }

    if (status == EXIT_FINE) {
        status = prefetch_check_images(&prefetch, arguments->operands);
    }
    if (status != EXIT_FINE) {
        return status;
    }
    if (prefetch_open_stores(&prefetch, drops, &error) < 0 || fetcher_allow_for_now(&error) < 0) {
        return command_fail(&command_prefetch, &error);
    }
    (void)registry_count(&configuration->registry,
                         &error); /* else what it fetches is not counted */
    progress_init(&prefetch.progress, prefetch.json);
    for (size_t i = 0; i < arguments->operand_count; i++) {
        const char *image = arguments->operands[i];
        int result = drops ? prefetch_drop(&prefetch, image) : prefetch_fetch(&prefetch, image);

        status = result < 0 ? EXIT_FOUND : status;
    }
    keep_release(&prefetch.keep);
    prefetch_close_stores(&prefetch);
    return status;
}

static const struct option_row prefetch_options[] = {
    {.id = OPTION_KEEP,
     .name = "--keep",
     .help = "and keep them, however full the cache is and however long nobody asks for them"},
    {.id = OPTION_DROP, .name = "--drop", .help = "fetch nothing: keep them no longer"},
    {.id = OPTION_PLATFORM,
     .name = "--platform",
     .value = "OS/ARCH[/VARIANT]",
     .is_repeatable = true,
     .help = "of an image for several, these only"},
    OPTION_ROW_JSON,
    OPTIONS_END,
};

const struct command command_prefetch = {
    .name = "prefetch",
    .summary = "fill the cache with others' images",
    .options = prefetch_options,
    .operands = "IMAGE...",
    .minimum_operands = 1,
    .maximum_operands = SIZE_MAX,
    .details = "IMAGE is [proxy/]HOST/NAME[:TAG][@DIGEST], or as for docker pull.",
    .run = prefetch_run,
};
