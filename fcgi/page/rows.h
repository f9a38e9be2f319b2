/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_PAGE_ROWS_H
#define FCGI_PAGE_ROWS_H

/*
 * The tags of a repository as people look for them: a row for each digest with all its tags,
 * filtered and sorted. Thousands of tags that machines make of commits are put aside unless they
 * are asked for, and so are those that tools keep signatures under.
 */

#include "lib/store/tagged.h"

enum { ROWS_TAGS = 20000, ROWS_UNTAGGED = 20000 };

enum rows_order { ROWS_NEWEST, ROWS_BY_VERSION };

struct rows_query {
    const char *filter; /* a part of a tag, or "" */
    enum rows_order order;
    bool with_commits;  /* also what only has tags such as "sha-0123abc" */
    bool with_untagged; /* also what has no tag */
};

struct row_of_tags {
    struct digest digest;
    size_t first;  /* of its tags in `tags`; the newest version is the first */
    size_t count;  /* 0: untagged */
    int64_t moved; /* when its last tag was put there, in seconds since the epoch */
};

struct rows {
    struct tagged_list tags; /* those of a row stand together */
    struct row_of_tags *rows;
    size_t count;
    size_t capacity;
    size_t commits;   /* rows that were put aside because all their tags are commits' */
    size_t tag_count; /* that there are, without those of tools */
    bool is_cut;
};

#define ROWS_INIT                                                                                  \
    {                                                                                              \
        .tags = TAGGED_LIST_INIT                                                                   \
    }
#define AUTO_ROWS AUTO(rows_release)
void rows_release(struct rows *rows);

int rows_read(const struct repository *repository, const struct rows_query *query, struct rows *out,
              struct error *error);

/* Whether a tag is one that a machine makes of a commit: "sha-0123abc", or digits of it alone. */
bool rows_tag_is_commit(const char *tag);

#endif
