/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/configuration.h"

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
#include "lib/store/revision.h"

enum {
    FILE_LIMIT = 1024 * 1024,
    /* What Debian's inih takes; longer ones it would cut without a word. */
    LINE_LIMIT = 198,
    NAME_LIMIT = 49,
};

enum value_kind {
    VALUE_STORAGE, /* a path that has to be given */
    VALUE_PATH,
    VALUE_OPTIONAL_PATH, /* empty: none */
    VALUE_TEXT,
    VALUE_URL,     /* http or https, without a path */
    VALUE_BOOLEAN, /* yes or no */
    VALUE_NUMBER,
    VALUE_BYTES,
    VALUE_MANIFEST_BYTES,
    VALUE_SECONDS,
    VALUE_SPARSE,
};

/* A key, where its value goes, and the value that it has otherwise. */
struct key {
    const char *section;
    const char *name;
    enum value_kind kind;
    size_t offset;        /* in struct configuration, or in struct upstream_options */
    const char *standard; /* of a storage: what could be written */
};

#define MEMBER(member) offsetof(struct configuration, registry.member)

static const struct key keys[] = {
    {"", "registry_storage", VALUE_STORAGE, MEMBER(hosted.root), "/var/lib/berth/registry"},
    {"", "temporary_registry_storage", VALUE_STORAGE, MEMBER(hosted.temporary),
     "/var/lib/berth/_tmp"},
    {"", "proxy_storage", VALUE_STORAGE, MEMBER(proxy.store.root), "/var/lib/berth/proxy"},
    {"hosted", "read_only", VALUE_BOOLEAN, MEMBER(read_only), "no"},
    {"hosted", "minimum_free_space", VALUE_BYTES, MEMBER(hosted.minimum_free_space), "1G"},
    {"hosted", "accept_sparse", VALUE_SPARSE, MEMBER(hosted.accept_sparse), "index"},
    {"hosted", "maximum_manifest_size", VALUE_MANIFEST_BYTES, MEMBER(maximum_manifest_size), "4M"},
    {"hosted", "upload_expiry", VALUE_SECONDS, MEMBER(hosted.upload_expiry), "7d"},
    {"proxy", "enabled", VALUE_BOOLEAN, MEMBER(proxy.enabled), "yes"},
    {"proxy", "upstreams", VALUE_TEXT, MEMBER(proxy.upstreams), "*"},
    {"proxy", "tag_ttl", VALUE_SECONDS, MEMBER(proxy.tag_ttl), "60s"},
    {"proxy", "connect_timeout", VALUE_SECONDS, MEMBER(proxy.connect_timeout), "10s"},
    {"proxy", "stall_timeout", VALUE_SECONDS, MEMBER(proxy.stall_timeout), "30s"},
    {"proxy", "maximum_waiting", VALUE_NUMBER, MEMBER(proxy.maximum_waiting), "256"},
    {"proxy", "http_proxy", VALUE_TEXT, MEMBER(proxy.http_proxy), ""},
    {"proxy", "ca_file", VALUE_OPTIONAL_PATH, MEMBER(proxy.ca_file), ""},
    {"mirror", "root", VALUE_TEXT, MEMBER(proxy.mirror_root), ""},
};

#define UPSTREAM_MEMBER(member) offsetof(struct upstream_options, member)
#define UPSTREAM_SECTION "upstream "

static const struct key upstream_keys[] = {
    {UPSTREAM_SECTION, "url", VALUE_URL, UPSTREAM_MEMBER(url), NULL},
    {UPSTREAM_SECTION, "username", VALUE_TEXT, UPSTREAM_MEMBER(username), NULL},
    {UPSTREAM_SECTION, "password", VALUE_TEXT, UPSTREAM_MEMBER(password), NULL},
    {UPSTREAM_SECTION, "password_file", VALUE_PATH, UPSTREAM_MEMBER(password_file), NULL},
    {UPSTREAM_SECTION, "default_namespace", VALUE_TEXT, UPSTREAM_MEMBER(default_namespace), NULL},
    {UPSTREAM_SECTION, "token_host", VALUE_TEXT, UPSTREAM_MEMBER(token_host), NULL},
    {UPSTREAM_SECTION, "allow_private_address", VALUE_BOOLEAN,
     UPSTREAM_MEMBER(allow_private_address), "no"},
};

