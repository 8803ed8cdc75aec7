/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"

enum { OPTION_COLUMN = 34, WORD_MAX = 48 };

static void help_options(const struct option *o) {
        for (; o && o->name; o++) {
                char left[80];

                snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                         o->letter ? ',' : ' ', o->name, o->value ? " " : "", o->value ? o->value : "");
                printf("%-*s %s\n", OPTION_COLUMN, left, o->help);
        }
}

void help_command(const struct command *c) {
        printf("Usage: kist %s %s\n\n%s\n", c->name, c->usage, c->summary);
        if (c->noun && !strchr(c->name, ' '))
                printf("\nAlso: kist %s %s\n", c->noun, c->verb ? c->verb : c->name);
        if ((c->options && c->options->name) || c->more) {
                printf("\nOptions:\n");
                help_options(c->options);
                help_options(c->more);
        }
        if (c->examples)
                printf("\nExamples:\n%s", c->examples);
}

void help_all(void) {
        printf("Usage: kist [--host unix://PATH] COMMAND [ARG...]\n\n"
               "Containers, their images and networks. A running kistd does the work.\n\n"
               "Commands:\n");
        for (size_t i = 0; all_commands[i]; i++)
                printf("  %-12s %s\n", all_commands[i]->name, all_commands[i]->summary);
        printf("\nGlobal options:\n"
               "  -H, --host unix://PATH           The daemon's socket (else KIST_HOST, DOCKER_HOST, /run/kist/kist.sock)\n"
               "  -v, --version                    Version of this program\n"
               "      --help                       This text; `kist COMMAND --help` for one command\n"
               "\nExamples:\n"
               "  kist run --rm kist.local/busybox echo hello\n"
               "  kist run -it --name box kist.local/busybox sh\n"
               "  kist ps -a\n");
}

/* Levenshtein distance of two short words. */
static size_t distance(const char *a, const char *b) {
        size_t n = strlen(a), m = strlen(b), row[WORD_MAX + 1];

        if (n > WORD_MAX || m > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= m; j++)
                row[j] = j;
        for (size_t i = 1; i <= n; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

                        if (above + 1 < best)
                                best = above + 1;
                        if (row[j - 1] + 1 < best)
                                best = row[j - 1] + 1;
                        diagonal = above;
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
