/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/document_root.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

/* Whether `path` is `directory` or below it. */
static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    while (length > 0 && directory[length - 1] == '/') {
        length--;
    }
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

int document_root_check(const struct configuration *configuration, const struct request *request,
                        char last[DOCUMENT_ROOT_SIZE], struct error *error)
{
    const char *root = request_parameter(request, "DOCUMENT_ROOT");
    const char *private[] = {configuration->file, configuration->registry.hosted.root,
                             configuration->registry.hosted.temporary,
                             configuration->registry.proxy.store.root};
    AUTO_FREE char *real_root = NULL;

    if (!root || strcmp(root, last) == 0) {
        return 0;
    }
    real_root = realpath(root, NULL);
    for (size_t i = 0; real_root && i < sizeof(private) / sizeof(*private); i++) {
        AUTO_FREE char *real = realpath(private[i], NULL);

        if (is_below(real ? real : private[i], real_root)) {
            return error_set(error, ERROR_INTERNAL,
                             "'%s' is below the web server's document root '%s', where anybody "
                             "can download it: move one of them",
                             private[i], root);
        }
    }
    (void)text_copy(last, DOCUMENT_ROOT_SIZE, root, strlen(root));
    return 0;
}
