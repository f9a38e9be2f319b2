/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fcgi/command/ask.h"
#include "fcgi/command/command.h"
#include "fcgi/command/open.h"
#include "fcgi/command/setup_address.h"
#include "fcgi/command/setup_request.h"
#include "lib/base/lock.h"
#include "lib/base/memory.h"
#include "lib/base/owner.h"
#include "lib/base/text.h"

struct setup {
    const struct configuration *configuration;
    struct findings findings;
    const char *url; /* or NULL */
    struct buffer credentials;
};

/* A file that the workers need and that holds what others should not know. */
static void setup_check_secret(struct setup *setup, const char *file, gid_t trusted)
{
    struct findings *findings = &setup->findings;
    struct owner_name user = owner_user(geteuid());
    struct stat status;

    if (stat(file, &status) < 0 || faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0) {
        findings_problem(findings, file,
                         "user %s cannot read it: %s" FINDINGS_DO
                         "let it belong to the user that the workers run as, mode 0600",
                         user.text, strerror(errno));
    } else if (status.st_mode & (S_IROTH | S_IWOTH)) {
        findings_problem(
            findings, file,
            "it holds a password and everybody can read it" FINDINGS_DO "chmod o-rwx '%s'", file);
    } else if ((status.st_mode & (S_IRGRP | S_IWGRP)) && status.st_gid != trusted) {
        findings_problem(findings, file,
                         "it holds a password and group %s can read it" FINDINGS_DO
                         "chmod go-rwx '%s', or give it to the group of the workers",
                         owner_group(status.st_gid).text, file);
    } else {
        findings_ok(findings, file, "it holds a password and no stranger can read it");
    }
}

static void setup_check_readable(struct setup *setup, const char *file)
{
    struct owner_name user = owner_user(geteuid());

    if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0) {
        findings_problem(&setup->findings, file,
                         "user %s cannot read it: %s" FINDINGS_DO
                         "let the user that the workers run as read it",
                         user.text, strerror(errno));
    } else {
        findings_ok(&setup->findings, file, "user %s can read it", user.text);
    }
}

static void setup_check_files(struct setup *setup)
{
    const struct configuration *configuration = setup->configuration;
    const struct proxy_options *proxy = &configuration->registry.proxy;
    struct stat store;
    gid_t trusted = stat(configuration->registry.hosted.root, &store) == 0 ? store.st_gid : 0;
    bool has_password = false;

    for (size_t i = 0; i < proxy->section_count; i++) {
        has_password = has_password || proxy->sections[i].password;
    }
    if (has_password) {
        setup_check_secret(setup, configuration->file, trusted);
    } else {
        setup_check_readable(setup, configuration->file);
    }
    for (size_t i = 0; i < proxy->section_count; i++) {
        if (proxy->sections[i].password_file) {
            setup_check_secret(setup, proxy->sections[i].password_file, trusted);
        }
    }
    if (proxy->ca_file && *proxy->ca_file) {
        setup_check_readable(setup, proxy->ca_file);
    }
}

static void setup_check_user(struct setup *setup)
{
    const char *root = setup->configuration->registry.hosted.root;
    struct owner_name user = owner_user(geteuid());
    struct stat status;

    if (geteuid() == 0) {
        findings_warning(&setup->findings, "user",
                         "this runs as root" FINDINGS_DO
                         "run the workers as the web server's user, such as www-data, and let the "
                         "directories belong to it");
    } else if (stat(root, &status) == 0 && status.st_uid != geteuid()) {
        findings_warning(&setup->findings, "user",
                         "this runs as %s, but '%s' belongs to %s" FINDINGS_DO
                         "run it as the user that the workers run as",
                         user.text, root, owner_user(status.st_uid).text);
    } else {
        findings_ok(&setup->findings, "user", "this runs as %s", user.text);
    }
}

/* A directory that is not there: whether it can be made. Root does not try, lest it be root's. */
static bool setup_check_absent(struct setup *setup, const char *path)
{
    struct owner_name user = owner_user(geteuid());
    AUTO_FREE char *above = memory_text(path);
    struct stat status;

    do {
        char *slash = strrchr(above, '/');

        slash[slash == above] = '\0';
    } while (stat(above, &status) < 0 && strcmp(above, "/") != 0);
    if (faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) < 0) {
        findings_problem(&setup->findings, path,
                         "it is not there, and user %s cannot make it in '%s': %s" FINDINGS_DO
                         "install -d -o USER '%s', with the user that the workers run as",
                         user.text, above, strerror(errno), path);
        return false;
    }
    if (geteuid() == 0) {
        findings_warning(&setup->findings, path,
                         "it is not there yet, and root would make it for itself" FINDINGS_DO
                         "install -d -o USER '%s', with the user that the workers run as",
                         path);
        return false;
    }
    findings_ok(&setup->findings, path, "it is not there yet and can be made");
    return true;
}

