/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template-tree.h"

struct variable {
        const char *name;
        json_t *value;
};

struct template_run {
        const struct template *t;
        const json_t *root;
        const struct template_mode *mode;
        struct strbuf *out;
        struct variable variables[TEMPLATE_VARIABLES_MAX];
        size_t n_variables, steps;
        struct err *err;
};

/* What stops a list of nodes before its end. */
enum { GO_ON = 0, BREAK = 1, CONTINUE = 2 };

static json_t *eval_pipeline(struct template_run *r, const struct pipeline *p, const json_t *dot);

static int step(struct template_run *r, size_t at) {
        if (++r->steps > TEMPLATE_STEPS_MAX)
                return template_error(r->t, at, r->err, "the template takes too many steps");
        if (strbuf_error(r->out) < 0)
                return template_error(r->t, at, r->err, "the template's output is too long");
        return 0;
}

/* New reference; NULL: not there. */
static json_t *member(const struct template_run *r, const json_t *object, const char *name) {
        json_t *v = json_object_get(object, name), *other;
        const char *key;

        if (v || !r->mode->any_case)
                return json_incref(v);
        json_object_foreach((json_t *) object, key, other)
                if (strcasecmp(key, name) == 0)
                        return json_incref(other);
        return NULL;
}

static json_t *walk_fields(struct template_run *r, const struct operand *o, json_t *value) {
        for (size_t i = 0; value && i < o->n_fields; i++) {
                json_t *next = NULL;

                if (json_is_object(value))
                        next = member(r, value, o->fields[i]);
                else if (json_is_null(value))
                        template_error(r->t, o->at, r->err, "there is no value to take .%.60s of", o->fields[i]);
                else
                        template_error(r->t, o->at, r->err, "a %s has no .%.60s", template_kind(value), o->fields[i]);
                if (!next && json_is_object(value)) {
                        if (value == r->root)
                                template_error(r->t, o->at, r->err, "there is no field .%.60s", o->fields[i]);
                        else
                                next = json_null();
                }
                json_decref(value);
                value = next;
        }
        return value;
}

static json_t *variable(struct template_run *r, const struct operand *o) {
        if (!*o->name)
                return json_incref((json_t *) r->root);
        for (size_t i = r->n_variables; i-- > 0;)
                if (strcmp(r->variables[i].name, o->name) == 0)
                        return json_incref(r->variables[i].value);
        template_error(r->t, o->at, r->err, "variable $%.60s is not defined", o->name);
        return NULL;
}

static json_t *eval_call(struct template_run *r, const struct call *c, json_t *piped, const json_t *dot);

static json_t *eval_operand(struct template_run *r, const struct operand *o, const json_t *dot) {
        struct call alone = { .operands = &(struct operand) { .type = OPERAND_FUNCTION, .at = o->at, .name = o->name } };

        switch (o->type) {
        case OPERAND_LITERAL:
                return json_incref(o->value);
        case OPERAND_DOT:
                return walk_fields(r, o, json_incref((json_t *) dot));
        case OPERAND_VARIABLE:
                return walk_fields(r, o, variable(r, o));
        case OPERAND_PIPE:
                return walk_fields(r, o, eval_pipeline(r, o->pipe, dot));
        case OPERAND_FUNCTION:
                break;
        }
        return eval_call(r, &alone, NULL, dot);
}

/* The first that decides; the others are not looked at. */
static json_t *and_or(struct template_run *r, const struct call *c, json_t *piped, const json_t *dot) {
        bool until = strcmp(c->operands->name, "or") == 0;
        json_t *value = NULL;

        for (const struct operand *o = c->operands->next; o; o = o->next) {
                json_decref(value);
                value = eval_operand(r, o, dot);
                if (!value || template_truth(value) == until)
                        return value;
        }
        if (piped) {
                json_decref(value);
                value = json_incref(piped);
        }
        if (!value)
                template_error(r->t, c->operands->at, r->err, "%s wants arguments", c->operands->name);
        return value;
}

static json_t *call_function(struct template_run *r, const struct call *c, json_t *piped, const json_t *dot) {
        const struct template_function_row *f = template_function_find(c->operands->name);
        json_t *args[TEMPLATE_DEPTH_MAX], *value = NULL;
        struct err why = { 0 };
        size_t n = 0;

        if (strcmp(c->operands->name, "and") == 0 || strcmp(c->operands->name, "or") == 0)
                return and_or(r, c, piped, dot);
        for (const struct operand *o = c->operands->next; o; o = o->next) {
                if (n + 1 >= TEMPLATE_DEPTH_MAX) {
                        template_error(r->t, o->at, r->err, "too many arguments");
                        goto out;
                }
                args[n] = eval_operand(r, o, dot);
                if (!args[n])
                        goto out;
                n++;
        }
        if (piped)
                args[n++] = json_incref(piped);
        if (n < f->min || n > f->max) {
                template_error(r->t, c->operands->at, r->err, "%s wants %s%zu argument%s, and has %zu", f->name,
                               f->min == f->max ? "" : n < f->min ? "at least " : "at most ", n < f->min ? f->min : f->max,
                               (n < f->min ? f->min : f->max) == 1 ? "" : "s", n);
                goto out;
        }
        if (r->mode->heads && f->shows) {
                /* split and truncate have the value first, join and pad too; in a pipe it is last. */
                value = json_incref(piped ? piped : args[0]);
        } else {
                value = f->call(r->mode, args, n, &why);
                if (!value)
                        template_error(r->t, c->operands->at, r->err, "%s: %s", f->name, why.msg);
        }
out:
        while (n > 0)
                json_decref(args[--n]);
        return value;
}

