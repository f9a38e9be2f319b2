/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/retention_oracle.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAY = 86400, HOUR = 3600, NOW = 20000 * DAY, TAGS = 6, SECTIONS = 2 };

#define LIST(the_line, ...)                                                                        \
    {                                                                                              \
        .names = {.names = (char **)(const char *[]){__VA_ARGS__},                                 \
                  .count = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)},                \
        .line = (the_line)                                                                         \
    }
#define EVERYWHERE .name = (char *)"builds", .repositories = LIST(10, "**")
#define NEWEST(count) .keep_newest = (count), .keep_newest_line = 12
#define PUSHED_WITHIN(days) .keep_pushed_within = (uint64_t)(days)*DAY, .keep_pushed_line = 13
#define PULLED_WITHIN(days) .keep_pulled_within = (uint64_t)(days)*DAY, .keep_pulled_line = 14
#define SUBJECT "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { NEVER = 0, STAYS = 1, GOES = 2 };

/* A tag, in days ago. Each image has a number; a tag without one has an image of its own. */
struct tag_row {
    const char *name;
    double pushed;
    double pulled;   /* NEVER */
    double restored; /* NEVER */
    int image;
    bool is_immutable;
    int expected;
};

/* What goes and what stays, and what others have lost by a rule that seemed as good. The sections
 * are for all repositories, unless they say otherwise; pulls are noted for `noted` days. */
