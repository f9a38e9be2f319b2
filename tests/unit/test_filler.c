/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

/*
 * The filler against a registry of a few bytes in another process: what it asks, what it leaves in
 * the directory of the fetch, and what becomes the blob. Each test ends with a fetch that works.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/proxy/fill/fill.h"
#include "lib/proxy/fill/filler.h"
#include "lib/proxy/fill/origin.h"
#include "lib/proxy/fill/unsynced.h"
#include "lib/store/blob.h"
#include "tests/unit/server.h"
#include "tests/unit/trace.h"

#define WORDS "the quick brown fox jumps over the lazy dog"
enum { SIZE = sizeof(WORDS) - 1, SOME = 10 };

/* How the registry answers. */
enum manner {
    WELL, /* with ranges */
    WITHOUT_RANGE,
    WITHOUT_LENGTH,
    WRONG,          /* other bytes */
    SHORT,          /* always ends before its end */
    BREAKS,         /* the first time after some bytes */
    BREAKS_AT_ONCE, /* the first time before any */
    FROM_ELSEWHERE, /* a range that was not asked for */
    NOTHING_MORE,   /* 416 for whatever begins behind the start, though something was promised */
    ABSENT,
};

static struct error error;
static struct server server;
static struct proxy_options options;
static struct upstream upstream;
static struct fill fill;
static char url[64];
static bool is_for_the_patient; /* whoever waits for a short fetch has been told that it is none */

static void answer_as(struct server *with, const void *context)
{
    enum manner manner = *(const enum manner *)context;
    const char *range = strstr(with->request, "Range: bytes=");
    size_t first = range && manner != WITHOUT_RANGE ? strtoul(range + 13, NULL, 10) : 0;
    char head[256];
    char body[SIZE + 1] = WORDS;

    if (manner == ABSENT || (manner == NOTHING_MORE && first > 0)) {
        (void)server_send_text(with, manner == ABSENT
                                         ? "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"
                                         : "HTTP/1.1 416 x\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if (manner == WRONG) {
        body[SIZE - 1] = '!';
    }
    if (manner == FROM_ELSEWHERE && first > 0) {
        first--;
    }
    if (manner == WITHOUT_LENGTH) {
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    } else if (first > 0) {
        (void)snprintf(head, sizeof(head),
                       "HTTP/1.1 206 x\r\nContent-Range: bytes %zu-%d/%d\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       first, SIZE - 1, SIZE, SIZE - first);
    } else {
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    }
    (void)server_send_text(with, head);
    if (manner == BREAKS_AT_ONCE && with->seen->connections == 1) {
        return;
    }
    if (manner == SHORT || (manner == BREAKS && first == 0)) {
        (void)server_send(with, body + first, first < SOME ? SOME - first : 0);
    } else {
        (void)server_send(with, body + first, SIZE - first);
    }
}

/* A fetch from a registry with these manners. */
static void fetch_from(struct fixture *fixture, const enum manner *manner)
{
    fixture->options.may_be_lost = true;
    server_start(&server, answer_as, manner);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.port);
    options = (struct proxy_options){.enabled = true,
                                     .http_proxy = (char *)"",
                                     .ca_file = (char *)"",
                                     .connect_timeout = 60,
                                     .stall_timeout = 60};
    upstream = (struct upstream){.options = &options,
                                 .store = &fixture->store,
                                 .name = "registry.example",
                                 .allow_http = true,
                                 .allow_private_address = true};
    (void)snprintf(upstream.url, sizeof(upstream.url), "%s", url);
    fill = (struct fill){.upstream = &upstream,
                         .repository = &fixture->repository,
                         .name = "app",
                         .digest = sha256(WORDS)};
}

/* A whole one: what it has published is synced as well. */
static int fill_run(void)
{
    int giver = dup(STDERR_FILENO);
    int result = filler_run(&fill, &giver, &error);

    is_for_the_patient = giver < 0;
    cleanup_close(&giver);
    unsynced_settle();
    return result;
}

static int run(void)
{
    return partial_prepare(&fill, &error) < 0 ? -1 : fill_run();
}

/* As another filler, which has died, leaves it. */
static void leave(struct fixture *fixture, const char *data, uint64_t size)
{
    assert_returns(0, partial_prepare(&fill, &error));
    put_file(fixture->store.temporary, partial_place(&fill, "data").text, data);
    if (size > 0) {
        assert_returns(0, partial_write_total(&fill, size, &error));
    }
}

static bool has_left(struct fixture *fixture, const char *what)
{
    return is_there(fixture->store.temporary, partial_place(&fill, what).text);
}

static bool is_stored(struct fixture *fixture)
{
    uint64_t size;

    return blob_is_stored(&fixture->store, &fill.digest, &size, &error) > 0;
}

static void assert_fetched(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct blob blob;

    assert_returns(1, blob_find(&fixture->repository, &fill.digest, &blob, &error));
    assert_returns(1, blob_read(&fixture->store, &fill.digest, SIZE, &content, &error));
    assert_string_equal(content.data, WORDS);
    assert_true(origin_allows(&upstream, "app", &fill.digest));
    assert_false(has_left(fixture, "data"));
    assert_false(has_left(fixture, "lock"));
}

static void forget(struct fixture *fixture)
{
    assert_returns(0, directory_remove(fixture->store.root, LAYOUT_BLOBS, &error));
    assert_returns(0, directory_remove(fixture->store.root, LAYOUT_REPOSITORIES, &error));
}

static unsigned asked(void)
{
    return server.seen->connections;
}

static bool was_asked_from(size_t first)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), "Range: bytes=%zu-\r\n", first);
    return first == 0 ? strstr(server.seen->request, "Range:") == NULL
                      : strstr(server.seen->request, wanted) != NULL;
}

