/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/base/file.h"

static void reads_a_file_up_to_the_limit(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;

    put_bytes(fixture->directory, "file", "a\0bcd", 5);
    buffer_add_text(&out, ">");
    assert_returns(1, file_read(fixture->directory, "file", 5, &out, &error));
    assert_int_equal(out.length, 6);
    assert_memory_equal(out.data, ">a\0bcd", 7);
    assert_fails(ERROR_INTERNAL, file_read(fixture->directory, "file", 4, &out, &error));
    assert_int_equal(out.length, 6);
}

static void absence_is_no_error(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "file", "");
    assert_returns(0, file_read(fixture->directory, "none", 10, &out, &error));
    assert_returns(0, file_read(fixture->directory, "none/x", 10, &out, &error));
    assert_returns(0, file_read(fixture->directory, "file/x", 10, &out, &error));
    assert_returns(0, file_remove(fixture->directory, "none", &error));
    assert_returns(0, file_remove(fixture->directory, "file/x", &error));
    assert_returns(0, directory_remove(fixture->directory, "none", &error));
    assert_returns(0, directory_list(fixture->directory, "none", &names, &error));
    assert_returns(0, directory_list(fixture->directory, "file", &names, &error));
    assert_int_equal(error.code, ERROR_NONE);
}

static void reads_nothing_but_files(void **state)
{
    struct fixture *fixture = *state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;

    assert_int_equal(mkdirat(fixture->directory, "directory", 0777), 0);
    assert_fails(ERROR_INTERNAL, file_read(fixture->directory, "directory", 99999, &out, &error));
    assert_fails(ERROR_INTERNAL, file_remove(fixture->directory, "directory", &error));
    assert_true(is_there(fixture->directory, "directory"));
}

static void reads_and_writes_at_an_offset(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    AUTO_CLOSE int descriptor = file_create(fixture->directory, "file", &error);
    char bytes[16];

    assert_true(descriptor >= 0);
    assert_int_equal(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_returns(0, file_write_at(descriptor, 3, "defg", 4, &error));
    assert_returns(0, file_write_at(descriptor, 0, "abc", 3, &error));
    assert_returns(0, file_write_at(descriptor, 100, "", 0, &error));
    assert_returns(7, file_read_at(descriptor, 0, bytes, sizeof(bytes), &error));
    assert_memory_equal(bytes, "abcdefg", 7);
    assert_returns(2, file_read_at(descriptor, 5, bytes, 2, &error));
    assert_memory_equal(bytes, "fg", 2);
    assert_returns(0, file_read_at(descriptor, 7, bytes, 2, &error));
    assert_returns(0, file_read_at(descriptor, 70, bytes, 2, &error));
    assert_fails(ERROR_INTERNAL, file_read_at(-1, 0, bytes, 1, &error));
    assert_fails(ERROR_INTERNAL, file_write_at(-1, 0, bytes, 1, &error));
}

static void creates_only_what_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "file", "precious");
    assert_int_equal(symlinkat("elsewhere", fixture->directory, "link"), 0);
    assert_fails(ERROR_INTERNAL, file_create(fixture->directory, "file", &error));
    assert_fails(ERROR_INTERNAL, file_create(fixture->directory, "link", &error));
    assert_fails(ERROR_INTERNAL, file_create(fixture->directory, "none/file", &error));
    assert_false(is_there(fixture->directory, "elsewhere"));
    assert_file(fixture->directory, "file", "precious");
}

static void makes_the_directories_above(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    assert_returns(0, file_make_parents(fixture->directory, "a/b/c/d", &error));
    assert_true(is_there(fixture->directory, "a/b/c"));
    assert_false(is_there(fixture->directory, "a/b/c/d"));
    assert_returns(0, file_make_parents(fixture->directory, "a/b/c/d", &error));
    assert_returns(0, file_make_parents(fixture->directory, "a/x/y", &error));
    assert_true(is_there(fixture->directory, "a/x"));
    assert_returns(0, file_make_parents(fixture->directory, "plain", &error));
    assert_false(is_there(fixture->directory, "plain"));
    put_file(fixture->directory, "file", "");
    assert_fails(ERROR_INTERNAL, file_make_parents(fixture->directory, "file/a/b/c", &error));
}

static void publishes_and_replaces(void **state)
{
    struct fixture *fixture = *state;
    struct file_place from = {fixture->directory, "from"};
    struct file_place to = {fixture->directory, "deep/down/to"};
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "from", "1");
    assert_returns(0, file_publish(from, to, &error));
    assert_file(fixture->directory, "deep/down/to", "1");
    put_file(fixture->directory, "from", "2");
    assert_returns(0, file_publish(from, to, &error));
    assert_file(fixture->directory, "deep/down/to", "2");
    assert_false(is_there(fixture->directory, "from"));
}

