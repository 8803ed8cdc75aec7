/* SPDX-License-Identifier: Apache-2.0 */

/* Fetching, against a small registry of our own on loopback that misbehaves on request. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "harness.h"

enum { BLOB_SIZE = 3 << 20 };

#define MANIFEST "{\"schemaVersion\":2}"
#define DIGEST_OF(c) "sha256:" c c c c c c c c c c c c c c c c
#define BROKEN DIGEST_OF("aaaa")     /* half of it, then the line goes dead */
#define STUBBORN DIGEST_OF("bbbb")   /* always half of it, and no ranges */
#define ELSEWHERE DIGEST_OF("cccc")  /* on the other server */
#define CIRCLE DIGEST_OF("dddd")     /* a redirect to itself */
#define TOO_LONG DIGEST_OF("eeee")
#define TO_FILE DIGEST_OF("ffff")    /* a redirect to file:///etc/passwd */
#define WHOLE DIGEST_OF("0000")

static int userns = -1, port, other_port;
static pid_t server, other_server;
static char *blob;
static struct {
        unsigned busy, stubborn, tokens;
} *counters; /* shared with the servers */

/* --- the server --- */

static void reply(int c, const char *status, const char *headers, const char *body, size_t size, size_t claimed) {
        char head[2048];
        int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status, claimed, headers);

        if (fd_write_all(c, head, (size_t) n) == 0)
                (void) fd_write_all(c, body, size);
}

static void reply_text(int c, const char *status, const char *headers, const char *body) {
        reply(c, status, headers, body, strlen(body), strlen(body));
}

static void serve_blob(int c, const char *request) {
        const char *range = strstr(request, "Range: bytes=");
        size_t from = range ? strtoul(range + 13, NULL, 10) : 0;
        char header[128] = "";

        if (range)
                snprintf(header, sizeof(header), "Content-Range: bytes %zu-%d/%d\r\n", from, BLOB_SIZE - 1, BLOB_SIZE);
        if (strstr(request, BROKEN) && from < BLOB_SIZE / 2)
                reply(c, range ? "206 Partial" : "200 OK", header, blob + from, BLOB_SIZE / 2 - from, BLOB_SIZE - from);
        else if (strstr(request, STUBBORN))
                reply(c, "200 OK", "", blob, counters->stubborn++ == 0 ? BLOB_SIZE / 2 : BLOB_SIZE, BLOB_SIZE);
        else
                reply(c, range ? "206 Partial" : "200 OK", header, blob + from, BLOB_SIZE - from, BLOB_SIZE - from);
}

static void serve_redirect(int c, const char *request) {
        char header[256];

        snprintf(header, sizeof(header), "Location: http://127.0.0.1:%d/data\r\n", other_port);
        if (strstr(request, CIRCLE))
                snprintf(header, sizeof(header), "Location: /v2/a/b/blobs/%s\r\n", CIRCLE);
        if (strstr(request, TO_FILE))
                snprintf(header, sizeof(header), "Location: file:///etc/passwd\r\n");
        reply_text(c, "307 Temporary Redirect", header, "");
}

static void serve_private(int c, const char *request, const char *scheme) {
        char header[256];

        if (strcmp(scheme, "Basic") == 0 && strstr(request, "Authorization: Basic bWU6c2VjcmV0\r\n")) /* me:secret */
                reply_text(c, "200 OK", "", MANIFEST);
        else if (strcmp(scheme, "Bearer") == 0 && strstr(request, "Authorization: Bearer good.token\r\n"))
                reply_text(c, "200 OK", "", MANIFEST);
        else {
                snprintf(header, sizeof(header), "WWW-Authenticate: %s realm=\"http://%s:%d/token\",service=\"a service\"\r\n", scheme,
                         strstr(request, "far-realm") ? "192.0.2.1" : "127.0.0.1", port);
                reply_text(c, "401 Unauthorized", header, "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}");
        }
}

static void serve_token(int c, const char *request) {
        bool basic = strstr(request, "Authorization: Basic bWU6c2VjcmV0\r\n") && strstr(request, "service=a%20service&scope=repository%3Aa%2Fb%3Apull");
        bool identity = strstr(request, "POST /token") && strstr(request, "grant_type=refresh_token") && strstr(request, "refresh_token=idt%2B1");

        counters->tokens++;
        if (basic)
                reply_text(c, "200 OK", "", "{\"token\":\"good.token\"}");
        else if (identity)
                reply_text(c, "200 OK", "", "{\"access_token\":\"good.token\"}");
        else if (strstr(request, "account=evil"))
                reply_text(c, "200 OK", "", "{\"token\":\"good\\r\\nX-Injected: 1\"}");
        else
                reply_text(c, "401 Unauthorized", "", "{}");
}

