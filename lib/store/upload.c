/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/store/blob.h"

enum {
    STATE_LIMIT = 4096,     /* bytes of a state file */
    COPY_SIZE = 256 * 1024, /* bytes read at a time */
    STATE_LINES = 6,        /* see upload_state_write() */
};

#define STATE_MAGIC "berth-upload-1"

/* A UUID and nothing else, because it becomes a file name. */
static bool upload_id_is_valid(const char *id)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(id) != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] == '-' ? id[i] != '-' : !text_is_hex(id + i, 1)) {
            return false;
        }
    }
    return true;
}

static int upload_unknown(struct error *error)
{
    return error_set(error, ERROR_UPLOAD_UNKNOWN, "there is no such upload session");
}

/*
 * Replaces the state file at once. Not synced: a session need not outlive a power cut. A saved hash
 * is trusted on the very boot that saved it only: after a power cut the data may hold less than the
 * state says, and other machines may have other libraries.
 */
static int upload_state_write(const struct upload *upload, struct error *error)
{
    struct store *store = upload->repository->store;
    struct path state = layout_upload_state(upload->id);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    buffer_format(&text, STATE_MAGIC "\n%s\n%s\n%s\n%" PRIu64 "\n", upload->repository->name,
                  digest_algorithm_name(upload->hash.algorithm), clock_boot(), upload->hashed);
    hash_save(&upload->hash, &text);
    buffer_add_text(&text, "\n");
    if (upload->known.text[0]) {
        buffer_format(&text, "%" PRIu64 " %s\n", upload->known_size, upload->known.text);
    }
    return store_replace(store, (struct file_place){store->temporary, state.text}, &text,
                         REPLACE_SHARED, error);
}

/* A further line of the state: see `known`. */
static void upload_read_known(struct upload *upload, const char *line)
{
    size_t length = strcspn(line, " ");
    struct error ignored;

    if (line[length] != ' ' || !text_number(line, length, &upload->known_size) ||
        digest_parse(&upload->known, line + length + 1, &ignored) < 0) {
        upload->known.text[0] = '\0';
    }
}

/* Reads the state of a session. 1; 0 if there is none that belongs to the repository; -1. */
static int upload_state_read(struct upload *upload, struct error *error)
{
    struct path path = layout_upload_state(upload->id);
    char text[STATE_LIMIT];
    char *lines[STATE_LINES];
    char *cursor = text;
    enum digest_algorithm algorithm;
    ssize_t length = file_read_head(upload->repository->store->temporary, path.text, text,
                                    sizeof(text) - 1, error);

    if (length < 0) {
        return length == FILE_GONE ? 0 : -1;
    }
    text[length] = '\0';
    for (size_t i = 0; i < STATE_LINES; i++) {
        lines[i] = strsep(&cursor, "\n");
        if (!cursor) {
            return 0;
        }
    }
    if (strcmp(lines[0], STATE_MAGIC) != 0 || strcmp(lines[1], upload->repository->name) != 0 ||
        !digest_algorithm_parse(lines[2], &algorithm)) {
        return 0;
    }
    upload->saved = 0;
    if (!text_number(lines[4], strlen(lines[4]), &upload->saved) || !*clock_boot() ||
        strcmp(lines[3], clock_boot()) != 0 ||
        !hash_load(&upload->hash, algorithm, upload->saved, lines[5])) {
        hash_begin(&upload->hash, algorithm);
    } else {
        upload->hashed = upload->saved;
        upload_read_known(upload, strsep(&cursor, "\n"));
    }
    return 1;
}

/*
 * With what a push needs above it: here a store that could not be made whole, or of which somebody
 * has removed something, is mended. Where the web server puts bodies, nobody else would miss it.
 */
static int upload_make_directory(struct store *store, const char *path, struct error *error)
{
    bool is_new = mkdirat(store->temporary, LAYOUT_BODIES, 0777) == 0;

    if ((is_new || !store->is_whole) && store_mend(store, error) < 0) {
        return -1;
    }
    if (mkdirat(store->temporary, path, 0777) == 0 ||
        (store_mends(store, errno) && mkdirat(store->temporary, path, 0777) == 0)) {
        return 0;
    }
    return error_errno(error, "make directory '%s'", path);
}

int upload_start(struct upload *upload, const struct repository *repository,
                 enum digest_algorithm algorithm, struct error *error)
{
    struct store *store = repository->store;
    AUTO_UPLOAD struct upload started = UPLOAD_INIT;
    struct path directory;
    struct path lock;

