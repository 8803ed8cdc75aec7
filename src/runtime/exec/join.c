/* SPDX-License-Identifier: Apache-2.0 */

/* A process that joins a running container: the middle child has entered most of its namespaces, so "/" is the container's. */

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/exec/clone-args.h"
#include "runtime/exec/private.h"

static int enter_rest(struct child *c, struct err *err) {
        int flags = (int) c->header->new_namespaces & (CLONE_NEWCGROUP | CLONE_NEWTIME);

        if (flags && setns(c->launch->fds->target_pidfd, flags) < 0)
                return raw_fail(err, errno, "join the container's namespaces", NULL);
        return 0;
}

static int open_root(struct child *c, struct err *err) {
        c->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return c->root_fd < 0 ? raw_fail(err, errno, "the container's root", NULL) : 0;
}

static int open_terminal(struct child *c, struct err *err) {
        return c->header->flags & PLAN_TERMINAL ? terminal_open(c, -1, err) : 0;
}

static const struct child_stage stages[] = {
        { "caller",       stage_die_with_caller },
        { "await",        stage_await_caller    },
        { "namespaces",   enter_rest            },
        { "open labels",  stage_open_labels     },
        { "root user",    stage_become_root     },
        { "session",      stage_session         },
        { "root",         open_root             },
        { "terminal",     open_terminal         },
        { "stdio",        stage_stdio           },
        { "identity",     stage_identity        },
        { "cwd",          stage_cwd             },
        { "find command", stage_find_command    },
        { "tuning",       stage_tune            },
        { "limits",       stage_rlimits         },
        { "write labels", stage_write_labels    },
        { "filter",       stage_filter_early    },
        { "capabilities", stage_capabilities    },
        { "notify filter", stage_filter_notify  },
        { "gate",         stage_gate            },
        { "last calls",   stage_last_calls      },
        { "late filter",  stage_filter_late     },
        { "execute",      stage_execute         },
};

void exec_join_main(struct launch *l) {
        struct child c = child_new(l);
        struct err err = { 0 };

        _exit(child_run(&c, stages, EXEC_ARRAY_SIZE(stages), &err));
}
