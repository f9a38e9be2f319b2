/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/throttle.h"

enum { NOW = 1000 * 1000 };

static const char *runtime_of(struct fixture *fixture)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/host/access", fixture->path);
    return path;
}

/* Each password has marks of its own. */
static struct throttle_case login(const char *address, const char *user, unsigned password)
{
    return (struct throttle_case){.address = address,
                                  .user = user,
                                  .right = 0x9e3779b97f4a7c15u * (2 * password + 1),
                                  .wrong = 0x9e3779b97f4a7c15u * (2 * password + 2),
                                  .now = NOW};
}

static enum throttle_answer judge(const struct throttle *throttle, struct throttle_case which)
{
    int64_t wait = 0;

    return throttle_judge(throttle, &which, &wait);
}

static void fail_so_often(const struct throttle *throttle, const char *address, const char *user,
                          unsigned times)
{
    static unsigned password = 1000;

    for (unsigned i = 0; i < times; i++) {
        struct throttle_case which = login(address, user, password++);

        assert_int_equal(judge(throttle, which), THROTTLE_VERIFY);
        throttle_was_wrong(throttle, &which);
    }
}

static void lets_an_address_wait_that_guesses(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));
    struct throttle_case which = login("192.0.2.7", "somebody", 1);
    int64_t wait = 0;

    throttle_open(&throttle);
    for (unsigned i = 0; i < THROTTLE_ADDRESS; i++) {
        char user[16];

        (void)snprintf(user, sizeof(user), "user%u", i);
        fail_so_often(&throttle, "192.0.2.7", user, 1);
    }
    assert_int_equal(throttle_judge(&throttle, &which, &wait), THROTTLE_WAIT);
    assert_true(wait > 0 && wait <= THROTTLE_WINDOW);
    assert_int_equal(judge(&throttle, login("192.0.2.8", "somebody", 1)), THROTTLE_VERIFY);
    assert_int_equal(judge(&throttle, login(NULL, "somebody", 1)), THROTTLE_VERIFY);
    /* When the time has passed that it was told, it may try once more. */
    which.now += wait;
    assert_int_equal(judge(&throttle, which), THROTTLE_VERIFY);
    throttle_was_wrong(&throttle, &which);
    which = login("192.0.2.7", "somebody", 2);
    which.now += wait;
    assert_int_equal(judge(&throttle, which), THROTTLE_WAIT);
    which.now += THROTTLE_WINDOW;
    assert_int_equal(judge(&throttle, which), THROTTLE_VERIFY);
    throttle_close(&throttle);
}

static void lets_wait_who_guesses_one_user_from_many_addresses(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));

    throttle_open(&throttle);
    for (unsigned i = 0; i < THROTTLE_USER; i++) {
        char address[32];

        (void)snprintf(address, sizeof(address), "198.51.100.%u", i);
        fail_so_often(&throttle, address, "alice", 1);
    }
    assert_int_equal(judge(&throttle, login("192.0.2.7", "alice", 1)), THROTTLE_WAIT);
    assert_int_equal(judge(&throttle, login("192.0.2.7", "bob", 1)), THROTTLE_VERIFY);
    throttle_close(&throttle);
}

static void takes_half_an_address_of_ipv6_for_the_whole(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));

    throttle_open(&throttle);
    for (unsigned i = 0; i < THROTTLE_ADDRESS; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "2001:db8:0:1::%x", i + 1);
        fail_so_often(&throttle, address, "alice", 1);
    }
    assert_int_equal(judge(&throttle, login("2001:db8:0:1:ffff::1", "bob", 1)), THROTTLE_WAIT);
    assert_int_equal(judge(&throttle, login("2001:db8:0:2::1", "bob", 1)), THROTTLE_VERIFY);
    throttle_close(&throttle);
}

/* containerd asks by POST, and then by GET. */
static void counts_the_same_wrong_password_once(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));
    struct throttle_case which = login("192.0.2.7", "alice", 1);

    throttle_open(&throttle);
    throttle_was_wrong(&throttle, &which);
    assert_int_equal(judge(&throttle, which), THROTTLE_WRONG);
    fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS - 1);
    assert_int_equal(judge(&throttle, which), THROTTLE_WRONG);
    assert_int_equal(judge(&throttle, login("192.0.2.7", "alice", 2)), THROTTLE_WAIT);
    which.now += THROTTLE_WINDOW;
    assert_int_equal(judge(&throttle, which), THROTTLE_VERIFY);
    throttle_close(&throttle);
}

