/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/access.h"

#include <stdlib.h>
#include <string.h>

#include "lib/access/failure.h"
#include "lib/access/issuer.h"
#include "lib/access/password.h"
#include "lib/access/remembered.h"
#include "lib/access/robot.h"
#include "lib/access/throttle.h"
#include "lib/access/token.h"
#include "lib/access/verified.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/http/authorization.h"
#include "lib/observe/count/count.h"

struct access {
    const struct access_options *options;
    struct password_file passwords;
    struct verified verified;
    struct remembered remembered;
    struct keys keys;
    struct throttle throttle; /* opened by the first log-in */
    unsigned retry_after;     /* seconds */
    bool may_wait;            /* for issuers */
};

struct access *access_open(const struct access_options *options)
{
    struct access *access = memory_allocate(1, sizeof(*access));

    access->options = options;
    access->passwords = (struct password_file)PASSWORD_FILE_INIT(options->htpasswd);
    access->keys = (struct keys)KEYS_INIT(options->directory);
    access->throttle = (struct throttle)THROTTLE_INIT(options->runtime_directory);
    return access;
}

void access_close(struct access *access)
{
    if (access) {
        password_file_release(&access->passwords);
        verified_wipe(&access->verified);
        remembered_wipe(&access->remembered);
        keys_wipe(&access->keys);
        throttle_close(&access->throttle);
        free(access);
    }
}

void access_let_wait(struct access *access)
{
    access->may_wait = true;
}

int access_take_place(const struct access *access, struct lock *out, struct error *error)
{
    return issuer_keys_take_place(access->options, out, error);
}

/* One answer for whatever was wrong: a stranger learns no names. */
static int access_refuse_silently(struct error *error)
{
    return error_set(error, ERROR_UNAUTHORIZED, "wrong user name or password");
}

static int access_refuse(const struct attempt *attempt, const char *user, const char *reason,
                         struct error *error)
{
    failure_log(user, attempt->address, reason);
    return access_refuse_silently(error);
}

/* 0 if the claim is to be looked at, else -1: too many were wrong, or this one was just now. */
static int access_admit(struct access *access, const struct attempt *attempt,
                        const struct claim *claim, struct throttle_case *out, struct error *error)
{
    int64_t wait = 0;

    throttle_open(&access->throttle);
    *out = (struct throttle_case){
        .address = attempt->address, .user = claim->user, .now = clock_milliseconds()};
    if (throttle_mark(&access->keys, claim, out, error) < 0) {
        return -1;
    }
    switch (throttle_judge(&access->throttle, out, &wait)) {
    case THROTTLE_VERIFY:
        return 0;
    case THROTTLE_WRONG:
        return access_refuse_silently(error);
    case THROTTLE_WAIT:
        break;
    }
    access->retry_after = (unsigned)((wait + 999) / 1000);
    return error_set(error, ERROR_TOO_MANY_REQUESTS,
                     "too many failed log-ins: try again in %u seconds", access->retry_after);
}

static int access_read_passwords(struct access *access, struct error *error)
{
    int read = password_file_refresh(&access->passwords, error);

    if (read > 0) {
        failure_log_useless_lines(&access->passwords);
    }
    return read < 0 ? -1 : 0;
}

/* 1, 0, -1. A password that was right some minutes ago costs no hash. */
static int access_verify(struct access *access, const struct attempt *attempt,
                         const struct login *login, struct error *error)
{
    const char *crypted = password_find(&access->passwords, login->user);
    struct claim claim = {login->user, crypted ? crypted : "", login->password};
    int right = crypted ? verified_knows(&access->verified, &claim, error) : 0;
    struct throttle_case trial;

    if (right != 0) {
        return right;
    }
    if (access_admit(access, attempt, &claim, &trial, error) < 0) {
        return -1;
    }
    right = password_verify(&access->passwords, login->user, login->password, error);
    if (right > 0 && verified_add(&access->verified, &claim, error) < 0) {
        return -1;
    }
    if (right > 0) {
        throttle_was_right(&access->throttle, &trial);
    } else if (right == 0) {
        throttle_was_wrong(&access->throttle, &trial);
    }
    return right;
}

static int access_log_in_user(struct access *access, const struct attempt *attempt,
                              const struct login *login, struct subject *out, struct error *error)
{
    int right;

    if (access->options->mode != ACCESS_HTPASSWD) {
        return access_refuse(attempt, login->user, "users log in at the web server", error);
    }
    if (access_read_passwords(access, error) < 0) {
        return -1;
    }
    right = access_verify(access, attempt, login, error);
    if (right < 0) {
        return -1;
    }
    if (right == 0 || !subject_make(SUBJECT_USER, login->user, out)) {
        return access_refuse(attempt, login->user,
                             password_find(&access->passwords, login->user) ? "wrong password"
                                                                            : "unknown user",
                             error);
    }
    return 0;
}

