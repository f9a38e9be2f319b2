/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/file.h"
#include "lib/base/journal.h"
#include "tests/unit/trace.h"

/* Seconds since the epoch at which everything seems to be born; 0: when it was. */
static int64_t birth;

int statx(int directory, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict out)
{
    int result = (int)syscall(SYS_statx, directory, path, flags, mask, out);

    if (birth != 0 && result == 0) {
        out->stx_btime.tv_sec = birth;
    }
    return result;
}

/* The directories that were synced, below the fixture's, one a line. */
static void list_synced(const struct fixture *fixture, struct buffer *out)
{
    for (size_t i = 0; i < trace_count(); i++) {
        const char *line = trace_line(i);

        assert_memory_equal(line, "fsync ", 6);
        assert_memory_equal(line + 6, fixture->path, strlen(fixture->path));
        line += 6 + strlen(fixture->path);
        buffer_format(out, "%s\n", *line ? line + 1 : ".");
    }
}

static void make_directories(struct fixture *fixture)
{
    put_file(fixture->directory, "a/b/c/file", "");
    put_file(fixture->directory, "a/b/other", "");
    put_file(fixture->directory, "a/b-c/file", "");
    put_file(fixture->directory, "x/file", "");
}

static void syncs_every_directory_on_the_way_once_and_the_deepest_first(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;
    struct error error = ERROR_INIT;
    const char *lines;

    make_directories(fixture);
    sync_set_add(&set, "a/b/c/file");
    sync_set_add(&set, "x/file");
    sync_set_add(&set, "a/b-c/file");
    sync_set_add(&set, "a/b/other");
    sync_set_add(&set, "a/b/c/file");
    trace_begin();
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    list_synced(fixture, &synced);
    lines = synced.data;
    for (size_t i = 0; i < 2; i++) {
        static const char *const deeper[][2] = {{"a/b/c\n", "a/b\n"}, {"a/b\n", "a\n"}};
        const char *first = strstr(lines, deeper[i][0]);
        const char *second = strstr(first ? first + strlen(deeper[i][0]) : lines, deeper[i][1]);

        assert_non_null(first);
        assert_non_null(second);
    }
    assert_non_null(strstr(lines, "a/b-c\n"));
    assert_non_null(strstr(lines, "x\n"));
    assert_null(strstr(lines, "file"));
    assert_int_equal(trace_find("fsync ", "/x", trace_find("fsync ", "/x", 0) + 1), SIZE_MAX);
    assert_int_equal(trace_find("fsync ", "/b/c", trace_find("fsync ", "/b/c", 0) + 1), SIZE_MAX);
    assert_int_equal(trace_find("fsync ", "/b", trace_find("fsync ", "/b", 0) + 1), SIZE_MAX);
    assert_int_equal(trace_find("fsync ", "/a", trace_find("fsync ", "/a", 0) + 1), SIZE_MAX);
}

static void the_topmost_levels_may_be_known_to_be_synced(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    make_directories(fixture);
    for (size_t floor = 0; floor < 4; floor++) {
        AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);

        set.floor = floor;
        sync_set_add(&set, "a/b/c/file");
        trace_begin();
        assert_returns(0, sync_set_flush(&set, &error));
        (void)trace_end();
        assert_int_equal(trace_count(), 3 - floor);
        assert_int_equal(trace_find("fsync ", "/a/b/c", 0) != SIZE_MAX, floor < 3);
        assert_int_equal(trace_find("fsync ", "/a/b", 0) != SIZE_MAX, floor < 2);
        assert_int_equal(trace_find("fsync ", "/a", 0) != SIZE_MAX, floor < 1);
    }
}

static void a_directory_that_has_gone_needs_no_sync(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
    struct error error = ERROR_INIT;

    make_directories(fixture);
    sync_set_add(&set, "a/gone/file");
    trace_begin();
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    assert_int_equal(trace_count(), 1);
    assert_int_equal(trace_find("fsync ", "/a", 0), 0);
}

