/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/download.h"

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"

enum {
    AT_ONCE = 6, /* blobs that are under way at a time */
    TRIES = 3,   /* for a blob whose fetch breaks off */
    PIECE_SIZE = 256 * 1024,
};

/* A blob in the cache, or on its way. */
struct download {
    const struct reference *reference;
    struct proxy_blob blob;
    bool cached; /* before we asked */
};

static int download_begin(struct downloads *all, struct download *download, struct error *error)
{
    struct proxied *proxied = all->proxied;
    const struct reference *reference = download->reference;
    struct proxy_blob_request request = {.digest = reference->digest};
    int found;

    proxied->may_wait = false;
    found = proxy_get_blob(proxied, &request, &download->blob, error);
    proxied->may_wait = true;
    if (found < 0 && error->code == ERROR_WOULD_WAIT) {
        if (store_check_space(all->cache, reference->size, error) < 0) {
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

static void download_end(struct download *download)
{
    stream_close(download->blob.stream);
    download->blob.stream = NULL;
}

/* Reads what comes: whoever reads to the end has seen it verified. */
static int download_follow(struct downloads *all, struct download *download, struct error *error)
{
    AUTO_FREE char *piece = memory_allocate(1, PIECE_SIZE);
    uint64_t done = 0;

    while (download->blob.stream && done < download->blob.size) {
        ssize_t got = stream_read(download->blob.stream, done, piece, PIECE_SIZE, error);

        if (got < 0) {
            return -1;
        }
        done += (uint64_t)got;
        progress_step(all->progress, done);
    }
    return 0;
}

/* What was passed through without being kept is of no use here. */
static int download_check_kept(struct downloads *all, const struct download *download,
                               struct error *error)
{
    struct proxy_blob_request request = {.digest = download->reference->digest, .head_only = true};
    struct proxy_blob blob;
    /* Which may have to read it: whoever vouched for it may have died. */
    int found = proxy_get_blob(all->proxied, &request, &blob, error);

    if (found > 0 && blob.is_stored) {
        return 0;
    }
    return error_set(error, ERROR_NO_SPACE, "the blob %s could not be kept in the cache",
                     download->reference->digest.text);
}

static int download_finish(struct downloads *all, struct download *download, struct error *error)
{
    int result;

    progress_begin(all->progress, download->reference->digest.text, download->blob.size);
    result = download_follow(all, download, error);
    for (unsigned tries = 1; result < 0 && tries < TRIES; tries++) {
        download_end(download);
        result = download_begin(all, download, error);
        if (result < 0) {
            break;
        }
        download->cached = false;
        result = download_follow(all, download, error);
    }
    if (result == 0 && !download->cached) {
        stream_wait_for_blob(download->blob.stream);
        result = download_check_kept(all, download, error);
    }
    download_end(download);
    if (result < 0) {
        progress_abandon(all->progress);
        return -1;
    }
    all->blobs++;
    all->bytes += download->blob.size;
    all->fetched += download->cached ? 0 : download->blob.size;
    progress_end(all->progress, download->cached ? "cached" : "fetched");
    return 0;
}

/* Looks whether it is there, and else sees to it that it will be. */
static void download_start(struct downloads *all, struct download *download)
{
    download->cached =
        proxy_start_blob(all->proxied, &download->reference->digest, download->reference->size);
}

/* `downloads` has a place for each of them. One is read, and those behind it are on their way
 * already: each in the hands of a process that has a connection, and nobody waits for its answer.
 */
static int downloads_run(struct downloads *all, struct download *downloads, size_t count,
                         struct error *error)
{
    size_t started = 0;
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        for (; started < count && started < i + AT_ONCE; started++) {
            download_start(all, &downloads[started]);
        }
        result = download_begin(all, &downloads[i], error);
        if (result == 0) {
            result = download_finish(all, &downloads[i], error);
        }
    }
    for (size_t i = 0; i < count; i++) {
        download_end(&downloads[i]);
    }
    return result;
}

int downloads_fetch(struct downloads *all, const struct manifest *manifest, struct error *error)
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
    return downloads_run(all, downloads, count, error);
}
