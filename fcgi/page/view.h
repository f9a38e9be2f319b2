/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_VIEW_H
#define FCGI_PAGE_VIEW_H

/*
 * A page that is being made. page_answer() finds the row of the table in page.c (place, `show` of
 * the query, method, permission), goes through the door as every request does, and calls the row's
 * function, a file each. That writes
 *
 *   `title`   what the page is about, for the title of the window
 *   `body`    what stands in <main>: see html.h for how
 * or, if `wants_json`,
 *   `bytes`   the same as JSON, by lib/base/json
 * or, with `type` set to its media type, whatever it says into `bytes`: a feed, a style sheet
 *
 * and returns 0; head, navigation, foot and headers are page.c's. Or it sets the status and a
 * Location of `exchange->response` itself (303 after a form) and writes nothing. Or it returns -1
 * with an error, which becomes a page of its own: what may not be seen, and what is not there, are
 * the same 404.
 *
 * In a row for a repository `exchange->source` is open, and its repository has a manifest.
 *
 * How to add a page: a function below, a file for it, a row in page.c.
 */

#include "fcgi/handle/exchange.h"
#include "fcgi/page/html.h"
#include "fcgi/page/place.h"
#include "lib/observe/count/totals.h"
#include "lib/oci/description.h"

struct view {
    struct exchange *exchange;
    struct place place;
    bool wants_json;
    struct buffer title;
    struct html body;
    struct buffer bytes;
    const char *type; /* of `bytes`; NULL: it is a page, or JSON */
    bool is_searched; /* script may ask for it again, with what is typed */
    bool is_secret;   /* nobody may keep it */
    bool is_for_ever; /* the URL changes when the content does */
    int64_t refresh;  /* seconds after which a browser asks again; 0: it does not */
    uint64_t page;    /* ?page=, from 1 */
};

/* The repository that a row is about: one that the source's permit is for. */
const struct repository *view_repository(const struct view *view);

/* The value of a query parameter, or "". */
const char *view_query(const struct view *view, const char *name);

/*
 * Values of `href` and `action`, without quotes: where this caller finds it. `name` is as he calls
 * it. To what they write, a query may be added.
 */
void view_link_front(struct view *view);
void view_link_namespace(struct view *view, const char *name);
void view_link_repository(struct view *view, const char *name);
/* `reference` is a tag or a digest. */
void view_link_image(struct view *view, const char *name, const char *reference);
/* "-/WORD" */
void view_link_own(struct view *view, const char *word);
/* The same for what is no HTML: the absolute path, escaped. */
void view_add_path(const struct view *view, const char *name, const char *reference,
                   struct buffer *out);

/* "Repositories / team / app" above a page, each part a link; `last` is what stands behind it as
 * it is, or NULL. */
void view_trail(struct view *view, const char *name, const char *last);

/*
 * "Page 2 of 7" with links, if there is more than one. `parameters` are the names of those of the
 * query that stay, ended by NULL.
 */
void view_pager(struct view *view, uint64_t pages, const char *const *parameters);

/* Host and port as the client sees them, for commands to copy. */
const char *view_host(const struct view *view);

/* <code> with a button that copies it, where there is script. `text` is escaped here. */
void view_code(struct view *view, const char *text);

/* stock.c: how full it is, for who may see everything; nothing for others. */
void view_stock(struct view *view);
void view_stock_json(struct view *view);
/* traffic.c: what was served, of so many days as TOTALS_DAYS says. */
void view_traffic(struct view *view, const struct totals_day *days);
void view_traffic_json(struct view *view, const struct totals_day *days);

/* rules.c: which tags of a hosted repository retention keeps, and which are immutable. */
void view_rules(struct view *view);
void view_rules_json(struct view *view);

/* "image", "SBOM", … in a little box. */
void view_badge(struct view *view, enum description_kind kind);
/* "sha256:0123456789ab" */
void view_short_digest(struct view *view, const struct digest *digest);

/* The rows' functions. */
int page_front(struct view *view, struct error *error);
int page_repository(struct view *view, struct error *error);
int page_image(struct view *view, struct error *error);
int page_manifest(struct view *view, struct error *error);
int page_difference(struct view *view, struct error *error);
int page_feed(struct view *view, struct error *error);
int page_search(struct view *view, struct error *error);
int page_ping(struct view *view, struct error *error);
int page_asset(struct view *view, struct error *error);
int page_login(struct view *view, struct error *error);
int page_login_sent(struct view *view, struct error *error);
int page_logout(struct view *view, struct error *error);
int page_logout_sent(struct view *view, struct error *error);
int page_history(struct view *view, struct error *error);
int page_put_back_sent(struct view *view, struct error *error);
int page_cache(struct view *view, struct error *error);
int page_keep_sent(struct view *view, struct error *error);
int page_unkeep_sent(struct view *view, struct error *error);
int page_refresh_sent(struct view *view, struct error *error);
int page_trashes(struct view *view, struct error *error);
int page_trash(struct view *view, struct error *error);
int page_restore_sent(struct view *view, struct error *error);
int page_delete(struct view *view, struct error *error);
int page_delete_sent(struct view *view, struct error *error);
int page_delete_all(struct view *view, struct error *error);
int page_delete_all_sent(struct view *view, struct error *error);

/* actions.c: what this caller may do about what is shown. */
void actions_add(struct view *view);

/* notice.c: what the form did that led here, if one did. */
void notice_add(const struct view *view, struct html *html);

/* asset.c: the name of a file that is compiled in, with a hash in it: "style-0123456789ab.css". */
enum asset { ASSET_STYLE, ASSET_SCRIPT, ASSET_ICON, ASSET_COUNT };
enum { ASSET_NAME_SIZE = 40 };
void asset_name(enum asset asset, char out[ASSET_NAME_SIZE]);

#endif
