/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

/*
 * What the handlers talk to: from the name of a repository to where its content is. They never ask
 * whether it is hosted here or another registry's.
 *
 *   <name>               hosted here; if it is not, and a mirror root is configured: there
 *   proxy/<host>/<name>  another registry's
 *   <name>?ns=<host>     the same, as containerd says it
 */

#include <stdbool.h>

#include "lib/proxy/proxy.h"
#include "lib/store/repository.h"

struct registry_options {
    struct store_options hosted;
    bool read_only;
    uint64_t maximum_manifest_size; /* bytes */
    struct proxy_options proxy;
};

struct registry {
    const struct registry_options *options;
    struct store hosted;
    struct store cache;
};

#define REGISTRY_INIT                                                                              \
    {                                                                                              \
        .options = NULL, .hosted = STORE_INIT, .cache = STORE_INIT                                 \
    }

/* `options` must outlive the registry. */
int registry_open(struct registry *registry, const struct registry_options *options,
                  struct error *error);
void registry_close(struct registry *registry);

/* What a request says about the repository that it means. */
struct lookup {
    const char *name;
    const char *namespace; /* ?ns=, or NULL */
    const char *via;       /* the Via header, or NULL */
    const char *own_host;  /* the Host header, or NULL: as ?ns= it means hosted content */
    bool is_push;          /* then a mirror's names are hosted ones */
    bool may_wait;         /* for an upstream; see ERROR_WOULD_WAIT */
};

/* A repository, wherever it is. */
struct source {
    struct registry *registry;
    struct repository repository; /* where it is stored */
    bool is_proxied;
    bool is_fallback; /* not hosted, so a mirror's upstream is asked */
    struct proxied proxied;
    struct report report; /* what to tell the client besides */
};

#define SOURCE_INIT                                                                                \
    {                                                                                              \
        .registry = NULL, .report = REPORT_INIT                                                    \
    }
void source_release(struct source *source);

/* ERROR_NAME_INVALID, ERROR_DENIED. The repository need not exist. */
int registry_find(struct registry *registry, const struct lookup *lookup, struct source *out_source,
                  struct error *error);

/*
 * ERROR_READ_ONLY; ERROR_UNSUPPORTED for another registry's content; ERROR_NO_SPACE if there is no
 * room for `bytes` more.
 */
int source_check_writable(const struct source *source, uint64_t bytes, struct error *error);

/* See proxy_get_manifest(). */
int source_get_manifest(struct source *source, const char *reference, bool head_only,
                        struct stored_manifest *out_manifest, struct error *error);

/* See proxy_get_blob(). */
int source_get_blob(struct source *source, const struct proxy_blob_request *request,
                    struct proxy_blob *out_blob, struct error *error);

/* 1 if there are more behind the page; 0; -1, ERROR_NAME_UNKNOWN. */
int source_list_tags(struct source *source, const struct page *page, struct names *out,
                     struct error *error);

/* See referrers_list(). What comes from elsewhere is one page. */
struct referrers_query;
int source_list_referrers(struct source *source, const struct referrers_query *query,
                          struct buffer *out, struct digest *out_last, struct error *error);

#endif
