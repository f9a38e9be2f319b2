/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/account.h"

#include <stdio.h>
#include <string.h>

#include "fcgi/page/form.h"
#include "lib/base/text.h"
#include "lib/http/cookie.h"

#define COOKIE "berth"
#define COOKIE_SECURE "__Host-berth"
enum { RETURN_LIMIT = 1024 };

static const struct target login_form = {PLACE_OWN, "login", NULL, NULL};
static const struct target logout_form = {PLACE_OWN, "logout", NULL, NULL};

static bool account_is_secure(const struct exchange *exchange)
{
    return text_begins(exchange->site.url, "https://");
}

static const char *account_cookie(const struct exchange *exchange)
{
    return account_is_secure(exchange) ? COOKIE_SECURE : COOKIE;
}

bool account_has_form(const struct exchange *exchange)
{
    return exchange->caller.options->access.mode == ACCESS_HTPASSWD &&
           !exchange->caller.cannot_log_in;
}

void account_identify(struct exchange *exchange)
{
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);
    AUTO(buffer_wipe) struct buffer session = BUFFER_INIT;
    struct subject subject;
    struct error error;

    if (!account_has_form(exchange) || attempt.authorization ||
        !cookie_find(request_parameter(exchange->request, "HTTP_COOKIE"), account_cookie(exchange),
                     &session)) {
        return;
    }
    if (access_resume_session(exchange->access, &attempt, session.data, &subject, &error) == 0) {
        exchange->caller.subject = subject;
        exchange->caller.has_shown = true;
        exchange->session = session;
        session = (struct buffer)BUFFER_INIT;
    } else if (error.code != ERROR_UNAUTHORIZED) {
        exchange->refusal = error;
    }
    /* Who is no longer logged in is nobody, and sees what everybody sees. */
}

/* `session` "" takes it away. It ends with the browser, or when it is over. */
static void account_set_cookie(struct exchange *exchange, const char *session)
{
    response_header(&exchange->response, "Set-Cookie", "%s=%s; Path=/; HttpOnly; SameSite=Lax%s%s",
                    account_cookie(exchange), session,
                    account_is_secure(exchange) ? "; Secure" : "", *session ? "" : "; Max-Age=0");
}

/* A browser takes segments of dots out of a path, in escapes as well, and what is left behind an
 * empty one may look like a host to whoever is between: no path of ours has any of them. */
static bool account_return_is_plain(const char *path)
{
    return !strstr(path, "//") && !strstr(path, "/.") && !strstr(path, "/%2e") &&
           !strstr(path, "/%2E");
}

bool account_return_is_own(const char *prefix, const char *path)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~/:@?=&%+,!";
    size_t length = strnlen(path, RETURN_LIMIT + 1);

    /* "/\host" is another host to a browser, too: that is none of the letters. */
    return length <= RETURN_LIMIT && text_begins(path, prefix) && path[0] == '/' &&
           strspn(path, letters) == length && account_return_is_plain(path);
}

void account_add_return(const struct exchange *exchange, struct buffer *out)
{
    const char *target = request_target(exchange->request);
    bool is_page = strcmp(exchange->request->method, "GET") == 0 &&
                   account_return_is_own(exchange->page_prefix, target) &&
                   !text_begins(target + strlen(exchange->page_prefix), "-/log");

    buffer_add_text(out, is_page ? target : exchange->page_prefix);
}

static void account_link(const struct exchange *exchange, const char *word, struct html *html)
{
    html_path(html, exchange->page_prefix);
    HTML(html, "-/");
    html_path(html, word);
}

void account_add(struct view *view, struct html *html)
{
    const struct exchange *exchange = view->exchange;
    const struct subject *subject = &exchange->caller.subject;

    if (subject->kind != SUBJECT_ANONYMOUS) {
        HTML(html, "<span class=\"who\">");
        html_foreign(html, subject->name, 60);
        HTML(html, "</span>");
    }
    if (exchange->session.length > 0) {
        HTML(html, "<a href=\"");
        account_link(exchange, "logout", html);
        HTML(html, "\">Log out</a>");
    } else if (subject->kind == SUBJECT_ANONYMOUS && account_has_form(exchange)) {
        AUTO_BUFFER struct buffer back = BUFFER_INIT;

        account_add_return(exchange, &back);
        HTML(html, "<a rel=\"nofollow\" href=\"");
        account_link(exchange, "login", html);
        HTML(html, "?return=");
        html_argument(html, back.data);
        HTML(html, "\">Log in</a>");
    }
}

static int account_refuse(struct error *error)
{
    return error_set(error, ERROR_NOT_FOUND, "nobody logs in here");
}

/* `words`: what was wrong with the last try, or NULL. */
static int account_show_login(struct view *view, const char *back, const char *words,
                              struct error *error)
{
    struct html *body = &view->body;

