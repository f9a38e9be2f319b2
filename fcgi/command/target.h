/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_TARGET_H
#define FCGI_COMMAND_TARGET_H

/* What a command is to be done to, as it is typed: NAME, NAME:TAG, NAME@DIGEST or NAME:TAG@DIGEST,
 * of what is hosted here. */

#include <stdbool.h>

#include "lib/oci/digest.h"
#include "lib/oci/name.h"

struct target {
    char name[NAME_SIZE];
    char tag[TAG_SIZE];   /* "": none */
    struct digest digest; /* the same */
};

bool target_parse(struct target *out, const char *text);

#endif
