/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/table.h"
#include "cli/template.h"

struct listing {
        struct template *template;
        const struct listing_column *columns;
        char *text;
        bool table, terminal, coloured;
        struct strbuf rows, line; /* rows: of a table */
        /* A template that is text and columns only: a row is made without an object, and without running it. */
        struct piece *pieces;
        size_t n_pieces;
};

struct piece {
        const struct listing_column *column; /* NULL: text */
        struct strbuf text;
};

bool listing_is_table(const char *format) {
        return !format || strcmp(format, "table") == 0 || str_starts_with(format, "table ") || str_starts_with(format, "table\\t");
}

/* The heads are the table's first row, made by the same template. What fails in it (an index of a head) ends that row early. */
static void add_heads(struct listing *l, const struct listing_column *columns) {
        auto_json *heads = json_object(), *calls = json_pack("{s:{}}", "Label");
        struct template_mode mode = { .escapes = true, .heads = true, .calls = calls };

        for (; columns->name; columns++)
                json_object_set_new(heads, columns->name, json_string(columns->head));
        strbuf_adds(&l->rows, colour(l->coloured, COLOUR_HEADING));
        template_run(l->template, heads, &mode, &l->rows, NULL);
        strbuf_adds(&l->rows, colour(l->coloured, COLOUR_END));
        strbuf_adds(&l->rows, "\n");
}

