/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/json.h"

static void print_json(const char *result, const char *subject, const struct buffer *text)
{
    const char *advice = strstr(text->data, FINDINGS_DO);
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;

    buffer_add(&message, text->data, advice ? (size_t)(advice - text->data) : text->length);
    json_open_object(&line, NULL);
    json_text(&line, "result", result);
    json_text(&line, "subject", subject);
    json_text(&line, "message", message.data);
    if (advice) {
        json_text(&line, "advice", advice + strlen(FINDINGS_DO));
    }
    json_close_object(&line);
    (void)printf("%s\n", line.data);
}

__attribute__((format(printf, 4, 0))) static void print(const struct findings *findings,
                                                        const char *result, const char *subject,
                                                        const char *format, va_list arguments)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    buffer_format_list(&text, format, arguments);
    /* What comes from elsewhere must not drive the terminal. */
    for (char *c = text.data; *c; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    }
    if (findings->json) {
        print_json(result, subject, &text);
    } else {
        (void)printf("%s: %s: %s\n", result, subject, text.data);
    }
}

void findings_ok(struct findings *findings, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(findings, "ok", subject, format, arguments);
    va_end(arguments);
}

void findings_warning(struct findings *findings, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(findings, "warning", subject, format, arguments);
    va_end(arguments);
}

void findings_problem(struct findings *findings, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(findings, "problem", subject, format, arguments);
    va_end(arguments);
    findings->problems++;
}
