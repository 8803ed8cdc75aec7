/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/colour.h"

enum { GAP = 3 }; /* blanks between columns */

struct table {
        size_t columns, n, room;
        char **cells;
};

struct table *table_new(size_t columns) {
        struct table *t = calloc(1, sizeof(*t));

        if (!t)
                abort();
        t->columns = columns;
        return t;
}

void table_cell(struct table *t, const char *text) {
        if (t->n == t->room) {
                t->room = t->room ? t->room * 2 : 64;
                t->cells = reallocarray(t->cells, t->room, sizeof(*t->cells));
                if (!t->cells)
                        abort();
        }
        t->cells[t->n] = strdup(text);
        if (!t->cells[t->n])
                abort();
        /* A name or a command that somebody else chose must not move the cursor of this terminal. */
        str_make_plain(t->cells[t->n], strlen(t->cells[t->n]), "");
        t->n++;
}

void table_print(const struct table *t) {
        auto_strbuf b;

        strbuf_init(&b, SIZE_MAX / 2);
        for (size_t i = 0; i < t->n; i++) {
                strbuf_adds(&b, t->cells[i]);
                strbuf_adds(&b, i % t->columns == t->columns - 1 ? "\n" : "\t");
        }
        table_print_text(b.data ? b.data : "", 10);
}

struct cell {
        const char *text;
        size_t size, width; /* bytes; columns on the screen */
        size_t room;        /* of its column, in this line */
};

/* The cells of all lines, one behind the other. */
struct lines {
        struct cell *cells;
        size_t *first; /* of line i; one more than there are lines, for the end of the last */
        size_t n;
};

/* A line ends with a newline or with the text, a cell with a tab or with its line. Continuation bytes of UTF-8 take no column of the screen, nor do
 * colours where there are any. */
static struct lines cut(const char *text, bool coloured) {
        struct lines l = { 0 };
        size_t n_lines = 1, n_cells = 1, n = 0;

        for (const char *p = text; *p; p++) {
                n_lines += *p == '\n';
                n_cells += *p == '\n' || *p == '\t';
        }
        l.first = calloc(n_lines + 1, sizeof(*l.first));
        l.cells = calloc(n_cells, sizeof(*l.cells));
        if (!l.first || !l.cells)
                abort();
        while (*text) {
                bool tab;

                do {
                        struct cell *cell = &l.cells[n++];

                        cell->text = text;
                        while (*text && *text != '\t' && *text != '\n') {
                                size_t mark = coloured && *text == '\033' ? colour_mark(text) : 0;

                                cell->width += mark == 0 && ((unsigned char) *text & 0xc0) != 0x80;
                                text += mark ? mark : 1;
                        }
                        cell->size = (size_t) (text - cell->text);
                        tab = *text == '\t';
                        text += *text != '\0';
                } while (tab);
                l.first[++l.n] = n;
        }
        return l;
}

/* A column ends where a line has no cell for it; the last cell of a line belongs to none. */
static void measure(const struct lines *l, size_t column, size_t min_width) {
        for (size_t begin = 0; begin < l->n;) {
                size_t end = begin, widest = 0;

                for (; end < l->n && l->first[end + 1] - l->first[end] > column + 1; end++)
                        if (l->cells[l->first[end] + column].width > widest)
                                widest = l->cells[l->first[end] + column].width;
                for (size_t i = begin; i < end; i++)
                        l->cells[l->first[i] + column].room = widest + GAP > min_width ? widest + GAP : min_width;
                begin = end + (end == begin);
        }
}

void table_print_text(const char *text, size_t min_width) {
        struct lines l = cut(text, colour_on(stdout));
        size_t columns = 0;

        for (size_t i = 0; i < l.n; i++)
                columns = l.first[i + 1] - l.first[i] > columns ? l.first[i + 1] - l.first[i] : columns;
        for (size_t c = 0; c < columns; c++)
                measure(&l, c, min_width);
        for (size_t i = 0; i < l.n; i++)
                for (size_t c = l.first[i]; c < l.first[i + 1]; c++) {
                        const struct cell *cell = &l.cells[c];

                        fwrite(cell->text, 1, cell->size, stdout);
                        if (c + 1 == l.first[i + 1])
                                putchar('\n');
                        else
                                for (size_t blanks = cell->room - cell->width; blanks > 0; blanks--)
                                        putchar(' ');
                }
        free(l.cells);
        free(l.first);
}

void table_free(struct table *t) {
        if (!t)
                return;
        for (size_t i = 0; i < t->n; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
}

void human_duration(int64_t seconds, char ret[32]) {
        static const struct {
                int64_t below, unit;
                const char *words;
        } rows[] = {
                { 1, 0, "Less than a second" },
                { 2, 0, "1 second" },
                { 60, 1, "%lld seconds" },
                { 120, 0, "About a minute" },
                { 3600, 60, "%lld minutes" },
                { 2 * 3600, 0, "About an hour" },
                { 48 * 3600, 3600, "%lld hours" },
                { 14 * 86400, 86400, "%lld days" },
                { 60 * 86400, 7 * 86400, "%lld weeks" },
                { 730 * 86400LL, 30 * 86400, "%lld months" },
                { INT64_MAX, 365 * 86400, "%lld years" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                if (seconds < rows[i].below) {
                        snprintf(ret, 32, rows[i].words, (long long) (rows[i].unit ? seconds / rows[i].unit : 0));
                        return;
                }
        snprintf(ret, 32, "for ever");
}

static void human(uint64_t bytes, double base, const char *const *units, size_t n, int digits, char ret[32]) {
        double value = (double) bytes;
        size_t unit = 0;

        while (value >= base && unit + 1 < n) {
                value /= base;
                unit++;
        }
        snprintf(ret, 32, "%.*g%s", digits, value, units[unit]);
}

static const char *const thousands[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

void human_size(uint64_t bytes, char ret[32]) {
        human(bytes, 1000, thousands, ARRAY_SIZE(thousands), 3, ret);
}

void human_sum(uint64_t bytes, char ret[32]) {
        human(bytes, 1000, thousands, ARRAY_SIZE(thousands), 4, ret);
}

void human_memory(uint64_t bytes, char ret[32]) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

        human(bytes, 1024, units, ARRAY_SIZE(units), 4, ret);
}
