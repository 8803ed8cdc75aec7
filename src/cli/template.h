/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The part of Go's text/template that people use with --format, over JSON: actions with fields, variables, literals, pipes and parentheses; if,
 * else if, else, range (with one or two variables), with, break, continue, end; comments and {{- trimming -}}; the functions of template-functions.c
 * and printf. There is no `define`, `template` or `block`.
 *
 * A template is parsed once and may be run many times. Both are bounded: size and depth of the text, steps and output of a run. Errors are one
 * line that begins with "LINE:COLUMN: ", counted from 1 in bytes. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct strbuf;
struct template;

enum {
        TEMPLATE_TEXT_MAX = 64 << 10,   /* bytes of a template */
        TEMPLATE_DEPTH_MAX = 64,        /* blocks and parentheses inside each other */
        TEMPLATE_STEPS_MAX = 1 << 20,   /* actions and calls of one run */
        TEMPLATE_OUTPUT_MAX = 16 << 20, /* bytes: give the buffer of a run this maximum at most */
        TEMPLATE_VARIABLES_MAX = 64,
};

/* How a run differs from a plain one. */
struct template_mode {
        bool any_case;   /* a field that is not there is looked for without regard to case (the names of Go's structs against those of their JSON) */
        bool escapes;    /* \t and \n in the text between actions are a tab and a newline, as for Docker's lists */
        bool no_control; /* control characters of values are printed as '?': for a terminal */
        bool heads;      /* the values are heads of columns: functions that would change them hand them on */
        const json_t *calls; /* {"Label": {…}}: what `.Label "x"` looks its argument up in; NULL: fields take no arguments */
};

/* *ret is the caller's. ERR_INVALID. */
int template_parse(const char *text, struct template **ret, struct err *err);
void template_free(struct template *t);

/* Appends to `out`. A field that `dot` itself does not have is an error; one of an object in it has no value ("<no value>", false). On an error
 * what was written so far stays in `out`. */
int template_run(const struct template *t, const json_t *dot, const struct template_mode *mode, struct strbuf *out, struct err *err);

/* Text between actions, with \t and \n as a tab and a newline if `escapes`. */
void template_add_text(const char *text, size_t size, bool escapes, struct strbuf *out);

/* Calls `piece` with each piece of a template that is text and plain fields ({{.Name}}) only: with a field's name, or with NULL and a text. false, and
 * perhaps some calls, when there is more to it, or when `piece` says false. */
bool template_each_field(const struct template *t, bool (*piece)(const char *field, const char *text, size_t size, void *data), void *data);
