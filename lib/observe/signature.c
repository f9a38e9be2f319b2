/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/signature.h"

#include <inttypes.h>
#include <string.h>

#include "lib/access/secret.h"
#include "lib/base/text.h"
#include "lib/http/base64.h"

#define SIGNATURE_PREFIX "whsec_"

static int signature_read_key(const char *secret, struct buffer *out, struct error *error)
{
    size_t prefix = strlen(SIGNATURE_PREFIX);

    if (text_begins(secret, SIGNATURE_PREFIX)) {
        if (!base64_decode(BASE64_PADDED, secret + prefix, strlen(secret + prefix), out)) {
            return error_set(error, ERROR_INTERNAL,
                             "what stands behind " SIGNATURE_PREFIX " is no base 64");
        }
    } else {
        (void)buffer_reserve(out, strlen(secret) + 1);
        buffer_add_text(out, secret);
    }
    return out->length > 0 ? 0 : error_set(error, ERROR_INTERNAL, "the secret is empty");
}

int signature_add(const char *secret, const struct signature_head *head, const struct buffer *body,
                  struct buffer *out, struct error *error)
{
    AUTO(buffer_wipe) struct buffer key = BUFFER_INIT;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    struct secret sum;

    buffer_format(&content, "%s.%" PRId64 ".", head->id, head->seconds);
    buffer_add(&content, body->data, body->length);
    if (signature_read_key(secret, &key, error) < 0 ||
        secret_sign_by(&(struct secret_key){key.data, key.length}, content.data, content.length,
                       &sum, error) < 0) {
        return -1;
    }
    buffer_add_text(out, "v1,");
    base64_encode(sum.bytes, sizeof(sum.bytes), out);
    return 0;
}
