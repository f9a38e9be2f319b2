/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/page.h"

#include <string.h>

#include "fcgi/page/account.h"
#include "fcgi/page/view.h"
#include "lib/base/text.h"
#include "lib/configuration/configuration.h"
#include "lib/store/glance.h"

#define POLICY(more)                                                                               \
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " more               \
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

/* One page: where it is and what it shows, what one has to be permitted, who makes it. */
struct row {
    const char *method; /* "GET" is for HEAD, too */
    const char *key;    /* of PLACE_OWN the word; else what ?show= says, or "" */
    int (*make)(struct view *view, struct error *error);
    enum place_kind kind;
    enum permission permission;
};

/* Nothing of a row can be left out. */
#define ROW(method, kind, key, permission, make)                                                   \
    {                                                                                              \
#method, key, page_##make, PLACE_##kind, PERMISSION_##permission                           \
    }

static const struct row rows[] = {
    ROW(GET, FRONT, "", LIST, front),
    ROW(GET, REPOSITORY, "", PULL, repository),
    ROW(GET, IMAGE, "", PULL, image),
    ROW(GET, IMAGE, "manifest", PULL, manifest),
    ROW(GET, IMAGE, "difference", PULL, difference),
    ROW(GET, REPOSITORY, "feed", PULL, feed),
    ROW(GET, SEARCH, "", LIST, search),
    ROW(GET, PING, "", NONE, ping),
    ROW(GET, OWN, "file", NONE, asset),
    ROW(GET, OWN, "login", NONE, login),
    ROW(POST, OWN, "login", NONE, login_sent),
    ROW(GET, OWN, "logout", NONE, logout),
    ROW(POST, OWN, "logout", NONE, logout_sent),
    ROW(GET, OWN, "cache", LIST, cache),
    ROW(POST, IMAGE, "keep", DELETE, keep_sent),
    ROW(POST, IMAGE, "unkeep", DELETE, unkeep_sent),
    ROW(POST, IMAGE, "refresh", DELETE, refresh_sent),
    ROW(GET, IMAGE, "history", PULL, history),
    ROW(POST, IMAGE, "put-back", PUSH, put_back_sent),
    ROW(GET, OWN, "trash", LIST, trashes),
    ROW(GET, REPOSITORY, "trash", DELETE, trash),
    ROW(POST, REPOSITORY, "restore", DELETE, restore_sent),
    ROW(POST, IMAGE, "restore", DELETE, restore_sent),
    ROW(GET, REPOSITORY, "delete", DELETE, delete_all),
    ROW(POST, REPOSITORY, "delete", DELETE, delete_all_sent),
    ROW(GET, IMAGE, "delete", DELETE, delete),
    ROW(POST, IMAGE, "delete", DELETE, delete_sent),
};

enum { ROW_COUNT = sizeof(rows) / sizeof(*rows) };

int page_find(struct exchange *exchange, struct error *error)
{
    const char *prefix = request_parameter(exchange->request, "BERTH_PAGE");
    const char *path = exchange->request->path.data;

    if (!prefix || !exchange->configuration->page.enabled) {
        return 0;
    }
    if (!place_prefix_is_valid(prefix)) {
        return error_set(error, ERROR_INTERNAL,
                         "the web server's BERTH_PAGE '%s' is no path such as / or /registry/",
                         prefix);
    }
    if (text_begins(path, "/v2/") || strcmp(path, "/v2") == 0) {
        return 0;
    }
    exchange->page_prefix = prefix;
    site_find(&exchange->site, exchange->request, exchange->caller.options->access.public_url);
    return 0;
}

void page_identify(struct exchange *exchange)
{
    if (exchange->page_prefix) {
        account_identify(exchange);
    }
}

/* Whether JSON is asked for before HTML. */
static bool page_wants_json(const struct exchange *exchange)
{
    const char *accept = request_parameter(exchange->request, "HTTP_ACCEPT");
    const char *json = accept ? strstr(accept, "application/json") : NULL;
    const char *html = accept ? strstr(accept, "text/html") : NULL;

    return json && (!html || json < html);
}

static const char *row_method(const struct request *request)
{
    return strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
}

/* NULL if there is no such page; `out_allowed` gets the methods of all there are. */
static const struct row *row_find(const struct view *view, struct buffer *out_allowed)
{
    const char *key = view->place.kind == PLACE_OWN ? view->place.word : view_query(view, "show");
    const char *method = row_method(view->exchange->request);

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].kind != view->place.kind || strcmp(rows[i].key, key) != 0) {
            continue;
        }
        if (strcmp(rows[i].method, method) == 0) {
            return &rows[i];
        }
        buffer_format(out_allowed, "%s%s", out_allowed->length > 0 ? ", " : "",
                      strcmp(rows[i].method, "GET") == 0 ? "GET, HEAD" : rows[i].method);
    }
    return NULL;
}

/* What may not be seen looks as what is not there. */
static int page_hide(struct error *error)
{
    return error_set(error, ERROR_NOT_FOUND, "there is nothing here that you may see");
}

