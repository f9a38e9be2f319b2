/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

static bool value_set_text(char **target, const char *text)
{
    free(*target);
    *target = memory_text(text);
    return true;
}

static bool value_set_path(char **target, const char *file, const char *text)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;

    if (*text != '/') {
        buffer_add(&path, file, (size_t)(strrchr(file, '/') - file) + 1);
    }
    buffer_add_text(&path, text);
    while (path.length > 1 && path.data[path.length - 1] == '/') {
        path.data[--path.length] = '\0';
    }
    return value_set_text(target, path.data);
}

static bool value_set_url(char **target, const char *text)
{
    const char *rest = text_begins(text, "https://")  ? text + 8
                       : text_begins(text, "http://") ? text + 7
                                                      : "";
    AUTO_BUFFER struct buffer url = BUFFER_INIT;

    buffer_add_text(&url, text);
    if (!*rest) {
        return false;
    }
    while (url.length > 0 && url.data[url.length - 1] == '/') {
        url.data[--url.length] = '\0';
    }
    rest = url.data + (rest - text);
    return *rest && *rest != ':' && !strpbrk(rest, "/@?# ") && value_set_text(target, url.data);
}

/* An item that could be the name of a section [upstream NAME], or "host:port". */
static bool value_is_host(const char *item, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:";

    return length > 0 && strspn(item, allowed) >= length && *item != '.' && *item != ':';
}

static bool value_set_hosts(char **target, const char *text)
{
    const char *rest = text;
    const char *item;
    size_t length;
    bool is_any = false;

    while (text_next_item(&rest, ',', &item, &length)) {
        if (!(length == 1 && *item == '*') && !value_is_host(item, length)) {
            return false;
        }
        is_any = true;
    }
    return is_any && value_set_text(target, text);
}

static bool value_set_list(struct names *target, const char *text)
{
    const char *item;
    size_t length;

    names_release(target);
    while (text_next_item(&text, ',', &item, &length)) {
        AUTO_BUFFER struct buffer name = BUFFER_INIT;

        buffer_add(&name, item, length);
        names_add(target, name.data);
    }
    return true;
}

static bool value_set_items(struct names *target, const struct value_form *form, const char *text)
{
    AUTO_NAMES struct names items = NAMES_INIT;

    (void)value_set_list(&items, text);
    for (size_t i = 0; i < items.count; i++) {
        if (!form->item_is_valid(items.names[i])) {
            return false;
        }
    }
    if (items.count == 0 && (form->kind == VALUE_ITEMS || *text)) {
        return false;
    }
    names_release(target);
    *target = items;
    items = (struct names)NAMES_INIT;
    return true;
}

static bool value_add_member(struct names *target, const struct value_form *form, const char *text)
{
    bool is_good = form->item_is_valid(text);

    if (is_good) {
        names_add(target, text);
    }
    return is_good;
}

bool value_has_member(const void *value, const char *name)
{
    const struct names *list = value;
    size_t length = strlen(name);

    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->names[i], name, length) == 0 && list->names[i][length] == '=') {
            return true;
        }
    }
    return false;
}

static bool value_set_boolean(bool *target, const char *text)
{
    bool is_yes = strcmp(text, "yes") == 0;

    if (!is_yes && strcmp(text, "no") != 0) {
        return false;
    }
    *target = is_yes;
    return true;
}

static bool value_set_choice(unsigned *target, const char *const *choices, const char *text)
{
    for (unsigned i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *target = i;
            return true;
        }
    }
    return false;
}

static bool value_set_amount(uint64_t *target, const struct value_form *form, const char *text)
{
    uint64_t amount = 0;
    bool is_amount = form->kind == VALUE_BYTES     ? text_bytes(text, &amount)
                     : form->kind == VALUE_SECONDS ? text_seconds(text, &amount)
                                                   : text_number(text, strlen(text), &amount);

    if (!is_amount || amount < form->minimum || (form->maximum > 0 && amount > form->maximum)) {
        return false;
    }
    *target = amount;
    return true;
}

