/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/description.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/memory.h"

static const double SIZE_LIMIT = 9007199254740991.0;

const char *description_kind_word(enum description_kind kind)
{
    static const char *const words[] = {
        [KIND_IMAGE] = "image",
        [KIND_INDEX] = "index",
        [KIND_SIGNATURE] = "signature",
        [KIND_SBOM] = "SBOM",
        [KIND_ATTESTATION] = "attestation",
        [KIND_CHART] = "chart",
        [KIND_ARTIFACT] = "artifact",
    };

    return words[kind];
}

enum description_kind description_kind_of(const char *type)
{
    static const struct {
        const char *part;
        enum description_kind kind;
    } kinds[] = {
        {"vnd.oci.image.config", KIND_IMAGE},
        {"vnd.docker.container.image", KIND_IMAGE},
        {"helm.config", KIND_CHART},
        {"helm.chart", KIND_CHART},
        {"spdx", KIND_SBOM},
        {"cyclonedx", KIND_SBOM},
        {"sbom", KIND_SBOM},
        {"syft", KIND_SBOM},
        {"in-toto", KIND_ATTESTATION},
        {"attestation", KIND_ATTESTATION},
        {"slsa", KIND_ATTESTATION},
        {"signature", KIND_SIGNATURE},
        {"sigstore", KIND_SIGNATURE},
        {"cosign", KIND_SIGNATURE},
        {"notary", KIND_SIGNATURE},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcasestr(type, kinds[i].part)) {
            return kinds[i].kind;
        }
    }
    return KIND_ARTIFACT;
}

void description_release(struct description *description)
{
    free(description->parts);
    names_release(&description->annotations);
    *description = (struct description)DESCRIPTION_INIT;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* "" if there is none. */
static const char *member_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(member(object, name));

    return text ? text : "";
}

static uint64_t member_size(const cJSON *object)
{
    const cJSON *size = member(object, "size");

    return cJSON_IsNumber(size) && size->valuedouble >= 0 && size->valuedouble <= SIZE_LIMIT
               ? (uint64_t)size->valuedouble
               : 0;
}

static void part_set_platform(struct description_part *part, const cJSON *platform)
{
    const char *os = member_text(platform, "os");
    const char *architecture = member_text(platform, "architecture");
    const char *variant = member_text(platform, "variant");

    if (*os && *architecture && strcmp(os, "unknown") != 0) {
        (void)snprintf(part->platform, sizeof(part->platform), "%.30s/%.30s%s%.30s", os,
                       architecture, *variant ? "/" : "", variant);
    }
}

static bool part_read(struct description_part *out, const cJSON *descriptor)
{
    const cJSON *annotations = member(descriptor, "annotations");
    struct error ignored;

    *out = (struct description_part){.size = member_size(descriptor)};
    if (digest_parse(&out->digest, member_text(descriptor, "digest"), &ignored) < 0) {
        return false;
    }
    (void)snprintf(out->media_type, sizeof(out->media_type), "%s",
                   member_text(descriptor, "mediaType"));
    (void)snprintf(out->artifact_type, sizeof(out->artifact_type), "%s",
                   member_text(descriptor, "artifactType"));
    (void)snprintf(out->title, sizeof(out->title), "%s",
                   member_text(annotations, "org.opencontainers.image.title"));
    out->is_attestation =
        strcmp(member_text(annotations, "vnd.docker.reference.type"), "attestation-manifest") == 0;
    part_set_platform(out, member(descriptor, "platform"));
    return true;
}

static void description_read_parts(struct description *description, const cJSON *root)
{
    static const char *const lists[] = {"manifests", "layers", "blobs"};

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        const cJSON *list = member(root, lists[i]);
        const cJSON *item;

        if (!cJSON_IsArray(list)) {
            continue;
        }
        description->parts = memory_allocate(DESCRIPTION_PARTS, sizeof(*description->parts));
        cJSON_ArrayForEach(item, list)
        {
            struct description_part *part = &description->parts[description->part_count];

            if (description->part_count < DESCRIPTION_PARTS && part_read(part, item)) {
                description->size += i > 0 ? part->size : 0;
                description->part_count++;
            }
        }
        return;
    }
}

/* The texts of an object, name and value in turns. */
static void read_pairs(const cJSON *object, struct names *out)
{
    const cJSON *item;

    if (!cJSON_IsObject(object)) {
        return;
    }
    cJSON_ArrayForEach(item, object)
    {
        if (cJSON_IsString(item) && out->count < (size_t)2 * DESCRIPTION_WORDS) {
            names_add(out, item->string);
            names_add(out, item->valuestring);
        }
    }
}

