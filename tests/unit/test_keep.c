/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/proxy/fill/space.h"
#include "lib/proxy/keep.h"

static struct error error;

static void keeps_what_the_cache_has_of_an_image_and_what_it_still_lacks(void **state)
{
    struct fixture *fixture = *state;
    struct digest absent = sha256("a child that nobody has fetched");
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    AUTO_KEPT struct kept kept = KEPT_INIT;
    struct digest child;
    struct digest parent;

    fixture->options.may_be_lost = true;
    fixture->options.accept_sparse = SPARSE_INDEX;
    make_image(&fixture->repository, "a", &image);
    child = push_manifest(&fixture->repository, image.data, NULL);
    buffer_format(&index,
                  "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":%zu},"
                  "{\"digest\":\"%s\",\"size\":7}]}",
                  child.text, image.length, absent.text);
    parent = push_manifest(&fixture->repository, index.data, "v1");
    assert_returns(0, keep_cached(&fixture->repository, "v2", &error));
    assert_returns(1, keep_cached(&fixture->repository, "v1", &error));
    assert_returns(0, kept_refresh(&fixture->store, &kept, &error));
    assert_int_equal(kept.images, 1);
    assert_true(kept_has(&kept, &parent));
    assert_true(kept_has(&kept, &child));
    assert_false(kept_has(&kept, &absent)); /* it is another image until it is there */
    for (size_t i = 0; i < kept.digests.count; i++) {
        assert_int_equal(strlen(kept.digests.names[i]), 71);
    }
    assert_true(kept.digests.count > 2);
}

static void lists_the_images_that_are_kept(void **state)
{
    static const struct kept_image images[] = {{"docker.io/library/debian", "12"},
                                               {"docker.io/library/alpine", "3"}};
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer digests = BUFFER_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;

    assert_returns(0, kept_list(&fixture->store, &names, &error));
    assert_int_equal(names.count, 0);
    for (size_t i = 0; i < COUNT(images); i++) {
        assert_returns(0, kept_write(&fixture->store, &images[i], &digests, &error));
    }
    assert_returns(0, kept_list(&fixture->store, &names, &error));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.names[0], "docker.io/library/alpine 3");
    assert_string_equal(names.names[1], "docker.io/library/debian 12");
}

/* Snapshots of a file server, files of another program. */
static void what_is_no_mark_is_nobodys_trouble(void **state)
{
    static const struct kept_image image = {"docker.io/library/alpine", "3"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("stray");
    AUTO_BUFFER struct buffer digests = BUFFER_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;
    AUTO_KEPT struct kept kept = KEPT_INIT;

    buffer_format(&digests, "%s\n", digest.text);
    assert_returns(0, kept_write(&fixture->store, &image, &digests, &error));
    assert_int_equal(mkdirat(fixture->store.root, LAYOUT_KEPT "/.snapshot", 0777), 0);
    assert_int_equal(mkdirat(fixture->store.root, LAYOUT_KEPT "/\033[2J", 0777), 0);
    assert_returns(0, kept_refresh(&fixture->store, &kept, &error));
    assert_int_equal(kept.images, 1);
    assert_true(kept_has(&kept, &digest));
    assert_returns(0, kept_list(&fixture->store, &names, &error));
    assert_int_equal(names.count, 1);
}

static void whatever_the_date_of_the_marks_they_hold(void **state)
{
    static const time_t dates[] = {0, -1, -86400, 253402300800};
    static const struct kept_image image = {"docker.io/library/alpine", "3"};
    struct fixture *fixture = *state;
    struct digest digest = sha256("dated");
    AUTO_BUFFER struct buffer digests = BUFFER_INIT;

    buffer_format(&digests, "%s\n", digest.text);
    assert_returns(0, kept_write(&fixture->store, &image, &digests, &error));
    for (size_t i = 0; i < COUNT(dates); i++) {
        const struct timespec times[] = {{.tv_sec = dates[i]}, {.tv_sec = dates[i]}};
        AUTO_KEPT struct kept kept = KEPT_INIT;

        assert_int_equal(utimensat(fixture->store.root, LAYOUT_KEPT, times, 0), 0);
        for (int again = 0; again < 2; again++) {
            assert_returns(0, kept_refresh(&fixture->store, &kept, &error));
            assert_int_equal(kept.images, 1);
            assert_true(kept_has(&kept, &digest));
        }
    }
}

static void lists_the_fetches_that_somebody_is_at_work_on(void **state)
{
    struct fixture *fixture = *state;
    struct proxy_options options = {.enabled = true};
    struct upstream upstream = {
        .name = "registry.example", .options = &options, .store = &fixture->store};
    struct fill fill = {.upstream = &upstream,
                        .repository = &fixture->repository,
                        .name = "library/app",
                        .digest = sha256("x")};
    struct path lock_path = partial_place(&fill, "lock");
    struct path data = partial_place(&fill, "data");
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct space_fetch fetches[2];

    assert_int_equal(space_list_fetches(&fixture->store, fetches, 2), 0);
    assert_int_equal(
        lock_take_or_make(&lock, (struct file_place){fixture->store.temporary, lock_path.text},
                          LOCK_TRY, &error),
        LOCK_TAKEN);
    assert_int_equal(space_list_fetches(&fixture->store, fetches, 2), 0); /* of whom? */
    assert_returns(0, partial_prepare(&fill, &error));
    assert_int_equal(space_list_fetches(&fixture->store, fetches, 2), 1);
    assert_int_equal(fetches[0].bytes, 0);
    assert_int_equal(fetches[0].total, 0);
    assert_returns(0, partial_write_total(&fill, 10, &error));
    put_file(fixture->store.temporary, data.text, "12345");
    assert_int_equal(space_list_fetches(&fixture->store, fetches, 0), 0);
    assert_int_equal(space_list_fetches(&fixture->store, fetches, 2), 1);
    assert_string_equal(fetches[0].upstream, "registry.example");
    assert_string_equal(fetches[0].name, "library/app");
    assert_string_equal(fetches[0].digest.text, fill.digest.text);
    assert_int_equal(fetches[0].bytes, 5);
    assert_int_equal(fetches[0].total, 10);
    lock_release(&lock);
    assert_int_equal(space_list_fetches(&fixture->store, fetches, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(keeps_what_the_cache_has_of_an_image_and_what_it_still_lacks),
        IN_STORE(lists_the_images_that_are_kept),
        IN_STORE(what_is_no_mark_is_nobodys_trouble),
        IN_STORE(whatever_the_date_of_the_marks_they_hold),
        IN_STORE(lists_the_fetches_that_somebody_is_at_work_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