static const struct {
    const char *accident;
    struct retention_section sections[SECTIONS];
    double noted;
    struct tag_row tags[TAGS];
} cases[] = {
    {"what no section is about stays",
     {{.name = (char *)"other", .repositories = LIST(1, "other/**"), NEWEST(1)}},
     100,
     {{.name = "old", .pushed = 900, .expected = STAYS},
      {.name = "new", .pushed = 1, .expected = STAYS}}},
    {"a repository that is excluded loses nothing",
     {{.name = (char *)"all", .repositories = LIST(1, "**", "!team/app"), NEWEST(1)}},
     100,
     {{.name = "old", .pushed = 900, .expected = STAYS},
      {.name = "new", .pushed = 1, .expected = STAYS}}},
    {"a tag that no section is about stays",
     {{EVERYWHERE, .tags = LIST(11, "*-rc*"), NEWEST(1)}},
     100,
     {{.name = "1.0-rc1", .pushed = 30, .expected = GOES},
      {.name = "1.0-rc2", .pushed = 20, .expected = STAYS},
      {.name = "0.1", .pushed = 900, .expected = STAYS},
      {.name = "main", .pushed = 1, .expected = STAYS}}},
    {"releases take no place among the newest builds",
     {{EVERYWHERE, .keep_tags = LIST(11, "v*", "latest"), NEWEST(2)}},
     100,
     {{.name = "v1", .pushed = 900, .expected = STAYS},
      {.name = "v2", .pushed = 2, .expected = STAYS},
      {.name = "latest", .pushed = 1, .expected = STAYS},
      {.name = "b1", .pushed = 30, .expected = GOES},
      {.name = "b2", .pushed = 20, .expected = STAYS},
      {.name = "b3", .pushed = 10, .expected = STAYS}}},
    {"what is kept adds up over keys",
     {{EVERYWHERE, NEWEST(1), PUSHED_WITHIN(30), PULLED_WITHIN(30)}},
     100,
     {{.name = "a", .pushed = 90, .pulled = 60, .expected = GOES},
      {.name = "b", .pushed = 90, .pulled = 10, .expected = STAYS},
      {.name = "c", .pushed = 10, .expected = STAYS},
      {.name = "d", .pushed = 5, .expected = STAYS}}},
    {"what is kept adds up over sections",
     {{EVERYWHERE, .keep_tags = LIST(11, "v*")},
      {.name = (char *)"team", .repositories = LIST(20, "team/*"), PUSHED_WITHIN(30)}},
     100,
     {{.name = "v1", .pushed = 900, .expected = STAYS},
      {.name = "b1", .pushed = 10, .expected = STAYS},
      {.name = "b2", .pushed = 60, .expected = GOES}}},
    {"of one push, higher versions are newer: 1.10 is not older than 1.9",
     {{EVERYWHERE, NEWEST(2)}},
     100,
     {{.name = "1.9", .pushed = 40, .expected = GOES},
      {.name = "1.10", .pushed = 40, .expected = STAYS},
      {.name = "1.10-rc1", .pushed = 40, .expected = GOES},
      {.name = "1.11", .pushed = 40, .expected = STAYS}}},
    {"a fix of an older line is newer than what was pushed before it",
     {{EVERYWHERE, NEWEST(1)}},
     100,
     {{.name = "2.0", .pushed = 50, .expected = GOES},
      {.name = "1.9.1", .pushed = 40, .expected = STAYS}}},
    {"keep beats delete where both tags are the same image",
     {{EVERYWHERE, .keep_tags = LIST(11, "v*")}},
     100,
     {{.name = "build-7", .pushed = 90, .image = 1, .expected = STAYS},
      {.name = "v1", .pushed = 90, .image = 1, .expected = STAYS},
      {.name = "build-8", .pushed = 80, .image = 2, .expected = GOES},
      {.name = "also-8", .pushed = 80, .image = 2, .expected = GOES}}},
    {"a tag that no section is about keeps its image, too",
     {{EVERYWHERE, .tags = LIST(11, "build-*"), NEWEST(1)}},
     100,
     {{.name = "build-1", .pushed = 90, .image = 1, .expected = STAYS},
      {.name = "prod", .pushed = 90, .image = 1, .expected = STAYS},
      {.name = "build-2", .pushed = 80, .expected = GOES},
      {.name = "build-3", .pushed = 70, .expected = STAYS}}},
    {"signatures are not counted, and live with their subject",
     {{EVERYWHERE, NEWEST(1)}},
     100,
     {{.name = "app", .pushed = 90, .expected = STAYS},
      {.name = SUBJECT, .pushed = 10, .expected = STAYS},
      {.name = SUBJECT ".sig", .pushed = 10, .expected = STAYS},
      {.name = SUBJECT ".att", .pushed = 900, .expected = STAYS},
      {.name = "older", .pushed = 91, .expected = GOES},
      {.name = "sha256-abc.sig", .pushed = 900, .expected = GOES}}},
    {"a digest that was pulled is not the tag that it was: the retag of an old image is young",
     {{EVERYWHERE, PUSHED_WITHIN(30)}},
     100,
     {{.name = "prod", .pushed = 1, .image = 1, .expected = STAYS},
      {.name = "built-long-ago", .pushed = 900, .image = 1, .expected = STAYS},
      {.name = "other", .pushed = 900, .expected = GOES}}},
    {"no pull is known because nobody noted it: that is not never",
     {{EVERYWHERE, PULLED_WITHIN(90)}},
     10,
     {{.name = "running", .pushed = 900, .expected = STAYS},
      {.name = "pulled", .pushed = 900, .pulled = 5, .expected = STAYS}}},
    {"nothing was ever noted",
     {{EVERYWHERE, PULLED_WITHIN(90)}},
     NEVER,
     {{.name = "running", .pushed = 900, .expected = STAYS}}},
    {"once it has been noted for long enough, no pull is none",
     {{EVERYWHERE, PULLED_WITHIN(90)}},
     91,
     {{.name = "idle", .pushed = 900, .expected = GOES},
      {.name = "used", .pushed = 900, .pulled = 89, .expected = STAYS},
      {.name = "old", .pushed = 900, .pulled = 91, .expected = GOES}}},
    {"a tag that nobody has pulled yet was pushed",
     {{EVERYWHERE, PULLED_WITHIN(30)}},
     100,
     {{.name = "yesterday", .pushed = 1, .expected = STAYS},
      {.name = "idle", .pushed = 31, .expected = GOES}}},
    {"a pull may be later than its note: what may have been within the time was",
     {{EVERYWHERE, PULLED_WITHIN(30)}},
     100,
     {{.name = "maybe", .pushed = 900, .pulled = 30.02, .expected = STAYS},
      {.name = "no", .pushed = 900, .pulled = 30.05, .expected = GOES}}},
    {"a number takes away what is just being deployed",
     {{EVERYWHERE, NEWEST(1)}},
     100,
     {{.name = "b1", .pushed = 0.02, .expected = STAYS},
      {.name = "b2", .pushed = 0.01, .expected = STAYS},
      {.name = "b0", .pushed = 3, .expected = GOES}}},
    {"a number takes away what somebody has just pulled",
     {{EVERYWHERE, NEWEST(1)}},
     100,
     {{.name = "b1", .pushed = 30, .pulled = 0.03, .expected = STAYS},
      {.name = "b2", .pushed = 29, .expected = STAYS},
      {.name = "b0", .pushed = 31, .pulled = 2, .expected = GOES}}},
    {"what was restored is deleted again at once",
     {{EVERYWHERE, NEWEST(1)}},
     100,
     {{.name = "back", .pushed = 900, .restored = 6, .expected = STAYS},
      {.name = "long-back", .pushed = 900, .restored = 8, .expected = GOES},
      {.name = "new", .pushed = 5, .expected = STAYS}}},
    {"a tag that must not be moved is deleted",
     {{EVERYWHERE, NEWEST(1)}},
     100,
     {{.name = "v1", .pushed = 900, .is_immutable = true, .expected = STAYS},
      {.name = "b1", .pushed = 800, .expected = GOES},
      {.name = "b2", .pushed = 5, .expected = STAYS}}},
    {"a clock that was wrong makes everything old, or new",
     {{EVERYWHERE, PUSHED_WITHIN(30)}},
     100,
     {{.name = "next-year", .pushed = -400, .expected = STAYS},
      {.name = "1970", .pushed = 20000, .expected = STAYS},
      {.name = "1969", .pushed = 20001, .expected = STAYS},
      {.name = "long-ago", .pushed = 19999, .expected = GOES}}},
    {"what has an impossible date takes the places of what is new",
     {{EVERYWHERE, NEWEST(1), PULLED_WITHIN(30)}},
     100,
     {{.name = "next-year", .pushed = -400, .expected = STAYS},
      {.name = "1969", .pushed = 20001, .expected = STAYS},
      {.name = "new", .pushed = 40, .expected = STAYS},
      {.name = "older", .pushed = 41, .expected = GOES},
      {.name = "older-and-pulled-in-1969", .pushed = 42, .pulled = 20001, .expected = STAYS}}},
    {"an exclusion among what is kept",
     {{EVERYWHERE, .keep_tags = LIST(11, "v*", "!v0*")}},
     100,
     {{.name = "v1", .pushed = 900, .expected = STAYS},
      {.name = "v0.1", .pushed = 900, .expected = GOES}}},
};

