/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/context-store.h"
#include "cli/endpoint.h"
#include "cli/manifest-store.h"

enum { DAEMON_SECONDS = 3 };

enum kind {
        KIND_NONE,
        KIND_FILE,
        KIND_CONTAINER,
        KIND_IMAGE,
        KIND_VOLUME,
        KIND_NETWORK,
        KIND_CONTEXT,
        KIND_LIST,     /* a manifest list that is being put together */
        KIND_MANIFEST, /* what is in the list that was typed before it */
};

struct state {
        const char *current; /* what candidates must begin with */
        const char *prefix;  /* "--pull=": printed before each */
        int prefix_size;
        const struct args *global;
        const char *first; /* the command's first argument, when that is typed already; NULL */
};

/* Names and descriptions are the daemon's: they must not become lines of their own, nor move the terminal's cursor. */
static void offer(const struct state *s, const char *word, const char *about) {
        auto_free char *plain = strdup(word), *words = strdup(about ? about : "");

        if (!plain || !words)
                abort();
        str_make_plain(plain, strlen(plain), "");
        str_make_plain(words, strlen(words), "");
        if (!*word || *word == ':' || !str_starts_with(word, s->current) || strcmp(plain, word) != 0)
                return;
        printf("%.*s%s%s%s\n", s->prefix_size, s->prefix ? s->prefix : "", word, about ? "\t" : "", words);
}

/* --- what the daemon knows --- */

static int ask(const struct state *s, const char *path_text, json_t **ret) {
        struct client client = { 0 };
        auto_path path = { 0 };

        if (endpoint_choose(s->global, &client.host, NULL) < 0)
                return -EINVAL;
        /* A daemon that does not answer is one without names. */
        alarm(DAEMON_SECONDS);
        path_init(&path, "%s", path_text);
        return client_call(&client, "GET", &path, NULL, ret, NULL);
}

static void offer_containers(const struct state *s, const char *verb) {
        /* Verbs for which only some make sense. */
        static const struct {
                const char *verb, *states;
        } wanted[] = {
                { "start", "created exited" },  { "stop", "running restarting paused" }, { "exec", "running" }, { "attach", "running" },
                { "pause", "running" },         { "unpause", "paused" },                 { "top", "running" },  { "kill", "running restarting paused" },
        };
        const char *states = NULL;
        auto_json *all = NULL;
        json_t *one;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(wanted); i++)
                if (strcmp(wanted[i].verb, verb) == 0)
                        states = wanted[i].states;
        if (ask(s, "/containers/json?all=1", &all) < 0)
                return;
        json_array_foreach(all, i, one) {
                const char *name = json_string_value(json_array_get(json_get_array(one, "Names"), 0));

                if (name && (!states || strstr(states, json_get_str(one, "State", "-"))))
                        offer(s, name + (*name == '/'), json_get_str(one, "Image", NULL));
        }
}

static void offer_images(const struct state *s) {
        auto_json *all = NULL;
        json_t *image, *tag;
        size_t i, j;

        if (ask(s, "/images/json", &all) < 0)
                return;
        json_array_foreach(all, i, image) {
                json_array_foreach(json_get_array(image, "RepoTags"), j, tag) {
                        const char *name = json_string_value(tag), *colon = name ? strrchr(name, ':') : NULL;

                        if (!name || strchr(name, '<'))
                                continue;
                        /* "latest" need not be typed. */
                        if (colon && strcmp(colon, ":latest") == 0 && !strchr(s->current, ':')) {
                                auto_free char *without = strndup(name, (size_t) (colon - name));

                                offer(s, without, NULL);
                        } else {
                                offer(s, name, NULL);
                        }
                }
        }
}

static void offer_named(const struct state *s, const char *path, const char *list, const char *about) {
        auto_json *answer = NULL;
        json_t *one;
        size_t i;

        if (ask(s, path, &answer) < 0)
                return;
        json_array_foreach(list ? json_get_array(answer, list) : answer, i, one)
                offer(s, json_get_str(one, "Name", ""), json_get_str(one, about, NULL));
}

static void offer_contexts(const struct state *s) {
        auto_json *all = context_all();
        json_t *one;
        size_t i;

        offer(s, "default", NULL);
        json_array_foreach(all, i, one)
                offer(s, json_get_str(one, "Name", ""), context_host(one));
}

/* As a person writes it, or whole, when that is what was begun with. */
static void offer_whole(const struct state *s, const char *whole) {
        static const char *const understood[] = { "docker.io/library/", "docker.io/" };
        auto_free char *brief = NULL;
        const char *name = whole;
        size_t n;

        for (size_t i = 0; i < ARRAY_SIZE(understood) && name == whole; i++)
                if (str_starts_with(whole, understood[i]))
                        name = whole + strlen(understood[i]);
        n = strlen(name);
        if (n > strlen(":latest") && strcmp(name + n - strlen(":latest"), ":latest") == 0)
                n -= strlen(":latest");
        brief = strndup(name, n);
        if (brief)
                offer(s, str_starts_with(brief, s->current) ? brief : str_starts_with(name, s->current) ? name : whole, NULL);
}

