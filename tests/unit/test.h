/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

/*
 * What the unit tests share. A test is a sentence about the module; what needs a directory or a
 * store gets a new one each time: IN_DIRECTORY(), IN_STORE(). After a test in a store,
 * verify_store() has to find nothing wrong with it and nothing may be left of files on their way,
 * unless the test has said `fixture->damaged = true`.
 */

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/store/repository.h"
#include "lib/store/store.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A literal for a member that is a plain `char *`. Within a function it ends with its block. */
#define TEXT(literal) ((char[]){literal})

/* Both want a `struct error error` in scope; a message of the library's goes into the report. */
#define assert_returns(expected, call)                                                             \
    do {                                                                                           \
        long long result_ = (long long)(call);                                                     \
        if (result_ != (long long)(expected)) {                                                    \
            fail_msg("%s is %lld, not %s: %s", #call, result_, #expected,                          \
                     result_ < 0 ? error.message : "");                                            \
        }                                                                                          \
    } while (0)

#define assert_fails(expected, call)                                                               \
    do {                                                                                           \
        long long result_ = (long long)(call);                                                     \
        if (result_ != -1 || error.code != (expected) || !*error.message) {                        \
            fail_msg("%s is %lld, code %d, not %s: %s", #call, result_, (int)error.code,           \
                     #expected, error.message);                                                    \
        }                                                                                          \
    } while (0)

struct fixture {
    char path[128]; /* of a directory of its own */
    int directory;  /* its descriptor */
    char root[160];
    char temporary[160];
    struct store_options options;
    struct store store;
    struct repository repository; /* "team/app" */
    bool damaged;
};

int directory_setup(void **state);
int directory_teardown(void **state);
int store_setup(void **state);
int store_teardown(void **state);

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)
#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, store_setup, store_teardown)

/* Files by hand, not through lib/base/file. A failure ends the test. */
void put_file(int directory, const char *path, const char *content);
void put_bytes(int directory, const char *path, const void *bytes, size_t length);
void assert_file(int directory, const char *path, const char *expected);
bool is_there(int directory, const char *path);
size_t count_entries(int directory, const char *path);
void set_age(int directory, const char *path, time_t seconds);
/* Of everything below a directory, and of that. */
void set_age_of_all(int directory, const char *path, time_t seconds);
/* `length` bytes that look like nothing in particular and are the same each time. */
void make_noise(struct buffer *out, size_t length);

/* Content for a store; durable or not. */
struct digest sha256(const char *text);
struct repository repository_named(struct fixture *fixture, const char *name);
struct digest push_blob(const struct repository *repository, const char *text);
struct digest push_manifest(const struct repository *repository, const char *json,
                            const char *tag_or_null);
/* A small image manifest with pushed config and layer; `note` makes it differ from others. */
void make_image(const struct repository *repository, const char *note, struct buffer *out);
void assert_problems(struct fixture *fixture, uint64_t expected);

/* The lock of the fixture's repository, for functions that want it. */
struct repository_lock hold_lock(struct fixture *fixture);

/*
 * Runs a function in a child process, for what cannot be undone: limits, users, mounts. It returns
 * 0, or the line that was not as expected: see EXPECT().
 */
void run_in_child(int (*function)(struct fixture *fixture), struct fixture *fixture);
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_message("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                  \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* fork(); the child does not outlive its parent. */
pid_t fork_child(void);
/* The exit status of a child. */
int wait_for_child(pid_t child);
/* Waits until a process is seen waiting for a flock; not longer than ten seconds. */
void wait_until_blocked(pid_t process);
/* The same for a process that may also end, which is then not waited for: whether it is blocked. */
bool is_blocked_in_the_end(pid_t process);
/* Kills a child and waits for it. */
void end_child(pid_t child);

/* For children. Writes that make a file larger than this fail with EFBIG. */
void limit_file_size(uint64_t bytes);
/* Whatever permissions forbid is forbidden from now on, also to root. */
void drop_privileges(void);
/* Puts an empty filesystem of so many bytes over a directory. False if we may not. */
bool mount_small(const char *path, const char *size);
bool make_read_only(const char *path);

#endif