enum {
    KEY_COUNT = sizeof(keys) / sizeof(*keys),
    UPSTREAM_KEY_COUNT = sizeof(upstream_keys) / sizeof(*upstream_keys),
    UPSTREAM_LIMIT = 256, /* sections */
};

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
    bool seen_upstream[UPSTREAM_LIMIT][UPSTREAM_KEY_COUNT];
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

static bool set_text(char **target, const char *value)
{
    free(*target);
    *target = memory_text(value);
    return true;
}

static bool set_path(char **target, const char *file, const char *value)
{
    free(*target);
    *target = absolute_path(file, value);
    return true;
}

static bool set_url(char **target, const char *value)
{
    const char *rest = text_begins(value, "https://")  ? value + 8
                       : text_begins(value, "http://") ? value + 7
                                                       : "";
    AUTO_BUFFER struct buffer url = BUFFER_INIT;

    buffer_add_text(&url, value);
    if (!*rest) {
        return false;
    }
    while (url.length > 0 && url.data[url.length - 1] == '/') {
        url.data[--url.length] = '\0';
    }
    rest = url.data + (rest - value);
    return *rest && *rest != ':' && !strpbrk(rest, "/@?# ") && set_text(target, url.data);
}

static bool set_boolean(bool *target, const char *value)
{
    *target = strcmp(value, "yes") == 0;
    return *target || strcmp(value, "no") == 0;
}

/* `target` is where the key's value lives, of the type that its kind says. */
static bool set_value(void *target, const struct key *key, const char *file, const char *value)
{
    switch (key->kind) {
    case VALUE_STORAGE:
    case VALUE_PATH:
        return *value && set_path(target, file, value);
    case VALUE_OPTIONAL_PATH:
        return *value ? set_path(target, file, value) : set_text(target, "");
    case VALUE_TEXT:
        return set_text(target, value);
    case VALUE_URL:
        return set_url(target, value);
    case VALUE_BOOLEAN:
        return set_boolean(target, value);
    case VALUE_NUMBER:
        return text_number(value, strlen(value), target);
    case VALUE_BYTES:
        return text_bytes(value, target);
    case VALUE_MANIFEST_BYTES:
        return text_bytes(value, target) && *(uint64_t *)target <= MANIFEST_SIZE_LIMIT;
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
    case VALUE_STORAGE:
    case VALUE_PATH:
    case VALUE_OPTIONAL_PATH:
        return "a path is expected, not";
    case VALUE_TEXT:
        break;
    case VALUE_URL:
        return "an address such as https://registry.example.org:5000 is expected, not";
    case VALUE_BOOLEAN:
        return "yes or no is expected, not";
    case VALUE_NUMBER:
        return "a number is expected, not";
    case VALUE_BYTES:
        return "a number of bytes such as 512, 64K, 4M, 1G is expected, not";
    case VALUE_MANIFEST_BYTES:
        return "a number of bytes such as 512, 64K, 4M, and 64M at most, is expected, not";
    case VALUE_SECONDS:
        return "a time such as 60s, 15m, 12h, 7d is expected, not";
    case VALUE_SPARSE:
        return "no, index or all is expected, not";
    }
    return "unexpected value";
}

/* Whether this is the name of an upstream, or of one and a prefix: it becomes a directory. */
static bool is_upstream_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:/";

    return *name && strspn(name, allowed) == strlen(name) && *name != '.' && *name != '/' &&
           !strstr(name, "..") && !strstr(name, "//");
}

/* The section of that name, made if it is new; NULL if there are too many. */
static struct upstream_options *upstream_section(struct proxy_options *proxy, const char *name)
{
    for (size_t i = 0; i < proxy->section_count; i++) {
        if (strcmp(proxy->sections[i].name, name) == 0) {
            return &proxy->sections[i];
        }
    }
    if (proxy->section_count == UPSTREAM_LIMIT) {
        return NULL;
    }
    proxy->sections =
        memory_resize(proxy->sections, proxy->section_count + 1, sizeof(*proxy->sections));
    proxy->sections[proxy->section_count] = (struct upstream_options){.name = memory_text(name)};
    return &proxy->sections[proxy->section_count++];
}