/* The door, for a page that is about a repository. */
static int page_open(struct view *view, const struct row *row, struct error *error)
{
    struct exchange *exchange = view->exchange;
    struct naming naming = {.name = view->place.name, .prefix = exchange->caller.prefix};
    struct identity identity;
    struct glance glance;

    if (identity_find(&identity, &exchange->caller.options->proxy, &naming, error) < 0 ||
        registry_permit(&exchange->caller, &identity, row->permission, &exchange->permit, error) <
            0) {
        return error->code == ERROR_READ_ONLY || error->code == ERROR_UNSUPPORTED
                   ? -1
                   : page_hide(error);
    }
    if (registry_find(exchange->registry, &exchange->permit, REACH_HOSTED, &exchange->source,
                      error) < 0) {
        return -1;
    }
    glance_take(view_repository(view), &glance);
    /* Who may do more than look has to do with what was deleted, too. */
    return glance.has_manifests || row->permission != PERMISSION_PULL ? 0 : page_hide(error);
}

static int page_permit(struct view *view, const struct row *row, struct error *error)
{
    struct exchange *exchange = view->exchange;

    exchange->wanted = row->permission;
    if (exchange->refusal.code != ERROR_NONE && row->permission != PERMISSION_NONE) {
        *error = exchange->refusal;
        return -1;
    }
    return permission_names_repository(row->permission)
               ? page_open(view, row, error)
               : registry_permit(&exchange->caller, NULL, row->permission, &exchange->permit,
                                 error);
}

static void add_title(const struct view *view, struct html *html)
{
    if (view->title.length > 0) {
        html_text(html, view->title.data);
        HTML(html, " \xc2\xb7 ");
    }
    html_text(html, view->exchange->configuration->page.title);
}

static void link_asset(const struct view *view, struct html *html, enum asset asset)
{
    char name[ASSET_NAME_SIZE];

    asset_name(asset, name);
    html_path(html, view->exchange->page_prefix);
    HTML(html, "-/file/");
    html_path(html, name);
}

static void add_head(const struct view *view, struct html *html)
{
    HTML(html, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
               "<meta name=\"color-scheme\" content=\"light dark\">");
    if (view->refresh > 0) {
        HTML(html, "<meta http-equiv=\"refresh\" content=\"");
        html_digits(html, (uint64_t)view->refresh);
        HTML(html, "\">");
    }
    HTML(html, "<title>");
    add_title(view, html);
    HTML(html, "</title><link rel=\"stylesheet\" href=\"");
    link_asset(view, html, ASSET_STYLE);
    HTML(html, "\"><link rel=\"icon\" type=\"image/svg+xml\" href=\"");
    link_asset(view, html, ASSET_ICON);
    HTML(html, "\"><script defer src=\"");
    link_asset(view, html, ASSET_SCRIPT);
    HTML(html, "\"></script></head>");
}

static void link_site(const struct exchange *exchange, const char *word, const char *words,
                      struct html *html)
{
    HTML(html, "<a href=\"");
    html_path(html, exchange->page_prefix);
    HTML(html, "-/");
    html_path(html, word);
    HTML(html, "\">");
    html_text(html, words);
    HTML(html, "</a>");
}

/* The trash is for who may delete somewhere, which nobody has without having logged in. */
static void add_site_links(const struct exchange *exchange, struct html *html)
{
    if (exchange->caller.options->proxy.enabled && !*exchange->caller.prefix) {
        link_site(exchange, "cache", "Cache", html);
    }
    if (!exchange->access || exchange->caller.subject.kind != SUBJECT_ANONYMOUS) {
        link_site(exchange, "trash", "Trash", html);
    }
}

static void add_frame(struct view *view, struct html *html)
{
    HTML(html, "<body><a class=\"skip\" href=\"#main\">Skip to content</a>"
               "<header class=\"top\"><a class=\"brand\" href=\"");
    html_path(html, view->exchange->page_prefix);
    HTML(html, "\"><img src=\"");
    link_asset(view, html, ASSET_ICON);
    HTML(html, "\" alt=\"\" width=\"28\" height=\"28\"><span>");
    html_text(html, view->exchange->configuration->page.title);
    HTML(html, "</span></a><form role=\"search\" action=\"");
    html_path(html, view->exchange->page_prefix);
    HTML(html, "\"><label class=\"hidden\" for=\"q\">Search repositories</label>"
               "<input id=\"q\" type=\"search\" name=\"q\" maxlength=\"200\" autocomplete=\"off\" "
               "placeholder=\"Search repositories\" value=\"");
    html_attribute(html, view_query(view, "q"));
    HTML(html, "\"><button>Search</button></form><nav aria-label=\"Site\">");
    add_site_links(view->exchange, html);
    account_add(view, html);
    HTML(html, "</nav></header><main id=\"main\" tabindex=\"-1\">");
    notice_add(view, html);
    html_join(html, &view->body);
    HTML(html, "</main><footer>Berth ");
    html_text(html, BERTH_VERSION);
    HTML(html, "</footer></body></html>\n");
}

