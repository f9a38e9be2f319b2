/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_RIGHT_H
#define ACCESS_RIGHT_H

/* What one may do to a repository. A mask of these is an unsigned int. */

enum right {
    RIGHT_PULL = 1,
    RIGHT_PUSH = 2,      /* and with it pull, which whoever gives it adds */
    RIGHT_OVERWRITE = 4, /* moving a tag that exists */
    RIGHT_DELETE = 8,
};

enum { RIGHT_NONE = 0, RIGHT_ALL = RIGHT_PULL | RIGHT_PUSH | RIGHT_OVERWRITE | RIGHT_DELETE };

#endif
