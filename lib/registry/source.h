/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_SOURCE_H
#define REGISTRY_SOURCE_H

/*
 * A repository, wherever it is: what registry_find() gives for a permit. Handlers never ask whether
 * it is hosted here or another registry's.
 */

#include "lib/proxy/proxy.h"
#include "lib/registry/permit.h"
#include "lib/store/pulled.h"
#include "lib/store/repository.h"

struct source {
    struct permit permit;         /* that it was opened with */
    struct repository repository; /* where it is stored */
    bool is_proxied;
    bool is_fallback; /* not hosted, so a mirror's upstream is asked */
    struct proxied proxied;
    struct report report; /* what to tell the client besides */
    /* Is told of each tag that is changed through it: see struct actor. NULL: nobody is. */
    void (*changed)(void *context, const char *tag, const struct digest *former);
    void (*done)(void *context, const struct actor_deed *deed); /* and of what was done */
    void *teller;                                               /* the context of both */
};

#define SOURCE_INIT                                                                                \
    {                                                                                              \
        .permit = PERMIT_INIT, .report = REPORT_INIT                                               \
    }
void source_release(struct source *source);

/*
 * Lets it wait for an upstream, if it has one: until then it says ERROR_WOULD_WAIT. `via` is the
 * client's Via header, or NULL. ERROR_UPSTREAM if the request has come through here before.
 */
int source_let_wait(struct source *source, const char *via, struct error *error);

/* Lets it wait for a moment at most, where that may do. `via` is to outlive it. */
void source_let_hurry(struct source *source, const char *via);

/* ERROR_NO_SPACE if there is no room for `bytes` more. */
int source_check_space(const struct source *source, uint64_t bytes, struct error *error);

/* See proxy_get_manifest(). */
int source_get_manifest(struct source *source, const char *reference, bool head_only,
                        struct stored_manifest *out_manifest, struct error *error);

/* That it was pulled, of what is hosted: see lib/store/pulled. Not by an `agent`, which may be
 * NULL, of which that is not to be noted: see lib/store/retention. */
void source_note_pull(const struct source *source, const struct pull *pull, const char *agent);

/*
 * Stores a manifest and points its tags to it, see repository_put_manifest(); who `put->actor` is,
 * and may do, is known here. ERROR_DENIED or ERROR_UNAUTHORIZED: this caller may not move one of
 * the tags.
 */
int source_put_manifest(const struct source *source, const struct manifest_put *put,
                        struct buffer *out_details, struct error *error);

/* The same for a tag that becomes what it was before, see put_back_tag(). 1, 0, -1. */
int source_put_back(const struct source *source, const char *tag, const struct digest *digest,
                    struct error *error);

/* Who the caller is for histories, and whether that one moves tags: for who restores what was
 * deleted. Good as long as the caller is. */
struct actor source_actor(const struct source *source);

/* See repository_delete_manifest() and repository_delete_tag(). */
int source_delete_manifest(const struct source *source, const struct digest *digest,
                           struct error *error);
int source_delete_tag(const struct source *source, const char *tag,
                      const struct digest_set *expected, struct error *error);

/* See repository_delete_all(). */
int source_delete_all(const struct source *source, struct error *error);

/* What was deleted, for who may delete: see deleted_list(). Nothing of what is cached. */
struct deleted;
int source_list_deleted(const struct source *source, struct deleted *out, struct error *error);

/* What was deleted by this permission comes back by it: a tag, a digest, or for "" all of the
 * repository. See lib/store/restore; `restoration->actor` is known here. */
struct restoration;
int source_restore(const struct source *source, struct restoration *restoration,
                   const char *reference, struct error *error);

/* See proxy_get_blob(). */
int source_get_blob(struct source *source, const struct proxy_blob_request *request,
                    struct proxy_blob *out_blob, struct error *error);

/*
 * Gives it a blob that another repository has ("Mounting a blob from another repository"): the one
 * that the client calls `from`, or, for NULL, any that has it. It looks only where this caller may
 * pull; whatever is wrong with `from`, the client is better off to upload. What belongs to another
 * registry is not mounted: it may be gone tomorrow. Durable on return. 1, 0, -1.
 */
int source_mount(struct source *source, const char *from, const struct digest *digest,
                 struct error *error);

/* 1 if there are more behind the page; 0; -1, ERROR_NAME_UNKNOWN. */
int source_list_tags(struct source *source, const struct page *page, struct names *out,
                     struct error *error);

/* See referrers_list(). */
struct referrers_query;
int source_list_referrers(struct source *source, const struct referrers_query *query,
                          struct buffer *out, struct digest *out_last, struct error *error);

#endif
