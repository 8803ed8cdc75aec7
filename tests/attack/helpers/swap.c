/* SPDX-License-Identifier: Apache-2.0 */

/* Exchanges two names as fast as it can, until it is killed or SECONDS are over: swap SECONDS ONE OTHER. Prints "ready", then how often. */

#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
        unsigned long n = 0;
        time_t end;

        if (argc != 4)
                return 2;
        end = time(NULL) + atoi(argv[1]);
        printf("ready\n");
        fflush(stdout);
        while (n % 1024 || time(NULL) < end) {
                if (renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE) < 0) {
                        perror("swap");
                        return 1;
                }
                n++;
        }
        printf("%lu\n", n);
        return 0;
}
