/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ENTRIES_H
#define PROXY_ENTRIES_H

/*
 * A list of another registry's as it is kept: an entry a line, sorted by the bytes, each once. Who
 * has asked makes it of the documents that came: entries_add_…() for each, then entries_join(). Who
 * serves it compares bytes and parses nothing, so that what strangers have written, megabytes of
 * it, costs a worker no more than reading it.
 *
 *   tags       TAG
 *   referrers  DIGEST TYPE DESCRIPTOR; the type is percent-encoded, and empty if there is none
 */

#include "lib/oci/document.h"
#include "lib/store/referrers.h"

/* Add what a page has. False if it is no such list; what is no tag or has no digest is left out. */
bool entries_add_tags(struct names *entries, const struct document *page);
bool entries_add_referrers(struct names *entries, const struct document *page);

/* Sorts them, and writes the first of each tag or digest; leaves out what does not fit
 * into `limit` bytes. */
void entries_join(struct names *entries, size_t limit, struct buffer *out);

/* As tag_list() and referrers_list(). 1 if there is more behind the page, 0. */
int entries_page_tags(const struct buffer *entries, const struct page *page, struct names *out);
int entries_page_referrers(const struct buffer *entries, const struct referrers_query *query,
                           struct buffer *out, struct digest *out_last);

#endif
