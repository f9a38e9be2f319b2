/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/permit.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/store/layout.h"

enum { TOKEN_LIMIT = 128 }; /* bytes */

/* In a time that says nothing about where they differ. */
static bool token_is_equal(const char *given, const struct buffer *token)
{
    size_t length = strlen(given);
    unsigned char difference = length != token->length;

    for (size_t i = 0; i < token->length; i++) {
        difference |= (unsigned char)(given[i < length ? i : length] ^ token->data[i]);
    }
    return difference == 0;
}

/* The store need not be open: the reason for that may be what is looked for. */
static int permit_token(const struct caller *caller, struct error *error)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    AUTO_BUFFER struct buffer token = BUFFER_INIT;
    struct error ignored;

    layout_absolute(caller->options->hosted.root, LAYOUT_SETUP_TOKEN, &path);
    if (!caller->token || file_read(AT_FDCWD, path.data, TOKEN_LIMIT, &token, &ignored) <= 0 ||
        token.length == 0 || !token_is_equal(caller->token, &token)) {
        return error_set(error, ERROR_NOT_FOUND, "there is no such endpoint");
    }
    return 0;
}

static int permit_name(const struct caller *caller, const struct identity *identity,
                       struct error *error)
{
    if (!identity_is_below(identity, caller->prefix)) {
        return error_set(error, ERROR_DENIED, "this is not served under this name");
    }
    return 0;
}

/* What the cache has of another registry may be dropped: it is asked for again. */
static int permit_change(const struct caller *caller, const struct identity *identity,
                         enum permission permission, struct error *error)
{
    if (permit_name(caller, identity, error) < 0) {
        return -1;
    }
    if (caller->options->read_only) {
        return error_set(error, ERROR_READ_ONLY, "the registry is read-only at the moment");
    }
    if (identity->is_proxied && permission != PERMISSION_DELETE) {
        return error_set(error, ERROR_UNSUPPORTED,
                         "what belongs to another registry cannot be pushed here");
    }
    return 0;
}

static int permit_judge(const struct caller *caller, const struct identity *identity,
                        enum permission permission, struct error *error)
{
    if (permission_names_repository(permission) != (identity != NULL)) {
        return error_set(error, ERROR_INTERNAL, "a permission was asked for of nothing");
    }
    switch (permission) {
    case PERMISSION_NONE:
    case PERMISSION_LIST:
        return 0;
    case PERMISSION_TOKEN:
        return permit_token(caller, error);
    case PERMISSION_PULL:
    case PERMISSION_RESUME:
        return permit_name(caller, identity, error);
    case PERMISSION_PUSH:
    case PERMISSION_DELETE:
        return permit_change(caller, identity, permission, error);
    }
    return error_set(error, ERROR_INTERNAL, "there is no such permission");
}

int registry_permit(const struct caller *caller, const struct identity *identity,
                    enum permission permission, struct permit *out_permit, struct error *error)
{
    if (permit_judge(caller, identity, permission, error) < 0) {
        return -1;
    }
    *out_permit = (struct permit){.granted_permission = permission, .granted_caller = caller};
    if (identity) {
        out_permit->granted_identity = *identity;
    }
    return 0;
}

int permit_extend(const struct permit *permit, const struct identity *identity,
                  enum permission permission, struct permit *out_permit, struct error *error)
{
    if (!permit->granted_caller) {
        return error_set(error, ERROR_INTERNAL, "there is no permit to extend");
    }
    return registry_permit(permit->granted_caller, identity, permission, out_permit, error);
}

int permit_check(const struct permit *permit, enum permission permission, struct error *error)
{
    if (!permit->granted_caller || permit->granted_permission != permission) {
        return error_set(error, ERROR_INTERNAL, "this was not permitted");
    }
    return 0;
}

const struct identity *permit_identity(const struct permit *permit)
{
    return &permit->granted_identity;
}

enum permission permit_permission(const struct permit *permit)
{
    return permit->granted_permission;
}

const struct caller *permit_caller(const struct permit *permit)
{
    return permit->granted_caller;
}
