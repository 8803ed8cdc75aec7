/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an action. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template-tree.h"

void *template_alloc(struct template *t, size_t size) {
        void *block = calloc(1, size ? size : 1);

        t->blocks = reallocarray(t->blocks, t->n_blocks + 1, sizeof(*t->blocks));
        if (!block || !t->blocks)
                abort();
        t->blocks[t->n_blocks++] = block;
        return block;
}

static bool is_name(char c) {
        return isalnum((unsigned char) c) || c == '_' || (unsigned char) c >= 0x80;
}

static const char *take_name(struct template *t, size_t *at) {
        size_t start = *at;
        char *name;

        while (is_name(t->text[*at]))
                (*at)++;
        name = template_alloc(t, *at - start + 1);
        memcpy(name, t->text + start, *at - start);
        return name;
}

static void add_rune(struct strbuf *b, uint32_t c) {
        char u[4];
        size_t n = 0;

        if (c < 0x80) {
                u[n++] = (char) c;
        } else if (c < 0x800) {
                u[n++] = (char) (0xc0 | c >> 6);
                u[n++] = (char) (0x80 | (c & 63));
        } else if (c < 0x10000) {
                u[n++] = (char) (0xe0 | c >> 12);
                u[n++] = (char) (0x80 | (c >> 6 & 63));
                u[n++] = (char) (0x80 | (c & 63));
        } else {
                u[n++] = (char) (0xf0 | c >> 18);
                u[n++] = (char) (0x80 | (c >> 12 & 63));
                u[n++] = (char) (0x80 | (c >> 6 & 63));
                u[n++] = (char) (0x80 | (c & 63));
        }
        strbuf_add(b, u, n);
}

/* Behind the backslash. Returns how many bytes it took, or 0: not an escape. */
static size_t escape(const char *p, struct strbuf *b) {
        static const char letters[] = "abfnrtv\\\"'", meant[] = "\a\b\f\n\r\t\v\\\"'";
        static const struct {
                char letter;
                size_t digits;
        } hex[] = { { 'x', 2 }, { 'u', 4 }, { 'U', 8 } };
        const char *letter = *p ? strchr(letters, *p) : NULL;

        if (letter) {
                strbuf_add(b, meant + (letter - letters), 1);
                return 1;
        }
        for (size_t i = 0; i < ARRAY_SIZE(hex); i++) {
                char digits[9] = "";
                uint32_t value;

                if (*p != hex[i].letter)
                        continue;
                for (size_t k = 0; k < hex[i].digits; k++) {
                        if (!isxdigit((unsigned char) p[1 + k]))
                                return 0;
                        digits[k] = p[1 + k];
                }
                value = (uint32_t) strtoul(digits, NULL, 16);
                if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) || (hex[i].letter == 'x' && value > 0x7f))
                        return 0;
                add_rune(b, value);
                return 1 + hex[i].digits;
        }
        return 0;
}

static int keep_literal(struct template *t, json_t *value, struct token *ret) {
        if (!value)
                return -EINVAL;
        json_array_append_new(t->literals, value);
        ret->type = TOKEN_LITERAL;
        ret->value = value;
        return 0;
}

static int lex_string(struct template *t, size_t *at, struct token *ret, struct err *err) {
        char quote = t->text[*at];
        const char *p = t->text + *at + 1;
        auto_strbuf b;

        strbuf_init(&b, TEMPLATE_TEXT_MAX);
        while (*p && *p != quote) {
                size_t used = 1;

                if (quote == '"' && *p == '\n')
                        break;
                if (quote == '"' && *p == '\\') {
                        used = escape(p + 1, &b);
                        if (used == 0)
                                return template_error(t, (size_t) (p - t->text), err, "an unknown escape in a string");
                        used++;
                } else {
                        strbuf_add(&b, p, 1);
                }
                p += used;
        }
        if (*p != quote)
                return template_error(t, *at, err, "a string without its end");
        if (keep_literal(t, json_stringn(b.data ? b.data : "", b.size), ret) < 0)
                return template_error(t, *at, err, "a string that is not UTF-8");
        *at = (size_t) (p - t->text) + 1;
        return 0;
}

static int lex_number(struct template *t, size_t *at, struct token *ret, struct err *err) {
        const char *start = t->text + *at;
        size_t n = strspn(start, "+-0123456789abcdefABCDEFxX.");
        char *end;
        long long whole;
        double real;

        errno = 0;
        whole = strtoll(start, &end, 0);
        if (errno == 0 && end == start + n) {
                *at += n;
                return keep_literal(t, json_integer(whole), ret);
        }
        n = strspn(start, "+-0123456789eE.");
        errno = 0;
        real = strtod(start, &end);
        if (errno != 0 || end != start + n || is_name(*end) || keep_literal(t, json_real(real), ret) < 0)
                return template_error(t, *at, err, "a bad number");
        *at += n;
        return 0;
}

int template_lex(struct template *t, size_t *at, struct token *ret, struct err *err) {
        static const struct {
                const char *text;
                enum token_type type;
        } signs[] = {
                { "}}", TOKEN_END }, { "|", TOKEN_PIPE }, { "(", TOKEN_OPEN }, { ")", TOKEN_CLOSE },
                { ",", TOKEN_COMMA }, { ":=", TOKEN_DECLARE }, { "=", TOKEN_ASSIGN },
        };
        size_t blanks = strspn(t->text + *at, " \t\r\n");
        const char *p = t->text + *at + blanks;

        *ret = (struct token) { .at = *at + blanks, .glued = blanks == 0 };
        *at += blanks;
        if (blanks && strncmp(p, "-}}", 3) == 0) {
                ret->trims = true;
                *at += 3;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
                if (str_starts_with(p, signs[i].text)) {
                        ret->type = signs[i].type;
                        *at += strlen(signs[i].text);
                        return 0;
                }
        if (!*p)
                return template_error(t, *at, err, "{{ without }}");
        if (*p == '"' || *p == '`')
                return lex_string(t, at, ret, err);
        if (isdigit((unsigned char) *p) || ((*p == '-' || *p == '+' || *p == '.') && isdigit((unsigned char) p[1])))
                return lex_number(t, at, ret, err);
        if (*p == '.' || *p == '$') {
                (*at)++;
                ret->name = take_name(t, at);
                ret->type = *p == '$' ? TOKEN_VARIABLE : *ret->name ? TOKEN_FIELD : TOKEN_DOT;
                return 0;
        }
        if (is_name(*p)) {
                ret->type = TOKEN_WORD;
                ret->name = take_name(t, at);
                return 0;
        }
        if (isprint((unsigned char) *p))
                return template_error(t, *at, err, "'%c' is not understood here", *p);
        return template_error(t, *at, err, "a byte that is not understood here");
}
