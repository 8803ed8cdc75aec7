/* SPDX-License-Identifier: Apache-2.0 */

/* kist-worker MODE: see job.h. */

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "worker/confine.h"
#include "worker/control.h"
#include "worker/job.h"
#include "worker/jobs.h"

enum { EXIT_JOB_FAILED = 1, EXIT_USAGE = 2, DIRECTORY_FD_AT = 1 };

static int (*const jobs[])(int control_fd, const struct control_message *m, struct err *err) = {
        [WORKER_UNPACK] = job_unpack,
        [WORKER_LOAD] = job_load,
        [WORKER_PACK] = job_pack,
        [WORKER_EXTRACT] = job_extract,
};

/* One job with fds: the directory is known from the message's second fd, so that its text is parsed inside the confinement. */
static int run_one(enum worker_mode mode, struct err *err) {
        struct control_message m = { 0 };
        int r = control_receive(WORKER_FD_CONTROL, &m);

        if (r < 0)
                return err_errno(err, r, "worker: control socket");
        if (r == 0)
                return 0;
        if (m.n_fds <= DIRECTORY_FD_AT || (mode != WORKER_UNPACK && mode != WORKER_PACK && m.n_fds > DIRECTORY_FD_AT + 1))
                r = err_set(err, ERR_INVALID, -EINVAL, "worker: a job without its file descriptors");
        if (r > 0)
                r = confine_seal(mode, m.fds + DIRECTORY_FD_AT, mode == WORKER_PACK ? m.n_fds - DIRECTORY_FD_AT : 1, err);
        return r == 0 ? jobs[mode](WORKER_FD_CONTROL, &m, err) : r;
}

static int run_fetch(struct err *err) {
        int r = confine_seal(WORKER_FETCH, NULL, 0, err);

        return r < 0 ? r : job_fetch(WORKER_FD_CONTROL, err);
}

int main(int argc, char **argv) {
        enum worker_mode mode;
        struct err err = { 0 };
        int r;

        if (argc != 2 || worker_mode_parse(argv[1], &mode) < 0) {
                fprintf(stderr, "usage: kist-worker fetch|unpack|load|pack|extract (started by kistd, with fds 3 and 4)\n");
                return EXIT_USAGE;
        }
        prctl(PR_SET_NAME, "kist-worker"); /* started by an fd, it would be called by that number */
        mallopt(M_ARENA_MAX, 2); /* an arena reserves address space, which is limited */
        /* The host's OpenSSL configuration may load modules; sums need none. */
        if (mode != WORKER_FETCH)
                OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
        r = confine_enter(mode, WORKER_FD_USERNS, &err);
        if (r == 0)
                r = mode == WORKER_FETCH ? run_fetch(&err) : run_one(mode, &err);
        if (r < 0) {
                if (control_send_error(WORKER_FD_CONTROL, -1, &err) < 0)
                        log_error("%s", err.msg);
        }
        /* Not exit(): a thread may be in the middle of reading, and nothing is left to be flushed. */
        _exit(r < 0 ? EXIT_JOB_FAILED : 0);
}
