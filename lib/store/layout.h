/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

/*
 * Where things are on disk: the only place that makes paths. Below the root of a store it is the
 * layout of the registry "distribution", version 2, so that either program can serve what the other
 * wrote. What is ours alone begins with an underscore inside a repository, or is below `_berth`.
 *
 * Arguments have passed their parsers (name_is_valid() and so on): nothing here can be led outside.
 */

#include "lib/oci/digest.h"
#include "lib/oci/name.h"

struct path {
    char text[1024];
};

/* An entry of a directory, of which nothing has been parsed but that it is one. */
struct path layout_below(const char *directory, const char *entry);
/* The directory that a path is in. */
struct path layout_above(const char *path);
/* A path below a store's root or temporary directory, for those who have neither open. */
void layout_absolute(const char *root, const char *path, struct buffer *out);

/* Below the root of the store. */

#define LAYOUT_BLOBS "docker/registry/v2/blobs"
#define LAYOUT_REPOSITORIES "docker/registry/v2/repositories"
enum { LAYOUT_FIXED_LEVELS = 3 }; /* above these two */
#define LAYOUT_OWN "_berth"
#define LAYOUT_LOCKS "_berth/locks"
#define LAYOUT_DAMAGED "_berth/damaged"
#define LAYOUT_CENSUS "_berth/census"             /* what was last counted */
#define LAYOUT_SIZES "_berth/sizes"               /* and of each repository */
#define LAYOUT_PULLED_SINCE "_berth/pulled-since" /* its time: when pulls were first noted */
/* What became of what is done from time to time, see lib/store/chore. */
#define LAYOUT_LAST_COLLECT "_berth/last/gc"
#define LAYOUT_LAST_CHECK "_berth/last/check"

/* What was taken out and can be put back, see lib/store/trash: trees like the root's own. */
#define LAYOUT_TRASH "_berth/trash"
enum trash {
    TRASH_COLLECTED,
    TRASH_DELETED,
    TRASH_RETIRED, /* the tree of what was deleted, see trash_put() */
};
enum { TRASH_COUNT = 2 }; /* trees */
/* Where the file `path` lies then; "" for the tree. */
struct path layout_trash(enum trash which, const char *path);

enum link_kind {
    LINK_LAYER,    /* the repository may read this blob */
    LINK_REVISION, /* the repository has this manifest */
};

/* Where the blobs of an algorithm are, each below the first two of its digits. */
struct path layout_blobs(enum digest_algorithm algorithm);
struct path layout_blob(const struct digest *digest);
/* Whose blob has this path; false if it is none's. */
bool layout_read_blob(const char *path, struct digest *out_digest);
struct path layout_damaged(const struct digest *digest);
/* Where `path` of the store is kept when it is no blob, each time elsewhere. */
struct path layout_damaged_path(const char *id, const char *path);
/* When the blobs whose digits begin so were last verified, see lib/store/verified. */
struct path layout_verified(enum digest_algorithm algorithm, const char *prefix);
struct path layout_repository(const char *name);
/* Whose thing has this path, by the first name with an underscore; false if it is none's. */
bool layout_read_repository(const char *path, char out_name[NAME_SIZE]);
/* A repository is what has one of these two. */
struct path layout_layers(const char *name);
struct path layout_manifests(const char *name);

/* The link in the directory of one digest. */
struct path layout_link_in(const char *directory);

/* Where the links of a kind are, below a repository, below the root; and the link of one digest. */
struct path layout_links_within(enum link_kind kind, enum digest_algorithm algorithm);
struct path layout_links(const char *name, enum link_kind kind, enum digest_algorithm algorithm);
struct path layout_link(const char *name, enum link_kind kind, const struct digest *digest);

struct path layout_tags(const char *name);
struct path layout_tag(const char *name, const char *tag);
struct path layout_tag_current(const char *name, const char *tag);
/* The same below layout_tags(), for who has that open. */
struct path layout_tag_current_within(const char *tag);
/* One for every digest that the tag has ever stood for, below a directory; and where these are, of
 * all algorithms, and whether that is what a path stands for. */
struct path layout_tag_histories(const char *name, const char *tag,
                                 enum digest_algorithm algorithm);
struct path layout_tag_history(const char *name, const char *tag, const struct digest *digest);
struct path layout_tag_index(const char *name, const char *tag);
bool layout_is_tag_index(const char *path);
/* Whether a path ends with the directory of all manifests by one algorithm. */
bool layout_is_revisions(const char *path);

/* What is known of pulls by tag and by digest, and where the latter is; see lib/store/pulled. */
struct path layout_pulled_tag(const char *name, const char *tag);
struct path layout_pulled_digest(const char *name, const struct digest *digest);
struct path layout_pulled_digests(const char *name, enum digest_algorithm algorithm);

/* Ours beside that: who has done what with each tag and when, a file for each. See
 * lib/store/history.
 */
struct path layout_histories(const char *name);
struct path layout_history(const char *name, const char *tag);

/* A note that a manifest has lost its last tag to retention, and where these are. */
struct path layout_retired(const char *name, const struct digest *digest);
struct path layout_all_retired(const char *name, enum digest_algorithm algorithm);