static void serve(int c, bool other) {
        static char request[16384], zeros[65536];
        size_t got = 0;

        while (got < sizeof(request) - 1) {
                ssize_t n = read(c, request + got, sizeof(request) - 1 - got);

                if (n <= 0)
                        return;
                got += (size_t) n;
                request[got] = '\0';
                if (request[0] != 'G' && request[0] != 'P')
                        return; /* TLS: not here */
                if (strstr(request, "\r\n\r\n") && (request[0] == 'G' || strstr(request, "refresh_token=")))
                        break;
        }
        if (other)
                reply_text(c, "200 OK", "", strstr(request, "Authorization") ? "leaked" : "clean!");
        else if (strncmp(request, "GET /v1/search?q=a%20b&n=25 HTTP", 32) == 0)
                reply_text(c, "200 OK", "", "{\"results\":[]}");
        else if (strncmp(request, "GET /v2/_catalog?n=100 HTTP", 27) == 0)
                reply_text(c, "200 OK", "", "{\"repositories\":[\"a\"]}");
        else if (strstr(request, "/manifests/latest "))
                reply_text(c, "200 OK", "Content-Type: application/x; charset=utf-8\r\n", strstr(request, "Accept: type/one\r\nAccept: type/two\r\n") ? MANIFEST : "{}");
        else if (strstr(request, "/manifests/lies "))
                reply_text(c, "200 OK", "Docker-Content-Digest: " WHOLE "\r\n", MANIFEST);
        else if (strstr(request, "/manifests/sha256:"))
                reply_text(c, "200 OK", "", MANIFEST);
        else if (strstr(request, "/manifests/huge "))
                for (int i = 0; i < 100; i++)
                        reply(c, "200 OK", "", zeros, sizeof(zeros), 100 * sizeof(zeros));
        else if (strstr(request, "/manifests/busy "))
                reply_text(c, counters->busy++ < 2 ? "503 Unavailable" : "200 OK", "", MANIFEST);
        else if (strstr(request, "/manifests/denied "))
                reply_text(c, "403 Forbidden", "", "no\nJSON");
        else if (strstr(request, "/manifests/basic "))
                serve_private(c, request, "Basic");
        else if (strstr(request, "/manifests/bearer ") || strstr(request, "/manifests/far-realm "))
                serve_private(c, request, "Bearer");
        else if (strstr(request, " /token"))
                serve_token(c, request);
        else if (strstr(request, ELSEWHERE) || strstr(request, CIRCLE) || strstr(request, TO_FILE))
                serve_redirect(c, request);
        else if (strstr(request, "/blobs/"))
                serve_blob(c, request);
        else
                reply_text(c, "404 Not Found", "", "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}");
}

static pid_t start_server(int *ret_port, bool other) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(a);
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        if (bind(s, (struct sockaddr *) &a, sizeof(a)) < 0 || listen(s, 16) < 0 || getsockname(s, (struct sockaddr *) &a, &size) < 0)
                abort();
        *ret_port = ntohs(a.sin_port);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                signal(SIGPIPE, SIG_IGN);
                signal(SIGCHLD, SIG_IGN);
                for (;;) {
                        int c = accept(s, NULL, NULL);

                        if (fork() == 0) {
                                serve(c, other);
                                _exit(0);
                        }
                        close(c);
                }
        }
        close(s);
        return pid;
}

static int setup(void **state) {
        userns = harness_userns();
        counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        blob = malloc(BLOB_SIZE);
        for (size_t i = 0; i < BLOB_SIZE; i++)
                blob[i] = (char) (i * 2654435761u >> 13);
        other_server = start_server(&other_port, true);
        server = start_server(&port, false);
        return 0;
}

static int teardown(void **state) {
        kill(server, SIGKILL);
        kill(other_server, SIGKILL);
        waitpid(server, NULL, 0);
        waitpid(other_server, NULL, 0);
        munmap(counters, 4096);
        free(blob);
        fd_close(userns);
        return 0;
}

/* --- asking --- */

struct answer {
        json_t *event;
        char *body;
        size_t size;
};

static struct worker open_registry(const char *more) {
        struct worker w;

