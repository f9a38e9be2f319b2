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
 */

#include "lib/proxy/fill/stream.h"
#include "lib/proxy/proxied.h"
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

/* A blob in the cache, or on its way. */
struct proxy_blob {
    bool is_stored;
    struct blob blob;      /* if it is */
    struct stream *stream; /* else; NULL when only the size was asked for */
    uint64_t size;
};

struct proxy_blob_request {
    struct digest digest;
    bool head_only;
    const char *range;   /* the client's header, or NULL */
    bool is_asked_again; /* a stream need not be opened: the same request will come once more */
};

/* 1, 0, -1. */
int proxy_get_blob(struct proxied *proxied, const struct proxy_blob_request *request,
                   struct proxy_blob *out_blob, struct error *error);

/* 1 if there are more behind the page; 0; -1. ERROR_NAME_UNKNOWN. */
int proxy_list_tags(struct proxied *proxied, const struct page *page, struct names *out,
                    struct error *error);

/* The descriptors, without brackets; the cache's and the upstream's. 0, -1. */
int proxy_list_referrers(struct proxied *proxied, const struct digest *subject,
                         const char *artifact_type, struct buffer *out, struct error *error);

#endif
