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
 */
int filler_run(const struct fill *fill, struct error *error);

#endif
