/* SPDX-License-Identifier: Apache-2.0 */

/* `kist system dial-stdio`: what ssh starts at the other end of ssh://. */
#include "base/err.h"
#include "base/fd.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/host.h"

static int run_dial_stdio(struct client *c, const struct args *a) {
        auto_fd fd = -EBADF;
        struct err err = { 0 };

        if (host_open(c->host, &fd, &err) < 0 || host_pump_stdio(fd, &err) < 0)
                return client_complain(&err, 1);
        return 0;
}

static const struct option no_options[] = { { 0 } };

const struct command command_dial_stdio = {
        .name = "system dial-stdio", .noun = "system", .verb = "dial-stdio", .usage = "",
        .summary = "Connect standard input and output with the daemon",
        .examples = "  ssh host kist system dial-stdio\n",
        .options = no_options, .run = run_dial_stdio,
};
