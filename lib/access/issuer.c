/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/issuer.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/oci/pattern.h"

const struct issuer_options *access_find_issuer(const struct access_options *options,
                                                const char *name)
{
    for (size_t i = 0; i < options->issuer_count; i++) {
        if (strcmp(options->issuers[i].name, name) == 0) {
            return &options->issuers[i];
        }
    }
    return NULL;
}

const struct issuer_options *access_find_realm(const struct access_options *options)
{
    for (size_t i = 0; i < options->issuer_count; i++) {
        if (options->issuers[i].realm) {
            return &options->issuers[i];
        }
    }
    return NULL;
}

const struct issuer_options *issuer_find_server(const struct access_options *options,
                                                const char *token)
{
    AUTO_JWT struct jwt jwt = JWT_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    struct document claims;
    struct error ignored;

    if (options->issuer_count == 0 || jwt_parse(&jwt, token, &ignored) < 0) {
        return NULL;
    }
    claims = jwt_claims(&jwt);
    (void)document_text_member(&claims, "iss", &name);
    for (size_t i = 0; i < options->issuer_count; i++) {
        if (options->issuers[i].kind == ISSUER_REGISTRY_TOKEN &&
            strcmp(options->issuers[i].url, name.data) == 0) {
            return &options->issuers[i];
        }
    }
    return NULL;
}

bool issuer_name_is_valid(const char *name)
{
    return rules_name_is_valid(name) && strcmp(name, "robot") != 0;
}

bool issuer_claim_is_valid(const char *claim)
{
    return *claim && !strpbrk(claim, "= ,");
}

bool issuer_pattern_is_valid(const char *pattern)
{
    return *pattern && *pattern != '!' && strlen(pattern) < PATTERN_SIZE;
}

static int issuer_verify(const struct issuer_trust *trust, const struct jwt *jwt,
                         struct error *error)
{
    /* It may have another key by now, of the same id or without any: it is asked as for an unknown
     * one. */
    for (int i = 0; i < 2; i++) {
        AUTO_BUFFER struct buffer key = BUFFER_INIT;
        int right;

        if (issuer_keys_find(trust, jwt, i > 0, &key, error) < 0) {
            return -1;
        }
        right = jws_verify(jwt->text, key.data, error);
        if (right != 0) {
            return right < 0 ? -1 : 0;
        }
    }
    return error_set(error, ERROR_UNAUTHORIZED,
                     "the token is forged, or was changed: its signature is wrong");
}

/* Whether a claim says one of the things that are required of it. */
static bool issuer_claim_is(const struct document *claims, const char *name, const char *patterns)
{
    AUTO_NAMES struct names words = NAMES_INIT;

    if (!document_words(claims, name, &words)) {
        return false;
    }
    for (size_t i = 0; i < words.count; i++) {
        if (patterns_match_text(patterns, words.names[i], NULL)) {
            return true;
        }
    }
    return false;
}

static int issuer_require(const struct issuer_options *issuer, const struct document *claims,
                          struct error *error)
{
    for (size_t i = 0; i < issuer->required.count; i++) {
        AUTO_BUFFER struct buffer name = BUFFER_INIT;
        const char *required = issuer->required.names[i];
        size_t length = strcspn(required, "=");

        buffer_add(&name, required, length);
        if (!issuer_claim_is(claims, name.data, required + length + (required[length] == '='))) {
            return error_set(error, ERROR_UNAUTHORIZED,
                             "the token's claim '%s' is not as [issuer %s] requires it", name.data,
                             issuer->name);
        }
    }
    return 0;
}

static int issuer_name(const struct issuer_options *issuer, const struct document *claims,
                       struct subject *out, struct error *error)
{
    AUTO_NAMES struct names words = NAMES_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    if (!document_words(claims, issuer->name_claim, &words) || words.count != 1) {
        return error_set(error, ERROR_UNAUTHORIZED, "the token does not say who it is of ('%s')",
                         issuer->name_claim);
    }
    buffer_format(&name, "%s/%s", issuer->name, words.names[0]);
    if (!subject_make(SUBJECT_ISSUER, name.data, out)) {
        return error_set(error, ERROR_UNAUTHORIZED,
                         "the token is of somebody whose name no rule could have ('%s')",
                         issuer->name_claim);
    }
    return 0;
}

