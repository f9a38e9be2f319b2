/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/entries.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/oci/name.h"

bool entries_add_tags(struct names *entries, const struct document *page)
{
    AUTO_NAMES struct names tags = NAMES_INIT;

    if (!document_text_list(page, "tags", &tags)) {
        return false;
    }
    for (size_t i = 0; i < tags.count; i++) {
        if (tag_is_valid(tags.names[i])) {
            names_add(entries, tags.names[i]);
        }
    }
    return true;
}

static void entries_add_referrer(struct names *entries, const char *descriptor)
{
    struct document document = {descriptor, strlen(descriptor), NULL};
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    AUTO_BUFFER struct buffer entry = BUFFER_INIT;
    struct digest digest;
    struct error ignored;

    if (!document_text_member(&document, "digest", &text) ||
        digest_parse(&digest, text.data, &ignored) < 0) {
        return;
    }
    buffer_format(&entry, "%s ", digest.text);
    if (document_text_member(&document, "artifactType", &type)) {
        text_percent_encode(type.data, &entry);
    }
    buffer_format(&entry, " %s", descriptor);
    names_add(entries, entry.data);
}

bool entries_add_referrers(struct names *entries, const struct document *page)
{
    AUTO_NAMES struct names descriptors = NAMES_INIT;

    if (!document_object_list(page, "manifests", &descriptors)) {
        return false;
    }
    for (size_t i = 0; i < descriptors.count; i++) {
        entries_add_referrer(entries, descriptors.names[i]);
    }
    return true;
}

/* Up to the first space, or the end. */
static bool entry_is_twin(const char *left, const char *right)
{
    size_t length = strcspn(left, " ");

    return length == strcspn(right, " ") && memcmp(left, right, length) == 0;
}

void entries_join(struct names *entries, size_t limit, struct buffer *out)
{
    names_sort(entries);
    for (size_t i = 0; i < entries->count; i++) {
        size_t length = strlen(entries->names[i]);

        if (i > 0 && entry_is_twin(entries->names[i], entries->names[i - 1])) {
            continue;
        }
        if (out->length + length + 1 > limit) {
            continue;
        }
        buffer_add(out, entries->names[i], length);
        buffer_add(out, "\n", 1);
    }
}

/* Whether a key is not behind `last`. */
static bool key_is_done(const char *key, size_t length, const char *last)
{
    size_t other = last ? strlen(last) : 0;
    int order = memcmp(key, last ? last : "", length < other ? length : other);

    return other > 0 && (order < 0 || (order == 0 && length <= other));
}

int entries_page_tags(const struct buffer *entries, const struct page *page, struct names *out)
{
    const char *cursor = entries->data;
    const char *line;
    size_t length;

    while (text_next_item(&cursor, '\n', &line, &length)) {
        AUTO_BUFFER struct buffer tag = BUFFER_INIT;

        if (key_is_done(line, length, page->last)) {
            continue;
        }
        if (out->count == page->limit) {
            return 1;
        }
        buffer_add(&tag, line, length);
        names_add(out, tag.data);
    }
    return 0;
}

/* A line as it is kept, taken apart; nothing of it is copied. */
struct entry {
    const char *digest;
    size_t digest_length;
    const char *type;
    size_t type_length;
    const char *descriptor;
    size_t descriptor_length;
};

/* False for a line that is none of ours. */
static bool entry_read(struct entry *out, const char *line, size_t length)
{
    const char *first = memchr(line, ' ', length);
    const char *second = first ? memchr(first + 1, ' ', length - (size_t)(first + 1 - line)) : NULL;

    if (!second) {
        return false;
    }
    *out = (struct entry){line,       (size_t)(first - line),
                          first + 1,  (size_t)(second - first) - 1,
                          second + 1, length - (size_t)(second + 1 - line)};
    return true;
}

static bool entry_has_type(const struct entry *entry, const struct buffer *type)
{
    return entry->type_length == type->length && memcmp(entry->type, type->data, type->length) == 0;
}

int entries_page_referrers(const struct buffer *entries, const struct referrers_query *query,
                           struct buffer *out, struct digest *out_last)
{
    const char *cursor = entries->data;
    AUTO_BUFFER struct buffer type = BUFFER_INIT;
    struct entry last = {.digest = NULL};
    const char *line;
    size_t length;
    size_t listed = 0;
    int more = 0;

    if (query->artifact_type) {
        text_percent_encode(query->artifact_type, &type);
    }
    while (query->page.limit > 0 && text_next_item(&cursor, '\n', &line, &length)) {
        struct entry entry;

        if (!entry_read(&entry, line, length) ||
            key_is_done(entry.digest, entry.digest_length, query->page.last) ||
            (query->artifact_type && !entry_has_type(&entry, &type))) {
            continue;
        }
        if (listed > 0 && (listed == query->page.limit ||
                           out->length + entry.descriptor_length > REFERRERS_PAGE_BYTES)) {
            more = 1;
            break;
        }
        buffer_add_text(out, listed > 0 ? "," : "");
        buffer_add(out, entry.descriptor, entry.descriptor_length);
        last = entry;
        listed++;
    }
    if (more) {
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct error ignored;

        buffer_add(&text, last.digest, last.digest_length);
        more = digest_parse(out_last, text.data, &ignored) == 0;
    }
    return more;
}
