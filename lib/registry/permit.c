/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/permit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/http/network.h"
#include "lib/store/layout.h"

enum { TOKEN_LIMIT = 128 }; /* bytes */

/* In a time that says nothing about where they differ. */
static bool token_is_equal(const char *given, const struct buffer *token)
{
    size_t length = strlen(given);
    unsigned char difference = length != token->length;

    for (size_t i = 0; i < token->length; i++) {
        difference |= (unsigned char)(given[i < length ? i : length] ^ token->data[i]);
    }
    return difference == 0;
}

/* The store need not be open: the reason for that may be what is looked for. */
static int permit_token(const struct caller *caller, struct error *error)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    AUTO_BUFFER struct buffer token = BUFFER_INIT;
    struct error ignored;

    layout_absolute(caller->options->hosted.root, LAYOUT_SETUP_TOKEN, &path);
    if (!caller->token || file_read(AT_FDCWD, path.data, TOKEN_LIMIT, &token, &ignored) <= 0 ||
        token.length == 0 || !token_is_equal(caller->token, &token)) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
    }
    return 0;
}

/* An address that we do not know is in "*" alone: then the web server has judged. */
static int permit_metrics(const struct caller *caller, struct error *error)
{
    const struct metrics_options *metrics = &caller->options->metrics;

    for (size_t i = 0; metrics->enabled && i < metrics->access.count; i++) {
        if (network_has(metrics->access.names[i], caller->address ? caller->address : "")) {
            return 0;
        }
    }
    return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
}

enum right permission_right(enum permission permission)
{
    switch (permission) {
    case PERMISSION_NONE:
    case PERMISSION_LOGIN:
    case PERMISSION_TOKEN:
    case PERMISSION_METRICS:
    case PERMISSION_LIST:
    case PERMISSION_PULL:
        return RIGHT_PULL;
    case PERMISSION_RESUME:
    case PERMISSION_PUSH:
        return RIGHT_PUSH;
    case PERMISSION_DELETE:
        return RIGHT_DELETE;
    case PERMISSION_OVERWRITE:
        return RIGHT_OVERWRITE;
    }
    return RIGHT_PULL;
}

/* A question to the scopes of a caller. */
struct scope_question {
    const struct caller *caller;
    const struct identity *identity;
};

/* A scope has the name that the client uses, as the path has it: the mirror's root, too. */
static bool scope_is_about(void *context, const char *name)
{
    const struct scope_question *question = context;
    const struct proxy_options *proxy = &question->caller->options->proxy;
    struct naming naming = {.name = name, .prefix = question->caller->prefix};
    struct identity named;
    struct identity mirrored;
    struct error ignored;

    return identity_find(&named, proxy, &naming, &ignored) == 0 &&
           (strcmp(named.name, question->identity->name) == 0 ||
            (identity_mirror(&named, proxy, &mirrored, &ignored) > 0 &&
             strcmp(mirrored.name, question->identity->name) == 0));
}

bool permit_decide(const struct caller *caller, const struct identity *identity,
                   enum permission permission, struct decision *out)
{
    const struct access_options *access = &caller->options->access;

    if (access->mode == ACCESS_NONE || !identity || !permission_names_repository(permission)) {
        return false;
    }
    rules_judge(&access->rules, &caller->subject, identity->name, permission_right(permission),
                out);
    if (out->is_granted &&
        !subject_scopes_have(&caller->subject, permission_right(permission), scope_is_about,
                             &(struct scope_question){caller, identity})) {
        out->is_granted = false;
        out->reason = DECISION_NARROWED_SCOPES;
    }
    return true;
}

/* Whether a pattern that excludes may be about something below. It begins with '!'. */
static bool exclusion_is_about(const char *exclusion, const char *below)
{
    size_t plain = strcspn(exclusion + 1, "*{");
    size_t length = strlen(below);

    return exclusion[0] == '!' &&
           strncmp(exclusion + 1, below, plain < length ? plain : length) == 0;
}

static bool section_excludes(const struct rules_section *section, const char *below)
{
    const struct names *patterns = &section->repositories.names;

    for (size_t i = 0; i < patterns->count; i++) {
        if (exclusion_is_about(patterns->names[i], below)) {
            return true;
        }
    }
    return false;
}

bool permit_sees_all(const struct permit *permit, const char *below)
{
    /* Names that only patterns have which have all of this depth; the last one is deeper than
     * anybody writes a pattern for each depth. */
    static const char *const probes[] = {"0.0", "0.0/0.0", "0.0/0.0/0.0",
                                         "0.0/0.0/0.0/0.0/0.0/0.0/0.0/0.0/0.0/0.0/0.0/0.0"};
    const struct caller *caller = permit->granted_caller;

    if (!caller || *caller->prefix) {
        return false;
    }
    if (caller->options->access.mode == ACCESS_NONE) {
        return true;
    }
    for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++) {
        struct identity probe = {.is_proxied = false};
        struct decision decision = {.is_granted = false};
        int length = snprintf(probe.name, sizeof(probe.name), "%s%s", below, probes[i]);

        if (length >= (int)sizeof(probe.name) ||
            !permit_decide(caller, &probe, PERMISSION_PULL, &decision) || !decision.is_granted ||
            (decision.section && section_excludes(decision.section, below))) {
            return false;
        }
    }
    return caller->subject.narrowed_names[0] == '\0';
}

