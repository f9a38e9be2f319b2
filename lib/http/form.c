/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/form.h"

#include <string.h>
#include <strings.h>

bool form_is_type(const char *content_type)
{
    static const char type[] = "application/x-www-form-urlencoded";
    size_t length = content_type ? strcspn(content_type, "; \t") : 0;

    return length == strlen(type) && strncasecmp(content_type, type, length) == 0;
}

bool form_parse(struct query *out, const char *body, size_t length)
{
    struct buffer text = BUFFER_INIT;
    bool parsed;

    buffer_clear(&out->pairs);
    if (length > FORM_LIMIT || memchr(body, '\0', length)) {
        return false;
    }
    /* Both grow no more, so that no copy of a password stays behind. */
    (void)buffer_reserve(&text, 3 * length);
    (void)buffer_reserve(&out->pairs, 2 * length + 2);
    for (size_t i = 0; i < length; i++) {
        if (body[i] == '+') {
            buffer_add_text(&text, "%20");
        } else {
            buffer_add(&text, &body[i], 1);
        }
    }
    parsed = query_parse(out, text.data);
    buffer_wipe(&text);
    return parsed;
}

void form_release(struct query *form)
{
    buffer_wipe(&form->pairs);
}
