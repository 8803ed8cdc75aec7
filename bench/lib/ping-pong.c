/* SPDX-License-Identifier: Apache-2.0 */
/* ping-pong serve PORT: gives every connection back what it sends.
 * ping-pong ADDRESS PORT COUNT: sends 64 bytes and waits for them, COUNT times; prints of the times the median and the 99th of a hundred in microseconds. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, WARM_UP = 200 };

static double now_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return x < y ? -1 : x > y;
}

static int serve(struct sockaddr_in *a) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        char buf[SIZE];

        signal(SIGCHLD, SIG_IGN);
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof(int));
        if (bind(s, (struct sockaddr *) a, sizeof(*a)) < 0 || listen(s, 16) < 0)
                return 1;
        for (;;) {
                int c = accept(s, NULL, NULL);

                if (c >= 0 && fork() == 0) {
                        ssize_t n;

                        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof(int));
                        while ((n = read(c, buf, sizeof(buf))) > 0)
                                if (write(c, buf, (size_t) n) != n)
                                        return 1;
                        _exit(0);
                }
                close(c);
        }
}

static int ask(int s) {
        char buf[SIZE] = "";
        size_t got = 0;
        ssize_t n;

        if (write(s, buf, SIZE) != SIZE)
                return -1;
        while (got < SIZE) {
                n = read(s, buf, SIZE - got);
                if (n <= 0)
                        return -1;
                got += (size_t) n;
        }
        return 0;
}

int main(int argc, char **argv) {
        struct sockaddr_in a = { .sin_family = AF_INET };
        int count = argc == 4 ? atoi(argv[3]) : 0, s;
        double *times;

        if (argc == 3 && !strcmp(argv[1], "serve")) {
                a.sin_port = htons((uint16_t) atoi(argv[2]));
                return serve(&a);
        }
        if (count < 1 || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1)
                return 2;
        a.sin_port = htons((uint16_t) atoi(argv[2]));
        times = calloc((size_t) count, sizeof(*times));
        s = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int) { 1 }, sizeof(int));
        if (!times || connect(s, (struct sockaddr *) &a, sizeof(a)) < 0)
                return 1;
        for (int i = -WARM_UP; i < count; i++) {
                double start = now_us();

                if (ask(s) < 0)
                        return 1;
                if (i >= 0)
                        times[i] = now_us() - start;
        }
        qsort(times, (size_t) count, sizeof(*times), compare);
        printf("%.2f %.2f\n", times[count / 2], times[(size_t) count * 99 / 100]);
        return 0;
}
