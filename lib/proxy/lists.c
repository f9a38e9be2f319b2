/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/proxy/ask/question.h"
#include "lib/proxy/entries.h"
#include "lib/proxy/fill/fetcher.h"
#include "lib/proxy/flight.h"
#include "lib/proxy/proxy.h"
#include "lib/store/memo.h"

enum {
    LIST_LIMIT = 4 * 1024 * 1024, /* bytes of an answer */
    LIST_PAGES = 20,              /* that are followed by their Link headers */
};

/*
 * A list of the upstream's, from the memo or fresh, as lib/proxy/entries keeps it. The upstream's
 * pages are followed as far as the limits go. 1; 0 if the upstream has no such list; -1.
 */
struct listing {
    struct proxied *proxied;
    const char *what;
    const char *rest; /* behind the repository's name, with parameters */
    const char *accept;
    bool (*add)(struct names *entries, const struct document *page);
    const struct digest *subject; /* of referrers: where a registry has no API for them */
    struct buffer entries;        /* out */
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

/* What the pages have so far. */
struct collection {
    struct names entries;
    struct buffer next; /* the path of the next page; empty: there is none */
    size_t length;      /* bytes that have come */
    int64_t deadline;   /* for all pages together; 0 before the first one was asked for */
};

static int listing_read_page(const struct listing *listing, struct answer *answer,
                             struct collection *collection, struct error *error)
{
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    const struct upstream *upstream = &listing->proxied->upstream;
    struct document document;
    int fits = http_read_all(&answer->transfer, LIST_LIMIT, &body, error);

    if (fits <= 0) {
        return fits < 0 ? -1
                        : upstream_fail(upstream, error, ERROR_UPSTREAM, "has too long a list");
    }
    document = (struct document){body.data, body.length, NULL};
    if (!listing->add(&collection->entries, &document)) {
        return upstream_fail(upstream, error, ERROR_UPSTREAM, "sent no list of %s", listing->what);
    }
    collection->length += body.length;
    return 0;
}

static int listing_fetch_page(const struct listing *listing, struct collection *collection,
                              struct error *error)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    struct report *report = listing->proxied->report;
    struct question question = {.method = "GET",
                                .repository = listing->proxied->name,
                                .accept = listing->accept,
                                .limit = LIST_LIMIT};
    int found;

    buffer_add(&rest, collection->next.data, collection->next.length);
    question.rest = rest.data;
    question.deadline = collection->deadline;
    found = fetcher_ask(&listing->proxied->upstream, &question, &answer, report, error);
    if (found <= 0) {
        return found;
    }
    collection->deadline = answer.request.deadline;
    if (listing_read_page(listing, &answer, collection, error) < 0) {
        report_failure(report, listing->proxied->upstream.name, answer.transfer.status,
                       error->message);
        return -1;
    }
    if (!listing_find_next(listing, &answer.transfer, &collection->next)) {
        buffer_clear(&collection->next);
    }
    return 1;
}

static int listing_fetch_pages(const struct listing *listing, struct collection *collection,
                               struct error *error)
{
    int found = 1;

    buffer_add_text(&collection->next, listing->rest);
    for (int i = 0; i < LIST_PAGES && found > 0 && collection->next.length > 0 &&
                    collection->length < LIST_LIMIT;
         i++) {
        found = listing_fetch_page(listing, collection, error);
    }
    return found;
}

/*
 * Registries without the API keep an index under a tag ("Referrers Tag Schema"); where that is no
 * index, or is not there, there are no referrers.
 */
static int listing_fetch_fallback(const struct listing *listing, struct collection *collection,
                                  struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest index = STORED_MANIFEST_INIT;
    char tag[TAG_SIZE];
    int found;

    referrers_fallback_tag(listing->subject, tag);
    found = proxy_get_manifest(listing->proxied, tag, false, &index, error);
    if (found > 0) {
        struct document document = stored_manifest_document(&index);

        (void)listing->add(&collection->entries, &document);
    }
    return found < 0 ? -1 : 1;
}

