/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/jws.h"

#include <cjose/cjose.h>
#include <string.h>

#include "lib/base/cleanup.h"

static const struct jws_algorithm algorithms[] = {
    {"RS256", JWS_RSA, NULL, 0},        {"RS384", JWS_RSA, NULL, 0},
    {"RS512", JWS_RSA, NULL, 0},        {"PS256", JWS_RSA, NULL, 0},
    {"PS384", JWS_RSA, NULL, 0},        {"PS512", JWS_RSA, NULL, 0},
    {"ES256", JWS_CURVE, "P-256", 64},  {"ES384", JWS_CURVE, "P-384", 96},
    {"ES512", JWS_CURVE, "P-521", 132},
};

const struct jws_algorithm *jws_find_algorithm(const char *name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            return &algorithms[i];
        }
    }
    return NULL;
}

static void jws_release(cjose_jws_t **jws)
{
    if (*jws) {
        cjose_jws_release(*jws);
    }
}

static void jws_release_key(cjose_jwk_t **key)
{
    if (*key) {
        (void)cjose_jwk_release(*key);
    }
}

int jws_verify(const char *token, const char *key, struct error *error)
{
    cjose_err failure = {.code = CJOSE_ERR_NONE};
    AUTO(jws_release_key) cjose_jwk_t *imported = cjose_jwk_import(key, strlen(key), &failure);
    AUTO(jws_release) cjose_jws_t *jws = NULL;

    if (!imported) {
        return error_set(error, ERROR_INTERNAL, "a key of an issuer cannot be read: %s",
                         failure.message ? failure.message : "libcjose gives no reason");
    }
    jws = cjose_jws_import(token, strlen(token), &failure);
    return jws && cjose_jws_verify(jws, imported, &failure);
}
