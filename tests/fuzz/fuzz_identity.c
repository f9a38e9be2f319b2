/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/registry/identity.h"

/* An input is four lines: name, ?ns=, Host, BERTH_NAMESPACE; an empty one is none. */

static struct upstream_options sections[] = {
    {.name = (char *)"alias", .url = (char *)"http://127.0.0.1:5001"},
    {.name = (char *)"registry.local:5000"},
    {.name = (char *)"registry.local_5000", .url = (char *)"http://other"},
    {.name = (char *)"index.docker.io", .default_namespace = (char *)"standard"},
    {.name = (char *)"space", .default_namespace = (char *)"a/b"},
    {.name = (char *)"ghcr.io/team",
     .url = (char *)"http://127.0.0.1:5002",
     .username = (char *)"bob"},
};

static const struct proxy_options options = {
    .enabled = true,
    .upstreams = (char *)"*",
    .mirror_root = (char *)"docker.io",
    .sections = sections,
    .section_count = sizeof(sections) / sizeof(*sections),
};

static void check_same(const struct identity *one, const struct identity *other)
{
    CHECK(strcmp(one->name, other->name) == 0 && one->is_proxied == other->is_proxied);
    CHECK(!one->is_proxied || (strcmp(one->there, other->there) == 0 &&
                               strcmp(one->upstream.name, other->upstream.name) == 0 &&
                               strcmp(one->upstream.url, other->upstream.url) == 0 &&
                               one->upstream.section == other->upstream.section));
}

static void check_identity(const struct identity *identity)
{
    struct naming naming = {.name = identity->name, .prefix = ""};
    struct identity again;
    struct identity mirrored;
    struct error error;
    int has_mirror = identity_mirror(identity, &options, &mirrored, &error);

    CHECK(name_is_valid(identity->name));
    CHECK(identity->is_proxied == (strncmp(identity->name, "proxy/", 6) == 0));
    CHECK(identity_find(&again, &options, &naming, &error) == 0);
    check_same(identity, &again);
    CHECK(identity->is_proxied ? has_mirror == 0 : has_mirror != 0);
    CHECK(has_mirror <= 0 || mirrored.is_proxied);
    if (identity->is_proxied) {
        size_t host = strlen(identity->upstream.name);

        CHECK(name_is_valid(identity->there) && !strchr(identity->upstream.name, '/'));
        CHECK(strncmp(identity->name + 6, identity->upstream.name, host) == 0);
        CHECK(strcmp(identity->name + 6 + host + 1, identity->there) == 0);
        CHECK(!identity->upstream.section || !strchr(identity->upstream.section->name, '/'));
    }
}

static void check_naming(const struct naming *naming)
{
    struct identity identity = {.name = "untouched"};
    struct error error = ERROR_INIT;
    bool has_namespace = naming->namespace && *naming->namespace;

    if (identity_find(&identity, &options, naming, &error) < 0) {
        CHECK(strcmp(identity.name, "untouched") == 0);
        CHECK(error.code == ERROR_NAME_INVALID || error.code == ERROR_DENIED);
        return;
    }
    check_identity(&identity);
    CHECK(has_namespace || identity_is_below(&identity, naming->prefix));
    if (has_namespace && strpbrk(naming->namespace, "/@%[] \\")) {
        /* It can only be what the client calls us, or be told by the path already. */
        CHECK(identity_is_below(&identity, naming->prefix));
    }
}

/* Cuts the text off at its first line break and returns what is behind it. */
static char *next_line(char *text)
{
    char *end = strchr(text, '\n');

    if (!end) {
        return text + strlen(text);
    }
    *end = '\0';
    return end + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char prefix[NAME_SIZE] = "untouched";
    struct error error = ERROR_INIT;
    char *name;
    char *namespace;
    char *host;
    char *given;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    name = copy_text(data, size);
    namespace = next_line(name);
    host = next_line(namespace);
    given = next_line(host);
    (void)next_line(given);
    if (identity_prefix(prefix, &options, *given ? given : NULL, &error) < 0) {
        CHECK(strcmp(prefix, "untouched") == 0 && !name_is_valid(given));
        prefix[0] = '\0';
    }
    check_naming(
        &(struct naming){name, *namespace ? namespace : NULL, *host ? host : NULL, prefix});
    check_naming(&(struct naming){name, NULL, NULL, prefix});
    free(name);
    return 0;
}
