/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/discovery.h"

#include <string.h>

#include "lib/access/key_set.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/http/client.h"
#include "lib/http/url.h"

#define DISCOVERY_PATH "/.well-known/openid-configuration"

enum {
    DISCOVERY_LIMIT = 64 * 1024, /* bytes of an issuer's configuration */
    DISCOVERY_STEP = 5000,       /* milliseconds until a connection stands, and of silence */
    DISCOVERY_WHOLE = 12000,     /* for everything */
};

/* One issuer is asked for one document after the other, until `deadline`. */
struct discovery {
    const struct access_options *options;
    const struct issuer_options *issuer;
    int64_t deadline; /* of clock_milliseconds() */
};

/* That we may not ask is not the client's fault: it is no refusal of his. */
static int discovery_deny(const struct discovery *discovery, const struct http_party *party,
                          struct error *error)
{
    return party_fail(party, error, ERROR_UPSTREAM,
                      "is not in the public internet: allow_private_address = yes in [issuer %s]",
                      discovery->issuer->name);
}

static int discovery_get(const struct discovery *discovery, const char *url, size_t limit,
                         struct buffer *out, struct error *error)
{
    AUTO_HTTP_TRANSFER struct http_transfer transfer = HTTP_TRANSFER_INIT;
    struct http_party party = {NULL, url};
    struct http_request request = {
        .method = "GET",
        .url = url,
        .headers = BUFFER_INIT,
        .proxy = discovery->options->http_proxy,
        .ca_file = discovery->options->ca_file,
        .connect_milliseconds = DISCOVERY_STEP,
        .stall_milliseconds = DISCOVERY_STEP,
        .deadline = discovery->deadline,
        .allow_private_address = discovery->issuer->allow_private_address,
        .allow_http = text_begins(discovery->issuer->url, "http://"),
    };
    int result;

    if (http_open(&transfer, &request, error) < 0) {
        return error->code == ERROR_DENIED ? discovery_deny(discovery, &party, error) : -1;
    }
    if (transfer.status != 200) {
        return party_fail(&party, error, ERROR_UPSTREAM, "answers %d when asked for its keys",
                          transfer.status);
    }
    result = http_read_all(&transfer, limit, out, error);
    return result == 0
               ? party_fail(&party, error, ERROR_UPSTREAM, "sends too much when asked for its keys")
               : result;
}

/* Where its keys are, according to the issuer. */
static int discovery_find_keys(const struct discovery *discovery, struct buffer *out_url,
                               struct error *error)
{
    AUTO_BUFFER struct buffer url = BUFFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    struct http_party party = {NULL, discovery->issuer->url};
    struct document document;
    struct url own;
    struct url theirs;

    buffer_add_text(&url, discovery->issuer->url);
    while (url.length > 0 && url.data[url.length - 1] == '/') {
        url.data[--url.length] = '\0';
    }
    buffer_add_text(&url, DISCOVERY_PATH);
    if (discovery_get(discovery, url.data, DISCOVERY_LIMIT, &body, error) < 0) {
        return -1;
    }
    document = (struct document){body.data, body.length, NULL};
    if (!document_text_member(&document, "issuer", &name) ||
        strcmp(name.data, discovery->issuer->url) != 0) {
        return party_fail(&party, error, ERROR_UPSTREAM,
                          "is another issuer than [issuer %s] says, or none",
                          discovery->issuer->name);
    }
    if (!document_text_member(&document, "jwks_uri", out_url) || !url_parse(url.data, &own) ||
        !url_parse(out_url->data, &theirs) || strcmp(own.scheme, theirs.scheme) != 0 ||
        strcmp(own.host, theirs.host) != 0 || own.port != theirs.port) {
        return party_fail(&party, error, ERROR_UPSTREAM,
                          "has its keys at another host, which is not asked: write them into a "
                          "jwks_file of [issuer %s]",
                          discovery->issuer->name);
    }
    return 0;
}

int discovery_fetch(const struct access_options *options, const struct issuer_options *issuer,
                    struct buffer *out_keys, struct error *error)
{
    struct discovery discovery = {options, issuer, clock_milliseconds() + DISCOVERY_WHOLE};
    AUTO_BUFFER struct buffer url = BUFFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct http_party party = {NULL, issuer->url};
    struct document document;

    if (discovery_find_keys(&discovery, &url, error) < 0 ||
        discovery_get(&discovery, url.data, KEY_SET_LIMIT, &body, error) < 0) {
        return -1;
    }
    document = (struct document){body.data, body.length, NULL};
    return key_set_tidy(&document, out_keys) > 0
               ? 0
               : party_fail(&party, error, ERROR_UPSTREAM, "has no set of keys where it says");
}
