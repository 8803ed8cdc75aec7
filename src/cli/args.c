/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"

struct values {
        const struct option *option;
        const char **items; /* borrowed from argv */
        size_t n;
};

struct args {
        const struct command *command;
        struct values *values;
        size_t n_values;
        const char **positional;
        size_t n_positional, first; /* first: where in argv the first positional one was */
};

static size_t count_options(const struct option *o) {
        size_t n = 0;

        while (o && o[n].name)
                n++;
        return n;
}

static struct values *find_long(const struct args *a, const char *name, size_t length) {
        for (size_t i = 0; i < a->n_values; i++)
                if (strlen(a->values[i].option->name) == length && strncmp(a->values[i].option->name, name, length) == 0)
                        return &a->values[i];
        return NULL;
}

static struct values *find_letter(const struct args *a, char letter) {
        for (size_t i = 0; i < a->n_values; i++)
                if (a->values[i].option->letter == letter)
                        return &a->values[i];
        return NULL;
}

static const struct args *nearest_in; /* help_nearest() asks by index only */

static const char *option_name(size_t i) {
        return nearest_in->values[i].option->name;
}

/* "run: ", for the messages; nothing before the command. */
static const char *prefix(const struct args *a) {
        static char text[64];

        snprintf(text, sizeof(text), "%s%s", a->command == &global_command ? "" : a->command->name, a->command == &global_command ? "" : ": ");
        return text;
}

static void see_help(const struct args *a) {
        fprintf(stderr, "See '%s %s%s--help'.\n", program_name, a->command == &global_command ? "" : a->command->name,
                a->command == &global_command ? "" : " ");
}

static int unknown(const struct args *a, const char *word, const char *long_name) {
        const char *near;

        nearest_in = a;
        near = long_name ? help_nearest(long_name, option_name, a->n_values) : NULL;
        if (near)
                complain("%sunknown flag: %s (did you mean --%s?)", prefix(a), word, near);
        else
                complain("%sunknown flag: %s", prefix(a), word);
        see_help(a);
        return -1;
}

static void add(struct values *v, const char *item) {
        const char **grown = realloc(v->items, (v->n + 1) * sizeof(*grown));

        if (!grown)
                abort();
        v->items = grown;
        v->items[v->n++] = item;
}

static bool is_boolean(const char *s) {
        return strcmp(s, "true") == 0 || strcmp(s, "false") == 0 || strcmp(s, "1") == 0 || strcmp(s, "0") == 0;
}

/* "--name", "--name=value", "--name value". Returns how many words were used, or −1. */
static int parse_long(struct args *a, int argc, char **argv) {
        const char *word = argv[0] + 2, *equals = strchr(word, '=');
        size_t length = equals ? (size_t) (equals - word) : strlen(word);
        struct values *v = find_long(a, word, length);

        if (!v) {
                auto_free char *name = strndup(word, length);

                return unknown(a, argv[0], name);
        }
        if (v->option->type == OPTION_FLAG) {
                if (equals && !is_boolean(equals + 1)) {
                        complain("%sinvalid value \"%s\" for flag --%s: true or false", prefix(a), equals + 1, v->option->name);
                        return -1;
                }
                add(v, equals ? equals + 1 : "true");
                return 1;
        }
        if (equals) {
                add(v, equals + 1);
                return 1;
        }
        if (argc < 2) {
                complain("%sflag needs an argument: --%s", prefix(a), v->option->name);
                return -1;
        }
        add(v, argv[1]);
        return 2;
}

/* "-it", "-p80", "-p 80", "-p=80". */
static int parse_letters(struct args *a, int argc, char **argv) {
        for (const char *p = argv[0] + 1; *p; p++) {
                struct values *v = find_letter(a, *p);

                if (!v) {
                        char word[3] = { '-', *p, '\0' };

                        return unknown(a, word, NULL);
                }
                if (v->option->type == OPTION_FLAG) {
                        add(v, "true");
                        continue;
                }
                if (p[1]) {
                        add(v, p[1] == '=' ? p + 2 : p + 1);
                        return 1;
                }
                if (argc < 2) {
                        complain("%sflag needs an argument: -%c", prefix(a), *p);
                        return -1;
                }
                add(v, argv[1]);
                return 2;
        }
        return 1;
}