        if (userns < 0)
                skip();
        w = harness_start("fetch", userns);
        auto_free char *job = str_format("{\"op\":\"open\",\"registry\":\"127.0.0.1:%d\",\"repository\":\"a/b\",\"insecure\":true%s}", port, more);
        harness_send(&w, job, NULL, 0);
        return w;
}

static struct answer ask(const struct worker *w, const char *request) {
        struct answer a = { 0 };
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                abort();
        harness_send(w, request, &ends[1], 1);
        close(ends[1]);
        assert_int_equal(fd_read_file(ends[0], 64 << 20, &a.body, &a.size), 0);
        close(ends[0]);
        a.event = harness_result(w);
        assert_non_null(a.event);
        return a;
}

static void expect_done(struct answer *a, const char *body, size_t size) {
        if (strcmp(json_get_str(a->event, "event", ""), "done") != 0)
                fail_msg("%s", json_get_str(a->event, "message", ""));
        assert_int_equal(a->size, size);
        assert_memory_equal(a->body, body, size);
        assert_int_equal(json_get_int(a->event, "size", -1), size);
        json_decref(a->event);
        free(a->body);
}

static void expect_error(struct answer *a, const char *kind, const char *words) {
        const char *message = json_get_str(a->event, "message", "");

        assert_string_equal(json_get_str(a->event, "event", ""), "error");
        if (!strstr(message, words) || strchr(message, '\n'))
                fail_msg("\"%s\" does not say \"%s\" in one line", message, words);
        assert_string_equal(json_get_str(a->event, "kind", ""), kind);
        json_decref(a->event);
        free(a->body);
}

#define MANIFEST_JOB(reference) "{\"op\":\"manifest\",\"id\":7,\"reference\":\"" reference "\",\"accept\":[\"type/one\",\"type/two\"]}"
#define BLOB_JOB(digest, size) "{\"op\":\"blob\",\"id\":8,\"digest\":\"" digest "\",\"size\":" size "}"

/* --- tests --- */

static void a_manifest_over_plain_http(void **state) {
        struct worker w = open_registry("");
        struct answer a = ask(&w, MANIFEST_JOB("latest"));

        assert_string_equal(json_get_str(a.event, "media_type", ""), "application/x");
        assert_string_equal(json_get_str(a.event, "digest", ""), harness_sum(MANIFEST, strlen(MANIFEST)));
        assert_int_equal(json_get_int(a.event, "id", 0), 7);
        expect_done(&a, MANIFEST, strlen(MANIFEST));
        assert_int_equal(harness_end(&w), 0);
}

static void plain_http_only_when_insecure(void **state) {
        struct worker w;
        struct answer a;

        if (userns < 0)
                skip();
        w = harness_start("fetch", userns);
        auto_free char *job = str_format("{\"op\":\"open\",\"registry\":\"127.0.0.1:%d\",\"repository\":\"a/b\"}", port);
        harness_send(&w, job, NULL, 0);
        a = ask(&w, MANIFEST_JOB("latest"));
        expect_error(&a, "unavailable", "cannot be reached");
        harness_end(&w);
}

static void digests_of_manifests_are_checked(void **state) {
        struct worker w = open_registry("");
        struct answer a = ask(&w, MANIFEST_JOB("lies"));

        assert_int_equal(a.size, 0);
        expect_error(&a, "invalid", "has another digest");
        a = ask(&w, MANIFEST_JOB(WHOLE));
        assert_int_equal(a.size, 0);
        expect_error(&a, "invalid", "has another digest");
        auto_free char *job = str_format("{\"op\":\"manifest\",\"id\":1,\"reference\":\"%s\"}", harness_sum(MANIFEST, strlen(MANIFEST)));
        a = ask(&w, job);
        expect_done(&a, MANIFEST, strlen(MANIFEST));
        a = ask(&w, MANIFEST_JOB("huge"));
        expect_error(&a, "too large", "is longer than");
        harness_end(&w);
}

#define PLACE_JOB(place, max) "{\"op\":\"place\",\"id\":7,\"place\":\"" place "\",\"accept\":[\"application/json\"],\"max\":" max "}"

static void a_place_is_what_the_registry_has_there(void **state) {
        struct worker w = open_registry("");
        struct answer a = ask(&w, PLACE_JOB("v1/search?q=a%20b&n=25", "1000"));

        expect_done(&a, "{\"results\":[]}", strlen("{\"results\":[]}"));
        a = ask(&w, PLACE_JOB("v2/_catalog?n=100", "1000"));
        expect_done(&a, "{\"repositories\":[\"a\"]}", strlen("{\"repositories\":[\"a\"]}"));
        a = ask(&w, PLACE_JOB("v2/_catalog?n=100", "10"));
        expect_error(&a, "too large", "is longer than");
        a = ask(&w, PLACE_JOB("v1/nothing", "1000"));
        expect_error(&a, "not found", "not found");
        harness_end(&w);
}

