/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/commit-changes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/internal.h"

enum { LINE_MAX_SIZE = 64 << 10 };

static int malformed(const char *line, struct err *err) {
        return err_set(err, ERR_INVALID, -EINVAL, "change \"%.200s\" is not well formed", line);
}

/* One word, its quotes and backslashes taken away; NULL at the end. *text moves behind it. */
static char *next_word(const char **text) {
        const char *p = *text + strspn(*text, " \t");
        auto_free char *word = malloc(strlen(p) + 1);
        char quote = '\0', *out = word;

        if (!*p || !word)
                return NULL;
        for (; *p && (quote || !isspace((unsigned char) *p)); p++) {
                if (*p == quote && quote)
                        quote = '\0';
                else if (!quote && (*p == '"' || *p == '\''))
                        quote = *p;
                else if (*p == '\\' && p[1] && quote != '\'')
                        *out++ = *++p;
                else
                        *out++ = *p;
        }
        *out = '\0';
        *text = p;
        return take_ptr(&word);
}

/* ["a","b"] or NULL. */
static json_t *exec_form(const char *rest) {
        auto_json *list = NULL;
        json_t *v;
        size_t i;

        if (*rest != '[' || json_parse(rest, strlen(rest), LINE_MAX_SIZE, "change", &list, NULL) < 0 || !json_is_array(list))
                return NULL;
        json_array_foreach(list, i, v)
                if (!json_is_string(v))
                        return NULL;
        return take_ptr(&list);
}

static int change_command(json_t *config, const char *key, const char *rest, const char *line, struct err *err) {
        json_t *list = exec_form(rest);

        if (!list) {
                json_t *shell = json_get_array(config, "Shell");

                list = json_array_size(shell) ? json_copy(shell) : json_pack("[s, s]", "/bin/sh", "-c");
                if (json_array_append_new(list, json_string(rest)) < 0) {
                        json_decref(list);
                        return malformed(line, err);
                }
        }
        return json_object_set_new(config, key, list);
}

static int change_text(json_t *config, const char *key, const char *rest, const char *line, struct err *err) {
        return *rest && json_object_set_new(config, key, json_string(rest)) == 0 ? 0 : malformed(line, err);
}

static int change_workdir(json_t *config, const char *key, const char *rest, const char *line, struct err *err) {
        const char *before = json_get_str(config, key, "/");
        auto_free char *path = *rest == '/' ? strdup(rest) : str_format("%s/%s", strcmp(before, "/") == 0 || !*before ? "" : before, rest);

        return path && *rest ? change_text(config, key, path, line, err) : malformed(line, err);
}

static void set_env(json_t *list, const char *name, const char *pair) {
        size_t n = strlen(name), i;
        json_t *v;

        json_array_foreach(list, i, v) {
                const char *text = json_string_value(v);

                if (text && !strncmp(text, name, n) && text[n] == '=') {
                        json_array_set_new(list, i, json_string(pair));
                        return;
                }
        }
        json_array_append_new(list, json_string(pair));
}

static int add_pair(json_t *target, const char *name, const char *value, const char *line, struct err *err) {
        auto_free char *pair = str_format("%s=%s", name, value);

        if (!*name || !pair)
                return malformed(line, err);
        if (json_is_array(target))
                set_env(target, name, pair);
        else
                json_object_set_new(target, name, json_string(value));
        return 0;
}

/* "a=b c='d e'", or in the old way "a b c": one name, and the rest is its value. The list or object is the config's own copy. */
static int change_pairs(json_t *config, const char *key, const char *rest, const char *line, struct err *err) {
        bool is_env = strcmp(key, "Env") == 0;
        json_t *old = is_env ? json_get_array(config, key) : json_get_object(config, key);
        json_t *target = old ? json_copy(old) : is_env ? json_array() : json_object();
        size_t first = strcspn(rest, " \t=");

        json_object_set_new(config, key, target);
        if (rest[first] != '=') {
                auto_free char *name = strndup(rest, first);

                rest += first + strspn(rest + first, " \t");
                return name && *rest ? add_pair(target, name, rest, line, err) : malformed(line, err);
        }
        for (;;) {
                auto_free char *word = next_word(&rest);
                char *equals = word ? strchr(word, '=') : NULL;
                int r;

                if (!word)
                        return 0;
                if (!equals)
                        return malformed(line, err);
                *equals = '\0';
                r = add_pair(target, word, equals + 1, line, err);
                if (r < 0)
                        return r;
        }
}

/* EXPOSE 80 53/udp, VOLUME /a /b or ["/a"]: names with empty objects. */
static int change_set(json_t *config, const char *key, const char *rest, const char *line, struct err *err) {
        json_t *old = json_get_object(config, key), *set = old ? json_copy(old) : json_object(), *v;
        auto_json *list = exec_form(rest);
        size_t i;

        json_object_set_new(config, key, set);
        if (!list) {
                list = json_array();
                for (char *word; (word = next_word(&rest)); free(word))
                        json_array_append_new(list, json_string(word));
        }
        json_array_foreach(list, i, v) {
                const char *text = json_string_value(v);
                auto_free char *port = text && strcmp(key, "ExposedPorts") == 0 && !strchr(text, '/') ? str_format("%s/tcp", text) : NULL;

                if (!text || !*text)
                        return malformed(line, err);
                json_object_set_new(set, port ? port : text, json_object());
        }
        return json_array_size(list) ? 0 : malformed(line, err);
}

static int change_onbuild(json_t *config, const char *key, const char *rest, const char *line, struct err *err) {
        json_t *old = json_get_array(config, key), *list = old ? json_copy(old) : json_array();

        json_object_set_new(config, key, list);
        return *rest && json_array_append_new(list, json_string(rest)) == 0 ? 0 : malformed(line, err);
}

static const struct {
        const char *word, *key;
        int (*change)(json_t *config, const char *key, const char *rest, const char *line, struct err *err);
} instructions[] = {
        { "CMD", "Cmd", change_command },         { "ENTRYPOINT", "Entrypoint", change_command }, { "ENV", "Env", change_pairs },
        { "EXPOSE", "ExposedPorts", change_set }, { "LABEL", "Labels", change_pairs },            { "ONBUILD", "OnBuild", change_onbuild },
        { "STOPSIGNAL", "StopSignal", change_text }, { "USER", "User", change_text },             { "VOLUME", "Volumes", change_set },
        { "WORKDIR", "WorkingDir", change_workdir },
};

int commit_change(json_t *config, const char *line, struct err *err) {
        size_t n = strcspn(line, " \t");
        const char *rest = line + n + strspn(line + n, " \t");

        if (strlen(line) > LINE_MAX_SIZE || strpbrk(line, "\r\n"))
                return err_set(err, ERR_INVALID, -EINVAL, "a change is one line of at most %d bytes", LINE_MAX_SIZE);
        for (size_t i = 0; i < ARRAY_SIZE(instructions); i++)
                if (strlen(instructions[i].word) == n && !strncasecmp(line, instructions[i].word, n))
                        return instructions[i].change(config, instructions[i].key, rest, line, err);
        return err_set(err, ERR_INVALID, -EINVAL, "%.*s is not a valid change command", (int) (n < 64 ? n : 64), line);
}
