/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/credentials.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/http/address.h"
#include "lib/http/base64.h"
#include "lib/http/challenge.h"
#include "lib/http/url.h"
#include "lib/oci/document.h"
#include "lib/store/memo.h"

enum {
    PASSWORD_LIMIT = 64 * 1024,
    TOKEN_LIMIT = 256 * 1024, /* bytes of a token service's answer */
    TOKEN_SECONDS = 60,       /* what a token is good for if nothing is said */
    TOKEN_MARGIN = 10,        /* seconds before its end at which it is renewed */
    TOKEN_LONGEST = 86400,    /* seconds that are believed */
};

/* "registry.example.org" and "auth.example.org". The list takes an address for a name of labels. */
static bool host_shares_domain(const char *left, const char *right)
{
    const psl_ctx_t *list = psl_builtin();
    const char *left_domain;
    const char *right_domain;

    if (strcmp(left, right) == 0) {
        return true;
    }
    if (!list || !host_is_valid(left) || !host_is_valid(right)) {
        return false;
    }
    left_domain = psl_registrable_domain(list, left);
    right_domain = psl_registrable_domain(list, right);
    return left_domain && right_domain && strcmp(left_domain, right_domain) == 0;
}

/* "Basic …" for the account of this repository. 1; 0 if there is none; -1. */
static int credentials_add_basic(const struct upstream *upstream, const char *repository,
                                 struct buffer *out, struct error *error)
{
    const struct upstream_options *section = upstream_credentials(upstream, repository);
    AUTO_BUFFER struct buffer pair = BUFFER_INIT;

    if (!section) {
        return 0;
    }
    buffer_format(&pair, "%s:", section->username);
    if (section->password_file) {
        int found = file_read(AT_FDCWD, section->password_file, PASSWORD_LIMIT, &pair, error);

        if (found <= 0) {
            return found < 0 ? -1
                             : error_set(error, ERROR_INTERNAL, "there is no password file '%s'",
                                         section->password_file);
        }
        pair.length = strcspn(pair.data, "\r\n");
    } else if (section->password) {
        buffer_add_text(&pair, section->password);
    }
    buffer_add_text(out, "Basic ");
    base64_encode(pair.data, pair.length, out);
    return 1;
}

/* Tokens are for a repository and an account. */
static struct path token_find_path(const struct upstream *upstream, const char *repository)
{
    const struct upstream_options *section = upstream_credentials(upstream, repository);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct digest key;

    buffer_format(&text, "%s %s %s", upstream->url, repository, section ? section->username : "");
    digest_of(DIGEST_SHA256, text.data, text.length, &key);
    return layout_token(upstream->name, &key);
}

int credentials_cached(const struct upstream *upstream, const char *repository, struct buffer *out,
                       struct error *error)
{
    struct path path = token_find_path(upstream, repository);
    struct file_place place = {upstream->store->root, path.text};
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    struct error ignored;
    uint64_t expires;
    uint64_t age;

    if (memo_read(place, &memo, &age, &ignored) <= 0) {
        return 0; /* what cannot be read is asked for anew, and then written anew */
    }
    if (age > TOKEN_LONGEST || !memo_number(&memo, 0, &expires) ||
        (uint64_t)clock_date() >= expires) {
        memo_forget(place);
        return 0;
    }
    memo_line(&memo, 1, &line);
    if (strcmp(line.data, "basic") == 0) { /* that it is asked for; never the password */
        return credentials_add_basic(upstream, repository, out, error) < 0 ? -1 : 0;
    }
    buffer_add(out, line.data, line.length);
    return 0;
}

static void token_remember(const struct upstream *upstream, const char *repository,
                           const char *value, uint64_t seconds)
{
    struct path path = token_find_path(upstream, repository);
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;

    buffer_format(&memo, "%" PRIu64 "\n%s\n", (uint64_t)clock_date() + seconds, value);
    (void)memo_write(upstream->store, (struct file_place){upstream->store->root, path.text}, &memo,
                     &ignored);
}

