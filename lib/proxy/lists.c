/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/oci/document.h"
#include "lib/proxy/ask/question.h"
#include "lib/proxy/flight.h"
#include "lib/proxy/proxy.h"
#include "lib/store/referrers.h"

enum {
    LIST_LIMIT = 4 * 1024 * 1024, /* bytes of an answer */
    LIST_PAGES = 20,              /* that are followed by their Link headers */
};

/*
 * A list of the upstream's, from the memo or fresh. The upstream's pages, as far as we follow them,
 * are kept one after the other, each on a line of its own. 1; 0 if the upstream has no such list;
 * -1.
 */
struct listing {
    struct proxied *proxied;
    const char *rest; /* behind the repository's name, with parameters */
    const char *accept;
    struct buffer pages; /* out */
};

/* The path of the next page, without the upstream's "/v2/<name>/". False if there is none. */
static bool listing_find_next(const struct listing *listing, const struct http_transfer *transfer,
                              struct buffer *out)
{
    AUTO_BUFFER struct buffer link = BUFFER_INIT;
    AUTO_BUFFER struct buffer marker = BUFFER_INIT;
    const char *begin;

    buffer_format(&marker, "/v2/%s/", listing->proxied->name);
    if (!http_header(transfer, "link", 0, &link) || !strstr(link.data, "next")) {
        return false;
    }
    begin = strstr(link.data, marker.data);
    if (!begin) {
        return false;
    }
    begin += marker.length;
    buffer_clear(out);
    buffer_add(out, begin, strcspn(begin, "> \t"));
    return true;
}

/* JSON has no line breaks that mean anything: without them a page is a line. */
static void pages_add(struct buffer *pages, const struct buffer *body)
{
    for (size_t i = 0; i < body->length; i++) {
        char c = body->data[i] == '\n' || body->data[i] == '\r' ? ' ' : body->data[i];

        buffer_add(pages, &c, 1);
    }
    buffer_add_text(pages, "\n");
}

static int listing_fetch_page(struct listing *listing, const char *rest, struct buffer *out_next,
                              struct error *error)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct question question = {.method = "GET",
                                .repository = listing->proxied->name,
                                .rest = rest,
                                .accept = listing->accept};
    int found = question_ask(&listing->proxied->upstream, &question, &answer,
                             listing->proxied->report, error);

    if (found > 0) {
        found = http_read_all(&answer.transfer, LIST_LIMIT, &body, error);
        if (found == 0) {
            found = error_set(error, ERROR_UPSTREAM, "the upstream's list is too long");
        }
        if (found < 0) {
            report_failure(listing->proxied->report, listing->proxied->upstream.name,
                           answer.transfer.status, error->message);
        }
    }
    if (found <= 0) {
        return found;
    }
    pages_add(&listing->pages, &body);
    if (!listing_find_next(listing, &answer.transfer, out_next)) {
        buffer_clear(out_next);
    }
    return 1;
}

static int listing_fetch(struct listing *listing, struct error *error)
{
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    AUTO_BUFFER struct buffer next = BUFFER_INIT;

    buffer_add_text(&rest, listing->rest);
    for (int i = 0; i < LIST_PAGES && listing->pages.length < LIST_LIMIT; i++) {
        int found = listing_fetch_page(listing, rest.data, &next, error);

        if (found <= 0) {
            return found;
        }
        if (next.length == 0) {
            break;
        }
        buffer_clear(&rest);
        buffer_add(&rest, next.data, next.length);
    }
    return 1;
}

/* What was kept, whatever its age. */
static int listing_recall(struct listing *listing, const struct digest *key, uint64_t *out_age,
                          struct error *error)
{
    buffer_clear(&listing->pages);
    return flight_recall(listing->proxied, key, &listing->pages, out_age, error);
}

static int listing_read(struct listing *listing, struct error *error)
{
    const struct proxied *proxied = listing->proxied;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct digest key;
    struct error ignored;
    uint64_t age;
    int found;

    flight_key(proxied, listing->rest, &key);
    found = listing_recall(listing, &key, &age, error);
    if (found < 0 || (found > 0 && age < proxied->upstream.options->tag_ttl)) {
        return found;
    }
    if (!proxied->may_wait) {
        return error_set(error, ERROR_WOULD_WAIT, "the upstream has to be asked");
    }
    if (flight_begin(proxied, &key, &lock, error) < 0) {
        return -1;
    }
    found = listing_recall(listing, &key, &age, error);
    if (found < 0 || (found > 0 && age < proxied->upstream.options->tag_ttl)) {
        return found;
    }
    buffer_clear(&listing->pages);
    found = listing_fetch(listing, error);
    if (found > 0) {
        (void)flight_keep(proxied, &key, &listing->pages, &ignored);
    } else if (found < 0 && listing_recall(listing, &key, &age, &ignored) > 0) {
        buffer_format(&proxied->report->warning, "served from the cache, %s", error->message);
        found = 1;
    }
    return found;
}

/* Calls up each page as a document. */
static bool pages_next(const char **cursor, struct document *out)
{
    size_t length;

    *out = (struct document){.content_type = NULL};
    if (!text_next_item(cursor, '\n', &out->bytes, &length)) {
        return false;
    }
    out->length = length;
    return true;
}

