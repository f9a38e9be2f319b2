/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/password_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/access/password.h"
#include "lib/base/file.h"
#include "lib/base/id.h"
#include "lib/base/lock.h"
#include "lib/base/memory.h"
#include "lib/base/sync.h"
#include "lib/base/text.h"

enum {
    PASSWORD_FILE_MODE = 0640,
    PASSWORD_EDIT_TRIES = 1000,
    PASSWORD_PATIENCE = 20, /* seconds; who edits has the lock for a rename and two syncs */
};

/* The file, so that there is something to lock. */
static int password_make(const char *path, const struct password_edit *edit, struct error *error)
{
    AUTO_CLOSE int descriptor =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (descriptor < 0) {
        return errno == EEXIST ? 0 : error_errno(error, "create '%s'", path);
    }
    /* Whoever may not give it to that group makes a file for himself. */
    if (fchown(descriptor, (uid_t)-1, edit->group) == 0 &&
        fchmod(descriptor, PASSWORD_FILE_MODE) < 0) {
        return error_errno(error, "chmod '%s'", path);
    }
    return 0;
}

/* What is renamed over a file that is locked ends the lock: it is taken again. */
static int password_lock(struct lock *lock, const char *path, const struct password_edit *edit,
                         struct error *error)
{
    for (int tries = 0; tries < PASSWORD_EDIT_TRIES; tries++) {
        switch (lock_await_existing(lock, (struct file_place){AT_FDCWD, path}, PASSWORD_PATIENCE,
                                    error)) {
        case LOCK_TAKEN:
            return 0;
        case LOCK_FAILED:
            return -1;
        case LOCK_ABSENT:
        case LOCK_BUSY:
            break;
        }
        if (edit->crypted && password_make(path, edit, error) < 0) {
            return -1;
        }
        if (!edit->crypted && access(path, F_OK) < 0) {
            return error_errno(error, "passwords '%s'", path);
        }
    }
    return error_set(error, ERROR_INTERNAL, "'%s' changes again and again", path);
}

/* The user's line, with what stands behind the hash. */
static void password_add_changed(const struct password_edit *edit, const char *line, size_t length,
                                 struct buffer *out)
{
    const char *colon = memchr(line, ':', length);
    const char *comment =
        colon ? memchr(colon + 1, ':', length - (size_t)(colon + 1 - line)) : NULL;

    if (edit->crypted) {
        buffer_format(out, "%s:%s", edit->user, edit->crypted);
        if (comment) {
            buffer_add(out, comment, length - (size_t)(comment - line));
        } else if (length > 0 && line[length - 1] == '\r') {
            buffer_add_text(out, "\r");
        }
        buffer_add_text(out, "\n");
    }
}

/* Adds the file as it is to be; whether the user was there. All his lines go, the first changes. */
static int password_rewrite(const struct password_edit *edit, const struct buffer *text,
                            struct buffer *out)
{
    size_t name = strlen(edit->user);
    const char *end = text->data + text->length;
    int found = 0;

    for (const char *line = text->data; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t length = stop ? (size_t)(stop - line) : (size_t)(end - line);

        if (length > name && memcmp(line, edit->user, name) == 0 && line[name] == ':') {
            if (!found) {
                password_add_changed(edit, line, length, out);
            }
            found = 1;
        } else {
            buffer_add(out, line, length);
            buffer_add_text(out, "\n");
        }
        line += length + 1;
    }
    if (!found) {
        password_add_changed(edit, "", 0, out);
    }
    return found;
}

/* Mode and owner are those of the file that it replaces, before there is anything to read. */
static int password_write(int descriptor, const struct stat *status, const char *path,
                          const struct buffer *text, struct error *error)
{
    struct stat made;

    if (fstat(descriptor, &made) < 0) {
        return error_errno(error, "stat '%s'", path);
    }
    if ((made.st_uid != status->st_uid || made.st_gid != status->st_gid) &&
        fchown(descriptor, status->st_uid, status->st_gid) < 0) {
        return error_errno(error, "keep the owner of '%s'", path);
    }
    if (fchmod(descriptor, status->st_mode & 07777) < 0) {
        return error_errno(error, "chmod '%s'", path);
    }
    return file_write_at(descriptor, 0, text->data, text->length, error) < 0
               ? -1
               : file_sync(descriptor, path, error);
}

static int password_replace(const char *path, const struct stat *status, const struct buffer *text,
                            struct error *error)
{
    AUTO_FREE char *above = memory_text(path);
    AUTO_BUFFER struct buffer temporary = BUFFER_INIT;
    AUTO_CLOSE int directory = -1;
    AUTO_CLOSE int descriptor = -1;
    char id[ID_SIZE];

    id_make(id);
    buffer_format(&temporary, "%s.%s", path, id);
    descriptor = open(temporary.data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) {
        return error_errno(error, "create '%s'", temporary.data);
    }
    if (password_write(descriptor, status, path, text, error) < 0 ||
        file_publish((struct file_place){AT_FDCWD, temporary.data},
                     (struct file_place){AT_FDCWD, path}, error) < 0) {
        (void)unlink(temporary.data);
        return -1;
    }
    *strrchr(above, '/') = '\0';
    directory = open(*above ? above : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? error_errno(error, "open '%s'", above)
                         : sync_directory(directory, above, error);
}

int password_edit(const struct password_edit *edit, struct error *error)
{
    /* Where a link leads: it stays one. */
    AUTO_FREE char *real = realpath(edit->path, NULL);
    const char *path = real ? real : edit->path;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer changed = BUFFER_INIT;
    struct stat status;
    int found;

    if (password_lock(&lock, path, edit, error) < 0) {
        return -1;
    }
    if (stat(path, &status) < 0) {
        return error_errno(error, "stat '%s'", path);
    }
    if (file_read(AT_FDCWD, path, PASSWORD_FILE_LIMIT, &text, error) <= 0) {
        return -1;
    }
    found = password_rewrite(edit, &text, &changed);
    if (!found && !edit->crypted) {
        return 0;
    }
    return password_replace(path, &status, &changed, error) < 0 ? -1 : found;
}