static time_t days_ago(double days)
{
    return days == NEVER ? 0 : (time_t)(NOW - days * DAY);
}

static struct retention_scene scene_of(double noted)
{
    return (struct retention_scene){.repository = "team/app",
                                    .now = NOW,
                                    .noted_since = days_ago(noted),
                                    .pull_grain = HOUR,
                                    .grace = HOUR,
                                    .restored_for = (uint64_t)7 * DAY};
}

static struct digest_key image_key(int image)
{
    struct digest_key key = {.bytes = {(unsigned char)image, (unsigned char)(image >> 8)}};

    return key;
}

static size_t read_tags(const struct tag_row *rows, struct retention_tag *out)
{
    size_t count = 0;

    for (; count < TAGS && rows[count].name; count++) {
        const struct tag_row *row = &rows[count];

        out[count] = (struct retention_tag){
            .name = row->name,
            .digest = image_key(row->image > 0 ? row->image : 1000 + (int)count),
            .pushed = (time_t)(NOW - row->pushed * DAY),
            .pulled = days_ago(row->pulled),
            .restored = days_ago(row->restored),
            .is_immutable = row->is_immutable};
    }
    return count;
}

static void what_stays_and_what_goes_is_as_in_the_table_and_as_the_header_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct retention_section sections[SECTIONS];
        struct retention rules = {sections, cases[i].sections[1].name ? 2 : 1};
        struct retention_scene scene = scene_of(cases[i].noted);
        struct retention_tag tags[TAGS];
        size_t count = read_tags(cases[i].tags, tags);
        struct oracle oracle = {&rules, &scene, tags, count};

        memcpy(sections, cases[i].sections, sizeof(sections));
        retention_judge(&rules, &scene, tags, count);
        for (size_t j = 0; j < count; j++) {
            bool expected = cases[i].tags[j].expected == STAYS;

            if (retention_stays(&tags[j].verdict) != expected ||
                oracle_stays(&oracle, &tags[j]) != expected) {
                AUTO_BUFFER struct buffer why = BUFFER_INIT;

                retention_explain(&tags[j].verdict, &why);
                fail_msg("%s: %s: %s", cases[i].accident, tags[j].name, why.data);
            }
        }
    }
}