static void gives_up_publishing_what_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    assert_fails(ERROR_INTERNAL,
                 file_publish((struct file_place){fixture->directory, "none"},
                              (struct file_place){fixture->directory, "a/b"}, &error));
    assert_false(is_there(fixture->directory, "a/b"));
    put_file(fixture->directory, "from", "1");
    put_file(fixture->directory, "file", "");
    assert_fails(ERROR_INTERNAL,
                 file_publish((struct file_place){fixture->directory, "from"},
                              (struct file_place){fixture->directory, "file/to"}, &error));
    assert_file(fixture->directory, "from", "1");
}

static void two_may_publish_the_same_name(void **state)
{
    struct fixture *fixture = *state;
    pid_t children[2];

    for (size_t i = 0; i < COUNT(children); i++) {
        children[i] = fork_child();
        for (unsigned n = 0; children[i] == 0 && n < 500; n++) {
            const char *name = i ? "from1" : "from0";
            char content[64];
            struct error error;

            memset(content, i ? 'x' : 'y', sizeof(content));
            put_bytes(fixture->directory, name, content, i ? 40 : 60);
            if (file_publish((struct file_place){fixture->directory, name},
                             (struct file_place){fixture->directory, "p/q/to"}, &error) < 0) {
                _exit(1);
            }
        }
        if (children[i] == 0) {
            _exit(0);
        }
    }
    assert_int_equal(wait_for_child(children[0]), 0);
    assert_int_equal(wait_for_child(children[1]), 0);
    assert_true(is_there(fixture->directory, "p/q/to"));
    assert_int_equal(count_entries(fixture->directory, "p/q"), 1);
}

static void removes_a_tree_and_follows_no_links(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "outside/precious", "kept");
    put_file(fixture->directory, "tree/a/b/file", "x");
    put_file(fixture->directory, "tree/file", "x");
    assert_int_equal(symlinkat("../outside", fixture->directory, "tree/link"), 0);
    assert_int_equal(symlinkat("tree", fixture->directory, "top"), 0);
    assert_returns(0, directory_remove(fixture->directory, "top", &error));
    assert_false(is_there(fixture->directory, "top"));
    assert_true(is_there(fixture->directory, "tree/a/b/file"));
    assert_returns(0, directory_remove(fixture->directory, "tree", &error));
    assert_false(is_there(fixture->directory, "tree"));
    assert_file(fixture->directory, "outside/precious", "kept");
    assert_returns(0, directory_remove(fixture->directory, "outside/precious", &error));
    assert_false(is_there(fixture->directory, "outside/precious"));
    assert_returns(0, file_remove(fixture->directory, "none", &error));
}

static void an_open_file_is_told_from_one_that_took_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct file_place place = {fixture->directory, "file"};
    struct error error = ERROR_INIT;
    struct stat status;
    int descriptor;

    put_file(fixture->directory, "file", "one");
    put_file(fixture->directory, "other", "two");
    descriptor = file_open(fixture->directory, "file", &status, &error);
    assert_true(descriptor >= 0);
    assert_int_equal(status.st_size, 3);
    assert_returns(1, file_is_same(descriptor, place, &error));
    assert_int_equal(renameat(fixture->directory, "other", fixture->directory, "file"), 0);
    assert_returns(0, file_is_same(descriptor, place, &error));
    assert_int_equal(unlinkat(fixture->directory, "file", 0), 0);
    assert_returns(0, file_is_same(descriptor, place, &error));
    assert_returns(FILE_GONE, file_open(fixture->directory, "file", &status, &error));
    assert_int_equal(close(descriptor), 0);
}

static void lists_sorted_by_bytes(void **state)
{
    static const char *const sorted[] = {"-", ".hidden", "A", "a", "a-b", "a.b", "a0", "b", "\xc3"};
    static const size_t order[] = {4, 8, 0, 7, 2, 5, 1, 6, 3};
    struct fixture *fixture = *state;
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < COUNT(order); i++) {
        char path[64] = "list/";

        memcpy(path + 5, sorted[order[i]], strlen(sorted[order[i]]) + 1);
        put_file(fixture->directory, path, "");
    }
    assert_returns(1, directory_list(fixture->directory, "list", &names, &error));
    assert_int_equal(names.count, COUNT(sorted));
    for (size_t i = 0; i < COUNT(sorted); i++) {
        assert_string_equal(names.names[i], sorted[i]);
    }
    assert_int_equal(symlinkat("list", fixture->directory, "link"), 0);
    names_release(&names);
    assert_int_equal(names.count, 0);
    assert_returns(0, directory_list(fixture->directory, "link", &names, &error));
    assert_int_equal(names.count, 0);
}

