/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/key.h"
#include "lib/access/password_edit.h"
#include "lib/base/lock.h"
#include "tests/unit/own_time.h"

enum { HOUR = 3600 };

static const char *vault_of(struct fixture *fixture, char out[256])
{
    (void)snprintf(out, 256, "%s/own/access", fixture->path);
    return out;
}

static void makes_one_key_for_all_who_come_first(void **state)
{
    enum { WORKERS = 8 };
    struct fixture *fixture = *state;
    char path[256];
    struct keys keys = KEYS_INIT(vault_of(fixture, path));
    const struct key *key;
    struct error error = ERROR_INIT;
    struct stat status;
    int pipes[2];
    char first[KEY_ID_SIZE];

    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < WORKERS; i++) {
        if (fork_child() == 0) {
            ssize_t written = keys_newest(&keys, &key, &error) == 0
                                  ? write(pipes[1], key->id, KEY_ID_SIZE)
                                  : write(pipes[1], "........", KEY_ID_SIZE);

            _exit(written == KEY_ID_SIZE ? 0 : 1);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        char id[KEY_ID_SIZE];

        assert_int_equal(read(pipes[0], id, sizeof(id)), sizeof(id));
        memcpy(first, i == 0 ? id : first, sizeof(first));
        assert_string_equal(id, first);
    }
    assert_returns(0, keys_newest(&keys, &key, &error));
    assert_string_equal(key->id, first);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(fstatat(fixture->directory, "own/access/keys", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(count_entries(fixture->directory, "own/access"), 1);
    keys_wipe(&keys);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

static void keeps_what_was_signed_before_a_rotation(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture, path));
    char ids[3][KEY_ID_SIZE];
    const struct key *key;
    struct error error = ERROR_INIT;

    for (int i = 0; i < 3; i++) {
        assert_returns(0, keys_newest(&keys, &key, &error));
        memcpy(ids[i], key->id, KEY_ID_SIZE);
        for (int n = 0; n <= i; n++) {
            assert_returns(1, keys_find(&keys, ids[n], &key, &error));
            assert_string_equal(key->id, ids[n]);
        }
        assert_returns(0, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
    }
    assert_string_not_equal(ids[0], ids[1]);
    assert_returns(0, keys_rotate(path, HOUR, KEY_REVOKE_OLD, &error));
    for (int n = 0; n < 3; n++) {
        assert_returns(0, keys_find(&keys, ids[n], &key, &error));
    }
    assert_int_equal(keys.count, 1);
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void put_keys(struct fixture *fixture, const char *text)
{
    (void)mkdirat(fixture->directory, "own", 0777);
    (void)mkdirat(fixture->directory, "own/access", 0700);
    (void)unlinkat(fixture->directory, "own/access/keys", 0);
    put_file(fixture->directory, "own/access/keys", text);
    assert_int_equal(fchmodat(fixture->directory, "own/access/keys", 0600, 0), 0);
}

/* The second was replaced long ago, but is what log-ins of before the rotation rest on. */
static void lets_go_of_keys_whose_tokens_have_ended(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture, path));
    const struct key *key;
    struct error error = ERROR_INIT;

    put_keys(fixture, "berth keys 1\n00000003 " DIGITS " 1003\n00000002 " DIGITS
                      " 1002\n00000001 " DIGITS " 1001\n");
    assert_returns(1, keys_find(&keys, "00000001", &key, &error));
    assert_int_equal(key->made, 1001);
    assert_returns(0, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
    assert_returns(1, keys_find(&keys, "00000003", &key, &error));
    assert_returns(0, keys_find(&keys, "00000002", &key, &error));
    assert_returns(0, keys_find(&keys, "00000001", &key, &error));
    assert_int_equal(keys.count, 2);
}

static void makes_no_more_keys_than_fit(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    struct error error = ERROR_INIT;

    (void)vault_of(fixture, path);
    for (int i = 0; i < KEY_LIMIT; i++) {
        assert_returns(0, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
    }
    assert_fails(ERROR_REQUEST_INVALID, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
    assert_returns(0, keys_rotate(path, HOUR, KEY_REVOKE_OLD, &error));
    assert_returns(0, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
}

static void refuses_what_others_could_read_or_write(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    AUTO_KEYS struct keys keys = KEYS_INIT(vault_of(fixture, path));
    const struct key *key;
    struct error error = ERROR_INIT;

    put_keys(fixture, "berth keys 1\n00000003 " DIGITS " 1003\n");
    assert_int_equal(fchmodat(fixture->directory, "own/access/keys", 0640, 0), 0);
    assert_fails(ERROR_INTERNAL, keys_newest(&keys, &key, &error));
    assert_non_null(strstr(error.message, "others can read it"));
    assert_int_equal(fchmodat(fixture->directory, "own/access/keys", 0600, 0), 0);
    assert_returns(0, keys_newest(&keys, &key, &error));
    assert_int_equal(chmod(path, 0770), 0);
    assert_fails(ERROR_INTERNAL, keys_newest(&keys, &key, &error));
    assert_non_null(strstr(error.message, "others can write"));
    assert_int_equal(chmod(path, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchownat(fixture->directory, "own/access/keys", 65534, 65534, 0), 0);
        assert_fails(ERROR_INTERNAL, keys_newest(&keys, &key, &error));
        assert_non_null(strstr(error.message, "belongs to"));
    }
}

static void signs_nothing_with_a_damaged_file(void **state)
{
    static const char *const cases[] = {
        "",
        "berth keys 1\n",
        "berth keys 2\n00000003 " DIGITS " 1003\n",
        "berth keys 1\n00000003 " DIGITS " 1003",
        "berth keys 1\n00000003 " DIGITS " \n",
        "berth keys 1\n00000003 " DIGITS "\n",
        "berth keys 1\n00000003\n",
        "berth keys 1\n\n",
        "berth keys 1\n0000000G " DIGITS " 1003\n",
        "berth keys 1\n00000003 0G" DIGITS " 1003\n",
        "berth keys 1\n00000003 " DIGITS " 1003 \n",
        "berth keys 1\n00000003  " DIGITS " 1003\n",
        "berth keys 1\n00000003 " DIGITS " -1\n",
    };
    struct fixture *fixture = *state;
    char path[256];
    struct error error = ERROR_INIT;

    (void)vault_of(fixture, path);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_KEYS struct keys keys = KEYS_INIT(path);
        const struct key *key;

        put_keys(fixture, cases[i]);
        assert_fails(ERROR_INTERNAL, keys_newest(&keys, &key, &error));
        assert_fails(ERROR_INTERNAL, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
        assert_file(fixture->directory, "own/access/keys", cases[i]);
    }
}

static void sweeps_what_a_killed_process_has_left(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    struct error error = ERROR_INIT;

    put_keys(fixture, "berth keys 1\n00000003 " DIGITS " 1003\n");
    put_file(fixture->directory, "own/access/.old", "x");
    set_age(fixture->directory, "own/access/.old", 2 * (time_t)HOUR);
    put_file(fixture->directory, "own/access/.new", "x");
    assert_returns(0, keys_rotate(vault_of(fixture, path), HOUR, KEY_KEEP_OLD, &error));
    assert_false(is_there(fixture->directory, "own/access/.old"));
    assert_true(is_there(fixture->directory, "own/access/.new"));
}

/* Who rotates, or edits passwords, may be stopped amid that. */
static void who_is_stopped_amid_a_rotation_keeps_nobody_waiting_for_ever(void **state)
{
    struct fixture *fixture = *state;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    char path[256];
    struct error error;
    pid_t child;

    (void)vault_of(fixture, path);
    assert_returns(0, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
    assert_returns(LOCK_TAKEN,
                   lock_take(&lock, (struct file_place){fixture->directory, "own/access/keys.lock"},
                             LOCK_TRY, &error));
    child = fork_child();
    if (child == 0) {
        own_time_begin(NULL, NULL);
        _exit(keys_rotate(path, HOUR, KEY_KEEP_OLD, &error) < 0 &&
                      strstr(error.message, "look for a process that is stopped")
                  ? 0
                  : 1);
    }
    assert_false(is_blocked_in_the_end(child));
    assert_int_equal(wait_for_child(child), 0);
    lock_release(&lock);
    assert_returns(0, keys_rotate(path, HOUR, KEY_KEEP_OLD, &error));
}

static void who_is_stopped_amid_a_change_keeps_nobody_waiting_for_ever(void **state)
{
    struct fixture *fixture = *state;
    AUTO_LOCK struct lock lock = LOCK_INIT;
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    struct password_edit edit = {.user = "alice", .crypted = "$2y$04$x", .group = getegid()};
    struct error error;
    pid_t child;

    buffer_format(&path, "%s/users", fixture->path);
    edit.path = path.data;
    assert_returns(0, password_edit(&edit, &error));
    assert_returns(LOCK_TAKEN, lock_take(&lock, (struct file_place){fixture->directory, "users"},
                                         LOCK_TRY, &error));
    child = fork_child();
    if (child == 0) {
        own_time_begin(NULL, NULL);
        _exit(password_edit(&edit, &error) < 0 &&
                      strstr(error.message, "look for a process that is stopped")
                  ? 0
                  : 1);
    }
    assert_false(is_blocked_in_the_end(child));
    assert_int_equal(wait_for_child(child), 0);
    lock_release(&lock);
    assert_returns(1, password_edit(&edit, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(makes_one_key_for_all_who_come_first),
        IN_DIRECTORY(keeps_what_was_signed_before_a_rotation),
        IN_DIRECTORY(lets_go_of_keys_whose_tokens_have_ended),
        IN_DIRECTORY(makes_no_more_keys_than_fit),
        IN_DIRECTORY(refuses_what_others_could_read_or_write),
        IN_DIRECTORY(signs_nothing_with_a_damaged_file),
        IN_DIRECTORY(sweeps_what_a_killed_process_has_left),
        IN_DIRECTORY(who_is_stopped_amid_a_rotation_keeps_nobody_waiting_for_ever),
        IN_DIRECTORY(who_is_stopped_amid_a_change_keeps_nobody_waiting_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
