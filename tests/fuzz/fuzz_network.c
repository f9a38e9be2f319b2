/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/http/network.h"

/* NETWORK NUL ADDRESS */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *network;
    const char *address;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    network = text;
    address = strlen(text) < size ? text + strlen(text) + 1 : "";
    if (network_has(network, address)) {
        CHECK(network_is_valid(network));
        CHECK(network_has("*", address));
        CHECK(strcmp(network, "*") == 0 || network_is_valid(address));
    }
    /* What is an address is a network, and in itself. */
    if (network_is_valid(network) && !strpbrk(network, "/*")) {
        CHECK(network_has(network, network));
    }
    free(text);
    return 0;
}
