/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/document.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

enum {
    VALUE_LIMIT = 300000,
    DEPTH_LIMIT = 32, /* of what has to be unambiguous */
};

struct scan {
    const unsigned char *cursor;
    const unsigned char *end;
};

static bool scan_is_continuation(const struct scan *scan, size_t offset)
{
    return (size_t)(scan->end - scan->cursor) > offset && (scan->cursor[offset] & 0xc0) == 0x80;
}

/* Steps over one character of UTF-8 (RFC 3629: no overlong forms, no surrogates). */
static bool scan_skip_character(struct scan *scan)
{
    unsigned char first = scan->cursor[0];
    unsigned char second = scan_is_continuation(scan, 1) ? scan->cursor[1] : 0;
    size_t length = 0;

    if (first < 0x80) {
        length = 1;
    } else if (first >= 0xc2 && first <= 0xdf && second) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef && second && scan_is_continuation(scan, 2)) {
        bool overlong = first == 0xe0 && second < 0xa0;
        bool surrogate = first == 0xed && second >= 0xa0;

        length = overlong || surrogate ? 0 : 3;
    } else if (first >= 0xf0 && first <= 0xf4 && second && scan_is_continuation(scan, 2) &&
               scan_is_continuation(scan, 3)) {
        bool overlong = first == 0xf0 && second < 0x90;
        bool beyond = first == 0xf4 && second >= 0x90;

        length = overlong || beyond ? 0 : 4;
    }
    scan->cursor += length;
    return length > 0;
}

/* From behind the opening quote to behind the closing one. The parser looks at the escapes. */
static bool scan_skip_string(struct scan *scan)
{
    while (scan->cursor < scan->end) {
        unsigned char c = *scan->cursor;

        if (c == '"') {
            scan->cursor++;
            return true;
        }
        if (c < 0x20) {
            return false;
        }
        if (c == '\\') {
            scan->cursor++;
            /* An encoded NUL would end the text for us, and not for others. */
            if (scan->cursor == scan->end || *scan->cursor < 0x20 ||
                (scan->end - scan->cursor >= 5 && memcmp(scan->cursor, "u0000", 5) == 0)) {
                return false;
            }
        }
        if (!scan_skip_character(scan)) {
            return false;
        }
    }
    return false;
}

static bool scan_skip_digits(struct scan *scan)
{
    const unsigned char *begin = scan->cursor;

    while (scan->cursor < scan->end && *scan->cursor >= '0' && *scan->cursor <= '9') {
        scan->cursor++;
    }
    return scan->cursor > begin;
}

static bool scan_is_at(const struct scan *scan, const char *characters)
{
    return scan->cursor < scan->end && *scan->cursor && strchr(characters, *scan->cursor);
}

static bool scan_skip_number(struct scan *scan)
{
    const unsigned char *begin;

    if (scan_is_at(scan, "-")) {
        scan->cursor++;
    }
    begin = scan->cursor;
    if (!scan_skip_digits(scan) || (*begin == '0' && scan->cursor - begin > 1)) {
        return false;
    }
    if (scan_is_at(scan, ".")) {
        scan->cursor++;
        if (!scan_skip_digits(scan)) {
            return false;
        }
    }
    if (scan_is_at(scan, "eE")) {
        scan->cursor++;
        if (scan_is_at(scan, "+-")) {
            scan->cursor++;
        }
        if (!scan_skip_digits(scan)) {
            return false;
        }
    }
    return !scan_is_at(scan, "+-.0123456789eE");
}

bool document_is_strict(const struct document *document)
{
    struct scan scan = {(const unsigned char *)document->bytes,
                        (const unsigned char *)document->bytes + document->length};
    size_t values = 0;

    while (scan.cursor < scan.end) {
        bool good = true;

        if (scan_is_at(&scan, "\"")) {
            scan.cursor++;
            good = scan_skip_string(&scan);
        } else if (scan_is_at(&scan, "-0123456789")) {
            good = scan_skip_number(&scan);
        } else if (scan_is_at(&scan, " \t\r\n{}[]:,truefalsn")) {
            values += scan_is_at(&scan, ",[{");
            scan.cursor++;
        } else {
            good = false;
        }
        if (!good || values > VALUE_LIMIT) {
            return false;
        }
    }
    return true;
}

void document_object_delete(struct cJSON **object)
{
    cJSON_Delete(*object);
}

struct cJSON *document_object(const struct document *document)
{
    const char *end = NULL;
    AUTO_JSON cJSON *root = NULL;

    if (!document_is_strict(document)) {
        return NULL;
    }
    root = cJSON_ParseWithLengthOpts(document->bytes, document->length, &end, 0);
    if (!cJSON_IsObject(root)) {
        return NULL;
    }
    for (; end < document->bytes + document->length; end++) {
        if (!strchr(" \t\r\n", *end) || *end == '\0') {
            return NULL;
        }
    }
    return steal_pointer(&root);
}