/* "com.example.the-tier" has the head "the tier". */
static json_t *label_head(const char *label) {
        const char *dot = strrchr(label, '.');
        auto_free char *head = strdup(dot ? dot + 1 : label);

        for (char *p = head; p && *p; p++)
                if (*p == '-' || *p == '_')
                        *p = ' ';
        return json_string(head ? head : "");
}

/* `.Label "x"`: a table of the row that is not shown itself. */
static json_t *call_field(struct template_run *r, const struct call *c, const json_t *dot) {
        const struct operand *o = c->operands;
        const json_t *table = o->n_fields == 1 ? json_object_get(r->mode->calls, o->fields[0]) : NULL;
        auto_json *key = NULL;
        json_t *value;

        if (!table) {
                template_error(r->t, o->at, r->err, ".%.60s takes no arguments", o->fields[o->n_fields - 1]);
                return NULL;
        }
        key = eval_operand(r, o->next, dot);
        if (!key)
                return NULL;
        if (!json_is_string(key) || o->next->next) {
                template_error(r->t, o->at, r->err, ".%.60s wants one string", o->fields[0]);
                return NULL;
        }
        if (r->mode->heads)
                return label_head(json_string_value(key));
        value = json_object_get(table, json_string_value(key));
        return value ? json_incref(value) : json_string("");
}

static json_t *eval_call(struct template_run *r, const struct call *c, json_t *piped, const json_t *dot) {
        const struct operand *first = c->operands;

        if (step(r, first->at) < 0)
                return NULL;
        if (first->type == OPERAND_FUNCTION)
                return call_function(r, c, piped, dot);
        if (first->type == OPERAND_DOT && first->next)
                return call_field(r, c, dot);
        return eval_operand(r, first, dot);
}

static int set_variable(struct template_run *r, const struct pipeline *p, const char *name, json_t *value) {
        if (p->declares) {
                if (r->n_variables >= TEMPLATE_VARIABLES_MAX)
                        return template_error(r->t, p->at, r->err, "too many variables");
                r->variables[r->n_variables++] = (struct variable) { name, json_incref(value) };
                return 0;
        }
        for (size_t i = r->n_variables; i-- > 0;)
                if (strcmp(r->variables[i].name, name) == 0) {
                        json_decref(r->variables[i].value);
                        r->variables[i].value = json_incref(value);
                        return 0;
                }
        return template_error(r->t, p->at, r->err, "variable $%.60s is not defined", name);
}

static void drop_variables(struct template_run *r, size_t n) {
        while (r->n_variables > n)
                json_decref(r->variables[--r->n_variables].value);
}

static json_t *eval_calls(struct template_run *r, const struct pipeline *p, const json_t *dot) {
        json_t *value = NULL;

        for (const struct call *c = p->calls; c; c = c->next) {
                json_t *next = eval_call(r, c, value, dot);

                json_decref(value);
                value = next;
                if (!value)
                        return NULL;
        }
        return value;
}

static json_t *eval_pipeline(struct template_run *r, const struct pipeline *p, const json_t *dot) {
        json_t *value = eval_calls(r, p, dot);

        if (value && p->n_variables == 1 && set_variable(r, p, p->variables[0], value) < 0) {
                json_decref(value);
                return NULL;
        }
        return value;
}

static int run_nodes(struct template_run *r, const struct node *n, const json_t *dot);

