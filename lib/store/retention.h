/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

/*
 * Which tags stay: the sections [retention NAME].
 *
 * A section is about the repositories that its patterns have and, in these, about the tags of its
 * `tags`, or all. A tag that no section is about stays. A tag that some are about stays if any key
 * of any of them keeps it; so rules add up, and their order does not matter:
 * - keep_tags: it is called like one of these.
 * - keep_newest: among the tags that the section is about and that its keep_tags does not keep
 *   anyway, it is one of so many that were pushed last; of those of the same second, the higher
 *   versions (lib/oci/version).
 * - keep_pushed_within: it was pushed within this time. A push is what the registry has seen; what
 * a builder says of when it built is nobody's business.
 * - keep_pulled_within: it was pulled, or pushed, within this time, as far as is known; and it
 * stays as long as nobody knows, since recording has not gone on for so long.
 *
 * Besides, whatever they say, stay:
 * - tags by which clients keep referrers ("sha256-DIGITS.sig"): they live with their subject;
 * - tags of which nobody knows when they were pushed, since their date is before the epoch or more
 *   than a day ahead; they take no place among the newest either;
 * - tags that are never moved nor deleted (immutable_tags): who wants one to go says so by hand;
 * - what was pushed or pulled within the grace, and what was taken back from the trash within the
 *   time in which it could be;
 * - a tag that stands for what a tag that stays stands for: what is kept is the image.
 *
 * Pure: nothing is looked up, and no clock is asked.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/buffer.h"
#include "lib/base/names.h"
#include "lib/oci/digest_keys.h"

/* The value of a key, and where it stands in the configuration; 0: it is not there. */
struct retention_list {
    struct names names;
    unsigned line;
};

struct retention_section {
    char *name;
    struct retention_list repositories;
    struct retention_list tags; /* none: all */
    struct retention_list keep_tags;
    struct retention_list ignore_agents;
    uint64_t keep_newest;        /* 0: no such rule */
    uint64_t keep_pushed_within; /* seconds; 0: no such rule */
    uint64_t keep_pulled_within; /* the same */
    unsigned keep_newest_line;
    unsigned keep_pushed_line;
    unsigned keep_pulled_line;
};

struct retention {
    struct retention_section *sections;
    size_t section_count;
};

bool retention_name_is_valid(const char *name);
/* What `repositories`, `tags` and `keep_tags`, and `ignore_agents` can be: an item of the list. */
bool retention_repository_is_valid(const char *pattern);
bool retention_tag_is_valid(const char *pattern);
bool retention_agent_is_valid(const char *pattern);

/* Whether it has any rule: without one, it would delete everything. */
bool retention_keeps(const struct retention_section *section);

/* Whether it is about this repository. */
bool retention_section_is_about(const struct retention_section *section, const char *repository);

/* Whether any section is about this repository. */
bool retention_is_about(const struct retention *rules, const char *repository);

/*
 * Whether pulls by this client are not to be noted in this repository, for all sections. In these
 * patterns `*` is anything; letters are the same in either case. `agent` may be NULL.
 */
bool retention_ignores(const struct retention *rules, const char *repository, const char *agent);

/* What is the same for all tags of a repository. */
struct retention_scene {
    const char *repository;
    time_t now;
    time_t noted_since;    /* when pulls began to be noted; 0: not yet */
    uint64_t pull_grain;   /* seconds by which the last pull may be later than is known */
    uint64_t grace;        /* seconds */
    uint64_t restored_for; /* seconds for which stays what was taken back */
};

enum retention_reason {
    RETENTION_NO_SECTION, /* is about it */
    RETENTION_KEPT_BY_NAME,
    RETENTION_NEWEST,
    RETENTION_PUSHED,
    RETENTION_PULLED,
    RETENTION_PULLS_UNKNOWN,
    RETENTION_REFERRER,
    RETENTION_UNDATED,
    RETENTION_IMMUTABLE,
    RETENTION_YOUNG,
    RETENTION_RESTORED,
    RETENTION_SAME_DIGEST,
    RETENTION_CHANGED, /* not by retention_judge(): since it was judged, so it stays this time … */
    RETENTION_NO_ROOM, /* … as it does on a full disk */
    RETENTION_UNKEPT,  /* it goes */
};

struct retention_verdict {
    enum retention_reason reason;
    /* Which decided: the one whose key keeps it, or the first that is about it; NULL: none is. */
    const struct retention_section *section;
    const char *key;     /* "keep_newest"; where none keeps it, "repositories"; NULL */
    unsigned line;       /* of the key; 0 */
    const char *same_as; /* of RETENTION_SAME_DIGEST: a tag that stays */
};

struct retention_tag {
    const char *name;
    struct digest_key digest;
    time_t pushed;
    time_t pulled;   /* the last one that is known; 0: none; before that: nobody knows when */
    time_t restored; /* 0: never */
    bool is_immutable;
    struct retention_verdict verdict; /* what comes out */
};

/* Gives each its verdict. `count` is how many tags the repository has: all of them are needed. */
void retention_judge(const struct retention *rules, const struct retention_scene *scene,
                     struct retention_tag *tags, size_t count);

bool retention_stays(const struct retention_verdict *verdict);

/* Adds why, for people: "keep_newest = 20 of [retention builds]". */
void retention_explain(const struct retention_verdict *verdict, struct buffer *out);

#endif
