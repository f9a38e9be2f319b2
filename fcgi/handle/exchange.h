/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_HANDLE_EXCHANGE_H
#define FCGI_HANDLE_EXCHANGE_H

/*
 * One function per endpoint and method. A handler reads the request, talks to the registry and
 * fills in the response; it holds no storage logic and sends nothing. When it returns -1, the error
 * becomes the response; headers that it has set by then are sent with it.
 */

#include "fcgi/request.h"
#include "fcgi/response.h"
#include "fcgi/route.h"
#include "fcgi/site.h"
#include "lib/registry/registry.h"

struct configuration;

/* What a handler has done that others may be told of, see fcgi/tell. */
enum deed_kind {
    DEED_NONE,
    DEED_PUSH, /* a manifest */
    DEED_PULL,
    DEED_DELETE,
    DEED_PUSH_BLOB,
    DEED_DELETE_BLOB,
    DEED_DELETE_ALL, /* a repository */
    DEED_RESTORE,
    DEED_LOG_IN, /* what was shown was good */
    DEED_REFUSE, /* a log-in, by an answer that is no error */
};
struct deed {
    enum deed_kind kind;
    bool has_filled; /* the cache, to do it */
    struct digest digest;
    char media_type[MEDIA_TYPE_SIZE];
    uint64_t size;                /* bytes */
    char user[SUBJECT_NAME_SIZE]; /* who has filled in a form to log in; or who says so */
    char tag[TAG_SIZE];           /* by which it was pulled; or "" */
    struct names
        changes; /* "TAG DIGEST" each, of before; the digest is "" if there was no such tag */
};

/* A request on its way to its answer. The caller's, permits and source live as long. */
struct exchange {
    struct registry *registry;
    struct request *request;
    struct response response;
    struct route route;
    bool has_route; /* it is that of the request */
    struct caller caller;
    struct access *access; /* NULL where nobody logs in */
    struct access *signer; /* of forms, also there */
    struct site site;
    struct error
        refusal; /* of what the caller logs in with; ERROR_NONE if it is good, or nothing */
    enum permission wanted; /* the endpoint's */
    struct permit permit;   /* that it wants */
    struct source source;   /* of the route's name, if the permission is one for a repository */
    struct deed deed;
    const struct configuration *configuration;
    const char *obstacle;    /* what keeps us from serving, for who asks about that; or NULL */
    struct buffer details;   /* JSON to report with an error, one value a line */
    const char *page_prefix; /* where the page lives, if it is one that is asked for; or NULL */
    struct buffer session;   /* the cookie by which the page knows the caller; "" */
    bool may_wait;           /* nobody else waits for this process */
};

/* base.c */
int handle_base(struct exchange *exchange, struct error *error);

/* blob.c */
int handle_blob_get(struct exchange *exchange, struct error *error);
int handle_blob_delete(struct exchange *exchange, struct error *error);

/* upload.c */
int handle_uploads_post(struct exchange *exchange, struct error *error);
int handle_upload_get(struct exchange *exchange, struct error *error);
int handle_upload_patch(struct exchange *exchange, struct error *error);
int handle_upload_put(struct exchange *exchange, struct error *error);
int handle_upload_delete(struct exchange *exchange, struct error *error);

/* manifest.c */
int handle_manifest_get(struct exchange *exchange, struct error *error);
int handle_manifest_put(struct exchange *exchange, struct error *error);
int handle_manifest_delete(struct exchange *exchange, struct error *error);

/* list.c */
int handle_tags_get(struct exchange *exchange, struct error *error);
int handle_catalog_get(struct exchange *exchange, struct error *error);
int handle_referrers_get(struct exchange *exchange, struct error *error);

/* token.c */
int handle_token_get(struct exchange *exchange, struct error *error);
int handle_token_post(struct exchange *exchange, struct error *error);

/* setup.c */
int handle_setup_get(struct exchange *exchange, struct error *error);
int handle_setup_post(struct exchange *exchange, struct error *error);

/* metrics.c */
int handle_metrics_get(struct exchange *exchange, struct error *error);

/* health.c */
int handle_health_get(struct exchange *exchange, struct error *error);

/* login.c: who asks, for dispatch. */

/*
 * Fills in the caller's subject and what goes with it. A password or token that is no good is never
 * the same as none; it is kept in `refusal`, since some endpoints are for everybody.
 */
void handle_identify(struct exchange *exchange);

/* Adds to the details what the rules have against it, for whoever reads answers by programs. */
void handle_add_refusal(struct exchange *exchange, const struct identity *identity,
                        enum permission permission);

/*
 * Tells whom to ask for a token and, for a repository, what it is to be good for: by the name that
 * the client used. `error=` is for who has shown a token, and asks for another one then.
 */
void handle_add_challenge(struct exchange *exchange);

/* Whether somebody else may not have this answer. */
bool handle_is_private(const struct exchange *exchange);

/* base.c: what several of them need. */

/* The digests that a conditional field names ("HTTP_IF_MATCH"); false if there is no such field. */
struct digest_set;
bool handle_condition(const struct exchange *exchange, const char *name, struct digest_set *out);

/* ERROR_PRECONDITION if there is an If-Match that does not name the digest. */
int handle_check_match(const struct exchange *exchange, const struct digest *digest,
                       struct error *error);

/* If-None-Match names this digest: the answer is 304 and complete. */
bool handle_not_modified(struct exchange *exchange, const struct digest *digest);

/* The body as the fields of a form, which may be secret: AUTO_FORM. ERROR_REQUEST_INVALID. */
int handle_read_form(struct exchange *exchange, struct query *out, struct error *error);

/* Docker-Content-Digest and, for downloads, ETag. */
void handle_digest_headers(struct exchange *exchange, const struct digest *digest);

#endif
