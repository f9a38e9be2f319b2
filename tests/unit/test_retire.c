/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/collecting.h"

/* Retention, as the collector applies it to a store. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/directory.h"
#include "lib/store/collect.h"
#include "lib/store/history.h"
#include "lib/store/pulled.h"
#include "lib/store/restore.h"
#include "lib/store/retire.h"
#include "lib/store/trash.h"
#include "tests/unit/trace.h"

enum { DAY = 86400 };

static struct error error;

/* One tag stays, the newest. */
static struct retention_section only_newest = {
    .name = (char *)"builds",
    .repositories = {.names = {(char *[]){(char *)"team/**"}, 1, 1}, .line = 7},
    .keep_newest = 1,
    .keep_newest_line = 8,
};

struct run {
    struct collect_report report;
    struct buffer said; /* "tag: why" a line */
};

#define AUTO_RUN AUTO(run_release)

static void run_release(struct run *run)
{
    buffer_release(&run->said);
}

static void run_found(void *context, const char *path, const char *why, uint64_t bytes)
{
    (void)context;
    (void)path;
    (void)why;
    (void)bytes;
}

static void run_problem(void *context, const char *path, const char *what,
                        enum collect_spared spared)
{
    (void)context;
    (void)spared;
    print_message("%s: %s\n", path, what);
}

static void run_step(void *context)
{
    (void)context;
}

static void run_judged(void *context, const struct repository *repository,
                       const struct retention_tag *tag)
{
    struct run *run = context;
    AUTO_BUFFER struct buffer why = BUFFER_INIT;

    (void)repository;
    retention_explain(&tag->verdict, &why);
    buffer_format(&run->said, "%s: %s\n", tag->name, why.data);
}

static int collect_now(struct fixture *fixture, bool dry_run, struct run *run)
{
    const struct collect_options options = {.trash_days = 7, .retention = {&only_newest, 1}};

    run_release(run);
    run->report = (struct collect_report){.dry_run = dry_run,
                                          .found = run_found,
                                          .problem = run_problem,
                                          .judged = run_judged,
                                          .step = run_step,
                                          .context = run};
    return collect_store(&fixture->store, &options, &run->report, &error);
}

static void collect_tags(struct fixture *fixture, bool dry_run, struct run *run)
{
    (void)let_time_pass(fixture);
    assert_returns(1, collect_now(fixture, dry_run, run));
}

/* An image, and the tag as if it had been pushed so many days ago. */
static struct digest push_tag(struct fixture *fixture, const char *note, const char *tag, int days)
{
    AUTO_BUFFER struct buffer image = BUFFER_INIT;
    struct digest digest;

    make_image(&fixture->repository, note, &image);
    digest = push_manifest(&fixture->repository, image.data, tag);
    if (tag) { /* without its history it goes by its link */
        (void)unlinkat(fixture->store.root, layout_history("team/app", tag).text, 0);
        set_age(fixture->store.root, layout_tag_current("team/app", tag).text, (time_t)days * DAY);
    }
    return digest;
}

static bool has(struct fixture *fixture, const char *reference)
{
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    int found = repository_get_manifest(&fixture->repository, reference, &manifest, &error);

    assert_true(found >= 0);
    return found > 0;
}

/* Without taking it back. */
static bool has_in_place(struct fixture *fixture, const struct digest *digest)
{
    return is_there(fixture->store.root, layout_link("team/app", LINK_REVISION, digest).text);
}

static void ignore_restored(void *context, const char *kind, const char *name)
{
    (void)context;
    (void)kind;
    (void)name;
}

static void restore(struct fixture *fixture, const char *tag)
{
    AUTO_RESTORATION struct restoration restoration = RESTORATION_INIT(&fixture->repository);

    restoration.restored = ignore_restored;
    assert_returns(1, restore_tag(&restoration, tag, &error));
}

