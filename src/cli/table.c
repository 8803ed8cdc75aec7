/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

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
        for (char *p = t->cells[t->n]; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        t->n++;
}

/* Columns on the screen: continuation bytes of UTF-8 take none. */
static size_t width(const char *s) {
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char) *s & 0xc0) != 0x80;
        return n;
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

struct line {
        const char **cells; /* NUL-terminated, in the copied text */
        size_t n, *widths;
};

/* Cuts the text at its tabs and newlines. The lines' arrays are one block each. */
static struct line *cut(char *text, size_t *ret_n) {
        struct line *lines = NULL;
        size_t n = 0;

        while (*text) {
                char *end = strchrnul(text, '\n'), *next = *end ? end + 1 : end;
                struct line l = { 0 };

                *end = '\0';
                for (char *cell = text;; cell = strchr(cell, '\0') + 1) {
                        char *tab = strchr(cell, '\t');

                        l.cells = reallocarray(l.cells, l.n + 1, sizeof(*l.cells));
                        if (!l.cells)
                                abort();
                        l.cells[l.n++] = cell;
                        if (!tab)
                                break;
                        *tab = '\0';
                }
                l.widths = calloc(l.n, sizeof(*l.widths));
                lines = reallocarray(lines, n + 1, sizeof(*lines));
                if (!lines || !l.widths)
                        abort();
                lines[n++] = l;
                text = next;
        }
        *ret_n = n;
        return lines;
}

/* A column ends where a line has no cell for it. */
static void measure(struct line *lines, size_t n, size_t column, size_t min_width) {
        for (size_t first = 0; first < n;) {
                size_t end = first, widest = 0;

                for (; end < n && lines[end].n > column + 1; end++)
                        if (width(lines[end].cells[column]) > widest)
                                widest = width(lines[end].cells[column]);
                for (size_t i = first; i < end; i++)
                        lines[i].widths[column] = widest + GAP > min_width ? widest + GAP : min_width;
                first = end + (end == first);
        }
}

void table_print_text(const char *text, size_t min_width) {
        auto_free char *copy = strdup(text);
        struct line *lines;
        size_t n, columns = 0;

        if (!copy)
                abort();
        lines = cut(copy, &n);
        for (size_t i = 0; i < n; i++)
                columns = lines[i].n > columns ? lines[i].n : columns;
        for (size_t c = 0; c < columns; c++)
                measure(lines, n, c, min_width);
        for (size_t i = 0; i < n; i++) {
                for (size_t c = 0; c + 1 < lines[i].n; c++)
                        printf("%s%*s", lines[i].cells[c], (int) (lines[i].widths[c] - width(lines[i].cells[c])), "");
                printf("%s\n", lines[i].cells[lines[i].n - 1]);
                free(lines[i].cells);
                free(lines[i].widths);
        }
        free(lines);
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
