/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/store/expire.h"
#include "lib/store/upload.h"

enum { HOUR = 3600, DAY = 24 * HOUR }; /* the fixture's upload_expiry is a day */

static void make_session(struct fixture *fixture, char id[ID_SIZE], time_t age)
{
    struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, upload_start(&upload, &fixture->repository, DIGEST_SHA256, &error));
    memcpy(id, upload.id, ID_SIZE);
    assert_returns(0, upload_write(&upload, "abc", 3, &error));
    assert_returns(0, upload_suspend(&upload, &error));
    set_age(fixture->store.temporary, layout_upload_data(id).text, age);
    set_age(fixture->store.temporary, layout_upload_state(id).text, age);
    set_age(fixture->store.temporary, layout_upload_lock(id).text, age);
    set_age(fixture->store.temporary, layout_upload(id).text, age);
}

static bool has_session(struct fixture *fixture, const char *id)
{
    struct error error = ERROR_INIT;
    uint64_t size;

    return upload_status(&fixture->repository, id, &size, &error) == 0;
}

static void takes_what_nobody_has_touched_for_long(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char old[ID_SIZE];
    char young[ID_SIZE];

    make_session(fixture, old, DAY + 60);
    make_session(fixture, young, DAY - 60);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_false(has_session(fixture, old));
    assert_true(has_session(fixture, young));
    assert_int_equal(count_entries(fixture->store.temporary, "uploads"), 1);
}

static void one_young_file_keeps_a_session(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char ids[3][ID_SIZE];

    for (size_t i = 0; i < COUNT(ids); i++) {
        make_session(fixture, ids[i], 30 * DAY);
    }
    set_age(fixture->store.temporary, layout_upload_data(ids[0]).text, 60);
    set_age(fixture->store.temporary, layout_upload_state(ids[1]).text, 60);
    set_age(fixture->store.temporary, layout_upload(ids[2]).text, 60);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_true(has_session(fixture, ids[i]));
    }
}

static void a_session_in_use_stays_however_old(void **state)
{
    struct fixture *fixture = *state;
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    make_session(fixture, id, 30 * DAY);
    assert_returns(0, upload_open(&upload, &fixture->repository, id, &error));
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_true(has_session(fixture, id));
    assert_int_equal(error.code, ERROR_NONE);
}

static void takes_bodies_and_pieces_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    put_file(fixture->store.temporary, "bodies/old", "x");
    put_file(fixture->store.temporary, "bodies/young", "x");
    put_file(fixture->store.temporary, "pieces/tree/deep/file", "x");
    put_file(fixture->store.temporary, "elsewhere", "x");
    set_age(fixture->store.temporary, "bodies/old", DAY + 60);
    set_age(fixture->store.temporary, "pieces/tree/deep/file", DAY + 60);
    set_age(fixture->store.temporary, "pieces/tree/deep", DAY + 60);
    set_age(fixture->store.temporary, "pieces/tree", DAY + 60);
    set_age(fixture->store.temporary, "elsewhere", DAY + 60);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_int_equal(count_entries(fixture->store.temporary, "bodies"), 1);
    assert_true(is_there(fixture->store.temporary, "bodies/young"));
    assert_int_equal(count_entries(fixture->store.temporary, "pieces"), 0);
    assert_true(is_there(fixture->store.temporary, "elsewhere"));
}

static void strange_things_go_too_and_stop_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    put_file(fixture->store.temporary, "uploads/0-stray", "x");
    put_file(fixture->store.temporary, "uploads/1-no-lock/data", "x");
    assert_int_equal(symlinkat("/", fixture->store.temporary, "uploads/2-link"), 0);
    put_file(fixture->store.temporary, "bodies/old", "x");
    set_age(fixture->store.temporary, "uploads/0-stray", 2 * DAY);
    set_age(fixture->store.temporary, "uploads/1-no-lock/data", 2 * DAY);
    set_age(fixture->store.temporary, "uploads/1-no-lock", 2 * DAY);
    set_age(fixture->store.temporary, "uploads/2-link", 2 * DAY);
    set_age(fixture->store.temporary, "bodies/old", 2 * DAY);
    make_session(fixture, id, 2 * DAY);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_int_equal(count_entries(fixture->store.temporary, "uploads"), 0);
    assert_int_equal(count_entries(fixture->store.temporary, "bodies"), 0);
    assert_true(is_there(AT_FDCWD, "/etc"));
}

