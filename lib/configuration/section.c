/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/section.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/configuration/ini.h"

enum { KEY_LIMIT = 64 }; /* keys of a section */

/* A section that the file has begun, or a plain one that it need not begin. */
struct section {
    const struct section_kind *kind;
    size_t element;            /* of a named one: its place in the array */
    unsigned line;             /* where the file begins it; 0: nowhere */
    unsigned lines[KEY_LIMIT]; /* where its keys are, in the order of the table; 0: nowhere */
};

struct sections {
    const struct section_kind *kinds;
    char *values;
    const char *file;
    struct section *sections;
    size_t count;
    size_t current; /* the one that keys belong to */
};

static bool kind_is_named(const struct section_kind *kind)
{
    return kind->element_size > 0;
}

/* The pointer to the elements may be of any type, so it is copied instead of read as another. */
static char *kind_elements(const struct section_kind *kind, const char *values)
{
    char *elements;

    memcpy(&elements, values + kind->array, sizeof(elements));
    return elements;
}

static size_t kind_count(const struct section_kind *kind, const char *values)
{
    size_t count;

    memcpy(&count, values + kind->count, sizeof(count));
    return count;
}

static char *element_name(const char *element)
{
    char *name;

    memcpy(&name, element, sizeof(name));
    return name;
}

/* Adds a zeroed element of that name to the kind's array. */
static char *kind_grow(const struct section_kind *kind, char *values, const char *name)
{
    size_t count = kind_count(kind, values);
    char *elements = memory_resize(kind_elements(kind, values), count + 1, kind->element_size);
    char *element = elements + count * kind->element_size;
    char *own_name = memory_text(name);

    count++;
    memset(element, 0, kind->element_size);
    memcpy(element, &own_name, sizeof(own_name));
    memcpy(values + kind->array, &elements, sizeof(elements));
    memcpy(values + kind->count, &count, sizeof(count));
    return element;
}

/* Where a section's keys are. */
static char *section_values(const struct sections *all, const struct section *section)
{
    return kind_is_named(section->kind) ? kind_elements(section->kind, all->values) +
                                              section->element * section->kind->element_size
                                        : all->values;
}

static int section_set_standards(const struct sections *all, const struct section *section,
                                 struct error *error)
{
    char *values = section_values(all, section);

    for (const struct key *key = section->kind->keys; key->name; key++) {
        if (key - section->kind->keys >= KEY_LIMIT) {
            return error_set(error, ERROR_INTERNAL, "there is no room for the key '%s'", key->name);
        }
        if (key->standard &&
            !value_set(values + key->offset, &key->form, all->file, key->standard)) {
            return error_set(error, ERROR_INTERNAL, "the default of '%s' is bad", key->name);
        }
    }
    return 0;
}

/* The name of a section of this kind, if that is what the heading begins; else NULL. */
static const char *heading_name(const struct section_kind *kind, const char *heading)
{
    size_t length = strlen(kind->name);

    if (!kind_is_named(kind)) {
        return strcmp(heading, kind->name) == 0 ? heading + length : NULL;
    }
    return text_begins(heading, kind->name) && heading[length] == ' ' ? heading + length + 1 : NULL;
}

static bool section_is(const struct sections *all, const struct section *section,
                       const struct section_kind *kind, const char *name)
{
    return section->kind == kind &&
           (!kind_is_named(kind) || strcmp(element_name(section_values(all, section)), name) == 0);
}

static void sections_add(struct sections *all, const struct section_kind *kind, const char *name)
{
    struct section added = {.kind = kind};

    if (kind_is_named(kind)) {
        added.element = kind_count(kind, all->values);
        (void)kind_grow(kind, all->values, name);
    }
    all->sections = memory_resize(all->sections, all->count + 1, sizeof(*all->sections));
    all->current = all->count;
    all->sections[all->count++] = added;
}

