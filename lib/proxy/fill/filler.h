/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_FILLER_H
#define PROXY_FILL_FILLER_H

/* The process that downloads one blob: see lib/proxy/proxy.h for when, and
 * lib/proxy/fill/fill for what it leaves where. */

#include "lib/proxy/fill/partial.h"

/*
 * Downloads the blob into the cache. Breaks are resumed where they happened, as long as bytes keep
 * coming. On failure the reason has been written for the readers. Only for who holds the fetch's
 * lock, after partial_prepare(). What it has made a blob is then among lib/proxy/fill/unsynced.
 *
 * `giver` is a descriptor that somebody waits for the end of, or -1: it is closed, and becomes -1,
 * when the blob turns out to be larger than FILL_SMALL, and its size has been written down.
 */
int filler_run(const struct fill *fill, int *giver, struct error *error);

#endif
