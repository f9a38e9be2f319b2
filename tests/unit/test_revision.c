/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/revision.h"
#include "tests/unit/trace.h"

static struct digest write_manifest(struct fixture *fixture, const char *json, const char *type)
{
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);
    struct document document = {json, strlen(json), NULL};
    char told[MEDIA_TYPE_SIZE] = "";
    struct error error = ERROR_INIT;

    manifest.digest = sha256(json);
    manifest.type_source = manifest_media_type(&document, told);
    if (strcmp(told, type) != 0) {
        manifest.type_source = TYPE_UNKNOWN;
    }
    (void)memcpy(manifest.media_type, type, strlen(type) + 1);
    buffer_add_text(&manifest.content, json);
    assert_returns(0, revision_write(&lock, &manifest, &syncs, &error));
    assert_returns(0, sync_set_flush(&syncs, &error));
    return manifest.digest;
}

static void keeps_the_bytes_as_they_are(void **state)
{
    static const char json[] = " {\"mediaType\" : \"application/b\", \"x\":1.0e0}\n\n";
    struct fixture *fixture = *state;
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = write_manifest(fixture, json, "application/b");

    assert_returns(1, revision_exists(&fixture->repository, &digest, &error));
    assert_returns(1, revision_read(&fixture->repository, &digest, &read, &error));
    assert_string_equal(read.content.data, json);
    assert_int_equal(read.content.length, sizeof(json) - 1);
    assert_string_equal(read.digest.text, digest.text);
    assert_string_equal(read.media_type, "application/b");
}

static void belongs_to_one_repository(void **state)
{
    struct fixture *fixture = *state;
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    struct repository other = repository_named(fixture, "other");
    struct error error = ERROR_INIT;
    struct digest digest = write_manifest(fixture, "{}", "application/b");
    struct blob blob;

    assert_returns(0, revision_exists(&other, &digest, &error));
    assert_returns(0, revision_read(&other, &digest, &read, &error));
    /* It is no blob of the repository for that. */
    assert_returns(0, blob_find(&fixture->repository, &digest, &blob, &error));
}

static void tells_the_type_that_it_was_pushed_with(void **state)
{
    static const struct {
        const char *json;
        const char *type;
        bool kept_beside; /* the document does not tell it */
    } rows[] = {
        {"{\"mediaType\":\"application/b\"}", "application/b", false},
        {"{\"manifests\":[]}", MEDIA_TYPE_OCI_INDEX, false},
        {"{\"manifests\":[] }", MEDIA_TYPE_DOCKER_LIST, true},
        {"{\"config\":{},\"layers\":[]}", MEDIA_TYPE_OCI_MANIFEST, false},
        {"{\"a\":1}", "application/y+json", true},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
        struct error error = ERROR_INIT;
        struct digest digest = write_manifest(fixture, rows[i].json, rows[i].type);

        assert_returns(1, revision_read(&fixture->repository, &digest, &read, &error));
        assert_string_equal(read.media_type, rows[i].type);
        assert_int_equal(is_there(fixture->store.root, layout_media_type("team/app", &digest).text),
                         rows[i].kept_beside);
    }
}

static void the_type_may_change_when_it_is_pushed_again(void **state)
{
    static const char *const types[] = {MEDIA_TYPE_DOCKER_LIST, MEDIA_TYPE_OCI_INDEX,
                                        "application/y"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(types); i++) {
        AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
        struct error error = ERROR_INIT;
        struct digest digest = write_manifest(fixture, "{\"manifests\":[]}", types[i]);

        assert_returns(1, revision_read(&fixture->repository, &digest, &read, &error));
        assert_string_equal(read.media_type, types[i]);
    }
}

/* Whoever serves it then parses nothing. */
static void of_a_long_one_the_type_is_always_kept_beside(void **state)
{
    static const char *const heads[] = {"{\"mediaType\":\"application/b\"", "{\"manifests\":[]",
                                        "{\"a\":1"};
    static const char *const types[] = {"application/b", MEDIA_TYPE_OCI_INDEX, "application/y"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(heads); i++) {
        AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
        AUTO_STORED_MANIFEST struct stored_manifest without = STORED_MANIFEST_INIT;
        AUTO_BUFFER struct buffer json = BUFFER_INIT;
        struct error error = ERROR_INIT;
        struct digest digest;

        buffer_add_text(&json, heads[i]);
        while (json.length < 70000) {
            buffer_add_text(&json, "                                                        ");
        }
        buffer_add_text(&json, "}");
        digest = write_manifest(fixture, json.data, types[i]);
        assert_file(fixture->store.root, layout_media_type("team/app", &digest).text, types[i]);
        assert_returns(1, revision_read(&fixture->repository, &digest, &read, &error));
        assert_string_equal(read.media_type, types[i]);
        /* As other programs, or we before, have stored it. */
        assert_int_equal(
            unlinkat(fixture->store.root, layout_media_type("team/app", &digest).text, 0), 0);
        assert_returns(1, revision_read(&fixture->repository, &digest, &without, &error));
        assert_string_equal(without.media_type, i < 2 ? types[i] : "application/json");
    }
}

static void a_type_that_is_garbled_is_not_passed_on(void **state)
{
    static const char *const types[] = {"", "x", "text/html", "application/b\r\nX: y",
                                        "application/b\n"};
    struct fixture *fixture = *state;
    struct digest digest = write_manifest(fixture, "{\"a\":1}", "application/y");

    for (size_t i = 0; i < COUNT(types); i++) {
        AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
        struct error error = ERROR_INIT;

        put_file(fixture->store.root, layout_media_type("team/app", &digest).text, types[i]);
        assert_returns(1, revision_read(&fixture->repository, &digest, &read, &error));
        assert_string_equal(read.media_type, "application/json");
    }
}

