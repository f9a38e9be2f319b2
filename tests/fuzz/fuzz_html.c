/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "fcgi/page/html.h"
#include "fcgi/page/place.h"
#include "lib/oci/description.h"

/* What was written has nothing of a tag or the end of an attribute in it, and is UTF-8 without
 * controls. */
static void check_harmless(struct html *html, const char *allowed)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;

    html_take(html, &bytes);
    CHECK(strlen(bytes.data) == bytes.length);
    for (const char *c = bytes.data; *c; c++) {
        CHECK(!strchr("<>\"'", *c) || strchr(allowed, *c));
        CHECK((unsigned char)*c >= 0x20 || *c == '\n' || *c == '\t');
        CHECK(*c != 0x7f);
    }
    for (const char *c = strchr(bytes.data, '&'); c; c = strchr(c + 1, '&')) {
        size_t length = strcspn(c, ";");

        CHECK(length >= 3 && length <= 5 && c[length] == ';');
    }
}

static void check_description(const char *text, size_t size)
{
    AUTO_DESCRIPTION struct description description = DESCRIPTION_INIT;
    AUTO_IMAGE_CONFIG struct image_config config = IMAGE_CONFIG_INIT;
    struct document document = {.bytes = text, .length = size};

    if (description_read(&description, &document, MEDIA_TYPE_OCI_INDEX)) {
        CHECK(description.part_count <= DESCRIPTION_PARTS);
        CHECK(description.annotations.count <= (size_t)2 * DESCRIPTION_WORDS);
        CHECK(description.annotations.count % 2 == 0);
    }
    if (image_config_read(&config, &document)) {
        CHECK(config.user && config.platform && config.created && config.stop_signal);
        CHECK(config.step_count <= DESCRIPTION_PARTS && config.labels.count % 2 == 0);
    }
}

static void check_place(const char *text)
{
    struct place place;

    if (place_parse(text, "/", &place)) {
        CHECK(!*place.name || name_is_valid(place.name));
        CHECK(place.kind != PLACE_IMAGE || place.is_digest || tag_is_valid(place.reference));
        CHECK(place.kind != PLACE_REPOSITORY || *place.name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_HTML struct html html = HTML_INIT;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    html_text(&html, text);
    check_harmless(&html, "");
    html_attribute(&html, text);
    check_harmless(&html, "");
    html_path(&html, text);
    check_harmless(&html, "");
    html_argument(&html, text);
    check_harmless(&html, "");
    if (html_url(&html, text)) {
        CHECK(strncasecmp(text, "http", 4) == 0);
    }
    check_harmless(&html, "");
    html_foreign(&html, text, 20);
    check_harmless(&html, "<>");
    check_place(text);
    check_description((const char *)data, size);
    free(text);
    return 0;
}