static void a_tag_that_nothing_keeps_goes_with_its_image_and_can_be_restored(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 2);
    struct digest new = push_tag(fixture, "new", "new", 1);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    collect_tags(fixture, false, &run);
    assert_string_equal(run.said.data, "new: among the newest: keep_newest of [retention builds]\n"
                                       "old: no key of [retention builds] keeps it\n");
    assert_int_equal(run.report.retention_tags, 2);
    assert_int_equal(run.report.retired_tags, 1);
    assert_int_equal(run.report.collected_manifests, 1);
    assert_int_equal(run.report.collected_blobs, 2);
    assert_false(has(fixture, "old"));
    assert_false(has_in_place(fixture, &old));
    assert_true(has_in_place(fixture, &new));
    restore(fixture, "old");
    assert_true(has(fixture, "old"));
    collect_tags(fixture, false, &run);
    assert_string_equal(run.said.data, "new: among the newest: keep_newest of [retention builds]\n"
                                       "old: taken back less than trash_days ago\n");
    assert_true(has(fixture, "old"));
}

static void a_dry_run_counts_what_goes_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 2);
    AUTO_RUN struct run dry = {.said = BUFFER_INIT};
    AUTO_RUN struct run wet = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "new", "new", 1);
    collect_tags(fixture, true, &dry);
    assert_true(has(fixture, "old") && has_in_place(fixture, &old));
    collect_tags(fixture, false, &wet);
    assert_string_equal(dry.said.data, wet.said.data);
    assert_int_equal(dry.report.retired_tags, wet.report.retired_tags);
    assert_int_equal(dry.report.collected_manifests, wet.report.collected_manifests);
    assert_int_equal(dry.report.collected_blobs, wet.report.collected_blobs);
    assert_int_equal(dry.report.collected_bytes, wet.report.collected_bytes);
}

/* There may be a hundred thousand. */
static void a_tag_is_read_once_to_be_judged(void **state)
{
    struct fixture *fixture = *state;
    struct path current = layout_tag_current("team/app", "old");
    AUTO_RUN struct run run = {.said = BUFFER_INIT};
    size_t reads = 0;

    (void)push_tag(fixture, "old", "old", 2);
    trace_begin();
    trace_looks();
    assert_returns(1, collect_now(fixture, true, &run));
    (void)trace_end();
    for (size_t i = 0; (i = trace_find("openat ", current.text, i)) != SIZE_MAX; i++) {
        reads++;
    }
    assert_int_equal(reads, 1 + 1); /* and to see what can be reached by it */
}

static void what_never_had_a_tag_or_lost_it_by_hand_is_kept_untagged(void **state)
{
    struct fixture *fixture = *state;
    struct digest untagged = push_tag(fixture, "untagged", NULL, 0);
    struct digest by_hand = push_tag(fixture, "by hand", "hand", 3);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "new", "new", 1);
    assert_returns(1, repository_delete_tag(&fixture->repository, "hand", NULL, NULL, &error));
    collect_tags(fixture, false, &run);
    assert_true(has_in_place(fixture, &untagged) && has_in_place(fixture, &by_hand));
}

static void an_image_that_was_retired_once_is_kept_when_its_tag_is_deleted_by_hand(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 2);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "new", "new", 1);
    collect_tags(fixture, false, &run);
    (void)push_tag(fixture, "old", "again", 0);
    (void)let_time_pass(fixture);
    assert_returns(1, repository_delete_tag(&fixture->repository, "again", NULL, NULL, &error));
    collect_tags(fixture, false, &run);
    assert_true(has_in_place(fixture, &old));
}

static void who_pulls_a_retired_image_by_its_digest_has_it_back(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 2);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "new", "new", 1);
    collect_tags(fixture, false, &run);
    assert_true(has(fixture, old.text));
    collect_tags(fixture, false, &run);
    assert_true(has_in_place(fixture, &old));
}

static void children_of_an_index_outlive_the_tags_that_they_were_pushed_by(void **state)
{
    struct fixture *fixture = *state;
    struct digest child = push_tag(fixture, "child", "1-amd64", 3);
    AUTO_BUFFER struct buffer index = BUFFER_INIT;
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    buffer_format(&index,
                  "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
                  "\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                  "\"digest\":\"%s\",\"size\":1}]}",
                  child.text);
    (void)push_manifest(&fixture->repository, index.data, "1");
    collect_tags(fixture, false, &run);
    assert_false(has(fixture, "1-amd64"));
    assert_true(has_in_place(fixture, &child));
    assert_int_equal(run.report.collected_manifests, 0);
}

