/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

/*
 * Starts a process that outlives its parent and its parent's client, with no descriptors but
 * standard error and those in `keep` (without standard error, where a CGI program's is a pipe). It
 * stays in its parent's process group, so that whoever ends the pool as a whole ends it, too;
 * signals do again what they do by default. Returns 1 in the parent, 0 in the new process, which
 * has to end with _exit(), and -1 on failure. The parent gets no child to wait for.
 */
int process_detach(const int *keep, size_t keep_count, struct error *error);

/*
 * Whom this process works for, and nobody else: the connection, or pipe, of a client that may hang
 * up. Whoever waits for something that only this client wants looks now and then whether it still
 * does, and else lets go with ERROR_CLIENT_GONE. A process that is detached works for nobody, until
 * it is told for whom; -1: for nobody again.
 */
enum process_client {
    CLIENT_ENDS_WHEN_GONE, /* FastCGI: it sends its end together with its leaving */
    CLIENT_ENDS_ITS_BODY,  /* CGI: it may have said that nothing more comes, and wait */
};
void process_serve(int descriptor, enum process_client kind);
bool process_is_deserted(void);

/*
 * Where this process, and perhaps others, take clients from: a socket that listens, and outlives
 * this; -1: nowhere. It is wanted while one waits there whom nobody has taken yet.
 */
void process_listen(int listener);
bool process_is_wanted(void);

/* In a forked process: the signals that ask a worker to end do so at once. */
void process_reset_signals(void);

#endif
