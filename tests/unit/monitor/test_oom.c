/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "monitor/loop.h"
#include "monitor/oom.h"

/* cgroup v1, as the kernel does it: an eventfd that counts, and a file of text, which cannot be read any more after the removal of its cgroup. */
static int event, control;

static void file_says(const char *text) {
        assert_int_equal(ftruncate(control, 0), 0);
        assert_int_equal(pwrite(control, text, strlen(text), 0), strlen(text));
}

static void count(uint64_t n) {
        assert_int_equal(write(event, &n, sizeof(n)), sizeof(n));
}

/* What is at the file's number cannot be read with pread(2) from now on. */
static void removed(void) {
        int pipes[2];

        assert_int_equal(pipe(pipes), 0);
        assert_int_equal(dup2(pipes[0], control), control);
}

static void out_of_memory(void) { count(1); }
static void turn(void) { loop_turn(0); }
static void says_none(void) { file_says("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"); }
static void says_killed(void) { file_says("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"); }
static void says_disabled(void) { file_says("oom_kill_disable 1\nunder_oom 1\noom_kill 0\n"); }
static void removal_counts(void) { count(1); }
static void removal_counts_later(void) {
        if (fork() == 0) {
                usleep(20000);
                removal_counts();
                _exit(0);
        }
}

/* One process for each: the module is one container's. */
static void v1(void **state) {
        static const struct {
                const char *name;
                void (*steps[8])(void);
                int status;
                bool want;
        } rows[] = {
                { "nothing happened, and it is there", { NULL }, 0, false },
                { "nothing happened, and it is gone", { removed }, 128 + SIGKILL, false },
                { "only its removal was counted", { removed, removal_counts }, 128 + SIGKILL, false },
                { "only its removal was counted, and seen", { removed, removal_counts, turn }, 128 + SIGKILL, false },
                { "it can be asked", { says_killed }, 0, true },
                { "it could be asked before it was gone", { out_of_memory, says_killed, turn, removed, removal_counts }, 3, true },
                { "told before the kill, and gone after it", { out_of_memory, turn, removed, removal_counts }, 128 + SIGKILL, true },
                { "the same of a process that is not the first", { out_of_memory, turn, removed, removal_counts }, 3, true },
                { "told together with the removal", { out_of_memory, removed, removal_counts }, 128 + SIGKILL, true },
                { "told before a removal that is counted later", { out_of_memory, removed, removal_counts_later }, 128 + SIGKILL, true },
                { "out of memory, and nobody may be killed for it", { says_disabled, out_of_memory, turn, removed, removal_counts }, 128 + SIGKILL, false },
                { "an ancestor was out of memory: told, and nobody killed here", { out_of_memory, turn }, 128 + SIGKILL, false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int status;
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0) {
                        event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                        control = memfd_create("oom_control", MFD_CLOEXEC);
                        says_none();
                        loop_init();
                        oom_watch(control, -1, event);
                        for (size_t k = 0; rows[i].steps[k]; k++)
                                rows[i].steps[k]();
                        _exit(oom_was_killed(rows[i].status));
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                if (!WIFEXITED(status) || WEXITSTATUS(status) != rows[i].want)
                        fail_msg("%s: status %#x", rows[i].name, (unsigned) status);
        }
}

static void by_us(void **state) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                control = memfd_create("oom_control", MFD_CLOEXEC);
                says_none();
                loop_init();
                oom_watch(control, -1, event);
                oom_killed_by_us();
                removed();
                removal_counts();
                removal_counts_later();
                _exit(oom_was_killed(128 + SIGKILL));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(v1),
                cmocka_unit_test(by_us),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
