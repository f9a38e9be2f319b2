/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration.h"

#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

enum {
    FILE_LIMIT = 1024 * 1024,
    /* What Debian's inih takes; longer ones it would cut without a word. */
    LINE_LIMIT = 198,
    NAME_LIMIT = 49,
};

enum value_kind {
    VALUE_PATH,
    VALUE_BOOLEAN, /* yes or no */
    VALUE_BYTES,
    VALUE_SECONDS,
    VALUE_SPARSE,
};

struct key {
    const char *section;
    const char *name;
    enum value_kind kind;
    size_t offset; /* in struct configuration */
    const char *standard;
};

#define MEMBER(member) offsetof(struct configuration, member)

static const struct key keys[] = {
    {"", "registry_storage", VALUE_PATH, MEMBER(registry.hosted.root), "storage/registry"},
    {"", "temporary_registry_storage", VALUE_PATH, MEMBER(registry.hosted.temporary),
     "storage/_tmp"},
    {"", "proxy_storage", VALUE_PATH, MEMBER(proxy_storage), "storage/proxy"},
    {"hosted", "read_only", VALUE_BOOLEAN, MEMBER(registry.read_only), "no"},
    {"hosted", "minimum_free_space", VALUE_BYTES, MEMBER(registry.hosted.minimum_free_space), "1G"},
    {"hosted", "accept_sparse", VALUE_SPARSE, MEMBER(registry.hosted.accept_sparse), "index"},
    {"hosted", "maximum_manifest_size", VALUE_BYTES, MEMBER(registry.maximum_manifest_size), "4M"},
    {"hosted", "upload_expiry", VALUE_SECONDS, MEMBER(registry.hosted.upload_expiry), "7d"},
};

enum { KEY_COUNT = sizeof(keys) / sizeof(*keys) };

static const char *const sparse_names[] = {
    [SPARSE_NO] = "no",
    [SPARSE_INDEX] = "index",
    [SPARSE_ALL] = "all",
};

struct parse {
    struct configuration *configuration;
    const char *file;
    const char *cursor; /* what inih has not seen yet */
    unsigned line;      /* the number of the line that it sees now */
    bool seen[KEY_COUNT];
    struct error *error;
    bool failed;
};

static int complain(struct parse *parse, const char *what, const char *name)
{
    if (!parse->failed) {
        parse->failed = true;
        (void)error_set(parse->error, ERROR_INTERNAL, "%s:%u: %s '%s'", parse->file, parse->line,
                        what, name);
    }
    return 0;
}

/* Relative to the file, without links resolved: the directory need not exist yet. */
static char *absolute_path(const char *file, const char *value)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    if (*value != '/') {
        const char *slash = strrchr(file, '/');

        buffer_add(&path, file, (size_t)(slash - file) + 1);
    }
    buffer_add_text(&path, value);
    while (path.length > 1 && path.data[path.length - 1] == '/') {
        path.data[--path.length] = '\0';
    }
    return memory_text(path.data);
}

static bool set_sparse(enum accept_sparse *target, const char *value)
{
    for (int i = SPARSE_NO; i <= SPARSE_ALL; i++) {
        if (strcmp(value, sparse_names[i]) == 0) {
            *target = (enum accept_sparse)i;
            return true;
        }
    }
    return false;
}

static bool set_value(struct configuration *configuration, const struct key *key, const char *file,
                      const char *value)
{
    void *target = (char *)configuration + key->offset;

    switch (key->kind) {
    case VALUE_PATH:
        if (!*value) {
            return false;
        }
        free(*(char **)target);
        *(char **)target = absolute_path(file, value);
        return true;
    case VALUE_BOOLEAN:
        *(bool *)target = strcmp(value, "yes") == 0;
        return *(bool *)target || strcmp(value, "no") == 0;
    case VALUE_BYTES:
        return text_bytes(value, target);
    case VALUE_SECONDS:
        return text_seconds(value, target);
    case VALUE_SPARSE:
        return set_sparse(target, value);
    }
    return false;
}

static const char *expected(enum value_kind kind)
{
    switch (kind) {
    case VALUE_PATH:
        return "a path is expected, not";
    case VALUE_BOOLEAN:
        return "yes or no is expected, not";
    case VALUE_BYTES:
        return "a number of bytes such as 512, 64K, 4M, 1G is expected, not";
    case VALUE_SECONDS:
        return "a time such as 60s, 15m, 12h, 7d is expected, not";
    case VALUE_SPARSE:
        return "no, index or all is expected, not";
    }
    return "unexpected value";
}

