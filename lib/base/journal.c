/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/journal.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/file.h"

enum { JOURNAL_PATH_SIZE = 512 };

/* The name that the kernel has for a filesystem's device, as "sda1" or "dm-0". */
static bool journal_find_device(dev_t device, char *out_name, size_t size)
{
    char link[64];
    char target[JOURNAL_PATH_SIZE];
    const char *name;
    ssize_t length;

    (void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(device), minor(device));
    length = readlink(link, target, sizeof(target) - 1);
    if (length <= 0) {
        return false;
    }
    target[length] = '\0';
    name = strrchr(target, '/');
    return name && name[1] && (size_t)snprintf(out_name, size, "%s", name + 1) < size;
}

/* The task that writes the journal is told by its number, even if it has none for us; "<none>" if
 * there is no journal. ext2 and ext3 have the same magic number, and are the same driver's or have
 * no such file. */
static bool journal_is_ext4s(int directory)
{
    char name[JOURNAL_PATH_SIZE / 2];
    char path[JOURNAL_PATH_SIZE];
    char task[1];
    struct stat status;
    struct error ignored;

    if (fstat(directory, &status) < 0 || !journal_find_device(status.st_dev, name, sizeof(name))) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "/sys/fs/ext4/%s/journal_task", name);
    return file_read_head(AT_FDCWD, path, task, sizeof(task), &ignored) == 1 &&
           isdigit((unsigned char)task[0]);
}

bool journal_keeps_order(int directory)
{
    struct statfs status;

    if (fstatfs(directory, &status) < 0) {
        return false;
    }
    switch ((uint32_t)status.f_type) {
    case XFS_SUPER_MAGIC:
        return true;
    case EXT4_SUPER_MAGIC:
        return journal_is_ext4s(directory);
    default:
        return false;
    }
}

bool journal_change(int directory)
{
    return futimens(directory, NULL) == 0;
}
