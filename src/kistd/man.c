/* SPDX-License-Identifier: Apache-2.0 */
#include "kistd/man.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kistd/config-names.h"
#include "kistd/options.h"

enum { EXIT_USAGE = 2 };

/* Text for roff: nothing in it is a request or an escape. Source: groff_man(7), groff_char(7). */
static void put(const char *text) {
        static const struct {
                char c;
                const char *roff;
        } escapes[] = { { '\\', "\\e" }, { '-', "\\-" }, { '\'', "\\(aq" }, { '`', "\\(ga" }, { '^', "\\(ha" }, { '~', "\\(ti" } };

        if (*text == '.' || *text == '\'')
                fputs("\\&", stdout);
        for (; *text; text++) {
                size_t i = 0;

                while (i < ARRAY_SIZE(escapes) && escapes[i].c != *text)
                        i++;
                if (i < ARRAY_SIZE(escapes))
                        fputs(escapes[i].roff, stdout);
                else
                        putchar(*text);
        }
}

static void term(const char *bold, const char *italic) {
        printf(".TP\n\\fB");
        put(bold);
        printf("\\fR");
        if (italic) {
                printf(" \\fI");
                put(italic);
                printf("\\fR");
        }
        putchar('\n');
}

static void paragraph(const char *bold, const char *text) {
        term(bold, NULL);
        put(text);
        putchar('\n');
}

static void head(const char *title, const char *name, const char *summary, const char *manual) {
        printf(".TH %s \"\" \"Kist %s\" \"%s\"\n.SH NAME\n", title, KIST_VERSION, manual);
        put(name);
        printf(" \\- ");
        put(summary);
        putchar('\n');
}

/* Without "; repeatable" and "(default …)": the file says it in another way. */
static void put_help(const char *help) {
        char text[256];
        char *end;

        snprintf(text, sizeof(text), "%s", help);
        end = strstr(text, "; repeatable");
        if (end)
                memmove(end, end + strlen("; repeatable"), strlen(end + strlen("; repeatable")) + 1);
        put(text);
        printf(".\n");
}

static void put_rest(const struct option *row) {
        if (row->fallback) {
                printf("Default: ");
                put(row->fallback);
                printf(".\n");
        }
        if (row->live)
                printf("SIGHUP changes it.\n");
}

static void man_kistd(void) {
        static const char *const signals[][2] = {
                { "SIGHUP", "The configuration file is read again. What can change under a running daemon does, as a whole or, when something in the file is "
                            "wrong, not at all; of the rest the log says what takes a restart." },
                { "SIGTERM, SIGINT", "The daemon ends, when the requests that still run are done, but after --shutdown-timeout seconds at the latest; a second signal ends "
                                     "it at once. Containers live on, and the next daemon finds them." },
        };
        static const char *const files[][2] = {
                { "/etc/kist/kistd.json", "The configuration, see kistd.json(5)." },
                { "/var/lib/kist/", "Images, layers, containers and their database." },
                { "/run/kist/kist.sock", "Where it answers." },
        };
        static const char *const statuses[][2] = {
                { "0", "It was told to end, or the configuration is right." },
                { "1", "It could not start." },
                { "2", "The command line or the configuration is wrong: with --validate each problem is a line on standard error." },
        };

        head("KISTD 8", "kistd", "containers, images and networks behind the Docker Engine API", "System Administration");
        printf(".SH SYNOPSIS\n\\fBkistd\\fR [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
        put("The daemon that kist(1) and clients of the Docker Engine API talk to. It may be killed at any instant: containers do not notice, and the "
            "next daemon goes on. What is said neither on the command line nor in the configuration file has its default; what is said in both is an error.");
        printf("\n.SH OPTIONS\n");
        for (size_t i = 0; i < n_options; i++) {
                char name[64];

                snprintf(name, sizeof(name), "%s%.1s%s--%s", option_table[i].letter ? "-" : "", &option_table[i].letter, option_table[i].letter ? ", " : "",
                         option_table[i].name);
                term(name, option_table[i].value);
                put(option_table[i].help);
                printf(".\n");
                put_rest(&option_table[i]);
        }
        printf(".SH SIGNALS\n");
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                paragraph(signals[i][0], signals[i][1]);
        printf(".SH FILES\n");
        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                paragraph(files[i][0], files[i][1]);
        printf(".SH EXIT STATUS\n");
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
                paragraph(statuses[i][0], statuses[i][1]);
        printf(".SH SEE ALSO\n.BR kist (1),\n.BR kistd.json (5),\n.BR kist\\-monitor (8),\n.BR kist\\-tls (8)\n");
}

/* What a value looks like in the file, where the option's type does not say it. */
static const char *shape(const struct option *row) {
        static const char *const special[][2] = {
                { "default-address-pools", "[\"A.B.C.D/N\" or {\"base\": \"A.B.C.D/N\", \"size\": N}, ...]" },
                { "default-ulimits", "{\"NAME\": {\"Name\": \"NAME\", \"Soft\": N, \"Hard\": N}, ...}" },
                { "log-opts", "{\"NAME\": \"VALUE\", ...}" },
                { "runtimes", "{\"NAME\": {\"path\": \"/PATH\", \"runtimeArgs\": [\"TEXT\", ...]}, ...}" },
        };
        static const char *const usual[] = {
                [OPTION_TEXT] = "\"TEXT\"", [OPTION_LIST] = "[\"TEXT\", ...]", [OPTION_NUMBER] = "N", [OPTION_SIZE] = "N or \"Nk\", \"Nm\", \"Ng\"", [OPTION_FLAG] = "true or false", [OPTION_SECONDS] = "N or -1",
        };

        for (size_t i = 0; i < ARRAY_SIZE(special); i++)
                if (!strcmp(special[i][0], row->key))
                        return special[i][1];
        return usual[row->type];
}

static void man_file(void) {
        const char *why, *key;

        head("KISTD.JSON 5", "kistd.json", "the configuration of kistd", "File Formats");
        printf(".SH SYNOPSIS\n.I /etc/kist/kistd.json\n.SH DESCRIPTION\n");
        put("One JSON object. Its names are those of Docker's daemon.json where that has the same thing; each is an option of kistd(8), too, and may be given "
            "in one of the two places only. An unknown name is an error. A key \"log-opts.x\" is the key \"x\" of the object \"log-opts\".");
        printf("\n.PP\n");
        put("What is said here of containers is for new ones: it is written into each when it is made. A container's own flag counts more.");
        printf("\n.PP\n.B kistd \\-\\-validate\nchecks the file and says all that is wrong with it.\n.SH NAMES\n");
        for (size_t i = 0; i < n_options; i++) {
                const struct option *row = &option_table[i];

                if (!row->key)
                        continue;
                term(row->key, shape(row));
                put_help(row->help);
                put_rest(row);
        }
        printf(".SH NAMES THAT ARE REFUSED\n");
        put("The stock daemon knows these; kistd ends with the reason when one is given.");
        putchar('\n');
        for (size_t i = 0; (key = config_name_refused(i, &why)); i++) {
                term(key, NULL);
                put(why);
                printf(".\n");
        }
        printf(".SH SEE ALSO\n.BR kistd (8)\n");
}

int man_print(int argc, char **argv) {
        if (argc == 3 && !strcmp(argv[2], "kistd"))
                man_kistd();
        else if (argc == 3 && !strcmp(argv[2], "kistd.json"))
                man_file();
        else
                return EXIT_USAGE;
        return fflush(stdout) == 0 ? 0 : 1;
}
