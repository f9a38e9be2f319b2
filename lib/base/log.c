/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/character.h"

enum { LINE_LIMIT = 4096 };

static enum log_level log_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    log_level = level;
}

bool log_has_level(enum log_level level)
{
    return level <= log_level;
}

__attribute__((format(printf, 3, 0))) static void log_line(int priority, const char *word,
                                                           const char *format, va_list arguments)
{
    int saved = errno;
    char line[LINE_LIMIT];
    int length = 0;
    int added;

    if (getenv("JOURNAL_STREAM")) {
        length = snprintf(line, sizeof(line), "<%d>", priority);
    }
    length += snprintf(line + length, sizeof(line) - (size_t)length, "berth: %s", word);
    /* One byte stays free for the end of the line. */
    added = vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, arguments);
    characters_clean(line + length);
    length += added;
    if (added < 0 || length > LINE_LIMIT - 2) {
        length = LINE_LIMIT - 2;
    }
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)length) < 0) {
        /* Nowhere left to complain. */
    }
    errno = saved;
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_ERR, "error: ", format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    va_list arguments;

    if (!log_has_level(LOG_LEVEL_WARNING)) {
        return;
    }
    va_start(arguments, format);
    log_line(LOG_WARNING, "warning: ", format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    if (!log_has_level(LOG_LEVEL_INFO)) {
        return;
    }
    va_start(arguments, format);
    log_line(LOG_INFO, "", format, arguments);
    va_end(arguments);
}

void log_debug_line(const char *format, ...)
{
    char word[32];
    va_list arguments;

    (void)snprintf(word, sizeof(word), "debug: [%ld] ", (long)getpid());
    va_start(arguments, format);
    log_line(LOG_DEBUG, word, format, arguments);
    va_end(arguments);
}
