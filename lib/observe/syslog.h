/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_SYSLOG_H
#define OBSERVE_SYSLOG_H

/*
 * Lines for whoever listens at /dev/log, as authpriv.notice of "berth". The C library's syslog()
 * tells nobody what it has lost, and waits without end for a daemon that hangs.
 */

#include "lib/base/error.h"

/*
 * One line without its end. It waits a second for a daemon that is busy, and not again before that
 * one has taken something. ERROR_INTERNAL: it has not got it.
 */
int syslog_send(const char *line, struct error *error);

#endif
