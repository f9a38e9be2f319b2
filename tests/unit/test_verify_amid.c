/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/repository.h"
#include "lib/store/settle.h"
#include "lib/store/verify.h"
#include "tests/unit/trace.h"

/* Who looks whether all is well finds nothing wrong with what somebody changes meanwhile. */

#define FORMER "{\"schemaVersion\":2,\"manifests\":[]}"

static void tell(void *context, const char *path, const char *what)
{
    (void)context;
    print_message("%s: %s\n", path, what);
}

struct change {
    void (*prepare)(struct fixture *fixture);
    void (*act)(struct fixture *fixture);
};

static void push_family(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;

    make_image(&fixture->repository, "child", &image);
    buffer_format(&index, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":1}]}",
                  push_manifest(&fixture->repository, image.data, NULL).text);
    (void)push_manifest(&fixture->repository, index.data, "v1");
}

static void delete_family(struct fixture *fixture)
{
    struct error error = ERROR_INIT;

    assert_returns(1, repository_delete_all(&fixture->repository, NULL, &error));
}

static void push_former(struct fixture *fixture)
{
    (void)push_manifest(&fixture->repository, FORMER, "v1");
}

static void replace_former(struct fixture *fixture)
{
    struct digest former = sha256(FORMER);
    struct error error = ERROR_INIT;

    (void)push_manifest(&fixture->repository, "{\"schemaVersion\":2,\"manifests\":[ ]}", "v1");
    assert_returns(1, repository_delete_manifest(&fixture->repository, &former, NULL, &error));
}

/* As a push makes them before what goes into them. */
static void make_directories(struct fixture *fixture)
{
    struct digest digest = sha256("content");
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct error error = ERROR_INIT;

    assert_returns(0, file_make_parents(fixture->store.root, layout_blob(&digest).text, &error));
    assert_returns(0, file_make_parents(fixture->store.root, link.text, &error));
}

static void push_content(struct fixture *fixture)
{
    (void)push_blob(&fixture->repository, "content");
}

struct moment {
    const struct change *change;
    struct fixture *fixture;
    size_t left; /* calls */
    bool has_come;
};

static void change_then(void *context, const char *line)
{
    struct moment *moment = context;

    (void)line;
    if (!moment->has_come && moment->left-- == 0) {
        moment->has_come = true;
        moment->change->act(moment->fixture);
    }
}

/* Before the n-th call of a check, which holds no locks. False if there are not so many. */
static bool is_changed_amid(const struct change *change, size_t n)
{
    void *fresh = NULL;
    struct verify_report report = {.problem = tell};
    struct moment moment = {.change = change, .left = n};
    struct error error = ERROR_INIT;

    assert_int_equal(store_setup(&fresh), 0);
    moment.fixture = fresh;
    moment.fixture->options.accept_sparse = SPARSE_NO;
    change->prepare(moment.fixture);
    trace_begin();
    trace_looks();
    trace_hook(change_then, &moment);
    assert_returns(0, verify_store(&moment.fixture->store, &report, &error));
    (void)trace_end();
    if (report.problems + report.hurt_tags > 0) {
        fail_msg("%u problems before call %zu", (unsigned)report.problems, n);
    }
    assert_int_equal(store_teardown(&fresh), 0);
    return moment.has_come;
}

static void try_every_moment(const struct change *change)
{
    size_t n = 0;

    while (is_changed_amid(change, n)) {
        n++;
    }
    assert_true(n > 4);
}

static void what_is_deleted_meanwhile_is_no_problem(void **state)
{
    static const struct change change = {push_family, delete_family};

    (void)state;
    try_every_moment(&change);
}

static void a_tag_that_moves_meanwhile_is_no_problem(void **state)
{
    static const struct change change = {push_former, replace_former};

    (void)state;
    try_every_moment(&change);
}

static void what_is_just_being_pushed_is_no_problem(void **state)
{
    static const struct change change = {make_directories, push_content};

    (void)state;
    try_every_moment(&change);
}

static void what_leads_nowhere_is_put_back_without_what_was_in_the_way(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push_blob(&fixture->repository, "content");
    struct path blob = layout_blob(&digest);
    struct path link = layout_link("team/app", LINK_LAYER, &digest);
    struct verify_report report = {.problem = tell, .repair = true};
    AUTO_NAMES struct names ids = NAMES_INIT;
    struct error error = ERROR_INIT;
    size_t links = 0;

    fixture->damaged = true;
    assert_true(settle_is_done_at(&fixture->store, link.text));
    assert_int_equal(unlinkat(fixture->store.root, blob.text, 0), 0);
    put_file(fixture->store.root, layout_below(blob.text, "below").text, "");
    assert_returns(0, verify_store(&fixture->store, &report, &error));
    assert_returns(1, directory_list(fixture->store.root, LAYOUT_DAMAGED, &ids, &error));
    for (size_t i = 0; i < ids.count; i++) {
        struct path kept = layout_damaged_path(ids.names[i], link.text);

        if (is_there(fixture->store.root, kept.text)) {
            assert_false(
                is_there(fixture->store.root, layout_damaged_path(ids.names[i], blob.text).text));
            assert_false(settle_is_done_at(&fixture->store, kept.text));
            links++;
        }
    }
    assert_int_equal(links, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_deleted_meanwhile_is_no_problem),
        cmocka_unit_test(a_tag_that_moves_meanwhile_is_no_problem),
        cmocka_unit_test(what_is_just_being_pushed_is_no_problem),
        IN_STORE(what_leads_nowhere_is_put_back_without_what_was_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
