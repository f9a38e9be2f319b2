/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIGURATION_CONFIGURATION_H
#define CONFIGURATION_CONFIGURATION_H

/*
 * The INI file, turned into the options of the modules below, and the only place of the defaults:
 * the tables in configuration.c, of which section.h tells how they grow. Whatever is not understood
 * is an error that names file and line: unknown sections and keys, bad values, keys that come
 * twice, and lines that the parser would silently cut.
 *
 * The three directories have no default: a file without one of them, such as the empty one that a
 * power cut leaves, is an error, and nobody serves an empty registry in the place of a full one.
 */

#include "lib/base/log.h"
#include "lib/observe/audit.h"
#include "lib/observe/options.h"
#include "lib/registry/registry.h"

/* What people look at. */
struct page_options {
    bool enabled;
    char *title;
};

struct configuration {
    char *file; /* absolute path */
    enum log_level log_level;
    struct registry_options registry;
    struct page_options page;
    struct events_options events;
    struct audit_options audit;
};

#define CONFIGURATION_INIT                                                                         \
    {                                                                                              \
        .file = NULL                                                                               \
    }
#define AUTO_CONFIGURATION AUTO(configuration_release)

/*
 * Reads `file`; relative paths in it are relative to the directory that it is in. The message of a
 * failure is for the operator: "FILE:LINE: what is wrong", or "FILE: what is missing, and what to
 * write".
 */
int configuration_read(struct configuration *out_configuration, const char *file,
                       struct error *error);
void configuration_release(struct configuration *configuration);

/* Adds all keys with their effective values, in the form of the file. */
void configuration_print(const struct configuration *configuration, struct buffer *out);

/* Adds a JSON array: all sections with their keys and defaults, for what describes them to people.
 */
void configuration_describe(const char *key, struct buffer *out);

#endif
