/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/stream.h"

ssize_t stream_read(struct stream *stream, uint64_t offset, void *bytes, size_t size,
                    struct error *error)
{
    (void)stream;
    (void)offset;
    (void)bytes;
    (void)size;
    return error_set(error, ERROR_INTERNAL, "there are no streams yet");
}

void stream_close(struct stream *stream)
{
    (void)stream;
}