static int check_count(const struct args *a) {
        const struct command *c = a->command;

        if (a->n_positional >= c->min_args && a->n_positional <= c->max_args)
                return 0;
        if (c->min_args == c->max_args)
                complain("%s takes %zu argument%s, not %zu", c->name, c->min_args, c->min_args == 1 ? "" : "s", a->n_positional);
        else if (a->n_positional < c->min_args)
                complain("%s needs at least %zu argument%s", c->name, c->min_args, c->min_args == 1 ? "" : "s");
        else
                complain("%s takes at most %zu argument%s, not %zu", c->name, c->max_args, c->max_args == 1 ? "" : "s", a->n_positional);
        fprintf(stderr, "Usage: %s %s %s\n", program_name, c->name, c->usage);
        see_help(a);
        return -1;
}

static int parse_words(struct args *a, int argc, char **argv) {
        bool options = true;

        for (int i = 0; i < argc;) {
                int used = 1;

                if (options && strcmp(argv[i], "--") == 0) {
                        options = false;
                } else if (options && strcmp(argv[i], "--help") == 0) {
                        help_command(a->command);
                        return 1;
                } else if (options && argv[i][0] == '-' && argv[i][1] == '-') {
                        used = parse_long(a, argc - i, argv + i);
                } else if (options && argv[i][0] == '-' && argv[i][1]) {
                        used = parse_letters(a, argc - i, argv + i);
                } else {
                        if (a->n_positional == 0)
                                a->first = (size_t) i + 1;
                        a->positional[a->n_positional++] = argv[i];
                        if (a->command->stop_at_first)
                                options = false;
                }
                if (used < 0)
                        return -1;
                i += used;
        }
        return check_count(a);
}

int args_parse(const struct command *command, int argc, char **argv, struct args **ret) {
        size_t own = count_options(command->options), more = count_options(command->more);
        struct args *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                abort();
        a->command = command;
        a->n_values = own + more;
        a->values = calloc(a->n_values + 1, sizeof(*a->values));
        a->positional = calloc((size_t) argc + 1, sizeof(*a->positional));
        if (!a->values || !a->positional)
                abort();
        for (size_t i = 0; i < own; i++)
                a->values[i].option = &command->options[i];
        for (size_t i = 0; i < more; i++)
                a->values[own + i].option = &command->more[i];
        r = parse_words(a, argc, argv);
        if (r != 0)
                args_free(a);
        else
                *ret = a;
        return r;
}

void args_free(struct args *a) {
        if (!a)
                return;
        for (size_t i = 0; i < a->n_values; i++)
                free(a->values[i].items);
        free(a->values);
        free(a->positional);
        free(a);
}

static const struct values *get(const struct args *a, const char *name) {
        const struct values *v = find_long(a, name, strlen(name));

        assert(v); /* a command asks only for what its table has */
        return v;
}

bool args_given(const struct args *a, const char *name) {
        return get(a, name)->n > 0;
}

bool args_flag(const struct args *a, const char *name) {
        const struct values *v = get(a, name);

        return v->n > 0 && (v->items[v->n - 1][0] == 't' || v->items[v->n - 1][0] == '1');
}

const char *args_text(const struct args *a, const char *name) {
        const struct values *v = get(a, name);

        return v->n > 0 ? v->items[v->n - 1] : NULL;
}

size_t args_list(const struct args *a, const char *name, const char *const **ret) {
        const struct values *v = get(a, name);

        *ret = v->items;
        return v->n;
}

size_t args_count(const struct args *a) {
        return a->n_positional;
}

const char *args_at(const struct args *a, size_t i) {
        return i < a->n_positional ? a->positional[i] : NULL;
}

size_t args_first(const struct args *a) {
        return a->first;
}

const struct command *args_command(const struct args *a) {
        return a->command;
}