static bool caller_is_nobody(const struct caller *caller)
{
    return caller->subject.kind == SUBJECT_ANONYMOUS;
}

/* Whoever may log in is told to; somebody else would not help a known one. */
static enum error_code refusal_code(const struct caller *caller)
{
    return caller_is_nobody(caller) && !caller->cannot_log_in ? ERROR_UNAUTHORIZED : ERROR_DENIED;
}

/* "may not …" */
static const char *right_phrase(enum right right)
{
    switch (right) {
    case RIGHT_PULL:
        return "pull from";
    case RIGHT_PUSH:
        return "push to";
    case RIGHT_OVERWRITE:
        return "move a tag of";
    case RIGHT_DELETE:
        return "delete from";
    }
    return "";
}

static int permit_rules(const struct caller *caller, const struct identity *identity,
                        enum permission permission, struct error *error)
{
    AUTO_BUFFER struct buffer explanation = BUFFER_INIT;
    enum right right = permission_right(permission);
    struct decision decision;

    if (!permit_decide(caller, identity, permission, &decision) || decision.is_granted) {
        return 0;
    }
    if (caller_is_nobody(caller)) {
        return error_set(error, refusal_code(caller), "not everybody may %s %s%s",
                         right_phrase(right), identity->name,
                         caller->cannot_log_in ? ", and nobody can log in here" : ": log in first");
    }
    decision_explain(&decision, right, &explanation);
    /* Clients ask for a token that is for more when they are told so. */
    return error_set(error,
                     decision.reason == DECISION_NARROWED_SCOPES && !caller->cannot_log_in
                         ? ERROR_UNAUTHORIZED
                         : ERROR_DENIED,
                     "%s may not %s %s: %s", caller->subject.name, right_phrase(right),
                     identity->name, explanation.data);
}

static int permit_login(const struct caller *caller, struct error *error)
{
    bool may = caller->options->access.mode == ACCESS_NONE || caller->has_shown ||
               caller->cannot_log_in || !caller_is_nobody(caller);

    return may ? 0 : error_set(error, ERROR_UNAUTHORIZED, "log in first, or ask for a token");
}

static int permit_name(const struct caller *caller, const struct identity *identity,
                       enum permission permission, struct error *error)
{
    if (!identity_is_below(identity, caller->prefix)) {
        return error_set(error, ERROR_DENIED, "this is not served under this name");
    }
    return permit_rules(caller, identity, permission, error);
}

/* What the cache has of another registry may be dropped: it is asked for again. */
static int permit_change(const struct caller *caller, const struct identity *identity,
                         enum permission permission, struct error *error)
{
    if (permit_name(caller, identity, permission, error) < 0) {
        return -1;
    }
    if (caller->options->read_only) {
        return error_set(error, ERROR_READ_ONLY, "the registry is read-only at the moment");
    }
    if (identity->is_proxied && permission != PERMISSION_DELETE) {
        return error_set(error, ERROR_UNSUPPORTED,
                         "what belongs to another registry cannot be pushed here");
    }
    return 0;
}

static int permit_judge(const struct caller *caller, const struct identity *identity,
                        enum permission permission, struct error *error)
{
    if (permission_names_repository(permission) != (identity != NULL)) {
        return error_set(error, ERROR_INTERNAL, "a permission was asked for of nothing");
    }
    switch (permission) {
    case PERMISSION_NONE:
    case PERMISSION_LIST:
        return 0;
    case PERMISSION_LOGIN:
        return permit_login(caller, error);
    case PERMISSION_TOKEN:
        return permit_token(caller, error);
    case PERMISSION_METRICS:
        return permit_metrics(caller, error);
    case PERMISSION_PULL:
    case PERMISSION_RESUME:
        return permit_name(caller, identity, permission, error);
    case PERMISSION_PUSH:
    case PERMISSION_DELETE:
    case PERMISSION_OVERWRITE:
        return permit_change(caller, identity, permission, error);
    }
    return error_set(error, ERROR_INTERNAL, "there is no such permission");
}

int registry_permit(const struct caller *caller, const struct identity *identity,
                    enum permission permission, struct permit *out_permit, struct error *error)
{
    if (permit_judge(caller, identity, permission, error) < 0) {
        return -1;
    }
    *out_permit = (struct permit){.granted_permission = permission, .granted_caller = caller};
    if (identity) {
        out_permit->granted_identity = *identity;
    }
    return 0;
}

int permit_extend(const struct permit *permit, const struct identity *identity,
                  enum permission permission, struct permit *out_permit, struct error *error)
{
    if (!permit->granted_caller) {
        return error_set(error, ERROR_INTERNAL, "there is no permit to extend");
    }
    return registry_permit(permit->granted_caller, identity, permission, out_permit, error);
}

int permit_check(const struct permit *permit, enum permission permission, struct error *error)
{
    if (!permit->granted_caller || permit->granted_permission != permission) {
        return error_set(error, ERROR_INTERNAL, "this was not permitted");
    }
    return 0;
}

const struct identity *permit_identity(const struct permit *permit)
{
    return &permit->granted_identity;
}

enum permission permit_permission(const struct permit *permit)
{
    return permit->granted_permission;
}

const struct caller *permit_caller(const struct permit *permit)
{
    return permit->granted_caller;
}
