/* SPDX-License-Identifier: Apache-2.0 */
/* name-load ADDRESS WINDOW COUNT: asks a name server for "web" over UDP, WINDOW questions under way at a time, until COUNT are answered. Prints answers per second,
 * and of their times the median and the 99th of a hundred in milliseconds. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static double now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
        static double sent_at[65536];
        uint8_t query[] = "\0\0\1\0\0\1\0\0\0\0\0\0\3web\0\0\1\0\1", answer[2048];
        int window = argc == 4 ? atoi(argv[2]) : 0, count = argc == 4 ? atoi(argv[3]) : 0, sent = 0, got = 0, lost = 0, s;
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53) };
        struct timeval limit = { .tv_sec = 1 };
        double *times = calloc((size_t) count + 1, sizeof(*times)), begin = now_ms();

        if (window < 1 || window > 1000 || count < 1 || !times || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1)
                return 2;
        s = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        if (connect(s, (struct sockaddr *) &a, sizeof(a)) < 0)
                return 1;
        while (got < count && lost < count) {
                ssize_t n;

                while (sent - got - lost < window) {
                        query[0] = (uint8_t) (sent >> 8);
                        query[1] = (uint8_t) sent;
                        sent_at[sent++ & 65535] = now_ms();
                        if (send(s, query, sizeof(query) - 1, 0) < 0)
                                return 1;
                }
                n = recv(s, answer, sizeof(answer), 0);
                if (n < 12)
                        lost += sent - got - lost;
                else
                        times[got++] = now_ms() - sent_at[answer[0] << 8 | answer[1]];
        }
        if (got < count)
                return 1;
        begin = now_ms() - begin;
        qsort(times, (size_t) got, sizeof(*times), compare);
        printf("%.0f %.3f %.3f\n", got / begin * 1e3, times[got / 2], times[(size_t) got * 99 / 100]);
        return 0;
}
