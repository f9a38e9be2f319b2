/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/oci/image.h"

static void check_image(const char *text, bool has_host)
{
    struct image image;
    struct image again;
    struct digest digest;
    struct error error = ERROR_INIT;
    char whole[3 * NAME_SIZE];

    if (image_parse(&image, text, has_host, &error) < 0) {
        CHECK(error.code == ERROR_NAME_INVALID || error.code == ERROR_DIGEST_INVALID);
        return;
    }
    CHECK(*image.host && !strchr(image.host, '/'));
    CHECK(name_is_valid(image.name));
    if (strchr(image.reference, ':')) {
        CHECK(digest_parse(&digest, image.reference, &error) == 0);
        (void)snprintf(whole, sizeof(whole), "%s/%s@%s", image.host, image.name, image.reference);
    } else {
        CHECK(tag_is_valid(image.reference));
        (void)snprintf(whole, sizeof(whole), "%s/%s:%s", image.host, image.name, image.reference);
    }
    /* Written in full it is the same image. */
    CHECK(image_parse(&again, whole, true, &error) == 0);
    CHECK(strcmp(again.host, image.host) == 0 && strcmp(again.name, image.name) == 0 &&
          strcmp(again.reference, image.reference) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    check_image(text, false);
    check_image(text, true);
    free(text);
    return 0;
}
