/* SPDX-License-Identifier: Apache-2.0 */

/* The whole server over a real unix socket, with an engine of cardboard. */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/api.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "fake_engine.h"

static char socket_path[64];
static struct api_server *server;

static int open_server(void **state) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct err err;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        signal(SIGPIPE, SIG_IGN);
        snprintf(socket_path, sizeof(socket_path), "/tmp/kist-test-api-%d.sock", (int) getpid());
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
        unlink(socket_path);
        assert_return_code(bind(fd, (struct sockaddr *) &a, sizeof(a)), errno);
        assert_return_code(listen(fd, 16), errno);
        assert_int_equal(api_server_start(NULL, &fd, 1, &server, &err), 0);
        return 0;
}

static int close_server(void **state) {
        api_server_stop(server);
        unlink(socket_path);
        return fake_running_calls;
}

static int dial(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
        assert_return_code(connect(fd, (struct sockaddr *) &a, sizeof(a)), errno);
        return fd;
}

/* Read until the text has come, the peer closes or five seconds pass. The caller frees. */
static char *read_until(int fd, const char *text) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        struct strbuf got;

        strbuf_init(&got, 64 << 20);
        strbuf_adds(&got, "");
        while (!text || !strstr(got.data, text)) {
                char piece[4096];
                ssize_t n;

                if (poll(&p, 1, 5000) != 1)
                        break;
                n = read(fd, piece, sizeof(piece));
                if (n <= 0)
                        break;
                for (ssize_t i = 0; i < n; i++)
                        if (!piece[i])
                                piece[i] = '0'; /* so that frames can be looked at as text */
                strbuf_add(&got, piece, (size_t) n);
        }
        return strbuf_take(&got, NULL);
}

