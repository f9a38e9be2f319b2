/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PERMIT_H
#define REGISTRY_PERMIT_H

/*
 * Whether somebody may do something: asked in one place, before anything is looked up. The answer
 * is a permit, for one identity and one permission; what opens a repository or lists them takes a
 * permit, and registry_permit() alone makes one.
 *
 * It judges by names and never by what exists, so that no refusal tells what does.
 */

#include "lib/registry/identity.h"
#include "lib/registry/options.h"

/* What can be allowed. Each row of the table of endpoints names one of these. */
enum permission {
    PERMISSION_NONE,      /* nothing is asked for: everybody may */
    PERMISSION_LOGIN,     /* that one has shown who one is: an anonymous token will do */
    PERMISSION_TOKEN,     /* of who can write into the store: see LAYOUT_SETUP_TOKEN */
    PERMISSION_METRICS,   /* of who asks from where numbers may be read */
    PERMISSION_LIST,      /* the names of repositories */
    PERMISSION_PULL,      /* what a repository has */
    PERMISSION_RESUME,    /* how far a push has come: of who may push, also while nobody can */
    PERMISSION_PUSH,      /* more in a repository */
    PERMISSION_DELETE,    /* less in it; what is another registry's is dropped from the cache */
    PERMISSION_OVERWRITE, /* beside PERMISSION_PUSH: moving a tag that is there */
};

/* Whether it is one for a repository, and registry_permit() needs an identity. */
static inline bool permission_names_repository(enum permission permission)
{
    return permission >= PERMISSION_PULL;
}

/* Whether it is for a few, and to everybody else the endpoint is not there. */
static inline bool permission_is_hidden(enum permission permission)
{
    return permission == PERMISSION_TOKEN || permission == PERMISSION_METRICS;
}

/* Who asks, and through which virtual host. */
struct caller {
    const struct registry_options *options;
    struct subject subject; /* as lib/access says */
    bool has_shown;         /* credentials of any kind that are good: an anonymous token is, too */
    bool cannot_log_in;     /* in this virtual host (BERTH_AUTHENTICATION = none) */
    char prefix[NAME_SIZE]; /* as identity_prefix() has made it; "" for none */
    const char *address;    /* REMOTE_ADDR; NULL if that is of who has passed the request on */
    const char *token;      /* for PERMISSION_TOKEN; NULL if there is none */
};

/* Its members are for lib/registry/permit.c alone. */
struct permit {
    struct identity granted_identity;
    enum permission granted_permission;
    const struct caller *granted_caller; /* NULL: nothing was granted */
};

#define PERMIT_INIT                                                                                \
    {                                                                                              \
        .granted_caller = NULL                                                                     \
    }

/*
 * `identity` is NULL for a permission that is not about a repository. The permit is a copy of what
 * was judged; only the caller must outlive it.
 *
 * ERROR_UNAUTHORIZED: one has to log in. ERROR_DENIED: not this subject, or not through this
 * virtual host, or nobody can log in there. ERROR_READ_ONLY. ERROR_UNSUPPORTED: nothing is pushed
 * to another registry from here. ERROR_NOT_FOUND: to who may not there is no such thing
 * (permission_is_hidden()).
 */
int registry_permit(const struct caller *caller, const struct identity *identity,
                    enum permission permission, struct permit *out_permit, struct error *error);

/* The same for another identity or permission: what the permitted thing needs besides. */
int permit_extend(const struct permit *permit, const struct identity *identity,
                  enum permission permission, struct permit *out_permit, struct error *error);

/*
 * What the rules say to this. False if they are not asked: in mode `none`, and for what is not
 * about a repository.
 */
bool permit_decide(const struct caller *caller, const struct identity *identity,
                   enum permission permission, struct decision *out);

/*
 * Whether this caller may pull all that can be below a name that ends with a slash, or "": for sums
 * of which others would learn what they may not see. By the rules, as always, and rather no than
 * yes: what they exclude counts whether it is there or not.
 */
bool permit_sees_all(const struct permit *permit, const char *below);

/* The right that a permission for a repository takes. */
enum right permission_right(enum permission permission);

/* ERROR_INTERNAL if it was granted for something else: then the program is wrong. */
int permit_check(const struct permit *permit, enum permission permission, struct error *error);

/* What it was granted for. */
const struct identity *permit_identity(const struct permit *permit);
enum permission permit_permission(const struct permit *permit);
const struct caller *permit_caller(const struct permit *permit);

#endif
