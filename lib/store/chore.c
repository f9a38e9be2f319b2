/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/chore.h"

#include <inttypes.h>

#include "lib/base/clock.h"
#include "lib/store/memo.h"

enum {
    TELL_INTERVAL = 10000, /* milliseconds */
    LOST_SECONDS = 120,    /* after which nobody is expected to go on */
};

static const char *chore_place(enum chore_kind kind)
{
    return kind == CHORE_COLLECT ? LAYOUT_LAST_COLLECT : LAYOUT_LAST_CHECK;
}

const char *chore_outcome_name(enum chore_outcome outcome)
{
    static const char *const names[] = {"running", "done", "stopped", "failed", "interrupted"};

    return names[outcome];
}

static void chore_write(struct chore *chore, struct store *store)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    struct error ignored;

    chore->told = clock_milliseconds();
    if (store->temporary >= 0) {
        buffer_format(&memo, "%" PRId64 "\n%d\n%" PRIu64 "\n", (int64_t)chore->began,
                      (int)chore->outcome, chore->problems);
        (void)memo_write(store, (struct file_place){store->root, chore_place(chore->kind)}, &memo,
                         &ignored);
    }
}

void chore_begin(struct chore *chore, enum chore_kind kind, struct store *store)
{
    *chore = (struct chore){.kind = kind, .outcome = CHORE_UNDER_WAY, .began = clock_date()};
    chore_write(chore, store);
}

void chore_go_on(struct chore *chore, struct store *store)
{
    if (clock_milliseconds() - chore->told >= TELL_INTERVAL) {
        chore_write(chore, store);
    }
}

void chore_end(struct chore *chore, struct store *store, enum chore_outcome outcome,
               uint64_t problems)
{
    chore->outcome = outcome;
    chore->problems = problems;
    chore_write(chore, store);
}

int chore_read(const struct store *store, enum chore_kind kind, struct chore_past *out,
               struct error *error)
{
    AUTO_BUFFER struct buffer memo = BUFFER_INIT;
    uint64_t outcome;
    uint64_t problems;
    uint64_t began;
    uint64_t since;
    uint64_t age;
    int found = memo_read((struct file_place){store->root, chore_place(kind)}, &memo, &age, error);

    if (found <= 0) {
        return found;
    }
    if (!memo_number(&memo, 0, &began) || !memo_number(&memo, 1, &outcome) ||
        !memo_number(&memo, 2, &problems) || outcome >= CHORE_LOST) {
        return 0; /* a power cut has emptied it */
    }
    since = clock_age((time_t)began);
    *out = (struct chore_past){.outcome = (enum chore_outcome)outcome, .problems = problems};
    out->seconds = since >= age && since < UINT64_MAX ? since - age : 0;
    out->ago = age;
    if (out->outcome == CHORE_UNDER_WAY && age > LOST_SECONDS) {
        out->outcome = CHORE_LOST;
    } else if (out->outcome == CHORE_UNDER_WAY) {
        out->ago = since < UINT64_MAX ? since : 0;
    }
    return 1;
}
