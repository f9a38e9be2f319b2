/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/registry/source.h"

#include <stdio.h>
#include <string.h>

#include "lib/store/catalog.h"
#include "lib/store/deleted.h"
#include "lib/store/put_back.h"
#include "lib/store/referrers.h"
#include "lib/store/restore.h"

void source_release(struct source *source)
{
    report_release(&source->report);
}

int source_let_wait(struct source *source, const char *via, struct error *error)
{
    return source->is_proxied ? proxied_let_wait(&source->proxied, via, error) : 0;
}

void source_let_hurry(struct source *source, const char *via)
{
    source->proxied.may_hurry = source->is_proxied;
    source->proxied.via = via;
}

int source_check_space(const struct source *source, uint64_t bytes, struct error *error)
{
    return store_check_space(source->repository.store, bytes, error);
}

/*
 * A name that is hosted nowhere and that the mirror's upstream does not let us see (as Docker Hub
 * says of what does not exist) is simply unknown.
 */
static bool is_hidden(const struct source *source, const struct error *error)
{
    return source->is_fallback && error->code == ERROR_UPSTREAM_REFUSED;
}

static int unless_unknown(const struct source *source, int found, const struct error *error)
{
    return found < 0 && is_hidden(source, error) ? 0 : found;
}

int source_get_manifest(struct source *source, const char *reference, bool head_only,
                        struct stored_manifest *out_manifest, struct error *error)
{
    if (source->is_proxied) {
        return unless_unknown(
            source, proxy_get_manifest(&source->proxied, reference, head_only, out_manifest, error),
            error);
    }
    return head_only
               ? repository_look_at_manifest(&source->repository, reference, out_manifest, error)
               : repository_get_manifest(&source->repository, reference, out_manifest, error);
}

void source_note_pull(const struct source *source, const struct pull *pull, const char *agent)
{
    const struct retention *retention = &permit_caller(&source->permit)->options->collect.retention;

    if (!source->is_proxied && !retention_ignores(retention, source->repository.name, agent)) {
        pulled_note(&source->repository, pull);
    }
}

/* Whether this caller may move tags. 0, -1. */
static int source_may_move(const struct source *source, struct error *error)
{
    struct permit permit = PERMIT_INIT;

    return permit_extend(&source->permit, permit_identity(&source->permit), PERMISSION_OVERWRITE,
                         &permit, error);
}

struct actor source_actor(const struct source *source)
{
    struct error refusal;

    return (struct actor){.name = permit_caller(&source->permit)->subject.name,
                          .moves_none = source_may_move(source, &refusal) < 0,
                          .changed = source->changed,
                          .done = source->done,
                          .context = source->teller};
}

/* What a refused move is told by: the rule. */
static int source_explain(const struct source *source, int result, struct error *error)
{
    struct error refusal;

    if (result < 0 && error->code == ERROR_DENIED && source_may_move(source, &refusal) < 0) {
        *error = refusal;
    }
    return result;
}

int source_put_manifest(const struct source *source, const struct manifest_put *put,
                        struct buffer *out_details, struct error *error)
{
    struct manifest_put judged = *put;
    struct actor actor;

    if (permit_check(&source->permit, PERMISSION_PUSH, error) < 0) {
        return -1;
    }
    actor = source_actor(source);
    judged.actor = &actor;
    return source_explain(
        source, repository_put_manifest(&source->repository, &judged, out_details, error), error);
}

static void source_ignore(void *context, const char *what, const char *why)
{
    (void)context;
    (void)what;
    (void)why;
}

int source_put_back(const struct source *source, const char *tag, const struct digest *digest,
                    struct error *error)
{
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&source->repository);
    struct actor actor;

    if (permit_check(&source->permit, PERMISSION_PUSH, error) < 0) {
        return -1;
    }
    actor = source_actor(source);
    restoration.actor = &actor;
    restoration.restored = source_ignore;
    restoration.problem = source_ignore;
    return source_explain(source, put_back_tag(&restoration, tag, digest, error), error);
}

int source_delete_manifest(const struct source *source, const struct digest *digest,
                           struct error *error)
{
    struct actor actor;

    if (permit_check(&source->permit, PERMISSION_DELETE, error) < 0) {
        return -1;
    }
    actor = source_actor(source);
    return repository_delete_manifest(&source->repository, digest, &actor, error);
}

int source_delete_tag(const struct source *source, const char *tag,
                      const struct digest_set *expected, struct error *error)
{
    struct actor actor;

    if (permit_check(&source->permit, PERMISSION_DELETE, error) < 0) {
        return -1;
    }
    actor = source_actor(source);
    return repository_delete_tag(&source->repository, tag, expected, &actor, error);
}

int source_delete_all(const struct source *source, struct error *error)
{
    struct actor actor;

    if (permit_check(&source->permit, PERMISSION_DELETE, error) < 0) {
        return -1;
    }
    actor = source_actor(source);
    return repository_delete_all(&source->repository, &actor, error);
}

