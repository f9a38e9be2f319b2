/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/retention.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/oci/name.h"
#include "lib/oci/pattern.h"
#include "lib/oci/version.h"
#include "lib/store/referrers.h"

enum { AGENT_LIMIT = 512 }; /* bytes of what a client says of itself that are looked at */

bool retention_name_is_valid(const char *name)
{
    return *name && strlen(name) < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               strlen(name);
}

bool retention_repository_is_valid(const char *pattern)
{
    return pattern_is_valid(pattern + (*pattern == '!')) && !strchr(pattern, '{');
}

bool retention_tag_is_valid(const char *pattern)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*";
    const char *begin = pattern + (*pattern == '!');

    return *begin && *begin != '.' && *begin != '-' && strlen(begin) < TAG_SIZE &&
           strspn(begin, allowed) == strlen(begin);
}

bool retention_agent_is_valid(const char *pattern)
{
    return *pattern && strspn(pattern, "*") != strlen(pattern) && strlen(pattern) < PATTERN_SIZE;
}

bool retention_keeps(const struct retention_section *section)
{
    return section->keep_tags.names.count > 0 || section->keep_newest > 0 ||
           section->keep_pushed_within > 0 || section->keep_pulled_within > 0;
}

bool retention_section_is_about(const struct retention_section *section, const char *repository)
{
    return patterns_match(&section->repositories.names, repository, NULL);
}

bool retention_is_about(const struct retention *rules, const char *repository)
{
    for (size_t i = 0; i < rules->section_count; i++) {
        if (retention_section_is_about(&rules->sections[i], repository)) {
            return true;
        }
    }
    return false;
}

static int agent_letter(char c)
{
    return tolower((unsigned char)c);
}