static int listing_fetch(struct listing *listing, struct error *error)
{
    struct collection collection = {.entries = NAMES_INIT, .next = BUFFER_INIT};
    int found = listing_fetch_pages(listing, &collection, error);

    if (found == 0 && listing->subject) {
        found = listing_fetch_fallback(listing, &collection, error);
    }
    if (found > 0) {
        buffer_clear(&listing->entries);
        entries_join(&collection.entries, MEMO_LIMIT, &listing->entries);
    }
    names_release(&collection.entries);
    buffer_release(&collection.next);
    return found;
}

/* What was kept, whatever its age. */
static bool listing_recall(struct listing *listing, const struct digest *key, uint64_t *out_age)
{
    buffer_clear(&listing->entries);
    return flight_recall(listing->proxied, key, &listing->entries, out_age);
}

static bool listing_recall_fresh(struct listing *listing, const struct digest *key)
{
    uint64_t age;

    return listing_recall(listing, key, &age) && age < listing->proxied->upstream.options->tag_ttl;
}

static int listing_read(struct listing *listing, struct error *error)
{
    const struct proxied *proxied = listing->proxied;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_BUFFER struct buffer subject = BUFFER_INIT;
    struct digest key;
    struct error ignored;
    uint64_t age;
    int found;

    buffer_format(&subject, "entries of %s", listing->rest);
    flight_key(proxied, subject.data, &key);
    if (listing_recall_fresh(listing, &key)) {
        return 1;
    }
    if (!proxied->may_wait) {
        return error_set(error, ERROR_WOULD_WAIT, "the upstream has to be asked");
    }
    if (flight_begin(proxied, &key, 0, &lock, error) < 0) {
        return -1;
    }
    if (listing_recall_fresh(listing, &key)) {
        return 1;
    }
    found = listing_fetch(listing, error);
    if (found > 0) {
        (void)flight_keep(proxied, &key, &listing->entries, &ignored);
    } else if (found < 0 && listing_recall(listing, &key, &age)) {
        report_warn(proxied->report, "served from the cache, ", error);
        found = 1;
    }
    return found;
}

int proxy_list_tags(struct proxied *proxied, const struct page *page, struct names *out,
                    struct error *error)
{
    struct listing listing = {.proxied = proxied,
                              .what = "tags",
                              .rest = "tags/list",
                              .add = entries_add_tags,
                              .entries = BUFFER_INIT};
    int found = listing_read(&listing, error);
    int more = found > 0 ? entries_page_tags(&listing.entries, page, out) : 0;

    buffer_release(&listing.entries);
    if (found < 0 && error->code != ERROR_WOULD_WAIT) {
        struct error ignored;

        more = tag_list(&proxied->repository, page, out, &ignored);
        if (more >= 0 && out->count > 0) {
            report_warn(proxied->report, "only what is in the cache: ", error);
            return more;
        }
    }
    if (found == 0) {
        return error_set(error, ERROR_NAME_UNKNOWN, "repository unknown to the upstream");
    }
    return found < 0 ? -1 : more;
}

int proxy_list_referrers(struct proxied *proxied, const struct referrers_query *query,
                         struct buffer *out, struct digest *out_last, struct error *error)
{
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    struct listing listing = {.proxied = proxied,
                              .what = "referrers",
                              .accept = MEDIA_TYPE_OCI_INDEX,
                              .add = entries_add_referrers,
                              .subject = &query->subject,
                              .entries = BUFFER_INIT};
    struct error local = ERROR_INIT;
    int found;
    int more = 0;

    buffer_format(&rest, "referrers/%s", query->subject.text);
    listing.rest = rest.data;
    found = listing_read(&listing, error);
    if (found < 0 && error->code == ERROR_WOULD_WAIT) {
        return -1;
    }
    if (found > 0 && listing.entries.length > 0) {
        more = entries_page_referrers(&listing.entries, query, out, out_last);
    } else {
        more = referrers_list(&proxied->repository, query, out, out_last, &local);
    }
    buffer_release(&listing.entries);
    if (more < 0) {
        *error = local;
    } else if (found < 0 && out->length > 0) {
        report_warn(proxied->report, "only what is in the cache: ", error);
    } else if (found < 0) {
        return -1;
    }
    return more;
}