static void looks_at_most_once_an_hour(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    assert_returns(0, expire_abandoned(&fixture->store, &error));
    make_session(fixture, id, 2 * DAY);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    set_age(fixture->store.temporary, "swept", HOUR - 60);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_true(has_session(fixture, id));
    set_age(fixture->store.temporary, "swept", HOUR + 60);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_false(has_session(fixture, id));
}

static void a_clock_that_was_wrong_does_not_stop_it_for_ever(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct stat status;
    char id[ID_SIZE];

    make_session(fixture, id, 2 * DAY);
    put_file(fixture->store.temporary, "swept", "");
    set_age(fixture->store.temporary, "swept", -10 * DAY);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_false(has_session(fixture, id));
    assert_int_equal(fstatat(fixture->store.temporary, "swept", &status, 0), 0);
    assert_true(status.st_mtime <= time(NULL) + 2);
}

/* The last look, as if the date had been set by so many seconds since. */
static void put_note(struct fixture *fixture, time_t seconds)
{
    struct clock_note note = clock_note_take();
    char text[2 * CLOCK_NOTE_SIZE];

    (void)snprintf(text, sizeof(text), "%lld%s", (long long)(clock_date() - seconds),
                   strchr(note.text, ' '));
    put_file(fixture->store.temporary, "swept", text);
}

static void what_aged_by_itself_goes_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char abandoned[ID_SIZE];

    make_session(fixture, abandoned, 60);
    put_note(fixture, 0);
    set_age_of_all(fixture->store.temporary, ".", 365 * DAY);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_false(has_session(fixture, abandoned));
}

static void a_clock_put_forward_spares_what_is_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char used[ID_SIZE];
    char abandoned[ID_SIZE];

    make_session(fixture, used, 60);
    make_session(fixture, abandoned, 60);
    put_note(fixture, 365 * DAY + HOUR / 2);
    put_file(fixture->store.temporary, "bodies/on-its-way", "x");
    set_age_of_all(fixture->store.temporary, ".", 365 * DAY);
    set_age(fixture->store.temporary, "swept", 365 * DAY + HOUR / 2);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_true(has_session(fixture, used));
    assert_true(has_session(fixture, abandoned));
    assert_true(is_there(fixture->store.temporary, "bodies/on-its-way"));
    set_age(fixture->store.temporary, layout_upload_data(used).text, HOUR / 2);
    set_age(fixture->store.temporary, "swept", HOUR + 60);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_true(has_session(fixture, used));
    assert_false(has_session(fixture, abandoned));
    assert_false(is_there(fixture->store.temporary, "bodies/on-its-way"));
}

static void the_longest_expiry_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    char id[ID_SIZE];

    fixture->options.upload_expiry = INT64_MAX;
    make_session(fixture, id, 10000 * DAY);
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_true(has_session(fixture, id));
}

