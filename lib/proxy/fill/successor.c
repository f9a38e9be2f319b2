/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/successor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/store/blob.h"

/* Who wants a part from where his file has not come to has read nothing that could be another. */
static bool successor_is_any(const struct successor_reader *reader)
{
    struct stat status;

    return fstat(reader->descriptor, &status) == 0 && (uint64_t)status.st_size < reader->offset;
}

/* What cannot be read is not the same. */
static bool successor_begins_alike(int descriptor, const struct successor_reader *reader)
{
    enum { PIECE = 32 * 1024 };
    char ours[PIECE];
    char theirs[PIECE];
    struct error ignored;

    for (uint64_t done = 0; done < reader->offset; done += PIECE) {
        uint64_t left = reader->offset - done;
        size_t length = left < PIECE ? (size_t)left : PIECE;

        if (file_read_at(reader->descriptor, done, ours, length, &ignored) != (ssize_t)length ||
            file_read_at(descriptor, done, theirs, length, &ignored) != (ssize_t)length ||
            memcmp(ours, theirs, length) != 0) {
            return false;
        }
    }
    return true;
}

/* Under the same number, which others have been told. */
static enum successor successor_take(int descriptor, const struct successor_reader *reader)
{
    return (successor_is_any(reader) || successor_begins_alike(descriptor, reader)) &&
                   dup3(descriptor, reader->descriptor, O_CLOEXEC) >= 0
               ? SUCCESSOR_TAKEN
               : SUCCESSOR_OTHER;
}

enum successor successor_take_blob(const struct fill *fill, const struct successor_reader *reader)
{
    struct store *store = fill->upstream->store;
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    struct blob blob = {.target = fill->digest};
    struct error ignored;
    uint64_t size;

    if (blob_is_stored(store, &fill->digest, &size, &ignored) <= 0 ||
        (!blob_is_believed(store, &blob) && blob_prove(store, &fill->digest, &ignored) <= 0) ||
        blob_open_stored(store, &fill->digest, &file, &ignored) <= 0) {
        return SUCCESSOR_NONE;
    }
    return file.size == reader->size ? successor_take(file.descriptor, reader) : SUCCESSOR_OTHER;
}

enum successor successor_take_data(const struct fill *fill, const struct successor_reader *reader)
{
    struct path path = partial_place(fill, "data");
    AUTO_CLOSE int data =
        openat(fill->upstream->store->temporary, path.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    uint64_t size;

    /* In this order: the length and the owner are those of what is open, or of what comes later. */
    if (data < 0 || fstat(data, &status) < 0 || (uint64_t)status.st_size <= reader->offset ||
        !partial_total(fill, &size) || !partial_may_read(fill)) {
        return SUCCESSOR_NONE;
    }
    return size == reader->size ? successor_take(data, reader) : SUCCESSOR_OTHER;
}