static int take(struct parse *parse, const struct key *key, void *target, bool *seen,
                const char *value)
{
    if (*seen) {
        return complain(parse, "set twice, or followed by an indented line:", key->name);
    }
    *seen = true;
    return set_value(target, key, parse->file, value) ? 1
                                                      : complain(parse, expected(key->kind), value);
}

static int take_upstream_value(struct parse *parse, const char *section, const char *name,
                               const char *value)
{
    struct proxy_options *proxy = &parse->configuration->registry.proxy;
    struct upstream_options *upstream;

    if (!is_upstream_name(section)) {
        return complain(parse, "this cannot be the name of an upstream:", section);
    }
    upstream = upstream_section(proxy, section);
    if (!upstream) {
        return complain(parse, "there are too many upstreams:", section);
    }
    for (size_t i = 0; i < UPSTREAM_KEY_COUNT; i++) {
        if (strcmp(upstream_keys[i].name, name) == 0) {
            return take(parse, &upstream_keys[i], (char *)upstream + upstream_keys[i].offset,
                        &parse->seen_upstream[upstream - proxy->sections][i], value);
        }
    }
    return complain(parse, "unknown key", name);
}

/* inih's handler: 1 is good, 0 an error. */
static int take_value(void *user, const char *section, const char *name, const char *value)
{
    struct parse *parse = user;
    bool section_known = false;

    if (text_begins(section, UPSTREAM_SECTION)) {
        return take_upstream_value(parse, section + strlen(UPSTREAM_SECTION), name, value);
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) != 0) {
            continue;
        }
        section_known = true;
        if (strcmp(keys[i].name, name) == 0) {
            return take(parse, &keys[i], (char *)parse->configuration + keys[i].offset,
                        &parse->seen[i], value);
        }
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

static bool is_known_section(const char *section)
{
    if (text_begins(section, UPSTREAM_SECTION)) {
        return true;
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (*section && strcmp(keys[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

/* What is wrong with a line that begins a section, which inih would not say; NULL if nothing is. */
static const char *section_problem(const char *line, struct buffer *out_section)
{
    const char *name = line + strspn(line, " \t");
    const char *rest;
    size_t length;

    if (*name != '[') {
        return NULL;
    }
    length = strcspn(name + 1, "]\n");
    buffer_add(out_section, name + 1, length);
    rest = name + 1 + length;
    if (*rest != ']') {
        return "the bracket is not closed:";
    }
    rest++;
    rest += strspn(rest, " \t\r");
    if (*rest != '\0' && *rest != '\n' && *rest != ';' && *rest != '#') {
        return "only a comment may stand behind a section:";
    }
    if (text_begins(out_section->data, UPSTREAM_SECTION) &&
        !is_upstream_name(out_section->data + strlen(UPSTREAM_SECTION))) {
        return "this cannot be the name of an upstream:";
    }
    return is_known_section(out_section->data) ? NULL : "unknown section";
}

/* inih's reader, in the manner of fgets(). A comment may be of any length: it is not passed on. */
static char *next_line(char *out, int size, void *stream)
{
    struct parse *parse = stream;
    size_t length = strcspn(parse->cursor, "\n");
    AUTO_BUFFER struct buffer section = BUFFER_INIT;
    const char *problem;
    bool skip;

    if (*parse->cursor == '\0' || parse->failed) {
        return NULL;
    }
    parse->line++;
    if (is_too_long(parse->cursor, length)) {
        (void)complain(parse, "this line, or a name in it, is too long (198 and 49 bytes)", "");
        return NULL;
    }
    problem = section_problem(parse->cursor, &section);
    if (problem) {
        (void)complain(parse, problem, section.data);
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
        if (keys[i].kind != VALUE_STORAGE &&
            !set_value((char *)configuration + keys[i].offset, &keys[i], configuration->file,
                       keys[i].standard)) {
            return error_set(error, ERROR_INTERNAL, "the default of '%s' is bad", keys[i].name);
        }
    }
    return 0;
}

/* An empty file, as a power cut leaves one, must never serve an empty registry. */
static int check_storage(const struct parse *parse, struct error *error)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind == VALUE_STORAGE && !parse->seen[i]) {
            return error_set(error, ERROR_INTERNAL,
                             "%s: %s is missing: write a line such as '%s = %s' at the top",
                             parse->file, keys[i].name, keys[i].name, keys[i].standard);
        }
    }
    return 0;
}

/* What follows from other values: the cache is a store too. */
static void complete(struct configuration *configuration)
{
    const struct store_options *hosted = &configuration->registry.hosted;
    struct store_options *cache = &configuration->registry.proxy.store;
    AUTO_BUFFER struct buffer temporary = BUFFER_INIT;

    layout_absolute(cache->root, LAYOUT_CACHE_TEMPORARY, &temporary);
    cache->temporary = memory_text(temporary.data);
    cache->minimum_free_space = hosted->minimum_free_space;
    cache->upload_expiry = hosted->upload_expiry;
    cache->accept_sparse = SPARSE_ALL;
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
    if (check_storage(&parse, error) < 0) {
        return -1;
    }
    complete(&read);
    *out_configuration = read;
    read = (struct configuration)CONFIGURATION_INIT;
    return 0;
}

static bool is_allocated(enum value_kind kind)
{
    return kind == VALUE_STORAGE || kind == VALUE_PATH || kind == VALUE_OPTIONAL_PATH ||
           kind == VALUE_TEXT || kind == VALUE_URL;
}

static void release_values(void *values, const struct key *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_allocated(table[i].kind)) {
            free(*(char **)(void *)((char *)values + table[i].offset));
        }
    }
}

