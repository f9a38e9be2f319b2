/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/place.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

#define OWN_PREFIX "-/"
#define NAME_PREFIX "-/name/"

bool place_prefix_is_valid(const char *prefix)
{
    size_t length = strlen(prefix);

    return length > 0 && length < 128 && *prefix == '/' && prefix[length - 1] == '/' &&
           !strstr(prefix, "//") && !text_begins(prefix, "/v2/") && !strpbrk(prefix, "?#%\"<> ");
}

bool place_name_is_awkward(const char *name)
{
    static const char *const taken[] = {"v1", "v2", "registry", "robots.txt", "favicon.ico"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++) {
        size_t length = strlen(taken[i]);

        if (text_begins(name, taken[i]) && (name[length] == '\0' || name[length] == '/')) {
            return true;
        }
    }
    return false;
}

static bool parse_image(const char *path, const char *mark, struct place *out)
{
    struct digest digest;
    struct error ignored;

    out->kind = PLACE_IMAGE;
    out->is_digest = *mark == '@';
    if (!text_copy(out->name, sizeof(out->name), path, (size_t)(mark - path)) ||
        !text_copy(out->reference, sizeof(out->reference), mark + 1, strlen(mark + 1))) {
        return false;
    }
    return name_is_valid(out->name) &&
           (out->is_digest ? digest_parse(&digest, out->reference, &ignored) == 0
                           : tag_is_valid(out->reference));
}

/* What is named: a namespace, a repository or an image. */
static bool parse_name(const char *path, struct place *out)
{
    size_t length = strlen(path);
    const char *mark = strpbrk(path, ":@");

    if (mark) {
        return parse_image(path, mark, out);
    }
    out->kind = length > 0 && path[length - 1] != '/' ? PLACE_REPOSITORY : PLACE_FRONT;
    if (length > 0 && out->kind == PLACE_FRONT) {
        length--;
    }
    return text_copy(out->name, sizeof(out->name), path, length) &&
           (length == 0 ? *path == '\0' : name_is_valid(out->name));
}

static bool parse_own(const char *path, struct place *out)
{
    const char *slash = strchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : strlen(path);

    out->kind = PLACE_OWN;
    return text_copy(out->word, sizeof(out->word), path, length) &&
           text_copy(out->rest, sizeof(out->rest), slash ? slash + 1 : "",
                     slash ? strlen(slash + 1) : 0);
}

bool place_parse(const char *path, const char *prefix, struct place *out_place)
{
    struct place place = {.kind = PLACE_FRONT};
    bool is_good = true;

    if (strcmp(path, "/v1/search") == 0) {
        place.kind = PLACE_SEARCH;
    } else if (strcmp(path, "/v1/_ping") == 0) {
        place.kind = PLACE_PING;
    } else if (!text_begins(path, prefix)) {
        return false;
    } else {
        path += strlen(prefix);
        is_good = text_begins(path, NAME_PREFIX)  ? parse_name(path + strlen(NAME_PREFIX), &place)
                  : text_begins(path, OWN_PREFIX) ? parse_own(path + strlen(OWN_PREFIX), &place)
                                                  : parse_name(path, &place);
    }
    if (is_good) {
        *out_place = place;
    }
    return is_good;
}
