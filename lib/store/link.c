/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/link.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

int link_read(const struct store *store, const char *path, struct digest *out_target,
              struct error *error)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct error ignored;
    int found = file_read(store->root, path, 4096, &content, error);

    if (found <= 0) {
        return found;
    }
    content.data[strcspn(content.data, "\r\n")] = '\0';
    return digest_parse(out_target, content.data, &ignored) == 0;
}

int link_write(struct store *store, const char *path, const struct digest *target,
               struct sync_set *syncs, struct error *error)
{
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct digest present;
    int found = link_read(store, path, &present, error);

    if (found < 0) {
        return -1;
    }
    if (found && digest_equal(&present, target)) {
        sync_set_add(syncs, path);
        return 0;
    }
    buffer_add_text(&content, target->text);
    return store_write(store, path, &content, syncs, error);
}

int link_remove(struct store *store, const char *path, struct sync_set *syncs, struct error *error)
{
    struct path directory;
    int removed = file_remove(store->root, path, error);
    char *slash;

    if (removed <= 0) {
        return removed;
    }
    (void)snprintf(directory.text, sizeof(directory.text), "%s", path);
    slash = strrchr(directory.text, '/');
    *slash = '\0';
    (void)unlinkat(store->root, directory.text, AT_REMOVEDIR);
    sync_set_add(syncs, directory.text);
    return 1;
}
