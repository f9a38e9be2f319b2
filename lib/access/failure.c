/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/failure.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/base/text.h"

enum { FAILURE_NAME = 96 }; /* bytes of a name, of which each may become three */

static void failure_add_name(const char *name, struct buffer *out)
{
    AUTO_BUFFER struct buffer start = BUFFER_INIT;

    if (!name || !*name) {
        buffer_add_text(out, "-");
        return;
    }
    buffer_add(&start, name, strnlen(name, FAILURE_NAME));
    text_percent_encode(start.data, out);
}

void failure_add_line(const char *user, const char *address, const char *reason, struct buffer *out)
{
    buffer_add_text(out, "log-in failed for ");
    failure_add_name(user, out);
    buffer_add_text(out, " from ");
    failure_add_name(address, out);
    buffer_format(out, ": %s", reason);
}

void failure_log(const char *user, const char *address, const char *reason)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    failure_add_line(user, address, reason, &line);
    log_warning("%s", line.data);
}

void failure_log_token(const char *issuer, const char *address, const char *reason)
{
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    buffer_format(&line, "[issuer %s] token refused from ", issuer);
    failure_add_name(address, &line);
    log_info("%s: %s", line.data, reason);
}

void failure_log_issuer(const char *issuer, const char *reason)
{
    log_warning("[issuer %s] keys were not fetched: %s", issuer, reason);
}

void failure_log_useless_lines(const struct password_file *file)
{
    struct error words = ERROR_INIT;
    const char *complaint = password_file_complaint(file, &words);

    if (complaint && file->useless > 1) {
        log_warning("%s (and %zu lines more are of no use)", complaint, file->useless - 1);
    } else if (complaint) {
        log_warning("%s", complaint);
    }
}
