/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/oci/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/base/text.h"

static bool platform_copy_part(char *out, size_t size, const char *part, size_t length)
{
    return length > 0 && text_copy(out, size, part, length);
}

bool platform_parse(struct platform *out_platform, const char *text)
{
    struct platform platform = {.variant = ""};
    const char *architecture = strchr(text, '/');
    const char *variant = architecture ? strchr(architecture + 1, '/') : NULL;

    if (!architecture) {
        return false;
    }
    architecture++;
    if (!platform_copy_part(platform.os, sizeof(platform.os), text,
                            (size_t)(architecture - 1 - text)) ||
        !platform_copy_part(platform.architecture, sizeof(platform.architecture), architecture,
                            strcspn(architecture, "/"))) {
        return false;
    }
    if (variant &&
        (strchr(variant + 1, '/') || !platform_copy_part(platform.variant, sizeof(platform.variant),
                                                         variant + 1, strlen(variant + 1)))) {
        return false;
    }
    *out_platform = platform;
    return true;
}

static const char *variant_of(const struct platform *platform)
{
    if (*platform->variant) {
        return platform->variant;
    }
    if (strcmp(platform->architecture, "arm64") == 0) {
        return "v8";
    }
    return strcmp(platform->architecture, "arm") == 0 ? "v7" : "";
}

bool platform_matches(const struct platform *wanted, const struct platform *has)
{
    return strcmp(wanted->os, has->os) == 0 &&
           strcmp(wanted->architecture, has->architecture) == 0 &&
           (!*wanted->variant || strcmp(wanted->variant, variant_of(has)) == 0);
}

static struct document document_of(const char *json)
{
    return (struct document){json, strlen(json), NULL};
}

/* A member that does not fit cannot be what anybody asks for, and is left empty. */
static void read_member(const struct document *document, const char *name, char *out, size_t size)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    if (document_text_member(document, name, &text)) {
        (void)platform_copy_part(out, size, text.data, text.length);
    }
}

static int child_parse(struct index_child *out, const char *json, struct error *error)
{
    struct document descriptor = document_of(json);
    AUTO_BUFFER struct buffer digest = BUFFER_INIT;
    AUTO_BUFFER struct buffer platform = BUFFER_INIT;
    struct document described;
    struct error ignored;

    if (!document_text_member(&descriptor, "digest", &digest) ||
        digest_parse(&out->digest, digest.data, &ignored) < 0) {
        return error_set(error, ERROR_MANIFEST_INVALID, "a descriptor has no digest");
    }
    out->has_platform = document_object_member(&descriptor, "platform", &platform);
    described = document_of(platform.data);
    read_member(&described, "os", out->platform.os, sizeof(out->platform.os));
    read_member(&described, "architecture", out->platform.architecture,
                sizeof(out->platform.architecture));
    read_member(&described, "variant", out->platform.variant, sizeof(out->platform.variant));
    return 0;
}

int index_parse(struct index *out_index, const struct document *document, struct error *error)
{
    AUTO_INDEX struct index index = INDEX_INIT;
    AUTO_NAMES struct names list = NAMES_INIT;

    (void)document_object_list(document, "manifests", &list);
    index.children = memory_allocate(list.count + 1, sizeof(*index.children));
    for (; index.count < list.count; index.count++) {
        if (child_parse(&index.children[index.count], list.names[index.count], error) < 0) {
            return -1;
        }
    }
    *out_index = index;
    index = (struct index)INDEX_INIT;
    return 0;
}

void index_release(struct index *index)
{
    free(index->children);
    *index = (struct index)INDEX_INIT;
}
