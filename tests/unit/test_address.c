/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "lib/http/address.h"

/* Whether an address, as text, is public. */
static bool is_public(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        return address_is_public((const struct sockaddr *)(const void *)&four);
    }
    if (inet_pton(AF_INET6, text, &six.sin6_addr) != 1) {
        fail_msg("'%s' is no address", text);
    }
    return address_is_public((const struct sockaddr *)(const void *)&six);
}

static void the_public_internet_is_public(void **state)
{
    static const char *const addresses[] = {
        "1.1.1.1",         "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
        "192.0.1.0",       "192.0.3.0",       "192.88.98.255",   "192.88.100.0",
        "192.167.255.255", "192.169.0.0",     "198.17.255.255",  "198.20.0.0",
        "198.51.99.255",   "198.51.101.0",    "203.0.112.255",   "203.0.114.0",
        "223.255.255.255", "2606:4700::1111", "2001:200::1",     "2001:4860:4860::8888",
        "2a00:1450::1",    "3ffe:ffff::1",    "3fff:1000::1",    "::ffff:1.1.1.1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        if (!is_public(addresses[i])) {
            fail_msg("%s is public", addresses[i]);
        }
    }
}

static const char *const private_addresses[] = {"0.0.0.0",
                                                "0.255.255.255",
                                                "10.0.0.0",
                                                "10.255.255.255",
                                                "100.64.0.0",
                                                "100.127.255.255",
                                                "127.0.0.1",
                                                "127.255.255.255",
                                                "169.254.0.0",
                                                "169.254.169.254",
                                                "172.16.0.0",
                                                "172.31.255.255",
                                                "192.0.0.1",
                                                "192.0.2.1",
                                                "192.88.99.1",
                                                "192.168.0.0",
                                                "192.168.255.255",
                                                "198.18.0.0",
                                                "198.19.255.255",
                                                "198.51.100.1",
                                                "203.0.113.1",
                                                "224.0.0.0",
                                                "239.255.255.255",
                                                "240.0.0.0",
                                                "255.255.255.255",
                                                "::",
                                                "::1",
                                                "::127.0.0.1",
                                                "::8.8.8.8",
                                                "::ffff:127.0.0.1",
                                                "::ffff:10.1.2.3",
                                                "::ffff:0:0",
                                                "64:ff9b::8.8.8.8",
                                                "64:ff9b:1::1",
                                                "100::1",
                                                "2001::1",
                                                "2001:0:4136::1",
                                                "2001:1ff::1",
                                                "2001:db8::1",
                                                "2002:a00:1::1",
                                                "2002:808:808::1",
                                                "3fff::1",
                                                "3fff:fff::1",
                                                "fc00::1",
                                                "fdff:ffff::1",
                                                "fe80::1",
                                                "febf::1",
                                                "fec0::1",
                                                "ff02::1",
                                                "4000::1",
                                                "1fff::1",
                                                "::ffff:169.254.0.1"};

static void what_may_trust_its_neighbours_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(private_addresses); i++) {
        if (is_public(private_addresses[i])) {
            fail_msg("%s is not public", private_addresses[i]);
        }
    }
}

static void what_is_no_internet_address_is_not(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/docker.sock"};

    (void)state;
    assert_false(address_is_public((const struct sockaddr *)(const void *)&local));
}

/* Whatever this machine's own addresses are. */
static void this_machine_is_not(void **state)
{
    struct ifaddrs *interfaces = NULL;

    (void)state;
    assert_int_equal(getifaddrs(&interfaces), 0);
    for (const struct ifaddrs *i = interfaces; i; i = i->ifa_next) {
        if (i->ifa_addr) {
            assert_false(address_is_public(i->ifa_addr));
        }
    }
    freeifaddrs(interfaces);
}

static void hosts_have_names(void **state)
{
    static const char *const names[] = {
        "docker.io",       "registry-1.docker.io",  "a.b",      "1.example",
        "1.2.3.example",   "xn--bcher-kva.example", "0x7f.dev", "a-b.c-d.e",
        "127.0.0.1.nip.io"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!host_is_valid(names[i])) {
            fail_msg("'%s' is a host", names[i]);
        }
    }
}

static void what_could_lead_elsewhere_is_no_host(void **state)
{
    static const char *const names[] = {
        "",       "localhost",    "intranet",     "127.0.0.1",   "1",     "127.1",
        "0x7f.1", "example.0x7f", "017700000001", "[::1]",       "::1",   "a.b:80",
        "u@a.b",  "a.b/c",        "a.b%eth0",     "Example.org", "a..b",  ".a.b",
        "a.b.",   "-a.b",         "a-.b",         "a.b-",        "a_b.c", "a b.c",
        "a.b\n",  "b\xc3\xbc.de", "a.1b",         "a.-b",        "..",    "a.b?x",
        "a.b#x",  "a\\b.c",       "*.a.b"};
    char label[66 + 3] = "";
    char whole[300] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (host_is_valid(names[i])) {
            fail_msg("'%s' is no host", names[i]);
        }
    }
    memset(label, 'a', 63);
    memcpy(label + 63, ".de", 4);
    assert_true(host_is_valid(label));
    memset(label, 'a', 64);
    memcpy(label + 64, ".de", 4);
    assert_false(host_is_valid(label));
    for (size_t i = 0; i < 252; i += 2) {
        memcpy(whole + i, "a.", 2);
    }
    memcpy(whole + 252, "a", 2); /* 253 bytes */
    assert_true(host_is_valid(whole));
    memcpy(whole + 252, "ab", 3);
    assert_false(host_is_valid(whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_internet_is_public),
        cmocka_unit_test(what_may_trust_its_neighbours_is_not),
        cmocka_unit_test(what_is_no_internet_address_is_not),
        cmocka_unit_test(this_machine_is_not),
        cmocka_unit_test(hosts_have_names),
        cmocka_unit_test(what_could_lead_elsewhere_is_no_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
