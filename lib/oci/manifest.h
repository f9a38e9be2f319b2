/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

/*
 * What a manifest says: its type, what it refers to, its subject. The document is read, never
 * written again: its bytes are what was hashed.
 *
 * Known are the image manifest and index of OCI, Docker's schema 2 and list, and the short-lived
 * OCI artifact manifest. Of any other type that is a JSON object, whatever looks like descriptors
 * in the usual places is taken for such. Docker's schema 1 is refused, and so is what other readers
 * would understand differently: a member that appears twice, or that differs from one of ours in
 * case only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/oci/digest.h"
#include "lib/oci/document.h"
#include "lib/oci/name.h"

#define MEDIA_TYPE_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

enum reference_kind {
    REFERENCE_BLOB,     /* a config, a layer */
    REFERENCE_MANIFEST, /* a child of an index */
};

struct reference {
    enum reference_kind kind;
    struct digest digest;
    uint64_t size;  /* bytes, as the manifest claims */
    bool elsewhere; /* has `urls`: the content need not be here (image-spec, layer.md) */
};

enum type_source {
    TYPE_UNKNOWN, /* only who stored it knows */
    TYPE_IMPLIED, /* by the structure of the document */
    TYPE_STATED,  /* by its mediaType */
};

struct manifest {
    char media_type[MEDIA_TYPE_SIZE];
    enum type_source type_source; /* whether the document itself tells it */
    struct reference *references;
    size_t reference_count;
    bool has_subject;
    struct digest subject;
    char *artifact_type; /* NULL, or what a referrers list shows */
    char *annotations;   /* NULL, or a JSON object */
};

#define MANIFEST_INIT                                                                              \
    {                                                                                              \
        .references = NULL                                                                         \
    }
#define AUTO_MANIFEST AUTO(manifest_release)

/* ERROR_MANIFEST_INVALID with the reason. */
int manifest_parse(struct manifest *out_manifest, const struct document *document,
                   struct error *error);
void manifest_release(struct manifest *manifest);

/*
 * How many descriptors of one manifest are taken: each is looked for, or gets a link. Those that
 * clients push, and what strangers may have fetched.
 */
enum { REFERENCES_HOSTED = 4000, REFERENCES_PROXIED = 1000 };

/* ERROR_MANIFEST_TOO_LARGE if it has more references than that. */
int manifest_check_count(const struct manifest *manifest, size_t limit, struct error *error);

/* application/json and the like: says nothing about a manifest. */
bool media_type_is_generic(const char *type);

/* The type that the document itself tells; `out_type` is untouched for TYPE_UNKNOWN. */
enum type_source manifest_media_type(const struct document *document,
                                     char out_type[MEDIA_TYPE_SIZE]);

/*
 * Whether a manifest can name this, or other manifests: where it cannot, which takes a fraction of
 * the time to see, it need not be parsed to know that it does not.
 */
bool manifest_may_name(const struct document *document, const struct digest *digest);

/* A descriptor as an image index lists it (distribution-spec, "Listing Referrers"). */
void manifest_describe(const struct manifest *manifest, const struct reference *self,
                       struct buffer *out);

#endif
