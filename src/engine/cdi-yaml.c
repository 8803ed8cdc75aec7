/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cdi-yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct anchor {
        char *name;
        json_t *value;
        unsigned nodes; /* in it, written out */
};

/* What is being filled. */
struct level {
        json_t *value;
        char *key;    /* of an object: whose value comes next */
        char *anchor; /* the name it gets when it is whole: inside of itself it has none */
        unsigned nodes_before;
};

struct reading {
        yaml_parser_t parser;
        const char *what;
        struct level levels[CDI_YAML_LEVELS_MAX];
        unsigned n_levels, nodes;
        struct anchor anchors[CDI_YAML_ANCHORS_MAX];
        unsigned n_anchors;
        json_t *document;
};

static int wrong(const struct reading *k, const yaml_mark_t *mark, struct err *err, const char *why) {
        return err_set(err, ERR_INVALID, -EINVAL, "%.80s: line %zu: %.120s", k->what, mark->line + 1, why);
}

static int no_memory(struct err *err) {
        return err_errno(err, -ENOMEM, "YAML");
}

/* Whole numbers as YAML 1.1 and 1.2 write them; false: it is none. */
static bool parse_number(const char *text, json_int_t *ret) {
        static const struct {
                const char *prefix;
                int base;
        } bases[] = { { "0x", 16 }, { "0o", 8 }, { "0", 8 }, { "", 10 } };
        const char *digits = text + (*text == '-' || *text == '+');
        size_t i = 0;
        char *end;

        while (!str_starts_with(digits, bases[i].prefix) || (i == 2 && !digits[1]))
                i++;
        digits += strlen(bases[i].prefix);
        if (!*digits || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
                return false;
        errno = 0;
        *ret = strtoll(digits, &end, bases[i].base);
        if (errno || *end)
                return false;
        if (*text == '-')
                *ret = -*ret;
        return true;
}

static json_t *plain_value(const char *text) {
        static const char *const nulls[] = { "", "~", "null", "Null", "NULL" }, *const trues[] = { "true", "True", "TRUE" }, *const falses[] = { "false", "False", "FALSE" };
        json_int_t number;

        for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
                if (!strcmp(text, nulls[i]))
                        return json_null();
        for (size_t i = 0; i < ARRAY_SIZE(trues); i++) {
                if (!strcmp(text, trues[i]))
                        return json_true();
                if (!strcmp(text, falses[i]))
                        return json_false();
        }
        return parse_number(text, &number) ? json_integer(number) : json_string(text);
}

static int check_tag(const struct reading *k, const yaml_mark_t *mark, const yaml_char_t *tag, bool scalar, struct err *err) {
        if (!tag || (scalar && !strcmp((const char *) tag, YAML_STR_TAG)))
                return 0;
        return wrong(k, mark, err, "tags are not read");
}

static int count_nodes(struct reading *k, const yaml_mark_t *mark, unsigned n, struct err *err) {
        if (n > CDI_YAML_NODES_MAX - k->nodes)
                return wrong(k, mark, err, "there are more than 65536 values, with what anchors repeat");
        k->nodes += n;
        return 0;
}

/* Takes name and value. */
static int add_anchor(struct reading *k, const yaml_mark_t *mark, char *name, json_t *value, unsigned nodes, struct err *err) {
        struct anchor *at = k->anchors;

        while (at < k->anchors + k->n_anchors && strcmp(at->name, name) != 0)
                at++;
        if (at == k->anchors + CDI_YAML_ANCHORS_MAX) {
                free(name);
                json_decref(value);
                return wrong(k, mark, err, "there are more than 256 anchors");
        }
        if (at == k->anchors + k->n_anchors)
                k->n_anchors++;
        free(at->name); /* one of that name before: the later one counts from here on */
        json_decref(at->value);
        *at = (struct anchor) { name, value, nodes };
        return 0;
}

/* Takes value. */
static int put(struct reading *k, const yaml_mark_t *mark, json_t *value, struct err *err) {
        struct level *top = k->n_levels ? &k->levels[k->n_levels - 1] : NULL;
        int r;

        if (!value)
                return no_memory(err);
        if (!top) {
                k->document = value;
                return 0;
        }
        if (json_is_array(top->value))
                return json_array_append_new(top->value, value) < 0 ? no_memory(err) : 0;
        r = json_object_set_new(top->value, top->key, value) < 0 ? no_memory(err) : 0;
        free(top->key);
        top->key = NULL;
        return r;
}

static bool wants_key(const struct reading *k) {
        const struct level *top = k->n_levels ? &k->levels[k->n_levels - 1] : NULL;

        return top && json_is_object(top->value) && !top->key;
}

static int take_key(struct reading *k, const yaml_mark_t *mark, const char *text, struct err *err) {
        struct level *top = &k->levels[k->n_levels - 1];

        if (!strcmp(text, "<<"))
                return wrong(k, mark, err, "merge keys (<<) are not read");
        if (json_object_get(top->value, text))
                return wrong(k, mark, err, "a key is there twice");
        top->key = strdup(text);
        return top->key ? 0 : no_memory(err);
}

static int take_scalar(struct reading *k, const yaml_event_t *event, struct err *err) {
        const char *text = (const char *) event->data.scalar.value;
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
        json_t *value;
        int r = check_tag(k, &event->start_mark, event->data.scalar.tag, true, err);

        if (r == 0)
                r = count_nodes(k, &event->start_mark, 1, err);
        if (r < 0)
                return r;
        if (strlen(text) != event->data.scalar.length)
                return wrong(k, &event->start_mark, err, "a text has a NUL in it");
        if (wants_key(k))
                return event->data.scalar.anchor ? wrong(k, &event->start_mark, err, "a key has an anchor") : take_key(k, &event->start_mark, text, err);
        value = plain ? plain_value(text) : json_string(text);
        if (event->data.scalar.anchor) {
                char *name = strdup((const char *) event->data.scalar.anchor);

                r = name && value ? add_anchor(k, &event->start_mark, name, json_incref(value), 1, err) : no_memory(err);
                if (r < 0) {
                        json_decref(value);
                        return r;
                }
        }
        return put(k, &event->start_mark, value, err);
}

static int take_alias(struct reading *k, const yaml_event_t *event, struct err *err) {
        const char *name = (const char *) event->data.alias.anchor;
        int r;

        if (wants_key(k))
                return wrong(k, &event->start_mark, err, "a key is no text");
        for (unsigned i = 0; i < k->n_anchors; i++) {
                if (strcmp(k->anchors[i].name, name) != 0)
                        continue;
                r = count_nodes(k, &event->start_mark, k->anchors[i].nodes, err);
                return r < 0 ? r : put(k, &event->start_mark, json_incref(k->anchors[i].value), err);
        }
        return wrong(k, &event->start_mark, err, "an anchor is not there, or stands for what it is in");
}

static int begin(struct reading *k, const yaml_event_t *event, const yaml_char_t *tag, const yaml_char_t *anchor, json_t *value, struct err *err) {
        struct level *level = &k->levels[k->n_levels];
        int r = check_tag(k, &event->start_mark, tag, false, err);

        if (r == 0 && wants_key(k))
                r = wrong(k, &event->start_mark, err, "a key is no text");
        if (r == 0 && k->n_levels == CDI_YAML_LEVELS_MAX)
                r = wrong(k, &event->start_mark, err, "there are more than 32 levels");
        if (r == 0)
                r = count_nodes(k, &event->start_mark, 1, err);
        if (r == 0 && !value)
                r = no_memory(err);
        if (r < 0) {
                json_decref(value);
                return r;
        }
        *level = (struct level) { .value = value, .nodes_before = k->nodes - 1 };
        k->n_levels++;
        if (anchor && !(level->anchor = strdup((const char *) anchor)))
                return no_memory(err);
        return 0;
}

static int end(struct reading *k, const yaml_event_t *event, struct err *err) {
        struct level level = k->levels[--k->n_levels];
        int r = level.anchor ? add_anchor(k, &event->start_mark, level.anchor, json_incref(level.value), k->nodes - level.nodes_before, err) : 0;

        if (r < 0) {
                json_decref(level.value);
                return r;
        }
        return put(k, &event->start_mark, level.value, err);
}

static int take(struct reading *k, const yaml_event_t *event, struct err *err) {
        switch (event->type) {
        case YAML_DOCUMENT_START_EVENT:
                return k->document ? wrong(k, &event->start_mark, err, "there is more than one document") : 0;
        case YAML_SCALAR_EVENT:
                return take_scalar(k, event, err);
        case YAML_ALIAS_EVENT:
                return take_alias(k, event, err);
        case YAML_MAPPING_START_EVENT:
                return begin(k, event, event->data.mapping_start.tag, event->data.mapping_start.anchor, json_object(), err);
        case YAML_SEQUENCE_START_EVENT:
                return begin(k, event, event->data.sequence_start.tag, event->data.sequence_start.anchor, json_array(), err);
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
                return end(k, event, err);
        default:
                return 0;
        }
}

static void reading_done(struct reading *k) {
        for (unsigned i = 0; i < k->n_levels; i++) {
                json_decref(k->levels[i].value);
                free(k->levels[i].key);
                free(k->levels[i].anchor);
        }
        for (unsigned i = 0; i < k->n_anchors; i++) {
                free(k->anchors[i].name);
                json_decref(k->anchors[i].value);
        }
        json_decref(k->document);
        yaml_parser_delete(&k->parser);
}

int cdi_yaml_parse(const char *data, size_t size, const char *what, json_t **ret, struct err *err) {
        auto_free struct reading *k = calloc(1, sizeof(*k));
        bool over = false;
        int r = 0;

        if (!k)
                return no_memory(err);
        k->what = what;
        if (!yaml_parser_initialize(&k->parser))
                return no_memory(err);
        yaml_parser_set_input_string(&k->parser, (const unsigned char *) data, size);
        while (r == 0 && !over) {
                yaml_event_t event;

                if (!yaml_parser_parse(&k->parser, &event)) {
                        r = wrong(k, &k->parser.problem_mark, err, k->parser.problem ? k->parser.problem : "it is not YAML");
                        break;
                }
                over = event.type == YAML_STREAM_END_EVENT;
                r = take(k, &event, err);
                yaml_event_delete(&event);
        }
        if (r == 0 && !k->document)
                r = err_set(err, ERR_INVALID, -EINVAL, "%.80s: it is empty", what);
        if (r == 0)
                *ret = json_incref(k->document);
        reading_done(k);
        return r;
}
