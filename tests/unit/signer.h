/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SIGNER_H
#define UNIT_SIGNER_H

/* Somebody who signs tokens: a key of the curve P-256, made anew in each process. */

#include "lib/base/buffer.h"

/* Adds the public half as a JWK of this id. */
void signer_add_key(const char *id, struct buffer *out);

/* Adds the token: both texts are taken as they are. */
void signer_add_token(const char *header, const char *claims, struct buffer *out);

#endif
