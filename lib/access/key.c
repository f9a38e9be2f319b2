/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/key.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/base/text.h"

#define KEY_FILE "keys"
#define KEY_LOCK "keys.lock"
#define KEY_HEAD "berth keys 1\n"
enum { KEY_ID_LENGTH = KEY_ID_SIZE - 1, KEY_HEX_LENGTH = 2 * SECRET_SIZE };
enum { KEY_SEEK_PAUSE = 1000 }; /* milliseconds: unknown keys are cheap to make up */
enum { KEY_PATIENCE = 20 };     /* seconds; who rotates has the lock for a rename and two syncs */

void keys_wipe(struct keys *keys)
{
    for (size_t i = 0; i < KEY_LIMIT; i++) {
        secret_wipe(&keys->keys[i].secret);
    }
    keys->count = 0;
}

static bool key_parse(struct key *out, const char *line, size_t length)
{
    static const size_t secret = KEY_ID_LENGTH + 1;
    static const size_t made = KEY_ID_LENGTH + 1 + KEY_HEX_LENGTH + 1;

    return length > made && text_is_hex(line, KEY_ID_LENGTH) && line[secret - 1] == ' ' &&
           text_copy(out->id, sizeof(out->id), line, KEY_ID_LENGTH) &&
           text_unhex(line + secret, SECRET_SIZE, out->secret.bytes) && line[made - 1] == ' ' &&
           text_number(line + made, length - made, &out->made);
}

bool keys_parse(struct keys *out, const char *text, size_t length)
{
    const char *end = text + length;

    out->count = 0;
    if (length < strlen(KEY_HEAD) || !text_begins(text, KEY_HEAD)) {
        return false;
    }
    for (const char *line = text + strlen(KEY_HEAD); line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));

        if (!stop || out->count == KEY_LIMIT ||
            !key_parse(&out->keys[out->count], line, (size_t)(stop - line))) {
            return false;
        }
        out->count++;
        line = stop + 1;
    }
    return out->count > 0;
}

static void keys_write(const struct keys *keys, struct buffer *out)
{
    (void)buffer_reserve(out, VAULT_FILE_LIMIT);
    buffer_add_text(out, KEY_HEAD);
    for (size_t i = 0; i < keys->count; i++) {
        char hex[KEY_HEX_LENGTH + 1];

        text_hex(keys->keys[i].secret.bytes, SECRET_SIZE, hex);
        buffer_format(out, "%s %s %" PRIu64 "\n", keys->keys[i].id, hex, keys->keys[i].made);
        explicit_bzero(hex, sizeof(hex));
    }
}

/* In front of the others. */
static int keys_add(struct keys *keys, struct error *error)
{
    AUTO_SECRET struct secret id;
    struct key made = {.made = (uint64_t)clock_date()};

    if (secret_random(&id, error) < 0 || secret_random(&made.secret, error) < 0) {
        return -1;
    }
    text_hex(id.bytes, KEY_ID_LENGTH / 2, made.id);
    memmove(&keys->keys[1], &keys->keys[0], keys->count * sizeof(keys->keys[0]));
    keys->keys[0] = made;
    keys->count++;
    secret_wipe(&made.secret);
    return 0;
}

/* 1; 0 if there is no file yet; -1. */
static int keys_read(struct keys *keys, const struct vault *vault, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    int found = vault_read(vault, KEY_FILE, &text, &keys->status, error);

    if (found > 0 && !keys_parse(keys, text.data, text.length)) {
        keys_wipe(keys);
        found = error_set(error, ERROR_INTERNAL,
                          "'%s/" KEY_FILE "' is damaged: without it nobody's token is good; remove "
                          "it and everybody has to log in again",
                          keys->directory);
    }
    buffer_wipe(&text);
    return found;
}

/* Makes the file with a first key, unless somebody is faster. */
static int keys_make(struct keys *keys, const struct vault *vault, struct error *error)
{
    struct keys made = KEYS_INIT(keys->directory);
    struct buffer text = BUFFER_INIT;
    int result = keys_add(&made, error);

    if (result == 0) {
        keys_write(&made, &text);
        result = vault_add(vault, KEY_FILE, &text, error);
    }
    keys_wipe(&made);
    buffer_wipe(&text);
    if (result >= 0 && keys_read(keys, vault, error) == 0) {
        result = error_set(error, ERROR_INTERNAL, "'%s/" KEY_FILE "' went away", keys->directory);
    }
    return result < 0 || keys->count == 0 ? -1 : 0;
}

