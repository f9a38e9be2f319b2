/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void cleanup_free(void *pointer_to_pointer)
{
    int saved = errno;

    free(*(void **)pointer_to_pointer);
    errno = saved;
}

void cleanup_close(const int *descriptor)
{
    int saved = errno;

    if (*descriptor >= 0) {
        (void)close(*descriptor);
    }
    errno = saved;
}

void cleanup_close_directory(DIR **directory)
{
    int saved = errno;

    if (*directory) {
        (void)closedir(*directory);
    }
    errno = saved;
}

int steal_descriptor(int *descriptor)
{
    int stolen = *descriptor;

    *descriptor = -1;
    return stolen;
}