static void offer_lists(const struct state *s) {
        auto_json *names = manifest_list_names();
        json_t *name;
        size_t i;

        json_array_foreach(names, i, name)
                offer_whole(s, json_string_value(name));
}

static void offer_manifests(const struct state *s) {
        auto_free char *list = NULL;
        auto_json *all = NULL;
        json_t *one;
        size_t i;

        if (!s->first || manifest_whole_name(s->first, &list, NULL) < 0 || manifest_list_load(list, &all, NULL) < 0)
                return;
        json_array_foreach(all, i, one)
                offer_whole(s, json_get_str(one, "Ref", ""));
}

static void offer_kind(const struct state *s, enum kind kind, const char *verb) {
        switch (kind) {
        case KIND_NONE:
                break;
        case KIND_FILE:
                printf(":files\n");
                break;
        case KIND_CONTAINER:
                offer_containers(s, verb);
                break;
        case KIND_IMAGE:
                offer_images(s);
                break;
        case KIND_VOLUME:
                offer_named(s, "/volumes", "Volumes", "Driver");
                break;
        case KIND_NETWORK:
                offer_named(s, "/networks", NULL, "Driver");
                break;
        case KIND_CONTEXT:
                offer_contexts(s);
                break;
        case KIND_LIST:
                offer_lists(s);
                break;
        case KIND_MANIFEST:
                offer_manifests(s);
                break;
        }
}

/* From the word that the usage line has for it: one table for help and completion. */
static enum kind kind_of(const char *word) {
        static const struct {
                const char *part;
                enum kind kind;
        } kinds[] = {
                { "CONTAINER", KIND_CONTAINER }, { "IMAGE", KIND_IMAGE }, { "VOLUME", KIND_VOLUME }, { "NETWORK", KIND_NETWORK },
                { "CONTEXT", KIND_CONTEXT },     { "LIST", KIND_LIST },   { "MANIFEST", KIND_MANIFEST }, { "FILE", KIND_FILE },   { "DIR", KIND_FILE },      { "PATH", KIND_FILE },
        };

        for (size_t i = 0; word && i < ARRAY_SIZE(kinds); i++)
                if (strstr(word, kinds[i].part))
                        return kinds[i].kind;
        return KIND_NONE;
}

/* --- options --- */

/* Values of options that are words, or things that their placeholder does not name. */
static const struct {
        const char *option, *words;
        enum kind kind;
} values[] = {
        { "network", "host none", KIND_NETWORK },
        { "net", "host none", KIND_NETWORK },
        { "volumes-from", NULL, KIND_CONTAINER },
        { "volume", NULL, KIND_VOLUME },
        { "pull", "always missing never", KIND_NONE },
        { "restart", "no on-failure always unless-stopped", KIND_NONE },
        { "log-driver", "json-file none", KIND_NONE },
        { "pid", "host container:", KIND_NONE },
        { "ipc", "private shareable host none container:", KIND_NONE },
        { "uts", "host", KIND_NONE },
        { "userns", "host", KIND_NONE },
        { "cgroupns", "private host", KIND_NONE },
        { "attach", "stdin stdout stderr", KIND_NONE },
        { "signal", "TERM KILL HUP INT QUIT USR1 USR2 STOP CONT", KIND_NONE },
        { "stop-signal", "TERM KILL HUP INT QUIT USR1 USR2", KIND_NONE },
        { "format", "json table", KIND_NONE },
};

static void offer_value(const struct state *s, const struct option *o) {
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                auto_free char *words = NULL;
                char *rest, *word;

                if (strcmp(values[i].option, o->name) != 0)
                        continue;
                rest = words = values[i].words ? strdup(values[i].words) : NULL;
                while (rest && (word = strsep(&rest, " ")))
                        offer(s, word, NULL);
                offer_kind(s, values[i].kind, "");
                return;
        }
        if (o->type == OPTION_FLAG) {
                offer(s, "true", NULL);
                offer(s, "false", NULL);
        } else {
                offer_kind(s, kind_of(o->value), "");
        }
}

static void offer_options(const struct state *s, const struct option *o) {
        for (; o && o->name; o++) {
                char word[64];

                snprintf(word, sizeof(word), "--%s", o->name);
                offer(s, word, o->help);
        }
}

static const struct option *find_option(const struct command *c, const char *word) {
        const struct option *tables[] = { c->options, c->more };
        bool is_long = word[1] == '-';
        size_t n = strcspn(word, "=");

        for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
                for (const struct option *o = tables[i]; o && o->name; o++)
                        if (is_long ? strlen(o->name) + 2 == n && strncmp(word + 2, o->name, n - 2) == 0
                                    /* Of "-it" the last letter decides. */
                                    : o->letter == word[strlen(word) - 1])
                                return o;
        return NULL;
}

