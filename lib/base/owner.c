/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"

/* Of the directory, or of the nearest one above it that is there. `directory` is absolute. */
static int owner_stat(const char *directory, struct stat *out_status)
{
    AUTO_FREE char *path = memory_text(directory);

    while (stat(path, out_status) < 0) {
        char *slash = strrchr(path, '/');

        if (errno != ENOENT || !slash || strcmp(path, "/") == 0) {
            return -1;
        }
        slash[slash == path] = '\0';
    }
    return 0;
}

int owner_become(const char *directory, struct error *error)
{
    struct stat status;
    const struct passwd *user;
    int grouped;

    if (geteuid() != 0 || owner_stat(directory, &status) < 0 || status.st_uid == 0) {
        return 0;
    }
    user = getpwuid(status.st_uid);
    grouped = user ? initgroups(user->pw_name, status.st_gid) : setgroups(0, NULL);
    if (grouped < 0 || setgid(status.st_gid) < 0 || setuid(status.st_uid) < 0) {
        return error_errno(error, "become the owner of '%s'", directory);
    }
    return 0;
}

struct owner_name owner_user(uid_t user)
{
    const struct passwd *entry = getpwuid(user);
    struct owner_name name;

    if (entry) {
        (void)snprintf(name.text, sizeof(name.text), "%s", entry->pw_name);
    } else {
        (void)snprintf(name.text, sizeof(name.text), "%u", (unsigned)user);
    }
    return name;
}

struct owner_name owner_group(gid_t group)
{
    const struct group *entry = getgrgid(group);
    struct owner_name name;

    if (entry) {
        (void)snprintf(name.text, sizeof(name.text), "%s", entry->gr_name);
    } else {
        (void)snprintf(name.text, sizeof(name.text), "%u", (unsigned)group);
    }
    return name;
}