/* One round of a range. */
static int run_round(struct template_run *r, const struct node *n, json_t *key, json_t *item) {
        size_t before = r->n_variables;
        int result = step(r, n->at);

        if (result == 0 && n->pipe->n_variables == 2)
                result = set_variable(r, n->pipe, n->pipe->variables[0], key);
        if (result == 0 && n->pipe->n_variables > 0)
                result = set_variable(r, n->pipe, n->pipe->variables[n->pipe->n_variables - 1], item);
        if (result == 0)
                result = run_nodes(r, n->body, item);
        drop_variables(r, before);
        return result == CONTINUE ? GO_ON : result;
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Maps are walked in the order of their keys, as Go does. The caller frees. */
static const char **sorted_keys(const json_t *object, size_t *ret_n) {
        const char **keys = calloc(json_object_size(object) + 1, sizeof(*keys)), *key;
        json_t *value;

        *ret_n = 0;
        if (!keys)
                abort();
        json_object_foreach((json_t *) object, key, value)
                keys[(*ret_n)++] = key;
        qsort(keys, *ret_n, sizeof(*keys), by_name);
        return keys;
}

static int run_range(struct template_run *r, const struct node *n, const json_t *dot) {
        auto_json *value = eval_calls(r, n->pipe, dot);
        int result = GO_ON;
        size_t rounds = 0;

        if (!value)
                return -EINVAL;
        if (json_is_object(value)) {
                auto_free const char **keys = sorted_keys(value, &rounds);

                for (size_t i = 0; i < rounds && result == GO_ON; i++) {
                        auto_json *key = json_string(keys[i]);

                        result = run_round(r, n, key, json_object_get(value, keys[i]));
                }
        } else if (json_is_array(value) || (json_is_integer(value) && json_integer_value(value) >= 0)) {
                rounds = json_is_array(value) ? json_array_size(value) : (size_t) json_integer_value(value);
                for (size_t i = 0; i < rounds && result == GO_ON; i++) {
                        auto_json *key = json_integer((json_int_t) i);

                        result = run_round(r, n, key, json_is_array(value) ? json_array_get(value, i) : key);
                }
        } else if (!json_is_null(value)) {
                return template_error(r->t, n->pipe->at, r->err, "range can't go over a %s", template_kind(value));
        }
        if (rounds == 0)
                return run_nodes(r, n->otherwise, dot);
        return result == BREAK ? GO_ON : result;
}

static int run_branch(struct template_run *r, const struct node *n, const json_t *dot) {
        size_t before = r->n_variables;
        auto_json *value = eval_pipeline(r, n->pipe, dot);
        int result;

        if (!value)
                return -EINVAL;
        if (template_truth(value))
                result = run_nodes(r, n->body, n->type == NODE_WITH ? value : dot);
        else
                result = run_nodes(r, n->otherwise, dot);
        drop_variables(r, before);
        return result;
}

static int run_action(struct template_run *r, const struct node *n, const json_t *dot) {
        auto_json *value = eval_pipeline(r, n->pipe, dot);

        if (!value)
                return -EINVAL;
        if (n->pipe->n_variables == 0)
                template_print(r->mode, value, r->out);
        return GO_ON;
}

void template_add_text(const char *text, size_t size, bool escapes, struct strbuf *out) {
        for (size_t i = 0; i < size; i++) {
                bool escape = escapes && text[i] == '\\' && i + 1 < size && (text[i + 1] == 't' || text[i + 1] == 'n');

                if (escape)
                        strbuf_add(out, text[++i] == 't' ? "\t" : "\n", 1);
                else
                        strbuf_add(out, text + i, 1);
        }
}

static int run_nodes(struct template_run *r, const struct node *n, const json_t *dot) {
        for (; n; n = n->next) {
                int result = step(r, n->at);

                if (result < 0)
                        return result;
                switch (n->type) {
                case NODE_TEXT:
                        template_add_text(n->text, n->size, r->mode->escapes, r->out);
                        break;
                case NODE_ACTION:
                        result = run_action(r, n, dot);
                        break;
                case NODE_IF:
                case NODE_WITH:
                        result = run_branch(r, n, dot);
                        break;
                case NODE_RANGE:
                        result = run_range(r, n, dot);
                        break;
                case NODE_BREAK:
                        return BREAK;
                case NODE_CONTINUE:
                        return CONTINUE;
                }
                if (result != GO_ON)
                        return result;
        }
        return GO_ON;
}

int template_run(const struct template *t, const json_t *dot, const struct template_mode *mode, struct strbuf *out, struct err *err) {
        struct template_run r = { .t = t, .root = dot, .mode = mode, .out = out, .err = err };
        int result = run_nodes(&r, t->nodes, dot);

        drop_variables(&r, 0);
        if (result == 0 && strbuf_error(out) < 0)
                return template_error(t, 0, err, "the template's output is too long");
        return result;
}

bool template_each_field(const struct template *t, bool (*piece)(const char *field, const char *text, size_t size, void *data), void *data) {
        for (const struct node *n = t->nodes; n; n = n->next) {
                const struct pipeline *p = n->pipe;
                const struct operand *o = n->type == NODE_ACTION && p->n_variables == 0 && !p->calls->next ? p->calls->operands : NULL;

                if (n->type == NODE_TEXT ? !piece(NULL, n->text, n->size, data)
                                         : !o || o->type != OPERAND_DOT || o->n_fields != 1 || o->next || !piece(o->fields[0], NULL, 0, data))
                        return false;
        }
        return true;
}
