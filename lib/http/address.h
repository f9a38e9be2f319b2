/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Whether this is an address of the public internet, and not one of this machine's own: anything
 * else may be a service that trusts whoever reaches it. Addresses that wrap another one (mapped,
 * NAT64, 6to4, Teredo) are refused, since what they lead to is decided elsewhere; only a mapped
 * IPv4 address, which is the same thing in another spelling, is judged by what it maps.
 */
bool address_is_public(const struct sockaddr *address);

/*
 * Whether a client may name this host: a DNS name in lower case of at least two labels that cannot
 * be read as a number, without port, user or zone.
 */
bool host_is_valid(const char *host);

#endif
