/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/crypted.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "lib/access/apr1.h"
#include "lib/access/secret.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

enum { BCRYPT_COST = 10, BCRYPT_LIMIT = 72 }; /* of what follows it would see nothing */

struct crypted_form {
    const char *prefix;
    size_t cost;      /* characters that say the cost, if these are of a fixed number */
    size_t separator; /* else: behind the n-th '$' */
};

static const struct crypted_form crypted_forms[] = {
    {.prefix = "$2a$", .cost = 7}, {.prefix = "$2b$", .cost = 7},
    {.prefix = "$2y$", .cost = 7}, {.prefix = "$5$rounds=", .separator = 3},
    {.prefix = "$5$", .cost = 3},  {.prefix = "$6$rounds=", .separator = 3},
    {.prefix = "$6$", .cost = 3},  {.prefix = "$y$", .separator = 3},
    {.prefix = "$7$", .cost = 14}, {.prefix = APR1_PREFIX, .cost = 6},
};

static const struct crypted_form *crypted_find(const char *crypted)
{
    for (size_t i = 0; i < sizeof(crypted_forms) / sizeof(*crypted_forms); i++) {
        if (text_begins(crypted, crypted_forms[i].prefix)) {
            return &crypted_forms[i];
        }
    }
    return NULL;
}

const char *crypted_refusal(const char *crypted)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./$=,";

    if (!crypted_find(crypted)) {
        return text_begins(crypted, "{SHA}") || text_begins(crypted, "{SSHA}") ? "hashed by SHA-1"
               : text_begins(crypted, "$1$")                                   ? "hashed by MD5"
               : *crypted == '$' ? "hashed by a function that is not known"
               : *crypted        ? "in plain text, or hashed by DES"
                                 : "empty";
    }
    if (strlen(crypted) >= CRYPTED_SIZE || crypted[strspn(crypted, letters)]) {
        return "no hash, although it begins like one";
    }
    return NULL;
}

size_t crypted_cost(const char *crypted)
{
    const struct crypted_form *form = crypted_find(crypted);
    size_t length = strlen(crypted);
    size_t cost = form ? form->cost : 0;

    for (size_t n = form ? form->separator : 0; n > 0 && cost < length; n--) {
        cost += strcspn(crypted + cost, "$");
        cost += cost < length;
    }
    return cost < length ? cost : length;
}

/* By crypt(3), whose working memory holds the password. False if it does not take the setting. */
static bool crypted_hash(const char *password, const char *setting, char out[CRYPTED_SIZE])
{
    struct crypt_data *data = memory_allocate(1, sizeof(*data));
    const char *result = crypt_r(password, setting, data);
    bool made = result && *result != '*' && text_copy(out, CRYPTED_SIZE, result, strlen(result));

    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return made;
}

int crypted_verify(const char *crypted, const char *password, struct error *error)
{
    char result[CRYPTED_SIZE] = "";
    int is_same;

    if (crypted_refusal(crypted) || strlen(password) > CRYPTED_PASSWORD_LIMIT) {
        return 0;
    }
    if (text_begins(crypted, APR1_PREFIX)) {
        if (apr1_hash(password, crypted, result, error) < 0) {
            return -1;
        }
    } else if (!crypted_hash(password, crypted, result)) {
        return 0;
    }
    is_same = secret_is_same_text(result, crypted);
    OPENSSL_cleanse(result, sizeof(result));
    return is_same;
}

int crypted_make(const char *password, char out[CRYPTED_SIZE], struct error *error)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];

    if (strlen(password) > BCRYPT_LIMIT) {
        return error_set(error, ERROR_REQUEST_INVALID, "a password has %d bytes at most",
                         BCRYPT_LIMIT);
    }
    if (!crypt_gensalt_rn("$2b$", BCRYPT_COST, NULL, 0, setting, sizeof(setting))) {
        return error_errno(error, "salt for bcrypt");
    }
    if (!crypted_hash(password, setting, out)) {
        return error_set(error, ERROR_INTERNAL, "crypt(3) does not know bcrypt");
    }
    return 0;
}