/* Whether a store can be tried with this directory. */
static bool setup_check_directory(struct setup *setup, const char *path)
{
    struct findings *findings = &setup->findings;
    struct owner_name user = owner_user(geteuid());
    struct stat status;

    if (stat(path, &status) < 0) {
        if (errno == ENOENT) {
            return setup_check_absent(setup, path);
        }
        findings_problem(findings, path,
                         "user %s cannot reach it: %s" FINDINGS_DO
                         "let that user enter the directories above it",
                         user.text, strerror(errno));
        return false;
    }
    if (!S_ISDIR(status.st_mode)) {
        findings_problem(findings, path,
                         "it is no directory" FINDINGS_DO
                         "name another one in the configuration, or move this file away");
        return false;
    }
    if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0) {
        int reason = errno;

        findings_problem(
            findings, path, "user %s cannot write to it: %s; it belongs to %s:%s%s", user.text,
            strerror(reason), owner_user(status.st_uid).text, owner_group(status.st_gid).text,
            reason == EROFS ? FINDINGS_DO "mount the filesystem for writing"
                            : FINDINGS_DO "chown -R it to the user that the workers run as");
        return false;
    }
    findings_ok(findings, path, "user %s can write to it; it belongs to %s:%s", user.text,
                owner_user(status.st_uid).text, owner_group(status.st_gid).text);
    return true;
}

/* A lock that is held must be refused to a second descriptor, and be free again afterwards. */
static void setup_check_locks(struct setup *setup, const struct store *store)
{
    enum { PATIENCE = 10 }; /* seconds, for another one who looks at the same time */
    struct file_place place = {store->root, LAYOUT_SETUP_LOCK};
    const char *path = store->options->root;
    AUTO_LOCK struct lock first = LOCK_INIT;
    AUTO_LOCK struct lock second = LOCK_INIT;
    struct error error = ERROR_INIT;
    enum lock_result result = lock_await(&first, place, PATIENCE, &error);

    if (result == LOCK_TAKEN) {
        result = lock_take(&second, place, LOCK_TRY, &error);
        if (result == LOCK_BUSY) {
            lock_release(&first);
            result = lock_await(&second, place, PATIENCE, &error);
            if (result == LOCK_TAKEN) {
                findings_ok(&setup->findings, path, "locks work");
                return;
            }
        }
    }
    findings_problem(&setup->findings, path,
                     "locks do not work here: %s" FINDINGS_DO
                     "mount the filesystem so that flock works (NFS: version 4, without nolock)",
                     result == LOCK_FAILED ? error.message : "two had the same one at once");
}

static void setup_check_space(struct setup *setup, const struct store *store)
{
    const char *path = store->options->root;
    AUTO_BUFFER struct buffer available = BUFFER_INIT;
    AUTO_BUFFER struct buffer minimum = BUFFER_INIT;
    struct error ignored;
    struct statvfs status;
    uint64_t bytes;

    if (fstatvfs(store->root, &status) < 0) {
        findings_problem(&setup->findings, path,
                         "its free space cannot be told: %s" FINDINGS_DO "look at the filesystem",
                         strerror(errno));
        return;
    }
    bytes = (uint64_t)status.f_bavail * status.f_frsize;
    text_add_bytes(bytes, &available);
    text_add_bytes(store->options->minimum_free_space, &minimum);
    if (bytes < store->options->minimum_free_space) {
        findings_problem(&setup->findings, path,
                         "%s are free, less than minimum_free_space = %s: nothing is stored "
                         "here" FINDINGS_DO "make room, or lower minimum_free_space",
                         available.data, minimum.data);
    } else if (store_check_space(store, 0, &ignored) < 0 ||
               (status.f_files > 0 && status.f_favail == 0)) {
        findings_problem(&setup->findings, path,
                         "the filesystem has too few inodes left (minimum_free_space = %s): "
                         "nothing is stored here" FINDINGS_DO
                         "remove files, or make a filesystem with more of them",
                         minimum.data);
    } else {
        findings_ok(&setup->findings, path, "%s are free, minimum_free_space is %s", available.data,
                    minimum.data);
    }
}

