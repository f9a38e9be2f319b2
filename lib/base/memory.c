/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *memory_checked(void *pointer)
{
    if (!pointer) {
        log_error("out of memory");
        abort();
    }
    return pointer;
}

void *memory_allocate(size_t count, size_t size)
{
    return memory_checked(calloc(count ? count : 1, size));
}

void *memory_reserve(size_t size)
{
    return memory_checked(malloc(size ? size : 1));
}

void *memory_resize(void *old, size_t count, size_t size)
{
    return memory_checked(reallocarray(old, count ? count : 1, size));
}

char *memory_text(const char *text)
{
    return memory_checked(strdup(text));
}

void memory_stay_small(void)
{
#ifdef __GLIBC__
    enum { LARGE = 64 * 1024 };

    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE);
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, LARGE / 4);
#endif
}
