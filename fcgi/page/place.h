/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_PLACE_H
#define FCGI_PAGE_PLACE_H

/*
 * From the path of a page to what it is about. Pure. Below the prefix at which the page lives, a
 * path is what one would type behind `docker pull HOST/`:
 *
 *   ""                    the front: repositories
 *   "team/"               those below a namespace
 *   "team/app"            a repository
 *   "team/app:1.0"        an image, by tag
 *   "team/app@sha256:…"   an image, by digest
 *   "-/WORD", "-/WORD/…"  what is none of these; no name begins with '-'
 *   "-/name/…"            any of the first five, for names that mean something else to a web
 *                         server, such as "v2/app"
 * and, wherever the page lives, "/v1/search" and "/v1/_ping".
 */

#include <stdbool.h>

#include "lib/oci/digest.h"
#include "lib/oci/name.h"

enum place_kind {
    PLACE_FRONT,      /* `name` is the namespace, or "" */
    PLACE_REPOSITORY, /* `name` */
    PLACE_IMAGE,      /* `name` and `reference` */
    PLACE_OWN,        /* `word`, and `rest` behind its slash */
    PLACE_SEARCH,     /* /v1/search */
    PLACE_PING,       /* /v1/_ping */
};

struct place {
    enum place_kind kind;
    char name[NAME_SIZE];
    char reference[DIGEST_TEXT_SIZE]; /* a tag or a digest, and valid */
    bool is_digest;
    char word[32];
    char rest[128];
};

/*
 * `path` is decoded; `prefix` begins and ends with '/'. False for what is not below the prefix, or
 * is nothing: names and references are of the right form, but what they are about may not exist.
 */
bool place_parse(const char *path, const char *prefix, struct place *out_place);

/* Whether BERTH_PAGE can be this. */
bool place_prefix_is_valid(const char *prefix);

/* Whether a name needs "-/name/" in front of it. */
bool place_name_is_awkward(const char *name);

#endif
