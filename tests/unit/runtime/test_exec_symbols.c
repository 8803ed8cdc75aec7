/* SPDX-License-Identifier: Apache-2.0 */

/* The executor takes from outside only what is on this list: system calls and plain memory. No heap, no stdio, no locks, no log. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *library;

static const char *const allowed[] = {
        /* system calls, by their thin wrappers */
        "_exit", "chdir", "clock_gettime", "clone", "close", "connect", "dup2", "execve", "fchdir", "fchmod", "fchown", "fchownat", "fcntl", "fsconfig", "fsmount", "fsopen",
        "fstat", "fstatat", "fstatfs", "geteuid", "getpid", "getppid", "getrlimit", "ioctl", "kill", "lseek", "memfd_create", "mkdirat", "mknodat", "mmap", "mount_setattr", "move_mount",
        "munmap", "open", "open_tree", "openat", "pause", "pipe2", "poll", "prctl", "read", "readlinkat", "recv", "send", "setdomainname", "sethostname", "setns", "setrlimit", "setsid",
        "signal", "sigprocmask", "socket", "socketpair", "stat", "symlinkat", "syscall", "umask", "umount2", "unshare", "waitpid", "write",
        /* memory and texts */
        "memcpy", "memmove", "memset", "sigemptyset", "sigfillset", "strchr", "strcspn", "strlen", "strncmp", "strrchr",
        /* of base, each of the same kind */
        "err_set_raw", "fd_recv", "fd_send", "fd_write_all", "path_mkdir_in", "path_open_in", "path_open_in_nosymlink",
        /* what the compiler adds */
        "__errno_location", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
};

/* fstat64 is fstat; __memcpy_chk is memcpy with a check; a sanitizer brings its own. */
static void plain_name(char *name) {
        size_t n = strlen(name);

        if (n > 2 && strcmp(name + n - 2, "64") == 0)
                name[n -= 2] = '\0';
        if (strncmp(name, "__", 2) == 0 && n > 6 && strcmp(name + n - 4, "_chk") == 0) {
                memmove(name, name + 2, n - 1);
                name[n - 6] = '\0';
        }
}

static int is_allowed(const char *name) {
        for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
                if (strcmp(allowed[i], name) == 0)
                        return 1;
        return strncmp(name, "__asan_", 7) == 0 || strncmp(name, "__ubsan_", 8) == 0;
}

static void takes_only_what_is_listed(void **state) {
        char command[4096], line[512], defined[512][64];
        size_t n_defined = 0, n_taken = 0;
        FILE *nm;

        snprintf(command, sizeof(command), "nm --defined-only --extern-only --format=posix '%s'", library);
        nm = popen(command, "re");
        assert_non_null(nm);
        while (n_defined < 512 && fgets(line, sizeof(line), nm))
                if (sscanf(line, "%63s %*c", defined[n_defined]) == 1)
                        n_defined++;
        assert_int_equal(pclose(nm), 0);
        assert_true(n_defined > 10);
        snprintf(command, sizeof(command), "nm --undefined-only --format=posix '%s'", library);
        nm = popen(command, "re");
        assert_non_null(nm);
        while (fgets(line, sizeof(line), nm)) {
                char name[128], kind;
                int inside = 0;

                if (sscanf(line, "%127s %c", name, &kind) != 2 || kind != 'U')
                        continue;
                for (size_t i = 0; i < n_defined; i++)
                        inside = inside || strcmp(defined[i], name) == 0;
                plain_name(name);
                n_taken++;
                if (!inside && !is_allowed(name))
                        fail_msg("the executor uses %s", name);
        }
        assert_int_equal(pclose(nm), 0);
        assert_true(n_taken > 10);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(takes_only_what_is_listed) };

        if (argc != 2 || system("nm --version >/dev/null 2>&1") != 0) {
                print_message("1..0 # SKIP needs nm, and the executor's library as its argument\n");
                return 0;
        }
        library = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
