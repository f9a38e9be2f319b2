/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include "lib/base/json.h"

void handle_identify(struct exchange *exchange)
{
    const struct access_options *options = &exchange->caller.options->access;
    const struct issuer_options *server = access_find_realm(options);
    struct caller *caller = &exchange->caller;
    struct attempt attempt;

    caller->subject = subject_anonymous();
    if (!exchange->access) {
        return;
    }
    site_find(&exchange->site, exchange->request, options->public_url);
    exchange->site.realm = server ? server->realm : NULL;
    exchange->site.audience = server ? server->audience : NULL;
    attempt = site_attempt(&exchange->site, exchange->request);
    if (!caller->cannot_log_in &&
        access_identify(exchange->access, &attempt, &caller->subject, &exchange->refusal) == 0) {
        caller->has_shown = attempt_has_token(&attempt);
    }
    if (exchange->refusal.code == ERROR_TOO_MANY_REQUESTS) {
        exchange->source.report.retry_after = access_retry_after(exchange->access);
    }
}

void handle_add_refusal(struct exchange *exchange, const struct identity *identity,
                        enum permission permission)
{
    AUTO_BUFFER struct buffer rule = BUFFER_INIT;
    struct buffer *out = &exchange->details;
    struct decision decision;

    if (!permit_decide(&exchange->caller, identity, permission, &decision) || decision.is_granted ||
        out->length > 0) {
        return;
    }
    json_open_object(out, NULL);
    json_text(out, "repository", identity->name);
    json_text(out, "action", right_word(permission_right(permission)));
    if (exchange->caller.subject.kind != SUBJECT_ANONYMOUS) {
        decision_explain(&decision, permission_right(permission), &rule);
        json_text(out, "subject", exchange->caller.subject.name);
        json_text(out, "rule", rule.data);
    }
    json_close_object(out);
}

void handle_add_challenge(struct exchange *exchange)
{
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);
    bool names_repository = permission_names_repository(exchange->wanted);
    AUTO_BUFFER struct buffer scope = BUFFER_INIT;
    const char *error = NULL;

    if (names_repository) {
        const char *actions = exchange->wanted == PERMISSION_PULL     ? "pull"
                              : exchange->wanted == PERMISSION_DELETE ? "delete"
                                                                      : "pull,push";

        buffer_format(&scope, "repository:%s:%s", exchange->route.name, actions);
    } else if (exchange->wanted == PERMISSION_LIST) {
        buffer_add_text(&scope, "registry:catalog:*");
    }
    if (attempt_has_token(&attempt)) {
        error = exchange->refusal.code != ERROR_NONE ? "invalid_token" : "insufficient_scope";
    }
    site_challenge(&exchange->site, scope.length > 0 ? scope.data : NULL, error,
                   &exchange->response);
}

/* Whether it is of a repository for which one needs to have logged in. */
static bool permit_took_login(const struct caller *anybody, const struct permit *permit)
{
    struct permit ignored = PERMIT_INIT;
    struct error refusal;

    return permit_caller(permit) && permission_names_repository(permit_permission(permit)) &&
           registry_permit(anybody, permit_identity(permit), permit_permission(permit), &ignored,
                           &refusal) < 0;
}

bool handle_is_private(const struct exchange *exchange)
{
    const struct permit *permit = &exchange->permit;
    struct caller anybody;

    if (!exchange->access || !permit_caller(permit) ||
        exchange->caller.subject.kind == SUBJECT_ANONYMOUS) {
        return false;
    }
    anybody = exchange->caller;
    anybody.subject = subject_anonymous();
    /* What was found at the mirror's root is of another repository than was asked for. */
    return permit_permission(permit) == PERMISSION_LIST || permit_took_login(&anybody, permit) ||
           permit_took_login(&anybody, &exchange->source.permit);
}
