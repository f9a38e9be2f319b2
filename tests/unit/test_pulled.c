/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/store/pulled.h"
#include "lib/store/restore.h"

enum { HOUR = PULLED_GRAIN, LONG_AGO = 10 * HOUR };

static struct digest push(struct fixture *fixture, const char *tag)
{
    AUTO_BUFFER struct buffer image = BUFFER_INIT;

    pulled_forget_all();
    make_image(&fixture->repository, tag, &image);
    return push_manifest(&fixture->repository, image.data, tag);
}

static struct pulled read_pulled(struct fixture *fixture, const char *tag,
                                 const struct digest *digest)
{
    struct pulled pulled;
    struct error error;

    assert_returns(0, pulled_read(&fixture->repository, tag, digest, &pulled, &error));
    return pulled;
}

static void pull(struct fixture *fixture, const char *tag, const struct digest *digest)
{
    pulled_note(&fixture->repository, &(struct pull){tag, digest, true});
}

static void ask(struct fixture *fixture, const char *tag, const struct digest *digest)
{
    pulled_note(&fixture->repository, &(struct pull){tag, digest, false});
}

/* As if the notes were taken long ago. */
static void wait_long(struct fixture *fixture, const char *tag, const struct digest *digest)
{
    set_age(fixture->store.root,
            tag ? layout_pulled_tag(fixture->repository.name, tag).text
                : layout_pulled_digest(fixture->repository.name, digest).text,
            LONG_AGO);
}

static void ignore_restored(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    (void)name;
}

static void assert_now(time_t time)
{
    assert_in_range(clock_date() + 60 - time, 0, 120);
}

static void assert_long_ago(time_t time)
{
    assert_in_range(clock_date() - time, LONG_AGO, LONG_AGO + 60);
}

static void a_tag_that_nobody_pulled_has_no_pull(void **state)
{
    struct digest digest = push(*state, "v1");
    struct pulled pulled = read_pulled(*state, "v1", &digest);

    assert_int_equal(pulled.count, 0);
    assert_int_equal(pulled.last, 0);
    assert_int_equal(pulled.restored, 0);
}

static void a_pull_by_tag_is_noted_and_so_is_when_noting_began(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");
    struct error error;
    time_t since;

    assert_returns(0, pulled_since(&fixture->store, &since, &error));
    pull(fixture, "v1", &digest);
    assert_int_equal(read_pulled(fixture, "v1", &digest).count, 1);
    assert_now(read_pulled(fixture, "v1", &digest).last);
    assert_returns(1, pulled_since(&fixture->store, &since, &error));
    assert_now(since);
    set_age(fixture->store.root, LAYOUT_PULLED_SINCE, LONG_AGO);
    pulled_begin(&fixture->store);
    assert_returns(1, pulled_since(&fixture->store, &since, &error));
    assert_long_ago(since);
}

static void a_head_by_tag_is_a_use_that_is_not_counted(void **state)
{
    struct digest digest = push(*state, "v1");

    ask(*state, "v1", &digest);
    assert_int_equal(read_pulled(*state, "v1", &digest).count, 0);
    assert_now(read_pulled(*state, "v1", &digest).last);
}

static void a_head_by_digest_is_nothing(void **state)
{
    struct digest digest = push(*state, "v1");

    ask(*state, NULL, &digest);
    assert_int_equal(read_pulled(*state, "v1", &digest).last, 0);
}

static void a_pull_by_digest_is_credited_to_the_tags_that_stand_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");
    struct digest other = push(fixture, "v2");
    struct pulled pulled;
    struct error error;

    pull(fixture, NULL, &digest);
    assert_int_equal(read_pulled(fixture, "v1", &digest).count, 1);
    assert_int_equal(read_pulled(fixture, "latest", &digest).count, 1);
    assert_now(read_pulled(fixture, "latest", &digest).last);
    assert_int_equal(read_pulled(fixture, "v2", &other).last, 0);
    assert_returns(0, pulled_read_digest(&fixture->repository, &digest, &pulled, &error));
    assert_int_equal(pulled.count, 1);
}

static void pulls_between_two_notes_are_counted_with_the_next_one(void **state)
{
    struct digest digest = push(*state, "v1");

    for (int i = 0; i < 5; i++) {
        pull(*state, "v1", &digest);
    }
    wait_long(*state, "v1", &digest);
    pull(*state, "v1", &digest);
    assert_int_equal(read_pulled(*state, "v1", &digest).count, 1);
    assert_long_ago(read_pulled(*state, "v1", &digest).last);
    pulled_age_all();
    ask(*state, "v1", &digest);
    assert_int_equal(read_pulled(*state, "v1", &digest).count, 6);
    assert_now(read_pulled(*state, "v1", &digest).last);
}

