/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/id.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/base/text.h"

enum { BYTES = 16, AT_ONCE = 16 };

/* Random bytes for some more; a forked child makes its own. */
static unsigned char pool[AT_ONCE][BYTES];
static size_t left;

static void id_forget_pool(void)
{
    left = 0;
}

static bool id_fill_pool(void)
{
    static bool is_watching;

    if (!is_watching) {
        is_watching = pthread_atfork(NULL, NULL, id_forget_pool) == 0;
    }
    left = getrandom(pool, sizeof(pool), 0) == (ssize_t)sizeof(pool) ? AT_ONCE : 0;
    return left > 0;
}

void id_make(char out_id[ID_SIZE])
{
    unsigned char bytes[BYTES];
    char hex[33];

    if (left > 0 || id_fill_pool()) {
        memcpy(bytes, pool[--left], sizeof(bytes));
    } else {
        /* Cannot happen for so few bytes; a clash would be noticed by O_EXCL. */
        memset(bytes, (int)getpid(), sizeof(bytes));
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    text_hex(bytes, sizeof(bytes), hex);
    (void)snprintf(out_id, ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}
