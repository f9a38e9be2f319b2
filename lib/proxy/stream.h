/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_STREAM_H
#define PROXY_STREAM_H

/*
 * A blob on its way from another registry, for one client: either the file that a filler is writing
 * (lib/proxy/fill), or the upstream's own answer, passed on without keeping it.
 */

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"

struct stream;

/*
 * Waits until there are bytes at `offset` and returns more than 0 of them. Offsets go up without
 * gaps from where the stream was opened. The last ones come only when the digest of all is
 * verified; -1 if they never will.
 */
ssize_t stream_read(struct stream *stream, uint64_t offset, void *bytes, size_t size,
                    struct error *error);

/* NULL is fine. */
void stream_close(struct stream *stream);

#endif
