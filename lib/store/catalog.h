/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

/*
 * The repositories of a store that have at least one manifest, in the order of their names' bytes.
 * The tree is walked each time and left as soon as the page is full.
 */

#include "lib/store/tag.h"

/* 1 if there are more behind the page; 0; -1. */
int catalog_list(struct store *store, const struct page *page, struct names *out,
                 struct error *error);

/* Every repository, also those without manifests. */
int catalog_all(struct store *store, struct names *out, struct error *error);

/*
 * A repository that has this blob, for a mount that does not say from where. 1, 0, -1. Looks into
 * one repository after the other: for rare use.
 */
int catalog_find_blob(struct store *store, const struct digest *digest, char out_name[NAME_SIZE],
                      struct error *error);

#endif
