/* SPDX-License-Identifier: Apache-2.0 */
/* Run a command and print the most memory that it, or a process of it, had at once: kilobytes, as getrusage(2) says. Its own program, because what
 * starts another one hands its own figure on to it: this one's is small. Usage: peak COMMAND [ARG...] */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
        struct rusage usage;
        int status, quiet = open("/dev/null", O_RDWR | O_CLOEXEC);
        pid_t pid;

        if (argc < 2 || quiet < 0)
                return 2;
        pid = vfork();
        if (pid == 0) {
                dup2(quiet, 0);
                dup2(quiet, 1);
                execvp(argv[1], argv + 1);
                _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
                return 1;
        printf("%ld\n", usage.ru_maxrss);
        return 0;
}
