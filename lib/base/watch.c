/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/watch.h"

#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/clock.h"

enum {
    WATCH_NAMES = IN_ONLYDIR | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                  IN_DELETE_SELF | IN_MOVE_SELF
};

static void watch_begin(struct watch *watch, int directory, const char *path, uint32_t what)
{
    AUTO_BUFFER struct buffer name = BUFFER_INIT;

    if (watch->descriptor >= 0) {
        return;
    }
    watch->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    /* It takes no descriptor of a directory, but a name that leads through one. */
    buffer_format(&name, "/proc/self/fd/%d/%s", directory, path);
    if (watch->descriptor >= 0 && inotify_add_watch(watch->descriptor, name.data, what) < 0) {
        watch_close(watch);
    }
}

void watch_open(struct watch *watch, int directory, const char *path)
{
    watch_begin(watch, directory, path, WATCH_NAMES | IN_MODIFY);
}

void watch_open_names(struct watch *watch, int directory, const char *path)
{
    watch_begin(watch, directory, path, WATCH_NAMES);
}

void watch_wait(struct watch *watch, int64_t milliseconds)
{
    struct pollfd change = {.fd = watch->descriptor, .events = POLLIN};
    char events[4096]; /* all that we want to know of them is that they are there */

    if (watch->descriptor < 0) {
        clock_pause(milliseconds);
        return;
    }
    if (poll(&change, 1, (int)milliseconds) > 0) {
        while (read(watch->descriptor, events, sizeof(events)) > 0) {
        }
    }
}

void watch_close(struct watch *watch)
{
    if (watch->descriptor >= 0) {
        (void)close(watch->descriptor);
    }
    watch->descriptor = -1;
}