/* Whether somebody holds it cannot be known. */
static int expire_what_cannot_be_locked(struct fixture *fixture)
{
    struct error error = ERROR_INIT;

    put_file(fixture->store.temporary, "uploads/held/lock", "");
    EXPECT(fchmodat(fixture->store.temporary, "uploads/held/lock", 0, 0) == 0);
    EXPECT(fchmodat(fixture->store.temporary, "uploads/held", 0777, 0) == 0);
    EXPECT(fchmodat(fixture->store.temporary, "uploads", 0777, 0) == 0);
    EXPECT(fchmodat(fixture->store.temporary, "pieces", 0777, 0) == 0);
    EXPECT(fchmodat(fixture->store.temporary, ".", 0777, 0) == 0);
    set_age_of_all(fixture->store.temporary, "uploads", 2 * DAY);
    drop_privileges();
    EXPECT(expire_abandoned(&fixture->store, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL);
    return 0;
}

static void a_session_whose_lock_cannot_be_opened_stays(void **state)
{
    struct fixture *fixture = *state;

    run_in_child(expire_what_cannot_be_locked, fixture);
    assert_true(is_there(fixture->store.temporary, "uploads/held/lock"));
}

static int expire_without_permission(struct fixture *fixture)
{
    struct error error = ERROR_INIT;

    drop_privileges();
    EXPECT(expire_abandoned(&fixture->store, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL);
    return 0;
}

static void says_so_when_it_may_not(void **state)
{
    struct fixture *fixture = *state;

    put_file(fixture->store.temporary, "bodies/old", "x");
    set_age(fixture->store.temporary, "bodies/old", 2 * DAY);
    run_in_child(expire_without_permission, fixture);
    assert_true(is_there(fixture->store.temporary, "bodies/old"));
}

/* What killed processes left beside the store's directories, and nothing else. */
static void takes_what_trials_left(void **state)
{
    static const char *const gone[] = {"_berth/trial-1", "_berth/setup-probe-1"};
    static const char *const kept[] = {"_berth/trial-2", "_berth/setup-probe-2", "_berth/other",
                                       "_berth/a-trial-3"};
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < COUNT(gone); i++) {
        put_file(fixture->store.root, gone[i], "");
        set_age(fixture->store.root, gone[i], 2 * DAY);
    }
    for (size_t i = 0; i < COUNT(kept); i++) {
        put_file(fixture->store.root, kept[i], "");
        set_age(fixture->store.root, kept[i], i < 2 ? HOUR : 2 * DAY);
    }
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    for (size_t i = 0; i < COUNT(gone); i++) {
        assert_false(is_there(fixture->store.root, gone[i]));
    }
    for (size_t i = 0; i < COUNT(kept); i++) {
        assert_true(is_there(fixture->store.root, kept[i]));
    }
}

static void what_is_too_much_for_one_look_is_soon_gone_on_with(void **state)
{
    enum { MANY = 3 * EXPIRE_LIMIT };
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    int looks = 1;
    char path[64];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof(path), "bodies/%d", i);
        put_file(fixture->store.temporary, path, "x");
        set_age(fixture->store.temporary, path, 2 * DAY);
    }
    assert_returns(0, expire_abandoned(&fixture->store, &error));
    assert_in_range(count_entries(fixture->store.temporary, "bodies"), MANY - EXPIRE_LIMIT,
                    MANY - 1);
    for (; count_entries(fixture->store.temporary, "bodies") > 0; looks++) {
        struct stat status;

        assert_true(looks < MANY);
        assert_int_equal(fstatat(fixture->store.temporary, "swept", &status, 0), 0);
        assert_true(clock_age(status.st_mtime) >= (uint64_t)HOUR - EXPIRE_SOON);
        set_age(fixture->store.temporary, "swept", HOUR + 1);
        assert_returns(0, expire_abandoned(&fixture->store, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(takes_what_nobody_has_touched_for_long),
        IN_STORE(one_young_file_keeps_a_session),
        IN_STORE(a_session_in_use_stays_however_old),
        IN_STORE(takes_what_trials_left),
        IN_STORE(takes_bodies_and_pieces_as_well),
        IN_STORE(strange_things_go_too_and_stop_nobody),
        IN_STORE(looks_at_most_once_an_hour),
        IN_STORE(what_is_too_much_for_one_look_is_soon_gone_on_with),
        IN_STORE(a_clock_that_was_wrong_does_not_stop_it_for_ever),
        IN_STORE(what_aged_by_itself_goes_at_once),
        IN_STORE(a_clock_put_forward_spares_what_is_in_use),
        IN_STORE(the_longest_expiry_takes_nothing),
        IN_STORE(a_session_whose_lock_cannot_be_opened_stays),
        IN_STORE(says_so_when_it_may_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
