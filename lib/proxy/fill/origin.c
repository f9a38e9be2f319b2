/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/origin.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/store/memo.h"

#define ANYBODY "anybody"

void origin_account(const struct upstream *upstream, const char *name, struct buffer *out)
{
    const struct upstream_options *section = upstream_credentials(upstream, name);

    if (section) {
        buffer_format(out, "section %s user %s", section->name, section->username);
    }
}

/* What is on record for who asks this upstream without an account. */
static void origin_upstream(const struct upstream *upstream, struct buffer *out)
{
    buffer_format(out, "upstream %s", upstream->name);
}

static struct path origin_path(const struct digest *digest, const char *text)
{
    struct digest key;

    digest_of(DIGEST_SHA256, text, strlen(text), &key);
    return layout_origin(digest, &key);
}

static bool origin_is_recorded(const struct upstream *upstream, const struct digest *digest,
                               const char *text)
{
    struct path path = origin_path(digest, text);

    return faccessat(upstream->store->root, path.text, F_OK, 0) == 0;
}

int origin_record(const struct upstream *upstream, const char *name, const struct digest *digest,
                  enum origin_act act, struct error *error)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct path path;

    if (act == ORIGIN_GIVEN && !upstream->allow_private_address) {
        buffer_add_text(&text, ANYBODY);
    } else if (act != ORIGIN_GIVEN) {
        origin_account(upstream, name, &text);
    }
    if (text.length == 0) {
        origin_upstream(upstream, &text);
    }
    path = origin_path(digest, text.data);
    buffer_add_text(&text, "\n");
    return memo_note((struct file_place){upstream->store->root, path.text}, &text, error);
}

bool origin_allows(const struct upstream *upstream, const char *name, const struct digest *digest)
{
    AUTO_BUFFER struct buffer account = BUFFER_INIT;
    AUTO_BUFFER struct buffer everybody = BUFFER_INIT;

    origin_account(upstream, name, &account);
    origin_upstream(upstream, &everybody);
    return (account.length > 0 && origin_is_recorded(upstream, digest, account.data)) ||
           origin_is_recorded(upstream, digest, ANYBODY) ||
           origin_is_recorded(upstream, digest, everybody.data);
}
