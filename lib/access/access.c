/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/access.h"

#include <stdlib.h>

#include "lib/base/memory.h"

struct access {
    const struct access_options *options;
    unsigned retry_after; /* seconds */
};

struct access *access_open(const struct access_options *options)
{
    struct access *access = memory_allocate(1, sizeof(*access));

    access->options = options;
    return access;
}

void access_close(struct access *access)
{
    free(access);
}

int access_identify(struct access *access, const struct attempt *attempt, struct subject *out,
                    struct error *error)
{
    if (access->options->mode == ACCESS_WEB_SERVER && attempt->remote_user &&
        *attempt->remote_user) {
        return subject_make(SUBJECT_USER, attempt->remote_user, out)
                   ? 0
                   : error_set(error, ERROR_UNAUTHORIZED,
                               "the web server's user name is none that this registry takes");
    }
    if (access->options->mode != ACCESS_NONE && attempt->authorization) {
        return error_set(error, ERROR_UNAUTHORIZED, "nobody can log in yet");
    }
    *out = subject_anonymous();
    return 0;
}

int access_log_in(struct access *access, const struct attempt *attempt, const struct login *login,
                  struct subject *out, struct error *error)
{
    (void)access;
    (void)attempt;
    if (*login->user || *login->password) {
        return error_set(error, ERROR_UNAUTHORIZED, "nobody can log in yet");
    }
    *out = subject_anonymous();
    return 0;
}

int access_exchange(struct access *access, const struct attempt *attempt, const char *refresh_token,
                    struct subject *out, struct error *error)
{
    (void)access;
    (void)attempt;
    (void)refresh_token;
    (void)out;
    return error_set(error, ERROR_UNAUTHORIZED, "nobody can log in yet");
}

int access_token(struct access *access, const struct attempt *attempt,
                 const struct subject *subject, struct buffer *out_token, struct error *error)
{
    (void)access;
    (void)attempt;
    (void)subject;
    (void)out_token;
    return error_set(error, ERROR_INTERNAL, "there are no tokens yet");
}

uint64_t access_token_lifetime(const struct access *access)
{
    return access->options->token_lifetime;
}

int access_refresh_token(struct access *access, const struct attempt *attempt,
                         const struct subject *subject, struct buffer *out_token,
                         struct error *error)
{
    (void)access;
    (void)attempt;
    (void)subject;
    (void)out_token;
    (void)error;
    return 0;
}

unsigned access_retry_after(const struct access *access)
{
    return access->retry_after;
}
