/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DESCRIPTION_H
#define OCI_DESCRIPTION_H

/*
 * What a manifest and an image's configuration say to people: kinds, platforms, sizes, annotations,
 * commands. Nothing of it is believed: digests and sizes that do not fit are left out, lists end at
 * their limits. What has to be right about a manifest is lib/oci/manifest's.
 */

#include "lib/oci/manifest.h"

enum {
    DESCRIPTION_PARTS = 500, /* layers or children that are taken */
    DESCRIPTION_WORDS = 500, /* items of any other list */
    PLATFORM_SIZE = 100,
};

enum description_kind {
    KIND_IMAGE,
    KIND_INDEX,
    KIND_SIGNATURE,
    KIND_SBOM,
    KIND_ATTESTATION,
    KIND_CHART,
    KIND_ARTIFACT,
};

/* "image", "index", "signature", "SBOM", … */
const char *description_kind_word(enum description_kind kind);
/* By the type of an artifact or of a configuration. */
enum description_kind description_kind_of(const char *type);

/* A layer, or a child of an index. */
struct description_part {
    struct digest digest;
    uint64_t size; /* bytes */
    char media_type[MEDIA_TYPE_SIZE];
    char artifact_type[MEDIA_TYPE_SIZE]; /* or "" */
    char platform[PLATFORM_SIZE];        /* "linux/arm64/v8"; "" if it is for none */
    bool is_attestation;                 /* of buildkit's, about another child */
    char title[256];                     /* what its annotations call it, or "" */
};

struct description {
    enum description_kind kind;
    char media_type[MEDIA_TYPE_SIZE];
    char artifact_type[MEDIA_TYPE_SIZE]; /* or "" */
    bool has_config;
    struct description_part config;
    struct description_part *parts;
    size_t part_count;
    uint64_t size; /* of configuration and layers, bytes */
    bool has_subject;
    struct digest subject;
    struct names annotations; /* names and values in turns */
};

#define DESCRIPTION_INIT                                                                           \
    {                                                                                              \
        .annotations = NAMES_INIT                                                                  \
    }
#define AUTO_DESCRIPTION AUTO(description_release)
void description_release(struct description *description);

/* False if it is no strict JSON object. `media_type` is what it is stored as. */
bool description_read(struct description *out, const struct document *document,
                      const char *media_type);

/* What made a layer, or changed only the configuration. */
struct history_step {
    char *command;
    char *created; /* as it stands there */
    bool is_empty; /* no layer */
};

/* An image's configuration (image-spec, config.md). Texts are never NULL. */
struct image_config {
    char *created;
    char *platform;
    char *user;
    char *directory;
    char *stop_signal;
    struct names entrypoint;
    struct names command;
    struct names environment;
    struct names ports;
    struct names volumes;
    struct names labels; /* names and values in turns */
    struct history_step *steps;
    size_t step_count;
};

#define IMAGE_CONFIG_INIT                                                                          \
    {                                                                                              \
        .created = NULL                                                                            \
    }
#define AUTO_IMAGE_CONFIG AUTO(image_config_release)
void image_config_release(struct image_config *config);

/* False if it is no strict JSON object. */
bool image_config_read(struct image_config *out, const struct document *document);

#endif
