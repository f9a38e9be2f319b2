/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/authorization.h"

#include <string.h>
#include <strings.h>

#include "lib/http/base64.h"

static bool authorization_is_plain(const struct buffer *text)
{
    for (size_t i = 0; i < text->length; i++) {
        if ((unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool authorization_read_basic(struct authorization *out, const char *text, size_t length)
{
    char *colon;

    if (!base64_decode(BASE64_PADDED, text, length, &out->text) ||
        !authorization_is_plain(&out->text)) {
        return false;
    }
    colon = strchr(out->text.data, ':');
    if (!colon) {
        return false;
    }
    *colon = '\0';
    out->user = out->text.data;
    out->password = colon + 1;
    if (*out->user || *out->password) {
        out->scheme = AUTHORIZATION_BASIC;
    }
    return true;
}

/* RFC 9110, 11.2: token68. */
static bool authorization_is_token(const char *text, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._~+/";
    size_t count = strspn(text, letters);

    return count > 0 && count + strspn(text + count, "=") == length;
}

static bool authorization_read_bearer(struct authorization *out, const char *text, size_t length)
{
    if (!authorization_is_token(text, length)) {
        return false;
    }
    buffer_add(&out->text, text, length);
    out->token = out->text.data;
    out->scheme = AUTHORIZATION_BEARER;
    return true;
}

bool authorization_parse(struct authorization *out, const char *field)
{
    static const struct {
        const char *name;
        bool (*read)(struct authorization *out, const char *text, size_t length);
    } schemes[] = {{"Basic", authorization_read_basic}, {"Bearer", authorization_read_bearer}};
    size_t length = field ? strnlen(field, AUTHORIZATION_LIMIT + 1) : 0;
    size_t word = length > 0 ? strcspn(field, " ") : 0;

    if (length == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        if (length <= AUTHORIZATION_LIMIT && word == strlen(schemes[i].name) &&
            strncasecmp(field, schemes[i].name, word) == 0) {
            size_t begin = word + strspn(field + word, " ");

            if (schemes[i].read(out, field + begin, length - begin)) {
                return true;
            }
        }
    }
    authorization_release(out);
    return false;
}

void authorization_release(struct authorization *authorization)
{
    buffer_wipe(&authorization->text);
    *authorization = (struct authorization)AUTHORIZATION_INIT;
}