/* True if the store is open. */
static bool setup_check_store(struct setup *setup, struct store *store,
                              const struct store_options *options)
{
    bool is_hosted = options == &setup->configuration->registry.hosted;
    struct error error = ERROR_INIT;
    int result = (is_hosted ? command_open_hosted : command_open_cache)(store, setup->configuration,
                                                                        OPEN_TO_MAKE, &error);

    if (result < 0) {
        findings_problem(&setup->findings, options->root,
                         "%s" FINDINGS_DO
                         "both directories have to be below one mount point, and writable",
                         error.message);
        return false;
    }
    findings_ok(&setup->findings, options->root, "link and rename work between it and '%s'",
                options->temporary);
    setup_check_locks(setup, store);
    setup_check_space(setup, store);
    return true;
}

static int setup_check_all(struct setup *setup)
{
    const struct registry_options *options = &setup->configuration->registry;
    struct store hosted = STORE_INIT;
    struct store cache = STORE_INIT;
    bool usable;
    bool has_cache;
    int status = EXIT_FINE;

    setup_check_user(setup);
    setup_check_files(setup);
    usable = setup_check_directory(setup, options->hosted.root);
    usable = setup_check_directory(setup, options->hosted.temporary) && usable;
    usable = usable && setup_check_store(setup, &hosted, &options->hosted);
    has_cache = options->proxy.enabled && setup_check_directory(setup, options->proxy.store.root) &&
                setup_check_store(setup, &cache, &options->proxy.store);
    if (setup->url && usable) {
        struct setup_target target = {setup->url, &setup->credentials, &hosted,
                                      has_cache ? &cache : NULL};

        status = setup_request(setup->configuration, &target, &setup->findings);
    } else if (setup->url) {
        findings_problem(&setup->findings, setup->url,
                         "not asked, since the store cannot be used" FINDINGS_DO "mend that first");
    }
    store_close(&hosted);
    store_close(&cache);
    return status;
}

/* What Basic is made of. The password never stands on a command line, which everybody can read. */
static int setup_ask(struct setup *setup, const char *user, struct error *error)
{
    struct buffer password = BUFFER_INIT;
    int result = ask_password(user, ASK_KNOWN, &password, error);

    if (result == 0) {
        (void)buffer_reserve(&setup->credentials, strlen(user) + 1 + password.length);
        buffer_add_text(&setup->credentials, user);
        buffer_add_text(&setup->credentials, ":");
        buffer_add(&setup->credentials, password.data, password.length);
    }
    buffer_wipe(&password);
    return result;
}

static int setup_refuse(const char *url, const char *user)
{
    if (url && setup_url_has_user(url)) {
        return command_refuse(
            &command_check, "a URL with a user or a password in it can be read by everybody here: "
                            "--user NAME asks for the password");
    }
    if (url && !setup_url_is_valid(url)) {
        return command_refuse(
            &command_check,
            "this is not the URL of a server, such as https://registry.example.org: '%s'", url);
    }
    if (user && (!*user || strpbrk(user, ":\r\n"))) {
        return command_refuse(&command_check,
                              "--user takes a name alone, without ':' and a password");
    }
    return EXIT_FINE;
}

int command_setup(const struct configuration *configuration, const struct arguments *arguments)
{
    const char *user = arguments_value(arguments, OPTION_USER, 0);
    struct setup setup = {
        .configuration = configuration,
        .findings = {.json = arguments->has[OPTION_JSON]},
        .url = arguments->operand_count > 0 ? arguments->operands[0] : NULL,
        .credentials = BUFFER_INIT,
    };
    struct error error;
    int status;

    status = setup_refuse(setup.url, user);
    if (status != EXIT_FINE) {
        return status;
    }
    if ((user && setup_ask(&setup, user, &error) < 0) ||
        command_become_owner(configuration, &error) < 0) {
        buffer_wipe(&setup.credentials);
        return command_fail(&command_check, &error);
    }
    status = setup_check_all(&setup);
    buffer_wipe(&setup.credentials);
    if (status == EXIT_FINE && setup.findings.problems > 0) {
        status = EXIT_FOUND;
    }
    return status;
}
