/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PARAMETERS_H
#define FCGI_PARAMETERS_H

/*
 * The parameters of a request by their names. Of those that the worker knows it asks about forty
 * times a request, mostly for what is absent; libfcgi would look through the whole list each time.
 *
 * It points into the list that it was made of, "NAME=value" each and a NULL at the end, and lives
 * no longer than that.
 */

#include <stddef.h>

enum {
    PARAMETER_SLOTS = 128, /* a power of two */
};

struct parameters {
    const char *const *list;
    const char *slots[PARAMETER_SLOTS]; /* by a hash of the name, or in the next one that is free */
    size_t count;
};

void parameters_read(struct parameters *parameters, const char *const *list);

/* The value, which may be empty; of several the first. NULL if there is none. */
const char *parameters_find(const struct parameters *parameters, const char *name);

#endif
