/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_HURT_H
#define STORE_HURT_H

/*
 * Whether what a tag stands for can be pulled whole: the manifest, its children, and all that these
 * name, as far as it has to be there. Nobody's bytes are read but those of manifests: which blobs
 * are damaged, the caller says.
 */

#include "lib/oci/digest_keys.h"
#include "lib/store/store.h"

/* 1, with the first thing that is damaged or not there; 0; -1. What lies more than some levels
 * deep, or behind thousands of manifests, is not looked at. */
int hurt_find(const struct repository *repository, const struct digest *manifest,
              struct digest_keys *damaged, struct digest *out_culprit, struct error *error);

#endif
