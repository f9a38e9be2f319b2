/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/id.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/base/text.h"

void id_make(char out_id[ID_SIZE])
{
    unsigned char bytes[16];
    char hex[33];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        /* Cannot happen for so few bytes; a clash would be noticed by O_EXCL. */
        memset(bytes, (int)getpid(), sizeof(bytes));
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    text_hex(bytes, sizeof(bytes), hex);
    (void)snprintf(out_id, ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}