static const struct {
    const char *tag;
    enum retention_reason reason;
    unsigned line;
    const char *words;
} reasons[] = {
    {"v1", RETENTION_KEPT_BY_NAME, 11, "by its name: keep_tags of [retention builds]"},
    {"b3", RETENTION_NEWEST, 12, "among the newest: keep_newest of [retention builds]"},
    {"b2", RETENTION_PUSHED, 13, "pushed lately: keep_pushed_within of [retention builds]"},
    {"b1", RETENTION_PULLED, 14, "in use: keep_pulled_within of [retention builds]"},
    {"alias", RETENTION_SAME_DIGEST, 11, "the same image as v1, which stays"},
    {"b0", RETENTION_UNKEPT, 10, "no key of [retention builds] keeps it"},
};

static void each_verdict_names_the_line_that_decided(void **state)
{
    struct retention_section section = {EVERYWHERE, .keep_tags = LIST(11, "v*"), NEWEST(1),
                                        PUSHED_WITHIN(30), PULLED_WITHIN(30)};
    struct retention rules = {&section, 1};
    struct retention_scene scene = scene_of(900);
    const struct tag_row rows[TAGS] = {{.name = "v1", .pushed = 900, .image = 1},
                                       {.name = "b3", .pushed = 5},
                                       {.name = "b2", .pushed = 6},
                                       {.name = "b1", .pushed = 90, .pulled = 7},
                                       {.name = "alias", .pushed = 900, .image = 1},
                                       {.name = "b0", .pushed = 900}};
    struct retention_tag tags[TAGS];
    size_t count = read_tags(rows, tags);

    (void)state;
    retention_judge(&rules, &scene, tags, count);
    for (size_t i = 0; i < count; i++) {
        AUTO_BUFFER struct buffer words = BUFFER_INIT;

        retention_explain(&tags[i].verdict, &words);
        assert_string_equal(tags[i].name, reasons[i].tag);
        assert_string_equal(words.data, reasons[i].words);
        assert_int_equal(tags[i].verdict.reason, reasons[i].reason);
        assert_int_equal(tags[i].verdict.line, reasons[i].line);
    }
}

static uint32_t chance = 1;

static unsigned choose(unsigned count)
{
    chance = chance * 1664525U + 1013904223U;
    return (chance >> 16) % count;
}

enum { RANDOM_TAGS = 40 };

static const struct retention_list some_names[] = {LIST(1, "v*"), LIST(2, "b1*", "latest*"),
                                                   LIST(3, "*", "!v*")};
static const struct retention_list some_repositories[] = {LIST(4, "**"), LIST(5, "team/*"),
                                                          LIST(6, "other")};

static void make_section(struct retention_section *out)
{
    *out = (struct retention_section){.name = (char *)"x",
                                      .repositories = some_repositories[choose(3)]};
    out->keep_newest = choose(2) ? choose(6) : 0;
    out->keep_pushed_within = choose(2) ? choose(10) * (uint64_t)DAY : 0;
    out->keep_pulled_within = choose(2) ? choose(10) * (uint64_t)DAY : 0;
    if (choose(2)) {
        out->keep_tags = some_names[choose(3)];
    }
    if (choose(3) == 0) {
        out->tags = some_names[choose(3)];
    }
}

static size_t make_tags(struct retention_tag *out, char names[RANDOM_TAGS][96])
{
    static const char *const beginnings[] = {"v", "b", "latest", SUBJECT ".", "1.", "1."};
    size_t count = choose(RANDOM_TAGS + 1);

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s%zu%s", beginnings[choose(6)], i,
                       choose(3) ? "" : "-rc1");
        out[i] =
            (struct retention_tag){.name = names[i],
                                   .digest = image_key((int)choose(30)),
                                   .pushed = NOW + HOUR - (time_t)choose(20) * (DAY / 2),
                                   .pulled = choose(2) ? NOW - (time_t)choose(400) * HOUR : 0,
                                   .restored = choose(10) == 0 ? NOW - (time_t)choose(20) * DAY : 0,
                                   .is_immutable = choose(20) == 0};
    }
    return count;
}

