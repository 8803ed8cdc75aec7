/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/man.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"

/* Text for roff: nothing in it is a request or an escape. Source: groff_man(7), groff_char(7). */
static void put(const char *text) {
        for (bool first = true; *text; text++, first = text[-1] == '\n') {
                if (first && (*text == '.' || *text == '\''))
                        fputs("\\&", stdout);
                if (*text == '\\')
                        fputs("\\e", stdout);
                else if (*text == '-')
                        fputs("\\-", stdout);
                else if (*text == '\'')
                        fputs("\\(aq", stdout);
                else if (*text == '`')
                        fputs("\\(ga", stdout);
                else if (*text == '^')
                        fputs("\\(ha", stdout);
                else if (*text == '~')
                        fputs("\\(ti", stdout);
                else if (strncmp(text, "…", strlen("…")) == 0) {
                        fputs("...", stdout);
                        text += strlen("…") - 1;
                } else
                        putchar(*text);
        }
}

static void put_bold(const char *text) {
        fputs("\\fB", stdout);
        put(text);
        fputs("\\fR", stdout);
}

static void section(const char *name) {
        printf(".SH %s\n", name);
}

static void head(const char *page, const char *summary) {
        printf(".TH \"");
        for (const char *p = page; *p; p++)
                putchar(toupper((unsigned char) *p));
        printf("\" 1 \"\" \"Kist %s\" \"User Commands\"\n", KIST_VERSION);
        section("NAME");
        put(page);
        fputs(" \\- ", stdout);
        put(summary);
        putchar('\n');
}

static void put_options(const struct option *o) {
        for (; o && o->name; o++) {
                char word[64];

                printf(".TP\n");
                if (o->letter) {
                        snprintf(word, sizeof(word), "-%c", o->letter);
                        put_bold(word);
                        fputs(", ", stdout);
                }
                snprintf(word, sizeof(word), "--%s", o->name);
                put_bold(word);
                if (o->value) {
                        fputs(" \\fI", stdout);
                        put(o->value);
                        fputs("\\fR", stdout);
                }
                putchar('\n');
                put(o->help);
                printf(o->type == OPTION_LIST ? ". May be given several times.\n" : ".\n");
        }
}

/* "context ls" → "kist-context-ls". */
static void page_name(const struct command *c, char ret[64]) {
        snprintf(ret, 64, "kist-%s", c->name);
        for (char *p = ret; *p; p++)
                if (*p == ' ')
                        *p = '-';
}

static void man_command(const struct command *c) {
        char page[64];

        page_name(c, page);
        head(page, c->summary);
        section("SYNOPSIS");
        fputs("\\fBkist ", stdout);
        put(c->name);
        fputs("\\fR ", stdout);
        put(c->usage);
        putchar('\n');
        if (c->noun && !strchr(c->name, ' ')) {
                fputs(".br\n\\fBkist ", stdout);
                put(c->noun);
                putchar(' ');
                put(command_verb(c));
                fputs("\\fR ", stdout);
                put(c->usage);
                putchar('\n');
        }
        section("DESCRIPTION");
        put(c->summary);
        printf(".\n");
        if ((c->options && c->options->name) || c->more) {
                section("OPTIONS");
                put_options(c->options);
                put_options(c->more);
        }
        if (c->examples) {
                section("EXAMPLES");
                printf(".nf\n");
                put(c->examples);
                printf(".fi\n");
        }
        section("EXIT STATUS");
        if (command_usage_status(c) == EXIT_DAEMON)
                printf("That of the container\\(aqs command; 125 when the command line or the daemon is at fault, 126 when the command cannot be "
                       "executed, 127 when there is none of that name.\n");
        else
                printf("0 when all was done, another number when not: see\n.BR kist (1).\n");
        section("SEE ALSO");
        printf(".BR kist (1),\n.BR kistd (8)\n");
}

static void paragraph(const char *term, const char *text) {
        printf(".TP\n");
        put_bold(term);
        putchar('\n');
        put(text);
        putchar('\n');
}

