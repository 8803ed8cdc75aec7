/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* ".State.ExitCode", "." (all of it), or `.Config.Labels "key"` by index. Returns a borrowed value or NULL. */
static const json_t *look_up(const json_t *object, const char *path) {
        char name[128];

        while (object && *path == '.') {
                size_t n = strcspn(++path, ". ");

                if (n == 0)
                        break;
                if (n >= sizeof(name))
                        return NULL;
                memcpy(name, path, n);
                name[n] = '\0';
                object = json_object_get(object, name);
                path += n;
        }
        return object;
}

static void print_plain(const json_t *v);

/* As Go prints a map or a slice: map[a:b c:d], [x y]. */
static void print_composite(const json_t *v) {
        const char *between = "";

        if (json_is_array(v)) {
                size_t i;
                json_t *item;

                fputs("[", stdout);
                json_array_foreach(v, i, item) {
                        fputs(between, stdout);
                        print_plain(item);
                        between = " ";
                }
        } else {
                const char *key;
                json_t *item;

                fputs("map[", stdout);
                json_object_foreach((json_t *) v, key, item) {
                        printf("%s%s:", between, key);
                        print_plain(item);
                        between = " ";
                }
        }
        fputs("]", stdout);
}

/* Labels and commands are somebody else's words: on a terminal they must not move the cursor. In a pipe they come as they are. */
static void print_text(const char *s) {
        bool terminal = isatty(STDOUT_FILENO);

        for (; *s; s++)
                putchar(terminal && ((unsigned char) *s < ' ' || *s == 0x7f) && *s != '\t' && *s != '\n' ? '?' : *s);
}

static void print_plain(const json_t *v) {
        if (json_is_string(v))
                print_text(json_string_value(v));
        else if (json_is_integer(v))
                printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
        else if (json_is_real(v))
                printf("%g", json_real_value(v));
        else if (json_is_boolean(v))
                fputs(json_is_true(v) ? "true" : "false", stdout);
        else if (!v || json_is_null(v))
                fputs("<no value>", stdout);
        else
                print_composite(v);
}

static void do_json(const json_t *v) {
        auto_free char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

        fputs(text ? text : "null", stdout);
}

static void do_len(const json_t *v) {
        printf("%zu", json_is_string(v) ? strlen(json_string_value(v)) : json_is_array(v) ? json_array_size(v) : json_object_size(v));
}

static void do_upper(const json_t *v) {
        for (const char *p = json_is_string(v) ? json_string_value(v) : ""; *p; p++)
                putchar(toupper((unsigned char) *p));
}

static void do_lower(const json_t *v) {
        for (const char *p = json_is_string(v) ? json_string_value(v) : ""; *p; p++)
                putchar(tolower((unsigned char) *p));
}

static const struct {
        const char *name;
        void (*print)(const json_t *v);
} functions[] = {
        { "", print_plain }, { "json", do_json }, { "len", do_len }, { "upper", do_upper }, { "lower", do_lower },
};

/* One action: what stands between {{ and }}. */
static int action(const char *text, size_t size, const json_t *object, struct err *err) {
        char word[256];
        const char *p = word, *name = "";
        size_t n;

        if (size >= sizeof(word))
                return err_set(err, ERR_INVALID, -EINVAL, "--format: {{%.*s…}} is too long", 40, text);
        memcpy(word, text, size);
        word[size] = '\0';
        while (size > 0 && word[size - 1] == ' ')
                word[--size] = '\0';
        p += strspn(p, " ");
        if (isalpha((unsigned char) *p)) {
                n = strcspn(p, " ");
                name = p;
                p += n;
                if (*p)
                        *(char *) p++ = '\0';
                p += strspn(p, " ");
        }
        if (*p != '.' || strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(p))
                return err_set(err, ERR_INVALID, -EINVAL, "--format: {{%s %s}} is not understood: fields, json, len, upper and lower are", name, p);
        for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
                if (strcmp(functions[i].name, name) == 0) {
                        if (object)
                                functions[i].print(look_up(object, p));
                        return 0;
                }
        return err_set(err, ERR_INVALID, -EINVAL, "--format: function \"%s\" is not defined", name);
}

/* object NULL: check only. */
static int walk(const char *t, const json_t *object, struct err *err) {
        while (*t) {
                if (t[0] == '{' && t[1] == '{') {
                        const char *end = strstr(t, "}}");
                        int r;

                        if (!end)
                                return err_set(err, ERR_INVALID, -EINVAL, "--format: {{ without }}");
                        r = action(t + 2, (size_t) (end - t - 2), object, err);
                        if (r < 0)
                                return r;
                        t = end + 2;
                } else {
                        char c = *t++;

                        if (c == '\\' && (*t == 't' || *t == 'n'))
                                c = *t++ == 't' ? '\t' : '\n';
                        if (object)
                                putchar(c);
                }
        }
        return 0;
}

int format_print(const char *template, const json_t *object, struct err *err) {
        int r;

        if (strcmp(template, "json") == 0) {
                do_json(object);
                putchar('\n');
                return 0;
        }
        if (str_starts_with(template, "table "))
                template += strlen("table ");
        r = walk(template, object, err);
        if (r == 0)
                putchar('\n');
        return r;
}

int format_check(const char *template, struct err *err) {
        return walk(template, NULL, err);
}
