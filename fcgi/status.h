/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_STATUS_H
#define FCGI_STATUS_H

/* What an error is to a client (distribution-spec, "Error Codes"): the only place that decides it.
 */

#include "lib/base/error.h"

/* The HTTP status. */
int status_of_error(enum error_code code);

/* One of the identifiers that the specification has; where none fits, UNSUPPORTED. */
const char *status_identifier(enum error_code code);

/* The words behind a status in the status line. */
const char *status_reason(int status);

#endif
