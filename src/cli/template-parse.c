/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template-tree.h"

struct parser {
        struct template *t;
        size_t at;
        struct token token; /* the next one, inside an action */
        bool trim;          /* the text that follows loses its leading blanks */
        size_t depth, loops;
        struct err *err;
};

int template_error(const struct template *t, size_t at, struct err *err, const char *format, ...) {
        size_t line = 1, column = 1;
        char message[256];
        va_list ap;

        for (size_t i = 0; i < at && t->text[i]; i++) {
                column = t->text[i] == '\n' ? 1 : column + 1;
                line += t->text[i] == '\n';
        }
        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        return err_set(err, ERR_INVALID, -EINVAL, "%zu:%zu: %s", line, column, message);
}

static int advance(struct parser *p) {
        return template_lex(p->t, &p->at, &p->token, p->err);
}

static int wrong(struct parser *p, const char *what) {
        return template_error(p->t, p->token.at, p->err, "%s", what);
}

static int deeper(struct parser *p) {
        return ++p->depth > TEMPLATE_DEPTH_MAX ? wrong(p, "too many blocks and brackets inside each other") : 0;
}

static int parse_pipeline(struct parser *p, struct pipeline **ret);

/* ".A.B" behind what begins an operand: fields without a blank between. */
static int parse_fields(struct parser *p, struct operand *o) {
        while (p->token.type == TOKEN_FIELD && p->token.glued) {
                const char **longer = template_alloc(p->t, (o->n_fields + 1) * sizeof(*longer));

                if (o->n_fields >= TEMPLATE_DEPTH_MAX)
                        return wrong(p, "too many fields");
                if (o->n_fields)
                        memcpy(longer, o->fields, o->n_fields * sizeof(*longer));
                longer[o->n_fields++] = p->token.name;
                o->fields = longer;
                if (advance(p) < 0)
                        return -EINVAL;
        }
        return 0;
}

static bool literal_word(struct template *t, const char *word, json_t **ret) {
        json_t *v = strcmp(word, "true") == 0 ? json_true() : strcmp(word, "false") == 0 ? json_false() : strcmp(word, "nil") == 0 ? json_null() : NULL;

        if (v)
                json_array_append_new(t->literals, v);
        *ret = v;
        return v != NULL;
}

/* One operand; *ret NULL when there is none here. */
static int parse_operand(struct parser *p, struct operand **ret) {
        struct operand *o;

        *ret = NULL;
        if (p->token.type < TOKEN_DOT && p->token.type != TOKEN_OPEN)
                return 0;
        o = template_alloc(p->t, sizeof(*o));
        o->at = p->token.at;
        o->name = p->token.name;
        o->value = p->token.value;
        switch (p->token.type) {
        case TOKEN_FIELD:
                /* The first of a chain: it need not be glued to what stands before. */
                o->type = OPERAND_DOT;
                p->token.glued = true;
                break;
        case TOKEN_OPEN:
                o->type = OPERAND_PIPE;
                if (deeper(p) < 0 || advance(p) < 0 || parse_pipeline(p, &o->pipe) < 0)
                        return -EINVAL;
                p->depth--;
                if (p->token.type != TOKEN_CLOSE)
                        return wrong(p, "a bracket is not closed");
                break;
        case TOKEN_DOT:
                o->type = OPERAND_DOT;
                break;
        case TOKEN_VARIABLE:
                o->type = OPERAND_VARIABLE;
                break;
        case TOKEN_WORD:
                o->type = OPERAND_FUNCTION;
                if (literal_word(p->t, o->name, &o->value))
                        o->type = OPERAND_LITERAL;
                else if (!template_function_find(o->name))
                        return template_error(p->t, o->at, p->err, "function \"%.60s\" is not defined", o->name);
                break;
        default:
                o->type = OPERAND_LITERAL;
        }
        if (p->token.type != TOKEN_FIELD && advance(p) < 0)
                return -EINVAL;
        if (o->type == OPERAND_DOT || o->type == OPERAND_VARIABLE || o->type == OPERAND_PIPE)
                if (parse_fields(p, o) < 0)
                        return -EINVAL;
        *ret = o;
        return 0;
}

static int parse_call(struct parser *p, struct call **ret) {
        struct call *c = template_alloc(p->t, sizeof(*c));
        struct operand **end = &c->operands;

        for (;;) {
                if (parse_operand(p, end) < 0)
                        return -EINVAL;
                if (!*end)
                        break;
                if (c->operands != *end && c->operands->type != OPERAND_FUNCTION && (c->operands->type != OPERAND_DOT || !c->operands->n_fields))
                        return template_error(p->t, (*end)->at, p->err, "only a function or a field takes arguments");
                end = &(*end)->next;
        }
        if (!c->operands)
                return wrong(p, "a value is missing");
        *ret = c;
        return 0;
}