static const char *page_caching(const struct view *view)
{
    return view->is_for_ever ? "public, max-age=31536000, immutable"
           : view->is_secret ? "no-store"
           : view->exchange->caller.subject.kind != SUBJECT_ANONYMOUS
               ? "private, no-cache" /* his name stands on it */
               : "no-cache";
}

static void add_headers(struct response *response, const struct view *view)
{
    response->policy = view->is_searched ? POLICY("connect-src 'self'; ") : POLICY("");
    response_header(response, "Referrer-Policy", "same-origin");
    response_header(response, "Vary", "Accept, Authorization, Cookie");
    response_content_header(response, "Cache-Control", "%s", page_caching(view));
}

/* The whole answer. */
static void page_finish(struct view *view)
{
    struct exchange *exchange = view->exchange;
    struct response *response = &exchange->response;
    bool is_page = !view->type && !view->wants_json;
    struct digest digest;

    add_headers(response, view);
    if (is_page && html_is_empty(&view->body)) {
        return; /* the status says it all */
    }
    if (is_page) {
        AUTO_HTML struct html html = HTML_INIT;

        add_head(view, &html);
        add_frame(view, &html);
        html_take(&html, &response->bytes);
    } else {
        buffer_add(&response->bytes, view->bytes.data, view->bytes.length);
    }
    response->body = BODY_BYTES;
    response_content_header(response, "Content-Type", "%s",
                            view->type         ? view->type
                            : view->wants_json ? "application/json"
                                               : "text/html; charset=utf-8");
    digest_of(DIGEST_SHA256, response->bytes.data, response->bytes.length, &digest);
    if (response->status == 200 && strcmp(row_method(exchange->request), "GET") == 0) {
        response_content_header(response, "ETag", "\"%s\"", digest.text);
        (void)handle_not_modified(exchange, &digest);
    }
}

static void view_release(struct view *view)
{
    buffer_release(&view->title);
    html_release(&view->body);
    buffer_release(&view->bytes);
}

#define VIEW_INIT(the_exchange)                                                                    \
    {                                                                                              \
        .exchange = (the_exchange), .title = BUFFER_INIT, .body = HTML_INIT, .bytes = BUFFER_INIT, \
        .wants_json = page_wants_json(the_exchange), .page = 1                                     \
    }

static int page_make(struct view *view, struct error *error)
{
    AUTO_BUFFER struct buffer allowed = BUFFER_INIT;
    const char *number = view_query(view, "page");
    struct exchange *exchange = view->exchange;
    const struct row *row;

    if (!place_parse(exchange->request->path.data, exchange->page_prefix, &view->place)) {
        return page_hide(error);
    }
    row = row_find(view, &allowed);
    if (!row && allowed.length > 0) {
        response_header(&exchange->response, "Allow", "%s", allowed.data);
        return error_set(error, ERROR_UNSUPPORTED, "this method is not allowed here");
    }
    if (!row) {
        return page_hide(error);
    }
    if (!text_number(number, strlen(number), &view->page) || view->page == 0) {
        view->page = 1;
    }
    view->page = view->page < 1000000 ? view->page : 1000000;
    return page_permit(view, row, error) < 0 ? -1 : row->make(view, error);
}

int page_answer(struct exchange *exchange, struct error *error)
{
    struct view view = VIEW_INIT(exchange);
    int result = page_make(&view, error);

    if (result == 0) {
        page_finish(&view);
    }
    view_release(&view);
    return result;
}

/* What is internal stands in the log. */
static const char *refusal_words(int status, const struct error *error)
{
    switch (status) {
    case 404:
        return "There is nothing here, or nothing that you may see.";
    case 500:
        return "Something is wrong here; the operator finds the reason in the log.";
    case 507:
        return "The registry's storage is full, or takes no writes.";
    default:
        return error->message;
    }
}

void page_refuse(struct exchange *exchange, const struct error *error)
{
    struct view view = VIEW_INIT(exchange);
    struct response *response = &exchange->response;
    struct buffer none = BUFFER_INIT;

    response_error(response, error, view.wants_json ? &exchange->details : &none);
    if (view.wants_json) {
        add_headers(response, &view);
        view_release(&view);
        return;
    }
    {
        struct buffer headers = BUFFER_INIT;
        const char *type = strstr(response->headers.data, "Content-Type: application/json\r\n");

        buffer_add(&headers, response->headers.data,
                   (size_t)(type ? type - response->headers.data : 0));
        buffer_release(&response->headers);
        response->headers = headers;
    }
    buffer_release(&response->bytes);
    buffer_add_text(&view.title, status_reason(response->status));
    HTML(&view.body, "<h1>");
    html_text(&view.body, status_reason(response->status));
    HTML(&view.body, "</h1><p class=\"lead\">");
    html_text(&view.body, refusal_words(response->status, error));
    HTML(&view.body, "</p><p><a href=\"");
    view_link_front(&view);
    HTML(&view.body, "\">All repositories</a></p>");
    page_finish(&view);
    view_release(&view);
}
