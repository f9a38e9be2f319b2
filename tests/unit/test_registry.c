/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/registry/registry.h"
#include "lib/store/blob.h"
#include "tests/unit/trace.h"

struct house {
    struct registry_options options;
    struct registry registry;
    struct caller caller;
};

/* A registry on the fixture's store, as the tenant of a virtual host has it. */
static void open_house(struct house *house, struct fixture *fixture, const char *prefix)
{
    *house = (struct house){.registry = REGISTRY_INIT};
    house->options.proxy.upstreams = (char *)"*";
    house->registry.options = &house->options;
    house->registry.hosted = fixture->store;
    house->caller.options = &house->options;
    (void)snprintf(house->caller.prefix, sizeof(house->caller.prefix), "%s", prefix);
}

static void open_source(struct house *house, const char *name, enum permission permission,
                        struct source *out)
{
    struct naming naming = {.name = name, .prefix = house->caller.prefix};
    struct permit permit = PERMIT_INIT;
    struct identity identity;
    struct error error = ERROR_INIT;

    assert_returns(0, identity_find(&identity, &house->options.proxy, &naming, &error));
    assert_returns(0, registry_permit(&house->caller, &identity, permission, &permit, &error));
    assert_returns(0, registry_find(&house->registry, &permit, REACH_MIRROR, out, &error));
}

/* All pages of the catalog, with a space behind each name and a bar behind each page. */
static void list_all(struct house *house, size_t limit, struct buffer *out)
{
    AUTO_BUFFER struct buffer last = BUFFER_INIT;
    struct permit permit = PERMIT_INIT;
    struct error error = ERROR_INIT;
    int more = 1;

    assert_returns(0, registry_permit(&house->caller, NULL, PERMISSION_LIST, &permit, &error));
    while (more) {
        AUTO_NAMES struct names names = NAMES_INIT;
        struct page page = {last.data, limit};

        more = registry_list(&house->registry, &permit, &page, &names, &error);
        assert_true(more >= 0 && names.count <= limit);
        for (size_t i = 0; i < names.count; i++) {
            buffer_format(out, "%s ", names.names[i]);
        }
        buffer_add_text(out, "|");
        buffer_clear(&last);
        buffer_add_text(&last, names.count > 0 ? names.names[names.count - 1] : "");
    }
}

