/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_ASK_H
#define FCGI_COMMAND_ASK_H

/*
 * Asks for a password: without showing it on a terminal, a new one twice; else the first line of
 * standard input. Wipe it with buffer_wipe(). ERROR_REQUEST_INVALID for one that nobody could log
 * in with: empty, with control characters, too long; Ctrl-C is one of these.
 */

#include "lib/base/buffer.h"
#include "lib/base/error.h"

enum ask { ASK_KNOWN, ASK_NEW };

int ask_password(const char *user, enum ask what, struct buffer *out, struct error *error);

#endif