static void a_flushed_set_is_empty(void **state)
{
    struct fixture *fixture = *state;
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
    struct error error = ERROR_INIT;

    make_directories(fixture);
    for (int i = 0; i < 40; i++) {
        sync_set_add(&set, "a/b/c/file");
    }
    assert_returns(0, sync_set_flush(&set, &error));
    assert_int_equal(set.count, 0);
    trace_begin();
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    assert_int_equal(trace_count(), 0);
    sync_set_add(&set, "x/file");
    trace_begin();
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    assert_true(trace_find("fsync ", "/x", 0) != SIZE_MAX);
    assert_true(trace_find("fsync ", "/a", 0) == SIZE_MAX);
}

static void a_failed_sync_is_an_error_whichever_it_is(void **state)
{
    struct fixture *fixture = *state;
    size_t failed = 0;
    bool reached = true;

    make_directories(fixture);
    for (size_t n = 0; reached; n++) {
        AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
        struct error error = ERROR_INIT;
        int result;

        sync_set_add(&set, "a/b/c/file");
        sync_set_add(&set, "x/file");
        trace_begin_with_fault(n, EIO);
        result = sync_set_flush(&set, &error);
        reached = trace_end();
        assert_int_equal(result, reached ? -1 : 0);
        assert_int_equal(error.code, reached ? ERROR_INTERNAL : ERROR_NONE);
        /* Never tried again: the kernel forgets what it could not write. */
        assert_true(!reached || trace_count() == n + 1);
        failed += reached;
    }
    assert_true(failed >= 4);
}

/* And its bytes are gone, so that no second sync makes them good. */
static void a_failed_sync_of_a_file_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    AUTO_CLOSE int descriptor = file_create(fixture->directory, "file", &error);

    assert_returns(0, file_write_at(descriptor, 0, "bytes", 5, &error));
    trace_begin_with_fault(0, EIO);
    assert_fails(ERROR_DATA_LOST, file_sync(descriptor, "file", &error));
    assert_true(trace_end());
    assert_file(fixture->directory, "file", "");
    trace_begin_with_fault(0, ENOSPC);
    assert_fails(ERROR_NO_SPACE, file_sync(descriptor, "file", &error));
    assert_true(trace_end());
    trace_begin();
    assert_returns(0, file_sync(descriptor, "file", &error));
    (void)trace_end();
    assert_int_equal(trace_find("fsync ", "/file", 0), 0);
}

static void interrupted_writes_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    AUTO_CLOSE int descriptor = file_create(fixture->directory, "file", &error);

    trace_begin_with_fault(0, EINTR);
    assert_returns(0, file_write_at(descriptor, 0, "whole", 5, &error));
    assert_true(trace_end());
    assert_int_equal(trace_count(), 2);
    assert_file(fixture->directory, "file", "whole");
}

static void a_failed_rename_publishes_nothing(void **state)
{
    static const int numbers[] = {EIO, EACCES, EXDEV};
    struct fixture *fixture = *state;

    put_file(fixture->directory, "from", "new");
    put_file(fixture->directory, "to", "old");
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct error error = ERROR_INIT;

        trace_begin_with_fault(0, numbers[i]);
        trace_fault_only("renameat");
        assert_fails(ERROR_INTERNAL,
                     file_publish((struct file_place){fixture->directory, "from"},
                                  (struct file_place){fixture->directory, "to"}, &error));
        assert_true(trace_end());
        assert_int_equal(trace_count(), 1);
        assert_file(fixture->directory, "to", "old");
    }
}

struct collector {
    int directory;
    unsigned visits; /* how often it comes */
};

/* Comes between the directories' making and the rename. */
static void collect(void *context, const char *line)
{
    struct collector *collector = context;

    if (strncmp(line, "renameat ", 9) == 0 && collector->visits > 0) {
        collector->visits--;
        (void)unlinkat(collector->directory, "a/b/c", AT_REMOVEDIR);
        (void)unlinkat(collector->directory, "a/b", AT_REMOVEDIR);
        (void)unlinkat(collector->directory, "a", AT_REMOVEDIR);
    }
}

