/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_FILL_ERRAND_H
#define PROXY_FILL_ERRAND_H

/*
 * A question that another process of ours asks, which has a connection: what is written down of it,
 * and of the answer. Who asks, and whom, is lib/proxy/fill/fetcher's matter. An answer comes with
 * its whole body, so that is for what is read as a whole: manifests, lists, HEADs.
 */

#include "lib/proxy/ask/question.h"

/* The first line of one, by which it is told from a fetch. */
#define ERRAND_TITLE "ask"

void errand_write(const struct upstream *upstream, const struct question *question,
                  struct buffer *out);

/* Asks what is written, of the same upstream, and answers on the connection. False if that is no
 * errand; who sent it does without. */
bool errand_serve(const struct upstream *upstream, const struct buffer *text, int connection);

/*
 * Takes the answer from a connection that has something to read, as if question_ask() had got it:
 * 1, 0, -1. ERRAND_LOST: there is none.
 */
enum { ERRAND_LOST = -2 };
int errand_take(int connection, struct answer *out_answer, struct report *report,
                struct error *error);

#endif
