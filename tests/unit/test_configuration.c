/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/configuration/configuration.h"

#define TEMPORARY "temporary_registry_storage = storage/_tmp\n"
#define CACHE "proxy_storage = storage/proxy\n"
#define STORES "registry_storage = storage/registry\n" TEMPORARY CACHE

static int read_text(struct fixture *fixture, const char *text, struct configuration *out,
                     struct error *error)
{
    char path[256];

    put_file(fixture->directory, "configuration.ini", text);
    (void)snprintf(path, sizeof(path), "%s/configuration.ini", fixture->path);
    return configuration_read(out, path, error);
}

static void the_stores_alone_mean_the_defaults(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    const struct registry_options *registry = &configuration.registry;
    struct error error = ERROR_INIT;
    char path[256];

    assert_returns(0, read_text(fixture, STORES, &configuration, &error));
    (void)snprintf(path, sizeof(path), "%s/configuration.ini", fixture->path);
    assert_string_equal(configuration.file, path);
    (void)snprintf(path, sizeof(path), "%s/storage/registry", fixture->path);
    assert_string_equal(registry->hosted.root, path);
    (void)snprintf(path, sizeof(path), "%s/storage/_tmp", fixture->path);
    assert_string_equal(registry->hosted.temporary, path);
    (void)snprintf(path, sizeof(path), "%s/storage/proxy", fixture->path);
    assert_string_equal(registry->proxy.store.root, path);
    assert_false(registry->read_only);
    assert_int_equal(registry->hosted.minimum_free_space, 1073741824);
    assert_int_equal(registry->hosted.accept_sparse, SPARSE_INDEX);
    assert_int_equal(registry->maximum_manifest_size, 4194304);
    assert_int_equal(registry->hosted.upload_expiry, 604800);
    assert_true(registry->proxy.enabled);
    assert_string_equal(registry->proxy.upstreams, "*");
    assert_int_equal(registry->proxy.store.minimum_free_space, 2147483648);
    assert_int_equal(registry->proxy.tag_ttl, 60);
    assert_int_equal(registry->proxy.section_count, 0);
}

/* As the original system had it: three keys without a section. */
static void every_key_has_its_place(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    const struct registry_options *registry = &configuration.registry;
    struct error error = ERROR_INIT;
    char path[256];

    assert_returns(0, read_text(fixture,
                                "# comment\n; another\n\n"
                                "registry_storage = /srv/registry//\n"
                                "temporary_registry_storage=relative/tmp/ ; behind a value\n"
                                "proxy_storage : /srv/proxy\n"
                                "  \t\n"
                                "[hosted] ; behind a section\n"
                                "read_only = yes\n"
                                "minimum_free_space = 10M\r\n"
                                "accept_sparse = all\n"
                                "maximum_manifest_size = 64M\n"
                                "upload_expiry = 12h\n"
                                "[proxy]\n"
                                "enabled = no\n"
                                "[upstream docker.io]\n"
                                "username = bob\n"
                                "password_file = secret\n"
                                "[upstream local/team]\n"
                                "url = http://127.0.0.1:5000/\n"
                                "allow_private_address = yes",
                                &configuration, &error));
    assert_string_equal(registry->hosted.root, "/srv/registry");
    (void)snprintf(path, sizeof(path), "%s/relative/tmp", fixture->path);
    assert_string_equal(registry->hosted.temporary, path);
    assert_string_equal(registry->proxy.store.root, "/srv/proxy");
    assert_true(registry->read_only);
    assert_int_equal(registry->hosted.minimum_free_space, 10485760);
    assert_int_equal(registry->hosted.accept_sparse, SPARSE_ALL);
    assert_int_equal(registry->maximum_manifest_size, 67108864);
    assert_int_equal(registry->proxy.maximum_manifest_size, 67108864);
    assert_int_equal(registry->hosted.upload_expiry, 43200);
    assert_false(registry->proxy.enabled);
    assert_int_equal(registry->proxy.section_count, 2);
    assert_string_equal(registry->proxy.sections[0].name, "docker.io");
    assert_string_equal(registry->proxy.sections[0].username, "bob");
    (void)snprintf(path, sizeof(path), "%s/secret", fixture->path);
    assert_string_equal(registry->proxy.sections[0].password_file, path);
    assert_false(registry->proxy.sections[0].allow_private_address);
    assert_string_equal(registry->proxy.sections[1].url, "http://127.0.0.1:5000");
    assert_true(registry->proxy.sections[1].allow_private_address);
}

