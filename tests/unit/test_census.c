/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/store/census.h"
#include "lib/store/upload.h"

static void what_was_counted_is_read_with_its_age(void **state)
{
    struct fixture *fixture = *state;
    struct census written = {.repositories = 1,
                             .tags = 2,
                             .manifests = 3,
                             .blobs = 4,
                             .bytes = (uint64_t)5 << 40,
                             .linked_bytes = (uint64_t)6 << 40,
                             .trash = {{7, 8}, {9, 10}}};
    struct census read;
    struct error error;
    uint64_t age;

    assert_returns(0, census_read(&fixture->store, &read, &age, &error));
    assert_returns(0, census_write(&fixture->store, &written, &error));
    set_age(fixture->store.root, LAYOUT_CENSUS, 100);
    assert_returns(1, census_read(&fixture->store, &read, &age, &error));
    assert_memory_equal(&read, &written, sizeof(read));
    assert_in_range(age, 100, 110);
    put_file(fixture->store.root, LAYOUT_CENSUS, "");
    assert_returns(0, census_read(&fixture->store, &read, &age, &error));
}

static void sessions_are_counted_and_those_in_use(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload used = UPLOAD_INIT;
    struct upload idle = UPLOAD_INIT;
    struct census_uploads uploads;
    struct error error;

    assert_returns(0, census_count_uploads(&fixture->store, &uploads, &error));
    assert_int_equal(uploads.sessions, 0);
    assert_returns(0, upload_start(&used, &fixture->repository, DIGEST_SHA256, &error));
    assert_returns(0, upload_start(&idle, &fixture->repository, DIGEST_SHA256, &error));
    upload_release(&idle);
    assert_returns(0, census_count_uploads(&fixture->store, &uploads, &error));
    assert_int_equal(uploads.sessions, 2);
    assert_int_equal(uploads.active, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_was_counted_is_read_with_its_age),
        IN_STORE(sessions_are_counted_and_those_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