static void a_place_is_of_the_registry_and_of_a_bounded_size(void **state) {
        static const char *const rows[] = {
                PLACE_JOB("", "10"), PLACE_JOB("/v2/x", "10"), PLACE_JOB("v3/x", "10"), PLACE_JOB("v2/../secret", "10"), PLACE_JOB("http://other/v2/", "10"),
                PLACE_JOB("v2/x y", "10"), PLACE_JOB("v2/x\\r\\nX-A: b", "10"), PLACE_JOB("v2/x#y", "10"), PLACE_JOB("v2/@other", "10"), PLACE_JOB("v2/x", "0"),
                PLACE_JOB("v2/x", "-1"), PLACE_JOB("v2/x", "4194305"), "{\"op\":\"place\",\"id\":7}",
        };
        struct worker w = open_registry("");

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct answer a = ask(&w, rows[i]);

                print_message("# %s\n", rows[i]);
                assert_int_equal(a.size, 0);
                expect_error(&a, "invalid", "is not a place of a registry");
        }
        harness_end(&w);
}

static void refusals_have_kinds(void **state) {
        struct worker w = open_registry("");
        struct answer a = ask(&w, MANIFEST_JOB("missing"));

        expect_error(&a, "not found", "/a/b:missing: not found: manifest unknown");
        a = ask(&w, MANIFEST_JOB("denied"));
        expect_error(&a, "denied", "denies access");
        a = ask(&w, MANIFEST_JOB("basic"));
        expect_error(&a, "unauthorized", "wants some credentials: authentication required");
        a = ask(&w, "{\"op\":\"manifest\",\"id\":9,\"reference\":\"../../etc\"}");
        expect_error(&a, "invalid", "neither a tag nor a digest");
        a = ask(&w, "{\"op\":\"steal\",\"id\":9}");
        expect_error(&a, "invalid", "unknown job");
        a = ask(&w, MANIFEST_JOB("latest")); /* none of them has hurt the worker */
        expect_done(&a, MANIFEST, strlen(MANIFEST));
        harness_end(&w);
}

static void nobody_listens(void **state) {
        struct worker w;
        struct answer a;

        if (userns < 0)
                skip();
        w = harness_start("fetch", userns);
        harness_send(&w, "{\"op\":\"open\",\"registry\":\"127.0.0.1:1\",\"repository\":\"a/b\",\"insecure\":true}", NULL, 0);
        a = ask(&w, MANIFEST_JOB("latest"));
        expect_error(&a, "unavailable", "registry 127.0.0.1:1 cannot be reached: Failed to connect");
        harness_end(&w);
}

static void a_busy_registry_is_asked_again(void **state) {
        struct worker w = open_registry("");
        struct answer a = ask(&w, MANIFEST_JOB("busy"));

        expect_done(&a, MANIFEST, strlen(MANIFEST));
        assert_int_equal(counters->busy, 3);
        harness_end(&w);
}

static void a_broken_blob_is_resumed(void **state) {
        struct worker w = open_registry("");
        struct answer a = ask(&w, BLOB_JOB(WHOLE, "3145728"));

        expect_done(&a, blob, BLOB_SIZE);
        a = ask(&w, BLOB_JOB(BROKEN, "3145728"));
        expect_done(&a, blob, BLOB_SIZE);
        a = ask(&w, BLOB_JOB(STUBBORN, "3145728")); /* the server knows no ranges: the first half is skipped */
        expect_done(&a, blob, BLOB_SIZE);
        a = ask(&w, BLOB_JOB(TOO_LONG, "1000"));
        expect_error(&a, "invalid", "is longer than the 1000 bytes");
        harness_end(&w);
}

static void basic_credentials(void **state) {
        struct worker w = open_registry(",\"username\":\"me\",\"password\":\"secret\"");
        struct answer a = ask(&w, MANIFEST_JOB("basic"));

        expect_done(&a, MANIFEST, strlen(MANIFEST));
        harness_end(&w);
        w = open_registry(",\"username\":\"me\",\"password\":\"wrong\"");
        a = ask(&w, MANIFEST_JOB("basic"));
        expect_error(&a, "unauthorized", "wants other credentials");
        harness_end(&w);
}

