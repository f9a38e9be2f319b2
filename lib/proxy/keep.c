/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/keep.h"

void keep_release(struct keep *keep)
{
    buffer_release(&keep->before);
    buffer_release(&keep->now);
}

int keep_begin(struct keep *keep, struct store *cache, const struct kept_image *image,
               struct error *error)
{
    keep_release(keep);
    keep->cache = cache;
    keep->image = *image;
    return keep->is_wanted && kept_read(cache, image, &keep->before, error) < 0 ? -1 : 0;
}

int keep_manifest(struct keep *keep, const struct digest *digest, const struct manifest *manifest,
                  struct error *error)
{
    AUTO_BUFFER struct buffer both = BUFFER_INIT;

    if (!keep->is_wanted) {
        return 0;
    }
    buffer_format(&keep->now, "%s\n", digest->text);
    for (size_t i = 0; i < manifest->reference_count; i++) {
        const struct reference *reference = &manifest->references[i];

        if (reference->kind == REFERENCE_BLOB && !reference->elsewhere) {
            buffer_format(&keep->now, "%s\n", reference->digest.text);
        }
    }
    buffer_add(&both, keep->before.data, keep->before.length);
    buffer_add(&both, keep->now.data, keep->now.length);
    return kept_write(keep->cache, &keep->image, &both, error);
}

int keep_end(struct keep *keep, struct error *error)
{
    return keep->is_wanted ? kept_write(keep->cache, &keep->image, &keep->now, error) : 0;
}
