/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The special-purpose registries of IANA (RFC 6890 and its successors). */
static const struct {
    uint32_t network;
    unsigned bits;
} private_ipv4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local; cloud metadata */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

static bool is_public_ipv4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(private_ipv4) / sizeof(*private_ipv4); i++) {
        if ((address ^ private_ipv4[i].network) >> (32 - private_ipv4[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

/* Global unicast is 2000::/3; what is special inside of it is listed. */
static bool is_public_ipv6(const struct in6_addr *address)
{
    const uint8_t *byte = address->s6_addr;

    if (IN6_IS_ADDR_V4MAPPED(address)) {
        return is_public_ipv4((uint32_t)byte[12] << 24 | (uint32_t)byte[13] << 16 |
                              (uint32_t)byte[14] << 8 | byte[15]);
    }
    if ((byte[0] & 0xe0) != 0x20) {
        return false; /* loopback, NAT64, ULA, link-local, multicast, and what is not assigned */
    }
    if (byte[0] == 0x20 && byte[1] == 0x01) {
        bool assignments = (byte[2] & 0xfe) == 0; /* 2001::/23, Teredo among them */
        bool documentation = byte[2] == 0x0d && byte[3] == 0xb8;

        return !assignments && !documentation;
    }
    if (byte[0] == 0x3f && byte[1] == 0xff && byte[2] < 0x10) {
        return false; /* 3fff::/20, documentation */
    }
    return !(byte[0] == 0x20 && byte[1] == 0x02); /* 6to4 */
}

static bool is_same(const struct sockaddr *left, const struct sockaddr *right)
{
    if (!right || left->sa_family != right->sa_family) {
        return false;
    }
    if (left->sa_family == AF_INET) {
        return ((const struct sockaddr_in *)(const void *)left)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)right)->sin_addr.s_addr;
    }
    return left->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)(const void *)left)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)right)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

static bool is_own(const struct sockaddr *address)
{
    struct ifaddrs *interfaces = NULL;
    bool own = false;

    if (getifaddrs(&interfaces) < 0) {
        return false;
    }
    for (const struct ifaddrs *i = interfaces; i && !own; i = i->ifa_next) {
        own = is_same(address, i->ifa_addr);
    }
    freeifaddrs(interfaces);
    return own;
}

bool address_is_public(const struct sockaddr *address)
{
    bool public = false;

    if (address->sa_family == AF_INET) {
        public = is_public_ipv4(
            ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    } else if (address->sa_family == AF_INET6) {
        public = is_public_ipv6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    }
    return public && !is_own(address);
}

static bool label_is_valid(const char *label, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    return length > 0 && length <= 63 && strspn(label, allowed) >= length && label[0] != '-' &&
           label[length - 1] != '-';
}

bool host_is_valid(const char *host)
{
    const char *label = host;
    unsigned count = 0;

    if (strnlen(host, 254) > 253) {
        return false;
    }
    for (;;) {
        size_t length = strcspn(label, ".");

        if (!label_is_valid(label, length)) {
            return false;
        }
        count++;
        if (label[length] == '\0') {
            /* A top-level domain begins with a letter: "1", "0x7f" and "127.1" end here. */
            return count >= 2 && label[0] >= 'a' && label[0] <= 'z';
        }
        label += length + 1;
    }
}
