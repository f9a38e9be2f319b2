/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/count/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/file.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

enum {
    FILE_SIZE = TALLY_HEAD + sizeof(struct tally),
    OTHER_LIMIT = 4 * 1024 * 1024, /* bytes of a file of another layout */
    OLD_SECONDS = 7 * 86400,
    TRIES = 50, /* with a pause between them, while somebody else makes the file */
    PAUSE = 10, /* milliseconds */
};

#define COUNTERS_PREFIX "counters-"

/* Until there is a file, and where there can be none. It takes no memory before it is used. */
static struct tally counters_own;

/* What is mapped: the head, then the tally. */
static struct {
    char *mapped; /* NULL: nothing is */
    dev_t device;
    ino_t inode;   /* 0: of no file */
    char name[64]; /* of the file */
    char *directory;
    struct names upstreams; /* that have places */
    struct sigaction before;
    volatile sig_atomic_t is_lost;
} counters;

struct tally *counters_tally(void)
{
    return counters.mapped ? (struct tally *)(void *)(counters.mapped + TALLY_HEAD) : &counters_own;
}

bool counters_are_lost(void)
{
    return counters.is_lost != 0;
}

bool counters_are_shared(void)
{
    return counters.mapped && counters.inode != 0 && !counters.is_lost;
}

static void *counters_map(void *at, int descriptor)
{
    int flags = MAP_SHARED | (at ? MAP_FIXED : 0) | (descriptor < 0 ? MAP_ANONYMOUS : 0);
    void *mapped = mmap(at, FILE_SIZE, PROT_READ | PROT_WRITE, flags, descriptor, 0);

    return mapped == MAP_FAILED ? NULL : mapped;
}

/*
 * SIGBUS: somebody looked at a page of the file that is no more, or that the disk does not give.
 * There is memory in its place from now on, and the same instruction is tried again.
 */
static void counters_bear(int number, siginfo_t *information, void *context)
{
    const char *at = information->si_addr;
    int kept = errno;

    (void)context;
    if (counters.mapped && at >= counters.mapped && at < counters.mapped + FILE_SIZE &&
        counters_map(counters.mapped, -1)) {
        counters.is_lost = 1;
    } else {
        (void)sigaction(number, &counters.before, NULL); /* as if we had not been here */
    }
    errno = kept;
}

static void counters_catch(void)
{
    struct sigaction action = {.sa_sigaction = counters_bear, .sa_flags = SA_SIGINFO};
    struct sigaction now;

    if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_sigaction != counters_bear) {
        counters.before = now;
        (void)sigaction(SIGBUS, &action, NULL);
    }
}

/* What all files of this layout begin with, and their name. */
struct counters_form {
    struct buffer head;
    char name[64];
};

static void counters_form_make(struct counters_form *out)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: nobody wants to find a second one */

    out->head = (struct buffer)BUFFER_INIT;
    tally_describe(&out->head);
    for (size_t i = 0; i < out->head.length; i++) {
        hash = (hash ^ (unsigned char)out->head.data[i]) * UINT64_C(0x100000001b3);
    }
    (void)snprintf(out->name, sizeof(out->name), COUNTERS_PREFIX "%016" PRIx64, hash);
}

static void counters_form_release(struct counters_form *form)
{
    buffer_release(&form->head);
}

