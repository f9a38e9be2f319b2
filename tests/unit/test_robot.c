/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/access/robot.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"

enum { NOW = 1764000000 };

static const char *vault_of(struct fixture *fixture)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/own/access", fixture->path);
    return path;
}

static void takes_names_that_no_shell_expands(void **state)
{
    static const struct {
        const char *name;
        bool expected;
    } cases[] = {
        {"ci", true},   {"a", true},    {"team-a.deploy_2", true},
        {"", false},    {"CI", false},  {"a$b", false},
        {"a*", false},  {"-a", false},  {"a-", false},
        {".a", false},  {"a/b", false}, {"../keys", false},
        {"a b", false}, {"a\n", false}, {"a\xc3\xa4", false},
        {"~", false},   {"a!b", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (robot_name_is_valid(cases[i].name) != cases[i].expected) {
            fail_msg("'%s'", cases[i].name);
        }
    }
}

static void keeps_a_hash_of_the_secret_alone(void **state)
{
    struct fixture *fixture = *state;
    const char *vault = vault_of(fixture);
    struct robot robot = {.name = "ci", .rights = RIGHT_PULL | RIGHT_PUSH};
    struct robot read;
    AUTO_BUFFER struct buffer secret = BUFFER_INIT;
    AUTO_BUFFER struct buffer other = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct stat status;
    struct subject subject;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    (void)snprintf(robot.repositories, sizeof(robot.repositories), "team/**, apps/*");
    assert_returns(1, robot_add(vault, &robot, &secret, &error));
    assert_ptr_equal(strstr(secret.data, "berth_s_"), secret.data);
    assert_int_equal(secret.length, 8 + 43);
    assert_returns(1, robot_read(vault, "ci", &read, &error));
    assert_true(robot_has_secret(&read, secret.data));
    assert_false(robot_has_secret(&read, secret.data + 1));
    assert_false(robot_has_secret(&read, ""));
    assert_int_equal(read.last_use, 0);
    robot_subject(&read, &subject);
    assert_int_equal(subject.kind, SUBJECT_ROBOT);
    assert_string_equal(subject.name, "robot/ci");
    assert_int_equal(subject.narrowed_rights, RIGHT_PULL | RIGHT_PUSH);
    assert_string_equal(subject.narrowed_names, "team/**, apps/*");
    assert_returns(1, file_read(fixture->directory, "own/access/robot-ci", 4096, &text, &error));
    assert_null(strstr(text.data, secret.data + 8));
    assert_int_equal(fstatat(fixture->directory, "own/access/robot-ci", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    /* A second of that name is none; another one has another secret. */
    assert_returns(0, robot_add(vault, &robot, &other, &error));
    assert_int_equal(other.length, 0);
    (void)snprintf(robot.name, sizeof(robot.name), "b");
    assert_returns(1, robot_add(vault, &robot, &other, &error));
    assert_string_not_equal(secret.data, other.data);
}

static void lists_and_removes(void **state)
{
    struct fixture *fixture = *state;
    const char *vault = vault_of(fixture);
    struct robot robot = {.rights = RIGHT_ALL};
    AUTO_BUFFER struct buffer secret = BUFFER_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error = ERROR_INIT;

    assert_returns(0, robot_list(vault, &names, &error));
    assert_returns(0, robot_remove(vault, "ci", &error));
    assert_returns(0, robot_read(vault, "ci", &robot, &error));
    assert_false(is_there(fixture->directory, "own"));
    for (const char *const *name = (const char *const[]){"ci", "b", NULL}; *name; name++) {
        (void)snprintf(robot.name, sizeof(robot.name), "%s", *name);
        assert_returns(1, robot_add(vault, &robot, &secret, &error));
    }
    put_file(fixture->directory, "own/access/keys", "");
    assert_returns(0, robot_list(vault, &names, &error));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.names[0], "b");
    assert_string_equal(names.names[1], "ci");
    assert_returns(1, robot_remove(vault, "ci", &error));
    assert_returns(0, robot_remove(vault, "ci", &error));
    assert_returns(0, robot_remove(vault, "../keys", &error));
    assert_returns(0, robot_read(vault, "../keys", &robot, &error));
    (void)snprintf(robot.name, sizeof(robot.name), "a/b");
    assert_fails(ERROR_REQUEST_INVALID, robot_add(vault, &robot, &secret, &error));
}

static void notes_a_use_once_an_hour(void **state)
{
    struct fixture *fixture = *state;
    const char *vault = vault_of(fixture);
    struct robot robot = {.name = "ci"};
    AUTO_BUFFER struct buffer secret = BUFFER_INIT;
    struct error error = ERROR_INIT;
    uint64_t first;

    assert_returns(1, robot_add(vault, &robot, &secret, &error));
    assert_returns(1, robot_read(vault, "ci", &robot, &error));
    robot_used(vault, &robot);
    assert_returns(1, robot_read(vault, "ci", &robot, &error));
    assert_true(clock_age((time_t)robot.last_use) < 3600);
    set_age(fixture->directory, "own/access/robot-ci", 1800);
    assert_returns(1, robot_read(vault, "ci", &robot, &error));
    first = robot.last_use;
    robot_used(vault, &robot);
    assert_returns(1, robot_read(vault, "ci", &robot, &error));
    assert_int_equal(robot.last_use, first);
}

static void knows_when_it_has_expired(void **state)
{
    struct robot robot = {.expires = NOW};

    (void)state;
    assert_false(robot_has_expired(&robot, NOW - 1));
    assert_true(robot_has_expired(&robot, NOW));
    robot.expires = 0;
    assert_false(robot_has_expired(&robot, NOW));
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void reads_nothing_that_is_not_entirely_a_robot(void **state)
{
    static const struct {
        const char *text;
        bool expected;
    } cases[] = {
        {"berth robot 1\nsecret " DIGITS "\nrights 3\nrepositories \nmade 1\nexpires 0\n", true},
        {"berth robot 1\nsecret " DIGITS "\nrights 3\nrepositories a/*\nmade 1\nexpires 0\n", true},
        {"berth robot 1\nsecret " DIGITS "\nrights 3\nrepositories a/*\nmade 1\nexpires 0", false},
        {"berth robot 1\nsecret " DIGITS "\nrights 16\nrepositories \nmade 1\nexpires 0\n", false},
        {"berth robot 1\nsecret " DIGITS "\nrights 3\nmade 1\nexpires 0\n", false},
        {"berth robot 1\nsecret 0" DIGITS "\nrights 3\nrepositories \nmade 1\nexpires 0\n", false},
        {"berth robot 2\nsecret " DIGITS "\nrights 3\nrepositories \nmade 1\nexpires 0\n", false},
        {"berth robot 1\nsecret " DIGITS "\nrights 3\nrepositories \nmade 1\nexpires 0\nx", false},
        {"berth robot 1\nsecret " DIGITS "\nrights 3\nrepositories \nmade 1\nexpires -1\n", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct robot robot;

        if (robot_parse(&robot, cases[i].text) != cases[i].expected) {
            fail_msg("%s", cases[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_names_that_no_shell_expands),
        IN_DIRECTORY(keeps_a_hash_of_the_secret_alone),
        IN_DIRECTORY(lists_and_removes),
        IN_DIRECTORY(notes_a_use_once_an_hour),
        cmocka_unit_test(knows_when_it_has_expired),
        cmocka_unit_test(reads_nothing_that_is_not_entirely_a_robot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