/* The token service's URL with its parameters. */
static void token_make_url(const char *repository, const struct challenge *challenge,
                           struct buffer *out)
{
    buffer_add_text(out, challenge->realm.data);
    buffer_add_text(out, strchr(challenge->realm.data, '?') ? "&" : "?");
    if (challenge->service.length > 0) {
        buffer_add_text(out, "service=");
        text_percent_encode(challenge->service.data, out);
        buffer_add_text(out, "&");
    }
    buffer_add_text(out, "scope=");
    if (challenge->scope.length > 0) {
        text_percent_encode(challenge->scope.data, out);
    } else {
        buffer_format(out, "repository:%s:pull", repository);
    }
}

bool credentials_may_see(const struct upstream *upstream, const char *realm)
{
    struct url own;
    struct url service;

    if (!url_parse(upstream->url, &own) || !url_parse(realm, &service)) {
        return false;
    }
    if (strcmp(service.scheme, "https") != 0 && !upstream->allow_http) {
        return false;
    }
    return host_shares_domain(own.host, service.host) ||
           (upstream->section && upstream->section->token_host &&
            strcmp(upstream->section->token_host, service.host) == 0);
}

/* A token becomes a header, and a line of a memo. */
static bool token_is_plain(const struct buffer *token)
{
    for (size_t i = 0; i < token->length; i++) {
        if (token->data[i] <= ' ' || token->data[i] > '~') {
            return false;
        }
    }
    return token->length > 0;
}

/* Reads a token service's answer. */
static int token_read(const struct http_party *service, const struct buffer *body,
                      struct buffer *out, uint64_t *out_seconds, struct error *error)
{
    struct document document = {body->data, body->length, NULL};
    AUTO_BUFFER struct buffer token = BUFFER_INIT;

    if (!document_text_member(&document, "token", &token) &&
        !document_text_member(&document, "access_token", &token)) {
        return party_fail(service, error, ERROR_UPSTREAM, "sent no token");
    }
    if (!token_is_plain(&token)) {
        return party_fail(service, error, ERROR_UPSTREAM, "sent a bad token");
    }
    *out_seconds = TOKEN_SECONDS;
    (void)document_number_member(&document, "expires_in", out_seconds);
    *out_seconds = *out_seconds < TOKEN_LONGEST ? *out_seconds : TOKEN_LONGEST;
    buffer_format(out, "Bearer %s", token.data);
    return 0;
}

int credentials_refused(const struct upstream *upstream, const char *repository, int status,
                        struct error *error)
{
    const struct upstream_options *account = upstream_credentials(upstream, repository);

    if (account) {
        return upstream_fail(upstream, error, ERROR_UPSTREAM_REFUSED,
                             "does not let the account in [upstream %s] in (%d): look at its "
                             "username and password_file",
                             account->name, status);
    }
    return upstream_fail(upstream, error, ERROR_UPSTREAM_REFUSED,
                         "does not let us in (%d): username and password_file in [upstream %s]",
                         status, upstream_section(upstream));
}

/* Whether there is an account that this service may not see: then it is that which is said. */
static bool login_is_withheld(const struct upstream *upstream, const char *repository,
                              const char *realm, struct error *error)
{
    const struct upstream_options *account = upstream_credentials(upstream, repository);
    struct url url;

    if (!account || !url_parse(realm, &url) || credentials_may_see(upstream, realm)) {
        return false;
    }
    (void)upstream_fail(upstream, error, ERROR_UPSTREAM_REFUSED,
                        "does not let us in: its token service on %s does not see the account in "
                        "[upstream %s] (token_host = %s in [upstream %s])",
                        url.host, account->name, url.host, upstream_section(upstream));
    return true;
}

/* What an upstream wants before it answers a question. */
struct login {
    const struct upstream *upstream;
    const char *repository;
    const struct challenge *challenge;
    int64_t deadline; /* the question's: logging in is a part of it */
};

/* Whether the service may be asked at all. */
static int login_check_service(const struct login *login, struct error *error)
{
    const struct upstream *upstream = login->upstream;
    const char *obstacle;
    struct url url;

    if (!url_parse(login->challenge->realm.data, &url)) {
        return upstream_fail(upstream, error, ERROR_DENIED,
                             "names no token service that has a URL");
    }
    obstacle = upstream_obstacle(upstream, &url);
    return obstacle
               ? upstream_fail(upstream, error, ERROR_DENIED,
                               "has its token service at %s://%s:%u, which is not asked: %s "
                               "in [upstream %s]",
                               url.scheme, url.host, url.port, obstacle, upstream_section(upstream))
               : 0;
}

