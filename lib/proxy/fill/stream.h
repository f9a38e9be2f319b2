/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_STREAM_H
#define PROXY_FILL_STREAM_H

/*
 * A blob on its way from another registry, for one client: either the file that a filler is writing
 * (lib/proxy/fill/fill), or the upstream's own answer, passed on without keeping it. The first
 * becomes the second where nobody goes on with the fetch, and the digest of both together counts.
 *
 * The whole is complete only when its digest is right. A part that ends before the last block is
 * not held back for that: it is what the upstream has sent, in this fetch, and who asks for a part
 * has no digest of it, but of the whole that he puts together, or of its pieces (containerd, lazy
 * snapshotters). To wait for all of a blob would keep him from what he asked for, and protect from
 * nothing that he would not get from the upstream itself. What the upstream has not just sent, but
 * an earlier filler has left, does wait: see fill_read().
 */

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/http/range.h"
#include "lib/proxy/fill/fill.h"

struct stream;

/* Takes the view over. */
struct stream *stream_from_fill(struct fill_view *view);

/*
 * Asks the upstream for the part of a blob, or for all of it, and keeps nothing. `range` is NULL
 * for all. 1; 0 if the upstream does not have it; -1.
 */
int stream_open(struct stream **out_stream, const struct fill *fill, const struct range *range,
                struct report *report, struct error *error);

/* Bytes of the whole blob. */
uint64_t stream_size(const struct stream *stream);

/*
 * Waits until there are bytes at `offset` and returns more than 0 of them. Offsets go up without
 * gaps from where the first read is, which may be anywhere behind where the stream was opened. The
 * last ones come only when the digest of all is verified, unless only a part was asked of the
 * upstream; -1 if they never will.
 */
ssize_t stream_read(struct stream *stream, uint64_t offset, void *bytes, size_t size,
                    struct error *error);

/*
 * The same for who can do with an open file: waits, and says how many bytes may be taken from it at
 * `offset`, more than 0. 0: this stream is none, or what it says it has may not be there yet, and
 * is to be read. The file stays the stream's.
 */
ssize_t stream_lend(struct stream *stream, uint64_t offset, int *out_file, struct error *error);

/*
 * For who has read it to its end, and would know whether the cache has it: its last bytes come when
 * they are verified, and a moment later it becomes the blob, or is given up. Waits for that, some
 * seconds at most. What is passed on without keeping it is not waited for, nor is NULL.
 */
void stream_wait_for_blob(const struct stream *stream);

/* NULL is fine. */
void stream_close(struct stream *stream);

#endif
