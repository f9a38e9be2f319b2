/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/issuer_keys.h"

#include <fcntl.h>
#include <string.h>

#include "lib/access/certificate.h"
#include "lib/access/discovery.h"
#include "lib/access/failure.h"
#include "lib/access/vault.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/process.h"
#include "lib/http/party.h"

enum {
    ASK_PAUSE = 60,        /* seconds between two questions */
    ASK_PATIENCE = 20,     /* seconds; one is given up after fewer: see lib/access/discovery */
    KEYS_LIFE = 12 * 3600, /* seconds after which they are asked for again */
    WAITING_PLACES = 32,   /* on a host */
};

/* What is kept of an issuer. */
struct issuer_memo {
    bool is_there;
    bool failed;        /* the last question */
    uint64_t asked;     /* dates, in seconds since the epoch */
    uint64_t fetched;   /* 0: never */
    struct buffer keys; /* a JWK Set; "" if there never were any */
};

#define ISSUER_MEMO_INIT                                                                           \
    {                                                                                              \
        .keys = BUFFER_INIT                                                                        \
    }
#define AUTO_ISSUER_MEMO AUTO(issuer_memo_release)

static void issuer_memo_release(struct issuer_memo *memo)
{
    buffer_release(&memo->keys);
}

static void issuer_file(const struct issuer_options *issuer, struct buffer *out)
{
    buffer_format(out, "issuer-%s", issuer->name);
}

/* A memo that cannot be read is none: it is written anew. */
static void issuer_memo_parse(struct issuer_memo *memo, const char *url, const struct buffer *text)
{
    struct document document = {text->data, text->length, NULL};
    AUTO_BUFFER struct buffer of = BUFFER_INIT;
    uint64_t failed = 0;

    if (!document_text_member(&document, "url", &of) || strcmp(of.data, url) != 0 ||
        !document_number_member(&document, "asked", &memo->asked) ||
        !document_number_member(&document, "failed", &failed) ||
        !document_number_member(&document, "fetched", &memo->fetched)) {
        return;
    }
    memo->is_there = true;
    memo->failed = failed > 0;
    (void)document_object_member(&document, "set", &memo->keys);
}

static int issuer_memo_read(const struct vault *vault, const struct issuer_options *issuer,
                            struct issuer_memo *out, struct error *error)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct stat status;
    int found;

    issuer_memo_release(out);
    *out = (struct issuer_memo)ISSUER_MEMO_INIT;
    issuer_file(issuer, &name);
    found = vault_read(vault, name.data, &text, &status, error);
    if (found > 0) {
        issuer_memo_parse(out, issuer->url, &text);
    }
    return found < 0 ? -1 : 0;
}

static int issuer_memo_write(const struct vault *vault, const struct issuer_options *issuer,
                             const struct issuer_memo *memo, struct error *error)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    issuer_file(issuer, &name);
    json_open_object(&text, NULL);
    json_text(&text, "url", issuer->url);
    json_number(&text, "asked", memo->asked);
    json_number(&text, "failed", memo->failed);
    json_number(&text, "fetched", memo->fetched);
    if (memo->keys.length > 0) {
        json_raw(&text, "set", memo->keys.data);
    }
    json_close_object(&text);
    return vault_replace(vault, name.data, &text, error);
}

static int issuer_memo_find(const struct issuer_memo *memo, const struct jwt *jwt,
                            struct buffer *out, struct error *error)
{
    struct document set = {memo->keys.data, memo->keys.length, NULL};

    return memo->keys.length > 0 ? key_set_find(&set, jwt, out, error) : 0;
}

static bool issuer_may_be_asked(const struct issuer_memo *memo)
{
    return !memo->is_there || clock_age((time_t)memo->asked) >= ASK_PAUSE;
}

static bool issuer_memo_is_old(const struct issuer_memo *memo)
{
    return clock_age((time_t)memo->fetched) >= KEYS_LIFE;
}

static int issuer_refuse(const struct issuer_trust *trust, const struct issuer_memo *memo,
                         struct error *error)
{
    struct http_party party = {NULL, trust->issuer->url};

    if (memo->failed) {
        return party_fail(&party, error, ERROR_UPSTREAM,
                          "could not tell its keys a moment ago; it is asked again in a minute");
    }
    return error_set(error, ERROR_UNAUTHORIZED,
                     "the token is signed with a key that its issuer does not have ('kid')");
}

