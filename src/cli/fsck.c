/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/terminal.h"

/* A name on the disk may be anybody's: no control characters on the terminal. */
static void print_plain(const char *text) {
        auto_free char *plain = strdup(text);

        if (!plain)
                abort();
        fwrite(plain, 1, str_make_plain(plain, strlen(plain), ""), stdout);
}

struct look {
        int status;
        bool obeys, said;
        char failed[400];
};

static void print_finding(const json_t *finding) {
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
}

static void wipe_progress(struct look *l) {
        if (l->said)
                fputs("\r\033[K", stderr);
        l->said = false;
}

static int on_object(json_t *object, void *data) {
        const json_t *progress = json_get_object(object, "Progress"), *failure = json_get_object(object, "errorDetail");
        struct look *l = data;
        json_t *finding;
        size_t i;

        if (progress && l->obeys) {
                char done[32], total[32];

                human_size((uint64_t) json_get_int(progress, "Done", 0), done);
                human_size((uint64_t) json_get_int(progress, "Total", 0), total);
                fprintf(stderr, "\r\033[Kblobs: %s of %s", done, total);
                fflush(stderr);
                l->said = true;
        }
        if (failure)
                snprintf(l->failed, sizeof(l->failed), "%s", json_get_str(failure, "message", "the daemon gives no reason"));
        json_array_foreach(json_get_array(object, "Findings"), i, finding) {
                wipe_progress(l);
                print_finding(finding);
                if (!json_get_bool(finding, "Mended", false))
                        l->status = 1;
        }
        return 0;
}

static int run_on(struct client *c, const struct args *a, const char *route, bool digests) {
        struct look look = { .obeys = terminal_obeys(stderr) };
        auto_http h = { .fd = -EBADF };
        auto_path path = { 0 };
        struct err err = { 0 };
        int r;

        path_init(&path, "%s", route);
        path_query_flag(&path, "fix", args_flag(a, "fix"));
        path_query_flag(&path, "digests", digests);
        r = client_open(c, &h, "POST", &path, NULL, &err);
        if (r >= 0)
                r = client_stream(&h, on_object, &look, &err);
        wipe_progress(&look);
        if (r >= 0 && *look.failed)
                r = err_set(&err, ERR_INTERNAL, -EIO, "%s", look.failed);
        return r < 0 ? client_complain(&err, 125) : look.status;
}

static int run_fsck(struct client *c, const struct args *a) {
        return run_on(c, a, "/system/fsck", args_flag(a, "digests"));
}

static int run_audit(struct client *c, const struct args *a) {
        return run_on(c, a, "/networks/audit", false);
}

static const struct option audit_options[] = {
        { 0, "fix", OPTION_FLAG, NULL, "Mend what is found, and nothing else" },
        { 0 },
};

static const struct option fsck_options[] = {
        { 0, "fix", OPTION_FLAG, NULL, "Mend what is found; files in volumes are never removed" },
        { 0, "digests", OPTION_FLAG, NULL, "Read every blob of the images, too, and compare it with its digest" },
        { 0 },
};

const struct command command_system_fsck = {
        "system fsck", "system", "fsck", "[OPTIONS]", "Find what a crash or a hand has left over", "  kist system fsck\n  kist system fsck --fix\n  kist system fsck --digests\n", fsck_options, NULL, 0, 0, false,
        run_fsck,
};

const struct command command_network_audit = {
        "network audit", "network", "audit", "[OPTIONS]", "Compare bridges, addresses, MTUs, routes, links, switches and the firewall's table with what they should be",
        "  kist network audit\n  kist network audit --fix\n", audit_options, NULL, 0, 0, false, run_audit,
};