    started.repository = repository;
    id_make(started.id);
    directory = layout_upload(started.id);
    lock = layout_upload_lock(started.id);
    if (upload_make_directory(store, directory.text, error) < 0) {
        return -1;
    }
    hash_begin(&started.hash, algorithm);
    if (lock_take_or_make(&started.lock, (struct file_place){store->temporary, lock.text},
                          LOCK_WAIT, error) != LOCK_TAKEN ||
        upload_state_write(&started, error) < 0) {
        struct error ignored;

        (void)store_discard(store, (struct file_place){store->temporary, directory.text}, &ignored);
        return -1;
    }
    *upload = started;
    started = (struct upload)UPLOAD_INIT;
    return 0;
}

static int upload_open_data(struct upload *upload, int flags, struct error *error)
{
    struct path path = layout_upload_data(upload->id);
    struct stat status;

    upload->data = openat(upload->repository->store->temporary, path.text,
                          O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    if (upload->data < 0) {
        return file_is_gone(errno) ? 0 : error_errno(error, "open '%s'", path.text);
    }
    if (fstat(upload->data, &status) < 0) {
        return error_errno(error, "stat '%s'", path.text);
    }
    upload->size = (uint64_t)status.st_size;
    if (upload->hashed > upload->size) {
        hash_begin(&upload->hash, upload->hash.algorithm);
        upload->hashed = 0;
    }
    return 0;
}

/* Who only looks whether somebody writes has the lock for an instant: then it is worth another try,
 * and nobody's request fails because of him. */
static enum lock_result upload_take_lock(struct upload *upload, struct error *error)
{
    enum { TRIES = 4, PAUSE = 5 /* milliseconds */ };
    struct path lock = layout_upload_lock(upload->id);
    struct file_place place = {upload->repository->store->temporary, lock.text};
    enum lock_result taken = lock_take(&upload->lock, place, LOCK_TRY, error);

    for (int i = 1; taken == LOCK_BUSY && i < TRIES; i++) {
        clock_pause(PAUSE);
        taken = lock_take(&upload->lock, place, LOCK_TRY, error);
    }
    return taken;
}

int upload_open(struct upload *upload, const struct repository *repository, const char *id,
                struct error *error)
{
    AUTO_UPLOAD struct upload opened = UPLOAD_INIT;
    int found;

    if (!upload_id_is_valid(id)) {
        return upload_unknown(error);
    }
    opened.repository = repository;
    (void)snprintf(opened.id, sizeof(opened.id), "%s", id);
    switch (upload_take_lock(&opened, error)) {
    case LOCK_FAILED:
        return -1;
    case LOCK_ABSENT:
        return upload_unknown(error);
    case LOCK_BUSY:
        return error_set(error, ERROR_UPLOAD_BUSY,
                         "another request is writing to this upload session");
    case LOCK_TAKEN:
        break;
    }
    found = upload_state_read(&opened, error);
    if (found <= 0) {
        return found < 0 ? -1 : upload_unknown(error);
    }
    if (upload_open_data(&opened, 0, error) < 0) {
        return -1;
    }
    if (opened.data < 0 && opened.saved > 0) {
        if (opened.hashed == 0) {
            return upload_unknown(error); /* the bytes have gone, and nothing says what they were */
        }
        opened.is_closed = true;
        opened.size = opened.hashed;
    }
    *upload = opened;
    opened = (struct upload)UPLOAD_INIT;
    return 0;
}

int upload_status(const struct repository *repository, const char *id, uint64_t *out_size,
                  struct error *error)
{
    struct upload seen = UPLOAD_INIT;
    struct path data;
    struct stat status;
    int found;

    if (!upload_id_is_valid(id)) {
        return upload_unknown(error);
    }
    seen.repository = repository;
    (void)snprintf(seen.id, sizeof(seen.id), "%s", id);
    found = upload_state_read(&seen, error);
    if (found <= 0) {
        return found < 0 ? -1 : upload_unknown(error);
    }
    data = layout_upload_data(id);
    if (fstatat(repository->store->temporary, data.text, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        *out_size = (uint64_t)status.st_size;
    } else if (!file_is_gone(errno)) {
        return error_errno(error, "stat '%s'", data.text);
    } else if (seen.saved > 0 && seen.hashed == 0) {
        return upload_unknown(error);
    } else {
        *out_size = seen.hashed; /* a closed one, or one without bytes */
    }
    return 0;
}

static void upload_hash_follow(struct upload *upload, const void *bytes, size_t length)
{
    if (upload->hashed == upload->size) {
        hash_update(&upload->hash, bytes, length);
        upload->hashed += length;
    }
}

int upload_write(struct upload *upload, const void *bytes, size_t length, struct error *error)
{
    if (upload->is_closed) {
        return 0;
    }
    if (upload->data < 0 && upload_open_data(upload, O_CREAT, error) < 0) {
        return -1;
    }
    if (file_write_at(upload->data, upload->size, bytes, length, error) < 0) {
        return -1;
    }
    upload_hash_follow(upload, bytes, length);
    upload->size += length;
    return 0;
}

/* Brings the hash up to the end of the data, reading what it has not seen. */
static int upload_hash_catch_up(struct upload *upload, struct error *error)
{
    if (upload->hashed < upload->size &&
        hash_update_from(&upload->hash, upload->data, &upload->hashed, upload->size, error) < 0) {
        return -1;
    }
    return upload->hashed == upload->size
               ? 0
               : error_set(error, ERROR_INTERNAL, "an upload shrank, or grew");
}

static int upload_copy_file(struct upload *upload, const char *path, struct error *error)
{
    AUTO_FREE char *piece = memory_reserve(COPY_SIZE);
    AUTO_CLOSE int source = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    uint64_t offset = 0;

    if (source < 0 || fstat(source, &status) < 0) {
        return error_errno(error,
                           "open the request body '%s' (the workers must run as the web server's "
                           "user)",
                           path);
    }
    /* As long as it is now: it may be the session's own data, which grows by what is copied. */
    while (offset < (uint64_t)status.st_size) {
        uint64_t left = (uint64_t)status.st_size - offset;
        ssize_t got =
            file_read_at(source, offset, piece, left < COPY_SIZE ? left : COPY_SIZE, error);

        if (got <= 0) {
            return (int)got;
        }
        if (upload_write(upload, piece, (size_t)got, error) < 0) {
            return -1;
        }
        offset += (size_t)got;
    }
    return 0;
}

int upload_adopt(struct upload *upload, const char *path, struct error *error)
{
    struct path data = layout_upload_data(upload->id);

    if (upload->is_closed) {
        return 0;
    }
    if (upload->size > 0 || upload->data >= 0 ||
        linkat(AT_FDCWD, path, upload->repository->store->temporary, data.text, 0) < 0) {
        return upload_copy_file(upload, path, error);
    }
    if (upload_open_data(upload, 0, error) < 0) {
        return -1;
    }
    return upload_hash_catch_up(upload, error);
}

int upload_rewind(struct upload *upload, uint64_t size, struct error *error)
{
    if (upload->data >= 0 && upload->size > size) {
        if (upload->hashed > size) {
            hash_begin(&upload->hash, upload->hash.algorithm);
            upload->hashed = 0;
        }
        upload->known.text[0] = '\0';
        /* Before the bytes go, so that no state ever vouches for bytes that others have replaced.
         */
        if (upload_state_write(upload, error) < 0) {
            return -1;
        }
        if (ftruncate(upload->data, (off_t)size) < 0) {
            return error_errno(error, "shorten an upload");
        }
        upload->size = size;
    }
    return 0;
}

int upload_suspend(struct upload *upload, struct error *error)
{
    int result = upload_state_write(upload, error);

    if (result < 0 && error->code == ERROR_NO_SPACE) {
        struct error ignored;

        (void)upload_cancel(upload, &ignored);
    }
    upload_release(upload);
    return result;
}

static int upload_refuse_digest(const struct digest *actual, struct error *error)
{
    return error_set(error, ERROR_DIGEST_INVALID, "the uploaded content's digest is %s",
                     actual->text);
}

/* Checks that the bytes have this digest. */
static int upload_verify(struct upload *upload, const struct digest *digest, struct error *error)
{
    struct digest actual;
    struct hash hash = upload->hash;

    if (upload->known.text[0] && upload->known_size == upload->size &&
        upload->known.algorithm == digest->algorithm && !digest_equal(&upload->known, digest)) {
        return upload_refuse_digest(&upload->known, error);
    }
    if (hash.algorithm != digest->algorithm) {
        if (upload->hashed == upload->size) {
            hash_finish(&hash, &upload->known);
            upload->known_size = upload->size;
        }
        hash_begin(&upload->hash, digest->algorithm);
        upload->hashed = 0;
    }
    if (upload_hash_catch_up(upload, error) < 0) {
        return -1;
    }
    hash = upload->hash;
    hash_finish(&hash, &actual);
    return digest_equal(&actual, digest) ? 0 : upload_refuse_digest(&actual, error);
}

/*
 * The bytes have become the blob, and then something failed: what the next request has to go on
 * from is the hash alone. Without it the session would be an empty one.
 */
static void upload_close(struct upload *upload)
{
    struct upload seen = {.repository = upload->repository};
    struct error ignored;

    memcpy(seen.id, upload->id, sizeof(seen.id));
    if (upload_state_write(upload, &ignored) < 0 &&
        (upload_state_read(&seen, &ignored) <= 0 || seen.hashed != upload->hashed ||
         seen.hash.algorithm != upload->hash.algorithm)) {
        (void)upload_cancel(upload, &ignored);
    }
}

/* After blob_publish() has failed: what can be gone on from, if anything, and how. */
static void upload_settle(struct upload *upload, struct file_place data, struct error *error)
{
    struct error reason = *error;
    struct error ignored;
    bool is_moved = file_is_same(upload->data, data, &ignored) <= 0;

    if (reason.code == ERROR_DATA_LOST) {
        (void)upload_cancel(upload, &ignored);
        (void)error_set(error, ERROR_DATA_LOST,
                        "%s; the upload session is cancelled: send it again", reason.message);
    } else if (reason.code == ERROR_NO_SPACE && !is_moved) {
        (void)upload_cancel(upload, &ignored);
    } else if (is_moved) { /* or may be: then the session only gets the state that it has */
        upload_close(upload);
    }
}

/* The client proves by the hash that it has sent the bytes; it may not have the blob without. */
static int upload_finish_closed(struct upload *upload, const struct digest *digest,
                                struct error *error)
{
    struct blob blob = {.digest = *digest, .target = *digest};
    struct hash hash = upload->hash;
    struct digest proven;
    struct error ignored;
    int found;

    hash_finish(&hash, &proven);
    found = digest_equal(&proven, digest) ? blob_mount(upload->repository, &blob, error) : 0;
    if (found < 0) {
        return -1;
    }
    (void)upload_cancel(upload, &ignored);
    return found ? 0 : upload_unknown(error);
}

/*
 * The session has done its work, and only its state and its lock are left. Without the state nobody
 * can open it; what cannot be removed is not the client's problem.
 */
static void upload_end(struct upload *upload)
{
    struct store *store = upload->repository->store;
    struct error ignored;

    if (unlinkat(store->temporary, layout_upload_state(upload->id).text, 0) < 0 ||
        unlinkat(store->temporary, layout_upload_lock(upload->id).text, 0) < 0 ||
        unlinkat(store->temporary, layout_upload(upload->id).text, AT_REMOVEDIR) < 0) {
        (void)upload_cancel(upload, &ignored);
    }
    upload_release(upload);
}

int upload_finish(struct upload *upload, const struct digest *digest, struct error *error)
{
    struct path data = layout_upload_data(upload->id);
    struct file_place place = {upload->repository->store->temporary, data.text};
    struct error ignored;

    if (upload->is_closed) {
        return upload_finish_closed(upload, digest, error);
    }
    if (upload->data < 0 && upload_open_data(upload, O_CREAT, error) < 0) {
        return -1;
    }
    if (upload_verify(upload, digest, error) < 0) {
        if (error->code == ERROR_DIGEST_INVALID) {
            (void)upload_suspend(upload, &ignored);
        }
        return -1;
    }
    /* A web server's body file is for its owner only. */
    if (fchmod(upload->data, upload->repository->store->file_mode) < 0) {
        return error_errno(error, "fchmod '%s'", data.text);
    }
    if (blob_publish(upload->repository, digest, place, upload->data, error) < 0) {
        upload_settle(upload, place, error);
        return -1;
    }
    upload_end(upload);
    return 0;
}

int upload_cancel(struct upload *upload, struct error *error)
{
    struct store *store = upload->repository->store;
    struct path directory = layout_upload(upload->id);
    struct path state = layout_upload_state(upload->id);
    struct error reason;
    struct error ignored;
    int result =
        store_discard(store, (struct file_place){store->temporary, directory.text}, &reason);

    /* Without its state nobody can open it: it expires as it lies. */
    if (result < 0 && file_remove(store->temporary, state.text, &ignored) < 0) {
        *error = reason;
    } else {
        result = 0;
    }
    upload_release(upload);
    return result;
}

void upload_release(struct upload *upload)
{
    cleanup_close(&upload->data);
    upload->data = -1;
    lock_release(&upload->lock);
}
