/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_PUT_BACK_H
#define STORE_PUT_BACK_H

#include "lib/store/restore.h"

/*
 * A tag becomes what it was before: a manifest that its history has (lib/store/history), which
 * comes back with all that it needs, whether it was deleted or collected. The tag may have been
 * deleted, too. Its history tells of it. 0 if it stands for that already. ERROR_MANIFEST_UNKNOWN:
 * it never did, as far as is known, or the manifest is nowhere any more.
 * ERROR_MANIFEST_BLOB_UNKNOWN: what that needs is not. ERROR_TAG_IMMUTABLE, ERROR_DENIED: see
 * tag_judge(). Then the tag is what it is.
 */
int put_back_tag(struct restoration *restoration, const char *tag, const struct digest *digest,
                 struct error *error);

#endif
