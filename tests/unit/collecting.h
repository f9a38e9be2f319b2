/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_COLLECTING_H
#define UNIT_COLLECTING_H

/* Runs of the collector in a test's store, without a grace, and images for it. */

#include "lib/store/collect.h"
#include "tests/unit/test.h"

/* What somebody has put into the store; each is one manifest. */
struct image {
    struct digest digest;
    struct digest layer;
};

struct collected {
    struct collect_report report;
    struct buffer found;    /* "path: why" a line */
    struct buffer problems; /* "path: what (what is spared)" */
};

#define AUTO_COLLECTED AUTO(collected_release)
void collected_release(struct collected *collected);

/* So that what was done before is older than what is done next, by the filesystem's clock, whose
 * time it returns. */
struct timespec let_time_pass(struct fixture *fixture);

/* What collect_store() returns. */
int collect_try(struct fixture *fixture, const struct collect_options *options,
                struct collected *out, struct error *error);
void collect_with(struct fixture *fixture, const struct collect_options *options,
                  struct collected *out);
/* As a run of `berth gc` with grace = 0s. */
void collect(struct fixture *fixture, struct collected *out);
/* With an age for untagged manifests, which has passed when this is called. */
void collect_untagged(struct fixture *fixture, struct collected *out);

/* An image of its own layer, the subject of another one or of none. */
struct image push(const struct repository *repository, const char *note, const char *tag,
                  const struct digest *subject);
struct digest push_index(const struct repository *repository, const struct image *children,
                         size_t count, const char *tag);

/* Of team/app, and in their places. */
bool has_link(struct fixture *fixture, enum link_kind kind, const struct digest *digest);
bool has_blob(struct fixture *fixture, const struct digest *digest);
bool has_image(struct fixture *fixture, const struct image *image);
bool is_in_trash(struct fixture *fixture, const char *path);

#endif
