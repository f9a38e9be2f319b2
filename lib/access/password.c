/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/password.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/access/crypted.h"
#include "lib/access/subject.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/memory.h"

/* Seconds after which a change is sure to give a file another time. */
enum { SETTLED_AGE = 2 };

static bool password_is_unchanged(const struct password_file *file, const struct stat *status)
{
    const struct stat *read = &file->status;

    return file->is_read && file->is_settled && read->st_ino == status->st_ino &&
           read->st_dev == status->st_dev && read->st_size == status->st_size &&
           read->st_mtim.tv_sec == status->st_mtim.tv_sec &&
           read->st_mtim.tv_nsec == status->st_mtim.tv_nsec &&
           read->st_ctim.tv_sec == status->st_ctim.tv_sec &&
           read->st_ctim.tv_nsec == status->st_ctim.tv_nsec;
}

/* NULL, or why nobody gets in by this name and hash. */
static const char *password_refusal(const char *name, const char *crypted)
{
    struct subject subject;

    return subject_make(SUBJECT_USER, name, &subject) ? crypted_refusal(crypted)
                                                      : "of a user that cannot have this name";
}

/* A line, which ends in NUL and is cut into name and hash. */
static void password_add_line(struct password_file *file, char *line, unsigned number)
{
    char *colon = strchr(line, ':');
    struct password_user *user;

    if (!*line || *line == '#') {
        return;
    }
    file->users = memory_resize(file->users, file->count + 1, sizeof(*file->users));
    user = &file->users[file->count++];
    *user = (struct password_user){.name = "", .crypted = "", .line = number};
    if (!colon) {
        user->refusal = "not behind a name and ':'";
        file->useless++;
        return;
    }
    *colon = '\0';
    colon[1 + strcspn(colon + 1, ":")] = '\0'; /* what follows is a comment */
    user->name = line;
    user->refusal = password_refusal(line, colon + 1);
    user->crypted = user->refusal ? "" : colon + 1;
    file->useless += user->refusal != NULL;
}

/* Of the hashes of use the first whose cost is the most common. */
static void password_choose_typical(struct password_file *file)
{
    enum { COSTS = 16 };
    struct {
        const char *crypted;
        size_t count;
    } costs[COSTS] = {{NULL, 0}};
    size_t best = 0;

    for (size_t i = 0; i < file->count; i++) {
        const char *crypted = file->users[i].crypted;
        size_t length = crypted_cost(crypted);
        size_t n = 0;

        if (!*crypted) {
            continue;
        }
        while (n < COSTS - 1 && costs[n].crypted &&
               (crypted_cost(costs[n].crypted) != length ||
                strncmp(costs[n].crypted, crypted, length) != 0)) {
            n++;
        }
        costs[n].crypted = costs[n].crypted ? costs[n].crypted : crypted;
        costs[n].count++;
        best = costs[n].count > costs[best].count ? n : best;
    }
    file->typical = costs[best].crypted;
}

static void password_forget(struct password_file *file)
{
    buffer_wipe(&file->text);
    free(file->users);
    file->users = NULL;
    file->count = 0;
    file->useless = 0;
    file->typical = NULL;
    file->is_read = false;
}

void password_file_parse(struct password_file *file)
{
    unsigned number = 1;
    char *end = file->text.data + file->text.length;

    for (char *line = file->text.data; line < end; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line));

        stop = stop ? stop : end;
        *stop = '\0';
        if (stop > line && stop[-1] == '\r') {
            stop[-1] = '\0';
        }
        password_add_line(file, line, number);
        line = stop + 1;
    }
    password_choose_typical(file);
}

static int password_read(struct password_file *file, struct error *error)
{
    struct stat before;
    int found;

    password_forget(file);
    /* Looked at before it is read: a change in between is seen next time. */
    if (stat(file->path, &before) < 0) {
        return error_errno(error, "passwords '%s'", file->path);
    }
    found = file_read(AT_FDCWD, file->path, PASSWORD_FILE_LIMIT, &file->text, error);
    if (found <= 0) {
        return found < 0
                   ? -1
                   : error_set(error, ERROR_INTERNAL, "there is no password file '%s'", file->path);
    }
    password_file_parse(file);
    file->status = before;
    file->is_settled = clock_age(before.st_ctim.tv_sec) > SETTLED_AGE &&
                       clock_age(before.st_mtim.tv_sec) > SETTLED_AGE;
    file->is_read = true;
    return 1;
}

int password_file_refresh(struct password_file *file, struct error *error)
{
    struct stat status;

    if (stat(file->path, &status) == 0 && password_is_unchanged(file, &status)) {
        return 0;
    }
    return password_read(file, error);
}

void password_file_release(struct password_file *file)
{
    password_forget(file);
}

const char *password_file_complaint(const struct password_file *file, struct error *words)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct password_user *user = &file->users[i];

        if (user->refusal) {
            (void)error_set(words, ERROR_REQUEST_INVALID,
                            "%s:%u: the password of '%.64s' is %s; make it anew with 'htpasswd -B' "
                            "or 'berth user add'",
                            file->path, user->line, user->name, user->refusal);
            return words->message;
        }
    }
    return NULL;
}

/* The first line of a user counts, as for Apache. */
const char *password_find(const struct password_file *file, const char *user)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->users[i].name, user) == 0) {
            return *file->users[i].crypted ? file->users[i].crypted : NULL;
        }
    }
    return NULL;
}

int password_verify(const struct password_file *file, const char *user, const char *password,
                    struct error *error)
{
    const char *crypted = password_find(file, user);
    int is_right;

    if (strlen(password) > CRYPTED_PASSWORD_LIMIT || (!crypted && !file->typical)) {
        return 0;
    }
    is_right = crypted_verify(crypted ? crypted : file->typical, password, error);
    return is_right > 0 ? crypted != NULL : is_right;
}