/* Goes back to the last '*' alone, so that no pattern takes longer than its length times that. */
static bool agent_matches(const char *pattern, const char *agent, size_t length)
{
    const char *end = agent + length;
    const char *star = NULL;
    const char *resume = agent;

    while (agent < end) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = agent;
        } else if (*pattern && agent_letter(*pattern) == agent_letter(*agent)) {
            pattern++;
            agent++;
        } else if (star) {
            pattern = star;
            agent = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

bool retention_ignores(const struct retention *rules, const char *repository, const char *agent)
{
    size_t length = agent ? strnlen(agent, AGENT_LIMIT) : 0;

    for (size_t i = 0; i < rules->section_count && agent; i++) {
        const struct retention_section *section = &rules->sections[i];
        const struct names *patterns = &section->ignore_agents.names;

        for (size_t j = 0; j < patterns->count; j++) {
            if (agent_matches(patterns->names[j], agent, length) &&
                retention_section_is_about(section, repository)) {
                return true;
            }
        }
    }
    return false;
}

bool retention_stays(const struct retention_verdict *verdict)
{
    return verdict->reason != RETENTION_UNKEPT;
}

/* One section, and the tags that it is about. */
struct retention_case {
    const struct retention_section *section;
    const struct retention_scene *scene;
    struct retention_tag **tags;
    size_t count;
};

/* A date ahead of us is another clock's, or what was set wrong: as if it were now. */
static uint64_t scene_age(const struct retention_scene *scene, time_t date)
{
    return date < scene->now ? (uint64_t)(scene->now - (date > 0 ? date : 0)) : 0;
}

/* Nobody knows when it was pushed: what says so is before the epoch, or further ahead of us than
 * the clocks of hosts are. */
static bool tag_is_undated(const struct retention_tag *tag, const struct retention_scene *scene)
{
    enum { FURTHER = 86400 };

    return tag->pushed <= 0 || (tag->pushed > scene->now && tag->pushed - scene->now > FURTHER);
}

/* Two keys may keep it: the first one that was found says why. */
static void tag_keep(struct retention_tag *tag, enum retention_reason reason,
                     const struct retention_section *section, const char *key, unsigned line)
{
    if (tag->verdict.reason == RETENTION_UNKEPT) {
        tag->verdict = (struct retention_verdict){
            .reason = reason, .section = section, .key = key, .line = line};
    }
}

static bool section_keeps_by_name(const struct retention_section *section, const char *tag)
{
    return patterns_match(&section->keep_tags.names, tag, NULL);
}

static void case_keep_by_name(const struct retention_case *the_case)
{
    const struct retention_section *section = the_case->section;

    for (size_t i = 0; i < the_case->count; i++) {
        if (section_keeps_by_name(section, the_case->tags[i]->name)) {
            tag_keep(the_case->tags[i], RETENTION_KEPT_BY_NAME, section, "keep_tags",
                     section->keep_tags.line);
        }
    }
}

/* The newest first. */
static int tag_compare_age(const void *left, const void *right)
{
    const struct retention_tag *one = *(struct retention_tag *const *)left;
    const struct retention_tag *other = *(struct retention_tag *const *)right;

    if (one->pushed != other->pushed) {
        return one->pushed > other->pushed ? -1 : 1;
    }
    return version_compare(other->name, one->name);
}

static void case_keep_newest(const struct retention_case *the_case)
{
    const struct retention_section *section = the_case->section;
    AUTO_FREE struct retention_tag **others = memory_allocate(
        the_case->count, sizeof(struct retention_tag *)); /* that are not kept by their names */
    size_t count = 0;

    for (size_t i = 0; i < the_case->count && section->keep_newest > 0; i++) {
        if (!section_keeps_by_name(section, the_case->tags[i]->name)) {
            others[count++] = the_case->tags[i];
        }
    }
    if (count > 1) {
        qsort(others, count, sizeof(struct retention_tag *), tag_compare_age);
    }
    for (size_t i = 0; i < count && i < section->keep_newest; i++) {
        tag_keep(others[i], RETENTION_NEWEST, section, "keep_newest", section->keep_newest_line);
    }
}

static void case_keep_pushed(const struct retention_case *the_case)
{
    const struct retention_section *section = the_case->section;
    uint64_t within = section->keep_pushed_within;

    for (size_t i = 0; i < the_case->count && within > 0; i++) {
        if (scene_age(the_case->scene, the_case->tags[i]->pushed) <= within) {
            tag_keep(the_case->tags[i], RETENTION_PUSHED, section, "keep_pushed_within",
                     section->keep_pushed_line);
        }
    }
}

/* No note is no proof: before recording began anything may have been pulled. Nor is one with a date
 * that is none. */
static void case_keep_pulled(const struct retention_case *the_case)
{
    const struct retention_section *section = the_case->section;
    const struct retention_scene *scene = the_case->scene;
    uint64_t within = section->keep_pulled_within;
    bool is_known = scene->noted_since > 0 && scene_age(scene, scene->noted_since) > within;

    for (size_t i = 0; i < the_case->count && within > 0; i++) {
        struct retention_tag *tag = the_case->tags[i];
        bool is_pulled =
            tag->pulled > 0 && scene_age(scene, tag->pulled) <= within + scene->pull_grain;

        if (is_pulled || scene_age(scene, tag->pushed) <= within) {
            tag_keep(tag, RETENTION_PULLED, section, "keep_pulled_within",
                     section->keep_pulled_line);
        } else if (!is_known || tag->pulled < 0) {
            tag_keep(tag, RETENTION_PULLS_UNKNOWN, section, "keep_pulled_within",
                     section->keep_pulled_line);
        }
    }
}

static bool tag_is_for_referrers(const struct retention_tag *tag)
{
    struct digest ignored;

    return referrers_read_fallback_tag(tag->name, &ignored);
}

/* Whom nobody keeps goes; the first section that is about it is told. */
static void case_take(struct retention_case *the_case, struct retention_tag *tag)
{
    const struct retention_section *section = the_case->section;

    the_case->tags[the_case->count++] = tag;
    if (tag->verdict.reason == RETENTION_NO_SECTION) {
        tag->verdict = (struct retention_verdict){.reason = RETENTION_UNKEPT,
                                                  .section = section,
                                                  .key = "repositories",
                                                  .line = section->repositories.line};
    }
}

static void section_judge(const struct retention_section *section,
                          const struct retention_scene *scene, struct retention_tag *tags,
                          size_t count)
{
    AUTO_FREE struct retention_tag **about = memory_allocate(count, sizeof(struct retention_tag *));
    struct retention_case the_case = {.section = section, .scene = scene, .tags = about};

    for (size_t i = 0; i < count; i++) {
        if (tags[i].verdict.reason != RETENTION_REFERRER &&
            tags[i].verdict.reason != RETENTION_UNDATED &&
            (section->tags.names.count == 0 ||
             patterns_match(&section->tags.names, tags[i].name, NULL))) {
            case_take(&the_case, &tags[i]);
        }
    }
    case_keep_by_name(&the_case);
    case_keep_newest(&the_case);
    case_keep_pushed(&the_case);
    case_keep_pulled(&the_case);
}

/* What stays whatever the sections say. */
static void tag_spare(struct retention_tag *tag, const struct retention_scene *scene)
{
    bool is_pulled_lately = scene->grace > 0 && tag->pulled > 0 &&
                            scene_age(scene, tag->pulled) < scene->grace + scene->pull_grain;
    bool is_restored = tag->restored > 0 && scene_age(scene, tag->restored) < scene->restored_for;

    if (tag->is_immutable) {
        tag_keep(tag, RETENTION_IMMUTABLE, NULL, NULL, 0);
    }
    if (scene_age(scene, tag->pushed) < scene->grace || is_pulled_lately) {
        tag_keep(tag, RETENTION_YOUNG, NULL, NULL, 0);
    }
    if (is_restored) {
        tag_keep(tag, RETENTION_RESTORED, NULL, NULL, 0);
    }
}

/* Equal digests side by side, and of these first what stays, by name. */
static int tag_compare_digest(const void *left, const void *right)
{
    const struct retention_tag *one = *(struct retention_tag *const *)left;
    const struct retention_tag *other = *(struct retention_tag *const *)right;
    int order = digest_key_compare(&one->digest, &other->digest);
    bool stays = retention_stays(&one->verdict);

    if (order != 0) {
        return order;
    }
    return stays != retention_stays(&other->verdict) ? (stays ? -1 : 1)
                                                     : strcmp(one->name, other->name);
}

static void tags_keep_same(struct retention_tag *tags, size_t count)
{
    AUTO_FREE struct retention_tag **sorted =
        memory_allocate(count, sizeof(struct retention_tag *));
    const struct retention_tag *first = NULL; /* of its digest */

    for (size_t i = 0; i < count; i++) {
        sorted[i] = &tags[i];
    }
    if (count > 1) {
        qsort(sorted, count, sizeof(struct retention_tag *), tag_compare_digest);
    }
    for (size_t i = 0; i < count; i++) {
        struct retention_tag *tag = sorted[i];

        if (!first || digest_key_compare(&first->digest, &tag->digest) != 0) {
            first = tag;
        }
        if (!retention_stays(&tag->verdict) && retention_stays(&first->verdict)) {
            tag->verdict = first->verdict;
            tag->verdict.reason = RETENTION_SAME_DIGEST;
            tag->verdict.same_as = first->name;
        }
    }
}

void retention_judge(const struct retention *rules, const struct retention_scene *scene,
                     struct retention_tag *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tags[i].verdict = (struct retention_verdict){
            .reason = tag_is_for_referrers(&tags[i])    ? RETENTION_REFERRER
                      : tag_is_undated(&tags[i], scene) ? RETENTION_UNDATED
                                                        : RETENTION_NO_SECTION};
    }
    for (size_t i = 0; i < rules->section_count; i++) {
        if (retention_section_is_about(&rules->sections[i], scene->repository)) {
            section_judge(&rules->sections[i], scene, tags, count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        tag_spare(&tags[i], scene);
    }
    tags_keep_same(tags, count);
}

static void explain_key(const struct retention_verdict *verdict, const char *why,
                        struct buffer *out)
{
    buffer_format(out, "%s: %s of [retention %s]", why, verdict->key, verdict->section->name);
}

void retention_explain(const struct retention_verdict *verdict, struct buffer *out)
{
    switch (verdict->reason) {
    case RETENTION_NO_SECTION:
        buffer_add_text(out, "no section is about it");
        break;
    case RETENTION_KEPT_BY_NAME:
        explain_key(verdict, "by its name", out);
        break;
    case RETENTION_NEWEST:
        explain_key(verdict, "among the newest", out);
        break;
    case RETENTION_PUSHED:
        explain_key(verdict, "pushed lately", out);
        break;
    case RETENTION_PULLED:
        explain_key(verdict, "in use", out);
        break;
    case RETENTION_PULLS_UNKNOWN:
        explain_key(verdict, "it may have been pulled before pulls were noted", out);
        break;
    case RETENTION_REFERRER:
        buffer_add_text(out, "it goes with the image that it is about");
        break;
    case RETENTION_UNDATED:
        buffer_add_text(out, "when it was pushed is not known: its date is no date, or ahead");
        break;
    case RETENTION_IMMUTABLE:
        buffer_add_text(out, "it must not be moved: immutable_tags");
        break;
    case RETENTION_YOUNG:
        buffer_add_text(out, "pushed or pulled within the grace of [collect]");
        break;
    case RETENTION_RESTORED:
        buffer_add_text(out, "taken back less than trash_days ago");
        break;
    case RETENTION_SAME_DIGEST:
        buffer_format(out, "the same image as %s, which stays", verdict->same_as);
        break;
    case RETENTION_CHANGED:
        buffer_add_text(out, "pushed or pulled in this moment");
        break;
    case RETENTION_NO_ROOM:
        buffer_add_text(out, "there is no room to move it to the trash");
        break;
    case RETENTION_UNKEPT:
        buffer_format(out, "no key of [retention %s] keeps it", verdict->section->name);
        break;
    }
}
