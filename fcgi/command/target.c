/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/target.h"

#include <string.h>

#include "lib/base/text.h"

bool target_parse(struct target *out, const char *text)
{
    struct target target = {.name = ""};
    const char *at = strchr(text, '@');
    const char *end = at ? at : text + strlen(text);
    const char *colon = memchr(text, ':', (size_t)(end - text));
    struct error ignored;

    if (!text_copy(target.name, sizeof(target.name), text,
                   (size_t)((colon ? colon : end) - text)) ||
        !name_is_valid(target.name)) {
        return false;
    }
    if (colon &&
        (!text_copy(target.tag, sizeof(target.tag), colon + 1, (size_t)(end - colon - 1)) ||
         !tag_is_valid(target.tag))) {
        return false;
    }
    if (at && digest_parse(&target.digest, at + 1, &ignored) < 0) {
        return false;
    }
    *out = target;
    return true;
}