bool document_text_member(const struct document *document, const char *name, struct buffer *out)
{
    AUTO_JSON cJSON *root = document_object(document);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, name));

    if (!text || !*text) {
        return false;
    }
    buffer_add_text(out, text);
    return true;
}

bool document_number_member(const struct document *document, const char *name, uint64_t *out_number)
{
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 1e15) ||
        item->valuedouble > (double)(uint64_t)item->valuedouble) {
        return false;
    }
    *out_number = (uint64_t)item->valuedouble;
    return true;
}

bool document_text_list(const struct document *document, const char *name, struct names *out_texts)
{
    AUTO_NAMES struct names texts = NAMES_INIT;
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, name);
    const cJSON *item;

    if (!cJSON_IsArray(list) && !cJSON_IsNull(list)) {
        return false;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item)) {
            return false;
        }
        names_add(&texts, item->valuestring);
    }
    *out_texts = texts;
    texts = (struct names)NAMES_INIT;
    return true;
}

bool document_object_list(const struct document *document, const char *name,
                          struct names *out_objects)
{
    AUTO_NAMES struct names objects = NAMES_INIT;
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, name);
    const cJSON *item;

    if (!cJSON_IsArray(list) && !cJSON_IsNull(list)) {
        return false;
    }
    cJSON_ArrayForEach(item, list)
    {
        AUTO_FREE char *text = cJSON_PrintUnformatted(item);

        if (!cJSON_IsObject(item) || !text) {
            return false;
        }
        names_add(&objects, text);
    }
    *out_objects = objects;
    objects = (struct names)NAMES_INIT;
    return true;
}

bool document_object_member(const struct document *document, const char *name, struct buffer *out)
{
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    AUTO_FREE char *text = cJSON_IsObject(item) ? cJSON_PrintUnformatted(item) : NULL;

    if (text) {
        buffer_add_text(out, text);
    }
    return text != NULL;
}

bool document_has_member(const struct document *document, const char *name)
{
    AUTO_JSON cJSON *root = document_object(document);

    return cJSON_GetObjectItemCaseSensitive(root, name) != NULL;
}

/* Numbers as JSON writes whole ones that a double holds exactly. */
static bool document_add_word(const cJSON *item, struct names *out)
{
    AUTO_BUFFER struct buffer word = BUFFER_INIT;

    if (cJSON_IsString(item)) {
        buffer_add_text(&word, item->valuestring);
    } else if (cJSON_IsBool(item)) {
        buffer_add_text(&word, cJSON_IsTrue(item) ? "true" : "false");
    } else if (cJSON_IsNumber(item) && item->valuedouble > -1e15 && item->valuedouble < 1e15 &&
               !(item->valuedouble > (double)(int64_t)item->valuedouble) &&
               !(item->valuedouble < (double)(int64_t)item->valuedouble)) {
        buffer_format(&word, "%" PRId64, (int64_t)item->valuedouble);
    } else {
        return false;
    }
    names_add(out, word.data);
    return true;
}

bool document_words(const struct document *document, const char *name, struct names *out_words)
{
    AUTO_NAMES struct names words = NAMES_INIT;
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(root, name);
    const cJSON *item;

    if (!cJSON_IsArray(member) && !document_add_word(member, &words)) {
        return false;
    }
    if (cJSON_IsArray(member)) {
        cJSON_ArrayForEach(item, member)
        {
            if (!document_add_word(item, &words)) {
                return false;
            }
        }
    }
    *out_words = words;
    words = (struct names)NAMES_INIT;
    return true;
}

/* Level by level, without calling itself: how deep it goes is the writer's choice. */
bool document_is_unambiguous(const struct document *document)
{
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *parents[DEPTH_LIMIT] = {root};
    size_t depth = 0;
    const cJSON *item = root ? root->child : NULL;

    if (!root) {
        return false;
    }
    for (;;) {
        for (const cJSON *other = item ? item->next : NULL; other; other = other->next) {
            if (item->string && other->string && strcmp(item->string, other->string) == 0) {
                return false;
            }
        }
        if (item && item->child) {
            if (depth + 1 == DEPTH_LIMIT) {
                return false;
            }
            parents[++depth] = item;
            item = item->child;
            continue;
        }
        while (!item || !item->next) {
            if (depth == 0) {
                return true;
            }
            item = parents[depth--];
        }
        item = item->next;
    }
}

bool document_error_message(const struct document *document, struct buffer *out)
{
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(root, "errors"), 0);
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(first, "code"));
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(first, "message"));

    if (!code && !text) {
        return false;
    }
    buffer_format(out, "%s%s%s", code ? code : "", code && text ? ": " : "", text ? text : "");
    return true;
}
