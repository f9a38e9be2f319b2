/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/pattern.h"

#include <string.h>

#include "lib/base/text.h"

#define PLACEHOLDER "{user}"

enum {
    USER_SIZE = 512,
    TOKEN_LIMIT = PATTERN_SIZE + USER_SIZE,
    /* Tokens that are no byte. Each but TOKEN_INSIDE may stand for nothing. */
    TOKEN_STAR = 256, /* anything but '/' */
    TOKEN_DEEP,       /* anything */
    TOKEN_COMPONENTS, /* whole components, each with its '/'; TOKEN_INSIDE follows */
    TOKEN_INSIDE,     /* the rest of one of these */
};

/* A pattern taken apart: bytes and the tokens above. */
struct tokens {
    short tokens[TOKEN_LIMIT];
    size_t count;
};

static void tokens_add(struct tokens *tokens, short token)
{
    if (tokens->count < TOKEN_LIMIT) {
        tokens->tokens[tokens->count] = token;
    }
    tokens->count++;
}

/* How many bytes of the pattern it took. */
static size_t tokens_add_stars(struct tokens *tokens, const char *pattern, bool begins_component)
{
    if (!text_begins(pattern, "**")) {
        tokens_add(tokens, TOKEN_STAR);
        return 1;
    }
    if (!begins_component || pattern[2] != '/') {
        tokens_add(tokens, TOKEN_DEEP);
        return 2;
    }
    tokens_add(tokens, TOKEN_COMPONENTS);
    tokens_add(tokens, TOKEN_INSIDE);
    return 3;
}

static bool user_is_component(const char *user)
{
    return user && *user && !strchr(user, '/');
}

/* False if it cannot match anything. */
static bool tokens_read(struct tokens *out, const char *pattern, const char *user)
{
    const char *begin = pattern;

    out->count = 0;
    while (*pattern) {
        if (*pattern == '*') {
            bool begins_component = pattern == begin || pattern[-1] == '/';

            pattern += tokens_add_stars(out, pattern, begins_component);
        } else if (text_begins(pattern, PLACEHOLDER)) {
            if (!user_is_component(user)) {
                return false;
            }
            for (const char *c = user; *c; c++) {
                tokens_add(out, (unsigned char)*c);
            }
            pattern += strlen(PLACEHOLDER);
        } else {
            tokens_add(out, (unsigned char)*pattern++);
        }
    }
    return out->count <= TOKEN_LIMIT;
}

/*
 * All places of the pattern at which one may be at once, after some of the name: so no pattern
 * makes us come back and try again. One place more than there are tokens is the end.
 */
struct places {
    bool is_at[TOKEN_LIMIT + 1];
};

/* Adds the places behind what may stand for nothing. */
static void places_pass(struct places *places, const struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        short token = tokens->tokens[i];

        if (!places->is_at[i]) {
            continue;
        }
        if (token == TOKEN_STAR || token == TOKEN_DEEP) {
            places->is_at[i + 1] = true;
        } else if (token == TOKEN_COMPONENTS) {
            places->is_at[i + 2] = true;
        }
    }
}

/* Where one is after one more byte of the name. False: nowhere. */
static bool places_step(struct places *places, const struct tokens *tokens, char c)
{
    struct places next;
    bool is_anywhere = false;

    memset(next.is_at, 0, (tokens->count + 1) * sizeof(*next.is_at));
    for (size_t i = 0; i < tokens->count; i++) {
        short token = tokens->tokens[i];
        size_t to = i + 1;

        if (!places->is_at[i]) {
            continue;
        }
        if (token == TOKEN_STAR || token == TOKEN_DEEP) {
            to = i;
        } else if (token == TOKEN_INSIDE) {
            to = c == '/' ? i - 1 : i;
        }
        if (token < TOKEN_STAR ? token == (unsigned char)c
                               : c != '/' || token == TOKEN_DEEP || token == TOKEN_INSIDE) {
            next.is_at[to] = true;
            is_anywhere = true;
        }
    }
    places_pass(&next, tokens);
    memcpy(places->is_at, next.is_at, (tokens->count + 1) * sizeof(*next.is_at));
    return is_anywhere;
}

bool pattern_matches(const char *pattern, const char *name, const char *user)
{
    struct tokens tokens;
    struct places places;

    /* Most rules are about other names altogether. */
    if (strncmp(pattern, name, strcspn(pattern, "*{")) != 0 ||
        !tokens_read(&tokens, pattern, user)) {
        return false;
    }
    memset(places.is_at, 0, (tokens.count + 1) * sizeof(*places.is_at));
    places.is_at[0] = true;
    places_pass(&places, &tokens);
    for (; *name; name++) {
        if (!places_step(&places, &tokens, *name)) {
            return false;
        }
    }
    return places.is_at[tokens.count];
}

/* What one pattern of a list says. */
struct verdict {
    bool is_in;
    bool is_out;
};

static void verdict_add(struct verdict *verdict, const char *pattern, const char *name,
                        const char *user)
{
    bool excludes = *pattern == '!';

    if (pattern_matches(pattern + excludes, name, user)) {
        *(excludes ? &verdict->is_out : &verdict->is_in) = true;
    }
}

bool patterns_match(const struct names *patterns, const char *name, const char *user)
{
    struct verdict verdict = {.is_in = false};

    for (size_t i = 0; i < patterns->count && !verdict.is_out; i++) {
        verdict_add(&verdict, patterns->names[i], name, user);
    }
    return verdict.is_in && !verdict.is_out;
}

bool patterns_match_text(const char *patterns, const char *name, const char *user)
{
    struct verdict verdict = {.is_in = false};
    char pattern[PATTERN_SIZE + 1];
    const char *item;
    size_t length;

    while (text_next_item(&patterns, ',', &item, &length)) {
        if (!text_copy(pattern, sizeof(pattern), item, length)) {
            return false; /* what it excludes is not known */
        }
        verdict_add(&verdict, pattern, name, user);
    }
    return verdict.is_in && !verdict.is_out;
}

/* Stars, at most two in a row, and what is allowed besides. */
static bool component_has_only(const char *component, size_t length, const char *allowed)
{
    size_t stars = 0;

    for (size_t i = 0; i < length; i++) {
        stars = component[i] == '*' ? stars + 1 : 0;
        if ((stars == 0 && !strchr(allowed, component[i])) || stars > 2) {
            return false;
        }
    }
    return length > 0;
}

/* Of a component of `length` bytes. */
static bool component_is_valid(const char *component, size_t length)
{
    return (length == strlen(PLACEHOLDER) && text_begins(component, PLACEHOLDER)) ||
           component_has_only(component, length, "abcdefghijklmnopqrstuvwxyz0123456789._-");
}

bool pattern_is_valid_for_tags(const char *pattern)
{
    size_t length = strnlen(pattern, PATTERN_SIZE);

    return length < PATTERN_SIZE &&
           component_has_only(pattern, length,
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
}

bool pattern_is_valid(const char *pattern)
{
    if (strnlen(pattern, PATTERN_SIZE) >= PATTERN_SIZE) {
        return false;
    }
    for (;;) {
        size_t length = strcspn(pattern, "/");

        if (!component_is_valid(pattern, length)) {
            return false;
        }
        if (pattern[length] == '\0') {
            return true;
        }
        pattern += length + 1;
    }
}
