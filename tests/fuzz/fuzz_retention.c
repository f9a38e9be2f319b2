/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/retention_oracle.h"

/*
 * Rules and tags out of bytes: what stays is what the oracle says, in whichever order sections and
 * tags stand; and one rule more takes nothing away.
 */

enum { SECTIONS = 4, TAGS = 24, NAME = 96, DAY = 86400, NOW = 20000 * DAY };

struct bytes {
    const uint8_t *data;
    size_t left;
};

static unsigned bytes_take(struct bytes *bytes, unsigned below)
{
    unsigned value = 0;

    if (bytes->left > 0) {
        value = *bytes->data++;
        bytes->left--;
    }
    return value % below;
}

static char *const patterns[] = {(char *)"*",     (char *)"v*",  (char *)"!v*", (char *)"*1*",
                                 (char *)"!*rc*", (char *)"b",   (char *)"1.*", (char *)"*-*",
                                 (char *)"me/*",  (char *)"!me", (char *)"**"};

static struct retention_list make_list(struct bytes *bytes)
{
    unsigned first = bytes_take(bytes, sizeof(patterns) / sizeof(*patterns) - 1);

    return (struct retention_list){
        .names = {(char **)&patterns[first], 1 + bytes_take(bytes, 2), 2}, .line = 1};
}

static struct retention_section make_section(struct bytes *bytes)
{
    struct retention_section section = {.name = (char *)"x", .repositories = make_list(bytes)};
    unsigned keys = bytes_take(bytes, 32);

    if (keys & 1) {
        section.tags = make_list(bytes);
    }
    if (keys & 2) {
        section.keep_tags = make_list(bytes);
    }
    section.keep_newest = keys & 4 ? bytes_take(bytes, 8) : 0;
    section.keep_pushed_within = keys & 8 ? bytes_take(bytes, 10) * (uint64_t)DAY : 0;
    section.keep_pulled_within = keys & 16 ? bytes_take(bytes, 10) * (uint64_t)DAY : 0;
    return section;
}

static struct retention_tag make_tag(struct bytes *bytes, size_t number, char *name)
{
    static const char *const forms[] = {
        "v", "b", "1.", "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."};
    struct retention_tag tag = {.name = name};
    unsigned what = bytes_take(bytes, 64);

    (void)snprintf(name, NAME, "%s%zu%s", forms[bytes_take(bytes, 4)], number,
                   what & 1 ? "-rc" : "");
    tag.digest.bytes[0] = (unsigned char)bytes_take(bytes, 16);
    tag.pushed = NOW + DAY - (time_t)bytes_take(bytes, 16) * (DAY / 2);
    tag.pulled = what & 2 ? NOW - (time_t)bytes_take(bytes, 255) * 3600 : 0;
    tag.restored = (what & 12) == 12 ? NOW - (time_t)bytes_take(bytes, 12) * DAY : 0;
    tag.is_immutable = (what & 48) == 48;
    return tag;
}

static void judge(const struct retention *rules, const struct retention_scene *scene,
                  struct retention_tag *tags, size_t count)
{
    const struct oracle oracle = {rules, scene, tags, count};

    retention_judge(rules, scene, tags, count);
    for (size_t i = 0; i < count; i++) {
        AUTO_BUFFER struct buffer why = BUFFER_INIT;

        CHECK(retention_stays(&tags[i].verdict) == oracle_stays(&oracle, &tags[i]));
        retention_explain(&tags[i].verdict, &why);
        CHECK(why.length > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    struct retention_section sections[SECTIONS];
    struct retention rules = {sections, bytes_take(&bytes, SECTIONS)}; /* room for one more */
    struct retention_scene scene = {.repository = "me/app", .now = NOW, .pull_grain = 3600};
    char names[TAGS][NAME];
    struct retention_tag tags[TAGS];
    struct retention_tag turned[TAGS];
    size_t count = bytes_take(&bytes, TAGS + 1);

    scene.noted_since = bytes_take(&bytes, 3) ? NOW - (time_t)bytes_take(&bytes, 12) * DAY : 0;
    scene.grace = bytes_take(&bytes, 3) * 3600U;
    scene.restored_for = bytes_take(&bytes, 8) * (uint64_t)DAY;
    for (size_t i = 0; i < SECTIONS; i++) {
        sections[i] = make_section(&bytes);
    }
    for (size_t i = 0; i < count; i++) {
        tags[i] = make_tag(&bytes, i, names[i]);
    }
    judge(&rules, &scene, tags, count);
    for (size_t i = 0; i < count; i++) {
        turned[count - 1 - i] = tags[i];
    }
    judge(&rules, &scene, turned, count);
    for (size_t i = 0; i < count; i++) {
        CHECK(retention_stays(&turned[count - 1 - i].verdict) == retention_stays(&tags[i].verdict));
    }
    if (rules.section_count > 0) { /* the last one once more, and a rule more in it */
        sections[rules.section_count] = sections[rules.section_count - 1];
        sections[rules.section_count].keep_pushed_within += DAY;
        rules.section_count++;
        judge(&rules, &scene, turned, count);
        for (size_t i = 0; i < count; i++) {
            CHECK(retention_stays(&turned[count - 1 - i].verdict) ||
                  !retention_stays(&tags[i].verdict));
        }
    }
    return 0;
}