void configuration_release(struct configuration *configuration)
{
    struct proxy_options *proxy = &configuration->registry.proxy;

    release_values(configuration, keys, KEY_COUNT);
    for (size_t i = 0; i < proxy->section_count; i++) {
        release_values(&proxy->sections[i], upstream_keys, UPSTREAM_KEY_COUNT);
        free(proxy->sections[i].name);
    }
    free(proxy->sections);
    free(proxy->store.temporary);
    free(configuration->file);
    *configuration = (struct configuration)CONFIGURATION_INIT;
}

static void print_value(const void *value, enum value_kind kind, struct buffer *out)
{
    switch (kind) {
    case VALUE_STORAGE:
    case VALUE_PATH:
    case VALUE_OPTIONAL_PATH:
    case VALUE_TEXT:
    case VALUE_URL:
        buffer_add_text(out, *(char *const *)value ? *(char *const *)value : "");
        break;
    case VALUE_BOOLEAN:
        buffer_add_text(out, *(const bool *)value ? "yes" : "no");
        break;
    case VALUE_NUMBER:
    case VALUE_BYTES:
    case VALUE_MANIFEST_BYTES:
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

static void print_key(const void *values, const struct key *key, struct buffer *out)
{
    const void *value = (const char *)values + key->offset;
    bool is_unset = is_allocated(key->kind) && !*(char *const *)value;

    if (is_unset) {
        return;
    }
    buffer_format(out, "%s = ", key->name);
    if (strcmp(key->name, "password") == 0) {
        buffer_add_text(out, "(not shown)");
    } else {
        print_value(value, key->kind, out);
    }
    buffer_add_text(out, "\n");
}

void configuration_print(const struct configuration *configuration, struct buffer *out)
{
    const struct proxy_options *proxy = &configuration->registry.proxy;
    const char *section = "";

    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].section, section) != 0) {
            section = keys[i].section;
            buffer_format(out, "\n[%s]\n", section);
        }
        print_key(configuration, &keys[i], out);
    }
    for (size_t i = 0; i < proxy->section_count; i++) {
        buffer_format(out, "\n[" UPSTREAM_SECTION "%s]\n", proxy->sections[i].name);
        for (size_t j = 0; j < UPSTREAM_KEY_COUNT; j++) {
            print_key(&proxy->sections[i], &upstream_keys[j], out);
        }
    }
}
