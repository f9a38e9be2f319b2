/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/character.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/observe/syslog.h"

bool audit_is_wanted(const struct audit_options *options)
{
    return options->syslog || (options->file && *options->file);
}

void audit_begin(struct buffer *line, const char *event)
{
    enum { MILLISECOND = 1000000, SECOND = 1000000000 };
    int64_t now = clock_date_nanoseconds();
    time_t seconds = (time_t)(now / SECOND);
    char date[40] = "";
    struct tm parts;

    if (gmtime_r(&seconds, &parts)) {
        size_t length = strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);

        (void)snprintf(date + length, sizeof(date) - length, ".%03dZ",
                       (int)(now % SECOND / MILLISECOND));
    }
    json_open_object(line, NULL);
    json_text(line, "time", date);
    json_text(line, "event", event);
}

void audit_text(struct buffer *line, const char *key, const char *text)
{
    char part[AUDIT_TEXT + 1];

    if (text && *text) {
        (void)snprintf(part, sizeof(part), "%s", text);
        characters_clean(part);
        json_text(line, key, part);
    }
}

void audit_number(struct buffer *line, const char *key, uint64_t number)
{
    json_number(line, key, number);
}

/* What was cut short by a full disk must not spoil the next line, too. */
static bool audit_ends_amid_a_line(int descriptor)
{
    struct stat status;
    char last;

    return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
           pread(descriptor, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

static void audit_append(const char *file, const struct buffer *line)
{
    /* Nobody waits for who reads a pipe. */
    AUTO_CLOSE int descriptor = open(
        file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    ssize_t written = -1;

    if (descriptor >= 0) {
        buffer_add_text(&whole, audit_ends_amid_a_line(descriptor) ? "\n" : "");
        buffer_add(&whole, line->data, line->length);
        written = write(descriptor, whole.data, whole.length);
    }
    if (written < 0) {
        log_error("the audit log '%s': %s: not in it: %s", file, strerror(errno), line->data);
    } else if ((size_t)written != whole.length) {
        log_error("the audit log '%s': the disk is full: not whole in it: %s", file, line->data);
    }
}

void audit_end(struct buffer *line, const struct audit_options *options)
{
    struct error error;

    json_close_object(line);
    if (options->syslog && syslog_send(line->data, &error) < 0) {
        log_error("the audit log: %s: not in it: %s", error.message, line->data);
    }
    buffer_add_text(line, "\n");
    if (options->file && *options->file) {
        audit_append(options->file, line);
    }
}
