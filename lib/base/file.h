/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

/*
 * Files, and what it takes that they are still there after a power cut. All paths are relative to
 * an open directory; nothing here follows a symbolic link in the last component when it creates.
 *
 * To publish a file so that an answer may rely on it:
 *   1. write it under a temporary name and file_sync() it,
 *   2. file_publish(): make the directories on the way, rename,
 *   3. sync_set_add() the new path, and any older path that the answer relies on,
 *   4. sync_set_flush(): every directory on the way to those paths, once each, or at one go where
 *      the filesystem keeps what was done in its order (lib/base/journal).
 * A file that is visible under its final name is thus complete; only its name may still be lost,
 * which is why step 4 also takes names that somebody else has made.
 *
 * A failed fsync is an error and is never tried again: the kernel forgets what it could not write,
 * and the next fsync of the same file succeeds. So file_sync() alone syncs data, and what it could
 * not sync it takes away: nobody can go on from it, neither who ignores the error nor who comes
 * later.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

/*
 * Whether an error number says that there is no such file (any more): ENOENT, ENOTDIR, and the
 * ESTALE with which a network filesystem says that another host has just removed or replaced it.
 */
bool file_is_gone(int number);

/*
 * What another host replaces at the same moment can turn out to be stale at any call (errno is
 * ESTALE): whether to open it again by its name. Waits a little; false when `tries` were enough.
 */
bool file_is_worth_another_try(int tries);

/*
 * Reads the first bytes of a file, `size` at most and few, in one go. How many, -1, or FILE_GONE. A
 * file that another host replaces at the same moment is read again.
 */
enum { FILE_GONE = -2 };
ssize_t file_read_head(int directory, const char *path, void *bytes, size_t size,
                       struct error *error);

/*
 * Opens a file for reading whose name is looked up anew if another host has just replaced it. A
 * descriptor, -1, or FILE_GONE.
 */
int file_open(int directory, const char *path, struct stat *out_status, struct error *error);

/* Whether the filesystem of an open file is this machine's alone, as far as we know them: what is
 * written here is what everybody reads, synced or not, and all that is lost is lost with the
 * machine. */
bool file_is_local(int descriptor);

/* Reads a file of at most `limit` bytes. 1; 0 if it is not there; -1, also when it is longer. */
int file_read(int directory, const char *path, size_t limit, struct buffer *out,
              struct error *error);

/* Reads up to `length` bytes at `offset`; fewer only at the end of the file. -1 on failure. */
ssize_t file_read_at(int descriptor, uint64_t offset, void *bytes, size_t length,
                     struct error *error);

/* Writes all of it at `offset`. What a failure leaves behind is undefined. */
int file_write_at(int descriptor, uint64_t offset, const void *bytes, size_t length,
                  struct error *error);

/* Creates a file that does not exist yet, for reading and writing. A descriptor, or -1. */
int file_create(int directory, const char *path, struct error *error);

/*
 * Puts the content of a file, open for writing, on the disk, before it gets the name that others
 * rely on. Where that fails, the file is emptied: ERROR_DATA_LOST, or ERROR_NO_SPACE.
 */
int file_sync(int descriptor, const char *path, struct error *error)
    __attribute__((warn_unused_result));

/* Makes the directories above `path` that are missing (mode 0777 and the umask). */
int file_make_parents(int directory, const char *path, struct error *error);

/*
 * Whether a directory is named by a digest: then it comes and goes with what is in it, and may have
 * been elsewhere meanwhile.
 */
bool file_is_digest_directory(const char *path);

/* A place: a path and the directory that it is relative to. */
struct file_place {
    int directory;
    const char *path;
};

/*
 * Exchanges what two names stand for, at once. 1; 0 if the filesystem cannot do that; -1.
 */
int file_exchange(struct file_place one, struct file_place other, struct error *error);

/* Whether an open file is what has this name now. 1; 0 if the name is another's or nobody's; -1. */
int file_is_same(int descriptor, struct file_place place, struct error *error);

/*
 * Renames `from` to `to`, replacing what is there, and makes the directories that `to` needs; goes
 * on when a collector removes an empty directory at the same moment.
 */
int file_publish(struct file_place from, struct file_place to, struct error *error);

/*
 * The same, but replaces nothing: 1; 0 if there is something already, or nothing to rename any
 * more; -1. Where the filesystem cannot do that in one step, a crash may leave the file with both
 * names.
 */
int file_publish_new(struct file_place from, struct file_place to, struct error *error);

/* 1, 0 if there was nothing, -1. */
int file_remove(int directory, const char *path, struct error *error);

#endif