static void what_comes_becomes_the_blob(void **state)
{
    static const enum manner manners[] = {WELL, WITHOUT_RANGE, WITHOUT_LENGTH, NOTHING_MORE};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(manners); i++) {
        fetch_from(fixture, &manners[i]);
        assert_returns(0, run());
        assert_fetched(fixture);
        assert_int_equal(asked(), 1);
        assert_true(was_asked_from(0));
        assert_false(is_for_the_patient);
        forget(fixture);
        server_end(&server);
    }
}

static void goes_on_where_another_has_stopped(void **state)
{
    static const enum manner manner = WELL;
    struct fixture *fixture = *state;

    fetch_from(fixture, &manner);
    leave(fixture, "the quick ", 43);
    assert_returns(0, run());
    assert_fetched(fixture);
    assert_int_equal(asked(), 1);
    assert_true(was_asked_from(SOME));
    server_end(&server);
}

static void goes_on_where_the_upstream_has_broken_off(void **state)
{
    static const enum manner manner = BREAKS;
    struct fixture *fixture = *state;

    fetch_from(fixture, &manner);
    assert_returns(0, run());
    assert_fetched(fixture);
    assert_int_equal(asked(), 2);
    assert_true(was_asked_from(SOME));
    server_end(&server);
}

/* What it has promised it has. */
static void asks_again_where_the_upstream_has_broken_off_at_once(void **state)
{
    static const enum manner manner = BREAKS_AT_ONCE;
    struct fixture *fixture = *state;

    fetch_from(fixture, &manner);
    assert_returns(0, run());
    assert_fetched(fixture);
    assert_int_equal(asked(), 2);
    assert_true(was_asked_from(0));
    server_end(&server);
}

/* It has nothing to ask; so the upstream has not given it anything, either. */
static void publishes_what_was_complete_already(void **state)
{
    static const enum manner manner = WELL;
    struct fixture *fixture = *state;

    fetch_from(fixture, &manner);
    leave(fixture, WORDS, 43);
    assert_returns(0, run());
    assert_fetched(fixture);
    assert_int_equal(asked(), 0);
    server_end(&server);
}

/* Whatever is wrong with what was there: once more from the start, and that is right. */
static void does_not_trust_what_another_has_left(void **state)
{
    static const struct {
        const char *data;
        uint64_t size;
        enum manner manner;
    } cases[] = {
        {"The Quick ", 43, WELL},       /* other bytes */
        {"THE QUICK " WORDS, 43, WELL}, /* too many */
        {"the quick ", 20, WELL},       /* of another length */
        {"the quick ", 0, WELL},           {"the quick ", 43, WITHOUT_RANGE},
        {"The Quick ", 43, WITHOUT_RANGE}, {"the quick ", 43, NOTHING_MORE},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fetch_from(fixture, &cases[i].manner);
        leave(fixture, cases[i].data, cases[i].size);
        assert_returns(0, run());
        assert_fetched(fixture);
        assert_in_range(asked(), 1, 2);
        forget(fixture);
        server_end(&server);
    }
}

static void keeps_nothing_that_is_wrong(void **state)
{
    static const enum manner manners[] = {WRONG, ABSENT, SHORT, FROM_ELSEWHERE};
    static const enum manner well = WELL;
    struct fixture *fixture = *state;
    struct report report = REPORT_INIT;

    for (size_t i = 0; i < COUNT(manners); i++) {
        enum error_code expected = manners[i] == ABSENT ? ERROR_BLOB_UNKNOWN : ERROR_UPSTREAM;

        fetch_from(fixture, &manners[i]);
        if (manners[i] == FROM_ELSEWHERE) {
            leave(fixture, "the quick ", 43);
        }
        assert_fails(expected, run());
        assert_false(is_stored(fixture));
        assert_true(partial_failure(&fill, &report, &error));
        assert_int_equal(error.code, expected);
        server_end(&server);

        fetch_from(fixture, &well);
        assert_returns(0, run());
        assert_fetched(fixture);
        forget(fixture);
        server_end(&server);
    }
    report_release(&report);
}