static void man_all(void) {
        static const char *const variables[][2] = {
                { "KIST_HOST, DOCKER_HOST", "Which daemon, as --host." },
                { "KIST_CONTEXT, DOCKER_CONTEXT", "Which daemon, as --context; a host that is given counts more." },
                { "KIST_CONFIG, DOCKER_CONFIG", "The directory of config.json and of the contexts, as --config." },
                { "KIST_TLS_VERIFY, DOCKER_TLS_VERIFY", "Not empty: the same as --tlsverify." },
                { "KIST_TLS, DOCKER_TLS", "Not empty: the same as --tls." },
                { "KIST_CREDENTIAL_HELPER_TIMEOUT", "How many seconds docker-credential-NAME may take for its answer, which may need a person's; else 120." },
                { "NO_COLOR", "Not empty: no colours. There are none but on a terminal, and none where TERM is missing or dumb." },
                { "KIST_CERT_PATH, DOCKER_CERT_PATH", "The directory of ca.pem, cert.pem and key.pem; else that of config.json." },
        };
        static const char *const files[][2] = {
                { "~/.docker/config.json",
                  "Docker's own configuration. Kist reads currentContext, HttpHeaders, detachKeys, auths, credsStore, "
                  "credHelpers, and psFormat, imagesFormat, statsFormat, volumesFormat and networksFormat in the place of --format." },
                { "~/.docker/contexts/", "The contexts: names for daemons." },
                { "/run/kist/kist.sock", "Where the daemon of this host answers." },
        };
        static const char *const statuses[][2] = {
                { "0", "All was done." },
                { "1", "Something was not; a line on standard error says what. Also a command line that cannot be understood." },
                { "125", "run and create: the command line or the daemon is at fault, not the container's command. Also options before the "
                         "command that cannot be understood." },
                { "126", "run and exec: the container's command cannot be executed." },
                { "127", "run and exec: the container's command does not exist." },
                { "128+N", "run, exec, start -a: the container's command was ended by signal N." },
                { "other", "run, exec, start -a and wait: the exit status of the container's command." },
        };

        head("kist", "containers, their images and networks");
        section("SYNOPSIS");
        fputs("\\fBkist\\fR ", stdout);
        put(global_command.usage);
        putchar('\n');
        section("DESCRIPTION");
        put("What people type. It has Docker's commands and options and talks to kistd by the Docker Engine API; it may be called docker by a "
            "symbolic link. Which daemon it talks to is said by, the first that is given: --context, --host, KIST_HOST, DOCKER_HOST, KIST_CONTEXT, "
            "DOCKER_CONTEXT, the currentContext of config.json, or the socket of this host.");
        putchar('\n');
        section("OPTIONS");
        put_options(global_command.options);
        section("HOSTS");
        paragraph("unix://PATH", "A socket of this host.");
        paragraph("tcp://HOST:PORT", "By TCP, with TLS when --tls or --tlsverify says so (usual ports: 2376 with, 2375 without).");
        paragraph("ssh://[USER@]HOST[:PORT][/SOCKET]", "By ssh(1), which starts kist system dial-stdio there.");
        section("COMMANDS");
        for (size_t i = 0; all_commands[i]; i++) {
                char page[64];

                page_name(all_commands[i], page);
                printf(".TP\n\\fB");
                put(page);
                printf("\\fR(1)\n");
                put(all_commands[i]->summary);
                printf(".\n");
        }
        section("ENVIRONMENT");
        for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
                paragraph(variables[i][0], variables[i][1]);
        section("FILES");
        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                paragraph(files[i][0], files[i][1]);
        section("EXIT STATUS");
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
                paragraph(statuses[i][0], statuses[i][1]);
        section("SEE ALSO");
        printf(".BR kistd (8),\n.BR kistd.json (5)\n");
}

int man_print(int argc, char **argv) {
        const struct command *c;
        size_t used;

        if (argc == 0) {
                man_all();
                return 0;
        }
        if (argc == 1 && strcmp(argv[0], "list") == 0) {
                for (size_t i = 0; all_commands[i]; i++)
                        printf("%s\n", all_commands[i]->name);
                return 0;
        }
        c = command_find(argc, argv, &used);
        if (!c) {
                complain("\"%s\" is not a command: there is no page for it", argv[0]);
                return 1;
        }
        man_command(c);
        return 0;
}
