/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_TOKEN_H
#define ACCESS_TOKEN_H

/*
 * Tokens that say who somebody is, and nothing of what he may: signed by HMAC-SHA-256, readable by
 * nobody but us, kept by nobody but their holder.
 *
 *   an access token   what a request carries; ends at a time
 *   a refresh token   what `docker login` keeps in the place of a password; has no end, but rests
 * on a print of the secret that its holder had then
 *   a session         what a browser keeps in a cookie; ends at a time, and rests on the same
 *
 * They begin with words of their own, by which scanners of leaked secrets know them; what follows
 * is base 64 for URLs of
 *
 *   version, kind          a byte each
 *   key                    4 bytes: the id
 *   made, end              8 bytes each, seconds since the epoch; of a refresh token the end is 0
 *   subject's kind, rights a byte each
 *   service, name, names   2 bytes of length and the text: audience; subject's name and narrowing
 *   print                  32 bytes
 *   signature              32 bytes, over all before
 *
 * numbers with the highest byte first.
 */

#include <stdint.h>

#include "lib/access/key.h"
#include "lib/access/subject.h"

#define TOKEN_ACCESS_PREFIX "berth_a_"
#define TOKEN_REFRESH_PREFIX "berth_r_"
#define TOKEN_SESSION_PREFIX "berth_s_"

/* One is never good for another. */
enum token_kind { TOKEN_ACCESS = 1, TOKEN_REFRESH = 2, TOKEN_SESSION = 3 };

enum { TOKEN_SERVICE_SIZE = 512, TOKEN_LIMIT = 4096 /* characters */ };

struct token {
    enum token_kind kind;
    struct subject subject;
    char service[TOKEN_SERVICE_SIZE];
    int64_t made; /* seconds since the epoch */
    int64_t end;  /* 0 for a refresh token, which alone has none */
    /* Of a token that was read: */
    char key[KEY_ID_SIZE];
    struct secret print;
};

/* Adds the text of a token, with a print of the secret that it rests on; "" if on none. */
int token_write(struct keys *keys, const struct token *token, const char *rests_on,
                struct buffer *out, struct error *error);

/* Whom and what a token has to be for. */
struct token_use {
    enum token_kind kind;
    const char *service;
    int64_t began; /* when the request began: it is what expiry is judged by */
};

/*
 * ERROR_UNAUTHORIZED, with the reason, for whatever is not a token that we have made, for this use
 * and in force. That of another program is none of ours: see token_is_ours().
 */
int token_read(struct keys *keys, const char *text, const struct token_use *use, struct token *out,
               struct error *error);

/* Whether the secret is the one of which a token that was read has the print. 1, 0, -1. */
int token_rests_on(struct keys *keys, const struct token *token, const char *secret,
                   struct error *error);

/* Whether it looks like one, of whichever kind. */
bool token_is_ours(const char *text);

#endif
