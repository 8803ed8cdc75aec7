/* SPDX-License-Identifier: Apache-2.0 */
/* printf of templates: Go's verbs for the values that JSON has, with flags, width and precision. A verb that does not fit its value is printed as Go
 * prints it: %!d(string=x). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template-tree.h"

enum { WIDTH_MAX = 4096 };

struct verb {
        char flags[8];
        int width, precision; /* −1: none */
        char letter;
};

/* Behind the '%'. Returns what it took, or 0. */
static size_t read_verb(const char *p, struct verb *v) {
        const char *start = p;
        size_t n = strspn(p, "-+# 0");
        char *end;

        *v = (struct verb) { .width = -1, .precision = -1 };
        snprintf(v->flags, sizeof(v->flags), "%.*s", (int) (n < 7 ? n : 7), p);
        p += n;
        if (*p >= '1' && *p <= '9') {
                v->width = (int) strtoul(p, &end, 10);
                if (end - p > 4 || v->width > WIDTH_MAX)
                        return 0;
                p = end;
        }
        if (*p == '.') {
                unsigned long precision = strtoul(++p, &end, 10);

                if (end - p > 4 || precision > WIDTH_MAX || *p == '-' || *p == '+' || *p == ' ')
                        return 0;
                v->precision = (int) precision;
                p = end;
        }
        v->letter = *p;
        return *p ? (size_t) (p + 1 - start) : 0;
}

static size_t letters(const char *s, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++)
                n += ((unsigned char) s[i] & 0xc0) != 0x80;
        return n;
}

/* Width counts letters, not bytes. */
static void add_padded(struct strbuf *out, const struct verb *v, const char *s, size_t size) {
        size_t n = letters(s, size), blanks = v->width > 0 && (size_t) v->width > n ? (size_t) v->width - n : 0;

        if (strchr(v->flags, '-'))
                strbuf_add(out, s, size);
        for (size_t i = 0; i < blanks; i++)
                strbuf_adds(out, " ");
        if (!strchr(v->flags, '-'))
                strbuf_add(out, s, size);
}

static void quote(const char *s, size_t size, struct strbuf *out) {
        static const char plain[] = "\a\b\f\n\r\t\v\\\"", letter[] = "abfnrtv\\\"";

        strbuf_adds(out, "\"");
        for (size_t i = 0; i < size; i++) {
                const char *found = s[i] ? strchr(plain, s[i]) : NULL;

                if (found)
                        strbuf_addf(out, "\\%c", letter[found - plain]);
                else if (str_control(s + i, size - i) == 2)
                        strbuf_addf(out, "\\u%04x", (unsigned char) s[++i]);
                else if (str_control(s + i, size - i))
                        strbuf_addf(out, "\\x%02x", (unsigned char) s[i]);
                else
                        strbuf_add(out, s + i, 1);
        }
        strbuf_adds(out, "\"");
}

static void add_text(struct strbuf *out, const struct verb *v, const json_t *value) {
        auto_strbuf text, quoted;
        size_t size = 0;

        strbuf_init(&text, TEMPLATE_OUTPUT_MAX);
        strbuf_init(&quoted, TEMPLATE_OUTPUT_MAX);
        template_print(&(struct template_mode) { 0 }, value, &text);
        for (size_t left = v->precision >= 0 && v->letter != 'v' ? (size_t) v->precision : SIZE_MAX; size < text.size; size++) {
                if (((unsigned char) text.data[size] & 0xc0) != 0x80 && left-- == 0)
                        break;
        }
        if (v->letter == 'q') {
                quote(text.data ? text.data : "", size, &quoted);
                add_padded(out, v, quoted.data, quoted.size);
        } else {
                add_padded(out, v, text.data ? text.data : "", size);
        }
}

static void add_number(struct strbuf *out, const struct verb *v, const json_t *value) {
        bool whole = strchr("dxXo", v->letter);
        char format[32], text[WIDTH_MAX + 512];
        int n = 0;

        snprintf(format, sizeof(format), "%%%s*%s%s%c", v->flags, v->precision >= 0 ? ".*" : "", whole ? "ll" : "", v->letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (whole && v->precision >= 0)
                n = snprintf(text, sizeof(text), format, v->width > 0 ? v->width : 0, v->precision, (long long) json_integer_value(value));
        else if (whole)
                n = snprintf(text, sizeof(text), format, v->width > 0 ? v->width : 0, (long long) json_integer_value(value));
        else if (v->precision >= 0)
                n = snprintf(text, sizeof(text), format, v->width > 0 ? v->width : 0, v->precision, json_number_value(value));
        else
                n = snprintf(text, sizeof(text), format, v->width > 0 ? v->width : 0, json_number_value(value));
#pragma GCC diagnostic pop
        strbuf_add(out, text, n < 0 ? 0 : (size_t) n < sizeof(text) ? (size_t) n : sizeof(text) - 1);
}

static bool fits(const struct verb *v, const json_t *value) {
        switch (v->letter) {
        case 'v':
                return true;
        case 's':
        case 'q':
                return !json_is_number(value) && !json_is_boolean(value);
        case 'd':
        case 'x':
        case 'X':
        case 'o':
                return json_is_integer(value);
        case 'f':
        case 'e':
        case 'g':
                return json_is_real(value);
        case 't':
                return json_is_boolean(value);
        default:
                return false;
        }
}

static void add_value(struct strbuf *out, const struct verb *v, const json_t *value) {
        if (!fits(v, value)) {
                strbuf_addf(out, "%%!%c(%s=", v->letter, template_kind(value));
                template_print(&(struct template_mode) { 0 }, value, out);
                strbuf_adds(out, ")");
        } else if (strchr("dxXofeg", v->letter)) {
                add_number(out, v, value);
        } else {
                add_text(out, v, value);
        }
}

json_t *template_printf(const struct template_mode *mode, json_t **args, size_t n, struct err *err) {
        const char *p = json_string_value(args[0]);
        size_t next = 1;
        auto_strbuf b = { 0 };

        if (!p) {
                err_set(err, ERR_INVALID, -EINVAL, "wants a string first, and has a value of type %s", template_kind(args[0]));
                return NULL;
        }
        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        while (*p) {
                struct verb v;
                size_t used;

                if (*p != '%') {
                        strbuf_add(&b, p++, 1);
                        continue;
                }
                used = read_verb(p + 1, &v);
                if (used == 0) {
                        err_set(err, ERR_INVALID, -EINVAL, "\"%.40s\" is no verb", p);
                        return NULL;
                }
                p += 1 + used;
                if (v.letter == '%')
                        strbuf_adds(&b, "%");
                else if (next >= n)
                        strbuf_addf(&b, "%%!%c(MISSING)", v.letter);
                else
                        add_value(&b, &v, args[next++]);
        }
        for (size_t i = next; i < n; i++) {
                strbuf_addf(&b, "%s%s=", i == next ? "%!(EXTRA " : ", ", template_kind(args[i]));
                template_print(mode, args[i], &b);
        }
        if (next < n)
                strbuf_adds(&b, ")");
        return template_string(&b, err);
}