static void what_a_process_has_counted_waits_where_another_one_has_taken_a_note(void **state)
{
    struct digest digest = push(*state, "v1");

    pull(*state, "v1", &digest);
    pull(*state, "v1", &digest);
    pulled_age_all(); /* the note is fresh */
    pull(*state, "v1", &digest);
    assert_int_equal(read_pulled(*state, "v1", &digest).count, 1);
    wait_long(*state, "v1", &digest);
    pulled_age_all();
    pull(*state, "v1", &digest);
    assert_int_equal(read_pulled(*state, "v1", &digest).count, 4);
}

static void a_fresh_note_of_another_process_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");
    struct path path = layout_pulled_tag(fixture->repository.name, "v1");
    struct stat before;
    struct stat after;

    pull(fixture, "v1", &digest);
    set_age(fixture->store.root, path.text, HOUR - 60);
    assert_int_equal(fstatat(fixture->store.root, path.text, &before, 0), 0);
    pulled_forget_all(); /* another one, which has seen nothing yet */
    pull(fixture, "v1", &digest);
    assert_int_equal(fstatat(fixture->store.root, path.text, &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    set_age(fixture->store.root, path.text, HOUR + 60);
    pulled_forget_all();
    pull(fixture, "v1", &digest);
    assert_int_equal(read_pulled(fixture, "v1", &digest).count, 2);
}

static void a_note_from_the_future_is_written_anew(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");

    pull(fixture, "v1", &digest);
    set_age(fixture->store.root, layout_pulled_tag(fixture->repository.name, "v1").text, -LONG_AGO);
    pulled_forget_all();
    pull(fixture, "v1", &digest);
    assert_now(read_pulled(fixture, "v1", &digest).last);
}

static void a_note_that_a_power_cut_has_emptied_keeps_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");
    struct path path = layout_pulled_tag(fixture->repository.name, "v1");
    static const char *const contents[] = {"", "x\n", "12", "99999999999999999999999\n1\n"};

    pull(fixture, "v1", &digest);
    for (size_t i = 0; i < COUNT(contents); i++) {
        put_file(fixture->store.root, path.text, contents[i]);
        wait_long(fixture, "v1", &digest);
        assert_int_equal(read_pulled(fixture, "v1", &digest).restored, 0);
        assert_long_ago(read_pulled(fixture, "v1", &digest).last);
    }
}

static void more_tags_than_a_process_remembers_are_all_noted(void **state)
{
    enum { TAGS = 3000 };
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TAGS; i++) {
            char tag[16];

            (void)snprintf(tag, sizeof(tag), "t%d", i);
            pull(fixture, tag, &digest);
        }
    }
    for (int i = 0; i < TAGS; i++) {
        char tag[16];

        (void)snprintf(tag, sizeof(tag), "t%d", i);
        assert_int_equal(read_pulled(fixture, tag, &digest).count, 1);
    }
    fixture->damaged = true; /* no such tags */
}

static void no_note_is_taken_in_a_cache_or_by_who_only_looks(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");

    fixture->options.may_be_lost = true;
    pull(fixture, "v1", &digest);
    fixture->options.may_be_lost = false;
    fixture->store.only_looks = true;
    pull(fixture, "v1", &digest);
    fixture->store.only_looks = false;
    assert_int_equal(read_pulled(fixture, "v1", &digest).last, 0);
}

static void what_is_known_goes_to_the_trash_and_comes_back_with_the_tag(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = push(fixture, "v1");
    struct path path = layout_pulled_tag(fixture->repository.name, "v1");
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);
    struct error error;

    pull(fixture, "v1", &digest);
    assert_returns(1, repository_delete_tag(&fixture->repository, "v1", NULL, NULL, &error));
    assert_false(is_there(fixture->store.root, layout_tag(fixture->repository.name, "v1").text));
    assert_true(is_there(fixture->store.root, layout_trash(TRASH_DELETED, path.text).text));
    restoration.restored = ignore_restored;
    assert_returns(1, restore_tag(&restoration, "v1", &error));
    assert_int_equal(read_pulled(fixture, "v1", &digest).count, 1);
    assert_now(read_pulled(fixture, "v1", &digest).restored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_tag_that_nobody_pulled_has_no_pull),
        IN_STORE(a_pull_by_tag_is_noted_and_so_is_when_noting_began),
        IN_STORE(a_head_by_tag_is_a_use_that_is_not_counted),
        IN_STORE(a_head_by_digest_is_nothing),
        IN_STORE(a_pull_by_digest_is_credited_to_the_tags_that_stand_for_it),
        IN_STORE(pulls_between_two_notes_are_counted_with_the_next_one),
        IN_STORE(what_a_process_has_counted_waits_where_another_one_has_taken_a_note),
        IN_STORE(a_fresh_note_of_another_process_is_left_alone),
        IN_STORE(a_note_from_the_future_is_written_anew),
        IN_STORE(a_note_that_a_power_cut_has_emptied_keeps_its_time),
        IN_STORE(more_tags_than_a_process_remembers_are_all_noted),
        IN_STORE(no_note_is_taken_in_a_cache_or_by_who_only_looks),
        IN_STORE(what_is_known_goes_to_the_trash_and_comes_back_with_the_tag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
