/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/shape.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/base/text.h"

static bool shape_set_fault(struct shape_fault *fault, bool may_move, const char *what)
{
    fault->may_move = may_move;
    (void)error_set(&fault->what, ERROR_INTERNAL, "%s", what);
    return true;
}

/* Whoever may look may find nothing wrong. */
static bool shape_set_closed(struct shape_fault *fault, const struct error *reason)
{
    fault->may_move = false;
    (void)error_set(&fault->what, ERROR_INTERNAL,
                    "this cannot be looked at: %s: does it belong to the workers' user?",
                    reason->message);
    return true;
}

/* Whether a file, or a link to one, does not give its bytes. */
static bool shape_is_unreadable(const struct store *store, struct shape_fault *fault)
{
    char byte;
    struct error reason;

    if (file_read_head(store->root, fault->path.text, &byte, sizeof(byte), &reason) != -1) {
        return false; /* or it has just gone */
    }
    if (errno != EIO) {
        return shape_set_closed(fault, &reason);
    }
    fault->may_move = file_is_local(store->root); /* else the server may only be away */
    (void)error_set(&fault->what, ERROR_INTERNAL, "the disk does not give this file back: %s",
                    reason.message);
    return true;
}

/* A symbolic link. */
static bool shape_is_astray(const struct store *store, struct shape_fault *fault, mode_t wanted)
{
    struct stat status;

    if (fstatat(store->root, fault->path.text, &status, 0) == 0 &&
        (status.st_mode & S_IFMT) == wanted) {
        return false;
    }
    return fault->wants_file
               ? shape_set_fault(fault, true, "a symbolic link that leads to no file")
               : shape_set_fault(fault, fault->is_note,
                                 "a symbolic link that leads to no directory: put the directory "
                                 "that it stands for in its place");
}

bool shape_is_faulty(const struct store *store, struct shape_fault *fault)
{
    mode_t wanted = fault->wants_file ? S_IFREG : S_IFDIR;
    struct error reason;
    struct stat status;
    mode_t type;

    if (fstatat(store->root, fault->path.text, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        if (file_is_gone(errno)) {
            return false;
        }
        (void)error_errno(&reason, "stat");
        return shape_set_closed(fault, &reason);
    }
    type = status.st_mode & S_IFMT;
    if (type == S_IFLNK && shape_is_astray(store, fault, wanted)) {
        return true;
    }
    if (type != S_IFLNK && type != wanted) {
        return shape_set_fault(fault, true,
                               fault->wants_file ? "this should be a file"
                                                 : "this should be a directory");
    }
    return fault->wants_file && shape_is_unreadable(store, fault);
}

static bool shape_visit(const struct store *store, const struct shape_rules *rules,
                        const struct layout_tree *tree, const struct shape_fault *here);

/* Whether an entry is one of the names, and what names on the way down tell. */
static bool shape_read_name(const struct layout_tree *tree, const char *entry,
                            struct shape_fault *here)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error ignored;

    switch (tree->names) {
    case NAMES_FIXED:
        return true;
    case NAMES_ALGORITHMS:
        return digest_algorithm_parse(entry, &here->digest.algorithm);
    case NAMES_DIGITS:
        buffer_format(&text, "%s:%s", digest_algorithm_name(here->digest.algorithm), entry);
        return digest_parse(&here->digest, text.data, &ignored) == 0;
    case NAMES_DIGESTS:
        here->subject = here->digest;
        return digest_parse(&here->digest, entry, &ignored) == 0;
    case NAMES_TAGS:
        return tag_is_valid(entry) && text_copy(here->tag, sizeof(here->tag), entry, strlen(entry));
    }
    return false;
}

/* All in a directory whose names are of one kind. */
static bool shape_visit_entries(const struct store *store, const struct shape_rules *rules,
                                const struct layout_tree *tree, const struct shape_fault *here)
{
    AUTO_DIRECTORY struct directory directory = DIRECTORY_INIT;
    struct shape_fault fault = *here;
    struct error reason;
    const char *entry;
    int found = directory_open(&directory, store->root, here->path.text, &reason);

    while (found > 0 && (found = directory_next(&directory, &entry, &reason)) > 0) {
        struct shape_fault there = *here;

        if (shape_read_name(tree, entry, &there)) {
            there.path = layout_below(here->path.text, entry);
            if (!shape_visit(store, rules, tree, &there)) {
                return false;
            }
        }
    }
    if (found < 0) {
        (void)shape_set_closed(&fault, &reason);
        rules->found(rules->context, &fault);
    }
    return true;
}

/* What a directory should have in it. */
static bool shape_visit_below(const struct store *store, const struct shape_rules *rules,
                              const struct layout_tree *below, const struct shape_fault *here)
{
    bool goes_on = true;

    for (; goes_on && !layout_tree_is_end(below); below++) {
        if (below->names == NAMES_FIXED) {
            struct shape_fault there = *here;

            there.path = layout_below(here->path.text, below->name);
            goes_on = shape_visit(store, rules, below, &there);
        } else {
            goes_on = shape_visit_entries(store, rules, below, here);
        }
    }
    return goes_on;
}

static bool shape_visit(const struct store *store, const struct shape_rules *rules,
                        const struct layout_tree *tree, const struct shape_fault *here)
{
    struct shape_fault fault = *here;

    if (rules->goes_on && !rules->goes_on(rules->context)) {
        return false;
    }
    fault.thing = tree->thing;
    fault.wants_file = tree->below == NULL;
    fault.is_note |= tree->is_note;
    if (shape_is_faulty(store, &fault)) {
        rules->found(rules->context, &fault);
        return true;
    }
    return !tree->below || shape_visit_below(store, rules, tree->below, &fault);
}

bool shape_look(const struct repository *repository, const struct shape_rules *rules)
{
    const struct shape_fault here = {.path = layout_repository(repository->name)};

    return shape_visit_below(repository->store, rules, layout_of_a_repository, &here);
}
