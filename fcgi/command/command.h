/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_COMMAND_COMMAND_H
#define FCGI_COMMAND_COMMAND_H

/*
 * The subcommands of `berth`. To add one: a file that defines its struct command, a line here and
 * one in table.c, the manual page and the completion, which a test compares with `berth help
 * --json`.
 *
 * When run() is called, the options are good and there are as many operands as there may be; the
 * configuration has been read, unless the command needs none.
 */

#include "fcgi/command/options.h"
#include "lib/configuration/configuration.h"
#include "lib/observe/events.h"

enum exit_status {
    EXIT_FINE = 0,
    EXIT_FOUND = 1,  /* something that is not as it should be */
    EXIT_FAILED = 2, /* could not run */
};

struct command {
    const char *name; /* one word, or two: "user add" */
    const char *summary;
    const struct option_row *options; /* besides the common ones; NULL: none */
    const char *operands;             /* what usage calls them: "IMAGE..."; NULL: there are none */
    size_t minimum_operands;
    size_t maximum_operands;
    const char *details; /* lines for its help; NULL: none */
    bool needs_no_configuration;
    bool is_audited; /* it changes something, unless an option says that it does not */
    /* Returns an exit status. */
    int (*run)(const struct configuration *configuration, const struct arguments *arguments);
};

extern const struct command command_access;
extern const struct command command_check;
extern const struct command command_configuration;
extern const struct command command_delete;
extern const struct command command_events_list;
extern const struct command command_events_resend;
extern const struct command command_gc;
extern const struct command command_help;
extern const struct command command_keys_rotate;
extern const struct command command_prefetch;
extern const struct command command_restore;
extern const struct command command_robot_add;
extern const struct command command_robot_list;
extern const struct command command_robot_remove;
extern const struct command command_status;
extern const struct command command_user_add;
extern const struct command command_user_list;
extern const struct command command_user_remove;
extern const struct command command_version;

/* Part of `berth check`, with --setup. */
int command_setup(const struct configuration *configuration, const struct arguments *arguments);

/* Both say it on standard error and return EXIT_FAILED: what failed; what was asked for wrongly. */
int command_fail(const struct command *command, const struct error *error);
int command_refuse(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Who tells receivers of what a command does in a store, which it has open; that this fails is for
 * standard error. Delivering is events_start()'s.
 */
struct command_teller {
    struct store *store; /* the hosted one: what waits lies there */
    const struct configuration *configuration;
    const char *name; /* as histories have it: "@berth" */
};

/* Who changes tags and tells of it. The teller must outlive it. */
struct actor command_actor(struct command_teller *teller);

/* A manifest has come into the cache: `repository` is as rules call it. */
void command_tell_fill(const struct command_teller *teller, const char *repository,
                       const char *reference, const struct stored_manifest *manifest);

/* A line of the audit log, for a command that has run: who runs it, `user` is the number of. */
void command_audit(const struct command *command, const struct configuration *configuration,
                   const struct arguments *arguments, unsigned user, int status);

/* Adds "berth check [--repair] …". */
void command_add_usage(const struct command *command, struct buffer *out);

#endif
