/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_VAULT_H
#define ACCESS_VAULT_H

/*
 * A directory of secrets in the store, for all workers on all hosts: of mode 0700, its files 0600,
 * all of the store's owner. What others could have read or written is refused in words.
 *
 * A file appears complete and on the disk under its name, or not at all: it is written under a
 * temporary name, synced, and linked or renamed.
 */

#include <sys/stat.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

struct vault {
    const char *path;
    int descriptor;
};

#define VAULT_INIT                                                                                 \
    {                                                                                              \
        .path = NULL, .descriptor = -1                                                             \
    }
#define AUTO_VAULT AUTO(vault_close)

enum vault_purpose {
    VAULT_TO_LOOK, /* makes nothing */
    VAULT_TO_MAKE, /* makes the directory, and the one above it */
};

/* 1; 0 if it is not there; -1. `path` has to stay. */
int vault_open(struct vault *vault, const char *path, enum vault_purpose purpose,
               struct error *error);
void vault_close(struct vault *vault);

/* 1; 0 if it is not there; -1. The status is that of what was read. */
int vault_read(const struct vault *vault, const char *name, struct buffer *out,
               struct stat *out_status, struct error *error);
enum { VAULT_FILE_LIMIT = 64 * 1024 }; /* bytes */

/* 1; 0 if there is one of that name, which stays; -1. */
int vault_add(const struct vault *vault, const char *name, const struct buffer *content,
              struct error *error);
/* Puts it in the place of what may be there. */
int vault_replace(const struct vault *vault, const char *name, const struct buffer *content,
                  struct error *error);
/* 1, 0 if there was none, -1. */
int vault_remove(const struct vault *vault, const char *name, struct error *error);
/* Gives a file a time. That it fails is nobody's trouble. */
void vault_date(const struct vault *vault, const char *name, time_t date);

/* How names begin of what is on its way; nothing else's does. */
#define VAULT_TEMPORARY "."

#endif
