/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_ACCOUNT_H
#define FCGI_PAGE_ACCOUNT_H

/*
 * Logging in to the page and out again. A user of the
 * password file gets a cookie, which is a session of lib/access: it opens the page and nothing
 * below /v2/, where it is not looked at. Where the browser came by https, its name tells the
 * browser that no other host and no http can have set it.
 *
 * Where the web server authenticates, who one is stands in the request, and there is no form.
 */

#include "fcgi/page/view.h"

/* Whom the cookie of a page's request is of, if nothing else in it tells who asks. */
void account_identify(struct exchange *exchange);

/* Whether there is a form to log in by. */
bool account_has_form(const struct exchange *exchange);

/* Who one is, in the head of each page: name and a way out, or the way in. */
void account_add(struct view *view, struct html *html);

/* The path, with what it asks for, to come back to after logging in: of what is shown now. */
void account_add_return(const struct exchange *exchange, struct buffer *out);

/* Whether a browser may be led there: a path of the page's own, from its prefix. Pure. */
bool account_return_is_own(const char *prefix, const char *path);

#endif
