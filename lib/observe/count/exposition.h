/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_EXPOSITION_H
#define COUNT_EXPOSITION_H

/*
 * Numbers as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0.0. A family is begun,
 * then each of its samples gets its labels and its number:
 *
 *     exposition_family(&e, EXPOSED_COUNTER, "berth_logins", "Log-ins with a password.");
 *     exposition_label(&e, "result", "ok");
 *     exposition_number(&e, 7);
 *     exposition_end(&e);
 *
 * A counter's name is given without "_total", which is added where it belongs. Names and helps are
 * ours; values of labels are escaped.
 */

#include "lib/base/buffer.h"
#include "lib/observe/count/tally.h"

enum exposed {
    EXPOSED_COUNTER,
    EXPOSED_GAUGE,
    EXPOSED_HISTOGRAM,
};

struct exposition {
    struct buffer *out;
    bool is_openmetrics;
    enum exposed kind; /* of the family in hand */
    const char *name;
    struct buffer labels; /* of the sample in hand: `route="blob"` */
};

#define EXPOSITION_INIT(the_out, openmetrics)                                                      \
    {                                                                                              \
        .out = (the_out), .is_openmetrics = (openmetrics), .labels = BUFFER_INIT                   \
    }
#define AUTO_EXPOSITION AUTO(exposition_release)
void exposition_release(struct exposition *exposition);

/* Whether the header Accept asks for OpenMetrics. NULL does not. */
bool exposition_is_asked_for_openmetrics(const char *accept);
/* What the text is, for Content-Type. */
const char *exposition_type(const struct exposition *exposition);

/* `name` and `help` are string literals. */
void exposition_family(struct exposition *exposition, enum exposed kind, const char *name,
                       const char *help);
void exposition_label(struct exposition *exposition, const char *name, const char *value);
/* A sample with the labels since the last one. */
void exposition_number(struct exposition *exposition, uint64_t number);
void exposition_histogram(struct exposition *exposition, const struct histogram *histogram);
/* A family of one sample without labels. */
void exposition_gauge(struct exposition *exposition, const char *name, const char *help,
                      uint64_t number);
void exposition_end(struct exposition *exposition);

#endif
