/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"

static struct pollfd process_client = {.fd = -1};

void process_serve(int descriptor, enum process_client kind)
{
    process_client.fd = descriptor;
    process_client.events = kind == CLIENT_ENDS_WHEN_GONE ? POLLRDHUP : 0;
}

bool process_is_deserted(void)
{
    /* Not for what can be read: web servers end a request's body with a record that nobody takes.
     */
    struct pollfd client = process_client;

    return client.fd >= 0 && poll(&client, 1, 0) > 0;
}

static struct pollfd process_listener = {.fd = -1, .events = POLLIN};

void process_listen(int listener)
{
    process_listener.fd = listener;
}

bool process_is_wanted(void)
{
    struct pollfd listener = process_listener;

    return listener.fd >= 0 && poll(&listener, 1, 0) > 0;
}

/* The lowest number in `keep` that is at least `from`, or INT_MAX. */
static int next_kept(const int *keep, size_t keep_count, int from)
{
    int lowest = INT_MAX;

    for (size_t i = 0; i < keep_count; i++) {
        if (keep[i] >= from && keep[i] < lowest) {
            lowest = keep[i];
        }
    }
    return lowest;
}

/* Where close_range() is forbidden, as some sandboxes do, or unknown. */
static void close_one_by_one(const int *keep, size_t keep_count)
{
    AUTO_NAMES struct names names = NAMES_INIT;
    struct error ignored;

    (void)directory_list(AT_FDCWD, "/proc/self/fd", &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        int descriptor = (int)strtol(names.names[i], NULL, 10);

        if (descriptor > STDERR_FILENO && next_kept(keep, keep_count, descriptor) != descriptor) {
            (void)close(descriptor);
        }
    }
}

static void close_all_but(const int *keep, size_t keep_count)
{
    int from = STDERR_FILENO + 1;
    int kept;

    do {
        kept = next_kept(keep, keep_count, from);
        if (kept > from &&
            close_range((unsigned)from, kept < INT_MAX ? (unsigned)kept - 1 : UINT_MAX, 0) < 0) {
            close_one_by_one(keep, keep_count);
            return;
        }
        from = kept < INT_MAX ? kept + 1 : kept;
    } while (kept < INT_MAX);
}

void process_reset_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t all;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        (void)sigaction(numbers[i], &standard, NULL);
    }
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
}

/* A web server that hands its CGI program a pipe for its complaints reads it to the end, before it
 * is done with the request. */
static bool process_is_awaited(void)
{
    struct stat status;

    return process_client.fd >= 0 && process_client.events == 0 &&
           fstat(STDERR_FILENO, &status) == 0 &&
           (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

static void become_detached(const int *keep, size_t keep_count)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0 && process_is_awaited()) {
        (void)dup2(null, STDERR_FILENO);
    }
    process_client.fd = -1;
    process_listener.fd = -1;
    process_reset_signals();
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
    close_all_but(keep, keep_count);
}

/* The process between: ends with 0, or with the errno for which there is no further one. */
static void process_start_grandchild(void)
{
    pid_t child = fork();

    if (child != 0) {
        _exit(child < 0 ? errno : 0);
    }
}

/* -1 where children are not waited for. */
static int process_wait(pid_t child, int *out_status)
{
    pid_t ended;

    do {
        ended = waitpid(child, out_status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended < 0 ? -1 : 0;
}

int process_detach(const int *keep, size_t keep_count, struct error *error)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        process_start_grandchild();
        become_detached(keep, keep_count);
        return 0;
    }
    if (child > 0 &&
        (process_wait(child, &status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 0)) {
        return 1;
    }
    errno = child < 0 ? errno : WEXITSTATUS(status);
    return error_errno(error, "start a process");
}