/* Another version counts its codes otherwise; what an accident leaves is no part of an answer. */
static void a_failure_that_nobody_can_have_meant_is_the_upstreams(void **state)
{
    static const enum manner well = WELL;
    struct fixture *fixture = *state;
    struct report report = REPORT_INIT;

    fetch_from(fixture, &well);
    server_end(&server);
    put_file(fixture->store.temporary, partial_place(&fill, "failed").text,
             "app\n9999\n99999999999\nwhat?\n{\n");
    assert_true(partial_failure(&fill, &report, &error));
    assert_int_equal(error.code, ERROR_UPSTREAM);
    assert_int_equal(report.retry_after, 0);
    assert_string_equal(report.detail.data, "");
    report_release(&report);
}

/* The kernel shows what it could not write, and calls it clean: whichever sync fails, what is not
 * published then comes from the upstream, from its first byte. */
static void after_a_failed_sync_all_is_fetched_again(void **state)
{
    static const enum manner manner = WELL;
    struct fixture *fixture = *state;
    bool reached = true;
    size_t refused = 0;

    for (size_t n = 0; reached; n++) {
        fetch_from(fixture, &manner);
        assert_returns(0, partial_prepare(&fill, &error));
        trace_begin_with_fault(n, EIO);
        trace_fault_only("fsync");
        (void)fill_run();
        reached = trace_end();
        if (!is_stored(fixture)) {
            assert_true(reached);
            assert_int_equal(error.code, ERROR_DATA_LOST);
            assert_returns(0, run());
            assert_int_equal(asked(), 2);
            assert_true(was_asked_from(0));
            assert_fetched(fixture);
            refused++;
        }
        forget(fixture);
        server_end(&server);
    }
    assert_true(refused > 0);
}

static void what_was_left_and_cannot_be_synced_is_not_gone_on_with(void **state)
{
    static const char *const left[] = {"the quick ", WORDS};
    static const enum manner manner = WELL;
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(left); i++) {
        fetch_from(fixture, &manner);
        leave(fixture, left[i], 43);
        assert_returns(0, partial_prepare(&fill, &error));
        trace_begin_with_fault(0, EIO);
        trace_fault_only("fsync");
        assert_returns(0, fill_run());
        assert_true(trace_end());
        assert_fetched(fixture);
        assert_int_equal(asked(), 1);
        assert_true(was_asked_from(0));
        forget(fixture);
        server_end(&server);
    }
}

/* Nor is what cannot be read: the next one would not get any further. */
static void what_was_left_and_cannot_be_read_is_fetched_again(void **state)
{
    static const enum manner manner = WELL;
    struct fixture *fixture = *state;
    bool reached = true;
    unsigned anew = 0;

    for (size_t n = 0; reached; n++) {
        fetch_from(fixture, &manner);
        leave(fixture, "the quick ", 43);
        assert_returns(0, partial_prepare(&fill, &error));
        trace_begin_with_fault(n, EIO);
        trace_fault_only("pread");
        anew += fill_run() == 0 && was_asked_from(0);
        reached = trace_end();
        if (!is_stored(fixture)) {
            assert_returns(0, run());
        }
        forget(fixture);
        server_end(&server);
    }
    assert_true(anew > 0);
}

static struct fill_view reader;

/* Somebody joins as soon as all bytes are there. */
static void open_when_full(void *context, const char *line)
{
    struct fixture *fixture = context;
    struct path data = partial_place(&fill, "data");
    struct stat status;

    (void)line;
    if (reader.descriptor < 0 && fstatat(fixture->store.temporary, data.text, &status, 0) == 0 &&
        status.st_size == SIZE) {
        reader = (struct fill_view){.fill = fill, .size = SIZE, .is_reading = true};
        reader.descriptor = openat(fixture->store.temporary, data.text, O_RDONLY | O_CLOEXEC);
    }
}