/* With few calls, since every request with a token asks. What is wrong with the directory now is
 * said by vault_open(). */
static bool keys_are_current(const struct keys *keys)
{
    const struct stat *read = &keys->status;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    struct stat directory;
    struct stat status;

    if (keys->count == 0) {
        return false;
    }
    buffer_format(&path, "%s/" KEY_FILE, keys->directory);
    return lstat(keys->directory, &directory) == 0 && S_ISDIR(directory.st_mode) &&
           !(directory.st_mode & (S_IWGRP | S_IWOTH)) && stat(path.data, &status) == 0 &&
           status.st_uid == directory.st_uid && status.st_ino == read->st_ino &&
           status.st_dev == read->st_dev && status.st_size == read->st_size &&
           status.st_mtim.tv_sec == read->st_mtim.tv_sec &&
           status.st_mtim.tv_nsec == read->st_mtim.tv_nsec &&
           status.st_ctim.tv_sec == read->st_ctim.tv_sec &&
           status.st_ctim.tv_nsec == read->st_ctim.tv_nsec;
}

enum keys_look {
    KEYS_BY_ITS_TIMES, /* what has not changed is not read */
    KEYS_ANEW,
};

static int keys_refresh(struct keys *keys, enum keys_look look, struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    int found;

    if (look == KEYS_BY_ITS_TIMES && keys_are_current(keys)) {
        return 0;
    }
    if (vault_open(&vault, keys->directory, VAULT_TO_MAKE, error) < 0) {
        return -1;
    }
    keys_wipe(keys);
    found = keys_read(keys, &vault, error);
    return found == 0 ? keys_make(keys, &vault, error) : found < 0 ? -1 : 0;
}

int keys_newest(struct keys *keys, const struct key **out_key, struct error *error)
{
    if (keys_refresh(keys, KEYS_BY_ITS_TIMES, error) < 0) {
        return -1;
    }
    *out_key = &keys->keys[0];
    return 0;
}

static const struct key *key_of(const struct keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->keys[i].id, id) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

int keys_find(struct keys *keys, const char *id, const struct key **out_key, struct error *error)
{
    const struct key *found;
    int64_t now = clock_milliseconds();

    if (keys_refresh(keys, KEYS_BY_ITS_TIMES, error) < 0) {
        return -1;
    }
    found = key_of(keys, id);
    /* A network filesystem may hide for some seconds that the file is another. */
    if (!found && (keys->sought == 0 || now - keys->sought >= KEY_SEEK_PAUSE)) {
        keys->sought = now;
        if (keys_refresh(keys, KEYS_ANEW, error) < 0) {
            return -1;
        }
        found = key_of(keys, id);
    }
    if (found) {
        *out_key = found;
    }
    return found != NULL;
}

/* Lets go of keys that have signed nothing which may still live, but for the newest. */
static void keys_age(struct keys *keys, uint64_t lifetime)
{
    for (size_t i = 1; i < keys->count; i++) {
        /* The one in front of it has taken its place when it was made. */
        if (clock_age((time_t)keys->keys[i - 1].made) > lifetime) {
            for (size_t n = i; n < keys->count; n++) {
                secret_wipe(&keys->keys[n].secret);
            }
            keys->count = i;
        }
    }
}

int keys_rotate(const char *directory, uint64_t lifetime, enum key_rotation rotation,
                struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_KEYS struct keys keys = KEYS_INIT(directory);
    struct buffer text = BUFFER_INIT;
    int result;

    if (vault_open(&vault, directory, VAULT_TO_MAKE, error) < 0 ||
        lock_await(&lock, (struct file_place){vault.descriptor, KEY_LOCK}, KEY_PATIENCE, error) !=
            LOCK_TAKEN) {
        return -1;
    }
    if (rotation == KEY_KEEP_OLD) {
        if (keys_read(&keys, &vault, error) < 0) {
            return -1;
        }
        keys_age(&keys, lifetime);
        if (keys.count == KEY_LIMIT) {
            return error_set(error, ERROR_REQUEST_INVALID,
                             "%d keys have been made within the lifetime of a token: wait, or "
                             "revoke them all",
                             KEY_LIMIT);
        }
    }
    if (keys_add(&keys, error) < 0) {
        return -1;
    }
    keys_write(&keys, &text);
    result = vault_replace(&vault, KEY_FILE, &text, error);
    buffer_wipe(&text);
    return result;
}
