/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/network.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/text.h"

enum { ADDRESS_BITS = 128, MAPPED_BITS = 96 };

/* Every address is one of IPv6: of IPv4, a mapped one. */
struct network {
    struct in6_addr address;
    unsigned bits; /* of it that count */
};

static bool network_parse_address(const char *text, struct in6_addr *out, bool *out_is_ipv4)
{
    struct in_addr old;

    *out_is_ipv4 = inet_pton(AF_INET, text, &old) == 1;
    if (!*out_is_ipv4) {
        return inet_pton(AF_INET6, text, out) == 1;
    }
    *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(out->s6_addr + MAPPED_BITS / 8, &old, sizeof(old));
    return true;
}

static bool network_parse(const char *text, struct network *out)
{
    size_t length = strcspn(text, "/");
    char address[INET6_ADDRSTRLEN];
    uint64_t bits = ADDRESS_BITS;
    unsigned before;
    bool is_ipv4;

    if (!text_copy(address, sizeof(address), text, length) ||
        !network_parse_address(address, &out->address, &is_ipv4)) {
        return false;
    }
    before = is_ipv4 ? MAPPED_BITS : 0;
    if (text[length] == '/') {
        const char *digits = text + length + 1;

        if (!text_number(digits, strlen(digits), &bits) || bits > ADDRESS_BITS - before) {
            return false;
        }
        bits += before;
    }
    out->bits = (unsigned)bits;
    return true;
}

bool network_is_valid(const char *network)
{
    struct network parsed;

    return strcmp(network, "*") == 0 || network_parse(network, &parsed);
}

bool network_has(const char *network, const char *address)
{
    struct network parsed;
    struct in6_addr asked;
    unsigned whole;
    unsigned rest;
    bool ignored;

    if (strcmp(network, "*") == 0) {
        return true;
    }
    if (!network_parse(network, &parsed) || !network_parse_address(address, &asked, &ignored)) {
        return false;
    }
    whole = parsed.bits / 8;
    rest = parsed.bits % 8;
    return memcmp(parsed.address.s6_addr, asked.s6_addr, whole) == 0 &&
           (rest == 0 || (parsed.address.s6_addr[whole] ^ asked.s6_addr[whole]) >> (8 - rest) == 0);
}
