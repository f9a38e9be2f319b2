/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fcgi/command/command.h"
#include "fcgi/command/open.h"
#include "fcgi/command/progress.h"
#include "lib/base/json.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/oci/image.h"
#include "lib/oci/index.h"

enum {
    PLATFORM_LIMIT = 32,
    DEPTH_LIMIT = 4, /* indexes inside of each other */
    AT_ONCE = 3,     /* blobs that are under way at a time */
    TRIES = 3,       /* for a blob whose fetch breaks off */
    PIECE_SIZE = 256 * 1024,
};

struct prefetch {
    const struct configuration *configuration;
    struct progress progress;
    bool json;
    struct platform platforms[PLATFORM_LIMIT];
    size_t platform_count;
    struct store cache;
    /* Of the image in hand: */
    const char *image; /* as it was written */
    struct proxied proxied;
    struct report report;
    uint64_t manifests;
    uint64_t blobs;
    uint64_t bytes;   /* of all blobs */
    uint64_t fetched; /* bytes that were not in the cache */
};

static int usage(const char *what, const char *argument)
{
    (void)fprintf(stderr,
                  "berth prefetch: %s '%s'\n"
                  "usage: berth prefetch [--platform OS/ARCH[/VARIANT]]... [--json] IMAGE...\n"
                  "       IMAGE is [proxy/]HOST/NAME[:TAG][@DIGEST], or as for docker pull\n",
                  what, argument);
    return EXIT_FAILED;
}

/* A blob in the cache, or on its way. */
struct download {
    const struct reference *reference;
    struct proxy_blob blob;
    bool cached; /* before we asked */
};

static int begin_download(struct prefetch *prefetch, struct download *download, struct error *error)
{
    struct proxied *proxied = &prefetch->proxied;
    const struct reference *reference = download->reference;
    struct proxy_blob_request request = {.digest = reference->digest};
    int found;

    proxied->may_wait = false;
    found = proxy_get_blob(proxied, &request, &download->blob, error);
    proxied->may_wait = true;
    download->cached = found > 0 && download->blob.is_stored;
    if (found < 0 && error->code == ERROR_WOULD_WAIT) {
        if (store_check_space(&prefetch->cache, reference->size, error) < 0) {
            return error->code == ERROR_NO_SPACE
                       ? error_set(error, ERROR_NO_SPACE, "there is no room for it in the cache")
                       : -1;
        }
        found = proxy_get_blob(proxied, &request, &download->blob, error);
    }
    if (found == 0) {
        return error_set(error, ERROR_BLOB_UNKNOWN, "the upstream does not have the blob %s",
                         reference->digest.text);
    }
    return found < 0 ? -1 : 0;
}

static void end_download(struct download *download)
{
    stream_close(download->blob.stream);
    download->blob.stream = NULL;
}

/* Reads what comes: whoever reads to the end has seen it verified. */
static int follow(struct prefetch *prefetch, struct download *download, struct error *error)
{
    AUTO_FREE char *piece = memory_allocate(1, PIECE_SIZE);
    uint64_t done = 0;

    while (download->blob.stream && done < download->blob.size) {
        ssize_t got = stream_read(download->blob.stream, done, piece, PIECE_SIZE, error);

        if (got < 0) {
            return -1;
        }
        done += (uint64_t)got;
        progress_step(&prefetch->progress, done);
    }
    return 0;
}

/* What was passed through without being kept is of no use here. */
static int check_kept(struct prefetch *prefetch, const struct download *download,
                      struct error *error)
{
    struct proxy_blob_request request = {.digest = download->reference->digest, .head_only = true};
    struct proxy_blob blob;
    int found;

    prefetch->proxied.may_wait = false;
    found = proxy_get_blob(&prefetch->proxied, &request, &blob, error);
    prefetch->proxied.may_wait = true;
    if (found > 0 && blob.is_stored) {
        return 0;
    }
    return error_set(error, ERROR_NO_SPACE, "the blob %s could not be kept in the cache",
                     download->reference->digest.text);
}

static int finish_download(struct prefetch *prefetch, struct download *download,
                           struct error *error)
{
    int result;

    progress_begin(&prefetch->progress, download->reference->digest.text, download->blob.size);
    result = follow(prefetch, download, error);
    for (unsigned tries = 1; result < 0 && tries < TRIES; tries++) {
        end_download(download);
        result = begin_download(prefetch, download, error);
        if (result < 0) {
            break;
        }
        download->cached = false;
        result = follow(prefetch, download, error);
    }
    if (result == 0 && !download->cached) {
        result = check_kept(prefetch, download, error);
    }
    end_download(download);
    if (result < 0) {
        progress_abandon(&prefetch->progress);
        return -1;
    }
    prefetch->blobs++;
    prefetch->bytes += download->blob.size;
    prefetch->fetched += download->cached ? 0 : download->blob.size;
    progress_end(&prefetch->progress, download->cached ? "cached" : "fetched");
    return 0;
}

