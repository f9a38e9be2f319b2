/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry.h"

#include <stdio.h>

int registry_open(struct registry *registry, const struct registry_options *options,
                  struct error *error)
{
    registry->options = options;
    return store_open(&registry->hosted, &options->hosted, error);
}

void registry_close(struct registry *registry)
{
    store_close(&registry->hosted);
}

int registry_find(struct registry *registry, const char *name, struct repository *out_repository,
                  struct error *error)
{
    if (!name_is_valid(name)) {
        return error_set(error, ERROR_NAME_INVALID, "this is not a repository name");
    }
    out_repository->store = &registry->hosted;
    (void)snprintf(out_repository->name, sizeof(out_repository->name), "%s", name);
    return 0;
}

int registry_check_writable(const struct registry *registry, uint64_t bytes, struct error *error)
{
    if (registry->options->read_only) {
        return error_set(error, ERROR_READ_ONLY, "the registry is read-only at the moment");
    }
    return store_check_space(&registry->hosted, bytes, error);
}
