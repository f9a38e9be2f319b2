/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_SIGNATURE_H
#define OBSERVE_SIGNATURE_H

/*
 * How a receiver knows that it is we who ask: the headers of Standard Webhooks 1.0.0, with
 * HMAC-SHA-256. Its receivers refuse what was signed minutes ago, so each try is signed anew; the
 * id stays.
 */

#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/error.h"

/* What is signed besides the body. */
struct signature_head {
    const char *id;
    int64_t seconds; /* since the epoch */
};

/*
 * Adds "v1,…" for a body. A secret "whsec_…" is base 64 of the key, any other one is the key as it
 * stands. ERROR_INTERNAL: it is empty, or no base 64.
 */
int signature_add(const char *secret, const struct signature_head *head, const struct buffer *body,
                  struct buffer *out, struct error *error);

#endif