/* Under the lock. What it had given before stays, if it says nothing now. */
static int issuer_ask(const struct issuer_trust *trust, const struct vault *vault,
                      struct issuer_memo *memo, struct error *error)
{
    AUTO_BUFFER struct buffer keys = BUFFER_INIT;
    struct error ignored;
    int result;

    /* It is for everybody, and not to be begun anew by each client that hangs up. */
    process_serve(-1, CLIENT_ENDS_WHEN_GONE);
    result = discovery_fetch(trust->options, trust->issuer, &keys, error);
    memo->asked = (uint64_t)clock_date();
    memo->failed = result < 0;
    if (result == 0) {
        memo->fetched = memo->asked;
        buffer_clear(&memo->keys);
        buffer_add(&memo->keys, keys.data, keys.length);
    } else if (memo->keys.length > 0) {
        failure_log_issuer(trust->issuer->name, error->message);
    }
    if (issuer_memo_write(vault, trust->issuer, memo, &ignored) < 0) {
        failure_log_issuer(trust->issuer->name, ignored.message);
    }
    return result;
}

/*
 * From a process that may wait. Whoever comes second finds what the first one has brought; if keys
 * are only old, he need not wait for it. Whoever hangs, or is stopped, keeps nobody from asking.
 */
static int issuer_keys_ask(const struct issuer_trust *trust, struct vault *vault,
                           struct issuer_memo *memo, enum lock_wait wait, struct error *error)
{
    struct file_place place;
    enum lock_result taken;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    vault_close(vault);
    if (vault_open(vault, trust->options->directory, VAULT_TO_MAKE, error) < 0) {
        return -1;
    }
    buffer_format(&name, "lock-issuer-%s", trust->issuer->name);
    place = (struct file_place){vault->descriptor, name.data};
    taken = wait == LOCK_TRY ? lock_take_or_replace(&lock, place, ASK_PATIENCE, error)
                             : lock_await_or_replace(&lock, place, ASK_PATIENCE, error);
    if (taken == LOCK_BUSY && wait == LOCK_TRY) {
        return 0;
    }
    if (taken == LOCK_FAILED || issuer_memo_read(vault, trust->issuer, memo, error) < 0) {
        return -1;
    }
    if (!issuer_may_be_asked(memo)) {
        return 0;
    }
    return taken == LOCK_TAKEN
               ? issuer_ask(trust, vault, memo, error)
               : error_set(error, ERROR_UNAVAILABLE,
                           "the keys of [issuer %s] are not there yet: others have been asking for "
                           "them for %d s",
                           trust->issuer->name, ASK_PATIENCE);
}

/* 1; 0 if the issuer has to tell, or had to and did not; -1. */
static int issuer_keys_look(const struct issuer_memo *memo, const struct jwt *jwt, bool is_stale,
                            struct buffer *out_key, struct error *error)
{
    bool may_ask = issuer_may_be_asked(memo);
    bool has_to_tell = is_stale ? may_ask || memo->failed : may_ask && issuer_memo_is_old(memo);

    return has_to_tell ? 0 : issuer_memo_find(memo, jwt, out_key, error);
}

static int issuer_keys_of_issuer(const struct issuer_trust *trust, const struct jwt *jwt,
                                 bool is_stale, struct buffer *out_key, struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    AUTO_ISSUER_MEMO struct issuer_memo memo = ISSUER_MEMO_INIT;
    AUTO_BUFFER struct buffer usable = BUFFER_INIT;
    struct error failure;
    enum lock_wait wait;
    int asked;
    int found = vault_open(&vault, trust->options->directory, VAULT_TO_LOOK, error);

    if (found < 0 || (found > 0 && issuer_memo_read(&vault, trust->issuer, &memo, error) < 0)) {
        return -1;
    }
    found = issuer_keys_look(&memo, jwt, is_stale, out_key, error);
    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    if (!issuer_may_be_asked(&memo)) {
        return issuer_refuse(trust, &memo, error);
    }
    if (!trust->may_wait) {
        return error_set(error, ERROR_WOULD_WAIT, "the issuer has to be asked for its keys");
    }
    wait = !is_stale && issuer_memo_find(&memo, jwt, &usable, &failure) > 0 ? LOCK_TRY : LOCK_WAIT;
    asked = issuer_keys_ask(trust, &vault, &memo, wait, &failure);
    found = asked < 0 && is_stale ? 0 : issuer_memo_find(&memo, jwt, out_key, error);
    /* Keys that are there stay good; that there is no other one only the issuer could have said. */
    if (asked < 0 && found <= 0) {
        *error = failure;
        return -1;
    }
    return found == 0 ? issuer_refuse(trust, &memo, error) : found < 0 ? -1 : 0;
}

