/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/token.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/http/base64.h"

enum {
    TOKEN_VERSION = 1,
    TOKEN_KEY_BYTES = 4,
    TOKEN_NUMBER = 8,
    TOKEN_LENGTH = 2,
    TOKEN_LEEWAY = 60, /* seconds that the clocks of two hosts may be apart */
};

static const char *token_prefix(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_ACCESS:
        return TOKEN_ACCESS_PREFIX;
    case TOKEN_REFRESH:
        return TOKEN_REFRESH_PREFIX;
    case TOKEN_SESSION:
        break;
    }
    return TOKEN_SESSION_PREFIX;
}

/* Of which kind it says to be, in words; NULL if it is none of ours. */
static const char *token_kind_words(const char *text)
{
    return text_begins(text, TOKEN_ACCESS_PREFIX)    ? "is an access token"
           : text_begins(text, TOKEN_REFRESH_PREFIX) ? "is a refresh token"
           : text_begins(text, TOKEN_SESSION_PREFIX) ? "is a browser's session"
                                                     : NULL;
}

bool token_is_ours(const char *text)
{
    return token_kind_words(text) != NULL;
}

static void token_add_number(struct buffer *out, uint64_t number, size_t size)
{
    while (size-- > 0) {
        unsigned char byte = (unsigned char)(number >> (8 * size) & 0xff);

        buffer_add(out, &byte, 1);
    }
}

static void token_add_text(struct buffer *out, const char *text)
{
    token_add_number(out, strlen(text), TOKEN_LENGTH);
    buffer_add_text(out, text);
}

static void token_add_key(struct buffer *out, const char *id)
{
    unsigned char bytes[TOKEN_KEY_BYTES] = {0};

    (void)text_unhex(id, sizeof(bytes), bytes);
    buffer_add(out, bytes, sizeof(bytes));
}

/* By another function than that of the signature: the word in front is in no token. */
static int token_print(const struct key *key, const char *secret, struct secret *out,
                       struct error *error)
{
    const char *texts[] = {"print", secret};

    return secret_sign(&key->secret, texts, sizeof(texts) / sizeof(*texts), out, error);
}

int token_write(struct keys *keys, const struct token *token, const char *rests_on,
                struct buffer *out, struct error *error)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct secret signature;
    struct secret print;
    const struct key *key;

    if (keys_newest(keys, &key, error) < 0 || token_print(key, rests_on, &print, error) < 0) {
        return -1;
    }
    token_add_number(&bytes, TOKEN_VERSION, 1);
    token_add_number(&bytes, token->kind, 1);
    token_add_key(&bytes, key->id);
    token_add_number(&bytes, (uint64_t)token->made, TOKEN_NUMBER);
    token_add_number(&bytes, (uint64_t)token->end, TOKEN_NUMBER);
    token_add_number(&bytes, token->subject.kind, 1);
    token_add_number(&bytes, token->subject.narrowed_rights, 1);
    token_add_text(&bytes, token->service);
    token_add_text(&bytes, token->subject.name);
    token_add_text(&bytes, token->subject.narrowed_names);
    buffer_add(&bytes, print.bytes, sizeof(print.bytes));
    if (secret_sign_bytes(&key->secret, bytes.data, bytes.length, &signature, error) < 0) {
        return -1;
    }
    buffer_add(&bytes, signature.bytes, sizeof(signature.bytes));
    buffer_add_text(out, token_prefix(token->kind));
    base64_encode_as(BASE64_URL, bytes.data, bytes.length, out);
    return 0;
}

/* What is left of a token's bytes. */
struct token_rest {
    const char *bytes;
    size_t length;
};

static bool token_take(struct token_rest *rest, void *out, size_t length)
{
    if (length > rest->length) {
        return false;
    }
    memcpy(out, rest->bytes, length);
    rest->bytes += length;
    rest->length -= length;
    return true;
}

static bool token_take_number(struct token_rest *rest, size_t size, uint64_t *out)
{
    unsigned char bytes[TOKEN_NUMBER];
    uint64_t number = 0;

    if (!token_take(rest, bytes, size)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | bytes[i];
    }
    *out = number;
    return number <= INT64_MAX;
}

static bool token_take_text(struct token_rest *rest, char *out, size_t size)
{
    uint64_t length;

    if (!token_take_number(rest, TOKEN_LENGTH, &length) || length >= size ||
        !token_take(rest, out, length)) {
        return false;
    }
    out[length] = '\0';
    return strlen(out) == length;
}

/* The name has to be one that its kind can have. */
static bool token_take_subject(struct token_rest *rest, uint64_t kind, uint64_t rights,
                               struct token *out)
{
    struct subject *subject = &out->subject;
    char name[SUBJECT_NAME_SIZE];

