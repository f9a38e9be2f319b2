/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/store/blob.h"
#include "lib/store/referrers.h"
#include "tests/unit/trace.h"

/* An artifact with a subject; `more` are further members, each with a comma behind it. */
static void make_artifact(const struct repository *repository, const struct digest *subject,
                          const char *more, struct buffer *out)
{
    struct digest config = push_blob(repository, "{}");

    buffer_format(out,
                  "{%s\"schemaVersion\":2,\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST
                  "\",\"config\":{\"mediaType\":\"a/config\",\"digest\":\"%s\",\"size\":2},"
                  "\"subject\":{\"digest\":\"%s\",\"size\":7}}",
                  more, config.text, subject->text);
}

static struct digest push_artifact(const struct repository *repository,
                                   const struct digest *subject, const char *more)
{
    AUTO_BUFFER struct buffer json = BUFFER_INIT;

    make_artifact(repository, subject, more, &json);
    return push_manifest(repository, json.data, NULL);
}

/* All of them, one page. */
static void list_all(const struct repository *repository, const struct digest *subject,
                     const char *artifact_type, struct buffer *out)
{
    struct referrers_query query = {*subject, artifact_type, {NULL, 1000}, NULL};
    struct digest last;
    struct error error = ERROR_INIT;

    buffer_clear(out);
    assert_returns(0, referrers_list(repository, &query, out, &last, &error));
}

static void lists_what_names_the_subject(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    AUTO_BUFFER struct buffer expected = BUFFER_INIT;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct digest other = sha256("other");
    struct repository elsewhere = repository_named(fixture, "elsewhere");

    list_all(&fixture->repository, &subject, NULL, &list);
    assert_string_equal(list.data, "");
    make_artifact(&fixture->repository, &subject,
                  "\"artifactType\":\"a/sbom\",\"annotations\":{\"k\":\"v\"},", &json);
    buffer_format(&expected,
                  "{\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST
                  "\",\"digest\":\"%s\",\"size\":%zu,\"artifactType\":\"a/sbom\",\"annotations\":"
                  "{\"k\":\"v\"}}",
                  push_manifest(&fixture->repository, json.data, "v1").text, json.length);
    (void)push_artifact(&fixture->repository, &other, "");
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_string_equal(list.data, expected.data);
    list_all(&elsewhere, &subject, NULL, &list);
    assert_string_equal(list.data, "");
}

static void filters_by_artifact_type(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct digest sbom =
        push_artifact(&fixture->repository, &subject, "\"artifactType\":\"a/sbom\",");
    struct digest plain = push_artifact(&fixture->repository, &subject, "");

    list_all(&fixture->repository, &subject, "a/sbom", &list);
    assert_non_null(strstr(list.data, sbom.text));
    assert_null(strstr(list.data, plain.text));
    /* Without an artifactType it is the config's mediaType. */
    list_all(&fixture->repository, &subject, "a/config", &list);
    assert_null(strstr(list.data, sbom.text));
    assert_non_null(strstr(list.data, plain.text));
    list_all(&fixture->repository, &subject, "a/nothing", &list);
    assert_string_equal(list.data, "");
    list_all(&fixture->repository, &subject, "", &list);
    assert_string_equal(list.data, "");
}

static void an_entry_counts_only_while_the_manifest_is_there(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct digest artifact = push_artifact(&fixture->repository, &subject, "");
    struct path entry = layout_referrer("team/app", &subject, &artifact);
    struct error error = ERROR_INIT;

    assert_true(is_there(fixture->store.root, entry.text));
    assert_int_equal(
        unlinkat(fixture->store.root, layout_link("team/app", LINK_REVISION, &artifact).text, 0),
        0);
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_string_equal(list.data, "");
    (void)push_artifact(&fixture->repository, &subject, "");
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_non_null(strstr(list.data, artifact.text));
    assert_returns(1, repository_delete_manifest(&fixture->repository, &artifact, NULL, &error));
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_string_equal(list.data, "");
    assert_true(is_there(fixture->store.root, entry.text)); /* for when it comes back */
}

