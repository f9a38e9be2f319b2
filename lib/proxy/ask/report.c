/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/report.h"

#include "lib/base/json.h"

void report_release(struct report *report)
{
    buffer_release(&report->warning);
    buffer_release(&report->detail);
}

/* What others say may be long, of any encoding, and may try to look like something else. */
enum error_code report_code(uint64_t number)
{
    static const enum error_code codes[] = {
        ERROR_INTERNAL,         ERROR_BLOB_UNKNOWN,
        ERROR_DATA_LOST,        ERROR_DENIED,
        ERROR_NO_SPACE,         ERROR_TOO_MANY_REQUESTS,
        ERROR_UPSTREAM_REFUSED, ERROR_UPSTREAM_UNREACHABLE,
        ERROR_UPSTREAM_TIMEOUT,
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        if (number == (uint64_t)codes[i]) {
            return codes[i];
        }
    }
    return ERROR_UPSTREAM;
}

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
