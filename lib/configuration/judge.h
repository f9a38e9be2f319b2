/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIGURATION_JUDGE_H
#define CONFIGURATION_JUDGE_H

/*
 * What the values of a configuration must not be together, each of them being good in itself: one
 * directory for two purposes, a user without a password, a mirror of what may not be asked. A
 * mistake that a person makes once in a file, and that would otherwise be found out much later.
 */

#include "lib/configuration/section.h"
#include "lib/observe/options.h"
#include "lib/registry/options.h"

/* As a struct section_table's judge. */
bool judge_registry(const struct registry_options *options, struct section_place *out_place,
                    struct buffer *out_message);

/* What stays, and that something does. */
bool judge_retention(const struct retention *retention, struct section_place *out_place,
                     struct buffer *out_message);

/* Who logs in how, and whom rules name. */
bool judge_access(const struct registry_options *options, struct section_place *out_place,
                  struct buffer *out_message);

/* Who is told of what. */
bool judge_events(const struct events_options *events, const struct proxy_options *proxy,
                  struct section_place *out_place, struct buffer *out_message);

#endif
