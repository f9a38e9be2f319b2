/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_IDENTITY_H
#define REGISTRY_IDENTITY_H

/*
 * Which repository a request is about, in the one spelling that rules judge, whatever way the
 * client had of saying it. Pure: nothing is looked up, so no answer depends on what exists.
 *
 *   <name>               hosted here: "team/app"
 *   proxy/<host>/<name>  another registry's: "proxy/docker.io/library/debian"
 *   <name>?ns=<host>     the same, as containerd says it; a host that is our own means hosted here
 *
 * A virtual host's prefix (BERTH_NAMESPACE) stands in front of each name that a client says, and
 * may itself begin with proxy/<host>. What `?ns=` names is not put below it: whether the virtual
 * host may reach that is for registry_permit() to judge.
 *
 * The spelling of an identity, read as a name without namespace and prefix, is that identity again.
 */

#include "lib/proxy/ask/upstream.h"

struct identity {
    char name[NAME_SIZE]; /* canonical */
    bool is_proxied;
    bool is_by_namespace;     /* ?ns= says which upstream it is */
    struct upstream upstream; /* if it is, and */
    char there[NAME_SIZE];    /* what the upstream calls it */
};

/* How a client says what it means. */
struct naming {
    const char *name;      /* in the path, or the `from` of a mount */
    const char *namespace; /* ?ns=, or NULL */
    const char *own_host;  /* the Host header, or NULL */
    const char *prefix;    /* what identity_prefix() has made, or "" */
};

/*
 * ERROR_NAME_INVALID; ERROR_DENIED for an upstream that must not be asked, which a namespace that
 * is no plain host is as well.
 */
int identity_find(struct identity *out_identity, const struct proxy_options *options,
                  const struct naming *naming, struct error *error);

/*
 * The canonical spelling of a virtual host's prefix; NULL is none. ERROR_INTERNAL if it is no name:
 * then the web server's configuration is wrong.
 */
int identity_prefix(char out_prefix[NAME_SIZE], const struct proxy_options *options,
                    const char *prefix, struct error *error);

/* Whether its name is below the prefix. Everything is below "". */
bool identity_is_below(const struct identity *identity, const char *prefix);

/*
 * Patterns are compared with canonical names. False if this one is of a registry's other name, or
 * lacks what goes in front of short names there, so that it can have none: then `out_cure` gets
 * what it should be.
 */
bool identity_pattern_is_canonical(const char *pattern, const struct proxy_options *options,
                                   struct buffer *out_cure);

/*
 * What to try when nothing is hosted under this name: the same name at the mirror's root. 1; 0 if
 * there is nothing to try; -1 as identity_find().
 */
int identity_mirror(const struct identity *identity, const struct proxy_options *options,
                    struct identity *out_mirrored, struct error *error);

#endif
