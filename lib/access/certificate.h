/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_CERTIFICATE_H
#define ACCESS_CERTIFICATE_H

/*
 * The certificates of a token server, as distribution has them in its `rootcertbundle`: a file in
 * PEM. A token names one of their keys, or brings a chain of certificates that leads to one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/names.h"

/*
 * Adds the keys as a JWK Set, each under the ids that token servers call it by: libtrust's
 * fingerprint and the thumbprint of RFC 7638. False if there is no certificate.
 */
bool certificates_key_set(const struct buffer *pem, struct buffer *out);

/*
 * The same of the first certificate of a chain, under that id ("" for none), if the chain leads to
 * one of the bundle at this time (seconds since the epoch). False if it does not.
 */
struct certificate_chain {
    const struct names *certificates; /* in base 64 */
    const char *id;
    int64_t now;
};
bool certificates_chain_key(const struct buffer *pem, const struct certificate_chain *chain,
                            struct buffer *out);

#endif
