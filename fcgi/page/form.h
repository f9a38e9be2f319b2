/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_FORM_H
#define FCGI_PAGE_FORM_H

/*
 * Forms that change something. A page shows one with form_begin(), fields and form_end(); what a
 * browser sends is read by the row's function with form_read(), which refuses whatever was not sent
 * from that very form:
 *
 *   Sec-Fetch-Site, or where a browser does not say that, Origin, tells that it comes from here
 *   the token is of this caller, his session, what the form does, and to what
 *
 * The answer to a good one is form_done(): a 303 to what there is to see then.
 */

#include "fcgi/page/view.h"
#include "lib/http/form.h"

/* What a form does: the row that it is sent to. */
struct target {
    enum place_kind kind;  /* PLACE_REPOSITORY, PLACE_IMAGE or PLACE_OWN */
    const char *key;       /* the row's */
    const char *name;      /* of the repository, as the caller calls it; or NULL */
    const char *reference; /* a tag or a digest; or NULL */
};

/* The place that is shown, with another key. */
struct target form_target(const struct view *view, const char *key);

/* <form method="post" …> with its token. */
int form_begin(struct view *view, const struct target *target, struct error *error);
/* A field that nobody sees. `name` is a word. */
void form_hidden(struct view *view, const char *name, const char *value);
/* A button alone, which is all of a form. */
int form_button(struct view *view, const struct target *target, const char *words,
                struct error *error);
void form_end(struct view *view);

/*
 * The fields that were sent. ERROR_DENIED: not from this form, or not from here;
 * ERROR_REQUEST_INVALID: no form at all.
 */
int form_read(struct view *view, const struct target *target, struct query *out,
              struct error *error);
/* "" if there is none. */
const char *form_value(const struct query *form, const char *name);

/* Notes for the audit log what was done, as the handlers of /v2/ do. `digest` is NULL if it was to
 * no manifest in particular. */
void form_note(struct view *view, enum deed_kind kind, const struct digest *digest);

/* What was done, in a word that view_notice() knows, and a place to go on from; `name` NULL: the
 * front. */
void form_done(struct view *view, const char *what, const char *name, const char *reference);

/* Whether this caller may do that to a repository: for who shows buttons. */
bool form_may(const struct view *view, const char *name, enum permission permission);

#endif
