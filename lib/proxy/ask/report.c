/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/report.h"

#include <inttypes.h>

#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/log.h"

void report_release(struct report *report)
{
    buffer_release(&report->warning);
    buffer_release(&report->detail);
}

void report_waited(struct report *report, enum report_wait wait, int64_t begun)
{
    int64_t now = clock_milliseconds();

    report->waits[wait].any = true;
    report->waits[wait].milliseconds += now > begun ? (uint64_t)(now - begun) : 0;
}

void report_add_timing(const struct report *report, struct buffer *out)
{
    static const char *const words[WAIT_COUNT] = {
        [WAIT_UPSTREAM] = "upstream",
        [WAIT_LOGIN] = "login",
        [WAIT_FILL] = "fill",
    };

    for (size_t i = 0; i < WAIT_COUNT; i++) {
        if (report->waits[i].any) {
            buffer_format(out, "%s%s;dur=%" PRIu64, out->length > 0 ? ", " : "", words[i],
                          report->waits[i].milliseconds);
        }
    }
}

enum error_code report_code(uint64_t number)
{
    static const enum error_code codes[] = {
        ERROR_INTERNAL,         ERROR_BLOB_UNKNOWN,
        ERROR_DATA_LOST,        ERROR_DENIED,
        ERROR_NO_SPACE,         ERROR_TOO_MANY_REQUESTS,
        ERROR_UPSTREAM_REFUSED, ERROR_UPSTREAM_UNREACHABLE,
        ERROR_UPSTREAM_TIMEOUT, ERROR_LOCK_HELD,
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        if (number == (uint64_t)codes[i]) {
            return codes[i];
        }
    }
    return ERROR_UPSTREAM;
}

/* What others say may be long, of any encoding, and may try to look like something else. */
static void report_add_plain(struct buffer *out, const char *text)
{
    enum { LIMIT = sizeof(((struct error *)NULL)->message) };

    for (size_t i = 0; i < LIMIT && text[i]; i++) {
        char c = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : ' ';

        buffer_add(out, &c, 1);
    }
}

void report_failure(struct report *report, const char *upstream, int status, const char *message)
{
    AUTO_BUFFER struct buffer plain = BUFFER_INIT;

    report_add_plain(&plain, message);
    buffer_clear(&report->detail);
    json_open_object(&report->detail, NULL);
    json_text(&report->detail, "upstream", upstream);
    if (status > 0) {
        json_number(&report->detail, "status", (uint64_t)status);
    }
    json_text(&report->detail, "message", plain.data);
    json_close_object(&report->detail);
}

void report_warn(struct report *report, const char *what, const struct error *error)
{
    const char *why = error->message;

    if (error_is_ours(error)) {
        log_warning("an upstream is not asked: %s", error->message);
        why = "the upstream cannot be asked from here";
    }
    buffer_clear(&report->warning);
    buffer_format(&report->warning, "%s%s", what, why);
}
