/* SPDX-License-Identifier: Apache-2.0 */

/* Connects to a socket of packets, says something, and prints what came of it: knock PATH. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval patience = { .tv_sec = 3 };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        char *slash = argc == 2 ? strrchr(argv[1], '/') : NULL;
        char answer[4096];
        ssize_t n;

        if (!slash || strlen(slash) >= sizeof(address.sun_path) || fd < 0)
                return 2;
        /* From its folder: the whole path may be longer than an address can be. */
        *slash = '\0';
        strcpy(address.sun_path, slash + 1);
        if (chdir(argv[1]) < 0) {
                printf("refused: %s\n", strerror(errno));
                return 0;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                printf("refused: %s\n", strerror(errno));
                return 0;
        }
        send(fd, "kist-attack", 11, MSG_NOSIGNAL);
        n = recv(fd, answer, sizeof(answer), 0);
        if (n > 0)
                printf("answered\n");
        else
                printf("%s\n", n < 0 && errno == EAGAIN ? "silence" : "closed");
        return 0;
}
