/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/commands.h"

/* A name on the disk may be anybody's: no control characters on the terminal. */
static void print_plain(const char *text) {
        for (; *text; text++)
                putchar((unsigned char) *text < ' ' || *text == 0x7f ? '?' : *text);
}

static int run_fsck(struct client *c, const struct args *a) {
        auto_json *answer = NULL;
        auto_path path = { 0 };
        struct err err = { 0 };
        int status = 0;
        json_t *finding;
        size_t i;

        path_init(&path, "/system/fsck");
        path_query_flag(&path, "fix", args_flag(a, "fix"));
        if (client_call(c, "POST", &path, NULL, &answer, &err) < 0)
                return client_complain(&err, 125);
        json_array_foreach(json_get_array(answer, "Findings"), i, finding) {
                const char *action = json_get_str(finding, "Action", "");

                print_plain(json_get_str(finding, "Kind", ""));
                putchar(' ');
                print_plain(json_get_str(finding, "Object", ""));
                fputs(": ", stdout);
                print_plain(json_get_str(finding, "Problem", ""));
                if (*action)
                        fputs(": ", stdout);
                print_plain(action);
                putchar('\n');
                if (!json_get_bool(finding, "Mended", false))
                        status = 1;
        }
        return status;
}

static const struct option fsck_options[] = {
        { 0, "fix", OPTION_FLAG, NULL, "Mend what is found; files in volumes are never removed" },
        { 0 },
};

const struct command command_system_fsck = {
        "system fsck", "system", "fsck", "[OPTIONS]", "Find what a crash or a hand has left over", "  kist system fsck\n  kist system fsck --fix\n", fsck_options, NULL, 0, 0, false,
        run_fsck,
};