static enum description_kind description_judge(const struct description *description)
{
    if (strcmp(description->media_type, MEDIA_TYPE_OCI_INDEX) == 0 ||
        strcmp(description->media_type, MEDIA_TYPE_DOCKER_LIST) == 0) {
        return KIND_INDEX;
    }
    if (*description->artifact_type) {
        return description_kind_of(description->artifact_type);
    }
    return description->has_config ? description_kind_of(description->config.media_type)
                                   : KIND_ARTIFACT;
}

bool description_read(struct description *out, const struct document *document,
                      const char *media_type)
{
    AUTO_JSON cJSON *root = document_object(document);
    struct error ignored;

    if (!root) {
        return false;
    }
    *out = (struct description)DESCRIPTION_INIT;
    (void)snprintf(out->media_type, sizeof(out->media_type), "%s", media_type);
    (void)snprintf(out->artifact_type, sizeof(out->artifact_type), "%s",
                   member_text(root, "artifactType"));
    out->has_config = part_read(&out->config, member(root, "config"));
    description_read_parts(out, root);
    out->size += out->has_config ? out->config.size : 0;
    out->has_subject =
        digest_parse(&out->subject, member_text(member(root, "subject"), "digest"), &ignored) == 0;
    read_pairs(member(root, "annotations"), &out->annotations);
    out->kind = description_judge(out);
    return true;
}

void image_config_release(struct image_config *config)
{
    for (size_t i = 0; i < config->step_count; i++) {
        free(config->steps[i].command);
        free(config->steps[i].created);
    }
    free(config->steps);
    free(config->created);
    free(config->platform);
    free(config->user);
    free(config->directory);
    free(config->stop_signal);
    names_release(&config->entrypoint);
    names_release(&config->command);
    names_release(&config->environment);
    names_release(&config->ports);
    names_release(&config->volumes);
    names_release(&config->labels);
    *config = (struct image_config)IMAGE_CONFIG_INIT;
}

static void read_texts(const cJSON *array, struct names *out)
{
    const cJSON *item;

    if (!cJSON_IsArray(array)) {
        return;
    }
    cJSON_ArrayForEach(item, array)
    {
        if (cJSON_IsString(item) && out->count < DESCRIPTION_WORDS) {
            names_add(out, item->valuestring);
        }
    }
}

/* The names of an object's members: a set, in JSON. */
static void read_keys(const cJSON *object, struct names *out)
{
    const cJSON *item;

    if (!cJSON_IsObject(object)) {
        return;
    }
    cJSON_ArrayForEach(item, object)
    {
        if (out->count < DESCRIPTION_WORDS) {
            names_add(out, item->string);
        }
    }
}

static void read_history(struct image_config *config, const cJSON *history)
{
    const cJSON *item;

    if (!cJSON_IsArray(history)) {
        return;
    }
    config->steps = memory_allocate(DESCRIPTION_PARTS, sizeof(*config->steps));
    cJSON_ArrayForEach(item, history)
    {
        struct history_step *step = &config->steps[config->step_count];

        if (config->step_count == DESCRIPTION_PARTS) {
            break;
        }
        step->command = memory_text(member_text(item, "created_by"));
        step->created = memory_text(member_text(item, "created"));
        step->is_empty = cJSON_IsTrue(member(item, "empty_layer"));
        config->step_count++;
    }
}

bool image_config_read(struct image_config *out, const struct document *document)
{
    AUTO_JSON cJSON *root = document_object(document);
    const cJSON *config = member(root, "config");
    const char *variant = member_text(root, "variant");
    char platform[PLATFORM_SIZE];

    if (!root) {
        return false;
    }
    *out = (struct image_config)IMAGE_CONFIG_INIT;
    (void)snprintf(platform, sizeof(platform), "%.30s/%.30s%s%.30s", member_text(root, "os"),
                   member_text(root, "architecture"), *variant ? "/" : "", variant);
    out->platform = memory_text(strcmp(platform, "/") == 0 ? "" : platform);
    out->created = memory_text(member_text(root, "created"));
    out->user = memory_text(member_text(config, "User"));
    out->directory = memory_text(member_text(config, "WorkingDir"));
    out->stop_signal = memory_text(member_text(config, "StopSignal"));
    read_texts(member(config, "Entrypoint"), &out->entrypoint);
    read_texts(member(config, "Cmd"), &out->command);
    read_texts(member(config, "Env"), &out->environment);
    read_keys(member(config, "ExposedPorts"), &out->ports);
    read_keys(member(config, "Volumes"), &out->volumes);
    read_pairs(member(config, "Labels"), &out->labels);
    read_history(out, member(root, "history"));
    return true;
}
