/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <string.h>

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/store/catalog.h"
#include "lib/store/referrers.h"
#include "lib/store/repository.h"

enum {
    TAGS_LIMIT = 100000, /* without `n`: in effect all */
    CATALOG_LIMIT = 1000,
    REFERRERS_LIMIT = 1000,
};

/* The query parameters that a list is paged by. */
struct paging {
    struct page page;
    struct buffer last;
};

static void paging_release(struct paging *paging)
{
    buffer_release(&paging->last);
}

#define PAGING_INIT                                                                                \
    {                                                                                              \
        .last = BUFFER_INIT                                                                        \
    }
#define AUTO_PAGING AUTO(paging_release)

/* `n` and `last`; `limit` is both the standard and the maximum of `n`. */
static int read_paging(const struct exchange *exchange, size_t limit, struct paging *out,
                       struct error *error)
{
    AUTO_BUFFER struct buffer count = BUFFER_INIT;
    uint64_t number = limit;
    int given = request_query(exchange->request, "n", 0, &count, error);

    if (given < 0) {
        return -1;
    }
    if (given && !text_number(count.data, count.length, &number)) {
        return error_set(error, ERROR_REQUEST_INVALID, "n is not a number");
    }
    if (request_query(exchange->request, "last", 0, &out->last, error) < 0) {
        return -1;
    }
    out->page.last = out->last.data;
    out->page.limit = number < limit ? (size_t)number : limit;
    return 0;
}

/* RFC 8288: where the next page is. `path` begins with a slash; `more` are further parameters. */
static void link_header(struct exchange *exchange, const struct paging *paging, const char *last,
                        const char *more)
{
    AUTO_BUFFER struct buffer target = BUFFER_INIT;

    buffer_add_text(&target, exchange->request->path.data);
    buffer_format(&target, "?n=%zu&last=", paging->page.limit);
    text_percent_encode(last, &target);
    buffer_add_text(&target, more);
    response_header(&exchange->response, "Link", "<%s>; rel=\"next\"", target.data);
}

static void add_names(struct buffer *out, const char *key, const struct names *names)
{
    json_open_array(out, key);
    for (size_t i = 0; i < names->count; i++) {
        json_text(out, NULL, names->names[i]);
    }
    json_close_array(out);
}

/* What tag list and catalog have in common. `more`: 1, 0, or -1 for a failure to pass on. */
static int answer_names(struct exchange *exchange, const struct paging *paging, const char *key,
                        const struct names *names, int more)
{
    struct response *response = &exchange->response;

    if (more < 0) {
        return -1;
    }
    response->body = BODY_BYTES;
    response_content_header(response, "Content-Type", "application/json");
    json_open_object(&response->bytes, NULL);
    if (exchange->route.kind == ROUTE_TAGS) {
        json_text(&response->bytes, "name", exchange->route.name);
    }
    add_names(&response->bytes, key, names);
    json_close_object(&response->bytes);
    if (more && names->count > 0) {
        link_header(exchange, paging, names->names[names->count - 1], "");
    }
    return 0;
}

int handle_tags_get(struct exchange *exchange, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_PAGING struct paging paging = PAGING_INIT;

    if (read_paging(exchange, TAGS_LIMIT, &paging, error) < 0) {
        return -1;
    }
    return answer_names(exchange, &paging, "tags", &names,
                        source_list_tags(&exchange->source, &paging.page, &names, error));
}

int handle_catalog_get(struct exchange *exchange, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_PAGING struct paging paging = PAGING_INIT;
    struct catalog_query query = {.prefix = ""};

    if (read_paging(exchange, CATALOG_LIMIT, &paging, error) < 0) {
        return -1;
    }
    query.page = paging.page;
    return answer_names(exchange, &paging, "repositories", &names,
                        catalog_list(&exchange->registry->hosted, &query, &names, error));
}

static void open_index(struct buffer *out)
{
    json_open_object(out, NULL);
    json_number(out, "schemaVersion", 2);
    json_text(out, "mediaType", MEDIA_TYPE_OCI_INDEX);
    json_open_array(out, "manifests");
}

int handle_referrers_get(struct exchange *exchange, struct error *error)
{
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    AUTO_BUFFER struct buffer parameters = BUFFER_INIT;
    AUTO_PAGING struct paging paging = PAGING_INIT;
    struct response *response = &exchange->response;
    struct referrers_query query = {.artifact_type = NULL};
    struct digest last;
    int filtered;
    int more;

    if (digest_parse(&query.subject, exchange->route.last, error) < 0 ||
        read_paging(exchange, REFERRERS_LIMIT, &paging, error) < 0) {
        return -1;
    }
    filtered = request_query(exchange->request, "artifactType", 0, &type, error);
    if (filtered < 0) {
        return -1;
    }
    if (filtered) {
        query.artifact_type = type.data;
        buffer_add_text(&parameters, "&artifactType=");
        text_percent_encode(type.data, &parameters);
        response_header(response, "OCI-Filters-Applied", "artifactType");
    }
    query.page = paging.page;
    more = source_list_referrers(&exchange->source, &query, &list, &last, error);
    if (more < 0) {
        return -1;
    }
    open_index(&response->bytes);
    buffer_add(&response->bytes, list.data, list.length);
    json_close_array(&response->bytes);
    json_close_object(&response->bytes);
    response->body = BODY_BYTES;
    response_content_header(response, "Content-Type", MEDIA_TYPE_OCI_INDEX);
    if (more) {
        link_header(exchange, &paging, last.text, parameters.data);
    }
    return 0;
}