int source_list_deleted(const struct source *source, struct deleted *out, struct error *error)
{
    struct store trash = STORE_INIT;
    struct repository there = source->repository;
    int found;

    if (permit_check(&source->permit, PERMISSION_DELETE, error) < 0) {
        return -1;
    }
    if (source->is_proxied) {
        return 0;
    }
    found = deleted_open(source->repository.store, &trash, error);
    if (found > 0) {
        there.store = &trash;
        found = deleted_list(&there, out, error);
        store_close(&trash);
    }
    return found;
}

int source_restore(const struct source *source, struct restoration *restoration,
                   const char *reference, struct error *error)
{
    struct actor actor;
    struct digest digest;
    int restored;

    if (permit_check(&source->permit, PERMISSION_DELETE, error) < 0) {
        return -1;
    }
    actor = source_actor(source);
    restoration->actor = &actor;
    if (!strchr(reference, ':')) {
        restored = *reference ? restore_tag(restoration, reference, error)
                              : restore_repository(restoration, error);
    } else {
        restored = digest_parse(&digest, reference, error) < 0
                       ? -1
                       : restore_manifest(restoration, &digest, error);
    }
    restoration->actor = NULL;
    return restored;
}

static bool may_push(const struct source *source)
{
    struct permit permit = PERMIT_INIT;
    struct error refusal;

    return permit_extend(&source->permit, permit_identity(&source->permit), PERMISSION_PUSH,
                         &permit, &refusal) == 0;
}

int source_get_blob(struct source *source, const struct proxy_blob_request *request,
                    struct proxy_blob *out_blob, struct error *error)
{
    int found;

    if (source->is_proxied) {
        return unless_unknown(source, proxy_get_blob(&source->proxied, request, out_blob, error),
                              error);
    }
    *out_blob = (struct proxy_blob){.is_stored = true};
    found = blob_find(&source->repository, &request->digest, &out_blob->blob, error);
    out_blob->size = out_blob->blob.size;
    if (found > 0 && request->head_only && may_push(source)) {
        blob_touch(&source->repository, &out_blob->blob);
    }
    return found;
}

/* The repository of that name, if it is hosted and this caller may pull from it. */
static bool find_origin(const struct source *source, const struct naming *naming,
                        struct repository *out)
{
    const struct caller *caller = permit_caller(&source->permit);
    struct permit permit = PERMIT_INIT;
    struct identity identity;
    struct error refusal;

    if (identity_find(&identity, &caller->options->proxy, naming, &refusal) < 0 ||
        identity.is_proxied ||
        permit_extend(&source->permit, &identity, PERMISSION_PULL, &permit, &refusal) < 0) {
        return false;
    }
    out->store = source->repository.store;
    (void)snprintf(out->name, sizeof(out->name), "%s", permit_identity(&permit)->name);
    return true;
}

/* Whether a name that the search has come by, which is no client's spelling but whole, will do. */
static bool may_look(const void *context, const char *name)
{
    struct repository ignored;

    return find_origin(context, &(struct naming){.name = name, .prefix = ""}, &ignored);
}

/* Where the blob may come from. 1, 0, -1. */
static int choose_origin(const struct source *source, const char *from, const struct digest *digest,
                         struct repository *out, struct error *error)
{
    const char *prefix = permit_caller(&source->permit)->prefix;
    struct catalog_search search = {.near = source->repository.name,
                                    .prefix = prefix,
                                    .digest = *digest,
                                    .may_look = may_look,
                                    .context = source};
    char name[NAME_SIZE];
    int found;

    if (from) {
        return find_origin(source, &(struct naming){.name = from, .prefix = prefix}, out);
    }
    found = catalog_find_blob(source->repository.store, &search, name, error);
    return found > 0 ? find_origin(source, &(struct naming){.name = name, .prefix = ""}, out)
                     : found;
}

int source_mount(struct source *source, const char *from, const struct digest *digest,
                 struct error *error)
{
    struct repository origin;
    struct blob blob;
    int found = permit_check(&source->permit, PERMISSION_PUSH, error);

    if (found == 0) {
        found = choose_origin(source, from, digest, &origin, error);
    }
    if (found > 0) {
        found = blob_find(&origin, digest, &blob, error);
    }
    return found > 0 ? blob_mount(&source->repository, &blob, error) : found;
}

int source_list_tags(struct source *source, const struct page *page, struct names *out,
                     struct error *error)
{
    int exists;

    if (source->is_proxied) {
        int more = proxy_list_tags(&source->proxied, page, out, error);

        return more < 0 && is_hidden(source, error)
                   ? error_set(error, ERROR_NAME_UNKNOWN, "repository unknown to the registry")
                   : more;
    }
    exists = repository_exists(&source->repository, error);
    if (exists <= 0) {
        return exists < 0
                   ? -1
                   : error_set(error, ERROR_NAME_UNKNOWN, "repository unknown to the registry");
    }
    return tag_list(&source->repository, page, out, error);
}

int source_list_referrers(struct source *source, const struct referrers_query *query,
                          struct buffer *out, struct digest *out_last, struct error *error)
{
    if (source->is_proxied) {
        return unless_unknown(
            source, proxy_list_referrers(&source->proxied, query, out, out_last, error), error);
    }
    return referrers_list(&source->repository, query, out, out_last, error);
}