static void send_text(int fd, const char *text) {
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* One request on a connection of its own; the whole answer. */
static char *ask(const char *method, const char *path, const char *headers, const char *body) {
        auto_fd fd = dial();
        auto_free char *request = str_format("%s %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method, path, headers,
                                             strlen(body), body);

        send_text(fd, request);
        return read_until(fd, NULL);
}

static void expect(const char *method, const char *path, const char *headers, const char *body, const char *status, const char *part) {
        auto_free char *answer = ask(method, path, headers, body);

        if (strncmp(answer + 9, status, strlen(status)) || (part && !strstr(answer, part)))
                fail_msg("%s %s: wanted %s and \"%s\", got: %s", method, path, status, part ? part : "", answer);
}

/* A header may be out before its job has begun. */
static void wait_for_calls(int n) {
        for (int i = 0; i < 500 && fake_running_calls != n; i++)
                usleep(10000);
        assert_int_equal(fake_running_calls, n);
}

static void wait_for_no_calls(void) {
        wait_for_calls(0);
}

#define JSON "Content-Type: application/json\r\n"

static void answers_each_route(void **state) {
        static const struct {
                const char *method, *path, *headers, *body, *status, *part;
        } rows[] = {
                { "GET", "/_ping", "", "", "200", "\r\n\r\nOK" },
                { "GET", "/v1.24/_ping", "", "", "200", "Api-Version: 1.52" },
                { "HEAD", "/_ping", "", "", "200", "Builder-Version: 1" },
                { "GET", "/v1.12/_ping", "", "", "400", "client version 1.12 is too old" },
                { "GET", "/v1.99/_ping", "", "", "400", "client version 1.99 is too new" },
                { "GET", "/nothing", "", "", "404", "{\"message\":\"page not found\"}" },
                { "PUT", "/info", "", "", "404", "page not found" },
                { "GET", "/info", "", "", "200", "\"Name\":\"fake\"" },
                { "GET", "/containers/json?all=1&limit=3", "", "", "200", "{\"all\":true,\"limit\":3,\"filters\":null}" },
                { "GET", "/containers/json?all=maybe", "", "", "400", "neither true nor false" },
                { "GET", "/containers/json?filters=%7B%22name%22%3A%7B%22a%22%3Atrue%7D%7D", "", "", "200", "{\"name\":[\"a\"]}" },
                { "GET", "/containers/json?filters=%7B", "", "", "400", "filters is not valid JSON" },
                { "POST", "/containers/create?name=n", JSON, "{\"Image\":\"i\"}", "201", "{\"Image\":\"i\"}" },
                { "POST", "/containers/create?name=/n", JSON, "{}", "201", "\"Id\":\"n\"" },
                { "POST", "/containers/create?name=taken", JSON, "{}", "409", "already in use" },
                { "POST", "/containers/create", "", "{}", "400", "unsupported Content-Type" },
                { "POST", "/containers/create", "Content-Type: application/json; charset=utf-8\r\n", "{}", "201", NULL },
                { "POST", "/containers/create", JSON, "{\"a\":1,\"a\":2}", "400", "request body is not valid JSON" },
                { "POST", "/containers/create", JSON, "[]", "400", "not a JSON object" },
                { "POST", "/containers/create", "", "", "400", "config cannot be empty" },
                { "GET", "/containers/c1/json?size=true", "", "", "200", "\"SizeAsked\":true" },
                { "GET", "/containers/no%00/json", "", "", "404", "No such container: no%00" },
                { "GET", "/containers/x/json", "", "", "404", "No such container: x" },
                { "POST", "/containers/c1/start", "", "", "204", NULL },
                { "POST", "/containers/running/start", "", "", "304", NULL },
                { "POST", "/containers/nocmd/start", "", "", "400", "exec: /x: no such file or directory\"" },
                { "POST", "/containers/cannotrun/start", "", "", "400", "exec: /x: of no use: permission denied" },
                { "POST", "/containers/asked/stop?t=5&signal=SIGINT", "", "", "409", "timeout 5 signal 2" },
                { "POST", "/containers/asked/stop?t=-1&signal=9", "", "", "409", "timeout -2 signal 9" },
                { "POST", "/containers/asked/restart", "", "", "409", "timeout -1 signal 0" },
                { "POST", "/containers/asked/stop?signal=NOSUCH", "", "", "400", "Invalid signal: NOSUCH" },
                { "POST", "/containers/c1/kill", "", "", "204", NULL },
                { "POST", "/containers/c1/rename", "", "", "400", "may be empty" },
                { "POST", "/containers/c1/resize?h=10", "", "", "400", "both h and w" },
                { "POST", "/containers/c1/resize?h=10&w=70000", "", "", "400", "70000" },
                { "POST", "/containers/c1/resize?h=10&w=80", "", "", "200", NULL },
                { "DELETE", "/containers/c1?v=1&force=0", "", "", "204", NULL },
                { "GET", "/containers/c1/top?ps_args=-ef+x", "", "", "200", "-ef x" },
                { "GET", "/containers/c1/stats?stream=false", "", "", "200", "{\"name\":\"c1\"}" },
                { "GET", "/containers/x/stats", "", "", "404", "No such container" },
                { "GET", "/containers/c1/logs", "", "", "400", "at least one stream" },
                { "GET", "/containers/x/logs?stdout=1", "", "", "404", "No such container: x" },
                { "POST", "/containers/c1/wait?condition=odd", "", "", "400", "odd" },
                { "POST", "/containers/x/wait", "", "", "404", "No such container: x" },
                { "POST", "/containers/c1/exec", JSON, "{}", "201", "e1" },
                { "POST", "/exec/e1/start", JSON, "{\"Detach\":true}", "200", NULL },
                { "POST", "/exec/e2/start", JSON, "{}", "404", "No such exec instance: e2" },
                { "POST", "/exec/e1/start", JSON, "{\"ConsoleSize\":[1]}", "400", "ConsoleSize" },
                { "GET", "/images/localhost:5000/a/b:1/json", "", "", "200", "{\"Id\":\"localhost:5000/a/b:1\"}" },
                { "GET", "/images/a%2Fb/history", "", "", "200", "a/b" },
                { "POST", "/images/x/tag?repo=a/b&tag=c", "", "", "201", NULL },
                { "DELETE", "/images/a/b", "", "", "200", "Untagged" },
                { "POST", "/images/create?fromImage=busybox&tag=1", "X-Registry-Auth: eyJ1c2VybmFtZSI6InUifQ==\r\n", "", "200",
                  "{\"status\":\"Pulling\",\"id\":\"busybox:1\",\"user\":\"u\"}\r\n" },
                { "POST", "/images/create?fromImage=b&tag=sha256:1", "X-Registry-Auth: !\r\n", "", "400", "X-Registry-Auth" },
                { "POST", "/images/create?fromImage=b&tag=sha256:1", "", "", "200", "b@sha256:1" },
                { "POST", "/images/create?fromImage=missing&tag=1", "", "", "404", "{\"message\":\"manifest of missing:1 is unknown\"}" },
                { "POST", "/images/create?fromImage=late", "", "", "200",
                  "{\"errorDetail\":{\"message\":\"connection lost\"},\"error\":\"connection lost\"}\r\n" },
                { "GET", "/images/search?term=x", "", "", "200", "[{\"name\":\"x\",\"star_count\":25}]" },
                { "GET", "/images/search?term=x&limit=101", "", "", "400", "limit" },
                { "GET", "/images/search", "", "", "400", "term is missing" },
                { "POST", "/images/a/b:1/checkout?layer=-1&repo=c&tag=2", "", "", "201", "{\"Id\":\"a/b:1\",\"Name\":\"c:2\"}" },
                { "POST", "/images/a/checkout?layer=dead", "", "", "404", "is not in it" },
                { "POST", "/images/a/checkout", "", "", "400", "layer is missing" },
                { "POST", "/images/create?fromSrc=-&repo=a&tag=1&message=m&changes=CMD%20x", "Content-Type: application/x-tar\r\n", "archive", "200", "a:1 m 1 7" },
                { "POST", "/images/create?fromSrc=http://x/", "Content-Type: application/x-tar\r\n", "archive", "400", "the daemon fetches no URLs" },
                { "POST", "/images/create?fromImage=a&fromSrc=-", "Content-Type: application/x-tar\r\n", "archive", "400", "exclude each other" },
                { "GET", "/networks", "", "", "200", "\"Name\":\"none\"" },
                { "GET", "/networks/host", "", "", "200", "\"Driver\":\"host\"" },
                { "GET", "/networks/x", "", "", "404", "network x not found" },
                { "GET", "/volumes", "", "", "200", "{\"Volumes\":[],\"Warnings\":[]}" },
                { "POST", "/build", "", "", "501", "not supported" },
                { "GET", "/services", "", "", "503", "swarm" },
                { "POST", "/swarm/init", JSON, "{}", "503", "Kubernetes" },
                { "DELETE", "/secrets/a", "", "", "503", "bind mount" },
                { "GET", "/plugins/a/b/json", "", "", "404", "no plugins" },
                { "POST", "/session", "", "", "503", "DOCKER_BUILDKIT=0" },
                { "GET", "/v1.24/info", "", "", "200", "ExecutionDriver" },
                { "GET", "/system/df", "", "", "200", "\"Types\":15" },
                { "GET", "/system/df?type=image&type=volume", "", "", "200", "\"Types\":5" },
                { "GET", "/v1.41/system/df?type=image", "", "", "200", "\"BuilderSize\":0" },
                { "GET", "/system/df?type=nosuch", "", "", "400", "unknown object type: nosuch" },
                { "GET", "/system/df?verbose=1", "", "", "200", "\"ImagesUsage\":{\"TotalCount\":0,\"Items\":[]}" },
                { "GET", "/events?until=1", "Accept: text/plain, application/json-seq;q=1\r\n", "", "200", "application/json-seq\r\n" },
                { "GET", "/events?until=1", "Accept: application/x-ndjson\r\n", "", "200", "application/x-ndjson\r\n" },
                { "GET", "/v1.51/events?until=1", "Accept: application/x-ndjson\r\n", "", "200", "application/json\r\n" },
                { "GET", "/distribution/a/b:1/json", "", "", "200", "{\"digest\":\"a/b:1\"}" },
                { "GET", "/distribution/a/json", "X-Registry-Auth: eyJwYXNzd29yZCI6ICJ4In0=\r\n", "", "401", "unauthorized" },
                { "GET", "/containers/c1/stats?stream=1&one-shot=1", "", "", "400", "one-shot" },
                { "GET", "/containers/c1/stats?stream=0&one-shot=1", "", "", "200", "\"name\":\"c1\"" },
                { "GET", "/containers/c1/attach/ws", "", "", "400", "not a websocket" },
                { "GET", "/events?until=1", "", "", "200", "{\"Action\":\"start\"}\n" },
                { "GET", "/events?since=yesterday", "", "", "400", "yesterday" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                expect(rows[i].method, rows[i].path, rows[i].headers, rows[i].body, rows[i].status, rows[i].part);
}

static void keeps_a_connection_for_the_next_request(void **state) {
        auto_fd fd = dial();

        for (int i = 0; i < 3; i++) {
                auto_free char *answer = NULL;

                send_text(fd, "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n");
                answer = read_until(fd, "\r\n\r\nOK");
                assert_non_null(strstr(answer, "200 OK"));
        }
}

static void refuses_what_is_too_large(void **state) {
        auto_fd fd = dial(), chunked = dial();
        auto_free char *answer = NULL, *cut = NULL, *megabyte = malloc((1 << 20) + 1);

        send_text(fd, "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n");
        answer = read_until(fd, NULL);
        assert_non_null(strstr(answer, "413"));
        /* Without a length it is noticed on the way, and the connection ends when it goes on for ever. */
        send_text(chunked, "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
        memset(megabyte, 'x', 1 << 20);
        megabyte[1 << 20] = '\0';
        for (int i = 0; i < 64; i++)
                if (fd_write_all(chunked, "100000\r\n", 8) < 0 || fd_write_all(chunked, megabyte, 1 << 20) < 0 || fd_write_all(chunked, "\r\n", 2) < 0)
                        return;
        fail_msg("64 MiB of JSON were taken");
}

/* Nesting is bounded: a parser that recurses must fit on the stack of a connection. */
static void survives_deep_nesting(void **state) {
        static char body[8192];
        size_t n = 0;

        n += (size_t) sprintf(body, "{\"a\":");
        memset(body + n, '[', 255);
        memset(body + n + 255, ']', 255);
        strcpy(body + n + 510, "}");
        expect("POST", "/containers/create", JSON, body, "201", "[[[[");
        memset(body + n, '[', 7000);
        expect("POST", "/containers/create", JSON, body, "400", "nested more than 256 deep");
}

static void sends_the_header_of_wait_at_once(void **state) {
        auto_fd fd = dial();
        auto_free char *header = NULL, *rest = NULL;

        send_text(fd, "POST /containers/c1/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\n\r\n");
        header = read_until(fd, "\r\n\r\n");
        assert_non_null(strstr(header, "200 OK"));
        assert_null(strstr(header, "StatusCode")); /* "42" alone could be the minute of the Date header */
        rest = read_until(fd, "0\r\n\r\n");
        assert_non_null(strstr(rest, "{\"StatusCode\":42}\n"));
}

static void cancels_a_stream_whose_client_leaves(void **state) {
        static const char *const requests[] = {
                "POST /containers/t1/wait HTTP/1.1\r\nHost: d\r\n\r\n",
                "GET /events HTTP/1.1\r\nHost: d\r\n\r\n",
                "GET /containers/c1/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n",
                "GET /containers/flood/logs?stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n",
        };

        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                int fd = dial();
                auto_free char *header = NULL;

                send_text(fd, requests[i]);
                header = read_until(fd, "\r\n\r\n");
                assert_non_null(strstr(header, "200 OK"));
                wait_for_calls(1);
                close(fd);
                wait_for_no_calls();
        }
}

static void frames_logs(void **state) {
        auto_free char *framed = ask("GET", "/v1.42/containers/c1/logs?stdout=1&stderr=1", "", "");
        auto_free char *old = ask("GET", "/v1.41/containers/c1/logs?stdout=1&stderr=1", "", "");
        auto_free char *raw = ask("GET", "/containers/t1/logs?stdout=1", "", "");
        auto_free char *cut = ask("GET", "/containers/cut/logs?stdout=1", "", "");

        assert_non_null(strstr(framed, "multiplexed-stream"));
        assert_non_null(strstr(framed, "\001000000\004one\n"));
        assert_non_null(strstr(framed, "\002000000\004two\n"));
        assert_non_null(strstr(old, "raw-stream"));
        assert_non_null(strstr(old, "\001000000\004one\n"));
        /* Two writes: in one chunk or in two. */
        assert_non_null(strstr(raw, "\none\n"));
        assert_non_null(strstr(raw, "two\n"));
        /* A failure on the way is an answer without its end. */
        assert_non_null(strstr(cut, "one\n"));
        assert_null(strstr(cut, "\r\n0\r\n\r\n"));
}

/* The client's own socket reaches the engine, both directions work, and half-close arrives; whatever the way in. */
static void hands_over_the_connection(void **state) {
        static const struct {
                const char *request, *early, *header;
        } rows[] = {
                { "POST /containers/c1/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n", "",
                  "101 Switching Protocols" },
                { "POST /containers/c1/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n", "early ",
                  "multiplexed-stream" },
                { "POST /containers/t1/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", "", "raw-stream" },
                { "POST /containers/t1/attach?stream=1 HTTP/1.1\r\nHost: d\r\n\r\n", "", "200 OK" },
                { "POST /exec/e1/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                  "Content-Length: 2\r\n\r\n{}", "", "101 Switching Protocols" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_fd fd = dial();
                auto_free char *request = str_format("%s%s", rows[i].request, rows[i].early);
                auto_free char *header = NULL, *hello = NULL, *rest = NULL, *both = NULL;

                send_text(fd, request);
                header = read_until(fd, "\r\n\r\n");
                assert_non_null(strstr(header, rows[i].header));
                assert_null(strstr(header, "chunked"));
                send_text(fd, "hello");
                hello = read_until(fd, "hello");
                both = str_format("%s%s", strstr(header, "\r\n\r\n") + 4, hello);
                assert_non_null(strstr(both, rows[i].early));
                assert_non_null(strstr(both, "hello"));
                shutdown(fd, SHUT_WR);
                rest = read_until(fd, NULL);
                assert_string_equal(rest, "bye");
        }
}

static void tells_late_failures_in_the_stream(void **state) {
        auto_fd fd = dial(), exec = dial();
        auto_free char *attach = NULL, *started = NULL;

        send_text(fd, "POST /containers/cut/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        attach = read_until(fd, NULL);
        assert_non_null(strstr(attach, "\002000000\017cannot attach\r\n"));
        /* The stock client then asks for the exit code, so this is no HTTP error. */
        send_text(exec, "POST /exec/nocmd/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                        "Content-Length: 2\r\n\r\n{}");
        started = read_until(exec, NULL);
        assert_non_null(strstr(started, "101"));
        assert_non_null(strstr(started, "executable file not found"));
}

static void loads_while_the_body_comes(void **state) {
        const size_t size = 24 << 20;
        char *archive = malloc(size + 1);

        memset(archive, 'a', size);
        archive[size] = '\0';
        expect("POST", "/images/load", "Content-Type: application/x-tar\r\n", archive, "200", "Loading layer");
        assert_int_equal(fake_loaded_bytes, size);
        memcpy(archive, "bad", 3);
        expect("POST", "/images/load", "Content-Type: application/x-tar\r\n", archive, "400", "not an archive");
        free(archive);
}

/* A stop with streams open cuts them; close_server() sees that no call is left. */
static void archives_go_both_ways(void **state) {
        static const char tar[] = "Content-Type: application/x-tar\r\n";

        expect("HEAD", "/containers/web/archive?path=/there", "", "", "200", "X-Docker-Container-Path-Stat: eyJuYW1lIjoidGhlcmUiLCJzaXplIjo1fQ==");
        expect("GET", "/containers/web/archive?path=/there", "", "", "200", "X-Docker-Container-Path-Stat: eyJuYW1lIjoidGhlcmUiLCJzaXplIjo1fQ==");
        expect("GET", "/containers/web/archive?path=/there", "", "", "200", "a tar");
        expect("GET", "/containers/web/archive?path=/nothing", "", "", "404", "Could not find the file /nothing in container web");
        expect("GET", "/containers/web/archive", "", "", "400", "path is missing");
        expect("PUT", "/containers/web/archive?path=/there&noOverwriteDirNonDir=true", tar, "body", "200", NULL);
        expect("PUT", "/containers/web/archive?path=/there&noOverwriteDirNonDir=maybe", tar, "body", "400", "neither true nor false");
        expect("PUT", "/containers/web/archive?path=/nothing", tar, "body", "404", "Could not find the file");
        expect("PUT", "/containers/web/archive", tar, "body", "400", "path is missing");
        expect("GET", "/containers/web/export", "", "", "200", "export");
        expect("GET", "/containers/nosuch/export", "", "", "404", "No such container: nosuch");
        expect("GET", "/containers/web/changes", "", "", "200", "null");
        expect("GET", "/images/get?names=a:1&names=b,c", "", "", "200", "a:1;b;c;");
        expect("GET", "/images/x/y:1/get", "", "", "200", "x/y:1;");
        expect("POST", "/commit?container=web&repo=r&tag=1&changes=USER%20a&changes=CMD%20b%0AENV%20c", JSON, "null\n", "201",
               "{\"Id\":\"web\",\"reference\":\"r:1\",\"n\":3,\"first\":\"USER a\",\"pause\":true}");
        expect("POST", "/commit?container=web&pause=0", "", "", "201", "\"pause\":false");
        expect("POST", "/commit", "", "", "400", "container is missing");
        wait_for_no_calls();
}

static void stops_with_open_streams(void **state) {
        auto_fd wait = dial(), events = dial(), idle = dial();
        auto_free char *one = NULL, *two = NULL, *rest = NULL;

        send_text(wait, "POST /containers/t1/wait HTTP/1.1\r\nHost: d\r\n\r\n");
        send_text(events, "GET /events HTTP/1.1\r\nHost: d\r\n\r\n");
        one = read_until(wait, "\r\n\r\n");
        two = read_until(events, "start");
        wait_for_calls(2);
        api_server_stop(server);
        server = NULL;
        rest = read_until(wait, NULL);
        assert_string_equal(rest, "");
        assert_int_equal(fake_running_calls, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_server, close_server)
                T(answers_each_route),
                T(keeps_a_connection_for_the_next_request),
                T(refuses_what_is_too_large),
                T(survives_deep_nesting),
                T(sends_the_header_of_wait_at_once),
                T(cancels_a_stream_whose_client_leaves),
                T(frames_logs),
                T(hands_over_the_connection),
                T(tells_late_failures_in_the_stream),
                T(loads_while_the_body_comes),
                T(archives_go_both_ways),
                T(stops_with_open_streams),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
