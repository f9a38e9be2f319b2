/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/file.h"
#include "lib/base/id.h"
#include "lib/base/memory.h"
#include "lib/base/owner.h"
#include "lib/base/sync.h"
#include "lib/base/text.h"

enum { VAULT_LEFT_BEHIND = 3600 }; /* seconds: nobody writes a file for so long */

struct vault_name {
    char text[1 + ID_SIZE];
};

static int vault_check_owner(const struct stat *status, uid_t owner, const char *path,
                             struct error *error)
{
    if (status->st_uid != owner) {
        return error_set(error, ERROR_INTERNAL, "'%s' holds secrets and belongs to %s, not to %s",
                         path, owner_user(status->st_uid).text, owner_user(owner).text);
    }
    return 0;
}

/* Made durable together with its name: what is in it is relied on. */
static int vault_make(const char *path, struct error *error)
{
    AUTO_FREE char *above = memory_text(path);
    char *slash = strrchr(above, '/');
    AUTO_CLOSE int descriptor = -1;

    if (slash && slash > above) {
        *slash = '\0';
    }
    if (mkdir(path, 0700) < 0 && errno == ENOENT && slash) {
        (void)mkdir(above, 0777);
        (void)mkdir(path, 0700);
    }
    descriptor = open(slash ? above : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return error_errno(error, "make directory '%s'", path);
    }
    return sync_directory(descriptor, above, error);
}

int vault_open(struct vault *vault, const char *path, enum vault_purpose purpose,
               struct error *error)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    AUTO_CLOSE int descriptor = open(path, flags);
    struct stat status;

    if (descriptor < 0 && errno == ENOENT) {
        if (purpose == VAULT_TO_LOOK) {
            return 0;
        }
        if (vault_make(path, error) < 0) {
            return -1;
        }
        descriptor = open(path, flags);
    }
    if (descriptor < 0 || fstat(descriptor, &status) < 0) {
        return error_errno(error, "open '%s'", path);
    }
    /* Root, in a container perhaps, serves a store of its own or of somebody else. */
    if (geteuid() != 0 && vault_check_owner(&status, geteuid(), path, error) < 0) {
        return -1;
    }
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        return error_set(error, ERROR_INTERNAL,
                         "'%s' holds secrets and others can write there: chmod 700", path);
    }
    vault->path = path;
    vault->descriptor = steal_descriptor(&descriptor);
    return 1;
}

void vault_close(struct vault *vault)
{
    cleanup_close(&vault->descriptor);
    vault->descriptor = -1;
}

static int vault_check_file(const struct vault *vault, const char *name, const struct stat *status,
                            struct error *error)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    struct stat directory;

    buffer_format(&path, "%s/%s", vault->path, name);
    if (fstat(vault->descriptor, &directory) < 0) {
        return error_errno(error, "stat '%s'", vault->path);
    }
    if (vault_check_owner(status, directory.st_uid, path.data, error) < 0) {
        return -1;
    }
    if (status->st_mode & (S_IRWXG | S_IRWXO)) {
        return error_set(error, ERROR_INTERNAL,
                         "'%s' holds secrets and others can read it: chmod 600, and think of what "
                         "they have read",
                         path.data);
    }
    return 0;
}

int vault_read(const struct vault *vault, const char *name, struct buffer *out,
               struct stat *out_status, struct error *error)
{
    struct stat status;
    AUTO_CLOSE int descriptor = -1;
    ssize_t got;
    int opened = file_open(vault->descriptor, name, &status, error);

    if (opened < 0) {
        return opened == FILE_GONE ? 0 : -1;
    }
    descriptor = opened;
    if (vault_check_file(vault, name, &status, error) < 0) {
        return -1;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > VAULT_FILE_LIMIT) {
        return error_set(error, ERROR_INTERNAL, "'%s/%s' is no file of at most %d bytes",
                         vault->path, name, VAULT_FILE_LIMIT);
    }
    got = file_read_at(descriptor, 0, buffer_reserve(out, (size_t)status.st_size),
                       (size_t)status.st_size, error);
    if (got < 0) {
        return -1;
    }
    buffer_added(out, (size_t)got);
    *out_status = status;
    return 1;
}

/* What a killed process has left. Failing to remove it is nobody's trouble. */
static void vault_sweep(const struct vault *vault)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct error error;
    const char *name;

    if (directory_open(&directory, vault->descriptor, ".", &error) <= 0) {
        return;
    }
    while (directory_next(&directory, &name, &error) > 0) {
        struct stat status;

        if (text_begins(name, VAULT_TEMPORARY) &&
            fstatat(vault->descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            clock_age(status.st_mtim.tv_sec) > VAULT_LEFT_BEHIND) {
            (void)unlinkat(vault->descriptor, name, 0);
        }
    }
}

/* The mode before the content: nobody else has it open when a secret comes in. */
static int vault_write(const struct vault *vault, const char *name, const struct buffer *content,
                       struct error *error)
{
    AUTO_CLOSE int descriptor = file_create(vault->descriptor, name, error);

    if (descriptor < 0) {
        return -1;
    }
    if (fchmod(descriptor, 0600) < 0) {
        return error_errno(error, "chmod '%s/%s'", vault->path, name);
    }
    if (file_write_at(descriptor, 0, content->data, content->length, error) < 0) {
        return -1;
    }
    return file_sync(descriptor, name, error);
}

static struct vault_name vault_temporary(void)
{
    struct vault_name name = {VAULT_TEMPORARY};

    id_make(name.text + strlen(VAULT_TEMPORARY));
    return name;
}

int vault_add(const struct vault *vault, const char *name, const struct buffer *content,
              struct error *error)
{
    struct vault_name temporary = vault_temporary();
    int added = vault_write(vault, temporary.text, content, error) < 0 ? -1 : 1;

    vault_sweep(vault);
    if (added > 0 && linkat(vault->descriptor, temporary.text, vault->descriptor, name, 0) < 0) {
        added = errno == EEXIST ? 0 : error_errno(error, "make '%s/%s'", vault->path, name);
    }
    (void)unlinkat(vault->descriptor, temporary.text, 0);
    /* Also what another one has made: it is relied on from now on. */
    return added < 0 || sync_directory(vault->descriptor, vault->path, error) < 0 ? -1 : added;
}

int vault_replace(const struct vault *vault, const char *name, const struct buffer *content,
                  struct error *error)
{
    struct vault_name temporary = vault_temporary();

    vault_sweep(vault);
    if (vault_write(vault, temporary.text, content, error) < 0 ||
        file_publish((struct file_place){vault->descriptor, temporary.text},
                     (struct file_place){vault->descriptor, name}, error) < 0) {
        (void)unlinkat(vault->descriptor, temporary.text, 0);
        return -1;
    }
    return sync_directory(vault->descriptor, vault->path, error);
}

int vault_remove(const struct vault *vault, const char *name, struct error *error)
{
    int removed = file_remove(vault->descriptor, name, error);

    if (removed > 0 && sync_directory(vault->descriptor, vault->path, error) < 0) {
        return -1;
    }
    return removed;
}

void vault_date(const struct vault *vault, const char *name, time_t date)
{
    const struct timespec times[] = {{.tv_sec = date}, {.tv_sec = date}};

    (void)utimensat(vault->descriptor, name, times, AT_SYMLINK_NOFOLLOW);
}
