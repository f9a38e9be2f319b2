/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_ASK_H
#define FCGI_COMMAND_ASK_H

/*
 * Asks for a new password: twice and without showing it on a terminal, else the first line of
 * standard input. Wipe it with buffer_wipe(). ERROR_REQUEST_INVALID for one that nobody could log
 * in with: empty, with control characters, too long; Ctrl-C is one of these.
 */

#include "lib/base/buffer.h"
#include "lib/base/error.h"

int ask_password(const char *user, struct buffer *out, struct error *error);

#endif
