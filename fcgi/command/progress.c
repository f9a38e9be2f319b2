/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fcgi/command/line.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

enum {
    BAR_WIDTH = 20,
    NAME_WIDTH = 19,     /* of a digest: enough to tell one from another */
    DRAW_INTERVAL = 100, /* milliseconds */
    USUAL_COLUMNS = 80,
};

void progress_init(struct progress *progress, bool json)
{
    const char *terminal = getenv("TERM");
    bool can_redraw = isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;

    *progress = (struct progress){.form = can_redraw ? PROGRESS_BARS : PROGRESS_LINES};
    if (json) {
        progress->form = PROGRESS_JSON;
    }
}

static size_t progress_columns(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                           : USUAL_COLUMNS;
}

static void progress_add_rate(const struct progress *progress, uint64_t done, struct buffer *line)
{
    int64_t elapsed = clock_milliseconds() - progress->began;
    double rate = elapsed > 0 ? (double)done * 1000 / (double)elapsed : 0;

    if (rate > 0) {
        buffer_add_text(line, "  ");
        text_add_bytes((uint64_t)rate, line);
        buffer_add_text(line, "/s");
    }
    if (rate > 0 && progress->size > done) {
        buffer_add_text(line, "  ");
        text_add_seconds((uint64_t)((double)(progress->size - done) / rate) + 1, line);
        buffer_add_text(line, " left");
    }
}

/* sha256:0123456789ab [=======>            ]  38%  10.3 MiB of 27.0 MiB  5.1 MiB/s  3 s left */
static void progress_draw(const struct progress *progress, uint64_t done)
{
    double part = progress->size > done ? (double)done / (double)progress->size : 1;
    int filled = (int)(part * BAR_WIDTH);
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    size_t width = progress_columns() - 1;

    buffer_format(&line, "%.*s [", NAME_WIDTH, progress->thing);
    for (int i = 0; i < BAR_WIDTH; i++) {
        buffer_add_text(&line, i < filled ? "=" : i == filled ? ">" : " ");
    }
    buffer_format(&line, "] %3d%%  ", (int)(part * 100));
    text_add_bytes(done, &line);
    buffer_add_text(&line, " of ");
    text_add_bytes(progress->size, &line);
    progress_add_rate(progress, done, &line);
    line_clear(stdout);
    line_draw(stdout, "%.*s", (int)(line.length < width ? line.length : width), line.data);
}

void progress_begin(struct progress *progress, const char *thing, uint64_t size)
{
    progress->thing = thing;
    progress->size = size;
    progress->began = clock_milliseconds();
    progress->drawn = 0;
}

void progress_step(struct progress *progress, uint64_t done)
{
    int64_t now = clock_milliseconds();

    if (progress->form == PROGRESS_BARS && now - progress->drawn >= DRAW_INTERVAL) {
        progress->drawn = now;
        progress_draw(progress, done);
    }
}

static void progress_tell(const struct progress *progress, const char *size, const char *result)
{
    AUTO_LINE struct line line = line_begin(progress->form == PROGRESS_JSON);

    line_text(&line, "image", progress->topic);
    line_text(&line, "digest", progress->thing);
    line_number(&line, "bytes", progress->size);
    line_text(&line, "result", result);
    line_say(&line, "%s: %s %s, %s", progress->topic, progress->thing, size, result);
    line_end(&line);
}

void progress_end(struct progress *progress, const char *result)
{
    AUTO_BUFFER struct buffer size = BUFFER_INIT;

    text_add_bytes(progress->size, &size);
    switch (progress->form) {
    case PROGRESS_BARS:
        if (progress->drawn > 0) {
            progress_draw(progress, progress->size);
        } else {
            line_draw(stdout, "%-*.*s %s, %s", NAME_WIDTH, NAME_WIDTH, progress->thing, size.data,
                      result);
        }
        line_page(stdout, "\n");
        break;
    case PROGRESS_LINES:
    case PROGRESS_JSON:
        progress_tell(progress, size.data, result);
        break;
    }
    progress->drawn = 0;
}

void progress_clear(struct progress *progress)
{
    if (progress->form == PROGRESS_BARS && progress->drawn > 0) {
        line_clear(stdout);
        (void)fflush(stdout);
    }
    progress->drawn = 0;
}

void progress_abandon(struct progress *progress)
{
    if (progress->form == PROGRESS_BARS && progress->drawn > 0) {
        line_page(stdout, "\n");
    }
    progress->drawn = 0;
}