static const struct {
    const char *text;
    unsigned line;
    const char *told;
} broken[] = {
    {"nonsense = 1\n", 1, "unknown key 'nonsense'"},
    {"\n\nRegistry_storage = x\n", 3, "unknown key 'Registry_storage'"},
    {"read_only = yes\n", 1, "unknown key 'read_only'"},
    {"[hosted]\nregistry_storage = x\n", 2, "unknown key 'registry_storage'"},
    {"[nonsense]\nread_only = yes\n", 1, "unknown section 'nonsense'"},
    {"[Hosted]\nread_only = yes\n", 1, "unknown section 'Hosted'"},
    {"[hosted]\nread_only = yes\nread_only = no\n", 3, "set twice"},
    {"[hosted]\nread_only = yes\n[hosted]\nread_only = yes\n", 4, "set twice"},
    {"registry_storage = a\n   b\n", 2, "set twice, or followed by an indented line"},
    {"[hosted]\nread_only = true\n", 2, "yes or no is expected, not 'true'"},
    {"[hosted]\nread_only = Yes\n", 2, "yes or no"},
    {"[hosted]\nread_only =\n", 2, "yes or no is expected, not ''"},
    {"[hosted]\nminimum_free_space = 1g\n", 2, "a number of bytes"},
    {"[hosted]\nminimum_free_space = -1\n", 2, "a number of bytes"},
    {"[hosted]\nupload_expiry = 1w\n", 2, "a time"},
    {"[hosted]\naccept_sparse = some\n", 2, "no, index or all"},
    {"[hosted]\nmaximum_manifest_size = 67108865\n", 2, "64M at most"},
    {"[hosted]\nmaximum_manifest_size = 1T\n", 2, "64M at most"},
    {"registry_storage =\n", 1, "a path is expected"},
    {"registry_storage\n", 1, "neither a [section] nor key = value"},
    {"\n[hosted\n", 2, "the bracket is not closed"},
    {"[hosted] read_only = yes\n", 1, "only a comment may stand behind"},
    {"[hosted]]\n", 1, "only a comment may stand behind"},
    {"[upstream ../x]\nurl = https://x\n", 1,
     "the name of an upstream is expected, such as [upstream docker.io], not"},
    {"[upstream X]\nurl = https://x\n", 1,
     "the name of an upstream is expected, such as [upstream docker.io], not"},
    {"[upstream ]\nurl = https://x\n", 1, ""},
    {"[nonsense]\n", 1, "unknown section 'nonsense'"},
    {"[upstream ../../x]\n", 1,
     "the name of an upstream is expected, such as [upstream docker.io], not"},
    {"\n[hosted\nread_only = yes\n", 2, "the bracket is not closed"},
    {"[upstream x]\nurl = https://a/path\n", 2, "an address such as"},
    {"[upstream x]\nurl = http:///foo\n", 2, "an address such as"},
    {"[upstream x]\nurl = https:///\n", 2, "an address such as"},
    {"[upstream x]\nurl = https://:5000\n", 2, "an address such as"},
    {"[upstream x]\nnonsense = y\n", 2, "unknown key 'nonsense'"},
    {"[upstream x]\nurl = ftp://x\n", 2, "an address such as"},
    {"[upstream x]\nurl = https://\n", 2, "an address such as"},
    {"[upstream x]\nurl = https://user@x\n", 2, "an address such as"},
    {"[upstream x]\nurl = https://x?y\n", 2, "an address such as"},
    {"[upstream x]\nusername = a\nusername = b\n", 3, "set twice"},
    {"[upstream x]\nusername = a\n[upstream y]\n[upstream x]\nusername = b\n", 5, "set twice"},
};

