/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/judge.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/http/address.h"
#include "lib/proxy/ask/upstream.h"

/* A judgement in the making. Each question returns whether there is nothing to be said. */
struct judge {
    const struct registry_options *options;
    struct section_place *place;
    struct buffer *message;
};

/* The length of the path above. */
static size_t path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) : 0;
}

/* Adds the path without links as far as it is there, and without ".", ".." and "//" beyond. */
static void judge_add_real_path(const char *path, struct buffer *out)
{
    char real[PATH_MAX];
    const char *rest = path;
    const char *item;
    size_t length;

    while (text_next_item(&rest, '/', &item, &length)) {
        if (length == 1 && *item == '.') {
            continue;
        }
        if (length == 2 && strncmp(item, "..", 2) == 0) {
            AUTO_BUFFER struct buffer whole = BUFFER_INIT;

            buffer_add(&whole, out->data, out->length);
            buffer_clear(out);
            buffer_add(out, whole.data, path_parent(whole.data));
            continue;
        }
        buffer_add_text(out, "/");
        buffer_add(out, item, length);
        if (realpath(out->data, real)) {
            buffer_clear(out);
            buffer_add_text(out, strcmp(real, "/") == 0 ? "" : real);
        }
    }
}

static bool path_is_in(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Each store is a tree of its own: what one sweeps or collects is never another one's. */
static bool judge_stores(struct judge *judge)
{
    const struct registry_options *registry = judge->options;
    const struct {
        const char *key;
        const char *path;
    } stores[] = {{"registry_storage", registry->hosted.root},
                  {"temporary_registry_storage", registry->hosted.temporary},
                  {"proxy_storage", registry->proxy.store.root}};
    enum { COUNT = sizeof(stores) / sizeof(stores[0]) };

    for (size_t i = 0; i < COUNT; i++) {
        AUTO_BUFFER struct buffer inner = BUFFER_INIT;

        judge_add_real_path(stores[i].path, &inner);
        for (size_t j = 0; j < COUNT; j++) {
            AUTO_BUFFER struct buffer outer = BUFFER_INIT;

            judge_add_real_path(stores[j].path, &outer);
            if (i == j || !path_is_in(inner.data, outer.data)) {
                continue;
            }
            *judge->place = (struct section_place){.section = "", .key = stores[i].key};
            buffer_format(judge->message,
                          "%s is %s %s: each needs a directory of its own, beside the others",
                          stores[i].key, inner.length == outer.length ? "the same as" : "inside",
                          stores[j].key);
            return false;
        }
    }
    return true;
}

static bool judge_say(struct judge *judge, size_t element, const char *key, const char *what)
{
    const struct upstream_options *section = &judge->options->proxy.sections[element];

    *judge->place = (struct section_place){.section = "upstream", .element = element, .key = key};
    buffer_format(judge->message, "[upstream %s] %s", section->name, what);
    return false;
}

static bool judge_account(struct judge *judge, size_t element)
{
    const struct upstream_options *section = &judge->options->proxy.sections[element];
    bool has_password = section->password || section->password_file;

    if (section->username && !has_password) {
        return judge_say(judge, element, "username",
                         "has a username without a password: add 'password_file = /path'");
    }
    if (!section->username && has_password) {
        return judge_say(judge, element, section->password ? "password" : "password_file",
                         "has a password without a username: add 'username = NAME'");
    }
    return !(section->password && section->password_file) ||
           judge_say(judge, element, "password_file",
                     "has both password and password_file: remove one of them");
}

static bool judge_section(struct judge *judge, size_t element)
{
    const struct proxy_options *proxy = &judge->options->proxy;
    const struct upstream_options *section = &proxy->sections[element];

    for (size_t i = 0; i < element; i++) {
        if (upstream_is_same(proxy->sections[i].name, section->name)) {
            AUTO_BUFFER struct buffer what = BUFFER_INIT;

            buffer_format(&what, "is the same upstream as [upstream %s]: write one section",
                          proxy->sections[i].name);
            return judge_say(judge, element, NULL, what.data);
        }
    }
    if (section->default_namespace && !name_is_valid(section->default_namespace)) {
        return judge_say(judge, element, "default_namespace",
                         "has a default_namespace that cannot be a repository's: write one such as "
                         "'library'");
    }
    return judge_account(judge, element);
}

/* Whether it is a host name, or a section says where it is. */
static bool judge_knows(const struct judge *judge, const char *name)
{
    struct proxy_options all = judge->options->proxy;
    struct upstream upstream;
    struct error error;

    all.enabled = true;
    all.upstreams = (char *)"*";
    return upstream_find(&upstream, &all, name, &error) == 0;
}

static bool judge_listed(struct judge *judge)
{
    const char *list = judge->options->proxy.upstreams;
    const char *item;
    size_t length;

    while (text_next_item(&list, ',', &item, &length)) {
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        buffer_add(&name, item, length);
        if (strcmp(name.data, "*") == 0 || judge_knows(judge, name.data)) {
            continue;
        }
        *judge->place = (struct section_place){.section = "proxy", .key = "upstreams"};
        buffer_format(judge->message,
                      "'%s' is no registry on the internet: add [upstream %s] with its url",
                      name.data, name.data);
        return false;
    }
    return true;
}

static bool judge_mirror(struct judge *judge)
{
    struct proxy_options proxy = judge->options->proxy;
    const char *root = proxy.mirror_root;
    struct upstream upstream;
    struct error error;

    *judge->place = (struct section_place){.section = "mirror", .key = "root"};
    proxy.enabled = true;
    if (!*root || upstream_find(&upstream, &proxy, root, &error) == 0) {
        return true;
    }
    if (judge_knows(judge, root)) {
        buffer_format(judge->message, "'%s' is not among the 'upstreams' of [proxy]: add it there",
                      root);
    } else {
        buffer_format(judge->message,
                      "'%s' is no registry on the internet: add [upstream %s] with its url", root,
                      root);
    }
    return false;
}

bool judge_registry(const struct registry_options *options, struct section_place *out_place,
                    struct buffer *out_message)
{
    struct judge judge = {.options = options, .place = out_place, .message = out_message};
    size_t count = options->proxy.section_count;

    for (size_t i = 0; i < count; i++) {
        if (!judge_section(&judge, i)) {
            return false;
        }
    }
    return judge_stores(&judge) && judge_listed(&judge) && judge_mirror(&judge);
}
