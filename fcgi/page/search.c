/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fcgi/page/view.h"
#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/registry/shelf.h"

/*
 * The search of Docker's first registry, which `docker search` and `podman search` still use:
 * GET /v1/search?q=&n=&page=, answered with a page of results.
 */

enum { SEARCH_RESULTS = 25, SEARCH_RESULTS_MOST = 100 };

int page_search(struct view *view, struct error *error)
{
    AUTO_SHELF struct shelf shelf = SHELF_INIT;
    struct buffer *out = &view->bytes;
    const char *text = view_query(view, "n");
    struct shelf_query query = {.within = "", .filter = view_query(view, "q"), .every = true};
    uint64_t limit = SEARCH_RESULTS;

    if (!text_number(text, strlen(text), &limit) || limit == 0) {
        limit = SEARCH_RESULTS;
    }
    query.limit = limit < SEARCH_RESULTS_MOST ? (size_t)limit : SEARCH_RESULTS_MOST;
    query.skip = (size_t)(view->page - 1) * query.limit;
    if (shelf_find(view->exchange->registry, &view->exchange->permit, &query, &shelf, error) < 0) {
        return -1;
    }
    json_open_object(out, NULL);
    json_number(out, "num_pages", (shelf.total + query.limit - 1) / query.limit);
    json_number(out, "num_results", shelf.total);
    json_number(out, "page", view->page);
    json_number(out, "page_size", query.limit);
    json_text(out, "query", query.filter);
    json_open_array(out, "results");
    for (size_t i = 0; i < shelf.count; i++) {
        json_open_object(out, NULL);
        json_text(out, "name", shelf.entries[i].name);
        json_text(out, "description", shelf.entries[i].is_proxied ? "cached" : "");
        json_number(out, "star_count", 0);
        json_raw(out, "is_official", "false");
        json_raw(out, "is_automated", "false");
        json_raw(out, "is_trusted", "false");
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
    view->type = "application/json";
    return 0;
}

/* Whether there is such a search at all: an older docker asks first. */
int page_ping(struct view *view, struct error *error)
{
    (void)error;
    response_header(&view->exchange->response, "X-Docker-Registry-Version", "0.9.1");
    response_header(&view->exchange->response, "X-Docker-Registry-Standalone", "true");
    buffer_add_text(&view->bytes, "true");
    view->type = "application/json";
    return 0;
}
