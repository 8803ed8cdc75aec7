/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/colour.h"
#include "cli/command.h"

enum { OPTION_COLUMN = 34, WORD_MAX = 48 };

/* "Options:", bold on a terminal. */
static void heading(const char *before, const char *words, const char *behind) {
        bool on = colour_on(stdout);

        printf("%s%s%s%s%s", before, colour(on, COLOUR_HEADING), words, colour(on, COLOUR_END), behind);
}

static void help_options(const struct option *o) {
        for (; o && o->name; o++) {
                char left[80];

                snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                         o->letter ? ',' : ' ', o->name, o->value ? " " : "", o->value ? o->value : "");
                printf("%-*s %s\n", OPTION_COLUMN, left, o->help);
        }
}

void help_command(const struct command *c) {
        if (c == &global_command) {
                help_all();
                return;
        }
        heading("", "Usage:", "");
        printf(" %s %s %s\n\n%s\n", program_name, c->name, c->usage, c->summary);
        if (c->noun && !strchr(c->name, ' ')) {
                heading("\n", "Also:", "");
                printf(" %s %s %s\n", program_name, c->noun, command_verb(c));
        }
        if ((c->options && c->options->name) || c->more) {
                heading("\n", "Options:", "\n");
                help_options(c->options);
                help_options(c->more);
        }
        if (c->examples) {
                heading("\n", "Examples:", "\n");
                fputs(c->examples, stdout);
        }
}

void help_noun(const char *noun) {
        heading("", "Usage:", "");
        printf(" %s %s COMMAND\n", program_name, noun);
        heading("\n", "Commands:", "\n");
        for (size_t i = 0; all_commands[i]; i++)
                if (all_commands[i]->noun && strcmp(all_commands[i]->noun, noun) == 0)
                        printf("  %-12s %s\n", command_verb(all_commands[i]), all_commands[i]->summary);
        printf("\n'%s %s COMMAND --help' for one of them.\n", program_name, noun);
}

/* The nouns, each once, in the order of the table. */
static void help_nouns(void) {
        for (size_t i = 0; all_commands[i]; i++) {
                const char *noun = all_commands[i]->noun;
                bool seen = !noun;

                for (size_t j = 0; j < i && !seen; j++)
                        seen = all_commands[j]->noun && strcmp(all_commands[j]->noun, noun) == 0;
                if (!seen)
                        printf(" %s", noun);
        }
}

void help_all(void) {
        heading("", "Usage:", "");
        printf(" %s %s\n\n%s\n", program_name, global_command.usage, global_command.summary);
        if (strcmp(program_name, "kist") != 0)
                printf("This is Kist, called %s: the same commands and options, and kistd behind them.\n", program_name);
        heading("\n", "Commands:", "\n");
        for (size_t i = 0; all_commands[i]; i++)
                if (!strchr(all_commands[i]->name, ' '))
                        printf("  %-12s %s\n", all_commands[i]->name, all_commands[i]->summary);
        heading("\n", "Commands by what they work on", "");
        printf(" ('%s NOUN --help'):\n  ", program_name);
        help_nouns();
        heading("\n\n", "Global options:", "\n");
        help_options(global_command.options);
        heading("\n", "Examples:", "\n");
        printf("  %s run --rm kist.local/busybox echo hello\n"
               "  %s run -it --name box kist.local/busybox sh\n"
               "  %s ps -a\n",
               program_name, program_name, program_name);
}

/* Letters that are wrong, missing, too many, or changed places with the next one. */
static size_t distance(const char *a, const char *b) {
        size_t n = strlen(a), m = strlen(b), rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];

        if (n > WORD_MAX || m > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= m; j++)
                row[j] = j;
        for (size_t i = 1; i <= n; i++) {
                size_t *oldest = before;

                before = above;
                above = row;
                row = oldest;
                row[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

                        if (above[j] + 1 < best)
                                best = above[j] + 1;
                        if (row[j - 1] + 1 < best)
                                best = row[j - 1] + 1;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                                best = before[j - 2] + 1;
                        row[j] = best;
                }
        }
        return row[m];
}

const char *help_nearest(const char *word, const char *(*name)(size_t i), size_t n) {
        const char *best = NULL;
        size_t best_distance = 3;

        for (size_t i = 0; i < n; i++) {
                size_t d = distance(word, name(i));

                /* Two wrong letters of three are no resemblance. */
                if (d < best_distance && d * 2 < strlen(word) + 1) {
                        best_distance = d;
                        best = name(i);
                }
        }
        return best;
}