/* `downloads` has a place for each of them; the ones behind it are begun while one is read. */
static int run_downloads(struct prefetch *prefetch, struct download *downloads, size_t count,
                         struct error *error)
{
    size_t begun = 0;
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        for (; begun < count && begun < i + AT_ONCE && result == 0; begun++) {
            result = begin_download(prefetch, &downloads[begun], error);
        }
        if (result == 0) {
            result = finish_download(prefetch, &downloads[i], error);
        }
    }
    for (size_t i = 0; i < count; i++) {
        end_download(&downloads[i]);
    }
    return result;
}

static int fetch_blobs(struct prefetch *prefetch, const struct manifest *manifest,
                       struct error *error)
{
    AUTO_FREE struct download *downloads =
        memory_allocate(manifest->reference_count + 1, sizeof(*downloads));
    size_t count = 0;

    for (size_t i = 0; i < manifest->reference_count; i++) {
        const struct reference *reference = &manifest->references[i];

        if (reference->kind == REFERENCE_BLOB && !reference->elsewhere) {
            downloads[count++].reference = reference;
        }
    }
    return run_downloads(prefetch, downloads, count, error);
}

static bool is_wanted(const struct prefetch *prefetch, const struct index_child *child)
{
    for (size_t i = 0; i < prefetch->platform_count; i++) {
        if (platform_matches(&prefetch->platforms[i], &child->platform)) {
            return true;
        }
    }
    return prefetch->platform_count == 0 || !child->has_platform;
}

/* What a cached manifest had to be served for, such as an upstream that is down. */
static void tell_warning(struct prefetch *prefetch)
{
    struct buffer *warning = &prefetch->report.warning;

    if (warning->length > 0) {
        (void)fprintf(stderr, "berth prefetch: %s: warning: %s\n", prefetch->image, warning->data);
        buffer_clear(warning);
    }
}

static int get_manifest(struct prefetch *prefetch, const char *reference,
                        struct stored_manifest *out, struct error *error)
{
    int found = proxy_get_manifest(&prefetch->proxied, reference, false, out, error);

    if (found == 0) {
        return error_set(error, ERROR_MANIFEST_UNKNOWN, "the upstream has no manifest '%s'",
                         reference);
    }
    if (found > 0) {
        tell_warning(prefetch);
        prefetch->manifests++;
    }
    return found < 0 ? -1 : 0;
}

/* A manifest and everything below it. Goes down into indexes, at most DEPTH_LIMIT times. */
static int fetch_manifest(struct prefetch *prefetch, const char *reference, unsigned depth,
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
    if (get_manifest(prefetch, reference, &stored, error) < 0) {
        return -1;
    }
    document = (struct document){stored.content.data, stored.content.length, stored.media_type};
    if (manifest_parse(&manifest, &document, error) < 0 ||
        index_parse(&index, &document, error) < 0) {
        return -1;
    }
    *out_digest = stored.digest;
    for (size_t i = 0; i < index.count; i++) {
        struct digest ignored;

        if (is_wanted(prefetch, &index.children[i])) {
            any = true;
            if (fetch_manifest(prefetch, index.children[i].digest.text, depth + 1, &ignored,
                               error) < 0) {
                return -1;
            }
        }
    }
    if (index.count > 0 && !any && depth == 0) {
        return error_set(error, ERROR_MANIFEST_UNKNOWN, "it is not there for this platform");
    }
    return fetch_blobs(prefetch, &manifest, error);
}

static void tell_success(const struct prefetch *prefetch, const struct digest *digest)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    if (prefetch->json) {
        json_open_object(&line, NULL);
        json_text(&line, "image", prefetch->image);
        json_text(&line, "result", "done");
        json_text(&line, "digest", digest->text);
        json_number(&line, "manifests", prefetch->manifests);
        json_number(&line, "blobs", prefetch->blobs);
        json_number(&line, "bytes", prefetch->bytes);
        json_number(&line, "fetched", prefetch->fetched);
        json_close_object(&line);
    } else {
        buffer_format(&line, "%s: %s, %" PRIu64 " manifests, %" PRIu64 " blobs, ", prefetch->image,
                      digest->text, prefetch->manifests, prefetch->blobs);
        text_add_bytes(prefetch->bytes, &line);
        buffer_add_text(&line, ", fetched ");
        text_add_bytes(prefetch->fetched, &line);
    }
    (void)printf("%s\n", line.data);
    (void)fflush(stdout);
}

