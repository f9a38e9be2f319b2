/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_RETENTION_ORACLE_H
#define UNIT_RETENTION_ORACLE_H

/*
 * Whether a tag stays, as lib/store/retention.h says it in words, tag by tag and without any
 * thought of how long that takes: for tables, random cases and the fuzzer, all of which compare it
 * with what retention_judge() says.
 */

#include <string.h>

#include "lib/oci/pattern.h"
#include "lib/oci/version.h"
#include "lib/store/retention.h"

struct oracle {
    const struct retention *rules;
    const struct retention_scene *scene;
    const struct retention_tag *tags;
    size_t count;
};

/* "sha256-" and 64 digits, with an ending or without. */
static inline bool oracle_is_referrer(const char *name)
{
    return strncmp(name, "sha256-", 7) == 0 && strspn(name + 7, "0123456789abcdef") == 64 &&
           (name[71] == '\0' || name[71] == '.');
}

static inline bool oracle_is_within(const struct oracle *oracle, time_t date, uint64_t seconds)
{
    return date >= oracle->scene->now || (uint64_t)(oracle->scene->now - date) <= seconds;
}

/* Before the epoch, or more than a day ahead. */
static inline bool oracle_is_undated(const struct oracle *oracle, const struct retention_tag *tag)
{
    return tag->pushed <= 0 || tag->pushed > oracle->scene->now + 24 * 3600;
}

static inline bool oracle_is_about(const struct oracle *oracle,
                                   const struct retention_section *section, const char *name)
{
    return patterns_match(&section->repositories.names, oracle->scene->repository, NULL) &&
           (section->tags.names.count == 0 || patterns_match(&section->tags.names, name, NULL)) &&
           !oracle_is_referrer(name);
}

static inline bool oracle_is_newer(const struct retention_tag *one,
                                   const struct retention_tag *other)
{
    return one->pushed > other->pushed ||
           (one->pushed == other->pushed && version_compare(one->name, other->name) > 0);
}

static inline bool oracle_is_among_newest(const struct oracle *oracle,
                                          const struct retention_section *section,
                                          const struct retention_tag *tag)
{
    uint64_t newer = 0;

    if (section->keep_newest == 0) {
        return false;
    }
    for (size_t i = 0; i < oracle->count; i++) {
        const struct retention_tag *other = &oracle->tags[i];

        newer += oracle_is_about(oracle, section, other->name) &&
                 !oracle_is_undated(oracle, other) &&
                 !patterns_match(&section->keep_tags.names, other->name, NULL) &&
                 oracle_is_newer(other, tag);
    }
    return newer < section->keep_newest;
}

static inline bool oracle_section_keeps(const struct oracle *oracle,
                                        const struct retention_section *section,
                                        const struct retention_tag *tag)
{
    const struct retention_scene *scene = oracle->scene;
    uint64_t pulled = section->keep_pulled_within;

    if (patterns_match(&section->keep_tags.names, tag->name, NULL) ||
        oracle_is_among_newest(oracle, section, tag)) {
        return true;
    }
    if (section->keep_pushed_within > 0 &&
        oracle_is_within(oracle, tag->pushed, section->keep_pushed_within)) {
        return true;
    }
    if (pulled == 0) {
        return false;
    }
    return oracle_is_within(oracle, tag->pushed, pulled) ||
           (tag->pulled > 0 && oracle_is_within(oracle, tag->pulled, pulled + scene->pull_grain)) ||
           tag->pulled < 0 || scene->noted_since == 0 ||
           oracle_is_within(oracle, scene->noted_since, pulled);
}

/* By itself, whatever else stands for the same image. */
static inline bool oracle_keeps_itself(const struct oracle *oracle, const struct retention_tag *tag)
{
    const struct retention_scene *scene = oracle->scene;
    bool is_any_about = false;

    for (size_t i = 0; i < oracle->rules->section_count; i++) {
        const struct retention_section *section = &oracle->rules->sections[i];

        if (oracle_is_about(oracle, section, tag->name)) {
            is_any_about = true;
            if (oracle_section_keeps(oracle, section, tag)) {
                return true;
            }
        }
    }
    if (!is_any_about || tag->is_immutable || oracle_is_undated(oracle, tag)) {
        return true;
    }
    if (scene->grace > 0 &&
        (oracle_is_within(oracle, tag->pushed, scene->grace - 1) ||
         (tag->pulled > 0 &&
          oracle_is_within(oracle, tag->pulled, scene->grace + scene->pull_grain - 1)))) {
        return true;
    }
    return tag->restored > 0 && scene->restored_for > 0 &&
           oracle_is_within(oracle, tag->restored, scene->restored_for - 1);
}

static inline bool oracle_stays(const struct oracle *oracle, const struct retention_tag *tag)
{
    for (size_t i = 0; i < oracle->count; i++) {
        if (memcmp(&oracle->tags[i].digest, &tag->digest, sizeof(tag->digest)) == 0 &&
            oracle_keeps_itself(oracle, &oracle->tags[i])) {
            return true;
        }
    }
    return false;
}

#endif
