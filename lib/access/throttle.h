/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_THROTTLE_H
#define ACCESS_THROTTLE_H

/*
 * Who guesses passwords has to wait; no worker waits for him. Failed log-ins are counted for the
 * address (of IPv6: the first half) and for the user, by all workers of a host in a small file that
 * they have mapped. Each failure is forgiven after some seconds, so that there is nothing to clear.
 *
 * The same wrong password said again within a minute, as containerd does, is refused at once and
 * counted once. One that was right within the last hour is let through to be verified, whatever
 * others do from behind the same address or against the same user. What is kept of passwords are
 * some bits of an HMAC whose key is not in the file.
 */

#include <stdint.h>

#include "lib/access/key.h"
#include "lib/access/verified.h"

enum {
    THROTTLE_WINDOW = 60 * 1000, /* milliseconds after which everything is forgiven */
    THROTTLE_ADDRESS = 10,       /* failures within it */
    THROTTLE_USER = 30,          /* more: or anybody could lock a user out from one address */
};

struct throttle_table;

struct throttle {
    const char *directory; /* of this host alone; made if it is not there */
    struct throttle_table *table;
    int descriptor; /* of the file; -1: this process counts for itself */
};

#define THROTTLE_INIT(the_directory)                                                               \
    {                                                                                              \
        .directory = (the_directory), .table = NULL, .descriptor = -1                              \
    }

/*
 * Before each log-in: somebody may have emptied the file or taken it away, and what is mapped of it
 * would end the process that looks there. Where the directory takes no file, each process counts
 * for itself.
 */
void throttle_open(struct throttle *throttle);
void throttle_close(struct throttle *throttle);

/* A log-in. `now` is clock_milliseconds(). */
struct throttle_case {
    const char *address; /* or NULL */
    const char *user;
    uint64_t right; /* as throttle_mark() has made it */
    uint64_t wrong;
    uint64_t salt; /* nobody can make up a name that shares the place of another one */
    int64_t now;
};

/* The marks of a password and the salt, for a case. */
int throttle_mark(struct keys *keys, const struct claim *claim, struct throttle_case *out,
                  struct error *error);

enum throttle_answer {
    THROTTLE_VERIFY,
    THROTTLE_WRONG, /* it was so a moment ago: count and compute nothing */
    THROTTLE_WAIT,  /* for `out_wait` milliseconds */
};
enum throttle_answer throttle_judge(const struct throttle *throttle,
                                    const struct throttle_case *login, int64_t *out_wait);

/* What was found, after THROTTLE_VERIFY. */
void throttle_was_right(const struct throttle *throttle, const struct throttle_case *login);
void throttle_was_wrong(const struct throttle *throttle, const struct throttle_case *login);

#endif
