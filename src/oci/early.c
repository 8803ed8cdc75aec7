/* SPDX-License-Identifier: Apache-2.0 */

/* The program's first instructions. A command that enters a container is run again from a read-only copy of this program (self.c). Done from
 * main() that costs a start of libc, of the libraries and their memory for nothing; so it is done here, before any of it: no libc function, no
 * thread-local storage, no data that must be relocated. Whatever goes wrong is left to main(), which looks again and has more ways. */

#include <stddef.h>

#include "oci/early.h"

static __attribute__((always_inline)) inline bool is_word(const char *text, const char *word) {
        while (*text && *text == *word)
                text++, word++;
        return *text == *word;
}

/* The commands of main.c that enter. An argument that happens to be such a word costs an execve(2), nothing else. */
static __attribute__((always_inline)) inline bool may_enter(int argc, char *const *argv) {
        for (int i = 1; i < argc; i++)
                if (is_word(argv[i], "run") || is_word(argv[i], "create") || is_word(argv[i], "exec"))
                        return true;
        return false;
}

/* "KIST_PROGRAMS=/usr/bin/" (volatile: the compiler must not make a call of memcpy(3) out of it). */
static __attribute__((always_inline)) inline bool put_place(volatile char *text, size_t size) {
        static const char name[] = EARLY_PLACE "=";
        size_t at = sizeof(name) - 1;
        long n;

        for (size_t i = 0; i < at; i++)
                text[i] = name[i];
        n = early_call(SYS_readlinkat, AT_FDCWD, (long) "/proc/self/exe", (long) (text + at), (long) (size - at - 1), 0);
        if (n <= 0 || (size_t) n >= size - at - 1)
                return false;
        for (at += (size_t) n; text[at - 1] != '/' && text[at - 1] != '='; at--)
                ;
        text[at] = '\0';
        return true;
}

static __attribute__((always_inline)) inline bool is_place(const char *variable) {
        const char *name = EARLY_PLACE "=";

        while (*name && *variable == *name)
                variable++, name++;
        return !*name;
}

/* stack: what the kernel has put there: argc, argv…, NULL, envp…, NULL. */
void early_main(const long *stack);
__attribute__((used, no_stack_protector)) void early_main(const long *stack) {
        enum { ENV_MAX = 1024 };
        int argc = (int) stack[0], fd;
        char *const *argv = (char *const *) (stack + 1), *const *from = argv + argc + 1;
        char *envp[ENV_MAX + 2], place[4096];
        size_t n = 0;

        if (!may_enter(argc, argv) || early_is_protected() || !put_place(place, sizeof(place)))
                return;
        for (; *from; from++)
                if (n == ENV_MAX)
                        return;
                else if (!is_place(*from))
                        envp[n++] = *from;
        envp[n++] = place;
        envp[n] = NULL;
        fd = early_readonly_clone();
        if (fd < 0)
                return;
        early_run(fd, argv, envp);
        early_call(SYS_close, fd, 0, 0, 0, 0);
}

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl early_start\n"
        ".type early_start, @function\n"
        "early_start:\n"
        "        xor %ebp, %ebp\n"
        "        mov %rsp, %rbx\n"
        "        mov %rdx, %r12\n" /* for libc: what to call at exit */
        "        mov %rsp, %rdi\n"
        "        and $-16, %rsp\n"
        "        call early_main\n"
        "        mov %rbx, %rsp\n"
        "        mov %r12, %rdx\n"
        "        jmp _start\n");
#else
__asm__(".text\n"
        ".globl early_start\n"
        ".type early_start, %function\n"
        "early_start:\n"
        "        mov x29, xzr\n"
        "        mov x19, x0\n"
        "        mov x0, sp\n"
        "        bl early_main\n"
        "        mov x0, x19\n"
        "        b _start\n");
#endif
