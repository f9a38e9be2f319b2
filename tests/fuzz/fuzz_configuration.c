/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/configuration/configuration.h"

static char directory[] = "/dev/shm/berth-fuzz-XXXXXX";
static char file[sizeof(directory) + 8];
static int descriptor = -1;

static void remove_file(void)
{
    (void)unlink(file);
    (void)rmdir(directory);
}

static void write_file(const void *data, size_t size)
{
    if (descriptor < 0) {
        CHECK(mkdtemp(directory) != NULL);
        (void)snprintf(file, sizeof(file), "%s/c.ini", directory);
        descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        CHECK(descriptor >= 0);
        (void)atexit(remove_file);
    }
    CHECK(pwrite(descriptor, data, size, 0) == (ssize_t)size);
    CHECK(ftruncate(descriptor, (off_t)size) == 0);
}

static void check_values(const struct configuration *configuration)
{
    const struct registry_options *registry = &configuration->registry;

    CHECK(registry->hosted.root[0] == '/' && registry->hosted.temporary[0] == '/');
    CHECK(registry->proxy.store.root[0] == '/');
    CHECK(registry->hosted.minimum_free_space <= INT64_MAX);
    CHECK(registry->hosted.upload_expiry <= INT64_MAX);
    CHECK(registry->maximum_manifest_size <= 64 * 1024 * 1024);
    CHECK(registry->hosted.accept_sparse <= SPARSE_ALL);
    for (size_t i = 0; i < registry->proxy.section_count; i++) {
        const char *name = registry->proxy.sections[i].name;

        CHECK(*name && *name != '/' && *name != '.' && !strstr(name, ".."));
    }
}

/* Passwords are not printed; a path is longer once it is absolute; a value may begin like a
 * comment, or end in a blank that stood before a slash. */
static bool is_readable_again(const char *printed)
{
    if (strstr(printed, "(not shown)") || strstr(printed, " = ;")) {
        return false;
    }
    for (; *printed; printed += strcspn(printed, "\n") + 1) {
        size_t length = strcspn(printed, "\n");
        bool is_empty = length > 3 && strstr(printed, " = ") == printed + length - 3;

        if (length > 198 || (length > 0 && !is_empty && strchr(" \t\v\f\r", printed[length - 1]))) {
            return false;
        }
    }
    return true;
}

static void check_round_trip(const struct configuration *configuration)
{
    AUTO_CONFIGURATION struct configuration again = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer first = BUFFER_INIT;
    AUTO_BUFFER struct buffer second = BUFFER_INIT;
    struct error error = ERROR_INIT;

    configuration_print(configuration, &first);
    if (!is_readable_again(first.data)) {
        return;
    }
    write_file(first.data, first.length);
    if (configuration_read(&again, file, &error) < 0) {
        (void)fprintf(stderr, "%s\n%s\n", first.data, error.message);
        abort();
    }
    configuration_print(&again, &second);
    CHECK(strcmp(first.data, second.data) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_CONFIGURATION struct configuration configuration = CONFIGURATION_INIT;
    struct error error = ERROR_INIT;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    write_file(data, size);
    if (configuration_read(&configuration, file, &error) < 0) {
        CHECK(error.code == ERROR_INTERNAL && text_begins(error.message, file));
        CHECK(configuration.file == NULL);
        return 0;
    }
    CHECK(error.code == ERROR_NONE);
    check_values(&configuration);
    check_round_trip(&configuration);
    return 0;
}
