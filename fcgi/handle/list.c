/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/handle/exchange.h"

#include <string.h>

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "lib/store/referrers.h"
#include "lib/store/repository.h"

enum {
    TAGS_LIMIT = 100000, /* without `n`: in effect all */
    CATALOG_LIMIT = 1000,
    REFERRERS_LIMIT = 1000,
};

/* `n` and `last`; `limit` is both the standard and the maximum of `n`. */
static int page_read(const struct exchange *exchange, size_t limit, struct page *out,
                     struct error *error)
{
    const char *count = request_query(exchange->request, "n");
    const char *last = request_query(exchange->request, "last");
    uint64_t number = limit;

    if (count && !text_number(count, strlen(count), &number)) {
        return error_set(error, ERROR_REQUEST_INVALID, "n is not a number");
    }
    out->last = last ? last : "";
    out->limit = number < limit ? (size_t)number : limit;
    return 0;
}

/* A parameter of this request that is true of the next page, too. */
static void link_keep_parameter(const struct exchange *exchange, const char *name,
                                struct buffer *target)
{
    const char *value = request_query(exchange->request, name);

    if (value) {
        buffer_format(target, "&%s=", name);
        text_percent_encode(value, target);
    }
}

/* RFC 8288: where the next page of the same list is. */
static void link_add_header(struct exchange *exchange, const struct page *page, const char *last)
{
    AUTO_BUFFER struct buffer target = BUFFER_INIT;

    text_percent_encode(exchange->request->path.data, &target);
    buffer_format(&target, "?n=%zu&last=", page->limit);
    text_percent_encode(last, &target);
    link_keep_parameter(exchange, "ns", &target);
    link_keep_parameter(exchange, "artifactType", &target);
    response_header(&exchange->response, "Link", "<%s>; rel=\"next\"", target.data);
}

static void names_write(struct buffer *out, const char *key, const struct names *names)
{
    json_open_array(out, key);
    for (size_t i = 0; i < names->count; i++) {
        json_text(out, NULL, names->names[i]);
    }
    json_close_array(out);
}

/* What tag list and catalog have in common. `more`: 1, 0, or -1 for a failure to pass on. */
static int names_answer(struct exchange *exchange, const struct page *page, const char *key,
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
    names_write(&response->bytes, key, names);
    json_close_object(&response->bytes);
    if (more && names->count > 0) {
        link_add_header(exchange, page, names->names[names->count - 1]);
    }
    return 0;
}

int handle_tags_get(struct exchange *exchange, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct page page = {.last = NULL};

    if (page_read(exchange, TAGS_LIMIT, &page, error) < 0) {
        return -1;
    }
    return names_answer(exchange, &page, "tags", &names,
                        source_list_tags(&exchange->source, &page, &names, error));
}

int handle_catalog_get(struct exchange *exchange, struct error *error)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct page page = {.last = NULL};

    if (page_read(exchange, CATALOG_LIMIT, &page, error) < 0) {
        return -1;
    }
    return names_answer(exchange, &page, "repositories", &names,
                        registry_list(exchange->registry, &exchange->permit, &page, &names, error));
}

static void index_open(struct buffer *out)
{
    json_open_object(out, NULL);
    json_number(out, "schemaVersion", 2);
    json_text(out, "mediaType", MEDIA_TYPE_OCI_INDEX);
    json_open_array(out, "manifests");
}

int handle_referrers_get(struct exchange *exchange, struct error *error)
{
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct response *response = &exchange->response;
    struct referrers_query query = {.artifact_type =
                                        request_query(exchange->request, "artifactType")};
    struct digest last;
    int more;

    if (digest_parse(&query.subject, exchange->route.reference, error) < 0 ||
        page_read(exchange, REFERRERS_LIMIT, &query.page, error) < 0) {
        return -1;
    }
    if (query.artifact_type) {
        response_header(response, "OCI-Filters-Applied", "artifactType");
    }
    more = source_list_referrers(&exchange->source, &query, &list, &last, error);
    if (more < 0) {
        return -1;
    }
    index_open(&response->bytes);
    buffer_add(&response->bytes, list.data, list.length);
    json_close_array(&response->bytes);
    json_close_object(&response->bytes);
    response->body = BODY_BYTES;
    response_content_header(response, "Content-Type", MEDIA_TYPE_OCI_INDEX);
    if (more) {
        link_add_header(exchange, &query.page, last.text);
    }
    return 0;
}