/* A secret of so many bits cannot be guessed: a right one is never told to wait. */
static int access_refuse_robot(struct access *access, const struct attempt *attempt,
                               const struct login *login, const char *reason, struct error *error)
{
    struct claim claim = {login->user, "", login->password};
    struct throttle_case trial;

    if (access_admit(access, attempt, &claim, &trial, error) < 0) {
        return -1;
    }
    throttle_was_wrong(&access->throttle, &trial);
    return access_refuse(attempt, login->user, reason, error);
}

static int access_log_in_robot(struct access *access, const struct attempt *attempt,
                               const struct login *login, struct subject *out, struct error *error)
{
    const char *name = login->user + strlen(SUBJECT_ROBOT_PREFIX);
    const char *directory = access->options->directory;
    const char *reason = "unknown robot";
    struct robot robot;
    int found = robot_read(directory, name, &robot, error);

    if (found < 0) {
        return -1;
    }
    if (found > 0) {
        reason = !robot_has_secret(&robot, login->password)  ? "wrong secret"
                 : robot_has_expired(&robot, attempt->began) ? "the robot has expired"
                                                             : NULL;
    }
    if (reason) {
        return access_refuse_robot(access, attempt, login, reason, error);
    }
    robot_used(directory, &robot);
    robot_subject(&robot, out);
    return 0;
}

/*
 * A token cannot be guessed either, and whoever has one is told what is wrong with it: there is
 * nothing of ours in it that he does not know.
 */
static int access_log_in_issuer(struct access *access, const struct attempt *attempt,
                                const struct login *login, struct subject *out, struct error *error)
{
    struct claim claim = {login->user, "", login->password};
    struct issuer_trust trust = {.options = access->options,
                                 .issuer = access_find_issuer(access->options, login->user),
                                 .may_wait = access->may_wait,
                                 .now = attempt->began};
    struct throttle_case trial;
    struct error refusal;

    if (trust.issuer->kind != ISSUER_OIDC) {
        return access_refuse(attempt, login->user, "its tokens are no passwords", error);
    }
    if (issuer_identify(&trust, login->password, out, error) == 0) {
        return 0;
    }
    if (error->code != ERROR_UNAUTHORIZED) {
        return -1;
    }
    refusal = *error;
    if (access_admit(access, attempt, &claim, &trial, error) < 0) {
        *error = error->code == ERROR_UNAUTHORIZED ? refusal : *error;
        return -1;
    }
    throttle_was_wrong(&access->throttle, &trial);
    failure_log(login->user, attempt->address, refusal.message);
    *error = refusal;
    return -1;
}

static int access_log_in_somebody(struct access *access, const struct attempt *attempt,
                                  const struct login *login, struct subject *out,
                                  struct error *error)
{
    if (text_begins(login->user, SUBJECT_ROBOT_PREFIX)) {
        return access_log_in_robot(access, attempt, login, out, error);
    }
    return access_find_issuer(access->options, login->user)
               ? access_log_in_issuer(access, attempt, login, out, error)
               : access_log_in_user(access, attempt, login, out, error);
}

static void access_count(int result, const struct error *error)
{
    if (result == 0) {
        count_login(COUNTED_LOGIN_OK);
    } else if (error->code == ERROR_UNAUTHORIZED) {
        count_login(COUNTED_LOGIN_REFUSED);
    } else if (error->code == ERROR_TOO_MANY_REQUESTS) {
        count_login(COUNTED_LOGIN_THROTTLED);
    }
}

int access_log_in(struct access *access, const struct attempt *attempt, const struct login *login,
                  struct subject *out, struct error *error)
{
    struct subject subject = subject_anonymous();

    if (access->options->mode != ACCESS_NONE && (*login->user || *login->password)) {
        int result = access_log_in_somebody(access, attempt, login, &subject, error);

        access_count(result, error);
        if (result < 0) {
            return -1;
        }
        subject.proof = PROOF_SECRET;
    }
    *out = subject;
    return 0;
}

/* Whether his issuer is still one that is trusted. */
static bool access_has_issuer(const struct access *access, const struct subject *subject)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    buffer_add(&name, subject->name, strcspn(subject->name, "/"));
    return access_find_issuer(access->options, name.data) != NULL;
}

/* What a subject's tokens rest on at the moment: adds it. 1; 0 if the subject is no more; -1. */
static int access_find_secret(struct access *access, struct subject *subject, int64_t began,
                              struct buffer *out, struct error *error)
{
    char hex[2 * SECRET_SIZE + 1];
    const char *crypted;
    struct robot robot;
    int found;