static int section_begin_named(struct sections *all, struct ini_reading *reading,
                               const struct section_kind *kind, const char *name)
{
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    struct error error;

    if (!kind->name_is_valid(name)) {
        buffer_format(&message, "the name of %s is expected, such as [%s %s], not", kind->one,
                      kind->name, kind->like);
        return ini_complain(reading, message.data, name);
    }
    if (kind_count(kind, all->values) == kind->limit) {
        buffer_format(&message, "there are too many %s:", kind->many);
        return ini_complain(reading, message.data, name);
    }
    sections_add(all, kind, name);
    all->sections[all->current].line = ini_line(reading);
    if (section_set_standards(all, &all->sections[all->current], &error) < 0) {
        return ini_complain(reading, error.message, name);
    }
    return 0;
}

/* Whether one was meant by the other: another case, or a slip or two. */
static bool hint_fits(const char *meant, const char *written)
{
    return *meant && *written &&
           (strcasecmp(meant, written) == 0 ||
            (strlen(written) > 3 && text_begins(meant, written)) ||
            text_distance(meant, written) <= (strlen(meant) < 6 ? strlen(meant) / 3 : 2));
}

/* Adds where a kind of section is, for "it belongs …". */
static void hint_add_place(const struct section_kind *kind, struct buffer *out)
{
    if (!*kind->name) {
        buffer_add_text(out, "at the top of the file, above all sections");
    } else {
        buffer_format(out, "in [%s%s]", kind->name, kind->element_size > 0 ? " NAME" : "");
    }
}

/* Adds "unknown section 'hostet': did you mean [hosted]?". */
static void hint_section(const struct section_kind *kinds, const char *heading, struct buffer *out)
{
    char word[64];
    const char *rest = heading + strcspn(heading, " ");

    buffer_format(out, "unknown section '%s'", heading);
    for (const struct section_kind *kind = kinds; kind->name; kind++) {
        const char *name = kind->element_size > 0 ? " NAME" : "";

        if (text_copy(word, sizeof(word), heading, (size_t)(rest - heading)) &&
            hint_fits(kind->name, word)) {
            buffer_format(out, ": did you mean [%s%s]?", kind->name, name);
            break;
        }
    }
}

