/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/witness.h"

#include <string.h>

#include "lib/base/json.h"
#include "lib/configuration/configuration.h"
#include "lib/http/authorization.h"

enum { CHANGE_LIMIT = 16 }; /* tags that a line lists */

static const char *const witness_deeds[] = {
    [DEED_NONE] = NULL,
    [DEED_PUSH] = "push",
    [DEED_PULL] = NULL,
    [DEED_DELETE] = "delete",
    [DEED_PUSH_BLOB] = "push blob",
    [DEED_DELETE_BLOB] = "delete blob",
    [DEED_DELETE_ALL] = "delete repository",
    [DEED_RESTORE] = "restore",
    [DEED_LOG_IN] = "log-in",
    [DEED_REFUSE] = "refused",
};

static bool witness_reads(const struct exchange *exchange)
{
    const char *method = exchange->request->method;

    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static bool witness_is_refusal(const struct exchange *exchange, const struct error *error)
{
    switch (error->code) {
    case ERROR_DENIED:
    case ERROR_READ_ONLY:
    case ERROR_TAG_IMMUTABLE:
        return true;
    case ERROR_UNAUTHORIZED:
        return exchange->caller.has_shown || exchange->refusal.code != ERROR_NONE ||
               exchange->caller.subject.kind != SUBJECT_ANONYMOUS ||
               request_parameter(exchange->request, "HTTP_AUTHORIZATION") ||
               !witness_reads(exchange);
    case ERROR_TOO_MANY_REQUESTS:
        return exchange->refusal.code == ERROR_TOO_MANY_REQUESTS ||
               exchange->route.kind == ROUTE_TOKEN;
    default:
        return false;
    }
}

/* Whom somebody says that he is, whose credentials are no good. */
static void witness_add_claim(const struct exchange *exchange, struct buffer *line)
{
    AUTO_AUTHORIZATION struct authorization shown = AUTHORIZATION_INIT;

    if (*exchange->deed.user) {
        audit_text(line, "claimed", exchange->deed.user);
    } else if (exchange->caller.subject.kind == SUBJECT_ANONYMOUS &&
               authorization_parse(&shown,
                                   request_parameter(exchange->request, "HTTP_AUTHORIZATION")) &&
               shown.scheme == AUTHORIZATION_BASIC) {
        audit_text(line, "claimed", shown.user);
    }
}

static void witness_add_caller(const struct exchange *exchange, struct buffer *line)
{
    const struct request *request = exchange->request;
    const struct subject *subject = &exchange->caller.subject;

    audit_text(line, "subject", subject->name);
    audit_text(line, "kind", subject_kind_word(subject->kind));
    audit_text(line, "credential", subject_proof_word(subject->proof));
    audit_text(line, "address", request_parameter(request, "REMOTE_ADDR"));
    audit_text(line, "host", request_parameter(request, "HTTP_HOST"));
    audit_text(line, "agent", request_parameter(request, "HTTP_USER_AGENT"));
    audit_text(line, "method", request->method);
    audit_text(line, "path", request->path.data);
    audit_number(line, "status", (uint64_t)exchange->response.status);
}

/* Which tags were what before: TAG DIGEST each. */
static void witness_add_changes(const struct names *changes, struct buffer *line)
{
    if (changes->count == 0) {
        return;
    }
    json_open_array(line, "tags");
    for (size_t i = 0; i < changes->count && i < CHANGE_LIMIT; i++) {
        const char *space = strchr(changes->names[i], ' ');
        AUTO_BUFFER struct buffer tag = BUFFER_INIT;

        buffer_add(&tag, changes->names[i], space ? (size_t)(space - changes->names[i]) : 0);
        json_open_object(line, NULL);
        audit_text(line, "tag", tag.data);
        audit_text(line, "before", space ? space + 1 : NULL);
        json_close_object(line);
    }
    json_close_array(line);
    if (changes->count > CHANGE_LIMIT) {
        audit_number(line, "tag_count", changes->count);
    }
}

/* What has allowed it: "[access team] push = @ci". */
static void witness_add_rule(const struct exchange *exchange, struct buffer *line)
{
    const struct permit *permit = &exchange->permit;
    AUTO_BUFFER struct buffer rule = BUFFER_INIT;
    struct decision decision;

    if (!permit_caller(permit) ||
        !permit_decide(&exchange->caller, permit_identity(permit), permit_permission(permit),
                       &decision) ||
        !decision.is_granted) {
        return;
    }
    if (decision.section) {
        buffer_format(&rule, "[access %s] %s = %s", decision.section->name,
                      decision.key ? decision.key : "", decision.whom ? decision.whom : "");
    } else {
        buffer_add_text(&rule, "whoever has logged in, since there are no rules");
    }
    audit_text(line, "rule", rule.data);
    if (decision.line > 0) {
        audit_number(line, "line", decision.line);
    }
}

static void witness_add_deed(const struct exchange *exchange, struct buffer *line)
{
    const struct deed *deed = &exchange->deed;
    const struct permit *permit = &exchange->permit;

    if (permit_caller(permit) && permission_names_repository(permit_permission(permit))) {
        audit_text(line, "repository", permit_identity(permit)->name);
    } else {
        audit_text(line, "repository", exchange->route.name);
    }
    audit_text(line, "reference", exchange->route.reference);
    audit_text(line, "digest", deed->digest.text);
    witness_add_changes(&deed->changes, line);
    witness_add_rule(exchange, line);
}

void witness_exchange(const struct exchange *exchange, const struct error *error)
{
    const char *deed = witness_deeds[exchange->deed.kind];
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    if (error ? !witness_is_refusal(exchange, error) : !deed) {
        return;
    }
    audit_begin(&line, error ? "refused" : deed);
    witness_add_caller(exchange, &line);
    witness_add_claim(exchange, &line);
    if (error) {
        audit_text(&line, "repository", exchange->route.name);
        audit_text(&line, "reference", exchange->route.reference);
        audit_text(&line, "reason", error->message);
    } else {
        witness_add_deed(exchange, &line);
    }
    audit_text(&line, "request", exchange->request->id);
    audit_end(&line, &exchange->configuration->audit);
}
