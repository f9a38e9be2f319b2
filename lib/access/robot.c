/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/robot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/base/text.h"
#include "lib/http/base64.h"

#define ROBOT_FILE "robot-"
enum { ROBOT_USE_PAUSE = 3600 }; /* seconds between two notes of a use */

struct robot_file {
    char text[sizeof(ROBOT_FILE) + ROBOT_NAME_SIZE];
};

static struct robot_file robot_file(const char *name)
{
    struct robot_file file;

    (void)snprintf(file.text, sizeof(file.text), ROBOT_FILE "%s", name);
    return file;
}

bool robot_name_is_valid(const char *name)
{
    static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(name);

    return length > 0 && length < ROBOT_NAME_SIZE && name[strspn(name, letters)] == '\0' &&
           strchr(ends, name[0]) && strchr(ends, name[length - 1]);
}

/* The value of the next line, which has to begin with this word. */
static bool robot_line(const char **cursor, const char *word, const char **out_value,
                       size_t *out_length)
{
    const char *line = *cursor;
    size_t length = strcspn(line, "\n");
    size_t skipped = strlen(word) + 1;

    if (line[length] != '\n' || length < skipped || !text_begins(line, word) ||
        line[skipped - 1] != ' ') {
        return false;
    }
    *out_value = line + skipped;
    *out_length = length - skipped;
    *cursor = line + length + 1;
    return true;
}

static bool robot_number(const char **cursor, const char *word, uint64_t *out)
{
    const char *value;
    size_t length;

    return robot_line(cursor, word, &value, &length) && text_number(value, length, out);
}

bool robot_parse(struct robot *out, const char *text)
{
    const char *cursor = text;
    const char *value;
    size_t length;
    uint64_t rights;

    if (!robot_line(&cursor, "berth", &value, &length) || length != strlen("robot 1") ||
        strncmp(value, "robot 1", length) != 0 || !robot_line(&cursor, "secret", &value, &length) ||
        length != sizeof(out->hash.bytes) * 2 || !text_unhex(value, SECRET_SIZE, out->hash.bytes) ||
        !robot_number(&cursor, "rights", &rights) || (rights & ~(uint64_t)RIGHT_ALL) ||
        !robot_line(&cursor, "repositories", &value, &length) ||
        !text_copy(out->repositories, sizeof(out->repositories), value, length) ||
        !robot_number(&cursor, "made", &out->made) ||
        !robot_number(&cursor, "expires", &out->expires)) {
        return false;
    }
    out->rights = (unsigned)rights;
    return *cursor == '\0';
}

static void robot_write(const struct robot *robot, struct buffer *out)
{
    char hex[2 * SECRET_SIZE + 1];

    text_hex(robot->hash.bytes, SECRET_SIZE, hex);
    buffer_format(out,
                  "berth robot 1\nsecret %s\nrights %u\nrepositories %s\nmade %" PRIu64
                  "\nexpires %" PRIu64 "\n",
                  hex, robot->rights, robot->repositories, robot->made, robot->expires);
}

static int robot_make_secret(struct buffer *out, struct error *error)
{
    AUTO_SECRET struct secret random;

    if (secret_random(&random, error) < 0) {
        return -1;
    }
    (void)buffer_reserve(out, sizeof(ROBOT_SECRET_PREFIX) + 2 * sizeof(random.bytes));
    buffer_add_text(out, ROBOT_SECRET_PREFIX);
    base64_encode_as(BASE64_URL, random.bytes, sizeof(random.bytes), out);
    return 0;
}

int robot_add(const char *directory, const struct robot *robot, struct buffer *out_secret,
              struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct buffer secret = BUFFER_INIT;
    struct robot made = *robot;
    int added;

    if (!robot_name_is_valid(robot->name)) {
        return error_set(error, ERROR_REQUEST_INVALID,
                         "'%s' is no name of a robot: lower-case letters, digits, and inside '.', "
                         "'_', '-'",
                         robot->name);
    }
    made.made = (uint64_t)clock_date();
    if (vault_open(&vault, directory, VAULT_TO_MAKE, error) < 0 ||
        robot_make_secret(&secret, error) < 0 || secret_hash(secret.data, &made.hash, error) < 0) {
        buffer_wipe(&secret);
        return -1;
    }
    robot_write(&made, &text);
    added = vault_add(&vault, robot_file(robot->name).text, &text, error);
    if (added > 0) {
        vault_date(&vault, robot_file(robot->name).text, 0);
        buffer_add(out_secret, secret.data, secret.length);
    }
    buffer_wipe(&secret);
    return added;
}

int robot_remove(const char *directory, const char *name, struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    int opened =
        robot_name_is_valid(name) ? vault_open(&vault, directory, VAULT_TO_LOOK, error) : 0;

    return opened <= 0 ? opened : vault_remove(&vault, robot_file(name).text, error);
}

int robot_list(const char *directory, struct names *out, struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    AUTO_NAMES struct names files = NAMES_INIT;
    int opened = vault_open(&vault, directory, VAULT_TO_LOOK, error);

    if (opened <= 0 || directory_list(vault.descriptor, ".", &files, error) < 0) {
        return opened == 0 ? 0 : -1;
    }
    for (size_t i = 0; i < files.count; i++) {
        if (text_begins(files.names[i], ROBOT_FILE) &&
            robot_name_is_valid(files.names[i] + strlen(ROBOT_FILE))) {
            names_add(out, files.names[i] + strlen(ROBOT_FILE));
        }
    }
    return 0;
}

int robot_read(const char *directory, const char *name, struct robot *out, struct error *error)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct robot robot = {.rights = 0};
    struct stat status;
    int found = robot_name_is_valid(name) ? vault_open(&vault, directory, VAULT_TO_LOOK, error) : 0;

    if (found > 0) {
        found = vault_read(&vault, robot_file(name).text, &text, &status, error);
    }
    if (found <= 0) {
        return found;
    }
    if (!robot_parse(&robot, text.data)) {
        return error_set(error, ERROR_INTERNAL,
                         "'%s/" ROBOT_FILE "%s' is damaged: remove the robot and add it again",
                         directory, name);
    }
    (void)text_copy(robot.name, sizeof(robot.name), name, strlen(name));
    robot.last_use = (uint64_t)status.st_mtim.tv_sec;
    *out = robot;
    return 1;
}

bool robot_has_secret(const struct robot *robot, const char *secret)
{
    struct secret hash;
    struct error error;

    return secret_hash(secret, &hash, &error) == 0 && secret_is_same(&hash, &robot->hash);
}

bool robot_has_expired(const struct robot *robot, int64_t now)
{
    return robot->expires != 0 && (int64_t)robot->expires <= now;
}

void robot_used(const char *directory, const struct robot *robot)
{
    AUTO_VAULT struct vault vault = VAULT_INIT;
    struct error error;

    if (clock_age((time_t)robot->last_use) >= ROBOT_USE_PAUSE &&
        vault_open(&vault, directory, VAULT_TO_LOOK, &error) > 0) {
        vault_date(&vault, robot_file(robot->name).text, clock_date());
    }
}

void robot_subject(const struct robot *robot, struct subject *out)
{
    char name[SUBJECT_NAME_SIZE];

    (void)snprintf(name, sizeof(name), SUBJECT_ROBOT_PREFIX "%s", robot->name);
    *out = subject_anonymous();
    if (subject_make(SUBJECT_ROBOT, name, out)) {
        out->narrowed_rights = robot->rights;
        (void)text_copy(out->narrowed_names, sizeof(out->narrowed_names), robot->repositories,
                        strlen(robot->repositories));
    }
}