    view->is_secret = true;
    buffer_add_text(&view->title, "Log in");
    HTML(body, "<div class=\"narrow\"><h1>Log in</h1><p class=\"lead\">With the name and password "
               "that you give to <code>docker login ");
    html_text(body, view_host(view));
    HTML(body, "</code>.</p>");
    if (words) {
        HTML(body, "<p class=\"notice bad\" role=\"alert\">");
        html_text(body, words);
        HTML(body, "</p>");
    }
    if (form_begin(view, &login_form, error) < 0) {
        return -1;
    }
    form_hidden(view, "return",
                account_return_is_own(view->exchange->page_prefix, back) ? back : "");
    HTML(body, "<p class=\"field\"><label for=\"user\">User name</label><input id=\"user\" "
               "name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" "
               "spellcheck=\"false\" maxlength=\"255\" required></p>"
               "<p class=\"field\"><label for=\"password\">Password</label><input id=\"password\" "
               "name=\"password\" type=\"password\" autocomplete=\"current-password\" "
               "maxlength=\"4096\" required></p>"
               "<p><button class=\"primary\">Log in</button></p>");
    form_end(view);
    HTML(body, "</div>");
    return 0;
}

int page_login(struct view *view, struct error *error)
{
    return account_has_form(view->exchange)
               ? account_show_login(view, view_query(view, "return"), NULL, error)
               : account_refuse(error);
}

/* The form again, with what was wrong. */
static int account_tell(struct view *view, const char *back, struct error *refusal,
                        struct error *error)
{
    struct exchange *exchange = view->exchange;

    if (refusal->code == ERROR_TOO_MANY_REQUESTS) {
        exchange->response.status = 429;
        response_header(&exchange->response, "Retry-After", "%u",
                        access_retry_after(exchange->access));
    } else if (refusal->code == ERROR_UNAUTHORIZED) {
        exchange->response.status = 403; /* a 401 would have to name a scheme of HTTP's */
    } else {
        *error = *refusal;
        return -1;
    }
    return account_show_login(view, back, refusal->message, error);
}

int page_login_sent(struct view *view, struct error *error)
{
    struct exchange *exchange = view->exchange;
    struct attempt attempt = site_attempt(&exchange->site, exchange->request);
    AUTO_FORM struct query form = QUERY_INIT;
    AUTO(buffer_wipe) struct buffer session = BUFFER_INIT;
    struct login login;
    struct error refusal;
    const char *back;

    if (!account_has_form(exchange)) {
        return account_refuse(error);
    }
    if (form_read(view, &login_form, &form, error) < 0) {
        return -1;
    }
    login = (struct login){form_value(&form, "user"), form_value(&form, "password")};
    back = form_value(&form, "return");
    (void)snprintf(exchange->deed.user, sizeof(exchange->deed.user), "%s", login.user);
    if (access_begin_session(exchange->access, &attempt, &login, &session, &refusal) < 0) {
        exchange->deed.kind = DEED_REFUSE;
        return account_tell(view, back, &refusal, error);
    }
    exchange->deed.kind = DEED_LOG_IN;
    view->is_secret = true;
    account_set_cookie(exchange, session.data);
    exchange->response.status = 303;
    response_header(&exchange->response, "Location", "%s",
                    account_return_is_own(exchange->page_prefix, back) ? back
                                                                       : exchange->page_prefix);
    return 0;
}

int page_logout(struct view *view, struct error *error)
{
    struct html *body = &view->body;

    if (!account_has_form(view->exchange)) {
        return account_refuse(error);
    }
    view->is_secret = true;
    buffer_add_text(&view->title, "Log out");
    HTML(body, "<div class=\"narrow\"><h1>Log out</h1>");
    if (view->exchange->session.length == 0) {
        HTML(body, "<p class=\"lead\">You are not logged in.</p></div>");
        return 0;
    }
    HTML(body, "<p class=\"lead\">This browser forgets who you are. To end what is logged in "
               "elsewhere, change the password.</p>");
    if (form_begin(view, &logout_form, error) < 0) {
        return -1;
    }
    HTML(body, "<p><button class=\"primary\">Log out</button></p>");
    form_end(view);
    HTML(body, "</div>");
    return 0;
}

int page_logout_sent(struct view *view, struct error *error)
{
    struct exchange *exchange = view->exchange;
    AUTO_FORM struct query form = QUERY_INIT;

    if (!account_has_form(exchange)) {
        return account_refuse(error);
    }
    if (form_read(view, &logout_form, &form, error) < 0) {
        return -1;
    }
    view->is_secret = true;
    account_set_cookie(exchange, "");
    exchange->response.status = 303;
    response_header(&exchange->response, "Location", "%s", exchange->page_prefix);
    return 0;
}