/* The key that is called so (or nearly so) in a kind of section; NULL: there is none. */
static const struct key *hint_find(const struct section_kind *kind, const char *name, bool nearly)
{
    for (const struct key *key = kind->keys; key->name; key++) {
        if (nearly ? hint_fits(key->name, name) : strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

/* Adds "unknown key 'tag_ttl' here: it belongs in [proxy]", for one in a section of the kind
 * `here`. */
static void hint_key(const struct section_kind *kinds, const struct section_kind *here,
                     const char *name, struct buffer *out)
{
    const struct key *near = hint_find(here, name, true);

    buffer_format(out, "unknown key '%s'", name);
    for (const struct section_kind *kind = kinds; kind->name; kind++) {
        if (hint_find(kind, name, false)) {
            buffer_add_text(out, " here: it belongs ");
            hint_add_place(kind, out);
            return;
        }
    }
    for (const struct section_kind *kind = kinds; kind->name && !near; kind++) {
        near = hint_find(kind, name, true);
        here = near ? kind : here;
    }
    if (near) {
        buffer_format(out, ": did you mean '%s' ", near->name);
        hint_add_place(here, out);
        buffer_add_text(out, "?");
    }
}

static int sections_begin(void *context, struct ini_reading *reading, const char *heading)
{
    struct sections *all = context;
    AUTO_BUFFER struct buffer message = BUFFER_INIT;

    for (const struct section_kind *kind = all->kinds; kind->name; kind++) {
        const char *name = *heading ? heading_name(kind, heading) : NULL;

        for (size_t i = 0; name && i < all->count; i++) {
            if (section_is(all, &all->sections[i], kind, name)) {
                all->current = i;
                all->sections[i].line =
                    all->sections[i].line ? all->sections[i].line : ini_line(reading);
                return 0;
            }
        }
        if (name) {
            return section_begin_named(all, reading, kind, name);
        }
    }
    hint_section(all->kinds, heading, &message);
    return ini_say(reading, message.data);
}

static void section_note_line(const struct sections *all, const struct section *section,
                              const struct key *key)
{
    if (key->line > 0) {
        memcpy(section_values(all, section) + key->line, &section->lines[key - section->kind->keys],
               sizeof(section->lines[0]));
    }
}

/* Of a family: how much of its name its members have in common. */
static size_t key_family(const struct key *key)
{
    return key->form.kind == VALUE_FAMILY ? strcspn(key->name, ".") + 1 : 0;
}

static bool key_is(const struct key *key, const char *name)
{
    size_t family = key_family(key);

    return family > 0 ? strncmp(key->name, name, family) == 0 && name[family]
                      : strcmp(key->name, name) == 0;
}

/* The text of a key's value, which for a family begins with the rest of the name. */
static void key_add_text(const struct key *key, const char *name, const char *text,
                         struct buffer *out)
{
    size_t family = key_family(key);

    buffer_format(out, "%s%s%s", family > 0 ? name + family : "", family > 0 ? "=" : "", text);
}

static int sections_take(void *context, struct ini_reading *reading, const char *name,
                         const char *text)
{
    struct sections *all = context;
    struct section *section = &all->sections[all->current];
    const struct key *keys = section->kind->keys;
    AUTO_BUFFER struct buffer message = BUFFER_INIT;

    for (size_t i = 0; keys[i].name; i++) {
        char *target = section_values(all, section) + keys[i].offset;
        size_t family = key_family(&keys[i]);
        AUTO_BUFFER struct buffer whole = BUFFER_INIT;

        if (!key_is(&keys[i], name)) {
            continue;
        }
        if (family > 0 ? value_has_member(target, name + family) : section->lines[i] > 0) {
            return ini_complain(reading, "set twice, or followed by an indented line:", name);
        }
        section->lines[i] = ini_line(reading);
        key_add_text(&keys[i], name, text, &whole);
        if (value_set(target, &keys[i].form, all->file, whole.data)) {
            section_note_line(all, section, &keys[i]);
            return 0;
        }
        value_expect(&keys[i].form, text, &message);
        return ini_complain(reading, message.data, text);
    }
    hint_key(all->kinds, section->kind, name, &message);
    return ini_say(reading, message.data);
}

/* An empty file, as a power cut leaves one, must never serve an empty registry. */
static int section_check(const struct sections *all, const struct section *section,
                         struct error *error)
{
    const struct section_kind *kind = section->kind;
    const char *name = kind_is_named(kind) ? element_name(section_values(all, section)) : "";

    for (size_t i = 0; kind->keys[i].name; i++) {
        const struct key *key = &kind->keys[i];

        if (!key->example || section->lines[i]) {
            continue;
        }
        return *kind->name
                   ? error_set(error, ERROR_INTERNAL,
                               "%s: %s is missing: write a line such as '%s = %s' below [%s%s%s]",
                               all->file, key->name, key->name, key->example, kind->name,
                               *name ? " " : "", name)
                   : error_set(error, ERROR_INTERNAL,
                               "%s: %s is missing: write a line such as '%s = %s' at the top",
                               all->file, key->name, key->name, key->example);
    }
    return 0;
}

/* The plain sections, which a file need not have to mean something. The top is the first one. */
static int sections_begin_plain(struct sections *all, struct error *error)
{
    for (const struct section_kind *kind = all->kinds; kind->name; kind++) {
        if (!kind_is_named(kind)) {
            sections_add(all, kind, "");
            if (section_set_standards(all, &all->sections[all->current], error) < 0) {
                return -1;
            }
        }
    }
    all->current = 0;
    return 0;
}

/* The line of a place, or 0. */
static unsigned sections_line(const struct sections *all, const struct section_place *place)
{
    for (size_t i = 0; place->section && i < all->count; i++) {
        const struct section *section = &all->sections[i];
        const struct key *keys = section->kind->keys;

        if (strcmp(section->kind->name, place->section) != 0 ||
            section->element != place->element) {
            continue;
        }
        for (size_t j = 0; place->key && keys[j].name; j++) {
            if (section->lines[j] && strcmp(keys[j].name, place->key) == 0) {
                return section->lines[j];
            }
        }
        return section->line;
    }
    return 0;
}

static int sections_judge(const struct sections *all, const struct section_table *table,
                          struct error *error)
{
    struct section_place place = {.section = NULL};
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    char line[16] = "";

    if (!table->judge || table->judge(all->values, &place, &message)) {
        return 0;
    }
    if (sections_line(all, &place) > 0) {
        (void)snprintf(line, sizeof(line), "%u:", sections_line(all, &place));
    }
    return error_set(error, ERROR_INTERNAL, "%s:%s %s", all->file, line, message.data);
}

int sections_read(const struct section_table *table, void *values, const char *file,
                  const struct buffer *text, struct error *error)
{
    struct sections all = {.kinds = table->kinds, .values = values, .file = file};
    struct ini_handler handler = {
        .begin_section = sections_begin, .take_value = sections_take, .context = &all};
    int result = sections_begin_plain(&all, error);

    if (result == 0) {
        result = ini_read(file, text, &handler, error);
    }
    for (size_t i = 0; result == 0 && i < all.count; i++) {
        result = section_check(&all, &all.sections[i], error);
    }
    result = result == 0 ? sections_judge(&all, table, error) : result;
    free(all.sections);
    return result;
}

static void family_print(const struct key *key, const struct names *members, struct buffer *out)
{
    for (size_t i = 0; i < members->count; i++) {
        const char *member = members->names[i];
        size_t name = strcspn(member, "=");

        buffer_format(out, "%.*s%.*s = %s\n", (int)key_family(key), key->name, (int)name, member,
                      member + name + 1);
    }
}

static void section_print(const struct section_kind *kind, const char *values, struct buffer *out)
{
    for (const struct key *key = kind->keys; key->name; key++) {
        if (!value_is_set(values + key->offset, &key->form)) {
            continue;
        }
        if (key_family(key) > 0) {
            family_print(key, (const void *)(values + key->offset), out);
            continue;
        }
        buffer_format(out, "%s = ", key->name);
        if (key->is_secret) {
            buffer_add_text(out, "(not shown)");
        } else {
            value_print(values + key->offset, &key->form, out);
        }
        buffer_add_text(out, "\n");
    }
}

void sections_print(const struct section_kind *kinds, const void *values, struct buffer *out)
{
    for (const struct section_kind *kind = kinds; kind->name; kind++) {
        if (!kind_is_named(kind)) {
            if (*kind->name) {
                buffer_format(out, "\n[%s]\n", kind->name);
            }
            section_print(kind, values, out);
            continue;
        }
        for (size_t i = 0; i < kind_count(kind, values); i++) {
            const char *element = kind_elements(kind, values) + i * kind->element_size;

            buffer_format(out, "\n[%s %s]\n", kind->name, element_name(element));
            section_print(kind, element, out);
        }
    }
}

void sections_describe(const struct section_kind *kinds, const char *key, struct buffer *out)
{
    json_open_array(out, key);
    for (const struct section_kind *kind = kinds; kind->name; kind++) {
        json_open_object(out, NULL);
        json_text(out, "section", kind->name);
        json_raw(out, "named", kind_is_named(kind) ? "true" : "false");
        json_open_array(out, "keys");
        for (const struct key *each = kind->keys; each->name; each++) {
            json_open_object(out, NULL);
            json_text(out, "name", each->name);
            if (each->standard) {
                json_text(out, "default", each->standard);
            }
            json_raw(out, "required", each->example ? "true" : "false");
            json_close_object(out);
        }
        json_close_array(out);
        json_close_object(out);
    }
    json_close_array(out);
}

static void section_release(const struct section_kind *kind, char *values)
{
    for (const struct key *key = kind->keys; key->name; key++) {
        value_release(values + key->offset, &key->form);
    }
}

void sections_release(const struct section_kind *kinds, void *values)
{
    for (const struct section_kind *kind = kinds; kind->name; kind++) {
        char *elements;
        size_t none = 0;

        if (!kind_is_named(kind)) {
            section_release(kind, values);
            continue;
        }
        elements = kind_elements(kind, values);
        for (size_t i = 0; i < kind_count(kind, values); i++) {
            char *element = elements + i * kind->element_size;

            section_release(kind, element);
            free(element_name(element));
        }
        free(elements);
        elements = NULL;
        memcpy((char *)values + kind->array, &elements, sizeof(elements));
        memcpy((char *)values + kind->count, &none, sizeof(none));
    }
}