static void what_is_not_understood_is_told_with_its_line(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(broken); i++) {
        struct configuration configuration = {.file = fixture->path};
        struct error error = ERROR_INIT;
        char place[256];

        if (read_text(fixture, broken[i].text, &configuration, &error) != -1) {
            fail_msg("taken: %s", broken[i].text);
        }
        (void)snprintf(place, sizeof(place), "%s/configuration.ini:%u: ", fixture->path,
                       broken[i].line);
        if (error.code != ERROR_INTERNAL || strncmp(error.message, place, strlen(place)) != 0 ||
            !strstr(error.message, broken[i].told)) {
            fail_msg("%s\ngives %s", broken[i].text, error.message);
        }
        assert_ptr_equal(configuration.file, fixture->path);
    }
}

/* What a power cut may leave, and what used to bring up an empty registry. */
static void without_one_of_the_stores_nothing_starts(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        const char *told;
    } incomplete[] = {
        {"", "registry_storage is missing: write a line such as "
             "'registry_storage = /var/lib/berth/registry' at the top"},
        {"\n\n", "registry_storage is missing"},
        {"; registry_storage = a\n" TEMPORARY CACHE, "registry_storage is missing"},
        {TEMPORARY CACHE "[proxy]\nenabled = no\n", "registry_storage is missing"},
        {"registry_storage = a\n" CACHE,
         "temporary_registry_storage is missing: write a line such as "
         "'temporary_registry_storage = /var/lib/berth/_tmp' at the top"},
        {"registry_storage = a\n" TEMPORARY "[proxy]\nenabled = no\n",
         "proxy_storage is missing: write a line such as "
         "'proxy_storage = /var/lib/berth/proxy' at the top"},
    };

    for (size_t i = 0; i < COUNT(incomplete); i++) {
        struct configuration configuration = {.file = fixture->path};
        struct error error = ERROR_INIT;
        char place[256];

        assert_fails(ERROR_INTERNAL,
                     read_text(fixture, incomplete[i].text, &configuration, &error));
        (void)snprintf(place, sizeof(place), "%s/configuration.ini: ", fixture->path);
        assert_ptr_equal(strstr(error.message, place), error.message);
        assert_non_null(strstr(error.message, incomplete[i].told));
        assert_ptr_equal(configuration.file, fixture->path);
    }
}

/* inih would cut these without a word. */
static void lines_and_names_end_where_they_would_be_cut(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer value = BUFFER_INIT;

    for (int i = 0; i < 250; i++) {
        buffer_add_text(&value, "v");
    }
    for (int length = 190; length < 205; length++) {
        AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct error error = ERROR_INIT;
        int result;

        buffer_format(&text, "registry_storage = /%.*s\nproxy_storage = /p\n" TEMPORARY,
                      length - 20, value.data);
        result = read_text(fixture, text.data, &configuration, &error);
        assert_int_equal(result, length <= 198 ? 0 : -1);
        if (result == 0) {
            assert_int_equal(strlen(configuration.registry.hosted.root), length - 19);
            assert_string_equal(configuration.registry.proxy.store.root, "/p");
        } else {
            assert_non_null(strstr(error.message, ":1: "));
            assert_non_null(strstr(error.message, "too long"));
        }
    }
    for (int length = 40; length < 60; length++) {
        struct configuration configuration = CONFIGURATION_INIT;
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        struct error error = ERROR_INIT;

        buffer_format(&text, "%.*s = 1\n", length, value.data);
        assert_fails(ERROR_INTERNAL, read_text(fixture, text.data, &configuration, &error));
        assert_int_equal(strstr(error.message, "too long") != NULL, length > 49);
        buffer_clear(&text);
        buffer_format(&text, "[%.*s]\nx = 1\n", length, value.data);
        assert_fails(ERROR_INTERNAL, read_text(fixture, text.data, &configuration, &error));
        assert_int_equal(strstr(error.message, "too long") != NULL, length > 49);
    }
}

