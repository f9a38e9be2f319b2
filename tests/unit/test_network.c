/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "lib/http/network.h"

static void finds_an_address_in_its_network_only(void **state)
{
    static const struct {
        const char *network;
        const char *address;
        bool has;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"127.0.0.0/8", "127.255.0.9", true},
        {"10.1.2.3/8", "10.9.9.9", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"::1", "::1", true},
        {"::1", "0:0:0:0:0:0:0:1", true},
        {"::1", "127.0.0.1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::/0", "2001:db8::1", true},
        {"*", "203.0.113.9", true},
        {"*", "", true},
        {"127.0.0.1", "", false},
        {"127.0.0.1", "127.0.0.1, 10.0.0.1", false},
        {"127.0.0.1", " 127.0.0.1", false},
        {"127.0.0.1", "localhost", false},
        {"127.0.0.1", "127.1", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (network_has(rows[i].network, rows[i].address) != rows[i].has) {
            fail_msg("%s in %s", rows[i].address, rows[i].network);
        }
        assert_true(network_is_valid(rows[i].network));
    }
}

static void refuses_what_is_no_network(void **state)
{
    static const char *const texts[] = {"",           "localhost",    "10.0.0.0/33", "10.0.0.0/",
                                        "10.0.0.0/x", "10.0.0.0/-1",  "::/129",      "10.0.0/8",
                                        "**",         "10.0.0.0/8/8", "010.0.0.1/",  "1.2.3.4.5",
                                        "::1%lo"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (network_is_valid(texts[i]) || network_has(texts[i], "10.0.0.1")) {
            fail_msg("'%s' is taken for a network", texts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_an_address_in_its_network_only),
        cmocka_unit_test(refuses_what_is_no_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
