/* SPDX-License-Identifier: Apache-2.0 */
/* push, login, logout. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/credentials.h"
#include "cli/progress.h"

enum { SECRET_MAX = 64 << 10 };

/* --- push --- */

/* Where the tag begins in NAME[:TAG], or the end. */
static size_t name_length(const char *reference) {
        const char *slash = strrchr(reference, '/'), *colon = strchr(slash ? slash : reference, ':');

        return colon ? (size_t) (colon - reference) : strlen(reference);
}

/* "os/architecture[/variant]" as the daemon's JSON. */
static json_t *platform_object(const char *text) {
        auto_free char *copy = strdup(text);
        char *save = NULL, *os = strtok_r(copy, "/", &save), *arch = strtok_r(NULL, "/", &save), *variant = strtok_r(NULL, "", &save);

        return os && arch ? json_pack("{s:s, s:s, s:s*}", "os", os, "architecture", arch, "variant", variant) : NULL;
}

static int run_push(struct client *c, const struct args *a) {
        const char *reference = args_at(a, 0), *platform = args_text(a, "platform");
        auto_free char *name = strndup(reference, name_length(reference)), *escaped = path_escape(name), *header = NULL, *platform_text = NULL;
        const char *tag = reference[strlen(name)] ? reference + strlen(name) + 1 : "latest";
        bool all = args_flag(a, "all-tags"), quiet = args_flag(a, "quiet");
        auto_json *object = platform ? platform_object(platform) : NULL;
        auto_http h = { .fd = -EBADF };
        auto_path path = { 0 };
        struct err err = { 0 };
        struct client known;
        int r;

        if (strchr(reference, '@')) {
                complain("push: %s: a digest cannot be pushed to, a tag can", reference);
                return 1;
        }
        if (all && reference[strlen(name)]) {
                complain("push: %s: --all-tags takes a name without a tag", reference);
                return 1;
        }
        if (platform && !object) {
                complain("push: --platform %s: not OS/ARCH[/VARIANT]", platform);
                return 1;
        }
        if (credentials_header(reference, &header, &err) < 0)
                return client_complain(&err, 1);
        known = (struct client) { .host = c->host, .header = header };
        platform_text = object ? json_text(object) : NULL;
        path_init(&path, "/images/%s/push", escaped);
        path_query(&path, "tag", all ? NULL : tag);
        path_query(&path, "platform", platform_text);
        r = client_open(&known, &h, "POST", &path, NULL, &err);
        if (header)
                explicit_bzero(header, strlen(header));
        if (r < 0)
                return client_complain(&err, 1);
        if (progress_show(quiet ? NULL : stdout, &h, &err) < 0)
                return client_complain(&err, 1);
        if (quiet)
                printf("%s%s%s\n", name, all ? "" : ":", all ? "" : tag);
        return 0;
}

/* --- login --- */

static const char *shown(const char *registry) {
        const char *scheme = strstr(registry, "://");

        return scheme ? "Docker Hub" : registry;
}

