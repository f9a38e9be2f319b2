/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/oci/document.h"

enum { DOCUMENT_LIMIT = 64 * 1024 };

/* What is passed on as JSON of its own has to be that. */
static void check_json(const char *text)
{
    struct document document = {text, strlen(text), NULL};
    AUTO_BUFFER struct buffer ignored = BUFFER_INIT;

    CHECK(text[0] == '{' && !strpbrk(text, "\r\n"));
    CHECK(document_is_strict(&document));
    (void)document_text_member(&document, "digest", &ignored);
}

/* Of token services. */
static void check_token(const struct document *document, bool is_strict)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    uint64_t number = 42;

    if (document_text_member(document, "token", &text)) {
        CHECK(is_strict && text.length > 0 && strlen(text.data) == text.length);
    }
    if (!document_number_member(document, "expires_in", &number)) {
        CHECK(number == 42);
    } else {
        CHECK(is_strict && number <= 1ULL << 53);
    }
    CHECK(!document_error_message(document, &message) || is_strict);
}

/* Of lists of tags and referrers. */
static void check_lists(const struct document *document, bool is_strict)
{
    AUTO_NAMES struct names tags = NAMES_INIT;
    AUTO_NAMES struct names descriptors = NAMES_INIT;
    AUTO_BUFFER struct buffer object = BUFFER_INIT;

    CHECK(!document_text_list(document, "tags", &tags) || is_strict);
    CHECK(!document_object_list(document, "manifests", &descriptors) || is_strict);
    for (size_t i = 0; i < descriptors.count; i++) {
        check_json(descriptors.names[i]);
    }
    if (document_object_member(document, "annotations", &object)) {
        CHECK(is_strict);
        check_json(object.data);
    }
}

/* What upstreams and token services answer, besides manifests. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct document document = {.content_type = NULL};
    bool is_strict;
    char *text;

    if (size > DOCUMENT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    document.bytes = text;
    document.length = size;
    is_strict = document_is_strict(&document);
    check_token(&document, is_strict);
    check_lists(&document, is_strict);
    free(text);
    return 0;
}