static void lists_empty_and_large_directories(void **state)
{
    struct fixture *fixture = *state;
    AUTO_NAMES struct names none = NAMES_INIT;
    AUTO_NAMES struct names many = NAMES_INIT;
    struct error error = ERROR_INIT;

    assert_int_equal(mkdirat(fixture->directory, "empty", 0777), 0);
    assert_returns(1, directory_list(fixture->directory, "empty", &none, &error));
    assert_int_equal(none.count, 0);
    for (int i = 0; i < 1000; i++) {
        AUTO_BUFFER struct buffer path = BUFFER_INIT;

        buffer_format(&path, "many/%03d", (i * 389) % 1000);
        put_file(fixture->directory, path.data, "");
    }
    assert_returns(1, directory_list(fixture->directory, "many", &many, &error));
    assert_int_equal(many.count, 1000);
    assert_string_equal(many.names[0], "000");
    assert_string_equal(many.names[999], "999");
}

static int without_permission(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    struct names names = NAMES_INIT;
    struct error error = ERROR_INIT;

    EXPECT(fchmodat(fixture->directory, "closed", 0555, 0) == 0);
    EXPECT(fchmodat(fixture->directory, "closed/secret", 0, 0) == 0);
    EXPECT(fchmodat(fixture->directory, "closed/dark", 0, 0) == 0);
    drop_privileges();
    EXPECT(file_create(fixture->directory, "closed/new", &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL && strstr(error.message, "Permission denied"));
    EXPECT(file_make_parents(fixture->directory, "closed/a/b", &error) == -1);
    EXPECT(file_remove(fixture->directory, "closed/secret", &error) == -1);
    EXPECT(directory_remove(fixture->directory, "closed", &error) == -1);
    EXPECT(file_read(fixture->directory, "closed/secret", 10, &out, &error) == -1);
    EXPECT(directory_list(fixture->directory, "closed/dark", &names, &error) == -1);
    EXPECT(file_publish((struct file_place){fixture->directory, "closed/secret"},
                        (struct file_place){fixture->directory, "closed/moved"}, &error) == -1);
    return 0;
}

static void a_directory_without_permission_is_an_error(void **state)
{
    struct fixture *fixture = *state;

    put_file(fixture->directory, "closed/secret", "x");
    put_file(fixture->directory, "closed/dark/x", "x");
    run_in_child(without_permission, fixture);
    assert_file(fixture->directory, "closed/secret", "x");
    assert_int_equal(fchmodat(fixture->directory, "closed/dark", 0755, 0), 0);
}

static int write_beyond_the_limit(struct fixture *fixture)
{
    struct error error = ERROR_INIT;
    int descriptor = file_create(fixture->directory, "file", &error);

    limit_file_size(10);
    EXPECT(file_write_at(descriptor, 0, "0123456789", 10, &error) == 0);
    EXPECT(file_write_at(descriptor, 5, "0123456789", 10, &error) == -1);
    EXPECT(error.code == ERROR_INTERNAL);
    return 0;
}

static void a_file_may_not_grow_beyond_its_limit(void **state)
{
    run_in_child(write_beyond_the_limit, *state);
}

static int write_until_full(struct fixture *fixture)
{
    struct error error = ERROR_INIT;
    AUTO_BUFFER struct buffer noise = BUFFER_INIT;
    int directory;
    int descriptor;

    if (!mount_small(fixture->path, "16k")) {
        print_message("no mounts here: not tested\n");
        return 0;
    }
    make_noise(&noise, 64 * 1024);
    directory = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    descriptor = file_create(directory, "file", &error);
    EXPECT(descriptor >= 0);
    EXPECT(file_write_at(descriptor, 0, noise.data, noise.length, &error) == -1);
    EXPECT(error.code == ERROR_NO_SPACE);
    (void)close(descriptor);
    EXPECT(make_read_only(fixture->path));
    error = (struct error)ERROR_INIT;
    EXPECT(file_create(directory, "other", &error) == -1 && error.code == ERROR_NO_SPACE);
    EXPECT(file_remove(directory, "file", &error) == -1);
    return 0;
}

static void a_full_disk_has_an_error_of_its_own(void **state)
{
    run_in_child(write_until_full, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(reads_a_file_up_to_the_limit),
        IN_DIRECTORY(absence_is_no_error),
        IN_DIRECTORY(reads_nothing_but_files),
        IN_DIRECTORY(reads_and_writes_at_an_offset),
        IN_DIRECTORY(creates_only_what_is_not_there),
        IN_DIRECTORY(makes_the_directories_above),
        IN_DIRECTORY(publishes_and_replaces),
        IN_DIRECTORY(gives_up_publishing_what_is_not_there),
        IN_DIRECTORY(two_may_publish_the_same_name),
        IN_DIRECTORY(removes_a_tree_and_follows_no_links),
        IN_DIRECTORY(an_open_file_is_told_from_one_that_took_its_name),
        IN_DIRECTORY(lists_sorted_by_bytes),
        IN_DIRECTORY(lists_empty_and_large_directories),
        IN_DIRECTORY(a_directory_without_permission_is_an_error),
        IN_DIRECTORY(a_file_may_not_grow_beyond_its_limit),
        IN_DIRECTORY(a_full_disk_has_an_error_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
