/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_PAGE_H
#define FCGI_PAGE_PAGE_H

/*
 * The page that people look at, for dispatch. It is part of the same program and goes through the
 * same door: identity, permit, source. What it shows lies on disk; no upstream is asked.
 */

#include "fcgi/handle/exchange.h"

/*
 * Sets `page_prefix` if a request is one for the page: that is switched on, the web server says
 * where it lives, and the path is there. ERROR_INTERNAL if what the web server says makes no sense.
 */
int page_find(struct exchange *exchange, struct error *error);

/* Who asks, if it is for a page and handle_identify() does not know. */
void page_identify(struct exchange *exchange);

/* What a handler does. -1 for page_refuse(). */
int page_answer(struct exchange *exchange, struct error *error);

/* Turns an error into a page, or into JSON if that is asked for. */
void page_refuse(struct exchange *exchange, const struct error *error);

#endif
