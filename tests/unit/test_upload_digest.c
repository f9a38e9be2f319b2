/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/store/upload.h"

/* Finishes a session with a digest that it has not; what is said of the one that it has. */
static void refuse(struct fixture *fixture, const char *id, const struct digest *wrong,
                   const struct digest *actual)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, wrong, &error));
    assert_non_null(strstr(error.message, actual->text));
}

/* Seen by bytes that others have taken the place of: they are not read any more. */
static void a_digest_that_was_refused_is_not_computed_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest wrong[2] = {sha256("other"), {.text = ""}};
    struct digest actual[2] = {sha256("bytes"), {.text = ""}};
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    digest_of(DIGEST_SHA512, "other", 5, &wrong[1]);
    digest_of(DIGEST_SHA512, "bytes", 5, &actual[1]);
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, sizeof(id));
    assert_returns(0, upload_write(&upload, "bytes", 5, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    for (size_t i = 0; i < 2; i++) {
        refuse(fixture, id, &wrong[i], &actual[i]);
    }
    put_file(fixture->store.temporary, layout_upload_data(id).text, "BYTES");
    for (size_t i = 0; i < 6; i++) {
        refuse(fixture, id, &wrong[i % 2], &actual[i % 2]);
    }
    put_file(fixture->store.temporary, layout_upload_data(id).text, "bytes");
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_finish(&upload, &actual[0], &error));
}

static void a_refused_digest_is_forgotten_with_the_bytes(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct digest wrong[2] = {sha256("other"), {.text = ""}};
    struct digest actual[2] = {sha256("by-es"), sha256("bytes more")};
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    digest_of(DIGEST_SHA512, "other", 5, &wrong[1]);
    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, sizeof(id));
    assert_returns(0, upload_write(&upload, "bytes", 5, &error));
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, &wrong[0], &error));
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_fails(ERROR_DIGEST_INVALID, upload_finish(&upload, &wrong[1], &error));
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_write(&upload, " more", 5, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    refuse(fixture, id, &wrong[0], &actual[1]);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, upload_rewind(&upload, 2, &error));
    assert_returns(0, upload_write(&upload, "-es", 3, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    refuse(fixture, id, &wrong[0], &actual[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_digest_that_was_refused_is_not_computed_again),
        IN_STORE(a_refused_digest_is_forgotten_with_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
