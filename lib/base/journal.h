/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

/*
 * What a filesystem keeps of its names when the power is cut. All of them keep a name once the
 * directory that has it was synced, and that is all that most of them say. Those with one journal
 * for all of their metadata, which is written in the order in which things were done, keep more:
 * when a change is on the disk, everything that was done before it is, too, whoever has done it.
 * So there one sync of what was changed last takes the place of a sync of each directory.
 *
 * It says nothing of what is in files, which is not in the journal: that is file_sync()'s.
 */

#include <stdbool.h>

/*
 * Whether the filesystem of an open directory is one of those: XFS, and ext4 where it has a
 * journal, which is seen in /sys. False for all that we do not know, or cannot see: btrfs writes a
 * log per file, and what servers of network filesystems do is their affair.
 */
bool journal_keeps_order(int directory);

/*
 * Makes a change in such a filesystem, the time of a directory; sets errno where that fails. To
 * sync all that anybody has done there before:
 *   1. journal_change(): a sync goes as far as the last change of what is synced, which may have
 *      been long ago; false here says that we may not change this directory, and nothing else,
 *   2. sync_directory(),
 *   3. journal_change() once more: a filesystem that has given up its journal after an error of
 *      the disk may let a sync of a directory succeed (XFS does, since nothing waits for its log
 * any more), but nothing can be changed there. What was synced is on the disk if this succeeds.
 */
bool journal_change(int directory);

#endif