static unsigned issuer_rights(const struct names *actions)
{
    static const struct {
        const char *action;
        unsigned rights;
    } rows[] = {{"pull", RIGHT_PULL},
                {"push", RIGHT_PUSH | RIGHT_OVERWRITE},
                {"delete", RIGHT_DELETE},
                {"*", RIGHT_ALL}};
    unsigned rights = RIGHT_NONE;

    for (size_t i = 0; i < actions->count; i++) {
        for (size_t j = 0; j < sizeof(rows) / sizeof(*rows); j++) {
            rights |= strcmp(actions->names[i], rows[j].action) == 0 ? rows[j].rights : RIGHT_NONE;
        }
    }
    return rights;
}

/* One of "access": what it is for, unless that is no repository. */
static bool issuer_add_scope(const char *text, struct subject *subject)
{
    struct document scope = {text, strlen(text), NULL};
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_NAMES struct names actions = NAMES_INIT;

    if (!document_text_member(&scope, "type", &type) ||
        !document_text_list(&scope, "actions", &actions)) {
        return false;
    }
    return strcmp(type.data, "repository") != 0 ||
           (document_text_member(&scope, "name", &name) &&
            subject_add_scope(subject, issuer_rights(&actions), name.data));
}

/* Without a word about it, it is for nothing. */
static int issuer_narrow(const struct document *claims, struct subject *subject,
                         struct error *error)
{
    AUTO_NAMES struct names scopes = NAMES_INIT;
    bool is_good =
        !document_has_member(claims, "access") || document_object_list(claims, "access", &scopes);

    subject->is_scoped = true;
    for (size_t i = 0; is_good && i < scopes.count; i++) {
        is_good = issuer_add_scope(scopes.names[i], subject);
    }
    return is_good ? 0
                   : error_set(error, ERROR_UNAUTHORIZED,
                               "the token says in no known form what it is for, or says too much "
                               "('access')");
}

/* Token servers give tokens to nobody as well. */
static bool issuer_knows_nobody(const struct issuer_options *issuer, const struct document *claims)
{
    AUTO_NAMES struct names words = NAMES_INIT;

    return issuer->kind == ISSUER_REGISTRY_TOKEN &&
           (!document_has_member(claims, issuer->name_claim) ||
            (document_words(claims, issuer->name_claim, &words) && words.count == 1 &&
             !*words.names[0]));
}

/* What costs nothing first: nobody has an issuer asked for a token that would be of no use. */
int issuer_identify(const struct issuer_trust *trust, const char *token, struct subject *out,
                    struct error *error)
{
    const struct issuer_options *issuer = trust->issuer;
    struct jwt_use use = {issuer->url, issuer->audience, trust->now};
    AUTO_JWT struct jwt jwt = JWT_INIT;
    struct subject subject = subject_anonymous();
    struct document claims;
    int64_t end = 0;

    if (jwt_parse(&jwt, token, error) < 0 || jwt_judge(&jwt, &use, &end, error) < 0 ||
        issuer_verify(trust, &jwt, error) < 0) {
        return -1;
    }
    claims = jwt_claims(&jwt);
    if (issuer_require(issuer, &claims, error) < 0 ||
        (!issuer_knows_nobody(issuer, &claims) &&
         issuer_name(issuer, &claims, &subject, error) < 0) ||
        (issuer->kind == ISSUER_REGISTRY_TOKEN && issuer_narrow(&claims, &subject, error) < 0)) {
        return -1;
    }
    /* Clocks that are apart are no reason for a token that is born dead. */
    subject.end = end > trust->now ? end : end + JWT_LEEWAY;
    *out = subject;
    return 0;
}
