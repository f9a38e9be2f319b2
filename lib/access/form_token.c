/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/form_token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

enum {
    FORM_TOKEN_KEY = KEY_ID_SIZE - 1,
    FORM_TOKEN_SIGNATURE = 2 * SECRET_SIZE,
    FORM_TOKEN_LEEWAY = 60, /* seconds that the clocks of two hosts may be apart */
};

/* By another function than those of tokens and prints: the word in front is in none of them. */
static int form_token_sign(const struct key *key, const struct form_use *use, uint64_t made,
                           struct secret *out, struct error *error)
{
    const struct form *form = use->form;
    char kind = (char)('0' + form->subject->kind);
    char kind_text[] = {kind, '\0'};
    char made_text[24];
    const char *texts[] = {"form",        use->service, kind_text, form->subject->name,
                           form->session, form->aim,    made_text};

    (void)snprintf(made_text, sizeof(made_text), "%" PRIu64, made);
    return secret_sign(&key->secret, texts, sizeof(texts) / sizeof(*texts), out, error);
}

int form_token_write(struct keys *keys, const struct form_use *use, struct buffer *out,
                     struct error *error)
{
    uint64_t made = (uint64_t)use->began / FORM_TOKEN_GRAIN * FORM_TOKEN_GRAIN;
    char hex[FORM_TOKEN_SIGNATURE + 1];
    struct secret signature;
    const struct key *key;

    if (keys_newest(keys, &key, error) < 0 ||
        form_token_sign(key, use, made, &signature, error) < 0) {
        return -1;
    }
    text_hex(signature.bytes, SECRET_SIZE, hex);
    buffer_format(out, "%s-%" PRIu64 "-%s", key->id, made, hex);
    return 0;
}

/* Its parts; false if it has not exactly these. */
static bool form_token_parse(const char *text, char out_key[KEY_ID_SIZE], uint64_t *out_made,
                             struct secret *out_signature)
{
    const char *made = strchr(text, '-');
    const char *signature = made ? strchr(made + 1, '-') : NULL;

    return signature && made - text == FORM_TOKEN_KEY &&
           text_copy(out_key, KEY_ID_SIZE, text, FORM_TOKEN_KEY) &&
           text_number(made + 1, (size_t)(signature - made) - 1, out_made) &&
           strnlen(signature + 1, FORM_TOKEN_SIGNATURE + 1) == FORM_TOKEN_SIGNATURE &&
           text_unhex(signature + 1, SECRET_SIZE, out_signature->bytes);
}

static int form_token_refuse(struct error *error)
{
    return error_set(error, ERROR_DENIED, "this form was not made here, or not for you");
}

static int form_token_refuse_old(struct error *error)
{
    return error_set(error, ERROR_DENIED, "this form is too old: load its page again");
}

int form_token_check(struct keys *keys, const struct form_use *use, const char *text,
                     struct error *error)
{
    char id[KEY_ID_SIZE];
    struct secret signature;
    struct secret expected;
    const struct key *key;
    uint64_t made;
    int found;

    if (!text || !form_token_parse(text, id, &made, &signature)) {
        return form_token_refuse(error);
    }
    found = keys_find(keys, id, &key, error);
    if (found <= 0) {
        return found < 0 ? -1 : form_token_refuse_old(error);
    }
    if (form_token_sign(key, use, made, &expected, error) < 0) {
        return -1;
    }
    if (!secret_is_same(&expected, &signature) || (int64_t)made > use->began + FORM_TOKEN_LEEWAY) {
        return form_token_refuse(error);
    }
    return use->began < (int64_t)made + FORM_TOKEN_SECONDS ? 0 : form_token_refuse_old(error);
}
