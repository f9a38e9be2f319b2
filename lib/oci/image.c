/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/image.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

static bool looks_like_host(const char *text, size_t length)
{
    static const char local[] = "localhost";

    return memchr(text, '.', length) || memchr(text, ':', length) ||
           (length == strlen(local) && memcmp(text, local, length) == 0);
}

/* The tag, and the length of what is in front of it. */
static bool split_tag(const char *text, size_t *length, char out_tag[DIGEST_TEXT_SIZE])
{
    size_t colon = *length;

    while (colon > 0 && text[colon - 1] != '/' && text[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || text[colon - 1] != ':') {
        return text_copy(out_tag, DIGEST_TEXT_SIZE, "latest", strlen("latest"));
    }
    if (!text_copy(out_tag, DIGEST_TEXT_SIZE, text + colon, *length - colon)) {
        return false;
    }
    *length = colon - 1;
    return tag_is_valid(out_tag);
}

int image_parse(struct image *out_image, const char *text, bool has_host, struct error *error)
{
    struct image image;
    size_t length = strcspn(text, "@");
    size_t host = strcspn(text, "/");
    const char *given = text[length] == '@' ? text + length + 1 : NULL;
    struct digest digest;

    (void)snprintf(image.host, sizeof(image.host), "docker.io");
    if (host < length && (has_host || looks_like_host(text, host))) {
        if (host == 0 || !text_copy(image.host, sizeof(image.host), text, host)) {
            return error_set(error, ERROR_NAME_INVALID, "this is not the name of a host");
        }
        text += host + 1;
        length -= host + 1;
    } else if (has_host) {
        return error_set(error, ERROR_NAME_INVALID, "behind proxy/ come a host and a name");
    }
    if (!split_tag(text, &length, image.reference)) {
        return error_set(error, ERROR_NAME_INVALID, "this is not a tag");
    }
    if (given && digest_parse(&digest, given, error) < 0) {
        return -1;
    }
    if (given) {
        (void)snprintf(image.reference, sizeof(image.reference), "%s", digest.text);
    }
    if (!text_copy(image.name, sizeof(image.name), text, length) || !name_is_valid(image.name)) {
        return error_set(error, ERROR_NAME_INVALID, "this is not the name of an image");
    }
    *out_image = image;
    return 0;
}
