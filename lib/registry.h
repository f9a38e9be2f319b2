/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_H
#define REGISTRY_H

/*
 * What the handlers talk to: from the name of a repository to where its content is. They never ask
 * whether it is hosted here.
 */

#include <stdbool.h>

#include "lib/proxy/options.h"
#include "lib/store/store.h"

struct registry_options {
    struct store_options hosted;
    bool read_only;
    uint64_t maximum_manifest_size; /* bytes */
    struct proxy_options proxy;
};

struct registry {
    const struct registry_options *options;
    struct store hosted;
};

#define REGISTRY_INIT                                                                              \
    {                                                                                              \
        .options = NULL, .hosted = STORE_INIT                                                      \
    }

/* `options` must outlive the registry. */
int registry_open(struct registry *registry, const struct registry_options *options,
                  struct error *error);
void registry_close(struct registry *registry);

/* ERROR_NAME_INVALID unless the name is one. The repository need not exist. */
int registry_find(struct registry *registry, const char *name, struct repository *out_repository,
                  struct error *error);

/* ERROR_READ_ONLY, or ERROR_NO_SPACE if there is no room for `bytes` more. */
int registry_check_writable(const struct registry *registry, uint64_t bytes, struct error *error);

#endif
