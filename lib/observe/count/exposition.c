/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/count/exposition.h"

#include <inttypes.h>
#include <string.h>

enum { MICROSECONDS = 1000000 }; /* of a second */

void exposition_release(struct exposition *exposition)
{
    buffer_release(&exposition->labels);
}

bool exposition_is_asked_for_openmetrics(const char *accept)
{
    return accept && strstr(accept, "application/openmetrics-text") != NULL;
}

const char *exposition_type(const struct exposition *exposition)
{
    return exposition->is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                      : "text/plain; version=0.0.4; charset=utf-8";
}

static const char *exposed_word(enum exposed kind)
{
    switch (kind) {
    case EXPOSED_COUNTER:
        return "counter";
    case EXPOSED_GAUGE:
        return "gauge";
    case EXPOSED_HISTOGRAM:
        return "histogram";
    }
    return "";
}

void exposition_family(struct exposition *exposition, enum exposed kind, const char *name,
                       const char *help)
{
    const char *suffix = kind == EXPOSED_COUNTER && !exposition->is_openmetrics ? "_total" : "";

    exposition->kind = kind;
    exposition->name = name;
    buffer_format(exposition->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name,
                  suffix, exposed_word(kind));
}

void exposition_label(struct exposition *exposition, const char *name, const char *value)
{
    struct buffer *out = &exposition->labels;

    buffer_format(out, "%s%s=\"", out->length > 0 ? "," : "", name);
    for (; *value; value++) {
        switch (*value) {
        case '\n':
            buffer_add_text(out, "\\n");
            break;
        case '"':
        case '\\':
            buffer_add_text(out, "\\");
            buffer_add(out, value, 1);
            break;
        default:
            buffer_add(out, value, 1);
        }
    }
    buffer_add_text(out, "\"");
}

/* The sample up to its number; `more` is a label besides, or "". */
static void exposition_begin(const struct exposition *exposition, const char *suffix,
                             const char *more)
{
    const struct buffer *labels = &exposition->labels;

    buffer_format(exposition->out, "%s%s", exposition->name, suffix);
    if (labels->length > 0 || *more) {
        buffer_format(exposition->out, "{%s%s%s}", labels->data,
                      labels->length > 0 && *more ? "," : "", more);
    }
    buffer_add_text(exposition->out, " ");
}

void exposition_number(struct exposition *exposition, uint64_t number)
{
    exposition_begin(exposition, exposition->kind == EXPOSED_COUNTER ? "_total" : "", "");
    buffer_format(exposition->out, "%" PRIu64 "\n", number);
    buffer_clear(&exposition->labels);
}

/* "0.0005", "1.0": as OpenMetrics wants bounds to be written. */
static void exposition_add_seconds(uint64_t microseconds, struct buffer *out)
{
    buffer_format(out, "%" PRIu64 ".%06" PRIu64, microseconds / MICROSECONDS,
                  microseconds % MICROSECONDS);
    while (out->data[out->length - 1] == '0' && out->data[out->length - 2] != '.') {
        out->data[--out->length] = '\0';
    }
}

/* What is added to while we look is in the count as well as in its bucket, or in neither. */
void exposition_histogram(struct exposition *exposition, const struct histogram *histogram)
{
    AUTO_BUFFER struct buffer sum = BUFFER_INIT;
    uint64_t count = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        AUTO_BUFFER struct buffer bound = BUFFER_INIT;

        count += histogram->buckets[i];
        buffer_add_text(&bound, "le=\"");
        if (histogram_limit(i) == UINT64_MAX) {
            buffer_add_text(&bound, "+Inf");
        } else {
            exposition_add_seconds(histogram_limit(i), &bound);
        }
        buffer_add_text(&bound, "\"");
        exposition_begin(exposition, "_bucket", bound.data);
        buffer_format(exposition->out, "%" PRIu64 "\n", count);
    }
    exposition_add_seconds(histogram->microseconds, &sum);
    exposition_begin(exposition, "_sum", "");
    buffer_format(exposition->out, "%s\n", sum.data);
    exposition_begin(exposition, "_count", "");
    buffer_format(exposition->out, "%" PRIu64 "\n", count);
    buffer_clear(&exposition->labels);
}

void exposition_gauge(struct exposition *exposition, const char *name, const char *help,
                      uint64_t number)
{
    exposition_family(exposition, EXPOSED_GAUGE, name, help);
    exposition_number(exposition, number);
}

void exposition_end(struct exposition *exposition)
{
    if (exposition->is_openmetrics) {
        buffer_add_text(exposition->out, "# EOF\n");
    }
}