static bool value_set_age(uint64_t *target, const struct value_form *form, const char *text)
{
    const struct value_form age = {
        .kind = VALUE_SECONDS, .minimum = form->minimum, .maximum = form->maximum};

    if (strcmp(text, "keep") == 0) {
        *target = 0;
        return true;
    }
    return value_set_amount(target, &age, text);
}

/* What somebody who knows other programs' files writes, and what it would mean here; or NULL. */
static const char *value_habit(const struct value_form *form, const char *text)
{
    size_t length = strlen(text);
    bool is_path = form->kind == VALUE_PATH || form->kind == VALUE_OPTIONAL_PATH;

    if (length > 1 && (*text == '"' || *text == '\'') && text[length - 1] == *text) {
        return "values are written without quotes, not";
    }
    return is_path && (*text == '~' || strchr(text, '$'))
               ? "paths are written out, since ~ and $ mean nothing here, not"
               : NULL;
}

bool value_set(void *target, const struct value_form *form, const char *file, const char *text)
{
    if (value_habit(form, text)) {
        return false;
    }
    switch (form->kind) {
    case VALUE_TEXT:
        return value_set_text(target, text);
    case VALUE_PATH:
        return *text && value_set_path(target, file, text);
    case VALUE_OPTIONAL_PATH:
        return *text ? value_set_path(target, file, text) : value_set_text(target, "");
    case VALUE_URL:
        return value_set_url(target, text);
    case VALUE_OPTIONAL_URL:
        return *text ? value_set_url(target, text) : value_set_text(target, "");
    case VALUE_HOST:
        return (!*text || value_is_host(text, strlen(text))) && value_set_text(target, text);
    case VALUE_HOSTS:
        return value_set_hosts(target, text);
    case VALUE_LIST:
        return value_set_list(target, text);
    case VALUE_ITEMS:
    case VALUE_OPTIONAL_ITEMS:
        return value_set_items(target, form, text);
    case VALUE_FAMILY:
        return value_add_member(target, form, text);
    case VALUE_BOOLEAN:
        return value_set_boolean(target, text);
    case VALUE_NUMBER:
    case VALUE_BYTES:
    case VALUE_SECONDS:
        return value_set_amount(target, form, text);
    case VALUE_AGE:
        return value_set_age(target, form, text);
    case VALUE_CHOICE:
        return value_set_choice(target, form->choices, text);
    }
    return false;
}

static void value_add_amount(uint64_t amount, enum value_kind kind, struct buffer *out)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    size_t unit = 0;

    if (kind == VALUE_SECONDS || kind == VALUE_AGE) {
        bool is_days = amount > 0 && amount % 86400 == 0;

        buffer_format(out, "%" PRIu64 "%s", is_days ? amount / 86400 : amount, is_days ? "d" : "s");
        return;
    }
    while (kind == VALUE_BYTES && amount > 0 && amount % 1024 == 0 && unit < 4) {
        amount /= 1024;
        unit++;
    }
    buffer_format(out, "%" PRIu64 "%s", amount, units[unit]);
}

/* ", and 64M at most," */
static void value_add_limits(const struct value_form *form, struct buffer *out)
{
    if (form->minimum > 0) {
        buffer_add_text(out, ", and ");
        value_add_amount(form->minimum, form->kind, out);
        buffer_add_text(out, " at least");
    }
    if (form->maximum > 0) {
        buffer_add_text(out, ", and ");
        value_add_amount(form->maximum, form->kind, out);
        buffer_add_text(out, " at most");
    }
    if (form->minimum > 0 || form->maximum > 0) {
        buffer_add_text(out, ",");
    }
}

