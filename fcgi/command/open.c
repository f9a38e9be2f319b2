/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/command/open.h"

#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/owner.h"

static int open_as_owner(const char *root, struct error *error)
{
    static bool is_decided;

    if (is_decided) {
        return 0;
    }
    is_decided = true;
    return owner_become(root, error);
}

int command_become_owner(const struct configuration *configuration, struct error *error)
{
    return open_as_owner(configuration->registry.hosted.root, error);
}

/* 1 if that was all, 0 if the store still has to be opened for writing, -1. */
static int open_to_look(struct store *store, const struct store_options *options,
                        enum open_purpose purpose, struct error *error)
{
    if (purpose == OPEN_TO_MAKE) {
        return 0;
    }
    if (store_look(store, options, error) < 0) {
        return -1;
    }
    if (purpose == OPEN_TO_LOOK) {
        return 1;
    }
    store_close(store);
    return 0;
}

int command_open_hosted(struct store *store, const struct configuration *configuration,
                        enum open_purpose purpose, struct error *error)
{
    const struct store_options *options = &configuration->registry.hosted;
    int opened = open_as_owner(options->root, error);

    if (opened == 0) {
        opened = open_to_look(store, options, purpose, error);
    }
    return opened ? (opened < 0 ? -1 : 0) : store_open(store, options, error);
}

int command_make_vault(const struct configuration *configuration, struct error *error)
{
    struct store store;

    if (command_open_hosted(&store, configuration, OPEN_TO_MAKE, error) < 0) {
        return -1;
    }
    store_close(&store);
    return 0;
}

bool command_has_cache(const struct configuration *configuration)
{
    const struct proxy_options *options = &configuration->registry.proxy;
    AUTO_BUFFER struct buffer blobs = BUFFER_INIT;

    buffer_format(&blobs, "%s/%s", options->store.root, LAYOUT_BLOBS);
    return options->enabled && access(blobs.data, F_OK) == 0;
}

int command_open_cache(struct store *store, const struct configuration *configuration,
                       enum open_purpose purpose, struct error *error)
{
    const struct proxy_options *options = &configuration->registry.proxy;
    int opened;

    if (!options->enabled) {
        return error_set(error, ERROR_UNSUPPORTED, "the configuration says [proxy] enabled = no");
    }
    opened = open_as_owner(options->store.root, error);
    if (opened == 0) {
        opened = open_to_look(store, &options->store, purpose, error);
    }
    return opened ? (opened < 0 ? -1 : 0) : proxy_open(store, options, error);
}