static void tokens(void **state) {
        struct worker w = open_registry(",\"username\":\"me\",\"password\":\"secret\"");
        struct answer a = ask(&w, MANIFEST_JOB("bearer"));
        unsigned before = counters->tokens;

        expect_done(&a, MANIFEST, strlen(MANIFEST));
        a = ask(&w, MANIFEST_JOB("bearer"));
        expect_done(&a, MANIFEST, strlen(MANIFEST));
        assert_int_equal(counters->tokens, before); /* the first token was kept */
        harness_end(&w);

        w = open_registry(",\"identity_token\":\"idt+1\"");
        a = ask(&w, MANIFEST_JOB("bearer"));
        expect_done(&a, MANIFEST, strlen(MANIFEST));
        harness_end(&w);

        w = open_registry(",\"username\":\"me\",\"password\":\"wrong\"");
        a = ask(&w, MANIFEST_JOB("bearer"));
        expect_error(&a, "unauthorized", "credentials");
        harness_end(&w);
}

/* A token becomes part of a header, a realm gets the password: neither may be anything. */
static void hostile_realms(void **state) {
        struct worker w = open_registry(",\"username\":\"evil\",\"password\":\"x\"");
        struct answer a = ask(&w, MANIFEST_JOB("bearer"));

        expect_error(&a, "unavailable", "without a token");
        harness_end(&w);
        w = open_registry(",\"username\":\"me\",\"password\":\"secret\"");
        a = ask(&w, MANIFEST_JOB("far-realm"));
        expect_error(&a, "denied", "is not reached by TLS");
        harness_end(&w);
}

static void redirects(void **state) {
        struct worker w = open_registry(",\"username\":\"me\",\"password\":\"secret\"");
        struct answer a = ask(&w, MANIFEST_JOB("basic")); /* from here on, the password goes along */

        expect_done(&a, MANIFEST, strlen(MANIFEST));
        a = ask(&w, BLOB_JOB(ELSEWHERE, "6"));
        expect_done(&a, "clean!", 6);
        a = ask(&w, BLOB_JOB(CIRCLE, "6"));
        expect_error(&a, "unavailable", "more than 10 redirects");
        a = ask(&w, BLOB_JOB(TO_FILE, "6"));
        expect_error(&a, "unavailable", "may not be followed");
        harness_end(&w);
}

/* Many at once, with readers that take their time: the worker must hold back, not fill its memory. */
static void slow_readers(void **state) {
        enum { MANY = 6 };
        struct worker w = open_registry("");
        int ends[MANY][2], done = 0;

        for (int i = 0; i < MANY; i++) {
                auto_free char *job = str_format("{\"op\":\"blob\",\"id\":%d,\"digest\":\"%s\",\"size\":%d}", i, WHOLE, BLOB_SIZE);

                if (pipe2(ends[i], O_CLOEXEC) < 0)
                        abort();
                harness_send(&w, job, &ends[i][1], 1);
                close(ends[i][1]);
        }
        usleep(300000);
        for (int i = MANY - 1; i >= 0; i--) {
                auto_free char *body = NULL;
                size_t size;

                assert_int_equal(fd_read_file(ends[i][0], 64 << 20, &body, &size), 0);
                assert_int_equal(size, BLOB_SIZE);
                assert_memory_equal(body, blob, BLOB_SIZE);
                close(ends[i][0]);
        }
        while (done < MANY) {
                json_t *event = harness_result(&w);

                assert_non_null(event);
                assert_string_equal(json_get_str(event, "event", ""), "done");
                json_decref(event);
                done++;
        }
        harness_end(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_manifest_over_plain_http),
                cmocka_unit_test(plain_http_only_when_insecure),
                cmocka_unit_test(digests_of_manifests_are_checked),
                cmocka_unit_test(a_place_is_what_the_registry_has_there),
                cmocka_unit_test(a_place_is_of_the_registry_and_of_a_bounded_size),
                cmocka_unit_test(refusals_have_kinds),
                cmocka_unit_test(nobody_listens),
                cmocka_unit_test(a_busy_registry_is_asked_again),
                cmocka_unit_test(a_broken_blob_is_resumed),
                cmocka_unit_test(basic_credentials),
                cmocka_unit_test(tokens),
                cmocka_unit_test(hostile_realms),
                cmocka_unit_test(redirects),
                cmocka_unit_test(slow_readers),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