static void the_entry_comes_before_the_manifest(void **state)
{
    struct fixture *fixture = *state;
    struct digest subject = sha256("subject");
    struct digest artifact;
    size_t entry;
    size_t linked;

    trace_begin();
    artifact = push_artifact(&fixture->repository, &subject, "");
    (void)trace_end();
    entry = trace_find("renameat ", layout_referrer("team/app", &subject, &artifact).text, 0);
    linked = trace_find("renameat ", layout_link("team/app", LINK_REVISION, &artifact).text, 0);
    assert_true(entry < linked && linked != SIZE_MAX);
    assert_true(trace_find("fsync ", digest_hex(&subject), linked) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/_referrers/sha256", linked) != SIZE_MAX);
}

static void pages_are_whole_and_say_whether_more_follow(void **state)
{
    enum { ARTIFACTS = 7 };
    struct fixture *fixture = *state;
    struct digest subject = sha256("subject");

    for (int i = 0; i < ARTIFACTS; i++) {
        AUTO_BUFFER struct buffer more = BUFFER_INIT;

        buffer_format(&more, "\"annotations\":{\"n\":\"%d\"},", i);
        (void)push_artifact(&fixture->repository, &subject, more.data);
    }
    for (size_t limit = 1; limit <= ARTIFACTS + 1; limit++) {
        struct referrers_query query = {subject, NULL, {NULL, limit}, NULL};
        AUTO_BUFFER struct buffer all = BUFFER_INIT;
        AUTO_BUFFER struct buffer pages = BUFFER_INIT;
        struct error error = ERROR_INIT;
        struct digest last = {.text = ""};
        char before[DIGEST_TEXT_SIZE] = "";
        int more = 1;

        list_all(&fixture->repository, &subject, NULL, &all);
        for (size_t n = 0; more > 0; n += limit) {
            AUTO_BUFFER struct buffer page = BUFFER_INIT;

            more = referrers_list(&fixture->repository, &query, &page, &last, &error);
            assert_int_equal(more, n + limit < ARTIFACTS);
            assert_true(strcmp(last.text, before) > 0);
            memcpy(before, last.text, sizeof(before));
            query.page.last = before;
            buffer_format(&pages, "%s%s", n ? "," : "", page.data);
        }
        assert_string_equal(pages.data, all.data);
    }
}

static void a_page_of_nothing_is_empty(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest last;
    struct referrers_query query = {sha256("subject"), NULL, {NULL, 0}, NULL};

    (void)push_artifact(&fixture->repository, &query.subject, "");
    assert_returns(0, referrers_list(&fixture->repository, &query, &out, &last, &error));
    assert_string_equal(out.data, "");
    query.page = (struct page){"zzz", 10};
    assert_returns(0, referrers_list(&fixture->repository, &query, &out, &last, &error));
    assert_string_equal(out.data, "");
}

static void a_page_ends_before_it_is_too_large_for_clients(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct referrers_query query = {subject, NULL, {NULL, 1000}, NULL};
    struct error error = ERROR_INIT;
    struct digest last;

    for (int i = 0; i < 4; i++) {
        AUTO_BUFFER struct buffer more = BUFFER_INIT;

        buffer_format(&more, "\"annotations\":{\"n\":\"%d\",\"x\":\"", i);
        memset(buffer_reserve(&more, 900 * 1024), 'x', 900 * 1024);
        buffer_added(&more, 900 * 1024);
        buffer_add_text(&more, "\"},");
        (void)push_artifact(&fixture->repository, &subject, more.data);
    }
    assert_returns(1, referrers_list(&fixture->repository, &query, &out, &last, &error));
    assert_true(out.length > 1024 * 1024 && out.length < 4 * 1024 * 1024);
}

static void a_garbled_descriptor_is_made_anew(void **state)
{
    static const char *const garbled[] = {"",     "{", "{}", "null", "{\"digest\":\"sha256:x\"}",
                                          "{},{}"};
    struct fixture *fixture = *state;
    struct digest subject = sha256("subject");
    struct digest artifact = push_artifact(&fixture->repository, &subject, "");
    struct path entry = layout_referrer("team/app", &subject, &artifact);
    AUTO_BUFFER struct buffer before = BUFFER_INIT;

    list_all(&fixture->repository, &subject, NULL, &before);
    for (size_t i = 0; i < COUNT(garbled); i++) {
        AUTO_BUFFER struct buffer after = BUFFER_INIT;

        put_file(fixture->store.root, entry.text, garbled[i]);
        list_all(&fixture->repository, &subject, NULL, &after);
        assert_string_equal(after.data, before.data);
    }
}

/* One whose descriptor would be larger than what is ever read. */
static void one_entry_does_not_spoil_the_list(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer more = BUFFER_INIT;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct digest large;
    struct digest small;

    buffer_add_text(&more, "\"annotations\":{\"x\":\"");
    memset(buffer_reserve(&more, 9 * 1024 * 1024), 'x', 9 * 1024 * 1024);
    buffer_added(&more, 9 * 1024 * 1024);
    buffer_add_text(&more, "\"},");
    large = push_artifact(&fixture->repository, &subject, more.data);
    small = push_artifact(&fixture->repository, &subject, "");
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_non_null(strstr(list.data, large.text));
    assert_non_null(strstr(list.data, small.text));
}

/* What clients without the referrers API keep ("Referrers Tag Schema"). */
static void lists_what_is_under_the_fallback_tag(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    AUTO_BUFFER struct buffer tag = BUFFER_INIT;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct digest other = sha256("other");
    struct digest known = push_artifact(&fixture->repository, &subject, "");
    struct digest old =
        push_artifact(&fixture->repository, &subject, "\"annotations\":{\"old\":\"\"},");
    struct digest foreign = push_artifact(&fixture->repository, &other, "");
    struct digest absent = sha256("absent");
    const char *first;

    /* As if it had been pushed before there were entries. */
    assert_int_equal(
        unlinkat(fixture->store.root, layout_referrer("team/app", &subject, &old).text, 0), 0);
    buffer_format(&tag, "sha256-%s", digest_hex(&subject));
    buffer_format(&index,
                  "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":1},{\"digest\":"
                  "\"%s\",\"size\":1},{\"digest\":\"%s\",\"size\":1},{\"digest\":\"%s\",\"size\":1}"
                  "]}",
                  known.text, old.text, foreign.text, absent.text);
    (void)push_manifest(&fixture->repository, index.data, tag.data);
    list_all(&fixture->repository, &subject, NULL, &list);
    first = strstr(list.data, known.text);
    assert_non_null(first);
    assert_null(strstr(first + 1, known.text)); /* once, though it is in both */
    assert_non_null(strstr(list.data, old.text));
    assert_non_null(strstr(list.data, "\"annotations\":{\"old\":\"\"}"));
    assert_null(strstr(list.data, foreign.text));
    assert_null(strstr(list.data, absent.text));
}

static void a_subject_may_be_of_sha512(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest subject;
    struct digest artifact;

    digest_of(DIGEST_SHA512, "subject", 7, &subject);
    artifact = push_artifact(&fixture->repository, &subject, "");
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_non_null(strstr(list.data, artifact.text));
}

static void foreign_files_in_the_directory_are_passed_over(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    struct digest subject = sha256("subject");
    struct digest artifact = push_artifact(&fixture->repository, &subject, "");

    buffer_format(&path, "%s/.nfs000", layout_referrers("team/app", &subject).text);
    put_file(fixture->store.root, path.data, "x");
    list_all(&fixture->repository, &subject, NULL, &list);
    assert_non_null(strstr(list.data, artifact.text));
    assert_int_equal(list.data[list.length - 1], '}');
}

/* A filter for what is not there goes on with the next page, and no look is made twice. */
static void a_page_looks_at_so_many_at_most(void **state)
{
    struct fixture *fixture = *state;
    struct digest subject = sha256("subject");
    struct digest real = push_artifact(&fixture->repository, &subject, "\"artifactType\":\"a/b\",");
    struct referrers_query query = {subject, "a/b", {NULL, 1000}, NULL};
    struct error error = ERROR_INIT;
    struct digest last = {.text = ""};
    size_t pages = 0;
    size_t listed = 0;
    int more = 1;

    for (unsigned i = 0; i < REFERRERS_LOOKS * 2; i++) {
        AUTO_BUFFER struct buffer path = BUFFER_INIT;

        buffer_format(&path, "%s/sha256:%08x%056d", layout_referrers("team/app", &subject).text,
                      i * 400000U, 0);
        put_file(fixture->store.root, path.data, "{}");
    }
    while (more) {
        AUTO_BUFFER struct buffer list = BUFFER_INIT;
        char before[sizeof(last.text)];

        (void)memcpy(before, last.text, sizeof(before));
        query.page.last = before;
        more = referrers_list(&fixture->repository, &query, &list, &last, &error);
        assert_true(more >= 0);
        assert_true(!more || strcmp(before, last.text) < 0);
        listed += strstr(list.data, real.text) != NULL;
        pages++;
    }
    assert_int_equal(pages, 3);
    assert_int_equal(listed, 1);
}

/* An entry of a type that is not looked for. */
static void put_long_entry(struct fixture *fixture, const struct digest *subject, unsigned number,
                           size_t length)
{
    AUTO_BUFFER struct buffer member = BUFFER_INIT;
    AUTO_BUFFER struct buffer entry = BUFFER_INIT;
    struct digest digest;

    buffer_format(&member, "\"artifactType\":\"c/d\",\"number\":%u,", number);
    digest = push_artifact(&fixture->repository, subject, member.data);
    buffer_format(&entry, "{\"digest\":\"%s\",\"artifactType\":\"c/d\",\"x\":\"%*s\"}", digest.text,
                  (int)length, "");
    put_file(fixture->store.root, layout_referrer("team/app", subject, &digest).text, entry.data);
}

/* Who has read enough elsewhere gets one more look, and no list without an end. */
static void what_may_be_read_is_the_callers_to_say(void **state)
{
    struct fixture *fixture = *state;
    struct digest subject = sha256("subject");
    uint64_t left = REFERRERS_LOOK_BYTES;
    struct referrers_query query = {subject, "a/b", {NULL, 1000}, &left};
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct digest last;

    put_long_entry(fixture, &subject, 1, 1000);
    put_long_entry(fixture, &subject, 2, 1000);
    assert_returns(0, referrers_list(&fixture->repository, &query, &list, &last, &error));
    assert_in_range(REFERRERS_LOOK_BYTES - left, 2000, 3000);
    left = 10;
    assert_returns(1, referrers_list(&fixture->repository, &query, &list, &last, &error));
    assert_int_equal(left, 0);
}

static void a_page_reads_so_many_bytes_at_most(void **state)
{
    struct fixture *fixture = *state;
    struct digest subject = sha256("subject");
    struct referrers_query query = {subject, "a/b", {NULL, 1000}, NULL};
    struct error error = ERROR_INIT;
    struct digest last = {.text = ""};
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    struct digest real = push_artifact(&fixture->repository, &subject, "\"artifactType\":\"a/b\",");
    size_t pages = 0;
    int more = 1;

    for (unsigned i = 0; i < 12; i++) {
        put_long_entry(fixture, &subject, i, REFERRERS_LOOK_BYTES / 8);
    }
    for (; more && pages < 5; pages++) {
        struct digest before = last;

        query.page.last = before.text;
        more = referrers_list(&fixture->repository, &query, &list, &last, &error);
        assert_true(more >= 0);
    }
    assert_int_equal(pages, 2);
    assert_non_null(strstr(list.data, real.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(lists_what_names_the_subject),
        IN_STORE(filters_by_artifact_type),
        IN_STORE(an_entry_counts_only_while_the_manifest_is_there),
        IN_STORE(the_entry_comes_before_the_manifest),
        IN_STORE(pages_are_whole_and_say_whether_more_follow),
        IN_STORE(a_page_of_nothing_is_empty),
        IN_STORE(a_page_looks_at_so_many_at_most),
        IN_STORE(a_page_reads_so_many_bytes_at_most),
        IN_STORE(what_may_be_read_is_the_callers_to_say),
        IN_STORE(a_page_ends_before_it_is_too_large_for_clients),
        IN_STORE(a_garbled_descriptor_is_made_anew),
        IN_STORE(one_entry_does_not_spoil_the_list),
        IN_STORE(lists_what_is_under_the_fallback_tag),
        IN_STORE(a_subject_may_be_of_sha512),
        IN_STORE(foreign_files_in_the_directory_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
