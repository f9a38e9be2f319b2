/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_WALK_H
#define STORE_WALK_H

/*
 * What a store holds, one after the other, while others change it: for whoever looks at everything
 * (check, the catalog, a collector). Of blobs and links nothing is kept in memory, of tags and
 * repositories a directory at a time; what comes or goes meanwhile may be seen or not.
 *
 *   AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(store);
 *
 *   while ((found = blob_walk_next(&walk, &digest, error)) > 0) {
 *       if (found == WALK_STRAY) … walk.stray.text …
 *   }
 *   if (found < 0) …
 *
 * What is found is a name only: that there is a blob, a good link, a tag behind it is the caller's
 * to see. Something may be removed as soon as it was found.
 */

#include "lib/base/directory.h"
#include "lib/store/store.h"

enum { TAG_ENTRY_SIZE = 256 }; /* of a directory's entry, with its NUL */

enum walk_result {
    WALK_FAILED = -1,
    WALK_END,
    WALK_FOUND,
    WALK_STRAY, /* something that does not belong where it is: `stray` is its path */
};

/* The entries of a directory for each algorithm. */
struct digest_walk {
    struct path paths[DIGEST_ALGORITHM_COUNT];
    unsigned algorithm; /* whose directory it is; the next one's while none is open */
    struct directory directory;
};

/*
 * `passes_closed` is for who goes on where a directory cannot be looked at: that is stray, too,
 * instead of a failure, and `closed` says why; of anything else it says nothing, "". The same
 * directory may be met twice.
 */

/* Blobs, in no order. */
struct blob_walk {
    const struct store *store;
    struct digest_walk prefixes; /* the directories of the first two digits */
    struct directory directory;  /* one of them */
    char prefix[3];
    bool passes_closed;
    struct path stray;
    struct error closed;
};

#define AUTO_BLOB_WALK AUTO(blob_walk_release)
struct blob_walk blob_walk_begin(const struct store *store);
enum walk_result blob_walk_next(struct blob_walk *walk, struct digest *out_digest,
                                struct error *error);
void blob_walk_release(struct blob_walk *walk);

/* A repository's links of one kind, in no order. */
struct link_walk {
    const struct repository *repository;
    struct digest_walk links;
    struct path stray;
};

#define AUTO_LINK_WALK AUTO(link_walk_release)
struct link_walk link_walk_begin(const struct repository *repository, enum link_kind kind);
enum walk_result link_walk_next(struct link_walk *walk, struct digest *out_digest,
                                struct error *error);
void link_walk_release(struct link_walk *walk);

/* A repository's tags, in the order of their bytes. Of very many some thousands are in memory. */
struct tag_walk {
    const struct repository *repository;
    char after[TAG_ENTRY_SIZE];
    bool is_begun;
    struct names tags; /* all of those behind `after`, up to the last of these */
    size_t next;
    bool is_cut; /* there are more behind them */
    struct path stray;
};

#define AUTO_TAG_WALK AUTO(tag_walk_release)
/* `after`: begin behind this one; NULL or "": from the start. */
struct tag_walk tag_walk_begin(const struct repository *repository, const char *after);
/* The tag is good until the next call. */
enum walk_result tag_walk_next(struct tag_walk *walk, const char **out_tag, struct error *error);
void tag_walk_release(struct tag_walk *walk);

/* Repositories, in the order of their names' bytes: names that have layers or manifests. */
struct repository_walk {
    struct store *store;
    const char *prefix;
    const char *after;
    /* For who cleans up: removes directories with nothing in them, as a crash leaves them. Whoever
     * makes something there at this moment makes them again. */
    bool removes_empty;
    bool is_begun;
    struct walk_level *levels; /* one for each directory on the way down */
    size_t depth;
    size_t capacity;
    bool passes_closed;
    struct path stray;
    struct error closed;
};

#define AUTO_REPOSITORY_WALK AUTO(repository_walk_release)
/*
 * `prefix`: "team" for those below it, without `team` itself; "" for all. `after`: as for tags;
 * nothing is entered that lies wholly before it. Both must outlive the walk.
 */
struct repository_walk repository_walk_begin(struct store *store, const char *prefix,
                                             const char *after);
enum walk_result repository_walk_next(struct repository_walk *walk,
                                      struct repository *out_repository, struct error *error);
void repository_walk_release(struct repository_walk *walk);

/*
 * For who takes what is not there for unreferenced: a symbolic link in the place of a directory is
 * not followed, and is not nothing either, also when it leads nowhere, since others may reach what
 * is behind it, or it is there again tomorrow. Nor is what we may not look at, or what the disk
 * does not give.
 *
 * walk_open(): 1; 0 if there is no such directory; -1, also where it, or one above it in its
 * repository, is such a link. walk_refuse_links() is the same question about what was not found: 0;
 * -1, also where it cannot be looked at.
 */
int walk_open(struct directory *directory, const struct store *store, const char *path,
              struct error *error);
int walk_refuse_links(const struct store *store, const char *path, struct error *error);

/*
 * The repository name that an entry in the directory of the name `parent` ("": at the top) stands
 * for. False for what belongs to `parent` itself and for what can be no name.
 */
bool walk_child_name(const char *parent, const char *entry, char out_name[NAME_SIZE]);

#endif
