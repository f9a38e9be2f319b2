/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/touch.h"

#include <fcntl.h>

#include "lib/base/clock.h"

enum { TOUCH_GRACE = 3600 }; /* seconds; as if a longer grace were this one */

void touch_always(const struct store *store, const char *path)
{
    (void)utimensat(store->root, path, NULL, AT_SYMLINK_NOFOLLOW);
}

void touch_blob(const struct store *store, const struct digest *digest)
{
    touch_file(store, layout_blob(digest).text, NULL);
}

void touch_file(const struct store *store, const char *path, const struct stat *status)
{
    uint64_t grace = store->options->grace < TOUCH_GRACE ? store->options->grace : TOUCH_GRACE;
    struct stat seen;

    if (store->options->may_be_lost) {
        return; /* a cache goes by use */
    }
    if (!status) {
        if (fstatat(store->root, path, &seen, AT_SYMLINK_NOFOLLOW) < 0) {
            return;
        }
        status = &seen;
    }
    if (clock_age(status->st_ctim.tv_sec) >= grace / 2) {
        touch_always(store, path);
    }
}