/* Without it a registry in Go does not see the repository, and its collector takes the bytes. */
static void makes_layers_even_if_there_are_none(void **state)
{
    struct fixture *fixture = *state;

    trace_begin();
    (void)write_manifest(fixture, "{}", "application/b");
    (void)trace_end();
    assert_true(is_there(fixture->store.root, "docker/registry/v2/repositories/team/app/_layers"));
    assert_true(trace_find("fsync ", "/team/app", 0) != SIZE_MAX);
}

static void the_link_comes_after_the_bytes_and_the_type(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest;
    size_t bytes;
    size_t type;
    size_t linked;

    trace_begin();
    digest = write_manifest(fixture, "{\"a\":1}", "application/y");
    (void)trace_end();
    bytes = trace_find("renameat ", layout_blob(&digest).text, 0);
    type = trace_find("renameat ", layout_media_type("team/app", &digest).text, bytes);
    linked = trace_find("renameat ", layout_link("team/app", LINK_REVISION, &digest).text, type);
    assert_true(bytes < type && type < linked && linked != SIZE_MAX);
    assert_true(trace_find("fsync ", "/_manifests/revisions/sha256", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/_media_types/sha256", linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", digest_hex(&digest), linked) != SIZE_MAX);
}

static void a_removed_one_is_gone_and_its_bytes_stay(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set syncs = SYNC_SET_INIT(fixture->store.root);
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = write_manifest(fixture, "{\"a\":1}", "application/y");
    AUTO_REPOSITORY_LOCK struct repository_lock lock = hold_lock(fixture);

    assert_returns(1, revision_remove(&lock, &digest, &syncs, &error));
    assert_returns(0, revision_remove(&lock, &digest, &syncs, &error));
    assert_returns(0, revision_exists(&fixture->repository, &digest, &error));
    assert_returns(0, revision_read(&fixture->repository, &digest, &read, &error));
    assert_true(is_there(fixture->store.root, layout_media_type("team/app", &digest).text));
    assert_file(fixture->store.root, layout_blob(&digest).text, "{\"a\":1}");
}

static void one_whose_bytes_have_gone_is_none(void **state)
{
    struct fixture *fixture = *state;
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = write_manifest(fixture, "{}", "application/b");

    fixture->damaged = true;
    assert_int_equal(unlinkat(fixture->store.root, layout_blob(&digest).text, 0), 0);
    assert_returns(0, revision_exists(&fixture->repository, &digest, &error));
    assert_returns(0, revision_read(&fixture->repository, &digest, &read, &error));
    assert_int_equal(read.content.length, 0);
}

/* What a damaged document told is not believed once it is whole again. */
static void the_type_is_right_again_after_a_repair(void **state)
{
    static const char json[] = "{\"mediaType\":\"application/b\",\"n\":\"repair\"}";
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    AUTO_STORED_MANIFEST struct stored_manifest damaged = STORED_MANIFEST_INIT;
    AUTO_STORED_MANIFEST struct stored_manifest whole = STORED_MANIFEST_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = sha256(json);

    put_file(fixture->store.root, layout_link("other", LINK_REVISION, &digest).text, digest.text);
    put_file(fixture->store.root, layout_blob(&digest).text, "{");
    assert_returns(1, revision_read(&other, &digest, &damaged, &error));
    put_file(fixture->store.root, layout_blob(&digest).text, json);
    assert_returns(1, revision_read(&other, &digest, &whole, &error));
    assert_string_equal(whole.media_type, "application/b");
}

static void an_alias_of_distribution_leads_to_the_bytes(void **state)
{
    struct fixture *fixture = *state;
    AUTO_STORED_MANIFEST struct stored_manifest read = STORED_MANIFEST_INIT;
    struct error error = ERROR_INIT;
    struct digest digest = write_manifest(fixture, "{}", "application/b");
    struct digest alias;
    struct digest target;

    digest_of(DIGEST_SHA512, "{}", 2, &alias);
    put_file(fixture->store.root, layout_link("team/app", LINK_REVISION, &alias).text, digest.text);
    assert_returns(1, revision_find(&fixture->repository, &alias, &target, &error));
    assert_string_equal(target.text, digest.text);
    assert_returns(1, revision_read(&fixture->repository, &alias, &read, &error));
    assert_string_equal(read.content.data, "{}");
    assert_string_equal(read.digest.text, alias.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(keeps_the_bytes_as_they_are),
        IN_STORE(belongs_to_one_repository),
        IN_STORE(tells_the_type_that_it_was_pushed_with),
        IN_STORE(the_type_may_change_when_it_is_pushed_again),
        IN_STORE(of_a_long_one_the_type_is_always_kept_beside),
        IN_STORE(a_type_that_is_garbled_is_not_passed_on),
        IN_STORE(makes_layers_even_if_there_are_none),
        IN_STORE(the_link_comes_after_the_bytes_and_the_type),
        IN_STORE(a_removed_one_is_gone_and_its_bytes_stay),
        IN_STORE(one_whose_bytes_have_gone_is_none),
        IN_STORE(the_type_is_right_again_after_a_repair),
        IN_STORE(an_alias_of_distribution_leads_to_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