static void what_is_immutable_stays(void **state)
{
    struct fixture *fixture = *state;
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "release", "v1", 900);
    (void)push_tag(fixture, "new", "new", 1);
    fixture->options.immutable_tags = (struct names){(char *[]){(char *)"v*"}, 1, 1};
    collect_tags(fixture, false, &run);
    fixture->options.immutable_tags = (struct names)NAMES_INIT;
    assert_true(has(fixture, "v1"));
    assert_non_null(strstr(run.said.data, "v1: it must not be moved: immutable_tags\n"));
}

static void what_was_deleted_says_so_in_its_history(void **state)
{
    struct fixture *fixture = *state;
    AUTO_RUN struct run run = {.said = BUFFER_INIT};
    AUTO_HISTORY struct history history = HISTORY_INIT;
    struct digest old = push_tag(fixture, "old", "old", 2);

    (void)push_tag(fixture, "new", "new", 1);
    collect_tags(fixture, false, &run);
    assert_returns(1, history_read(&fixture->repository, "old", 10, &history, &error));
    assert_int_equal(history.entries[0].event, HISTORY_DELETED);
    assert_string_equal(history.entries[0].author, "@retention");
    assert_true(digest_equal(&history.entries[0].digest, &old));
}

static void another_repository_is_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct repository other = repository_named(fixture, "other");
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_manifest(&other, "{\"schemaVersion\":2,\"manifests\":[]}", "a");
    (void)push_manifest(&other, "{\"schemaVersion\":2,\"manifests\":[ ]}", "b");
    collect_tags(fixture, false, &run);
    assert_int_equal(run.report.retention_tags, 0);
    assert_int_equal(run.report.tags, 2);
}

/* When the lock is taken, what was judged may have changed. */
/* Of very many the walk has only some thousands in memory. */
static void of_very_many_tags_each_is_judged_by_its_own_name(void **state)
{
    enum { MANY = 8200 };
    struct fixture *fixture = *state;
    struct digest digest = push_tag(fixture, "one", "t0000", 1);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};
    const char *line;

    for (int i = 1; i < MANY; i++) {
        char tag[16];

        (void)snprintf(tag, sizeof(tag), "t%04d", i);
        put_file(fixture->store.root, layout_tag_current("team/app", tag).text, digest.text);
    }
    collect_tags(fixture, true, &run);
    line = run.said.data;
    for (int i = 0; i < MANY; i++) {
        char begin[16];

        (void)snprintf(begin, sizeof(begin), "t%04d: ", i);
        assert_memory_equal(line, begin, strlen(begin));
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(run.report.retention_tags, MANY);
}

/* Who is to be told of a tag that goes: how often, and whether the process ends there. */
struct receiver {
    struct fixture *fixture;
    unsigned told;
    bool ends;
};

static void tell_receiver(void *context, const struct actor_deed *deed)
{
    struct receiver *receiver = context;
    struct path current = layout_tag_current("team/app", deed->tag);

    assert_string_equal(deed->repository->name, "team/app");
    assert_string_equal(deed->tag, "old");
    assert_true(is_there(receiver->fixture->store.root, current.text));
    receiver->told++;
    if (receiver->ends) {
        _exit(3);
    }
}

static int retire_telling(struct receiver *receiver)
{
    const struct retention retention = {&only_newest, 1};
    const struct actor actor = {.name = "@retention", .done = tell_receiver, .context = receiver};
    const struct retire_rules rules = {
        .retention = &retention, .scene = {.now = clock_date()}, .actor = &actor};
    AUTO_NAMES struct names retired = NAMES_INIT;
    struct retire_report report = {.judged = 0};

    return retire_tags(&receiver->fixture->repository, &rules, &retired, &report, &error);
}

/* Wherever it is ended: a deletion that nobody was told of cannot be. */
static void what_goes_is_told_before_it_goes_and_again_if_it_did_not(void **state)
{
    struct receiver receiver = {.fixture = *state};
    pid_t child;

    (void)push_tag(receiver.fixture, "old", "old", 20);
    (void)push_tag(receiver.fixture, "new", "new", 10);
    child = fork_child();
    if (child == 0) {
        receiver.ends = true;
        _exit(retire_telling(&receiver));
    }
    assert_int_equal(wait_for_child(child), 3);
    assert_true(has(receiver.fixture, "old"));
    assert_returns(0, retire_telling(&receiver));
    assert_int_equal(receiver.told, 1);
    assert_false(has(receiver.fixture, "old"));
    assert_returns(0, retire_telling(&receiver));
    assert_int_equal(receiver.told, 1);
}