static void lets_in_who_was_right_whatever_others_do(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));
    struct throttle_case right = login("192.0.2.7", "bob", 1);

    throttle_open(&throttle);
    throttle_was_right(&throttle, &right);
    fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS);
    assert_int_equal(judge(&throttle, right), THROTTLE_VERIFY);
    assert_int_equal(judge(&throttle, login("192.0.2.7", "bob", 2)), THROTTLE_WAIT);
    throttle_close(&throttle);
}

static void counts_for_all_processes_of_a_host(void **state)
{
    struct fixture *fixture = *state;
    struct throttle throttle = THROTTLE_INIT(runtime_of(fixture));
    struct throttle other = THROTTLE_INIT(runtime_of(fixture));
    struct stat status;

    throttle_open(&throttle);
    throttle_open(&other);
    fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS);
    assert_int_equal(judge(&other, login("192.0.2.7", "alice", 1)), THROTTLE_WAIT);
    throttle_close(&throttle);
    throttle_close(&other);
    assert_int_equal(fstatat(fixture->directory, "host/access/failures-2", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* A process that counts in a page for which a full disk has no room is killed. */
static void has_all_its_room_from_the_beginning(void **state)
{
    struct fixture *fixture = *state;
    struct throttle throttle = THROTTLE_INIT(runtime_of(fixture));
    struct stat status;

    throttle_open(&throttle);
    throttle_close(&throttle);
    assert_int_equal(fstatat(fixture->directory, "host/access/failures-2", &status, 0), 0);
    assert_true(status.st_size > 0 && (off_t)status.st_blocks * 512 >= status.st_size);
}

/* What is mapped of a file that ends before is the end of the process that looks there. */
static void outlives_a_file_that_is_emptied_or_goes(void **state)
{
    struct fixture *fixture = *state;
    struct throttle throttle = THROTTLE_INIT(runtime_of(fixture));
    struct throttle other = THROTTLE_INIT(runtime_of(fixture));

    throttle_open(&throttle);
    for (unsigned removed = 0; removed < 2; removed++) {
        if (removed) {
            assert_int_equal(unlinkat(fixture->directory, "host/access/failures-2", 0), 0);
        } else {
            put_file(fixture->directory, "host/access/failures-2", "");
        }
        throttle_open(&throttle);
        throttle_open(&other);
        fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS);
        assert_int_equal(judge(&other, login("192.0.2.7", "alice", 1)), THROTTLE_WAIT);
        throttle_close(&other);
    }
    throttle_close(&throttle);
}

/* The places in the table are nobody's to foretell. */
static void counts_by_the_salt(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));
    struct throttle_case which = login("192.0.2.7", "alice", 1);

    throttle_open(&throttle);
    fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS);
    assert_int_equal(judge(&throttle, which), THROTTLE_WAIT);
    which.salt = 1;
    assert_int_equal(judge(&throttle, which), THROTTLE_VERIFY);
    throttle_close(&throttle);
}

static void counts_for_itself_where_nothing_can_be_shared(void **state)
{
    struct fixture *fixture = *state;
    struct throttle throttle = THROTTLE_INIT(runtime_of(fixture));

    put_file(fixture->directory, "host", "");
    throttle_open(&throttle);
    fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS);
    assert_int_equal(judge(&throttle, login("192.0.2.7", "alice", 1)), THROTTLE_WAIT);
    throttle_close(&throttle);
}

/* The clock begins anew with the machine, the file may not. */
static void believes_no_debt_from_before_a_restart(void **state)
{
    struct throttle throttle = THROTTLE_INIT(runtime_of(*state));
    struct throttle_case which = login("192.0.2.7", "alice", 1);

    throttle_open(&throttle);
    fail_so_often(&throttle, "192.0.2.7", "alice", THROTTLE_ADDRESS);
    assert_int_equal(judge(&throttle, which), THROTTLE_WAIT);
    which.now = 1000;
    assert_int_equal(judge(&throttle, which), THROTTLE_VERIFY);
    throttle_close(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(lets_an_address_wait_that_guesses),
        IN_DIRECTORY(lets_wait_who_guesses_one_user_from_many_addresses),
        IN_DIRECTORY(takes_half_an_address_of_ipv6_for_the_whole),
        IN_DIRECTORY(counts_the_same_wrong_password_once),
        IN_DIRECTORY(lets_in_who_was_right_whatever_others_do),
        IN_DIRECTORY(counts_for_all_processes_of_a_host),
        IN_DIRECTORY(has_all_its_room_from_the_beginning),
        IN_DIRECTORY(outlives_a_file_that_is_emptied_or_goes),
        IN_DIRECTORY(counts_by_the_salt),
        IN_DIRECTORY(counts_for_itself_where_nothing_can_be_shared),
        IN_DIRECTORY(believes_no_debt_from_before_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