static void comments_may_be_of_any_length(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;

    buffer_add_text(&text, "; ");
    for (int i = 0; i < 1000; i++) {
        buffer_add_text(&text, "registry_storage = /x ");
    }
    buffer_add_text(&text, "\n" STORES "[hosted]\nread_only = yes\n");
    assert_returns(0, read_text(fixture, text.data, &configuration, &error));
    assert_true(configuration.registry.read_only);
    assert_null(strstr(configuration.registry.hosted.root, "/x"));
}

static void a_nul_byte_or_a_huge_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct configuration configuration = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/configuration.ini", fixture->path);
    put_bytes(fixture->directory, "configuration.ini", "[hosted]\n\0read_only = yes\n", 26);
    assert_fails(ERROR_INTERNAL, configuration_read(&configuration, path, &error));
    assert_non_null(strstr(error.message, "NUL"));
    memset(buffer_reserve(&text, 2 * 1024 * 1024), '\n', 2 * 1024 * 1024);
    buffer_added(&text, 2 * 1024 * 1024);
    put_bytes(fixture->directory, "configuration.ini", text.data, text.length);
    assert_fails(ERROR_INTERNAL, configuration_read(&configuration, path, &error));
    assert_fails(ERROR_INTERNAL, configuration_read(&configuration, fixture->path, &error));
    assert_fails(ERROR_INTERNAL, configuration_read(&configuration, "/none/x.ini", &error));
    assert_non_null(strstr(error.message, "/none/x.ini"));
}

static void paths_are_relative_to_the_file_wherever_we_are(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    struct error error = ERROR_INIT;
    char path[256];
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    put_file(fixture->directory, "etc/real.ini", "registry_storage = ../data\n" TEMPORARY CACHE);
    assert_int_equal(symlinkat("etc/real.ini", fixture->directory, "link.ini"), 0);
    assert_int_equal(fchdir(fixture->directory), 0);
    assert_returns(0, configuration_read(&configuration, "link.ini", &error));
    assert_int_equal(fchdir(here), 0);
    (void)close(here);
    (void)snprintf(path, sizeof(path), "%s/etc/real.ini", fixture->path);
    assert_string_equal(configuration.file, path);
    (void)snprintf(path, sizeof(path), "%s/etc/../data", fixture->path);
    assert_string_equal(configuration.registry.hosted.root, path);
}

/* Told by what the directories are, not by how they are written. */
static void each_store_has_a_directory_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        const char *told; /* NULL: taken */
    } stores[] = {
        {STORES, NULL},
        {"registry_storage = r\nproxy_storage = r2\n" TEMPORARY, NULL},
        {"registry_storage = r\nproxy_storage = absent/../p\n" TEMPORARY, NULL},
        {"registry_storage = r\nproxy_storage = ./r/\n" TEMPORARY,
         "registry_storage is the same as proxy_storage"},
        {"registry_storage = r\nproxy_storage = r/p\n" TEMPORARY,
         "proxy_storage is inside registry_storage"},
        {"registry_storage = r\nproxy_storage = absent/.././r/p\n" TEMPORARY,
         "proxy_storage is inside registry_storage"},
        {"registry_storage = r\nproxy_storage = linked/p\n" TEMPORARY,
         "proxy_storage is inside registry_storage"},
        {"registry_storage = r/r\nproxy_storage = linked\n" TEMPORARY,
         "registry_storage is inside proxy_storage"},
        {"registry_storage = r\n" CACHE "temporary_registry_storage = /\n",
         "registry_storage is inside temporary_registry_storage"},
    };

    assert_int_equal(0, mkdirat(fixture->directory, "r", 0700));
    assert_int_equal(0, symlinkat("r", fixture->directory, "linked"));
    for (size_t i = 0; i < COUNT(stores); i++) {
        AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
        struct error error = ERROR_INIT;
        int result = read_text(fixture, stores[i].text, &configuration, &error);

        if (result != (stores[i].told ? -1 : 0) ||
            (stores[i].told && !strstr(error.message, stores[i].told))) {
            fail_msg("%s\ngives %s", stores[i].text, error.message);
        }
    }
}