/* Any of the calls that make a blob of what has come may fail. A failed sync is another matter. */
static void what_is_right_and_cannot_be_kept_is_for_those_who_wait(void **state)
{
    static const enum manner manner = WELL;
    struct fixture *fixture = *state;
    bool reached = true;
    int given_away = 0;

    fixture->damaged = true; /* pieces that could not be removed */
    fetch_from(fixture, &manner);
    for (size_t n = 0; reached; n++) {
        char bytes[SIZE + 1] = "";
        int result;

        reader = (struct fill_view)FILL_VIEW_INIT;
        assert_returns(0, partial_prepare(&fill, &error));
        trace_begin_with_fault(n, EIO);
        trace_hook(open_when_full, fixture);
        result = fill_run();
        reached = trace_end();
        if (reader.descriptor >= 0 && error.code == ERROR_DATA_LOST && result < 0) {
            assert_int_equal(fill_read(&reader, 0, bytes, SIZE, &error), -1);
        } else if (reader.descriptor >= 0) {
            assert_int_equal(fill_read(&reader, 0, bytes, SIZE, &error), SIZE);
            assert_string_equal(bytes, WORDS);
            given_away += result < 0;
        }
        fill_close(&reader);
        forget(fixture);
    }
    assert_true(given_away > 5);
    server_end(&server);
}

/* Between any two calls that change the disk: the next one goes on, and no wrong byte is seen. */
static void a_filler_that_dies_leaves_what_the_next_can_use(void **state)
{
    static const enum manner manner = BREAKS;
    struct fixture *fixture = *state;
    bool reached = true;
    size_t n = 0;

    fixture->damaged = true; /* pieces of the dead */
    fetch_from(fixture, &manner);
    for (; reached; n++) {
        pid_t child = fork_child();
        struct blob blob;
        int status;

        if (child == 0) {
            trace_begin_with_fault(n, 0);
            (void)run();
            _exit(7);
        }
        status = wait_for_child(child);
        reached = status == 0;
        assert_true(reached || status == 7);
        if (!is_stored(fixture)) {
            assert_returns(0, run());
        }
        assert_returns(1, blob_find(&fixture->repository, &fill.digest, &blob, &error));
        forget(fixture);
    }
    assert_true(n > 10);
    server_end(&server);
}

enum { MIB = 1024 * 1024, DISK = 64, RESERVE = 20, LARGE = 30, PUSHED = 25 };

/* After a quarter of the blob, something else takes room on the disk. */
static void answer_beside_a_push(struct server *with, const void *context)
{
    static char piece[MIB];
    char head[64];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n", LARGE * MIB);
    (void)server_send_text(with, head);
    for (int i = 0; i < LARGE; i++) {
        if (i == LARGE / 4) {
            const char *directory = context;
            int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

            (void)posix_fallocate(descriptor, 0, (off_t)PUSHED * MIB); /* open until we end */
        }
        (void)server_send(with, piece, sizeof(piece));
    }
}

static int give_way(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    static const enum manner manner = WELL;
    uint64_t total;

    store_close(&fixture->store);
    EXPECT(mount_small(fixture->path, "64m"));
    fixture->options.minimum_free_space = (uint64_t)RESERVE * MIB;
    EXPECT(store_open(&fixture->store, &fixture->options, &error) == 0);
    fetch_from(fixture, &manner);
    server_end(&server);
    server_start(&server, answer_beside_a_push, fixture->path);
    (void)snprintf(upstream.url, sizeof(upstream.url), "http://127.0.0.1:%u", server.port);
    memset(buffer_reserve(&content, (size_t)LARGE * MIB), 0, (size_t)LARGE * MIB);
    digest_of(DIGEST_SHA256, content.data, (size_t)LARGE * MIB, &fill.digest);
    EXPECT(run() == -1 && error.code == ERROR_NO_SPACE);
    EXPECT(!is_stored(fixture) && !partial_total(&fill, &total));
    EXPECT(is_for_the_patient);
    server_end(&server);
    EXPECT(store_check_space(&fixture->store, (uint64_t)(DISK - RESERVE - PUSHED) * MIB, &error) ==
           0);
    return 0;
}

/* LARGE and PUSHED have room beside each other, but not beside the reserve. */
static void a_push_that_comes_meanwhile_has_the_reserve(void **state)
{
    run_in_child(give_way, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(what_comes_becomes_the_blob),
        IN_STORE(goes_on_where_another_has_stopped),
        IN_STORE(goes_on_where_the_upstream_has_broken_off),
        IN_STORE(asks_again_where_the_upstream_has_broken_off_at_once),
        IN_STORE(publishes_what_was_complete_already),
        IN_STORE(does_not_trust_what_another_has_left),
        IN_STORE(keeps_nothing_that_is_wrong),
        IN_STORE(a_failure_that_nobody_can_have_meant_is_the_upstreams),
        IN_STORE(after_a_failed_sync_all_is_fetched_again),
        IN_STORE(what_was_left_and_cannot_be_synced_is_not_gone_on_with),
        IN_STORE(what_was_left_and_cannot_be_read_is_fetched_again),
        IN_STORE(what_is_right_and_cannot_be_kept_is_for_those_who_wait),
        IN_STORE(a_filler_that_dies_leaves_what_the_next_can_use),
        IN_STORE(a_push_that_comes_meanwhile_has_the_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
