/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_DISCOVERY_H
#define ACCESS_DISCOVERY_H

/*
 * Asks an issuer for its keys (OpenID Connect Discovery 1.0, 4): its configuration says where they
 * are, which has to be at the same host. It takes seconds at most, however slow the issuer is: not
 * for a worker that others wait for.
 */

#include "lib/access/options.h"
#include "lib/base/buffer.h"
#include "lib/base/error.h"

/*
 * Adds the keys as key_set_tidy() writes them. The errors of http_open(), and ERROR_UPSTREAM for an
 * answer that is of no use, and for an address that is not to be asked.
 */
int discovery_fetch(const struct access_options *options, const struct issuer_options *issuer,
                    struct buffer *out_keys, struct error *error);

#endif
