/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A verb of `kist` is one row: what it is called, what it takes, what it does. The option tables feed the parser, --help,
 * completion and the man pages. */

#include <stdbool.h>
#include <stddef.h>

struct args;
struct client;

enum option_type {
        OPTION_FLAG, /* -d, --detach, --detach=false */
        OPTION_TEXT, /* --name x, --name=x, -n x, -nx; the last one counts */
        OPTION_LIST, /* may be given several times */
};

struct option {
        char letter; /* 0: none */
        const char *name;
        enum option_type type;
        const char *value; /* what stands for the value in help: "NAME"; NULL for a flag */
        const char *help;
};

struct command {
        const char *name;     /* "ps"; "context ls" when it is reached by its noun only */
        const char *noun;     /* also reached as `kist NOUN VERB`: "container" */
        const char *verb;     /* "ls"; NULL: the same as name */
        const char *usage;    /* behind the name: "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
        const char *summary;  /* one line */
        const char *examples; /* lines "  kist …\n", or NULL */
        const struct option *options; /* ends with a row whose name is NULL */
        const struct option *more;    /* a second table (run and create share theirs), or NULL */
        size_t min_args, max_args;    /* positional; SIZE_MAX: any number */
        bool stop_at_first;           /* what follows the first positional argument belongs to the container's command */
        int (*run)(struct client *client, const struct args *args); /* returns the exit status */
        bool local;                   /* talks to no daemon: none is looked for */
};

/* Every command; ends with a row whose name is NULL. */
extern const struct command *const all_commands[];

/* What stands before the command: a row like the others, so that its options are parsed, shown and completed like theirs. */
extern const struct command global_command;
/* "kist", or "docker" when that is what the program was called as. */
extern const char *program_name;

/* `kist ps`, `kist container ls`, and Docker's other spellings of the latter. *used: how many words named it. NULL: none. */
const struct command *command_find(int argc, char **argv, size_t *used);
bool command_is_noun(const char *word);
const char *command_verb(const struct command *c); /* behind its noun */
/* The exit status of a command line that cannot be understood. */
int command_usage_status(const struct command *c);

/* --- one parsed command line --- */

/* Parses argv (without the command's name). On failure prints one line and the way to help, and returns −1. --help is printed by it too: 1. */
int args_parse(const struct command *command, int argc, char **argv, struct args **ret);
void args_free(struct args *a);

bool args_flag(const struct args *a, const char *name);            /* asking for an option that is in no table aborts */
bool args_given(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name);     /* NULL when not given */
size_t args_list(const struct args *a, const char *name, const char *const **ret);
size_t args_count(const struct args *a);
const char *args_at(const struct args *a, size_t i);               /* NULL behind the last */
size_t args_first(const struct args *a);                           /* index in argv[] of the program of the first positional one */
const struct command *args_command(const struct args *a);

/* --- help.c --- */
void help_command(const struct command *command);
void help_all(void);
void help_noun(const char *noun);
/* The name nearest to `word` among n rows (edit distance at most 2), or NULL. */
const char *help_nearest(const char *word, const char *(*name)(size_t i), size_t n);

/* --- complain.c: one line on standard error; control characters become '?' on a terminal --- */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2))); /* "kist: …" */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));     /* "kist: warning: …" */
void warn_loudly(const char *text);                                           /* "WARNING: …", as Docker; that word may be in the text already */

/* Exit statuses of run, create, exec and start, as Docker's. */
enum {
        EXIT_DAEMON = 125,         /* the engine refused or failed */
        EXIT_NOT_EXECUTABLE = 126, /* the container's command cannot be run */
        EXIT_NO_COMMAND = 127,     /* the container's command does not exist */
};
