/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "fcgi/page/view.h"

/* The files beside this one, as they are: `name_begin`, and `name_end` behind their last byte. */
#define INCLUDE(name, file)                                                                        \
    __asm__(".section .rodata\n" #name "_begin:\n.incbin \"" file "\"\n" #name                     \
            "_end:\n.byte 0\n.previous\n");                                                        \
    extern const char name##_begin[] __attribute__((visibility("hidden")));                        \
    extern const char name##_end[] __attribute__((visibility("hidden")))

INCLUDE(asset_style, "fcgi/page/style.css");
INCLUDE(asset_script, "fcgi/page/script.js");
INCLUDE(asset_icon, "fcgi/page/icon.svg");

static const struct {
    const char *stem;
    const char *ending;
    const char *type;
    const char *begin;
    const char *end;
} assets[ASSET_COUNT] = {
    [ASSET_STYLE] = {"style", "css", "text/css; charset=utf-8", asset_style_begin, asset_style_end},
    [ASSET_SCRIPT] = {"script", "js", "text/javascript; charset=utf-8", asset_script_begin,
                      asset_script_end},
    [ASSET_ICON] = {"icon", "svg", "image/svg+xml", asset_icon_begin, asset_icon_end},
};

void asset_name(enum asset asset, char out[ASSET_NAME_SIZE])
{
    static char names[ASSET_COUNT][ASSET_NAME_SIZE]; /* made once */

    if (!names[asset][0]) {
        struct digest digest;

        digest_of(DIGEST_SHA256, assets[asset].begin,
                  (size_t)(assets[asset].end - assets[asset].begin), &digest);
        (void)snprintf(names[asset], ASSET_NAME_SIZE, "%s-%.12s.%s", assets[asset].stem,
                       strchr(digest.text, ':') + 1, assets[asset].ending);
    }
    memcpy(out, names[asset], ASSET_NAME_SIZE);
}

int page_asset(struct view *view, struct error *error)
{
    for (enum asset asset = ASSET_STYLE; asset < ASSET_COUNT; asset++) {
        char name[ASSET_NAME_SIZE];

        asset_name(asset, name);
        if (strcmp(view->place.rest, name) == 0) {
            view->type = assets[asset].type;
            view->is_for_ever = true;
            buffer_add(&view->bytes, assets[asset].begin,
                       (size_t)(assets[asset].end - assets[asset].begin));
            return 0;
        }
    }
    return error_set(error, ERROR_NOT_FOUND, "there is no such file");
}