/* All tags of all pages, sorted. */
static int pages_collect_tags(const struct buffer *pages, struct names *out, struct error *error)
{
    const char *cursor = pages->data;
    struct document document;

    while (pages_next(&cursor, &document)) {
        AUTO_NAMES struct names names = NAMES_INIT;

        if (!document_text_list(&document, "tags", &names)) {
            return error_set(error, ERROR_UPSTREAM, "the upstream sent no list of tags");
        }
        for (size_t i = 0; i < names.count; i++) {
            if (tag_is_valid(names.names[i])) {
                names_add(out, names.names[i]);
            }
        }
    }
    names_sort(out);
    return 0;
}

int proxy_list_tags(struct proxied *proxied, const struct page *page, struct names *out,
                    struct error *error)
{
    AUTO_NAMES struct names all = NAMES_INIT;
    struct listing listing = {
        .proxied = proxied, .rest = "tags/list", .accept = NULL, .pages = BUFFER_INIT};
    int found = listing_read(&listing, error);

    if (found > 0) {
        found = pages_collect_tags(&listing.pages, &all, error) < 0 ? -1 : 1;
    }
    buffer_release(&listing.pages);
    if (found < 0 && error->code != ERROR_WOULD_WAIT) {
        struct error ignored;
        int more = tag_list(&proxied->repository, page, out, &ignored);

        if (more >= 0 && out->count > 0) {
            buffer_format(&proxied->report->warning, "only what is in the cache: %s",
                          error->message);
            return more;
        }
    }
    if (found <= 0) {
        return found < 0
                   ? -1
                   : error_set(error, ERROR_NAME_UNKNOWN, "repository unknown to the upstream");
    }
    for (size_t i = 0; i < all.count; i++) {
        bool twice = i > 0 && strcmp(all.names[i], all.names[i - 1]) == 0;

        if (twice || (page->last && strcmp(all.names[i], page->last) <= 0)) {
            continue;
        }
        if (out->count == page->limit) {
            return 1;
        }
        names_add(out, all.names[i]);
    }
    return 0;
}

static bool descriptor_has_type(const char *descriptor, const char *artifact_type)
{
    struct document document = {descriptor, strlen(descriptor), NULL};
    AUTO_BUFFER struct buffer type = BUFFER_INIT;

    return !artifact_type || (document_text_member(&document, "artifactType", &type) &&
                              strcmp(type.data, artifact_type) == 0);
}

/* Adds a descriptor unless its digest is listed already. */
static void descriptor_add(struct buffer *out, const char *descriptor)
{
    struct document document = {descriptor, strlen(descriptor), NULL};
    AUTO_BUFFER struct buffer digest = BUFFER_INIT;

    if (document_text_member(&document, "digest", &digest) && !strstr(out->data, digest.data)) {
        buffer_add_text(out, out->length > 0 ? "," : "");
        buffer_add_text(out, descriptor);
    }
}

static int pages_collect_descriptors(const struct buffer *pages, const char *artifact_type,
                                     struct buffer *out, struct error *error)
{
    const char *cursor = pages->data;
    struct document document;

    while (pages_next(&cursor, &document)) {
        AUTO_NAMES struct names descriptors = NAMES_INIT;

        if (!document_object_list(&document, "manifests", &descriptors)) {
            return error_set(error, ERROR_UPSTREAM, "the upstream sent no list of referrers");
        }
        for (size_t i = 0; i < descriptors.count; i++) {
            if (descriptor_has_type(descriptors.names[i], artifact_type)) {
                descriptor_add(out, descriptors.names[i]);
            }
        }
    }
    return 0;
}

/* Registries without the API keep an index under a tag ("Referrers Tag Schema"). */
static int pages_add_fallback(struct proxied *proxied, const struct digest *subject,
                              struct buffer *out_pages, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest index = STORED_MANIFEST_INIT;
    char tag[TAG_SIZE];
    int found;

    referrers_fallback_tag(subject, tag);
    found = proxy_get_manifest(proxied, tag, false, &index, error);
    if (found > 0) {
        pages_add(out_pages, &index.content);
    }
    return found;
}

int proxy_list_referrers(struct proxied *proxied, const struct digest *subject,
                         const char *artifact_type, struct buffer *out, struct error *error)
{
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    struct listing listing = {
        .proxied = proxied, .accept = MEDIA_TYPE_OCI_INDEX, .pages = BUFFER_INIT};
    struct referrers_query query = {.subject = *subject,
                                    .artifact_type = artifact_type,
                                    .page = {.last = NULL, .limit = SIZE_MAX}};
    struct error local;
    struct digest last;
    int found;

    buffer_format(&rest, "referrers/%s", subject->text);
    listing.rest = rest.data;
    found = listing_read(&listing, error);
    if (found == 0) {
        found = pages_add_fallback(proxied, subject, &listing.pages, error);
    }
    if (found >= 0) {
        found = pages_collect_descriptors(&listing.pages, artifact_type, out, error);
    }
    buffer_release(&listing.pages);
    if (found < 0 && error->code == ERROR_WOULD_WAIT) {
        return -1;
    }
    if (out->length == 0 && referrers_list(&proxied->repository, &query, out, &last, &local) < 0) {
        *error = local;
        return -1;
    }
    if (found < 0 && out->length > 0) {
        buffer_format(&proxied->report->warning, "only what is in the cache: %s", error->message);
        return 0;
    }
    return found < 0 ? -1 : 0;
}
