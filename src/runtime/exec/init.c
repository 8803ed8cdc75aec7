/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/exec/clone-args.h"
#include "runtime/exec/private.h"

/* A namespace given by its path that only this process can enter (see JOINED_BY_CHILD). */
static int join_own(struct child *c, uint32_t flag, struct err *err) {
        const struct plan_join *joins = plan_records(c->plan, c->header->joins);

        for (size_t i = 0; i < c->launch->n_joins; i++)
                if (joins[i].clone_flag == flag && setns(c->launch->join_fds[i], (int) flag) < 0)
                        return raw_fail(err, errno, plan_text(c->plan, joins[i].what), plan_text(c->plan, joins[i].path));
        return 0;
}

static int enter_cgroupns(struct child *c, struct err *err) {
        if ((c->header->flags & PLAN_NEW_CGROUPNS) && unshare(CLONE_NEWCGROUP) < 0)
                return raw_fail(err, errno, "new cgroup namespace", NULL);
        return join_own(c, CLONE_NEWCGROUP, err);
}

/* "1 -3600 0\n" for each clock, before anybody is in the namespace. */
static int write_time_offsets(struct child *c, struct err *err) {
        const struct plan_time_offset *o = plan_records(c->plan, c->header->time_offsets);
        char text[128], *at = text;
        char *end = text + sizeof(text) - 1;
        int r;

        for (uint32_t i = 0; i < c->header->time_offsets.count; i++) {
                at = raw_put_number(at, end, o[i].clock);
                at = raw_put_text(at, end, o[i].seconds < 0 ? " -" : " ");
                at = raw_put_number(at, end, o[i].seconds < 0 ? -(uint64_t) o[i].seconds : (uint64_t) o[i].seconds);
                at = raw_put_text(at, end, " ");
                at = raw_put_number(at, end, o[i].nanoseconds);
                at = raw_put_text(at, end, "\n");
        }
        if (at == text)
                return 0;
        r = raw_write_file(c->launch->proc_fd, "self/timens_offsets", text, (size_t) (at - text));
        return r < 0 ? raw_fail(err, r, "linux.timeOffsets", NULL) : 0;
}

static int enter_timens(struct child *c, struct err *err) {
        auto_fd fd = -EBADF;
        int r;

        if (!(c->header->flags & PLAN_NEW_TIMENS))
                return join_own(c, CLONE_NEWTIME, err);
        if (unshare(CLONE_NEWTIME) < 0)
                return raw_fail(err, errno, "new time namespace", NULL);
        r = write_time_offsets(c, err);
        if (r < 0)
                return r;
        /* unshare(2) made it for the children only. */
        fd = openat(c->launch->proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
                return raw_fail(err, errno, "enter the time namespace", NULL);
        return 0;
}

static int make_cwd(struct child *c, struct err *err) {
        const char *cwd = plan_text(c->plan, c->header->cwd);
        auto_fd fd = -EBADF;

        if (!(c->header->flags & PLAN_CREATE_CWD))
                return 0;
        fd = path_mkdir_in(c->root_fd, cwd, 0755);
        return fd < 0 ? raw_fail(err, fd, "process.cwd", cwd) : 0;
}

/* Container init, in order. The order is a security property: keep the reasons. */
static const struct child_stage stages[] = {
        { "caller",           stage_die_with_caller }, /* first: nothing may be left when the caller dies                */
        { "enter",            stage_enter           }, /* cgroups and limits, before anything counts; no root is changed yet */
        { "await the caller", stage_await_caller    }, /* id maps come before all that needs a capability in the namespace */
        { "cgroup namespace", enter_cgroupns        }, /* once in the cgroup: its root is where this process is now       */
        { "time namespace",   enter_timens          }, /* as the host's root still, who owns /proc/self                   */
        { "root's place",     stage_find_place      }, /* as the host's root still, who may look into its directories     */
        { "open labels",      stage_open_labels     }, /* the same                                                        */
        { "root user",        stage_become_root     }, /* before files are made: they belong to the container's root      */
        { "session",          stage_session         }, /* before the terminal, which becomes that of the session          */
        { "attach root",      stage_attach_root     }, /* before the steps: they mount inside of it                       */
        { "steps",            stage_steps           }, /* before pivot: new proc and sysfs need a visible old one         */
        { "create hooks",     stage_create_hooks    }, /* see all mounts, and find their programs on the host             */
        { "make cwd",         make_cwd              }, /* before the root may become read-only                            */
        { "pivot",            stage_pivot           }, /* from here on there is no way back to the host's files           */
        { "stdio",            stage_stdio           },
        { "identity",         stage_identity        }, /* after all that needs root; capabilities stay until below        */
        { "cwd",              stage_cwd             }, /* as the user, and verified to be inside of the root              */
        { "find command",     stage_find_command    }, /* before the gate: `create` tells that the command is missing     */
        { "tuning",           stage_tune            }, /* before the filter, which may forbid it                          */
        { "limits",           stage_rlimits         }, /* late: they would bind the set-up, too                           */
        { "write labels",     stage_write_labels    }, /* before the filter, which may forbid it; after the create hooks   */
        { "filter",           stage_filter_early    }, /* without no_new_privs it takes CAP_SYS_ADMIN                     */
        { "capabilities",     stage_capabilities    },
        { "notify filter",    stage_filter_notify   }, /* before the gate, behind which nobody may wait for its listener    */
        { "gate",             stage_gate            },
        { "start hooks",      stage_start_hooks     }, /* are part of `start`, and as the command's own user              */
        { "last calls",       stage_last_calls      }, /* those that the filter may forbid                                */
        { "late filter",      stage_filter_late     }, /* last: after it only execve(2) is sure to work                   */
        { "execute",          stage_execute         },
};

void exec_init_main(struct launch *l) {
        struct child c = child_new(l);
        struct err err = { 0 };

        _exit(child_run(&c, stages, EXEC_ARRAY_SIZE(stages), &err));
}
