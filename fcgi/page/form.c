/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/form.h"

#include <string.h>

#include "lib/base/text.h"

struct target form_target(const struct view *view, const char *key)
{
    const struct place *place = &view->place;

    return (struct target){.kind = place->kind,
                           .key = key,
                           .name = place->kind == PLACE_OWN ? NULL : place->name,
                           .reference = place->kind == PLACE_IMAGE ? place->reference : NULL};
}

/* What its token is bound to. A virtual host's names are not those of another one. */
static void form_add_aim(const struct view *view, const struct target *target, struct buffer *out)
{
    buffer_format(out, "%s %s %s %s", target->key, view->exchange->caller.prefix,
                  target->name ? target->name : "", target->reference ? target->reference : "");
}

int form_begin(struct view *view, const struct target *target, struct error *error)
{
    struct exchange *exchange = view->exchange;
    AUTO_BUFFER struct buffer aim = BUFFER_INIT;
    AUTO_BUFFER struct buffer token = BUFFER_INIT;
    struct form form = {&exchange->caller.subject, exchange->session.data, NULL};
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);

    form_add_aim(view, target, &aim);
    form.aim = aim.data;
    if (access_sign_form(exchange->signer, &attempt, &form, &token, error) < 0) {
        return -1;
    }
    HTML(&view->body, "<form method=\"post\" action=\"");
    if (target->kind == PLACE_OWN) {
        view_link_own(view, target->key);
    } else {
        if (target->reference) {
            view_link_image(view, target->name, target->reference);
        } else {
            view_link_repository(view, target->name);
        }
        HTML(&view->body, "?show=");
        html_argument(&view->body, target->key);
    }
    HTML(&view->body, "\">");
    form_hidden(view, "token", token.data);
    return 0;
}

void form_hidden(struct view *view, const char *name, const char *value)
{
    HTML(&view->body, "<input type=\"hidden\" name=\"");
    html_attribute(&view->body, name);
    HTML(&view->body, "\" value=\"");
    html_attribute(&view->body, value);
    HTML(&view->body, "\">");
}

void form_end(struct view *view)
{
    HTML(&view->body, "</form>");
}

int form_button(struct view *view, const struct target *target, const char *words,
                struct error *error)
{
    if (form_begin(view, target, error) < 0) {
        return -1;
    }
    HTML(&view->body, "<button>");
    html_text(&view->body, words);
    HTML(&view->body, "</button>");
    form_end(view);
    return 0;
}

/* Scripts cannot set either of the two, and every browser sends one of them. */
static int form_check_sender(const struct exchange *exchange, struct error *error)
{
    const char *sender = request_parameter(exchange->request, "HTTP_SEC_FETCH_SITE");
    const char *origin = request_parameter(exchange->request, "HTTP_ORIGIN");

    if (sender ? strcmp(sender, "same-origin") == 0
               : origin && site_is_origin(&exchange->site, exchange->request, origin)) {
        return 0;
    }
    return error_set(error, ERROR_DENIED, "this form was sent from another site");
}

static int form_check_token(const struct view *view, const struct target *target,
                            const struct query *fields, struct error *error)
{
    struct exchange *exchange = view->exchange;
    AUTO_BUFFER struct buffer aim = BUFFER_INIT;
    struct form form = {&exchange->caller.subject, exchange->session.data, NULL};
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);

    form_add_aim(view, target, &aim);
    form.aim = aim.data;
    return access_check_form(exchange->signer, &attempt, &form, query_value(fields, "token", 0),
                             error);
}

int form_read(struct view *view, const struct target *target, struct query *out,
              struct error *error)
{
    struct exchange *exchange = view->exchange;

    /* What receivers of events are told of it has a URL of the registry's. */
    (void)text_copy(exchange->route.name, sizeof(exchange->route.name), view->place.name,
                    strlen(view->place.name));
    return form_check_sender(exchange, error) < 0 || handle_read_form(exchange, out, error) < 0 ||
                   form_check_token(view, target, out, error) < 0
               ? -1
               : 0;
}

const char *form_value(const struct query *form, const char *name)
{
    const char *value = query_value(form, name, 0);

    return value ? value : "";
}

void form_note(struct view *view, enum deed_kind kind, const struct digest *digest)
{
    struct deed *deed = &view->exchange->deed;

    deed->kind = kind;
    if (digest) {
        deed->digest = *digest;
    }
}

void form_done(struct view *view, const char *what, const char *name, const char *reference)
{
    struct response *response = &view->exchange->response;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    if (name) {
        view_add_path(view, name, reference, &path);
    } else {
        text_percent_encode(view->exchange->page_prefix, &path);
    }
    response->status = 303;
    response_header(response, "Location", "%s?done=%s", path.data, what);
}

bool form_may(const struct view *view, const char *name, enum permission permission)
{
    const struct exchange *exchange = view->exchange;
    struct naming naming = {.name = name, .prefix = exchange->caller.prefix};
    struct permit permit = PERMIT_INIT;
    struct identity identity;
    struct error ignored;

    return identity_find(&identity, &exchange->caller.options->proxy, &naming, &ignored) == 0 &&
           registry_permit(&exchange->caller, &identity, permission, &permit, &ignored) == 0;
}
