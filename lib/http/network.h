/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_NETWORK_H
#define HTTP_NETWORK_H

#include <stdbool.h>

/* Lists of addresses and networks: "127.0.0.1", "10.0.0.0/8", "2001:db8::/32"; "*" for all. Pure.
 */

/* Bits below the mask are no mistake: 10.1.2.3/8 is 10.0.0.0/8. */
bool network_is_valid(const char *network);

/* Whether the address, in text, is in the network. An IPv4 address that is written as one of IPv6
 * (::ffff:192.0.2.1) is the same one. What is no address is in none but "*". */
bool network_has(const char *network, const char *address);

#endif