    if (subject->kind == SUBJECT_USER && access->options->mode == ACCESS_HTPASSWD) {
        if (access_read_passwords(access, error) < 0) {
            return -1;
        }
        crypted = password_find(&access->passwords, subject->name);
        buffer_add_text(out, crypted ? crypted : "");
        return crypted != NULL;
    }
    if (subject->kind == SUBJECT_ROBOT) {
        found = robot_read(access->options->directory, subject->name + strlen(SUBJECT_ROBOT_PREFIX),
                           &robot, error);
        if (found <= 0 || robot_has_expired(&robot, began)) {
            return found < 0 ? -1 : 0;
        }
        text_hex(robot.hash.bytes, SECRET_SIZE, hex);
        buffer_add_text(out, hex);
        robot_subject(&robot, subject);
    }
    return subject->kind != SUBJECT_ISSUER || access_has_issuer(access, subject);
}

static enum subject_proof access_proof(const struct token *token)
{
    switch (token->kind) {
    case TOKEN_ACCESS:
        return PROOF_TOKEN;
    case TOKEN_REFRESH:
        return PROOF_REFRESH;
    case TOKEN_SESSION:
        break;
    }
    return PROOF_SESSION;
}

/*
 * A token says who somebody was. Whoever is no more has no use of it; a robot that was made anew is
 * another one. A user may change his password while his access token lives, but no log-in outlives
 * that.
 */
static int access_confirm(struct access *access, const struct token *token, int64_t began,
                          struct subject *out, struct error *error)
{
    AUTO_BUFFER struct buffer secret = BUFFER_INIT;
    struct subject subject = token->subject;
    int found = access_find_secret(access, &subject, began, &secret, error);
    int same;

    if (found <= 0) {
        return found < 0 ? -1
                         : error_set(error, ERROR_UNAUTHORIZED,
                                     "the token is of somebody who is no longer there");
    }
    same = token->kind != TOKEN_ACCESS || subject.kind == SUBJECT_ROBOT
               ? token_rests_on(&access->keys, token, secret.data, error)
               : 1;
    if (same <= 0) {
        return same < 0 ? -1
                        : error_set(error, ERROR_UNAUTHORIZED,
                                    "the password has changed since the token was made");
    }
    subject.proof = access_proof(token);
    *out = subject;
    return 0;
}

static int access_read_token(struct access *access, const struct token_use *use, const char *text,
                             struct subject *out, struct error *error)
{
    struct token token;

    return token_read(&access->keys, text, use, &token, error) < 0
               ? -1
               : access_confirm(access, &token, use->began, out, error);
}

/* Of a token server: once a minute in each process it is verified. */
static int access_take_servers_token(struct access *access, const struct attempt *attempt,
                                     const struct login *login, struct subject *out,
                                     struct error *error)
{
    struct issuer_trust trust = {.options = access->options,
                                 .issuer = access_find_issuer(access->options, login->user),
                                 .may_wait = access->may_wait,
                                 .now = attempt->began};

    if (issuer_identify(&trust, login->password, out, error) < 0) {
        if (error->code == ERROR_UNAUTHORIZED) {
            failure_log_token(login->user, attempt->address, error->message);
        }
        return -1;
    }
    out->proof = PROOF_TOKEN;
    return remembered_add(&access->remembered, login->password, out, error);
}

/* A token of ours, or of a token server that is believed. */
static int access_take_token(struct access *access, const struct attempt *attempt, const char *text,
                             struct subject *out, struct error *error)
{
    struct token_use use = {TOKEN_ACCESS, attempt->service, attempt->began};
    const struct issuer_options *server = NULL;
    int known = 0;

    if (access->options->issuer_count > 0 && !token_is_ours(text)) {
        known = remembered_find(&access->remembered, text, attempt->began, out, error);
        server = known == 0 ? issuer_find_server(access->options, text) : NULL;
    }
    if (known != 0) {
        return known < 0 ? -1 : 0;
    }
    return server ? access_take_servers_token(access, attempt, &(struct login){server->name, text},
                                              out, error)
                  : access_read_token(access, &use, text, out, error);
}

static int access_take_servers_word(const struct attempt *attempt, struct subject *out,
                                    struct error *error)
{
    if (!subject_make(SUBJECT_USER, attempt->remote_user, out)) {
        return error_set(error, ERROR_UNAUTHORIZED,
                         "the web server's user name is none that this registry takes");
    }
    out->proof = PROOF_SERVER;
    return 0;
}

int access_identify(struct access *access, const struct attempt *attempt, struct subject *out,
                    struct error *error)
{
    AUTO_AUTHORIZATION struct authorization said = AUTHORIZATION_INIT;

