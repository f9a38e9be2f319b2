/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    WHOLE_SIZE = 16 * 1024, /* of a message before it is made to fit: some paths, and words */
    REASON_SIZE = 128,
    WORD_LEAST = 64, /* bytes of a word that stay */
};

/* The longest run of bytes without a blank, which a path mostly is. */
static char *error_longest_word(char *text, size_t *out_length)
{
    char *longest = text;

    *out_length = 0;
    while (*text) {
        size_t length = strcspn(text, " ");

        if (length > *out_length) {
            longest = text;
            *out_length = length;
        }
        text += length + (text[length] == ' ');
    }
    return longest;
}

/* Takes the middle out of what is longest, so that the end stays: that has the reason and the cure.
 */
static void error_shorten(char *text, size_t size)
{
    static const char gap[] = "...";
    const size_t gap_length = sizeof(gap) - 1;
    size_t total = strlen(text);

    while (total >= size) {
        size_t length;
        char *word = error_longest_word(text, &length);
        size_t excess = total + 1 - size + gap_length;
        size_t stays = length > excess + WORD_LEAST ? length - excess : WORD_LEAST;
        size_t head = stays / 2;
        char *tail = word + length - (stays - head);

        if (length <= WORD_LEAST + gap_length) {
            memcpy(text + size - 1 - gap_length, gap, sizeof(gap));
            return;
        }
        memcpy(word + head, gap, gap_length);
        memmove(word + head + gap_length, tail, strlen(tail) + 1);
        total = strlen(text);
    }
}

static int error_put(struct error *error, enum error_code code, char *whole)
{
    error_shorten(whole, sizeof(error->message));
    memcpy(error->message, whole, strlen(whole) + 1);
    error->code = code;
    return -1;
}

int error_set(struct error *error, enum error_code code, const char *format, ...)
{
    char whole[WHOLE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(whole, sizeof(whole), format, arguments);
    va_end(arguments);
    return error_put(error, code, whole);
}

int error_errno(struct error *error, const char *format, ...)
{
    int number = errno;
    char whole[WHOLE_SIZE];
    char text[REASON_SIZE];
    size_t length;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(whole, sizeof(whole) - REASON_SIZE - sizeof(": "), format, arguments);
    va_end(arguments);
    length = strlen(whole);
    (void)snprintf(whole + length, sizeof(whole) - length, ": %s",
                   strerror_r(number, text, sizeof(text)));
    errno = number;
    return error_put(error,
                     number == ENOSPC || number == EDQUOT || number == EROFS ? ERROR_NO_SPACE
                                                                             : ERROR_INTERNAL,
                     whole);
}

bool error_is_upstreams(const struct error *error)
{
    return error->code == ERROR_UPSTREAM || error->code == ERROR_UPSTREAM_UNREACHABLE ||
           error->code == ERROR_UPSTREAM_TIMEOUT;
}

bool error_is_ours(const struct error *error)
{
    return error->code == ERROR_INTERNAL || error->code == ERROR_DATA_LOST ||
           error->code == ERROR_NO_SPACE || error->code == ERROR_LOCK_HELD;
}