static const struct listing_column *find_column(const struct listing *l, const char *name) {
        for (const struct listing_column *c = l->columns; c->name; c++)
                if (strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

static void forget_pieces(struct listing *l) {
        for (size_t i = 0; i < l->n_pieces; i++)
                strbuf_done(&l->pieces[i].text);
        free(l->pieces);
        l->pieces = NULL;
        l->n_pieces = 0;
}

static bool add_piece(const char *field, const char *text, size_t size, void *data) {
        struct listing *l = data;
        struct piece p = { .column = field ? find_column(l, field) : NULL };

        if (field && (!p.column || !p.column->text))
                return false;
        strbuf_init(&p.text, TEMPLATE_TEXT_MAX);
        strbuf_adds(&p.text, "");
        if (!field)
                template_add_text(text, size, true, &p.text);
        l->pieces = reallocarray(l->pieces, l->n_pieces + 1, sizeof(*l->pieces));
        if (!l->pieces)
                abort();
        l->pieces[l->n_pieces++] = p;
        return true;
}

int listing_new(const char *format, const char *own, const struct listing_column *columns, struct listing **ret, struct err *err) {
        bool table = listing_is_table(format);
        const char *text = own;
        struct template *t;
        struct listing *l;
        int r;

        if (format && strcmp(format, "json") == 0)
                text = "{{json .}}";
        else if (format && !table)
                text = format;
        else if (format && strlen(format) > strlen("table") + strspn(format + strlen("table"), " "))
                text = format + strlen("table") + strspn(format + strlen("table"), " ");
        r = template_parse(text, &t, err);
        if (r < 0)
                return err_prefix(err, "--format");
        l = calloc(1, sizeof(*l));
        if (!l || !(l->text = strdup(text)))
                abort();
        l->template = t;
        l->columns = columns;
        l->table = table;
        l->terminal = isatty(STDOUT_FILENO);
        l->coloured = table && colour_on(stdout);
        strbuf_init(&l->rows, TEMPLATE_OUTPUT_MAX);
        strbuf_init(&l->line, TEMPLATE_OUTPUT_MAX);
        if (table)
                add_heads(l, columns);
        if (!template_each_field(t, add_piece, l))
                forget_pieces(l);
        *ret = l;
        return 0;
}

bool listing_wants(const struct listing *l, const char *column) {
        auto_free char *field = str_format(".%s", column);

        return field && (strstr(l->text, field) || strstr(l->text, "json ."));
}

bool listing_is_usual(const struct listing *l) {
        for (size_t i = 0; i < l->n_pieces; i++)
                if (l->pieces[i].column && l->pieces[i].column->seldom)
                        return false;
        return l->n_pieces > 0;
}

static bool is_plain(const json_t *row) {
        const char *key;
        json_t *value;

        json_object_foreach((json_t *) row, key, value)
                for (const char *p = json_is_string(value) ? json_string_value(value) : ""; *p; p++)
                        if (str_control(p, p[1] ? 2 : 1))
                                return false;
        return true;
}

/* A name or a command that somebody else chose must not move the cursor of this terminal, nor the columns of a table. */
static json_t *plain_row(const json_t *row) {
        json_t *plain, *value;
        const char *key;

        if (is_plain(row)) /* nearly always */
                return json_incref((json_t *) row);
        plain = json_object();

        json_object_foreach((json_t *) row, key, value) {
                auto_free char *text = json_is_string(value) ? strdup(json_string_value(value)) : NULL;

                if (text)
                        str_make_plain(text, strlen(text), "");
                json_object_set_new(plain, key, text ? json_string(text) : json_incref(value));
        }
        return plain;
}

/* l->line is whole. */
static int end_line(struct listing *l, struct err *err) {
        strbuf_adds(&l->line, "\n");
        if (strbuf_error(&l->line) < 0)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "--format: the template's output is too long");
        if (l->table) {
                strbuf_add(&l->rows, l->line.data, l->line.size);
                return strbuf_error(&l->rows) < 0 ? err_set(err, ERR_TOO_LARGE, -E2BIG, "the table is too long") : 0;
        }
        fwrite(l->line.data, 1, l->line.size, stdout);
        return 0;
}

int listing_add(struct listing *l, const json_t *row, const json_t *calls, struct err *err) {
        auto_json *none = json_object(), *plain = l->table ? plain_row(row) : json_incref((json_t *) row);
        struct template_mode mode = { .escapes = true, .no_control = l->terminal, .calls = calls ? calls : none };

        l->line.size = 0;
        if (template_run(l->template, plain, &mode, &l->line, err) < 0)
                return err_prefix(err, "--format");
        return end_line(l, err);
}

json_t *listing_row(const struct listing_column *columns, const void *row) {
        json_t *object = json_object();
        auto_strbuf b;

        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        for (const struct listing_column *c = columns; c->name; c++) {
                b.size = 0;
                c->text(row, &b);
                json_object_set_new(object, c->name, json_stringn(b.data ? b.data : "", b.size));
        }
        return object;
}

int listing_add_row(struct listing *l, const void *row, const json_t *calls, struct err *err) {
        auto_json *object = l->n_pieces > 0 ? NULL : listing_row(l->columns, row);

        if (object)
                return listing_add(l, object, calls, err);
        l->line.size = 0;
        for (size_t i = 0; i < l->n_pieces; i++) {
                const struct piece *p = &l->pieces[i];
                enum colour c = l->coloured && p->column && p->column->colour ? p->column->colour(row) : COLOUR_PLAIN;
                size_t begin;

                if (!p->column) {
                        strbuf_adds(&l->line, p->text.data);
                        continue;
                }
                strbuf_adds(&l->line, colour(true, c));
                begin = l->line.size;
                p->column->text(row, &l->line);
                if ((l->table || l->terminal) && l->line.size > begin)
                        l->line.size = begin + str_make_plain(l->line.data + begin, l->line.size - begin, "");
                strbuf_adds(&l->line, c == COLOUR_PLAIN ? "" : colour(true, COLOUR_END));
        }
        return end_line(l, err);
}

void listing_end(struct listing *l) {
        if (l && l->rows.data)
                table_print_text(l->rows.data, 10);
        listing_free(l);
}

void listing_free(struct listing *l) {
        if (!l)
                return;
        strbuf_done(&l->rows);
        strbuf_done(&l->line);
        forget_pieces(l);
        template_free(l->template);
        free(l->text);
        free(l);
}

void listing_close(struct listing *l, int r) {
        if (r < 0)
                listing_free(l);
        else
                listing_end(l);
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

char *listing_labels(const json_t *labels) {
        auto_free const char **keys = calloc(json_object_size(labels) + 1, sizeof(*keys));
        const char *key;
        json_t *value;
        auto_strbuf b;
        size_t n = 0;

        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        if (!keys)
                abort();
        json_object_foreach((json_t *) labels, key, value)
                keys[n++] = key;
        qsort(keys, n, sizeof(*keys), by_name);
        for (size_t i = 0; i < n; i++)
                strbuf_addf(&b, "%s%s=%s", i ? "," : "", keys[i], json_get_str(labels, keys[i], ""));
        return strbuf_take(&b, NULL);
}

char *listing_id(const char *id, bool whole) {
        if (whole)
                return strdup(id);
        if (str_starts_with(id, "sha256:"))
                id += strlen("sha256:");
        return strndup(id, strcmp(id, "<missing>") == 0 ? SIZE_MAX : 12);
}

char *listing_cut(const char *text, size_t letters) {
        size_t n = 0, size = 0, last = 0;

        for (; text[size]; size++)
                if (((unsigned char) text[size] & 0xc0) != 0x80) {
                        if (++n == letters)
                                last = size;
                        if (n > letters)
                                return str_format("%.*s…", (int) last, text);
                }
        return strdup(text);
}

void listing_date(int64_t unix_s, char ret[64]) {
        time_t t = (time_t) unix_s;
        struct tm tm;

        if (!localtime_r(&t, &tm) || strftime(ret, 64, "%Y-%m-%d %H:%M:%S %z %Z", &tm) == 0)
                *ret = '\0';
}

void listing_ago(int64_t unix_s, char ret[64]) {
        char span[32];

        human_duration(time(NULL) - unix_s, span);
        snprintf(ret, 64, "%s ago", span);
}