/* One line of the terminal, or of standard input; the caller frees and wipes. `hidden`: what is typed is not shown. */
static char *ask(const char *prompt, bool hidden) {
        struct termios old, quiet;
        char *line = NULL;
        size_t room = 0;
        ssize_t n;

        fprintf(stderr, "%s", prompt);
        fflush(stderr);
        hidden = hidden && tcgetattr(STDIN_FILENO, &old) == 0;
        if (hidden) {
                quiet = old;
                quiet.c_lflag &= ~(tcflag_t) ECHO;
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
        n = getline(&line, &room, stdin);
        if (hidden) {
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
                fprintf(stderr, "\n");
        }
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
                line[--n] = '\0';
        if (n > 0)
                return line;
        free(line);
        return NULL;
}

/* All of standard input, without its last newline. */
static char *read_secret(struct err *err) {
        char *text = calloc(1, SECRET_MAX + 1);
        size_t n = 0;
        ssize_t got = 1;

        while (text && n < SECRET_MAX && (got = read(STDIN_FILENO, text + n, SECRET_MAX - n)) != 0) {
                if (got < 0 && errno != EINTR)
                        break;
                n += got > 0 ? (size_t) got : 0;
        }
        if (!text || got < 0 || n == SECRET_MAX || n == 0) {
                err_set(err, ERR_INVALID, -EINVAL, "login: no password comes from standard input");
                free(text);
                return NULL;
        }
        for (int ends = 0; ends < 2 && n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'); ends++)
                text[--n] = '\0';
        return text;
}

static void wipe(char **text) {
        if (*text)
                explicit_bzero(*text, strlen(*text));
        free(*text);
}
#define auto_secret __attribute__((cleanup(wipe))) char *

/* What the daemon answers when the registry was asked. */
static int check(struct client *c, const json_t *who, json_t **ret, struct err *err) {
        auto_path path = { 0 };

        path_init(&path, "/auth");
        return client_call(c, "POST", &path, who, ret, err);
}

/* *ret: who to log in as, NULL: what config.json has is to be tried. */
static int gather(const struct args *a, const char *registry, json_t **ret, struct err *err) {
        const char *user = args_text(a, "username"), *given = args_text(a, "password");
        bool from_stdin = args_flag(a, "password-stdin");
        auto_secret password = NULL;
        auto_free char *asked = NULL;

        *ret = NULL;
        if (given && from_stdin)
                return err_set(err, ERR_INVALID, -EINVAL, "login: --password and --password-stdin exclude each other");
        if (from_stdin && !user)
                return err_set(err, ERR_INVALID, -EINVAL, "login: --password-stdin wants --username");
        if (given)
                warn_loudly("a password on the command line is seen by others of this host; --password-stdin hides it");
        if (!user && !given) {
                auto_json *old = NULL;

                if (credentials_get(registry, &old, NULL) >= 0 && old)
                        return 0;
        }
        if (from_stdin) {
                password = read_secret(err);
                if (!password)
                        return -EINVAL;
        } else if ((!user || !given) && !isatty(STDIN_FILENO)) {
                return err_set(err, ERR_INVALID, -EINVAL, "login: no terminal to ask for a name and a password; --username and --password-stdin give them");
        }
        if (!user)
                user = asked = ask("Username: ", false);
        if (user && !given && !password)
                password = ask("Password: ", true);
        if (!user || !*user || (!given && !password))
                return err_set(err, ERR_INVALID, -EINVAL, "login: a name and a password are needed");
        *ret = json_pack("{s:s, s:s, s:s}", "username", user, "password", given ? given : password, "serveraddress", registry);
        return *ret ? 0 : err_set(err, ERR_INVALID, -EINVAL, "login: the name or password is not UTF-8");
}

static int login(struct client *c, const struct args *a, const char *registry, struct err *err) {
        auto_json *who = NULL, *answer = NULL;
        const char *token;
        bool old;
        int r = gather(a, registry, &who, err);

        if (r < 0)
                return r;
        old = !who;
        if (old) {
                fprintf(stderr, "Authenticating with existing credentials...\n");
                r = credentials_get(registry, &who, err);
        }
        if (r >= 0)
                r = check(c, who, &answer, err);
        if (r < 0)
                return r;
        token = json_get_str(answer, "IdentityToken", "");
        if (!old || *token)
                r = credentials_store(registry, json_get_str(who, "username", ""), json_get_str(who, "password", ""), *token ? token : NULL, err);
        if (r >= 0 && !old && !credentials_are_helped(registry)) {
                auto_free char *text =
                        str_format("the credentials are kept unencrypted in %s/config.json; a credential helper (credsStore) keeps them better", config_directory());

                warn_loudly(text ? text : "the credentials are kept unencrypted");
        }
        return r;
}

static int run_login(struct client *c, const struct args *a) {
        auto_free char *registry = credentials_key(args_at(a, 0));
        struct err err = { 0 };

        if (login(c, a, registry, &err) < 0)
                return client_complain(&err, 1);
        printf("Login Succeeded\n");
        return 0;
}

static int run_logout(struct client *c, const struct args *a) {
        auto_free char *registry = credentials_key(args_at(a, 0));
        auto_json *old = NULL;
        struct err err = { 0 };

        if (credentials_get(registry, &old, &err) < 0)
                return client_complain(&err, 1);
        if (!old) {
                printf("Not logged in to %s\n", shown(registry));
                return 0;
        }
        printf("Removing login credentials for %s\n", shown(registry));
        return credentials_erase(registry, &err) < 0 ? client_complain(&err, 1) : 0;
}

static const struct option push_options[] = {
        { 'a', "all-tags", OPTION_FLAG, NULL, "All tags of the repository" },
        { 0, "platform", OPTION_TEXT, "OS/ARCH", "The manifest for this platform only, not the whole index" },
        { 'q', "quiet", OPTION_FLAG, NULL, "No progress, only the name" },
        { 0 },
};
static const struct option login_options[] = {
        { 'p', "password", OPTION_TEXT, "PASSWORD", "Password or access token; others of this host see it" },
        { 0, "password-stdin", OPTION_FLAG, NULL, "Read the password from standard input" },
        { 'u', "username", OPTION_TEXT, "NAME", "Who" },
        { 0 },
};
static const struct option no_options[] = { { 0 } };

const struct command command_push = {
        "push", "image", NULL, "[OPTIONS] IMAGE[:TAG]", "Send an image to a registry", "  kist push localhost:5000/site:1\n  kist push -a localhost:5000/site\n", push_options, NULL, 1, 1, false,
        run_push,
};
const struct command command_login = {
        "login", NULL, NULL, "[OPTIONS] [SERVER]", "Prove who we are to a registry, and remember it", "  pass show registry | kist login -u me --password-stdin localhost:5000\n", login_options, NULL, 0, 1, false,
        run_login,
};
const struct command command_logout = {
        "logout", NULL, NULL, "[SERVER]", "Forget who we are to a registry", "  kist logout localhost:5000\n", no_options, NULL, 0, 1, false, run_logout, true,
};