static void a_catalog_has_what_this_caller_may_pull(void **state)
{
    static const char *const stored[] = {
        "a/x", "a/y/z", "a-b/x", "a", "proxy/host/app", "proxy/h", "b", "a/proxy/host/app"};
    static const struct {
        const char *prefix;
        size_t limit;
        const char *list;
    } rows[] = {
        {"", 100, "a a-b/x a/proxy/host/app a/x a/y/z b |"},
        {"", 6, "a a-b/x a/proxy/host/app a/x a/y/z b |"},
        {"", 5, "a a-b/x a/proxy/host/app a/x a/y/z |b |"},
        {"", 1, "a |a-b/x |a/proxy/host/app |a/x |a/y/z |b |"},
        {"a", 100, "proxy/host/app x y/z |"},
        {"a", 2, "proxy/host/app x |y/z |"},
        {"a", 1, "proxy/host/app |x |y/z |"},
        {"a-b", 1, "x |"},
        {"b", 1, "|"},
        {"c", 1, "|"},
        {"proxy", 10, "|"},
        {"proxy/host", 10, "|"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(stored); i++) {
        struct repository repository = repository_named(fixture, stored[i]);
        AUTO_BUFFER struct buffer image = BUFFER_INIT;

        make_image(&repository, stored[i], &image);
        (void)push_manifest(&repository, image.data, "1");
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUFFER struct buffer list = BUFFER_INIT;
        struct house house;

        open_house(&house, fixture, rows[i].prefix);
        list_all(&house, rows[i].limit, &list);
        if (strcmp(list.data, rows[i].list) != 0) {
            fail_msg("%zu of '%s' are '%s'", rows[i].limit, rows[i].prefix, list.data);
        }
    }
}

/* How many directories are read to find out that this caller sees nothing of a catalog. */
static size_t count_looks(struct house *house, size_t limit)
{
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    size_t looks = 0;

    trace_begin();
    trace_looks();
    list_all(house, limit, &list);
    (void)trace_end();
    assert_string_equal(list.data, "|");
    for (size_t i = 0; i < trace_count(); i++) {
        looks += text_begins(trace_line(i), "openat ");
    }
    return looks;
}

/* Otherwise anybody could have a worker read a large catalog again and again. */
static void a_catalog_of_hidden_names_is_not_read_anew_for_each(void **state)
{
    enum { HIDDEN = 64 };
    struct fixture *fixture = *state;
    struct house house;
    size_t at_once;

    for (unsigned i = 0; i < HIDDEN; i++) {
        AUTO_BUFFER struct buffer image = BUFFER_INIT;
        struct repository repository;
        char name[16];

        (void)snprintf(name, sizeof(name), "hidden-%u", i);
        repository = repository_named(fixture, name);
        make_image(&repository, name, &image);
        (void)push_manifest(&repository, image.data, "1");
    }
    open_house(&house, fixture, "");
    house.options.access.mode = ACCESS_HTPASSWD;
    at_once = count_looks(&house, HIDDEN);
    assert_true(at_once > 0);
    assert_in_range(count_looks(&house, 1), 1, at_once + HIDDEN / 2);
}

static void a_mount_sees_what_this_caller_may_pull(void **state)
{
    static const struct {
        const char *prefix;
        const char *from; /* NULL: from anywhere */
        const char *text; /* of the blob */
        int mounted;
    } rows[] = {
        {"team-a", "app", "ours", 1},
        {"team-a", "team-a/app", "ours", 0},
        {"team-a", NULL, "ours", 1},
        {"team-a", "secret", "theirs", 0},
        {"team-a", "team-b/secret", "theirs", 0},
        {"team-a", "../team-b/secret", "theirs", 0},
        {"team-a", "", "ours", 0},
        {"team-a", NULL, "theirs", 0},
        {"", "team-a/app", "ours", 1},
        {"", "team-b/secret", "theirs", 1},
        {"", NULL, "theirs", 1},
        {"", "proxy/host/app", "elsewhere", 0},
        {"", NULL, "elsewhere", 0},
        {"", "Team-A/app", "ours", 0},
        {"", NULL, "nobodys", 0},
    };
    struct fixture *fixture = *state;
    struct repository ours = repository_named(fixture, "team-a/app");
    struct repository theirs = repository_named(fixture, "team-b/secret");
    struct repository elsewhere = repository_named(fixture, "proxy/host/app");

    (void)push_blob(&ours, "ours");
    (void)push_blob(&theirs, "theirs");
    (void)push_blob(&elsewhere, "elsewhere");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct source source = SOURCE_INIT;
        struct digest digest = sha256(rows[i].text);
        struct error error = ERROR_INIT;
        struct house house;
        struct blob blob;
        char name[32];

        (void)snprintf(name, sizeof(name), "target/%zu", i);
        open_house(&house, fixture, rows[i].prefix);
        open_source(&house, name, PERMISSION_PUSH, &source);
        if (source_mount(&source, rows[i].from, &digest, &error) != rows[i].mounted) {
            fail_msg("row %zu: %s", i, error.message);
        }
        assert_int_equal(blob_find(&source.repository, &digest, &blob, &error), rows[i].mounted);
        source_release(&source);
    }
}

static void who_may_pull_only_mounts_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct source source = SOURCE_INIT;
    struct digest digest = push_blob(&fixture->repository, "blob");
    struct error error = ERROR_INIT;
    struct house house;

    open_house(&house, fixture, "");
    open_source(&house, "target", PERMISSION_PULL, &source);
    assert_fails(ERROR_INTERNAL, source_mount(&source, NULL, &digest, &error));
    source_release(&source);
}

static void who_may_push_puts_a_tag_back(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer old = BUFFER_INIT;
    AUTO_BUFFER struct buffer new = BUFFER_INIT;
    struct source source = SOURCE_INIT;
    struct source reader = SOURCE_INIT;
    struct house house;
    struct digest digest;
    struct digest current;
    struct error error = ERROR_INIT;

    make_image(&fixture->repository, "old", &old);
    make_image(&fixture->repository, "new", &new);
    digest = push_manifest(&fixture->repository, old.data, "v1");
    (void)push_manifest(&fixture->repository, new.data, "v1");
    open_house(&house, fixture, "");
    open_source(&house, "team/app", PERMISSION_PULL, &reader);
    assert_fails(ERROR_INTERNAL, source_put_back(&reader, "v1", &digest, &error));
    open_source(&house, "team/app", PERMISSION_PUSH, &source);
    assert_returns(1, source_put_back(&source, "v1", &digest, &error));
    assert_returns(1, tag_get(&fixture->repository, "v1", &current, &error));
    assert_true(digest_equal(&current, &digest));
    assert_returns(0, source_put_back(&source, "v1", &digest, &error));
    digest = sha256("nothing");
    assert_fails(ERROR_MANIFEST_UNKNOWN, source_put_back(&source, "v1", &digest, &error));
    source_release(&source);
    source_release(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_catalog_has_what_this_caller_may_pull),
        IN_STORE(a_catalog_of_hidden_names_is_not_read_anew_for_each),
        IN_STORE(a_mount_sees_what_this_caller_may_pull),
        IN_STORE(who_may_pull_only_mounts_nothing),
        IN_STORE(who_may_push_puts_a_tag_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