static void whatever_the_case_it_is_as_the_header_says(void **state)
{
    enum { RUNS = 20000, MOST = 4 };

    (void)state;
    for (unsigned run = 0; run < RUNS; run++) {
        struct retention_section sections[MOST];
        struct retention rules = {sections, choose(MOST + 1)};
        struct retention_scene scene = scene_of(choose(3) ? choose(15) : NEVER);
        char names[RANDOM_TAGS][96];
        struct retention_tag tags[RANDOM_TAGS];
        struct oracle oracle = {&rules, &scene, tags, make_tags(tags, names)};

        for (size_t i = 0; i < rules.section_count; i++) {
            make_section(&sections[i]);
        }
        scene.grace = choose(2) ? 0 : HOUR;
        retention_judge(&rules, &scene, tags, oracle.count);
        for (size_t i = 0; i < oracle.count; i++) {
            if (oracle_stays(&oracle, &tags[i]) != retention_stays(&tags[i].verdict)) {
                fail_msg("run %u: %s", run, tags[i].name);
            }
        }
    }
}

static const struct {
    const char *pattern;
    const char *agent;
    bool matches;
} agents[] = {
    {"trivy*", "Trivy/0.50.1", true},
    {"trivy/*", "trivy/0.50.1 (linux/amd64)", true},
    {"*scanner*", "harbor-scanner-trivy/1", true},
    {"*scanner", "harbor-scanner-trivy/1", false},
    {"skopeo", "skopeo/1.9", false},
    {"skopeo/1.*", "skopeo/1.9", true},
    {"*a*b*c", "xxaxxbxxbxxc", true},
    {"*a*b*c", "xxaxxbxxbxx", false},
    {"docker*", NULL, false},
    {"docker*", "", false},
};

static void clients_are_left_out_by_what_they_call_themselves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(agents); i++) {
        struct retention_section section = {
            .name = (char *)"x",
            .repositories = LIST(1, "team/*"),
            .ignore_agents = {.names = {(char **)&agents[i].pattern, 1, 1}}};
        struct retention rules = {&section, 1};

        assert_int_equal(retention_ignores(&rules, "team/app", agents[i].agent), agents[i].matches);
        assert_false(retention_ignores(&rules, "other", agents[i].agent));
    }
    assert_true(retention_agent_is_valid("trivy/*"));
    assert_false(retention_agent_is_valid("*"));
    assert_false(retention_agent_is_valid("**"));
    assert_false(retention_agent_is_valid(""));
}

static void patterns_are_of_names_that_can_be(void **state)
{
    (void)state;
    assert_true(retention_tag_is_valid("v*"));
    assert_true(retention_tag_is_valid("!V1.0_x-*"));
    assert_true(retention_repository_is_valid("!team/**"));
    assert_false(retention_tag_is_valid("v/*"));
    assert_false(retention_tag_is_valid("!"));
    assert_false(retention_tag_is_valid("^v.*$"));
    assert_false(retention_repository_is_valid("home/{user}/**"));
    assert_false(retention_repository_is_valid("Team/*"));
    assert_true(retention_name_is_valid("builds"));
    assert_false(retention_name_is_valid("my builds"));
}

static void versions_are_in_their_natural_order(void **state)
{
    static const char *const order[] = {"",
                                        "1",
                                        "1.9-rc1",
                                        "1.9",
                                        "1.10-rc2",
                                        "1.10-rc10",
                                        "1.10",
                                        "1.10.1",
                                        "01.11",
                                        "1.11",
                                        "2",
                                        "10",
                                        "99999999999999999999999999",
                                        "100000000000000000000000000",
                                        "latest",
                                        "v1",
                                        "v1-",
                                        "v1a"};

    (void)state;
    for (size_t i = 0; i < COUNT(order); i++) {
        for (size_t j = 0; j < COUNT(order); j++) {
            int result = version_compare(order[i], order[j]);

            if (strncmp(order[i], "v1", 2) == 0 && strncmp(order[j], "v1", 2) == 0) {
                continue;
            }
            if ((result < 0) != (i < j) || (result > 0) != (i > j)) {
                fail_msg("'%s' and '%s': %d", order[i], order[j], result);
            }
        }
    }
    assert_true(version_compare("v1-", "v1") < 0 && version_compare("v1", "v1a") < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_and_what_goes_is_as_in_the_table_and_as_the_header_says),
        cmocka_unit_test(each_verdict_names_the_line_that_decided),
        cmocka_unit_test(whatever_the_case_it_is_as_the_header_says),
        cmocka_unit_test(clients_are_left_out_by_what_they_call_themselves),
        cmocka_unit_test(patterns_are_of_names_that_can_be),
        cmocka_unit_test(versions_are_in_their_natural_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
