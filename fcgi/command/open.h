/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_OPEN_H
#define FCGI_COMMAND_OPEN_H

/*
 * The one way for a command to a store: as the store's owner, so that root leaves nothing behind
 * that the workers cannot change, and without making anything when the command only looks.
 *
 * Who we are is decided once, for good, by the first call: whoever needs both stores opens the
 * hosted one first, and is its owner for the cache too, as the workers are.
 */

#include "lib/configuration/configuration.h"

enum open_purpose {
    OPEN_TO_LOOK,   /* makes and changes nothing; -1 if the store is not there */
    OPEN_TO_CHANGE, /* what is missing of it is made; -1 if the store is not there */
    OPEN_TO_MAKE,   /* as the workers open it: it is made if it is not there */
};

/* For who looks at things before opening a store: what command_open_hosted() does first. */
int command_become_owner(const struct configuration *configuration, struct error *error);

/* For who keeps a secret in the store: as its owner, in a store that is made if it is not there. */
int command_make_vault(const struct configuration *configuration, struct error *error);

/* Whether there is a cache in which something can be: the directory alone holds nothing. */
bool command_has_cache(const struct configuration *configuration);

/* `configuration` must outlive the stores. Close them with store_close(). */
int command_open_hosted(struct store *store, const struct configuration *configuration,
                        enum open_purpose purpose, struct error *error);
int command_open_cache(struct store *store, const struct configuration *configuration,
                       enum open_purpose purpose, struct error *error);

#endif
