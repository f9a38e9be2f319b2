/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/http/form.h"

/*
 * The token service, as the clients of Docker's registry know it: GET with Basic or nothing, POST
 * with a form. A token says who somebody is, and rules are judged when it is used: what is asked
 * for in `scope` only decides what the answer says would be granted.
 */

enum { SCOPE_LIMIT = 200 };

/* What is asked for besides: the fields of a query or of a form. */
struct wishes {
    const struct query *fields;
    bool wants_refresh_token;
};

static bool scope_may(const struct exchange *exchange, const struct identity *identity,
                      enum permission permission)
{
    struct permit permit = PERMIT_INIT;
    struct error ignored;

    return registry_permit(&exchange->caller, identity, permission, &permit, &ignored) == 0;
}

static bool actions_have(const char *actions, const char *action)
{
    const char *item;
    size_t length;

    while (text_next_item(&actions, ',', &item, &length)) {
        if ((length == 1 && *item == '*') ||
            (length == strlen(action) && strncmp(item, action, length) == 0)) {
            return true;
        }
    }
    return false;
}

/* "repository:NAME:ACTIONS"; the name may have a ':' itself. */
static void scope_add_repository(const struct exchange *exchange, const char *scope,
                                 struct buffer *out)
{
    static const struct {
        const char *action;
        enum permission permission;
    } rows[] = {
        {"pull", PERMISSION_PULL}, {"push", PERMISSION_PUSH}, {"delete", PERMISSION_DELETE}};
    const char *name = strchr(scope, ':');
    const char *actions = strrchr(scope, ':');
    AUTO_BUFFER struct buffer granted = BUFFER_INIT;
    AUTO_BUFFER struct buffer repository = BUFFER_INIT;
    struct naming naming = {.prefix = exchange->caller.prefix};
    struct identity identity;
    struct error ignored;

    if (!name || actions == name) {
        return;
    }
    name++;
    buffer_add(&repository, name, (size_t)(actions - name));
    actions++;
    naming.name = repository.data;
    if (identity_find(&identity, &exchange->caller.options->proxy, &naming, &ignored) < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (actions_have(actions, rows[i].action) &&
            scope_may(exchange, &identity, rows[i].permission)) {
            buffer_format(&granted, "%s%s", granted.length > 0 ? "," : "", rows[i].action);
        }
    }
    if (granted.length > 0) {
        buffer_format(out, "%srepository:%s:%s", out->length > 0 ? " " : "", repository.data,
                      granted.data);
    }
}

/* What would be granted of all that is asked for, in fields of their own or with spaces between. */
static void scopes_add(const struct exchange *exchange, const struct query *fields,
                       struct buffer *out)
{
    const char *field;
    unsigned count = 0;

    for (unsigned i = 0; count < SCOPE_LIMIT && (field = query_value(fields, "scope", i)); i++) {
        const char *item;
        size_t length;

        while (count++ < SCOPE_LIMIT && text_next_item(&field, ' ', &item, &length)) {
            AUTO_BUFFER struct buffer scope = BUFFER_INIT;

            buffer_add(&scope, item, length);
            if (text_begins(scope.data, "repository:") || text_begins(scope.data, "repository(")) {
                scope_add_repository(exchange, scope.data, out);
            } else if (strcmp(scope.data, "registry:catalog:*") == 0) {
                buffer_format(out, "%s%s", out->length > 0 ? " " : "", scope.data);
            }
        }
    }
}

static int token_answer(struct exchange *exchange, const struct wishes *wishes, struct error *error)
{
    AUTO_BUFFER struct buffer token = BUFFER_INIT;
    AUTO_BUFFER struct buffer refresh = BUFFER_INIT;
    AUTO_BUFFER struct buffer scope = BUFFER_INIT;
    const struct subject *subject = &exchange->caller.subject;
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);
    struct buffer *out = &exchange->response.bytes;

    if (access_token(exchange->access, &attempt, subject, &token, error) < 0 ||
        (wishes->wants_refresh_token &&
         access_refresh_token(exchange->access, &attempt, subject, &refresh, error) < 0)) {
        return -1;
    }
    if (subject->kind != SUBJECT_ANONYMOUS) {
        exchange->deed.kind = DEED_LOG_IN;
    }
    scopes_add(exchange, wishes->fields, &scope);
    exchange->response.body = BODY_BYTES;
    response_content_header(&exchange->response, "Content-Type", "application/json");
    /* Both names, since each client reads another one; and never issued_at, which some take for the
     * beginning of a life that has ended. */
    json_open_object(out, NULL);
    json_text(out, "token", token.data);
    json_text(out, "access_token", token.data);
    json_number(out, "expires_in", access_token_lifetime(exchange->access));
    json_text(out, "scope", scope.data);
    if (refresh.length > 0) {
        json_text(out, "refresh_token", refresh.data);
    }
    json_close_object(out);
    return 0;
}

/* ERROR_NOT_FOUND where nobody logs in. */
static int token_begin(struct exchange *exchange, struct error *error)
{
    if (!exchange->access) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
    }
    response_header(&exchange->response, "Cache-Control", "no-store");
    return 0;
}

int handle_token_get(struct exchange *exchange, struct error *error)
{
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);
    const char *offline = request_query(exchange->request, "offline_token");
    struct wishes wishes = {.fields = &exchange->request->query,
                            .wants_refresh_token = offline && strcmp(offline, "true") == 0};

    if (token_begin(exchange, error) < 0) {
        return -1;
    }
    if (exchange->refusal.code != ERROR_NONE) {
        *error = exchange->refusal;
        return -1;
    }
    if (attempt_has_token(&attempt)) {
        return error_set(error, ERROR_UNAUTHORIZED, "a token is given for a password");
    }
    return token_answer(exchange, &wishes, error);
}

/* Whom the form is about. */
static int token_grant(struct exchange *exchange, const struct query *form, struct error *error)
{
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);
    const char *grant = query_value(form, "grant_type", 0);
    const char *user = query_value(form, "username", 0);
    const char *password = query_value(form, "password", 0);
    const char *refresh = query_value(form, "refresh_token", 0);
    struct subject *subject = &exchange->caller.subject;

    if (exchange->caller.cannot_log_in) {
        return 0;
    }
    if (grant && strcmp(grant, "password") == 0) {
        struct login login = {user ? user : "", password ? password : ""};

        (void)snprintf(exchange->deed.user, sizeof(exchange->deed.user), "%s", login.user);
        return access_log_in(exchange->access, &attempt, &login, subject, error);
    }
    if (grant && strcmp(grant, "refresh_token") == 0 && refresh) {
        return access_exchange(exchange->access, &attempt, refresh, subject, error);
    }
    return error_set(error, ERROR_REQUEST_INVALID,
                     "grant_type is to be password, or refresh_token with one");
}

int handle_token_post(struct exchange *exchange, struct error *error)
{
    AUTO_FORM struct query form = QUERY_INIT;
    struct wishes wishes = {.fields = &form};
    const char *type;

    if (token_begin(exchange, error) < 0 || handle_read_form(exchange, &form, error) < 0) {
        return -1;
    }
    exchange->caller.subject = subject_anonymous();
    if (token_grant(exchange, &form, error) < 0) {
        if (error->code == ERROR_TOO_MANY_REQUESTS) {
            exchange->source.report.retry_after = access_retry_after(exchange->access);
        }
        return -1;
    }
    type = query_value(&form, "access_type", 0);
    wishes.wants_refresh_token = type && strcmp(type, "offline") == 0;
    return token_answer(exchange, &wishes, error);
}
