/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, enum error_code code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    error->code = code;
    return -1;
}

int error_errno(struct error *error, const char *format, ...)
{
    int number = errno;
    char text[128];
    char context[sizeof(error->message)];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
    (void)snprintf(error->message, sizeof(error->message), "%.*s: %s",
                   (int)(sizeof(context) - sizeof(text)), context,
                   strerror_r(number, text, sizeof(text)));
    errno = number;
    error->code =
        number == ENOSPC || number == EDQUOT || number == EROFS ? ERROR_NO_SPACE : ERROR_INTERNAL;
    return -1;
}

bool error_is_ours(const struct error *error)
{
    return error->code == ERROR_INTERNAL || error->code == ERROR_DATA_LOST ||
           error->code == ERROR_NO_SPACE;
}
