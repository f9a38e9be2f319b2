/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_OPTIONS_H
#define OBSERVE_OPTIONS_H

/* What a configuration says about who is told of what. lib/configuration fills it in and frees it.
 */

#include "lib/base/names.h"
#include "lib/observe/event.h"

/* A section [webhook NAME]: a receiver of events. */
struct webhook_options {
    char *name; /* rules_name_is_valid() */
    char *url;
    char *secret_file;         /* absolute path; NULL: nothing is signed */
    struct names events;       /* event_words */
    struct names repositories; /* patterns; none: all */
    enum event_format format;
    bool allow_private_address;
};

struct events_options {
    struct webhook_options *webhooks;
    size_t webhook_count;
    const char *http_proxy; /* "" for none. Both are somebody else's */
    const char *ca_file;    /* "" for the system's */
};

#endif
