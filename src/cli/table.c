/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        for (size_t i = 0; i < t->n; i++) {
                size_t widest = 0, own = width(t->cells[i]);

                if (i % t->columns == t->columns - 1) {
                        printf("%s\n", t->cells[i]);
                        continue;
                }
                for (size_t j = i % t->columns; j < t->n; j += t->columns)
                        if (width(t->cells[j]) > widest)
                                widest = width(t->cells[j]);
                printf("%s%*s", t->cells[i], (int) (widest - own + 3), "");
        }
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

void human_size(uint64_t bytes, char ret[32]) {
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
        double value = (double) bytes;
        size_t unit = 0;

        while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(*units)) {
                value /= 1000;
                unit++;
        }
        snprintf(ret, 32, "%.3g%s", value, units[unit]);
}