static void publishing_goes_on_when_empty_directories_are_removed(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned visits = 0; visits < 5; visits++) {
        struct collector collector = {fixture->directory, visits};
        struct error error = ERROR_INIT;

        put_file(fixture->directory, "from", "content");
        trace_begin();
        trace_hook(collect, &collector);
        assert_returns(0,
                       file_publish((struct file_place){fixture->directory, "from"},
                                    (struct file_place){fixture->directory, "a/b/c/to"}, &error));
        (void)trace_end();
        assert_int_equal(collector.visits, 0);
        assert_file(fixture->directory, "a/b/c/to", "content");
        assert_int_equal(unlinkat(fixture->directory, "a/b/c/to", 0), 0);
    }
}

static void publishing_gives_up_in_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct collector collector = {fixture->directory, UINT32_MAX};
    struct error error = ERROR_INIT;

    put_file(fixture->directory, "from", "content");
    trace_begin();
    trace_hook(collect, &collector);
    assert_fails(ERROR_INTERNAL,
                 file_publish((struct file_place){fixture->directory, "from"},
                              (struct file_place){fixture->directory, "a/b/c/to"}, &error));
    (void)trace_end();
    assert_file(fixture->directory, "from", "content");
}

/* Makes the directory itself, and takes it away again, at the worst moment. */
static void meddle(void *context, const char *line)
{
    const struct fixture *fixture = context;

    if (strcmp(line, "mkdirat a/b") == 0) {
        (void)mkdir(fixture->root, 0777);
    }
}

static void a_directory_that_another_one_just_made_is_as_good(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;

    (void)snprintf(fixture->root, sizeof(fixture->root), "%s/a", fixture->path);
    trace_begin();
    trace_hook(meddle, fixture);
    assert_returns(0, file_make_parents(fixture->directory, "a/b/file", &error));
    (void)trace_end();
    assert_true(is_there(fixture->directory, "a/b"));
}

/* Adds a file and flushes; what was synced, one a line. */
static void flush_young(struct fixture *fixture, struct sync_memory *memory, const char *path,
                        struct buffer *out_synced)
{
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
    struct error error = ERROR_INIT;

    set.memory = memory;
    put_file(fixture->directory, path, "");
    sync_set_add(&set, path);
    trace_begin();
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    buffer_clear(out_synced);
    list_synced(fixture, out_synced);
}

/* The same when the directories are old enough to be known. */
static void flush_for(struct fixture *fixture, struct sync_memory *memory, const char *path,
                      struct buffer *out_synced)
{
    put_file(fixture->directory, path, "");
    clock_pause(2 * SYNC_TICK / 1000000);
    flush_young(fixture, memory, path, out_synced);
}

static void stops_at_a_directory_whose_name_it_has_synced_before(void **state)
{
    struct fixture *fixture = *state;
    struct sync_memory memory = {.marks = {{{.born = 0}}}};
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;

    flush_for(fixture, &memory, "a/b/c/1/file", &synced);
    assert_string_equal(synced.data, "a/b/c/1\na/b/c\na/b\na\n");
    flush_for(fixture, &memory, "a/b/c/2/file", &synced);
    assert_string_equal(synced.data, "a/b/c/2\na/b/c\n");
    flush_for(fixture, &memory, "a/b/c/2/other", &synced);
    assert_string_equal(synced.data, "a/b/c/2\n");
}

#define HEX_16 "0123456789abcdef"
#define A_DIGEST HEX_16 HEX_16 HEX_16 HEX_16

/* It may have been moved away and back, which leaves it its inode and its birth. */
static void does_not_believe_a_directory_that_is_named_by_a_digest(void **state)
{
    struct fixture *fixture = *state;
    struct sync_memory memory = {.marks = {{{.born = 0}}}};
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;

    flush_for(fixture, &memory, "a/b/" A_DIGEST "/file", &synced);
    assert_string_equal(synced.data, "a/b/" A_DIGEST "\na/b\na\n");
    flush_for(fixture, &memory, "a/b/" A_DIGEST "/other", &synced);
    assert_string_equal(synced.data, "a/b/" A_DIGEST "\na/b\n");
}