/* With the upstream's own words, if it said any. */
static void tell_failure(const struct prefetch *prefetch, const struct error *error)
{
    const struct buffer *detail = &prefetch->report.detail;
    struct document document = {detail->data, detail->length, NULL};
    AUTO_BUFFER struct buffer words = BUFFER_INIT;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    if (prefetch->json) {
        json_open_object(&line, NULL);
        json_text(&line, "image", prefetch->image);
        json_text(&line, "result", "failed");
        json_text(&line, "message", error->message);
        if (detail->length > 0) {
            json_raw(&line, "detail", detail->data);
        }
        json_close_object(&line);
        (void)printf("%s\n", line.data);
        (void)fflush(stdout);
        return;
    }
    if (document_text_member(&document, "message", &words) && strstr(error->message, words.data)) {
        buffer_clear(&words); /* said already */
    }
    (void)fprintf(stderr, "berth prefetch: %s: %s%s%s\n", prefetch->image, error->message,
                  words.length > 0 ? ": " : "", words.data);
}

/* Whether it begins with the name of a configured upstream. */
static bool begins_with_alias(const struct proxy_options *options, const char *text)
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

static int parse_image(const struct prefetch *prefetch, const char *text, struct image *out,
                       struct error *error)
{
    static const char prefix[] = "proxy/";

    if (text_begins(text, prefix)) {
        return image_parse(out, text + strlen(prefix), true, error);
    }
    return image_parse(out, text, begins_with_alias(&prefetch->configuration->registry.proxy, text),
                       error);
}

static int fetch_image(struct prefetch *prefetch, const char *text)
{
    const struct proxy_options *options = &prefetch->configuration->registry.proxy;
    struct image image;
    struct upstream upstream;
    char name[NAME_SIZE];
    struct digest digest;
    struct error error;
    int result;

    prefetch->image = text;
    prefetch->progress.topic = text;
    prefetch->manifests = prefetch->blobs = prefetch->bytes = prefetch->fetched = 0;
    prefetch->report = (struct report)REPORT_INIT;
    result = parse_image(prefetch, text, &image, &error);
    if (result == 0) {
        result = upstream_find(&upstream, options, image.host, &error);
    }
    if (result == 0) {
        result = upstream_repository(&upstream, image.name, name, &error);
    }
    if (result == 0) {
        proxied_open(&prefetch->proxied, &upstream, name, &prefetch->cache, &prefetch->report);
        prefetch->proxied.may_wait = true;
        result = fetch_manifest(prefetch, image.reference, 0, &digest, &error);
    }
    if (result == 0) {
        tell_success(prefetch, &digest);
    } else {
        tell_failure(prefetch, &error);
    }
    report_release(&prefetch->report);
    return result;
}

/* Reads the options and leaves *arguments at the images. False if they make no sense. */
static bool parse_arguments(struct prefetch *prefetch, char ***arguments)
{
    for (; **arguments && ***arguments == '-'; (*arguments)++) {
        const char *argument = **arguments;

        if (strcmp(argument, "--json") == 0) {
            prefetch->json = true;
        } else if (strcmp(argument, "--platform") == 0 && (*arguments)[1] &&
                   prefetch->platform_count < PLATFORM_LIMIT) {
            (*arguments)++;
            if (!platform_parse(&prefetch->platforms[prefetch->platform_count++], **arguments)) {
                (void)usage("this is no platform:", **arguments);
                return false;
            }
        } else {
            (void)usage("unexpected argument", argument);
            return false;
        }
    }
    for (char **image = *arguments; *image; image++) {
        struct image ignored;
        struct error error;

        if (parse_image(prefetch, *image, &ignored, &error) < 0) {
            (void)usage(error.message, *image);
            return false;
        }
    }
    if (!**arguments) {
        (void)usage("which image? There is none behind", "prefetch");
        return false;
    }
    return true;
}

int command_prefetch(const struct configuration *configuration, char **arguments)
{
    struct prefetch prefetch = {.configuration = configuration, .cache = STORE_INIT};
    struct error error;
    int status = EXIT_FINE;

    if (!parse_arguments(&prefetch, &arguments)) {
        return EXIT_FAILED;
    }
    if (command_open_cache(&prefetch.cache, configuration, OPEN_TO_MAKE, &error) < 0) {
        (void)fprintf(stderr, "berth prefetch: %s\n", error.message);
        return EXIT_FAILED;
    }
    progress_init(&prefetch.progress, prefetch.json);
    for (; *arguments; arguments++) {
        if (fetch_image(&prefetch, *arguments) < 0) {
            status = EXIT_FOUND;
        }
    }
    store_close(&prefetch.cache);
    return status;
}
