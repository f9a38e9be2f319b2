/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILLER_H
#define PROXY_FILLER_H

/* The process that downloads one blob: see lib/proxy/fill for what it leaves where. */

#include "lib/proxy/fill.h"

/*
 * Downloads the blob into the cache. Breaks are resumed where they happened, as long as bytes keep
 * coming. On failure the reason has been written for the readers.
 */
int filler_run(const struct fill *fill, struct error *error);

/* Reads what a filler has left as its failure. True if it gave up. */
bool filler_failure(const struct fill *fill, struct report *report, struct error *error);

struct path filler_place(const struct fill *fill, const char *what);

#endif