static void a_lasting_directory_needs_no_sync_once_it_is_known(void **state)
{
    struct fixture *fixture = *state;
    struct sync_memory memory = {.marks = {{{.born = 0}}}};
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;
    struct error error = ERROR_INIT;

    set.memory = &memory;
    put_file(fixture->directory, "a/b/file", "");
    clock_pause(2 * SYNC_TICK / 1000000);
    trace_begin();
    sync_set_add_lasting(&set, "a/b");
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    list_synced(fixture, &synced);
    assert_string_equal(synced.data, "a\n");
    flush_for(fixture, &memory, "a/b/file", &synced);
    assert_string_equal(synced.data, "a/b\na\n");
    trace_begin();
    sync_set_add_lasting(&set, "a/b");
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    assert_int_equal(trace_count(), 0);
}

static void does_not_take_a_directory_made_anew_for_the_old_one(void **state)
{
    struct fixture *fixture = *state;
    struct sync_memory memory = {.marks = {{{.born = 0}}}};
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;
    struct error error = ERROR_INIT;

    flush_for(fixture, &memory, "a/b/c/1/file", &synced);
    assert_returns(0, directory_remove(fixture->directory, "a/b", &error));
    flush_for(fixture, &memory, "a/b/c/1/file", &synced);
    assert_string_equal(synced.data, "a/b/c/1\na/b/c\na/b\na\n");
}

/* Born in the same tick of the clock, under the same inode, it would look like the old one. */
static void knows_no_directory_that_is_as_young_as_what_may_take_its_place(void **state)
{
    struct fixture *fixture = *state;
    struct sync_memory memory = {.marks = {{{.born = 0}}}};
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;
    struct error error = ERROR_INIT;
    int64_t began;

    do { /* as fast as it may happen: again, if the machine was busy elsewhere */
        assert_returns(0, directory_remove(fixture->directory, "a", &error));
        began = clock_milliseconds();
        flush_young(fixture, &memory, "a/b/file", &synced);
        assert_string_equal(synced.data, "a/b\na\n");
        flush_young(fixture, &memory, "a/b/other", &synced);
    } while (clock_milliseconds() - began >= SYNC_TICK / 1000000);
    assert_string_equal(synced.data, "a/b\na\n");
}

/* Somebody had set the clock to a date that no number of nanoseconds says. */
static void knows_no_directory_that_is_born_beyond_all_dates(void **state)
{
    static const int64_t births[] = {INT64_C(1) << 34, INT64_MAX, INT64_MIN};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(births); i++) {
        struct sync_memory memory = {.marks = {{{.born = 0}}}};
        AUTO_BUFFER struct buffer synced = BUFFER_INIT;

        birth = births[i];
        flush_for(fixture, &memory, "a/b/file", &synced);
        flush_for(fixture, &memory, "a/b/other", &synced);
        birth = 0;
        assert_string_equal(synced.data, "a/b\na\n");
    }
}

static void flush_in_order(struct fixture *fixture, int root, struct buffer *out_synced)
{
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(root);
    struct error error = ERROR_INIT;

    set.in_order = true;
    make_directories(fixture);
    sync_set_add(&set, "a/b/c/file");
    sync_set_add(&set, "x/file");
    trace_begin();
    assert_returns(0, sync_set_flush(&set, &error));
    (void)trace_end();
    assert_int_equal(set.count, 0);
    list_synced(fixture, out_synced);
}

/* A sync of what has not changed lately may go no further than to that change. */
static void
where_names_are_kept_in_order_the_root_is_changed_and_synced_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    const struct timespec long_ago[] = {{.tv_sec = 1}, {.tv_sec = 1}};
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;
    struct stat status;

    make_directories(fixture);
    assert_int_equal(futimens(fixture->directory, long_ago), 0);
    flush_in_order(fixture, fixture->directory, &synced);
    assert_string_equal(synced.data, ".\n");
    assert_int_equal(fstat(fixture->directory, &status), 0);
    assert_true(status.st_mtim.tv_sec > 1);
}