/* Nobody else may have made it, or be able to write to it: what is in it is believed. */
static bool counters_is_ours(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() && status->st_nlink == 1 &&
           (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool counters_has_head(int descriptor, const struct counters_form *form)
{
    char head[TALLY_HEAD];
    struct error ignored;

    return file_read_at(descriptor, 0, head, sizeof(head), &ignored) == TALLY_HEAD &&
           memcmp(head, form->head.data, TALLY_HEAD) == 0;
}

/* A descriptor of a file that is whole; -1 if it is not. */
static int counters_find(int directory, const struct counters_form *form)
{
    AUTO_CLOSE int descriptor =
        openat(directory, form->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;

    if (descriptor < 0 || fstat(descriptor, &status) < 0 || !counters_is_ours(&status) ||
        status.st_size != FILE_SIZE || !counters_has_head(descriptor, form)) {
        return -1;
    }
    return steal_descriptor(&descriptor);
}

/* Looks through the files of other layouts: which is the youngest, and removes those that nobody
 * has used for long. "" if there is none. */
static void counters_find_other(int directory, const struct counters_form *form, char out[64])
{
    AUTO_NAMES struct names names = NAMES_INIT;
    uint64_t youngest = UINT64_MAX;
    struct error ignored;

    *out = '\0';
    (void)directory_list(directory, ".", &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        struct stat status;
        uint64_t age;

        if (!text_begins(name, COUNTERS_PREFIX) || strcmp(name, form->name) == 0 ||
            fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !counters_is_ours(&status)) {
            continue;
        }
        age = clock_age(status.st_mtime);
        if (age < youngest && text_copy(out, 64, name, strlen(name))) {
            youngest = age;
        } else if (age > OLD_SECONDS) {
            (void)unlinkat(directory, name, 0);
        }
    }
}

/* The values that a new file begins with. */
static void counters_inherit(int directory, const struct counters_form *form, struct tally *out)
{
    AUTO_BUFFER struct buffer old = BUFFER_INIT;
    struct error ignored;
    char other[64];

    counters_find_other(directory, form, other);
    if (*other && file_read(directory, other, OTHER_LIMIT, &old, &ignored) > 0) {
        log_info("counters: %zu kinds of what an earlier version has counted go on, others begin "
                 "anew",
                 tally_carry_over(out, &old));
    }
}

/*
 * Makes the file, or makes it whole again: its room first, since a page that a full disk has none
 * for would have to be borne by whoever counts in it; its values; and last the head, without which
 * it is not whole. The caller holds the lock.
 */
static int counters_make(int directory, const struct counters_form *form, struct error *error)
{
    AUTO_CLOSE int descriptor =
        openat(directory, form->name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    AUTO_FREE struct tally *first = memory_allocate(1, sizeof(*first));
    struct stat status;
    int failure;

    if (descriptor < 0 || fstat(descriptor, &status) < 0) {
        return error_errno(error, "open '%s'", form->name);
    }
    if (!counters_is_ours(&status)) {
        return error_set(error, ERROR_INTERNAL, "'%s' is somebody else's, or no plain file",
                         form->name);
    }
    failure = posix_fallocate(descriptor, 0, FILE_SIZE);
    if (failure != 0) {
        errno = failure;
        return error_errno(error, "make room for '%s'", form->name);
    }
    counters_inherit(directory, form, first);
    if (ftruncate(descriptor, FILE_SIZE) < 0) {
        return error_errno(error, "cut '%s'", form->name);
    }
    if (file_write_at(descriptor, TALLY_HEAD, first, sizeof(*first), error) < 0 ||
        file_write_at(descriptor, 0, form->head.data, TALLY_HEAD, error) < 0) {
        return -1;
    }
    return steal_descriptor(&descriptor);
}

/* A descriptor of the file, whole. Whoever makes it holds a lock; if he is stopped, nobody waits
 * for him for long. */
static int counters_find_or_make(int directory, const struct counters_form *form,
                                 struct error *error)
{
    for (int i = 0; i < TRIES; i++) {
        AUTO_LOCK struct lock lock = LOCK_INIT;
        int found = counters_find(directory, form);

        if (found >= 0) {
            return found;
        }
        switch (lock_take_or_make(&lock, (struct file_place){directory, "lock"}, LOCK_TRY, error)) {
        case LOCK_FAILED:
        case LOCK_ABSENT:
            return -1;
        case LOCK_BUSY:
            break;
        case LOCK_TAKEN:
            found = counters_find(directory, form); /* somebody else may have made it by now */
            return found >= 0 ? found : counters_make(directory, form, error);
        }
        clock_pause(PAUSE);
    }
    return error_set(error, ERROR_INTERNAL, "somebody holds the lock of '%s'", form->name);
}

/* Gives each of the upstreams a place, unless there are too many. Two that do it at the same time
 * would take the same one. */
static void counters_give_places(int directory, const struct names *upstreams)
{
    struct tally *tally = counters_tally();
    AUTO_LOCK struct lock lock = LOCK_INIT;
    size_t missing = 0;
    struct error ignored;

    for (size_t i = 0; i < upstreams->count; i++) {
        missing += tally_find_place(tally, upstreams->names[i]) == COUNTED_OTHERS;
    }
    if (missing > 0 && lock_take_or_make(&lock, (struct file_place){directory, "lock"}, LOCK_TRY,
                                         &ignored) != LOCK_TAKEN) {
        return; /* they are among the others until the file is opened again */
    }
    for (size_t i = 0; i < upstreams->count && missing > 0; i++) {
        tally_give_place(tally, upstreams->names[i], upstreams);
    }
}

static void counters_forget(void)
{
    if (counters.mapped) {
        (void)munmap(counters.mapped, FILE_SIZE);
        counters.mapped = NULL;
    }
    counters.inode = 0;
    counters.is_lost = 0;
}

/* Memory that children share, in the place of a file. */
static void counters_do_without(void)
{
    counters.mapped = counters_map(NULL, -1);
}

static int counters_share(int directory, struct error *error)
{
    AUTO(counters_form_release) struct counters_form form;
    AUTO_CLOSE int descriptor = -1;
    struct stat status;

    counters_form_make(&form);
    descriptor = counters_find_or_make(directory, &form, error);
    if (descriptor < 0) {
        return -1;
    }
    counters_catch();
    counters.mapped = fstat(descriptor, &status) == 0 ? counters_map(NULL, descriptor) : NULL;
    if (!counters.mapped) {
        return error_errno(error, "map '%s'", form.name);
    }
    counters.device = status.st_dev;
    counters.inode = status.st_ino;
    (void)snprintf(counters.name, sizeof(counters.name), "%s", form.name);
    return 0;
}

/* Whether the file that is mapped is still there under its name, all of it. */
static bool counters_are_whole(void)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    struct stat status;

    if (!counters_are_shared()) {
        return false;
    }
    buffer_format(&path, "%s/%s", counters.directory, counters.name);
    return lstat(path.data, &status) == 0 && status.st_dev == counters.device &&
           status.st_ino == counters.inode && status.st_size == FILE_SIZE;
}

static int counters_reopen(struct error *error)
{
    /* Memory of our own is good until there is a file: else every look would begin at 0. */
    char *own = counters.inode == 0 || counters.is_lost ? counters.mapped : NULL;
    AUTO_CLOSE int directory = -1;

    directory_make(counters.directory);
    directory = open(counters.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        (void)error_errno(error, "open '%s'", counters.directory);
    }
    counters.mapped = own ? NULL : counters.mapped;
    counters_forget();
    if (directory < 0 || counters_share(directory, error) < 0) {
        counters.mapped = own;
        if (!own) {
            counters_do_without();
        }
        return -1;
    }
    if (own) {
        (void)munmap(own, FILE_SIZE);
    }
    counters_give_places(directory, &counters.upstreams);
    return 0;
}

int counters_open(const char *directory, const struct names *upstreams, struct error *error)
{
    if (counters.directory && strcmp(counters.directory, directory) == 0 && counters_are_whole()) {
        return 0;
    }
    free(counters.directory);
    names_release(&counters.upstreams);
    counters.directory = memory_text(directory);
    for (size_t i = 0; i < upstreams->count && i < COUNTED_OTHERS; i++) {
        names_add(&counters.upstreams, upstreams->names[i]);
    }
    return counters_reopen(error);
}

void counters_close(void)
{
    counters_forget();
    free(counters.directory);
    counters.directory = NULL;
    names_release(&counters.upstreams);
}

void counters_look_after(void)
{
    struct error ignored;

    if (counters.directory && !counters_are_whole() && counters_reopen(&ignored) < 0) {
        log_debug("counters: this process counts alone: %s", ignored.message);
    }
}

size_t counters_upstream(const char *name)
{
    /* Only those that are configured: what others have left in the file is no reason. */
    for (size_t i = 0; i < counters.upstreams.count; i++) {
        if (strcmp(counters.upstreams.names[i], name) == 0) {
            return tally_find_place(counters_tally(), name);
        }
    }
    return COUNTED_OTHERS;
}

const struct names *counters_upstreams(void)
{
    return &counters.upstreams;
}

int counters_read(int directory, struct tally *out, struct error *error)
{
    AUTO(counters_form_release) struct counters_form form;
    AUTO_CLOSE int descriptor = -1;
    ssize_t got;

    counters_form_make(&form);
    descriptor = counters_find(directory, &form);
    if (descriptor < 0) {
        return 0;
    }
    got = file_read_at(descriptor, TALLY_HEAD, out, sizeof(*out), error);
    return got < 0 ? -1 : got == (ssize_t)sizeof(*out);
}
