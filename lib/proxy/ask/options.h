/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_ASK_OPTIONS_H
#define PROXY_ASK_OPTIONS_H

/* What a configuration says about other registries. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/store/store.h"

/* A section [upstream NAME] or, for credentials of some repositories, [upstream NAME/PREFIX]. */
struct upstream_options {
    char *name;              /* a host name, or an alias for one */
    char *url;               /* "https://host[:port]"; NULL: https://NAME */
    char *username;          /* NULL: anonymous */
    char *password;          /* NULL if there is a file */
    char *password_file;     /* absolute path */
    char *default_namespace; /* for names of one component; NULL: none */
    char *token_host;        /* a host that may see the credentials, besides those of the domain */
    bool allow_private_address;
};

struct proxy_options {
    struct store_options store;
    bool enabled;
    char *upstreams;                /* "*", or the names that may be asked, with commas */
    uint64_t maximum_size;          /* bytes that blobs and manifests may take; 0: any */
    uint64_t maximum_age;           /* seconds since the last use; 0: any */
    uint64_t tag_ttl;               /* seconds */
    uint64_t connect_timeout;       /* seconds until a connection stands */
    uint64_t stall_timeout;         /* seconds without a byte */
    uint64_t minimum_rate;          /* bytes per second, on average over stall_timeout; 0: any */
    uint64_t maximum_manifest_size; /* bytes; the same as for what is hosted */
    uint64_t maximum_waiting;       /* requests that wait for upstreams at a time, on this host */
    char *http_proxy;               /* "" for none */
    char *ca_file;                  /* "" for the system's */
    struct digest fingerprint; /* of the configuration; its text is empty where there is none */
    char *mirror_root;         /* upstream for names that are not hosted here; "" for none */
    struct upstream_options *sections;
    size_t section_count;
};

#endif
