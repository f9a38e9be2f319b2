/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/findings.h"

#include <stdarg.h>
#include <string.h>

#include "fcgi/command/line.h"
#include "lib/base/character.h"

__attribute__((format(printf, 4, 0))) static void
findings_print(const struct findings *findings, const char *result, const char *subject,
               const char *format, va_list arguments)
{
    AUTO_LINE struct line line = line_begin(findings->json);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    const char *advice;

    buffer_format_list(&text, format, arguments);
    characters_clean(text.data);
    advice = strstr(text.data, FINDINGS_DO);
    buffer_add(&message, text.data, advice ? (size_t)(advice - text.data) : text.length);
    line_text(&line, "result", result);
    line_text(&line, "subject", subject);
    line_text(&line, "message", message.data);
    if (advice) {
        line_text(&line, "advice", advice + strlen(FINDINGS_DO));
    }
    line_say(&line, "%s: %s: %s", result, subject, text.data);
    line_end(&line);
}

void findings_ok(struct findings *findings, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    findings_print(findings, "ok", subject, format, arguments);
    va_end(arguments);
}

void findings_warning(struct findings *findings, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    findings_print(findings, "warning", subject, format, arguments);
    va_end(arguments);
}

void findings_problem(struct findings *findings, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    findings_print(findings, "problem", subject, format, arguments);
    va_end(arguments);
    findings->problems++;
}