static void a_root_that_cannot_be_changed_is_synced_as_anywhere_else(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CLOSE int only_a_path = openat(fixture->directory, ".", O_PATH | O_CLOEXEC);
    AUTO_BUFFER struct buffer synced = BUFFER_INIT;

    flush_in_order(fixture, only_a_path, &synced);
    assert_string_equal(synced.data, "x\na/b/c\na/b\na\n");
}

/* Whatever becomes of the root while it is synced. */
static void take_root(void *context, const char *line)
{
    struct fixture *fixture = context;

    (void)line;
    AUTO_CLOSE int only_a_path = openat(fixture->directory, ".", O_PATH | O_CLOEXEC);

    assert_true(dup3(only_a_path, fixture->directory, O_CLOEXEC) >= 0);
}

static void a_sync_behind_which_nothing_can_be_changed_any_more_has_failed(void **state)
{
    struct fixture *fixture = *state;
    AUTO_CLOSE int kept = fcntl(fixture->directory, F_DUPFD_CLOEXEC, 0);
    AUTO_SYNC_SET struct sync_set set = SYNC_SET_INIT(fixture->directory);
    struct error error = ERROR_INIT;

    set.in_order = true;
    make_directories(fixture);
    sync_set_add(&set, "x/file");
    trace_begin();
    trace_hook(take_root, fixture);
    assert_fails(ERROR_INTERNAL, sync_set_flush(&set, &error));
    (void)trace_end();
    assert_true(dup3(kept, fixture->directory, O_CLOEXEC) >= 0);
    trace_begin_with_fault(0, EIO);
    assert_fails(ERROR_INTERNAL, sync_set_flush(&set, &error));
    assert_true(trace_end());
}

static void memory_keeps_no_order(void **state)
{
    AUTO_CLOSE int memory = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_false(journal_keeps_order(memory));
    assert_false(journal_keeps_order(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(syncs_every_directory_on_the_way_once_and_the_deepest_first),
        IN_DIRECTORY(stops_at_a_directory_whose_name_it_has_synced_before),
        IN_DIRECTORY(does_not_believe_a_directory_that_is_named_by_a_digest),
        IN_DIRECTORY(a_lasting_directory_needs_no_sync_once_it_is_known),
        IN_DIRECTORY(does_not_take_a_directory_made_anew_for_the_old_one),
        IN_DIRECTORY(knows_no_directory_that_is_as_young_as_what_may_take_its_place),
        IN_DIRECTORY(knows_no_directory_that_is_born_beyond_all_dates),
        IN_DIRECTORY(the_topmost_levels_may_be_known_to_be_synced),
        IN_DIRECTORY(a_directory_that_has_gone_needs_no_sync),
        IN_DIRECTORY(a_flushed_set_is_empty),
        IN_DIRECTORY(a_failed_sync_is_an_error_whichever_it_is),
        IN_DIRECTORY(a_failed_sync_of_a_file_is_an_error),
        IN_DIRECTORY(interrupted_writes_go_on),
        IN_DIRECTORY(a_failed_rename_publishes_nothing),
        IN_DIRECTORY(publishing_goes_on_when_empty_directories_are_removed),
        IN_DIRECTORY(publishing_gives_up_in_the_end),
        IN_DIRECTORY(a_directory_that_another_one_just_made_is_as_good),
        IN_DIRECTORY(where_names_are_kept_in_order_the_root_is_changed_and_synced_and_nothing_else),
        IN_DIRECTORY(a_root_that_cannot_be_changed_is_synced_as_anywhere_else),
        IN_DIRECTORY(a_sync_behind_which_nothing_can_be_changed_any_more_has_failed),
        cmocka_unit_test(memory_keeps_no_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