/* Reads one of the files that a section names. */
static int issuer_file_read(const struct issuer_options *issuer, const char *path,
                            struct buffer *out, struct error *error)
{
    int found = file_read(AT_FDCWD, path, KEY_SET_LIMIT, out, error);

    return found == 0
               ? error_set(error, ERROR_INTERNAL, "the keys of [issuer %s], '%s', are not there",
                           issuer->name, path)
               : found;
}

static int issuer_keys_of_set(const struct buffer *keys, const struct jwt *jwt,
                              struct buffer *out_key, struct error *error)
{
    int found =
        key_set_find(&(struct document){keys->data, keys->length, NULL}, jwt, out_key, error);

    return found == 0 ? error_set(error, ERROR_UNAUTHORIZED,
                                  "the token is signed with a key that its issuer does not have "
                                  "('kid')")
                      : found;
}

static int issuer_keys_of_file(const struct issuer_options *issuer, const struct jwt *jwt,
                               struct buffer *out_key, struct error *error)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer keys = BUFFER_INIT;

    if (issuer_file_read(issuer, issuer->jwks_file, &text, error) < 0) {
        return -1;
    }
    if (key_set_tidy(&(struct document){text.data, text.length, NULL}, &keys) == 0) {
        return error_set(error, ERROR_INTERNAL,
                         "the jwks_file of [issuer %s], '%s', has no set "
                         "of keys",
                         issuer->name, issuer->jwks_file);
    }
    return issuer_keys_of_set(&keys, jwt, out_key, error);
}

static int issuer_keys_of_certificates(const struct issuer_trust *trust, const struct jwt *jwt,
                                       struct buffer *out_key, struct error *error)
{
    const struct issuer_options *issuer = trust->issuer;
    struct certificate_chain chain = {&jwt->chain, jwt->key, trust->now};
    AUTO_BUFFER struct buffer pem = BUFFER_INIT;
    AUTO_BUFFER struct buffer keys = BUFFER_INIT;

    if (issuer_file_read(issuer, issuer->certificates, &pem, error) < 0) {
        return -1;
    }
    if (!certificates_key_set(&pem, &keys)) {
        return error_set(error, ERROR_INTERNAL,
                         "the certificates of [issuer %s], '%s', has no certificate in it",
                         issuer->name, issuer->certificates);
    }
    if (jwt->chain.count > 0) {
        buffer_clear(&keys);
        if (!certificates_chain_key(&pem, &chain, &keys)) {
            return error_set(error, ERROR_UNAUTHORIZED,
                             "the token's certificate is by none that its issuer has ('x5c')");
        }
    }
    return issuer_keys_of_set(&keys, jwt, out_key, error);
}

int issuer_keys_find(const struct issuer_trust *trust, const struct jwt *jwt, bool is_stale,
                     struct buffer *out_key, struct error *error)
{
    int found =
        trust->issuer->certificates ? issuer_keys_of_certificates(trust, jwt, out_key, error)
        : trust->issuer->jwks_file  ? issuer_keys_of_file(trust->issuer, jwt, out_key, error)
                                    : issuer_keys_of_issuer(trust, jwt, is_stale, out_key, error);

    return found < 0 ? -1 : 0;
}

int issuer_keys_take_place(const struct access_options *options, struct lock *out,
                           struct error *error)
{
    for (unsigned i = 0; i < WAITING_PLACES; i++) {
        AUTO_BUFFER struct buffer path = BUFFER_INIT;

        buffer_format(&path, "%s/waiting-%u", options->runtime_directory, i);
        switch (lock_take_or_make(out, (struct file_place){AT_FDCWD, path.data}, LOCK_TRY, error)) {
        case LOCK_TAKEN:
            return 1;
        case LOCK_FAILED:
            return -1;
        case LOCK_ABSENT:
        case LOCK_BUSY:
            break;
        }
    }
    return 0;
}
