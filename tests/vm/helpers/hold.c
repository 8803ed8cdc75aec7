/* SPDX-License-Identifier: Apache-2.0 */

/* What a process can have open, and busybox has no program for. Usage: hold WHAT …
 *
 *   lock FILE             an flock(2) on it, for good
 *   say SOCKET            a datagram "here" to that Unix socket, ten times a second, over one connected socket
 *   hear SOCKET FILE      be that socket; each datagram is a line of FILE
 *   listen PORT           listen at 127.0.0.1, and never accept
 *   connect PORT          a connection to there, for good
 *   memory DIRECTORY      4 MB of it. When there is DIRECTORY/ask, that is removed, and DIRECTORY/told has the byte that all of them are; when there is
 *                         DIRECTORY/again, they all become the next one
 *   terminal SOCKET       as runtimes hand over a terminal (--console-socket): from then on what is read from it goes to standard output, and standard
 *                         input to it
 * Those with "for good" say "ready" on standard output first. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
        perror(what);
        exit(1);
}

static void hold(void) {
        if (puts("ready") < 0 || fflush(stdout) != 0)
                fail("ready");
        for (;;)
                pause();
}

static struct sockaddr_un local_address(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(a.sun_path))
                fail(path);
        memcpy(a.sun_path, path, strlen(path));
        return a;
}

static void lock(const char *path) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                fail(path);
        hold();
}

static void say(const char *path) {
        struct sockaddr_un a = local_address(path);
        int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (sock < 0 || connect(sock, (struct sockaddr *) &a, sizeof(a)) < 0)
                fail(path);
        for (;; usleep(100000))
                send(sock, "here\n", 5, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void hear(const char *path, const char *file) {
        struct sockaddr_un a = local_address(path);
        int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), out = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        char data[64];
        ssize_t n;

        if (sock < 0 || out < 0 || bind(sock, (struct sockaddr *) &a, sizeof(a)) < 0)
                fail(path);
        while ((n = recv(sock, data, sizeof(data), 0)) >= 0)
                if (write(out, data, (size_t) n) != n)
                        fail(file);
        fail(path);
}

static void meet(const char *port, int (*how)(int, const struct sockaddr *, socklen_t)) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t) atoi(port)) };
        int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (sock < 0 || how(sock, (struct sockaddr *) &a, sizeof(a)) < 0 || (how == bind && listen(sock, 5) < 0))
                fail(port);
        hold();
}

static void write_line(const char *name, const char *line) {
        int fd = open("telling", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, line, strlen(line)) < 0 || close(fd) < 0 || rename("telling", name) < 0)
                fail(name);
}

static void memory(const char *dir) {
        static char big[4 << 20];
        char byte = 'a', line[] = "?\n";

        if (chdir(dir) < 0)
                fail(dir);
        memset(big, byte, sizeof(big));
        for (;; usleep(100000)) {
                if (access("again", F_OK) == 0) {
                        memset(big, ++byte, sizeof(big));
                        unlink("again");
                }
                if (access("ask", F_OK) == 0) {
                        line[0] = big[0];
                        for (size_t i = 0; i < sizeof(big); i++)
                                if (big[i] != big[0])
                                        line[0] = '!';
                        write_line("told", line);
                        unlink("ask");
                }
        }
}

static int receive_terminal(const char *path) {
        struct sockaddr_un a = local_address(path);
        union {
                char buf[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        char name[256];
        struct iovec iov = { name, sizeof(name) };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
        int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer, fd;

        if (sock < 0 || bind(sock, (struct sockaddr *) &a, sizeof(a)) < 0 || listen(sock, 1) < 0)
                fail(path);
        peer = accept(sock, NULL, NULL);
        if (peer < 0 || recvmsg(peer, &msg, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&msg))
                fail(path);
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
        close(peer);
        close(sock);
        return fd;
}

static void terminal(const char *path) {
        int fd = receive_terminal(path);
        char data[1024];
        struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };

        for (;;) {
                if (poll(p, 2, -1) < 0)
                        fail(path);
                for (int i = 0; i < 2; i++) {
                        ssize_t n = p[i].revents ? read(p[i].fd, data, sizeof(data)) : 0;

                        if (i == 0 && n < 0)
                                exit(0); /* all have closed their end */
                        if (p[i].revents && n <= 0)
                                p[i].fd = -1;
                        else if (n > 0 && write(i == 0 ? STDOUT_FILENO : fd, data, (size_t) n) != n)
                                fail(path);
                }
        }
}

int main(int argc, char **argv) {
        const char *what = argc > 2 ? argv[1] : "";

        if (strcmp(what, "lock") == 0)
                lock(argv[2]);
        if (strcmp(what, "say") == 0)
                say(argv[2]);
        if (strcmp(what, "hear") == 0 && argc > 3)
                hear(argv[2], argv[3]);
        if (strcmp(what, "listen") == 0)
                meet(argv[2], bind);
        if (strcmp(what, "connect") == 0)
                meet(argv[2], connect);
        if (strcmp(what, "memory") == 0)
                memory(argv[2]);
        if (strcmp(what, "terminal") == 0)
                terminal(argv[2]);
        return 2;
}
