/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"
#include "capture.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/endpoint.h"
#include "place.h"

/* A daemon that gives every request the same answer, whole bytes with its head. */
static const char *answer;
static int listener;

static void *serve(void *data) {
        for (;;) {
                int fd = accept(listener, NULL, NULL);
                char request[4096];

                if (fd < 0)
                        return NULL;
                if (read(fd, request, sizeof(request)) > 0)
                        fd_write_all(fd, answer, strlen(answer));
                close(fd);
        }
}

static pthread_t server;

static int begin(void **state) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        auto_free char *path = NULL, *host = NULL;

        if (place_make(state) < 0)
                return -1;
        path = place_path("d.sock");
        host = str_format("unix://%s", path);
        snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (struct sockaddr *) &name, sizeof(name)) < 0 || listen(listener, 5) < 0)
                return -1;
        setenv("KIST_HOST", host, 1);
        return pthread_create(&server, NULL, serve, NULL);
}

static int end(void **state) {
        shutdown(listener, SHUT_RDWR);
        pthread_join(server, NULL);
        close(listener);
        return place_remove(state);
}

/* What is offered behind these words, of which the last is the one at the cursor. */
static const char *offered(const char *words) {
        auto_free char *copy = strdup(words);
        char *argv[20], *rest = copy;
        struct args *global = NULL;
        const char *got;
        int argc = 0;

        while (rest)
                argv[argc++] = strsep(&rest, " ");
        assert_int_equal(args_parse(&global_command, 0, argv, &global), 0);
        endpoint_take_options(global);
        capture_begin();
        assert_int_equal(complete(global, argc, argv), 0);
        got = capture_end();
        alarm(0); /* it gives the daemon some seconds */
        args_free(global);
        return got;
}

static bool has_line(const char *text, const char *begin_of_line) {
        size_t n = strlen(begin_of_line);

        for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : "")
                if (strncmp(text, begin_of_line, n) == 0)
                        return true;
        return false;
}

static void answer_with(const char *body) {
        static char text[65536];

        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
        answer = text;
}

static void commands_and_options(void **state) {
        const char *got = offered("");

        assert_true(has_line(got, "ps\tList containers"));
        assert_true(has_line(got, "network\t"));
        got = offered("pul");
        assert_true(has_line(got, "pull\t"));
        assert_false(has_line(got, "ps\t"));
        got = offered("network ");
        assert_true(has_line(got, "create\t"));
        got = offered("ps --no");
        assert_string_equal(got, "--no-trunc\tWhole ids, commands and mounts\n");
        assert_string_equal(offered("run --pull="), "--pull=always\n--pull=missing\n--pull=never\n");
        assert_string_equal(offered("run --pull m"), "missing\n");
        assert_string_equal(offered("run -it --pull n"), "never\n");
        assert_true(has_line(offered("load -i "), ":files"));
        assert_string_equal(offered("nosuch "), "");
        assert_string_equal(offered("ps --nosuch="), "");
        assert_true(has_line(offered("--co"), "--context\t"));
}

static void names_of_the_daemon(void **state) {
        answer_with("[{\"Names\":[\"/web\"],\"State\":\"running\",\"Image\":\"nginx\"},{\"Names\":[\"/job\"],\"State\":\"exited\",\"Image\":\"busybox\"}]");
        assert_string_equal(offered("rm "), "web\tnginx\njob\tbusybox\n");
        assert_string_equal(offered("stop "), "web\tnginx\n");
        assert_string_equal(offered("start "), "job\tbusybox\n");
        assert_string_equal(offered("logs -f j"), "job\tbusybox\n");
        answer_with("[{\"RepoTags\":[\"a:latest\",\"a:1\",\"<none>:<none>\"]},{\"RepoTags\":null}]");
        assert_string_equal(offered("run "), "a\na:1\n");
        assert_string_equal(offered("rmi a:"), "a:latest\na:1\n");
        /* The command of a container is its own affair. */
        assert_string_equal(offered("run a "), "");
}

/* A name or a description that would be another line, a demand for files, or move the cursor. */
static void a_hostile_daemon(void **state) {
        static const char *const broken[] = {
                "", "garbage\r\n\r\n", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Names\":",
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[{]}", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n[{\"Names\":5},{\"Names\":[7]},1,[]]",
        };

        answer_with("[{\"Names\":[\"/a\\nb\"]},{\"Names\":[\"/a\\tb\"]},{\"Names\":[\"/a\\u001b[2J\"]},{\"Names\":[\"/a\\rb\"]},{\"Names\":[\"/:files\"]},{\"Names\":[\"\"]},"
                    "{\"Names\":[\"/good\"],\"Image\":\"x\\n:files\\n\\u001b]0;y\\u0007\"}]");
        assert_string_equal(offered("rm "), "good\tx?:files??]0;y?\n");
        for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
                answer = broken[i];
                assert_string_equal(offered("rm "), "");
        }
        setenv("KIST_HOST", "ssh://-oProxyCommand=x", 1);
        assert_string_equal(offered("rm "), "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_and_options),
                cmocka_unit_test(names_of_the_daemon),
                cmocka_unit_test(a_hostile_daemon),
        };
        signal(SIGPIPE, SIG_IGN); /* as kist does */
        return cmocka_run_group_tests(tests, begin, end);
}