/* Where the words before the cursor lead: the option whose value is next (or NULL), and how many positional ones there were. */
struct place {
        const struct option *pending;
        const char *first; /* positional; NULL: none */
        size_t n_positional;
        int used; /* words up to the first positional one, when it ends the options */
        bool only_positional;
};

static struct place walk(const struct command *c, int argc, char **argv) {
        struct place p = { .used = argc };

        for (int i = 0; i < argc; i++) {
                const char *word = argv[i];

                if (p.pending) {
                        p.pending = NULL;
                } else if (!p.only_positional && strcmp(word, "--") == 0) {
                        p.only_positional = true;
                } else if (!p.only_positional && word[0] == '-' && word[1]) {
                        const struct option *o = find_option(c, word);

                        p.pending = o && o->type != OPTION_FLAG && !strchr(word, '=') ? o : NULL;
                } else {
                        if (p.n_positional++ > 0)
                                continue;
                        p.first = word;
                        if (c->stop_at_first) {
                                p.only_positional = true;
                                p.used = i;
                        }
                }
        }
        return p;
}

/* The word of the usage line for the n-th argument; the last one when it may be repeated. Writes into `ret`. */
static void usage_word(const struct command *c, size_t n, char ret[64]) {
        auto_free char *copy = strdup(c->usage);
        char *rest = copy, *word;
        bool repeated = false;

        *ret = '\0';
        while (rest && (word = strsep(&rest, " "))) {
                if (strcmp(word, "[OPTIONS]") == 0 || !*word)
                        continue;
                snprintf(ret, 64, "%s", word);
                repeated = strstr(word, "...") != NULL;
                if (n-- == 0)
                        return;
        }
        if (!repeated)
                *ret = '\0';
}

static void offer_for(struct state *s, const struct command *c, const struct place *p) {
        const char *equals = strchr(s->current, '=');
        char word[64];

        if (p->pending) {
                offer_value(s, p->pending);
        } else if (!p->only_positional && str_starts_with(s->current, "--") && equals) {
                const struct option *o = find_option(c, s->current);

                s->prefix = s->current;
                s->prefix_size = (int) (equals + 1 - s->current);
                s->current = equals + 1;
                if (o)
                        offer_value(s, o);
        } else if (!p->only_positional && s->current[0] == '-') {
                offer_options(s, c->options);
                offer_options(s, c->more);
                if (c != &global_command)
                        offer(s, "--help", "Print help");
        } else if (c != &global_command) {
                usage_word(c, p->n_positional, word);
                s->first = p->first;
                offer_kind(s, kind_of(word), command_verb(c));
        }
}

/* --- commands --- */

static void offer_commands(const struct state *s) {
        for (size_t i = 0; all_commands[i]; i++) {
                const char *noun = all_commands[i]->noun;
                bool seen = !noun;

                if (!strchr(all_commands[i]->name, ' '))
                        offer(s, all_commands[i]->name, all_commands[i]->summary);
                for (size_t j = 0; j < i && !seen; j++)
                        seen = all_commands[j]->noun && strcmp(all_commands[j]->noun, noun) == 0;
                if (!seen)
                        offer(s, noun, "Commands for it");
        }
        offer(s, "help", "Help for a command");
}

static void offer_verbs(const struct state *s, const char *noun) {
        for (size_t i = 0; all_commands[i]; i++)
                if (all_commands[i]->noun && strcmp(all_commands[i]->noun, noun) == 0)
                        offer(s, command_verb(all_commands[i]), all_commands[i]->summary);
}

int complete(const struct args *global, int argc, char **argv) {
        struct state s = { .current = argc > 0 ? argv[argc - 1] : "", .global = global };
        const struct command *c;
        struct args *typed = NULL;
        struct place p;
        size_t used;

        argc = argc > 0 ? argc - 1 : 0;
        p = walk(&global_command, argc, argv);
        if (p.pending || (p.n_positional == 0 && s.current[0] == '-')) {
                offer_for(&s, &global_command, &p);
                return 0;
        }
        /* --host and --context that are typed already say whom to ask. */
        if (p.used > 0 && args_parse(&global_command, p.used, argv, &typed) == 0) {
                endpoint_take_options(typed);
                s.global = typed;
        }
        argc -= p.used;
        argv += p.used;
        if (argc > 0 && strcmp(argv[0], "help") == 0) {
                argc--;
                argv++;
        }
        c = command_find(argc, argv, &used);
        if (argc == 0)
                offer_commands(&s);
        else if (argc == 1 && command_is_noun(argv[0]))
                offer_verbs(&s, argv[0]);
        else if (c) {
                p = walk(c, argc - (int) used, argv + used);
                offer_for(&s, c, &p);
        }
        args_free(typed);
        return 0;
}