    if (kind > SUBJECT_ISSUER || (rights & ~(uint64_t)RIGHT_ALL) ||
        !token_take_text(rest, name, sizeof(name))) {
        return false;
    }
    *subject = subject_anonymous();
    if (kind == SUBJECT_ANONYMOUS ? *name != '\0'
                                  : !subject_make((enum subject_kind)kind, name, subject)) {
        return false;
    }
    subject->narrowed_rights = (unsigned)rights;
    return token_take_text(rest, subject->narrowed_names, sizeof(subject->narrowed_names));
}

/* All but version, kind and key, of what was signed. */
static bool token_take_rest(struct token_rest *rest, struct token *out)
{
    uint64_t made;
    uint64_t end;
    uint64_t kind;
    uint64_t rights;

    if (!token_take_number(rest, TOKEN_NUMBER, &made) ||
        !token_take_number(rest, TOKEN_NUMBER, &end) || !token_take_number(rest, 1, &kind) ||
        !token_take_number(rest, 1, &rights) ||
        !token_take_text(rest, out->service, sizeof(out->service)) ||
        !token_take_subject(rest, kind, rights, out) ||
        !token_take(rest, out->print.bytes, sizeof(out->print.bytes))) {
        return false;
    }
    out->made = (int64_t)made;
    out->end = (int64_t)end;
    return rest->length == 0;
}

static int token_refuse(struct error *error, const char *why)
{
    return error_set(error, ERROR_UNAUTHORIZED, "the token %s", why);
}

/* Nothing in it is looked at before its signature, but for which key that is to be of. */
static int token_open(struct keys *keys, const struct buffer *bytes, struct token *out,
                      struct error *error)
{
    struct token_rest rest = {bytes->data, bytes->length};
    unsigned char head[2];
    unsigned char id[TOKEN_KEY_BYTES];
    char hex[KEY_ID_SIZE];
    const struct key *key;
    struct secret expected;
    struct secret signature;
    int found;

    if (bytes->length < sizeof(head) + sizeof(id) + SECRET_SIZE) {
        return token_refuse(error, "is cut short");
    }
    memcpy(signature.bytes, bytes->data + bytes->length - SECRET_SIZE, SECRET_SIZE);
    rest.length -= SECRET_SIZE;
    (void)token_take(&rest, head, sizeof(head));
    (void)token_take(&rest, id, sizeof(id));
    text_hex(id, sizeof(id), hex);
    found = keys_find(keys, hex, &key, error);
    if (found <= 0) {
        return found < 0 ? -1 : token_refuse(error, "is of a key that is not in use");
    }
    if (secret_sign_bytes(&key->secret, bytes->data, bytes->length - SECRET_SIZE, &expected,
                          error) < 0) {
        return -1;
    }
    if (!secret_is_same(&expected, &signature)) {
        return token_refuse(error, "is forged or damaged");
    }
    out->kind = (enum token_kind)head[1];
    memcpy(out->key, key->id, sizeof(out->key));
    if (head[0] != TOKEN_VERSION || !token_take_rest(&rest, out)) {
        return token_refuse(error, "is of a version that is not known");
    }
    return 0;
}

static int token_judge(const struct token *token, const struct token_use *use, struct error *error)
{
    if (token->kind != use->kind) {
        return token_refuse(error, "is of another kind than it says");
    }
    if (strcmp(token->service, use->service) != 0) {
        return token_refuse(error, "is for another host name");
    }
    if (token->made > use->began + TOKEN_LEEWAY) {
        return token_refuse(error, "is not valid yet");
    }
    if (token->kind != TOKEN_REFRESH && token->end <= use->began) {
        return token_refuse(error, "has expired");
    }
    return 0;
}

int token_read(struct keys *keys, const char *text, const struct token_use *use, struct token *out,
               struct error *error)
{
    const char *prefix = token_prefix(use->kind);
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct token token = {.kind = use->kind};

    if (!text_begins(text, prefix)) {
        const char *words = token_kind_words(text);

        return token_refuse(error, words ? words : "is none of this registry's");
    }
    if (strnlen(text, TOKEN_LIMIT + 1) > TOKEN_LIMIT ||
        !base64_decode(BASE64_URL, text + strlen(prefix), strlen(text + strlen(prefix)), &bytes)) {
        return token_refuse(error, "is cut short or damaged");
    }
    if (token_open(keys, &bytes, &token, error) < 0 || token_judge(&token, use, error) < 0) {
        return -1;
    }
    *out = token;
    return 0;
}

int token_rests_on(struct keys *keys, const struct token *token, const char *secret,
                   struct error *error)
{
    const struct key *key;
    struct secret print;
    int found = keys_find(keys, token->key, &key, error);

    if (found <= 0) {
        return found;
    }
    if (token_print(key, secret, &print, error) < 0) {
        return -1;
    }
    return secret_is_same(&print, &token->print);
}
