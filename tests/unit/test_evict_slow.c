/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/proxy/evict/evict.h"
#include "tests/unit/own_time.h"
#include "tests/unit/trace.h"

/* A disk that takes half a minute for each blob. */
static struct {
    struct fixture *fixture; /* NULL: it is none */
    unsigned calls;
    unsigned replaced; /* times that another one found the lock idle */
} slow;

static void take_long(void)
{
    enum { LONG = 30, SILENCE = 60 }; /* seconds */
    struct file_place place = {slow.fixture->store.root, LAYOUT_EVICT_LOCK};
    AUTO_LOCK struct lock lock = LOCK_INIT;
    struct error ignored;
    struct stat status;

    assert_int_equal(fstatat(place.directory, place.path, &status, 0), 0);
    set_age(place.directory, place.path, clock_date() - status.st_mtime + LONG);
    clock_pause((int64_t)LONG * 1000);
    slow.calls++;
    slow.replaced += lock_take_or_replace(&lock, place, SILENCE, &ignored) == LOCK_TAKEN;
}

/* By which a blob is condemned. */
int utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
    struct fixture *fixture = slow.fixture;

    if (fixture && times && times[0].tv_sec == 1) {
        take_long();
    }
    return (int)syscall(SYS_utimensat, directory, path, times, flags);
}

static void remove_slowly(void *context, const char *line)
{
    (void)context;
    if (strncmp(line, "unlinkat docker/registry/v2/blobs/", 34) == 0 &&
        strcmp(line + strlen(line) - 5, "/data") == 0) {
        take_long();
    }
}

static void who_is_slow_is_not_taken_for_who_hangs(void **state)
{
    struct digest digests[5];
    struct proxy_options options = {.maximum_size = 1 << 30};
    struct evict_wish wish = {.room = 0, .patience = 0, .wait = LOCK_TRY, .is_trial = false};
    struct evict_report report;
    struct error error;

    slow.fixture = *state;
    slow.calls = slow.replaced = 0;
    slow.fixture->options.may_be_lost = true;
    for (size_t i = 0; i < COUNT(digests); i++) {
        digests[i] = push_blob(&slow.fixture->repository, (const char[]){(char)('a' + i), '\0'});
    }
    own_time_begin(NULL, NULL);
    trace_begin();
    trace_hook(remove_slowly, NULL);
    assert_returns(1, evict_run(&options, &slow.fixture->store, &wish, &report, &error));
    (void)trace_end();
    own_time_end();
    slow.fixture = NULL;
    assert_int_equal(report.blobs, COUNT(digests));
    assert_int_equal(slow.calls, 2 * COUNT(digests));
    assert_int_equal(slow.replaced, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(who_is_slow_is_not_taken_for_who_hangs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