/* With the lock in hand. */
static void a_pipe_in_the_place_of_a_note_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 20);
    struct receiver receiver = {.fixture = fixture};
    struct path note = layout_retired("team/app", &old);

    (void)push_tag(fixture, "new", "new", 10);
    put_file(fixture->store.root, note.text, "");
    assert_int_equal(unlinkat(fixture->store.root, note.text, 0), 0);
    assert_int_equal(mkfifoat(fixture->store.root, note.text, 0600), 0);
    assert_fails(ERROR_INTERNAL, retire_telling(&receiver));
    assert_true(has(fixture, "old"));
    assert_int_equal(receiver.told, 0);
    assert_int_equal(unlinkat(fixture->store.root, note.text, 0), 0);
}

static void (*change)(struct fixture *fixture);

static void change_at_lock(void *context, const char *line)
{
    struct path lock = layout_repository_lock("team/app");
    void (*once)(struct fixture * fixture) = change;

    if (once && strncmp(line, "openat ", 7) == 0 && strstr(line, lock.text)) {
        change = NULL;
        once(context);
    }
}

static void collect_changing(struct fixture *fixture, void (*what)(struct fixture *fixture),
                             struct run *run)
{
    (void)let_time_pass(fixture);
    change = what;
    trace_begin();
    trace_looks();
    trace_hook(change_at_lock, fixture);
    assert_returns(1, collect_now(fixture, false, run));
    (void)trace_end();
    assert_null(change);
}

static void touch_tag(struct fixture *fixture)
{
    set_age(fixture->store.root, layout_tag_current("team/app", "old").text, 0);
}

static void pull_tag(struct fixture *fixture)
{
    struct digest digest = sha256("");

    pulled_note(&fixture->repository, &(struct pull){"old", &digest, true});
}

static void move_tag(struct fixture *fixture)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct digest digest;

    assert_returns(1, tag_get(&fixture->repository, "new", &digest, &error));
    buffer_add_text(&text, digest.text);
    put_file(fixture->store.root, layout_tag_current("team/app", "old").text, text.data);
    set_age(fixture->store.root, layout_tag_current("team/app", "old").text, 2 * (time_t)DAY);
}

static void a_tag_that_is_pushed_moved_or_pulled_after_it_was_judged_stays(void **state)
{
    void (*const changes[])(struct fixture *) = {touch_tag, pull_tag, move_tag};

    for (size_t i = 0; i < COUNT(changes); i++) {
        struct fixture *fixture = *state;
        AUTO_RUN struct run run = {.said = BUFFER_INIT};

        pulled_forget_all();
        (void)push_tag(fixture, "old", "old", 2);
        (void)push_tag(fixture, "new", "new", 1);
        collect_changing(fixture, changes[i], &run);
        assert_int_equal(run.report.retired_tags, 0);
        assert_true(has(fixture, "old"));
        assert_non_null(strstr(run.said.data, "old: pushed or pulled in this moment\n"));
        assert_returns(1, repository_delete_tag(&fixture->repository, "old", NULL, NULL, &error));
        (void)unlinkat(fixture->store.root,
                       layout_trash(TRASH_DELETED, layout_pulled_tag("team/app", "old").text).text,
                       0);
    }
}

/* Ends or fails at the n-th call. Whether it got there. */
static bool meet_fault(struct fixture *fixture, size_t n, int number)
{
    AUTO_RUN struct run run = {.said = BUFFER_INIT};
    pid_t child;

    (void)let_time_pass(fixture);
    if (number > 0) {
        trace_begin_with_fault(n, number);
        (void)collect_now(fixture, false, &run);
        return trace_end();
    }
    child = fork_child();
    if (child == 0) {
        trace_begin_with_fault(n, 0);
        _exit(collect_now(fixture, false, &run) < 0 ? 2 : 1);
    }
    return wait_for_child(child) == 0;
}

