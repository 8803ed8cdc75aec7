/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A parsed template, for the files template-*.c. All memory is the template's: its parts are never freed one by one. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/template.h"

struct err;

enum operand_type {
        OPERAND_LITERAL,
        OPERAND_DOT,      /* ".", ".A.B" */
        OPERAND_VARIABLE, /* "$x", "$x.A", "$" */
        OPERAND_PIPE,     /* "(…)", "(…).A" */
        OPERAND_FUNCTION, /* "len" */
};

struct operand {
        enum operand_type type;
        size_t at;
        json_t *value;     /* LITERAL */
        const char *name;  /* VARIABLE ("" for $), FUNCTION */
        struct pipeline *pipe;
        const char **fields;
        size_t n_fields;
        struct operand *next;
};

struct call {
        struct operand *operands; /* at least one: the first decides */
        struct call *next;        /* gets our value as its last argument */
};

struct pipeline {
        size_t at;
        const char *variables[2];
        size_t n_variables;
        bool declares; /* := and not = */
        struct call *calls;
};

enum node_type { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_BREAK, NODE_CONTINUE };

struct node {
        enum node_type type;
        size_t at;
        const char *text; /* TEXT */
        size_t size;
        struct pipeline *pipe;
        struct node *body, *otherwise, *next;
};

struct template {
        char *text;
        struct node *nodes;
        void **blocks; /* everything above */
        size_t n_blocks;
        json_t *literals;
};

/* "LINE:COLUMN: message" with kind ERR_INVALID; returns −EINVAL. */
int template_error(const struct template *t, size_t at, struct err *err, const char *format, ...) __attribute__((format(printf, 4, 5), cold));

/* --- template-lex.c --- */

enum token_type {
        TOKEN_END, /* "}}" */
        TOKEN_PIPE, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_DECLARE, TOKEN_ASSIGN,
        TOKEN_DOT, TOKEN_FIELD /* .Name */, TOKEN_VARIABLE /* $name */, TOKEN_WORD, TOKEN_LITERAL,
};

struct token {
        enum token_type type;
        size_t at;
        bool glued; /* nothing stands between it and the token before */
        bool trims; /* END: "-}}" */
        const char *name; /* FIELD, VARIABLE, WORD: without the dot or the dollar */
        json_t *value;    /* LITERAL: borrowed from the template */
};

/* The token at *at, inside an action; moves *at behind it. */
int template_lex(struct template *t, size_t *at, struct token *ret, struct err *err);
void *template_alloc(struct template *t, size_t size); /* zeroed */

/* --- template-functions.c, template-printf.c: values are new references; NULL with *err filled. --- */

typedef json_t *(*template_function)(const struct template_mode *mode, json_t **args, size_t n, struct err *err);
struct template_function_row {
        const char *name;
        size_t min, max;
        template_function call;
        bool shows; /* changes how a value looks, not which it is: heads of columns pass */
};
extern const struct template_function_row template_functions[]; /* ends with a NULL name; `and` and `or` are template-run.c's */
const struct template_function_row *template_function_find(const char *name);

json_t *template_printf(const struct template_mode *mode, json_t **args, size_t n, struct err *err);
bool template_truth(const json_t *v);
struct strbuf;
void template_print(const struct template_mode *mode, const json_t *v, struct strbuf *out); /* as Go's %v */
json_t *template_string(struct strbuf *b, struct err *err); /* takes the bytes; what is no UTF-8 becomes '?' */
const char *template_kind(const json_t *v);                 /* "string", "int", "map", … for messages */