    if (access->options->mode == ACCESS_NONE) {
        *out = subject_anonymous();
        return 0;
    }
    if (access->options->mode == ACCESS_WEB_SERVER && attempt->remote_user &&
        *attempt->remote_user) {
        return access_take_servers_word(attempt, out, error);
    }
    if (!authorization_parse(&said, attempt->authorization)) {
        return error_set(error, ERROR_UNAUTHORIZED,
                         "the header Authorization is neither Basic nor Bearer");
    }
    switch (said.scheme) {
    case AUTHORIZATION_BASIC:
        return access_log_in(access, attempt, &(struct login){said.user, said.password}, out,
                             error);
    case AUTHORIZATION_BEARER:
        return access_take_token(access, attempt, said.token, out, error);
    case AUTHORIZATION_NONE:
        break;
    }
    *out = subject_anonymous();
    return 0;
}

int access_exchange(struct access *access, const struct attempt *attempt, const char *refresh_token,
                    struct subject *out, struct error *error)
{
    struct token_use use = {TOKEN_REFRESH, attempt->service, attempt->began};

    if (access->options->mode == ACCESS_NONE) {
        *out = subject_anonymous();
        return 0;
    }
    return access_read_token(access, &use, refresh_token, out, error);
}

static int access_write_token(struct access *access, const struct attempt *attempt,
                              struct token *token, struct buffer *out_token, struct error *error)
{
    AUTO_BUFFER struct buffer secret = BUFFER_INIT;
    struct subject subject = token->subject;
    int found = access_find_secret(access, &subject, attempt->began, &secret, error);

    if (found < 0) {
        return -1;
    }
    token->made = attempt->began;
    if (!text_copy(token->service, sizeof(token->service), attempt->service,
                   strlen(attempt->service))) {
        return error_set(error, ERROR_REQUEST_INVALID, "the name of the service is too long");
    }
    return token_write(&access->keys, token, secret.data, out_token, error);
}

int access_token(struct access *access, const struct attempt *attempt,
                 const struct subject *subject, struct buffer *out_token, struct error *error)
{
    struct token token = {.kind = TOKEN_ACCESS, .subject = *subject};

    if (subject->proof == PROOF_TOKEN || subject->proof == PROOF_SESSION) {
        return error_set(error, ERROR_UNAUTHORIZED, "%s is good for no other token",
                         subject->proof == PROOF_TOKEN ? "an access token" : "a session");
    }
    token.end = attempt->began + (int64_t)access->options->token_lifetime;
    return access_write_token(access, attempt, &token, out_token, error);
}

uint64_t access_token_lifetime(const struct access *access)
{
    return access->options->token_lifetime;
}

int access_refresh_token(struct access *access, const struct attempt *attempt,
                         const struct subject *subject, struct buffer *out_token,
                         struct error *error)
{
    struct token token = {.kind = TOKEN_REFRESH, .subject = *subject};

    if (subject->proof != PROOF_SECRET || subject->kind == SUBJECT_ANONYMOUS ||
        subject->kind == SUBJECT_ISSUER) {
        return 0;
    }
    return access_write_token(access, attempt, &token, out_token, error) < 0 ? -1 : 1;
}

int access_begin_session(struct access *access, const struct attempt *attempt,
                         const struct login *login, struct buffer *out_session, struct error *error)
{
    struct token token = {.kind = TOKEN_SESSION, .end = attempt->began + ACCESS_SESSION_SECONDS};

    return access_log_in_user(access, attempt, login, &token.subject, error) < 0
               ? -1
               : access_write_token(access, attempt, &token, out_session, error);
}

int access_resume_session(struct access *access, const struct attempt *attempt, const char *session,
                          struct subject *out, struct error *error)
{
    struct token_use use = {TOKEN_SESSION, attempt->service, attempt->began};

    if (access->options->mode != ACCESS_HTPASSWD) {
        return error_set(error, ERROR_UNAUTHORIZED, "users do not log in here");
    }
    return access_read_token(access, &use, session, out, error);
}

int access_sign_form(struct access *access, const struct attempt *attempt, const struct form *form,
                     struct buffer *out_token, struct error *error)
{
    struct form_use use = {form, attempt->service, attempt->began};

    return form_token_write(&access->keys, &use, out_token, error);
}

int access_check_form(struct access *access, const struct attempt *attempt, const struct form *form,
                      const char *token, struct error *error)
{
    struct form_use use = {form, attempt->service, attempt->began};

    return form_token_check(&access->keys, &use, token, error);
}

int access_check(struct access *access, struct error *error)
{
    const struct key *key;

    if (access->options->mode == ACCESS_HTPASSWD && access_read_passwords(access, error) < 0) {
        return -1;
    }
    return keys_newest(&access->keys, &key, error);
}

unsigned access_retry_after(const struct access *access)
{
    return access->retry_after;
}