static void meet_faults(struct fixture *fixture, int number)
{
    bool reached = true;

    for (size_t n = 0; reached; n++) {
        AUTO_RUN struct run run = {.said = BUFFER_INIT};
        struct digest old = push_tag(fixture, "old", "old", 2);

        (void)push_tag(fixture, "new", "new", 1);
        reached = meet_fault(fixture, n, number);
        assert_true(has(fixture, "new"));
        collect_tags(fixture, false, &run);
        assert_false(has(fixture, "old"));
        if (has_in_place(fixture, &old)) {
            fail_msg("after call %zu, errno %d, the image stays for good", n, number);
        }
        restore(fixture, "old");
        assert_true(has(fixture, "old"));
        assert_returns(1, repository_delete_manifest(&fixture->repository, &old, NULL, &error));
        fixture->damaged = true; /* what is left lies in the temporary directory */
        assert_problems(fixture, 0);
        assert_int_equal(directory_remove(fixture->store.root, LAYOUT_TRASH, &error), 0);
    }
}

static void
a_crash_or_a_fault_at_any_call_leaves_nothing_that_the_next_run_does_not_do(void **state)
{
    static const int numbers[] = {0, EIO, ENOSPC};

    for (size_t i = 0; i < COUNT(numbers); i++) {
        meet_faults(*state, numbers[i]);
    }
}

static void what_was_noted_of_what_is_gone_goes(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 2);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "new", "new", 1);
    pulled_note(&fixture->repository, &(struct pull){NULL, &old, true});
    set_age(fixture->store.root, layout_pulled_digest("team/app", &old).text, DAY);
    collect_tags(fixture, false, &run);
    assert_true(is_there(fixture->store.root, layout_retired("team/app", &old).text));
    assert_int_equal(directory_remove(fixture->store.root, LAYOUT_TRASH, &error), 0);
    collect_tags(fixture, false, &run);
    assert_false(is_there(fixture->store.root, layout_retired("team/app", &old).text));
    assert_false(is_there(fixture->store.root, layout_pulled_digest("team/app", &old).text));
}

/* In a copy of the store all times are new, in the order of the copy. */
static void a_copy_of_the_store_makes_no_note_true_again(void **state)
{
    struct fixture *fixture = *state;
    struct digest old = push_tag(fixture, "old", "old", 2);
    struct path note = layout_retired("team/app", &old);
    AUTO_RUN struct run run = {.said = BUFFER_INIT};

    (void)push_tag(fixture, "new", "new", 1);
    collect_tags(fixture, false, &run);
    assert_true(is_there(fixture->store.root, note.text));
    (void)let_time_pass(fixture);
    assert_true(has(fixture, old.text)); /* somebody pulls it, and it is back */
    collect_tags(fixture, true, &run);
    collect_tags(fixture, false, &run);
    assert_true(has_in_place(fixture, &old));
    (void)let_time_pass(fixture);
    (void)utimensat(fixture->store.root, note.text, NULL, 0);
    collect_tags(fixture, false, &run);
    assert_true(has_in_place(fixture, &old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(a_tag_that_nothing_keeps_goes_with_its_image_and_can_be_restored),
        IN_STORE(a_dry_run_counts_what_goes_and_changes_nothing),
        IN_STORE(a_tag_is_read_once_to_be_judged),
        IN_STORE(what_never_had_a_tag_or_lost_it_by_hand_is_kept_untagged),
        IN_STORE(an_image_that_was_retired_once_is_kept_when_its_tag_is_deleted_by_hand),
        IN_STORE(who_pulls_a_retired_image_by_its_digest_has_it_back),
        IN_STORE(children_of_an_index_outlive_the_tags_that_they_were_pushed_by),
        IN_STORE(what_is_immutable_stays),
        IN_STORE(what_goes_is_told_before_it_goes_and_again_if_it_did_not),
        IN_STORE(a_pipe_in_the_place_of_a_note_holds_nobody_up),
        IN_STORE(what_was_deleted_says_so_in_its_history),
        IN_STORE(another_repository_is_not_looked_at),
        IN_STORE(of_very_many_tags_each_is_judged_by_its_own_name),
        IN_STORE(a_tag_that_is_pushed_moved_or_pulled_after_it_was_judged_stays),
        IN_STORE(a_crash_or_a_fault_at_any_call_leaves_nothing_that_the_next_run_does_not_do),
        IN_STORE(what_was_noted_of_what_is_gone_goes),
        IN_STORE(a_copy_of_the_store_makes_no_note_true_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