/* inih's handler: 1 is good, 0 an error. */
static int take_value(void *user, const char *section, const char *name, const char *value)
{
    struct parse *parse = user;
    bool section_known = false;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) != 0) {
            continue;
        }
        section_known = true;
        if (strcmp(keys[i].name, name) != 0) {
            continue;
        }
        if (parse->seen[i]) {
            return complain(parse, "set twice, or followed by an indented line:", name);
        }
        parse->seen[i] = true;
        return set_value(parse->configuration, &keys[i], parse->file, value)
                   ? 1
                   : complain(parse, expected(keys[i].kind), value);
    }
    return section_known ? complain(parse, "unknown key", name)
                         : complain(parse, "unknown section", section);
}

/* Whether inih would cut this line, or a name in it. */
static bool is_too_long(const char *line, size_t length)
{
    const char *name = line + strspn(line, " \t");
    size_t end = *name == '[' ? strcspn(name + 1, "]\n") : strcspn(name, "=:\n");

    if (*name == ';' || *name == '#' || *name == '\n' || *name == '\0') {
        return false;
    }
    while (end > 0 && (name[end - 1] == ' ' || name[end - 1] == '\t')) {
        end--;
    }
    return length > LINE_LIMIT || end > NAME_LIMIT;
}

/* inih's reader, in the manner of fgets(). A comment may be of any length: it is not passed on. */
static char *next_line(char *out, int size, void *stream)
{
    struct parse *parse = stream;
    size_t length = strcspn(parse->cursor, "\n");
    bool skip;

    if (*parse->cursor == '\0' || parse->failed) {
        return NULL;
    }
    parse->line++;
    if (is_too_long(parse->cursor, length)) {
        (void)complain(parse, "this line, or a name in it, is too long (198 and 49 bytes)", "");
        return NULL;
    }
    skip = length > LINE_LIMIT;
    (void)snprintf(out, (size_t)size, "%.*s\n", skip ? 0 : (int)length, parse->cursor);
    parse->cursor += length;
    if (*parse->cursor == '\n') {
        parse->cursor++;
    }
    return out;
}

static int set_standards(struct configuration *configuration, struct error *error)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!set_value(configuration, &keys[i], configuration->file, keys[i].standard)) {
            return error_set(error, ERROR_INTERNAL, "the default of '%s' is bad", keys[i].name);
        }
    }
    return 0;
}

int configuration_read(struct configuration *out_configuration, const char *file,
                       struct error *error)
{
    AUTO_CONFIGURATION struct configuration read = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct parse parse = {.configuration = &read, .error = error};
    int result;

    read.file = realpath(file, NULL);
    if (!read.file) {
        return error_errno(error, "the configuration '%s'", file);
    }
    result = file_read(AT_FDCWD, read.file, FILE_LIMIT, &content, error);
    if (result <= 0) {
        return result < 0 ? -1 : error_errno(error, "the configuration '%s'", file);
    }
    if (strlen(content.data) != content.length) {
        return error_set(error, ERROR_INTERNAL, "%s: there is a NUL byte in it", read.file);
    }
    if (set_standards(&read, error) < 0) {
        return -1;
    }
    parse.file = read.file;
    parse.cursor = content.data;
    result = ini_parse_stream(next_line, &parse, take_value, &parse);
    if (parse.failed) {
        return -1;
    }
    if (result != 0) {
        return error_set(error, ERROR_INTERNAL, "%s:%d: neither a [section] nor key = value",
                         read.file, result);
    }
    *out_configuration = read;
    read = (struct configuration)CONFIGURATION_INIT;
    return 0;
}

void configuration_release(struct configuration *configuration)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind == VALUE_PATH) {
            free(*(char **)(void *)((char *)configuration + keys[i].offset));
        }
    }
    free(configuration->file);
    *configuration = (struct configuration)CONFIGURATION_INIT;
}

static void print_value(const struct configuration *configuration, const struct key *key,
                        struct buffer *out)
{
    const void *value = (const char *)configuration + key->offset;

    switch (key->kind) {
    case VALUE_PATH:
        buffer_add_text(out, *(char *const *)value);
        break;
    case VALUE_BOOLEAN:
        buffer_add_text(out, *(const bool *)value ? "yes" : "no");
        break;
    case VALUE_BYTES:
        buffer_format(out, "%" PRIu64, *(const uint64_t *)value);
        break;
    case VALUE_SECONDS:
        buffer_format(out, "%" PRIu64 "s", *(const uint64_t *)value);
        break;
    case VALUE_SPARSE:
        buffer_add_text(out, sparse_names[*(const enum accept_sparse *)value]);
        break;
    }
}

void configuration_print(const struct configuration *configuration, struct buffer *out)
{
    const char *section = "";

    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) != 0) {
            section = keys[i].section;
            buffer_format(out, "\n[%s]\n", section);
        }
        buffer_format(out, "%s = ", keys[i].name);
        print_value(configuration, &keys[i], out);
        buffer_add_text(out, "\n");
    }
}
