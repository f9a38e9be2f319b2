/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_SETUP_JUDGE_H
#define FCGI_COMMAND_SETUP_JUDGE_H

/*
 * What a worker's answer shows about the web server and the workers, as findings. The web server's
 * part is what reaches a worker: parameters and bodies; the workers' part who they are and what
 * they read.
 */

#include "fcgi/command/setup_visit.h"

/* True if the workers' configuration is ours, as it is now. */
bool visit_judge_configuration(const struct visit *visit);
void visit_judge_process(const struct visit *visit);
void visit_judge_parameters(const struct visit *visit);

/* The web server's file, and why it would have to be copied. */
void visit_judge_body_file(const struct visit *visit, const char *file);

/* False if the body, which was sent in this way, did not come as it was sent. */
bool visit_judge_body(const struct visit *visit, const char *how);

#endif