static void what_is_printed_can_be_read_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CONFIGURATION struct configuration first = CONFIGURATION_INIT;
    AUTO_CONFIGURATION struct configuration second = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer printed = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_returns(
        0, read_text(
               fixture,
               "registry_storage = /r\n" TEMPORARY CACHE "[hosted]\nread_only = yes\n"
               "minimum_free_space = 3G\naccept_sparse = no\nupload_expiry = 2h\n"
               "[proxy]\nupstreams = docker.io, ghcr.io\n[upstream a.b]\n"
               "url = https://c:1\nusername = u\npassword_file = f\n[upstream d]\ntoken_host = e\n",
               &first, &error));
    configuration_print(&first, &printed);
    assert_returns(0, read_text(fixture, printed.data, &second, &error));
    configuration_print(&second, &again);
    assert_string_equal(again.data, printed.data);
    assert_non_null(strstr(printed.data, "registry_storage = /r\n"));
    assert_non_null(strstr(printed.data, "\n[hosted]\nread_only = yes\n"));
    assert_non_null(strstr(printed.data, "minimum_free_space = 3221225472\n"));
    assert_non_null(strstr(printed.data, "upload_expiry = 7200s\n"));
}

/* Whoever has read another one may not be given what is done under this one. */
static void another_file_has_another_fingerprint(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        STORES, STORES "[upstream x.example]\nurl = https://y.example\n",
        STORES "[upstream x.example]\npassword = y\nusername = y\n", STORES};
    struct digest fingerprints[COUNT(texts)];
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;

        assert_returns(0, read_text(fixture, texts[i], &configuration, &error));
        fingerprints[i] = configuration.registry.proxy.fingerprint;
    }
    assert_false(digest_equal(&fingerprints[0], &fingerprints[1]));
    assert_false(digest_equal(&fingerprints[0], &fingerprints[2]));
    assert_true(digest_equal(&fingerprints[0], &fingerprints[3]));
}

static void a_password_is_not_printed(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer printed = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, read_text(fixture, STORES "[upstream x]\nusername = u\npassword = hunter2\n",
                                &configuration, &error));
    assert_string_equal(configuration.registry.proxy.sections[0].password, "hunter2");
    configuration_print(&configuration, &printed);
    assert_null(strstr(printed.data, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(the_stores_alone_mean_the_defaults),
        IN_DIRECTORY(without_one_of_the_stores_nothing_starts),
        IN_DIRECTORY(every_key_has_its_place),
        IN_DIRECTORY(what_is_not_understood_is_told_with_its_line),
        IN_DIRECTORY(lines_and_names_end_where_they_would_be_cut),
        IN_DIRECTORY(comments_may_be_of_any_length),
        IN_DIRECTORY(a_nul_byte_or_a_huge_file_is_refused),
        IN_DIRECTORY(paths_are_relative_to_the_file_wherever_we_are),
        IN_DIRECTORY(each_store_has_a_directory_of_its_own),
        IN_DIRECTORY(what_is_printed_can_be_read_again),
        IN_DIRECTORY(another_file_has_another_fingerprint),
        IN_DIRECTORY(a_password_is_not_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
