/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNT_COUNTERS_H
#define COUNT_COUNTERS_H

/*
 * The numbers of a host, which all its processes share: a small file in a directory of this host
 * alone, mapped by each of them. To count is to add to memory: no call, no lock, and nothing that a
 * kill could leave half done. What is counted is in lib/observe/count/tally.
 *
 * Counting never fails and never harms who counts. Before counters_open(), or where the file is
 * somebody else's or has no room, a process and its children count for themselves. If the file is
 * cut short or its disk fails under somebody's hands, whoever has it mapped notices (SIGBUS), and
 * goes on with memory of his own until counters_look_after() finds a file again.
 *
 * The file is named by its layout: a version of this program that counts something else has one of
 * its own, into which it takes over what is the same, while workers of the version before still
 * count in theirs. What nobody has written to for a week is removed then.
 *
 * Like the log, the counters are the process's, and no parameter: counters_tally() is theirs.
 */

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/observe/count/tally.h"

/*
 * Shares the file in `directory`, an absolute path; it is made if it is not there, and the
 * directory above it, but nothing higher: a store that is not mounted stays as it is. `upstreams`
 * are the names that get numbers of their own; the tally's last one is the others'. 0; -1 if this
 * process counts alone, with the reason. May be called again: nothing is done if all is well.
 */
int counters_open(const char *directory, const struct names *upstreams, struct error *error);

/* Never NULL. Whoever keeps it beyond a call may look at memory of before. */
struct tally *counters_tally(void);

/*
 * For who counts requests, now and then, and for who shows the numbers: whether the file is still
 * there and whole; else it is opened anew.
 */
void counters_look_after(void);

/* Whether the file has been lost under our hands since. */
bool counters_are_lost(void);

/* Whether all processes of this host share what is counted here. */
bool counters_are_shared(void);

/* The place of an upstream's numbers: COUNTED_OTHERS if it has none of its own. */
size_t counters_upstream(const char *name);
/* Those that may have one. */
const struct names *counters_upstreams(void);

/*
 * For who only looks, at whichever host's: what the file of this layout in an open directory says.
 * 1; 0 if there is none that is whole; -1.
 */
int counters_read(int directory, struct tally *out, struct error *error);

/* Lets the file go; what is counted then, this process counts for itself. */
void counters_close(void);

#endif