/* Where those are, and what is known of referrers, of each algorithm. */
struct path layout_media_types(const char *name, enum digest_algorithm algorithm);
struct path layout_subjects(const char *name, enum digest_algorithm algorithm);

/* The media type of a manifest whose document does not tell it. */
struct path layout_media_type(const char *name, const struct digest *digest);

/* The manifests whose subject this is, each a file that holds its descriptor. */
struct path layout_referrers(const char *name, const struct digest *subject);
struct path layout_referrer(const char *name, const struct digest *subject,
                            const struct digest *referrer);

/* The lock under which a repository's tags are changed. Several repositories share one. */
struct path layout_repository_lock(const char *name);
enum { LAYOUT_LOCK_COUNT = 256 };
#define LAYOUT_REPAIR_LOCK "_berth/locks/repair"   /* one repair at a time */
#define LAYOUT_COLLECT_LOCK "_berth/locks/collect" /* one collector at a time */
#define LAYOUT_SPARE_LOCK "_berth/locks/spare"     /* where no inode is left for another */
struct path layout_lock(unsigned number);

#define LAYOUT_TRIAL "trial-" /* how its name begins */
/* A file by which it is tried whether files can be moved here from the temporary directory. */
struct path layout_trial(const char *id);

/* For `berth check --setup`: what it shows a worker, a file for the web server to send, and the
 * lock that it tries. */
#define LAYOUT_SETUP_TOKEN "_berth/setup-token"
#define LAYOUT_SETUP_PROBE "setup-probe-" /* how its name begins */
#define LAYOUT_SETUP_LOCK "_berth/locks/setup"
struct path layout_setup_probe(const struct digest *token);

/* Keys of tokens, and robots; and what one host counts of failed log-ins. */
#define LAYOUT_ACCESS "_berth/access"
struct path layout_access_host(const char *host);

/* Events on their way, see lib/observe/spool: the last one's number, and what each receiver has. */
#define LAYOUT_EVENTS_NUMBER "_berth/events/number"
#define LAYOUT_EVENTS_RECEIVERS "_berth/events/receivers"
struct path layout_events(const char *receiver, const char *what);

/* What hosts have counted, each in a directory of its own. */
#define LAYOUT_COUNTERS "_berth/counters"
struct path layout_counters_host(const char *host);

/* Below the root of a cache. */

/* Says how a blob was come by: one of several, by the hash of what it says. */
struct path layout_origin(const struct digest *digest, const struct digest *key);
/* All that is said of one. */
struct path layout_origins(const struct digest *digest);

#define LAYOUT_UPSTREAMS "_berth/upstreams"
#define LAYOUT_SPACE_LOCK "_berth/locks/space" /* room is looked for by one fetch at a time */
#define LAYOUT_USAGE "_berth/usage"            /* how full it is */
#define LAYOUT_EVICTED "_berth/evicted"        /* touched when room was last looked for unasked */
#define LAYOUT_EVICT_LOCK "_berth/locks/evict" /* room is made by one process at a time */
#define LAYOUT_KEPT "_berth/kept"              /* images that stay, by the hash of their names */
#define LAYOUT_KEPT_LOCK "_berth/locks/kept"
struct path layout_kept(const struct digest *key);
#define LAYOUT_FLIGHTS "_berth/flights"
#define LAYOUT_MEMOS "_berth/memos"
#define LAYOUT_CACHE_SWEPT "_berth/swept"
#define LAYOUT_CACHE_TEMPORARY "_berth/temporary" /* its temporary storage */

/* What all workers know of an upstream: its trouble, its rate limit, its tokens. */
#define LAYOUT_TOKENS "/tokens" /* below an upstream's directory */
struct path layout_upstream(const char *upstream, const char *what);
struct path layout_token(const char *upstream, const struct digest *key);

/* By the hash of what they are about: locks, and small answers that are kept for a while. */
struct path layout_flight(const struct digest *key);
struct path layout_memo(const struct digest *key);

/* One lock for each process that may wait for upstreams on a host. */
#define LAYOUT_SLOTS "_berth/slots"
struct path layout_slot(const char *host, const char *group, unsigned number);

#define LAYOUT_INSTANCE "_berth/instance" /* who we are, for others that we ask */

/* Below the temporary storage. */

#define LAYOUT_UPLOADS "uploads" /* sessions, see lib/store/upload */
#define LAYOUT_PIECES "pieces"   /* files on their way to a final name */
#define LAYOUT_BODIES "bodies"   /* request bodies that the web server has written */
#define LAYOUT_PARTIAL "partial" /* blobs that are being fetched, see lib/proxy/fill/fill */
#define LAYOUT_SWEPT "swept"     /* touched when abandoned uploads were last looked for */

struct path layout_upload(const char *id);
struct path layout_upload_data(const char *id);
struct path layout_upload_state(const char *id);
struct path layout_upload_lock(const char *id);
/* The lock in the directory of an upload or of a fetch, whosever it is. */
struct path layout_session_lock(const char *directory);
struct path layout_piece(const char *id);

/* `what` is a file in the directory of one fetch, or "" for the directory. */
struct path layout_partial(const char *upstream, const struct digest *digest, const char *what);
/* Whose directory this is; false if it is none. */
bool layout_read_partial(const char *directory, char out_upstream[NAME_SIZE],
                         struct digest *out_digest);

#endif