/* "$k, $v := " or "$x = " before the pipeline itself. p->token is the first variable; puts it back when there is no sign behind it. */
static int parse_declaration(struct parser *p, struct pipeline *pipe) {
        struct token first = p->token;
        size_t at = p->at;

        pipe->variables[pipe->n_variables++] = p->token.name;
        if (advance(p) < 0)
                return -EINVAL;
        if (p->token.type == TOKEN_COMMA) {
                if (advance(p) < 0)
                        return -EINVAL;
                if (p->token.type != TOKEN_VARIABLE)
                        return wrong(p, "a variable is missing");
                pipe->variables[pipe->n_variables++] = p->token.name;
                if (advance(p) < 0)
                        return -EINVAL;
        }
        if (p->token.type == TOKEN_DECLARE || p->token.type == TOKEN_ASSIGN) {
                pipe->declares = p->token.type == TOKEN_DECLARE;
                return advance(p);
        }
        if (pipe->n_variables > 1)
                return wrong(p, ":= is missing");
        pipe->n_variables = 0;
        p->token = first;
        p->at = at;
        return 0;
}

static int parse_pipeline(struct parser *p, struct pipeline **ret) {
        struct pipeline *pipe = template_alloc(p->t, sizeof(*pipe));
        struct call **end = &pipe->calls;

        pipe->at = p->token.at;
        if (p->token.type == TOKEN_VARIABLE && parse_declaration(p, pipe) < 0)
                return -EINVAL;
        for (;;) {
                if (parse_call(p, end) < 0)
                        return -EINVAL;
                if (pipe->calls != *end && (*end)->operands->type != OPERAND_FUNCTION)
                        return template_error(p->t, (*end)->operands->at, p->err, "what stands behind | must be a function");
                end = &(*end)->next;
                if (p->token.type != TOKEN_PIPE)
                        break;
                if (advance(p) < 0)
                        return -EINVAL;
        }
        *ret = pipe;
        return 0;
}

static int end_action(struct parser *p) {
        if (p->token.type != TOKEN_END)
                return wrong(p, "}} is missing");
        p->trim = p->token.trims;
        return 0;
}

enum stop { STOP_END_OF_TEXT, STOP_END, STOP_ELSE };
static int parse_nodes(struct parser *p, struct node **ret, enum stop *ret_stop);

/* Behind "if", "range" or "with". */
static int parse_block(struct parser *p, struct node *n) {
        enum stop stop;

        if (deeper(p) < 0 || parse_pipeline(p, &n->pipe) < 0 || end_action(p) < 0)
                return -EINVAL;
        if (n->pipe->n_variables > 1 && n->type != NODE_RANGE)
                return template_error(p->t, n->at, p->err, "only range has two variables");
        p->loops += n->type == NODE_RANGE;
        if (parse_nodes(p, &n->body, &stop) < 0)
                return -EINVAL;
        p->loops -= n->type == NODE_RANGE;
        if (stop == STOP_ELSE) {
                if (p->token.type == TOKEN_WORD) {
                        /* "else if": the rest is a block of its own, with one end for both. */
                        struct node *inner = template_alloc(p->t, sizeof(*inner));

                        inner->at = p->token.at;
                        inner->type = strcmp(p->token.name, "with") == 0 ? NODE_WITH : NODE_IF;
                        if (n->type != inner->type || (inner->type == NODE_IF && strcmp(p->token.name, "if") != 0))
                                return wrong(p, "else is followed by }} or, in the same kind of block, by if or with");
                        n->otherwise = inner;
                        if (advance(p) < 0 || parse_block(p, inner) < 0)
                                return -EINVAL;
                        p->depth--;
                        return 0;
                }
                if (end_action(p) < 0 || parse_nodes(p, &n->otherwise, &stop) < 0)
                        return -EINVAL;
                if (stop == STOP_ELSE)
                        return wrong(p, "a second else");
        }
        if (stop != STOP_END)
                return template_error(p->t, n->at, p->err, "this block has no {{end}}");
        p->depth--;
        return 0;
}

