/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_KEY_H
#define ACCESS_KEY_H

/*
 * The keys by which tokens are signed, in one file that all workers on all hosts share (vault.h).
 * It is made at the first use, by whoever comes first. New tokens are signed with the newest key;
 * those before it stay good for what was signed with them:
 *
 *     berth keys 1
 *     0d1f3c5a <64 digits> 1764000000      (id, key, when it was made; the newest first)
 *
 * Rotation adds a key and keeps the one before it until the next rotation, and longer while tokens
 * of it may live. So log-ins, whose tokens have no end, outlive one rotation. It disturbs nobody:
 * workers see the file change, and who does not yet looks again when an unknown key comes along.
 */

#include <stdint.h>

#include "lib/access/secret.h"
#include "lib/access/vault.h"

enum { KEY_LIMIT = 8, KEY_ID_SIZE = 9 };

struct key {
    char id[KEY_ID_SIZE];
    struct secret secret;
    uint64_t made; /* seconds since the epoch */
};

struct keys {
    const char *directory; /* of the vault */
    struct key keys[KEY_LIMIT];
    size_t count;
    struct stat status; /* of what was read */
    int64_t sought;     /* when an unknown key was last looked for, of clock_milliseconds() */
};

#define KEYS_INIT(the_directory)                                                                   \
    {                                                                                              \
        .directory = (the_directory), .count = 0                                                   \
    }
#define AUTO_KEYS AUTO(keys_wipe)
void keys_wipe(struct keys *keys);

/* The newest. A key is good until the next call. */
int keys_newest(struct keys *keys, const struct key **out_key, struct error *error);

/* That of an id. 1; 0 if it is not, or no longer, in use; -1. */
int keys_find(struct keys *keys, const char *id, const struct key **out_key, struct error *error);

enum key_rotation {
    KEY_KEEP_OLD,   /* what was signed stays good */
    KEY_REVOKE_OLD, /* every token ends now, and with it every log-in */
};

/* `lifetime`: seconds that an access token lives. Locking: of its own, against other rotations;
 * fails where one of these does not let go of it for 20 seconds. */
int keys_rotate(const char *directory, uint64_t lifetime, enum key_rotation rotation,
                struct error *error);

/* Takes the text of a file apart; false for what is not entirely one. */
bool keys_parse(struct keys *out, const char *text, size_t length);

#endif
