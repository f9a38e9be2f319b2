/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PROBLEM_H
#define FCGI_PROBLEM_H

#include "fcgi/response.h"

/*
 * Turns an error into the answer that the distribution specification has for it ("Error Codes").
 * `details` holds JSON values, one a line, each to be reported on its own; it may be empty. Headers
 * that are set already stay, those of content excepted.
 */
void response_error(struct response *response, const struct error *error,
                    const struct buffer *details);

#endif