/* Inside {{, behind a "- " if there was one. *ret NULL: a comment, or the end of the list (*ret_stop). */
static int parse_action(struct parser *p, struct node **ret, enum stop *ret_stop) {
        static const struct {
                const char *word;
                enum node_type type;
        } blocks[] = { { "if", NODE_IF }, { "range", NODE_RANGE }, { "with", NODE_WITH } },
          jumps[] = { { "break", NODE_BREAK }, { "continue", NODE_CONTINUE } };
        static const char *const none[] = { "define", "template", "block" };
        struct node *n = template_alloc(p->t, sizeof(*n));
        const char *word;

        *ret = NULL;
        if (advance(p) < 0)
                return -EINVAL;
        n->at = p->token.at;
        word = p->token.type == TOKEN_WORD ? p->token.name : "";
        if (strcmp(word, "end") == 0) {
                *ret_stop = STOP_END;
                return advance(p) < 0 ? -EINVAL : end_action(p);
        }
        if (strcmp(word, "else") == 0) {
                *ret_stop = STOP_ELSE;
                return advance(p);
        }
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                if (strcmp(word, none[i]) == 0)
                        return template_error(p->t, n->at, p->err, "{{%s}} is not supported", word);
        *ret = n;
        for (size_t i = 0; i < ARRAY_SIZE(jumps); i++)
                if (strcmp(word, jumps[i].word) == 0) {
                        n->type = jumps[i].type;
                        if (p->loops == 0)
                                return template_error(p->t, n->at, p->err, "{{%s}} outside of {{range}}", word);
                        return advance(p) < 0 ? -EINVAL : end_action(p);
                }
        for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
                if (strcmp(word, blocks[i].word) == 0) {
                        n->type = blocks[i].type;
                        return advance(p) < 0 ? -EINVAL : parse_block(p, n);
                }
        n->type = NODE_ACTION;
        if (parse_pipeline(p, &n->pipe) < 0)
                return -EINVAL;
        return n->pipe->n_variables > 1 ? template_error(p->t, n->at, p->err, "only range has two variables") : end_action(p);
}

/* Behind {{. Returns 1 when it was a comment. */
static int skip_comment(struct parser *p) {
        const char *start = p->t->text + p->at, *s = start + strspn(start, " \t\r\n"), *end;

        if (strncmp(s, "/*", 2) != 0)
                return 0;
        end = strstr(s + 2, "*/");
        if (!end)
                return template_error(p->t, p->at, p->err, "a comment without its end");
        p->at = (size_t) (end + 2 - p->t->text);
        if (advance(p) < 0 || end_action(p) < 0)
                return -EINVAL;
        return 1;
}

static void add_text(struct parser *p, size_t size, bool trim_end, struct node ***end) {
        const char *text = p->t->text + p->at;
        struct node *n;

        while (p->trim && size > 0 && strchr(" \t\r\n", *text)) {
                text++;
                size--;
        }
        while (trim_end && size > 0 && strchr(" \t\r\n", text[size - 1]))
                size--;
        p->trim = false;
        if (size == 0)
                return;
        n = template_alloc(p->t, sizeof(*n));
        *n = (struct node) { .type = NODE_TEXT, .at = p->at, .text = text, .size = size };
        **end = n;
        *end = &n->next;
}

static int parse_nodes(struct parser *p, struct node **ret, enum stop *ret_stop) {
        struct node **end = ret;

        for (;;) {
                const char *text = p->t->text + p->at, *open = strstr(text, "{{");
                bool trim_end = open && open[2] == '-' && open[3] && strchr(" \t\r\n", open[3]);
                size_t size = open ? (size_t) (open - text) : strlen(text);
                int r;

                add_text(p, size, trim_end, &end);
                p->at += size;
                if (!open) {
                        *ret_stop = STOP_END_OF_TEXT;
                        return 0;
                }
                p->at += 2 + trim_end;
                r = skip_comment(p);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                r = parse_action(p, end, ret_stop);
                if (r < 0 || !*end)
                        return r;
                end = &(*end)->next;
        }
}

int template_parse(const char *text, struct template **ret, struct err *err) {
        struct template *t;
        struct parser p;
        enum stop stop;
        int r;

        if (strlen(text) > TEMPLATE_TEXT_MAX)
                return err_set(err, ERR_INVALID, -E2BIG, "1:1: a template has at most %d bytes", TEMPLATE_TEXT_MAX);
        t = calloc(1, sizeof(*t));
        if (!t || !(t->text = strdup(text)) || !(t->literals = json_array()))
                abort();
        p = (struct parser) { .t = t, .err = err };
        r = parse_nodes(&p, &t->nodes, &stop);
        if (r == 0 && stop != STOP_END_OF_TEXT)
                r = template_error(t, p.token.at, err, "{{%s}} without a block", stop == STOP_END ? "end" : "else");
        if (r < 0)
                template_free(t);
        else
                *ret = t;
        return r;
}

void template_free(struct template *t) {
        if (!t)
                return;
        for (size_t i = 0; i < t->n_blocks; i++)
                free(t->blocks[i]);
        free(t->blocks);
        json_decref(t->literals);
        free(t->text);
        free(t);
}
