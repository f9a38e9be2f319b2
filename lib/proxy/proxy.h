/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

/*
 * A repository of another registry, as if it were here: from the cache if possible, else from the
 * upstream, into the cache.
 *
 * A tag is served for tag_ttl without asking; then a HEAD tells whether it moved. Digests are never
 * asked for again. When the upstream is in trouble, what the cache has is served with a warning.
 *
 * Whoever may not wait (`may_wait`) gets ERROR_WOULD_WAIT instead of a request to the upstream.
 *
 * The life of a cold blob
 *
 * 1. A worker looks into the cache (blobs.c): bytes, a link of this repository, and an origin that
 *    lets it be shown (fill/origin). Else it must not wait: ERROR_WOULD_WAIT. But if a filler that
 *    waits takes the blob at once, and it comes in a moment, that was cheaper than a process
 *    (fill_hurry()): then this is all, and what follows happens meanwhile.
 * 2. A forked child of the worker keeps the client's connection and a slot (fill/slot), and asks
 *    again, this time waiting. It joins the blob's fetch (fill/fill), a directory in the cache's
 *    temporary storage, partial/UPSTREAM/DIGEST/, unless that is another repository's: then the
 *    upstream is asked first.
 * 3. Whoever gets `lock` there notes in it whose fetch it is, and finds or starts a filler
 * (fill/filler): a process of its own with the lock and a slot, without a client. One that has done
 * its work waits some seconds for the next blob of the same upstream (fill/fetcher). It asks the
 * upstream (ask/question), writes `size` when that is known and there is room (fill/space), and
 * `data` as it comes.
 * 4. Everybody who waits reads `data` as it grows (fill/stream), the last block held back. If the
 *    web server wants to send it itself (nginx), the request comes once more when a stream is
 *    ready: of a large blob a worker says so that has given it to a
 *    filler.
 * 5. The filler has all of it, and the digest is right: it writes the origin and the link, then
 *    renames `data` to the blob, then removes the directory. Readers, whose descriptor is now that
 *    of the blob, get the last block. From then on the web server sends the file by itself.
 * 6. Nobody has waited for the disk: the filler syncs the blob when it has nothing else to do
 *    (fill/unsynced), and marks it. Until then it vouches for it; what is neither marked nor
 *    vouched for is read before it is served (lib/store/settle).
 * 7. If it fails, `failed` says why, to who waits for the same repository; others start their own.
 * 8. If it hangs, or dies and nobody can go on, each who waits asks the upstream for what he lacks.
 *
 * What is left after a crash:
 *   of a worker or child   nothing: locks end with their process; the filler does not notice
 *   of a filler            the directory, without anybody who holds its lock: the next who needs
 *                          the blob goes on where it stopped, also one of the readers
 *   between link and blob  a link and an origin without bytes: as if there were none; the next
 *                          fill writes them again
 *   after the rename       an empty shell of a directory, and a blob without a mark
 *   of the machine         the same; `data`, or a blob without a mark, may hold less than was
 *                          written, or zeros: the digest is of all bytes, read again
 * Directories that nobody goes on with for upload_expiry are removed by expire_abandoned(), which
 * sweep_cache() calls; memos, tokens and locks of questions (flight.h) by sweep_cache() itself.
 */

#include "lib/observe/count/count.h"
#include "lib/proxy/fill/stream.h"
#include "lib/proxy/proxied.h"
#include "lib/store/blob.h"
#include "lib/store/revision.h"
#include "lib/store/tag.h"

/* Opens the cache. `options` must outlive it. */
int proxy_open(struct store *cache, const struct proxy_options *options, struct error *error);

/*
 * `reference` is a tag or a digest, in text. With `head_only`, the content may be left out; its
 * size is right all the same. 1; 0 if neither has it; -1.
 */
int proxy_get_manifest(struct proxied *proxied, const char *reference, bool head_only,
                       struct stored_manifest *out_manifest, struct error *error);

/*
 * What the cache believes of a tag is not believed any longer: whoever wants it next asks the
 * upstream. 1; 0 if the cache does not have it; -1.
 */
int proxy_doubt_tag(const struct proxied *proxied, const char *tag, struct error *error);

/* A blob in the cache, or on its way. */
struct proxy_blob {
    enum counted_look look; /* how it was come by */
    bool is_stored;
    struct blob blob;      /* if it is */
    struct stream *stream; /* else; NULL when only the size was asked for */
    uint64_t size;
};

struct proxy_blob_request {
    struct digest digest;
    bool head_only;
    const char *range;   /* the client's header, if it counts whatever else he says, or NULL */
    bool prefers_file;   /* the web server would send it */
    bool is_asked_again; /* a stream need not be opened: the same request will come once more */
};

/* 1, 0, -1. */
int proxy_get_blob(struct proxied *proxied, const struct proxy_blob_request *request,
                   struct proxy_blob *out_blob, struct error *error);

/* For who will get it soon, and others before: begins to fetch a blob of so many bytes that the
 * cache does not have, and waits for nothing. What keeps it from that proxy_get_blob() will tell.
 * True if the cache has it. */
bool proxy_start_blob(struct proxied *proxied, const struct digest *digest, uint64_t size);

/* 1 if there are more behind the page; 0; -1. ERROR_NAME_UNKNOWN. */
int proxy_list_tags(struct proxied *proxied, const struct page *page, struct names *out,
                    struct error *error);

/* As referrers_list(): the upstream's, or where that has none or cannot be asked, the cache's. */
struct referrers_query;
int proxy_list_referrers(struct proxied *proxied, const struct referrers_query *query,
                         struct buffer *out, struct digest *out_last, struct error *error);

#endif