static void value_add_choices(const char *const *choices, struct buffer *out)
{
    for (size_t i = 0; choices[i]; i++) {
        buffer_format(out, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
    }
}

void value_expect(const struct value_form *form, const char *text, struct buffer *out)
{
    const char *habit = value_habit(form, text);

    if (habit) {
        buffer_add_text(out, habit);
        return;
    }
    switch (form->kind) {
    case VALUE_TEXT:
    case VALUE_LIST:
        buffer_add_text(out, "another text");
        break;
    case VALUE_PATH:
    case VALUE_OPTIONAL_PATH:
        buffer_add_text(out, "a path");
        break;
    case VALUE_URL:
    case VALUE_OPTIONAL_URL:
        buffer_add_text(out, "an address such as https://registry.example.org:5000");
        break;
    case VALUE_HOST:
        buffer_add_text(out, "a registry's name such as docker.io (no https://)");
        break;
    case VALUE_HOSTS:
        buffer_add_text(out, "* for any, or a list such as docker.io, ghcr.io (no https://)");
        break;
    case VALUE_ITEMS:
    case VALUE_OPTIONAL_ITEMS:
    case VALUE_FAMILY:
        buffer_add_text(out, form->items);
        break;
    case VALUE_BOOLEAN:
        buffer_add_text(out, "yes or no");
        break;
    case VALUE_NUMBER:
        buffer_add_text(out, "a number");
        value_add_limits(form, out);
        break;
    case VALUE_BYTES:
        buffer_format(out, "a number of bytes such as 512, 64K, 4M%s",
                      form->maximum > 0 ? "" : ", 1G");
        value_add_limits(form, out);
        break;
    case VALUE_SECONDS:
        buffer_add_text(out, "a time such as 60s, 15m, 12h, 7d");
        value_add_limits(form, out);
        break;
    case VALUE_AGE:
        buffer_add_text(out, "keep, or a time such as 12h, 30d");
        value_add_limits(form, out);
        break;
    case VALUE_CHOICE:
        value_add_choices(form->choices, out);
        break;
    }
    buffer_add_text(out, " is expected, not");
}

static bool value_is_text(const struct value_form *form)
{
    return form->kind == VALUE_TEXT || form->kind == VALUE_PATH ||
           form->kind == VALUE_OPTIONAL_PATH || form->kind == VALUE_URL ||
           form->kind == VALUE_OPTIONAL_URL || form->kind == VALUE_HOST ||
           form->kind == VALUE_HOSTS;
}

bool value_is_set(const void *value, const struct value_form *form)
{
    const struct names *list = value;

    return form->kind == VALUE_ITEMS || form->kind == VALUE_FAMILY
               ? list->count > 0
               : !value_is_text(form) || *(char *const *)value;
}

void value_print(const void *value, const struct value_form *form, struct buffer *out)
{
    const struct names *list = value;

    switch (form->kind) {
    case VALUE_TEXT:
    case VALUE_PATH:
    case VALUE_OPTIONAL_PATH:
    case VALUE_URL:
    case VALUE_OPTIONAL_URL:
    case VALUE_HOST:
    case VALUE_HOSTS:
        buffer_add_text(out, *(char *const *)value ? *(char *const *)value : "");
        break;
    case VALUE_LIST:
    case VALUE_ITEMS:
    case VALUE_OPTIONAL_ITEMS:
    case VALUE_FAMILY:
        for (size_t i = 0; i < list->count; i++) {
            buffer_format(out, "%s%s", i == 0 ? "" : ", ", list->names[i]);
        }
        break;
    case VALUE_BOOLEAN:
        buffer_add_text(out, *(const bool *)value ? "yes" : "no");
        break;
    case VALUE_NUMBER:
    case VALUE_BYTES:
        buffer_format(out, "%" PRIu64, *(const uint64_t *)value);
        break;
    case VALUE_SECONDS:
        buffer_format(out, "%" PRIu64 "s", *(const uint64_t *)value);
        break;
    case VALUE_AGE:
        if (*(const uint64_t *)value == 0) {
            buffer_add_text(out, "keep");
        } else {
            buffer_format(out, "%" PRIu64 "s", *(const uint64_t *)value);
        }
        break;
    case VALUE_CHOICE:
        buffer_add_text(out, form->choices[*(const unsigned *)value]);
        break;
    }
}

void value_release(void *value, const struct value_form *form)
{
    if (value_is_text(form)) {
        free(*(char **)value);
        *(char **)value = NULL;
    } else if (form->kind == VALUE_LIST || form->kind == VALUE_ITEMS ||
               form->kind == VALUE_OPTIONAL_ITEMS || form->kind == VALUE_FAMILY) {
        names_release(value);
    }
}