/* A token service that does not answer 200. */
static int login_refuse(const struct login *login, const struct http_party *service, int status,
                        struct error *error)
{
    const struct upstream *upstream = login->upstream;

    if (status == 401 || status == 403) {
        if (!login_is_withheld(upstream, login->repository, login->challenge->realm.data, error)) {
            (void)credentials_refused(upstream, login->repository, status, error);
        }
        error->code = ERROR_UPSTREAM; /* no word on whether the repository is there */
        return -1;
    }
    return party_fail(service, error, status == 429 ? ERROR_TOO_MANY_REQUESTS : ERROR_UPSTREAM,
                      "answers %d when asked for a token", status);
}

static int login_ask_service(const struct login *login, struct buffer *out, struct error *error)
{
    const struct upstream *upstream = login->upstream;
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    AUTO_BUFFER struct buffer url = BUFFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct http_request request = {.method = "GET", .headers = BUFFER_INIT};
    struct http_party service = {upstream_section(upstream), login->challenge->realm.data};
    uint64_t seconds = 0;
    int result = 0;

    if (login_check_service(login, error) < 0) {
        return -1;
    }
    token_make_url(login->repository, login->challenge, &url);
    upstream_prepare(upstream, &request);
    request.deadline = login->deadline;
    request.url = url.data;
    if (credentials_may_see(upstream, login->challenge->realm.data)) {
        AUTO_BUFFER struct buffer basic = BUFFER_INIT;

        result = credentials_add_basic(upstream, login->repository, &basic, error);
        if (result > 0) {
            buffer_format(&request.headers, "Authorization: %s\n", basic.data);
        }
    }
    if (result >= 0) {
        result = http_open(&transfer, &request, error);
    }
    if (result == 0 && transfer.status != 200) {
        result = login_refuse(login, &service, transfer.status, error);
    }
    if (result == 0) {
        result = http_read_all(&transfer, TOKEN_LIMIT, &body, error);
    }
    if (result == 0) {
        result = party_fail(&service, error, ERROR_UPSTREAM, "sends too much for a token");
    }
    buffer_release(&request.headers);
    if (result < 0 || token_read(&service, &body, out, &seconds, error) < 0) {
        return -1;
    }
    if (seconds > TOKEN_MARGIN) {
        token_remember(upstream, login->repository, out->data, seconds - TOKEN_MARGIN);
    }
    return 1;
}

static void credentials_read_challenge(const struct http_transfer *transfer,
                                       struct challenge *challenge)
{
    AUTO_BUFFER struct buffer field = BUFFER_INIT;

    for (unsigned i = 0; http_header(transfer, "www-authenticate", i, &field); i++) {
        (void)challenge_parse(challenge, field.data);
    }
}

bool credentials_are_withheld(const struct upstream *upstream, const char *repository,
                              const struct http_transfer *transfer, struct error *error)
{
    AUTO_CHALLENGE struct challenge challenge = CHALLENGE_INIT;

    credentials_read_challenge(transfer, &challenge);
    return challenge.scheme == CHALLENGE_BEARER &&
           login_is_withheld(upstream, repository, challenge.realm.data, error);
}

int credentials_obtain(const struct upstream *upstream, const char *repository,
                       const struct http_transfer *transfer, struct buffer *out,
                       struct error *error)
{
    enum { BASIC_SECONDS = 300 };
    AUTO_CHALLENGE struct challenge challenge = CHALLENGE_INIT;
    struct login login = {.upstream = upstream,
                          .repository = repository,
                          .challenge = &challenge,
                          .deadline = transfer->request->deadline};
    int found;

    credentials_read_challenge(transfer, &challenge);
    buffer_clear(out);
    switch (challenge.scheme) {
    case CHALLENGE_NONE:
        break;
    case CHALLENGE_BEARER:
        return login_ask_service(&login, out, error);
    case CHALLENGE_BASIC:
        found = credentials_add_basic(upstream, repository, out, error);
        if (found > 0) {
            token_remember(upstream, repository, "basic", BASIC_SECONDS);
        }
        return found;
    }
    return 0;
}
