/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/conditions.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

static void conditions_add(struct digest_set *set, const char *tag, size_t length)
{
    char text[DIGEST_TEXT_SIZE];
    struct digest digest;
    struct error ignored;

    if (length >= sizeof(text)) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)length, tag);
    if (digest_parse(&digest, text, &ignored) == 0) {
        digest_set_add(set, &digest);
    }
}

void conditions_parse(const char *field, struct digest_set *out)
{
    const char *item;
    size_t length;

    while (text_next_item(&field, ',', &item, &length)) {
        if (length == 1 && *item == '*') {
            out->any = true;
        }
        if (length > 2 && strncmp(item, "W/", 2) == 0) {
            item += 2;
            length -= 2;
        }
        if (length >= 2 && item[0] == '"' && item[length - 1] == '"') {
            item++;
            length -= 2;
        }
        conditions_add(out, item, length);
    }
}
