/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

/*
 * Variables that let go of themselves when their scope ends. Initialise them where they are
 * declared (NULL, -1); give their content away with steal_pointer() or steal_descriptor().
 *
 * A cleanup is never what makes data safe: where bytes are published, write, fsync, close and
 * rename are called and checked (lib/base/file). All cleanups accept the empty value and preserve
 * errno.
 */

#include <dirent.h>

#define AUTO(function) __attribute__((cleanup(function)))
#define AUTO_FREE AUTO(cleanup_free)
#define AUTO_CLOSE AUTO(cleanup_close)
#define AUTO_CLOSE_DIRECTORY AUTO(cleanup_close_directory)

void cleanup_free(void *pointer_to_pointer);
void cleanup_close(const int *descriptor);
void cleanup_close_directory(DIR **directory);

/* Returns the content and leaves the empty value behind. */
int steal_descriptor(int *descriptor);
#define steal_pointer(pointer_to_pointer)                                                          \
    ({                                                                                             \
        __typeof__(*(pointer_to_pointer)) stolen_ = *(pointer_to_pointer);                         \
        *(pointer_to_pointer) = NULL;                                                              \
        stolen_;                                                                                   \
    })

#endif
