/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_FORM_TOKEN_H
#define ACCESS_FORM_TOKEN_H

/*
 * What a form of the page carries, so that a form somewhere else cannot be sent in its place: an
 * HMAC by the keys of tokens over whom the form was made for, in which session and in which aim.
 *
 *     0d1f3c5a-1764000000-<64 digits>      (key, when it was made, HMAC)
 *
 * Nothing is kept: a form can be sent twice. It lives about as long as a session. The time is that
 * of the hour's beginning, so that a page with forms is the same bytes for an hour.
 */

#include <stdint.h>

#include "lib/access/key.h"
#include "lib/access/subject.h"

/* A form, by all that its token is bound to. */
struct form {
    const struct subject *subject;
    const char *session; /* the cookie that he was known by; "" if by something else */
    const char *aim;     /* what it does, and to what: "delete tag team/app v1" */
};

struct form_use {
    const struct form *form;
    const char *service; /* as of tokens */
    int64_t began;       /* when the request began, in seconds since the epoch */
};

enum { FORM_TOKEN_SECONDS = 12 * 60 * 60, FORM_TOKEN_GRAIN = 60 * 60 };

int form_token_write(struct keys *keys, const struct form_use *use, struct buffer *out,
                     struct error *error);

/* ERROR_DENIED, with what to do about it, for whatever is not the token of this very form and in
 * force; NULL is no token. */
int form_token_check(struct keys *keys, const struct form_use *use, const char *text,
                     struct error *error);

#endif
