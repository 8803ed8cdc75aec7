/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "cli/client.h"

/* A server that answers one connection with fixed bytes, in pieces of `piece`. */
struct answer {
        char path[64];
        int listener;
        const char *text;
        size_t size, piece;
        pthread_t thread;
};

static void *serve(void *data) {
        struct answer *a = data;
        int c = accept(a->listener, NULL, NULL);
        char request[4096];

        if (read(c, request, sizeof(request)) > 0)
                for (size_t at = 0; at < a->size; at += a->piece) {
                        size_t n = a->size - at < a->piece ? a->size - at : a->piece;

                        if (write(c, a->text + at, n) < 0)
                                break;
                }
        close(c);
        return NULL;
}

static void answer_begin(struct answer *a, const char *text, size_t size, size_t piece, struct client *c, char host[80]) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(a->path, sizeof(a->path), "/tmp/kist-test-http.%d", getpid());
        unlink(a->path);
        a->listener = socket(AF_UNIX, SOCK_STREAM, 0);
        strcpy(address.sun_path, a->path);
        assert_int_equal(bind(a->listener, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(a->listener, 1), 0);
        a->text = text;
        a->size = size;
        a->piece = piece;
        pthread_create(&a->thread, NULL, serve, a);
        snprintf(host, 80, "unix://%s", a->path);
        *c = (struct client) { .host = host };
}

static void answer_end(struct answer *a) {
        pthread_join(a->thread, NULL);
        close(a->listener);
        unlink(a->path);
}

static int call(const char *text, size_t piece, json_t **ret, struct err *err) {
        auto_path path = { 0 };
        struct answer a;
        struct client c;
        char host[80];
        int r;

        answer_begin(&a, text, strlen(text), piece, &c, host);
        path_init(&path, "/x");
        path_query(&path, "key", "a b&c/ü");
        r = client_call(&c, "GET", &path, NULL, ret, err);
        answer_end(&a);
        return r;
}

static void test_bodies(void **state) {
        static const char *const answers[] = {
                "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;ext=1\r\n\":1}\r\n0\r\nTrailer: x\r\n\r\n",
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
                for (size_t piece = 1; piece < 100; piece += 7) {
                        auto_json *got = NULL;
                        struct err err = { 0 };

                        if (call(answers[i], piece, &got, &err) < 0)
                                fail_msg("answer %zu in pieces of %zu: %s", i, piece, err.msg);
                        assert_int_equal(json_get_int(got, "a", 0), 1);
                }
}

static void test_errors(void **state) {
        static const struct {
                const char *answer;
                enum err_kind kind;
                const char *message;
        } rows[] = {
                { "HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\n{\"message\":\"no\"}", ERR_NOT_FOUND, "no" },
                { "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", ERR_CONFLICT, "status 409" },
                { "HTTP/1.1 304 Not Modified\r\n\r\n", ERR_NOT_MODIFIED, "already" },
                { "SSH-2.0-hello\r\n", ERR_UNAVAILABLE, "does not speak HTTP" },
                { "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", ERR_UNAVAILABLE, "in the middle" },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_UNAVAILABLE, "chunked" },
                { "", ERR_UNAVAILABLE, "before it answered" },
                { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{\"a", ERR_INVALID, "JSON" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                auto_json *got = NULL;
                struct err err = { 0 };

                assert_true(call(rows[i].answer, 4096, &got, &err) < 0);
                assert_int_equal(err.kind, rows[i].kind);
                if (!strstr(err.msg, rows[i].message))
                        fail_msg("answer %zu: \"%s\"", i, err.msg);
        }
}

static int count_object(json_t *object, void *data) {
        *(int *) data += (int) json_get_int(object, "n", 0);
        return 0;
}

static void test_stream(void **state) {
        static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"n\":1}\r\n\r\n12\r\n{\"n\":2}\r\n\n{\"n\":4}\n\r\n0\r\n\r\n";

        for (size_t piece = 1; piece < 60; piece += 5) {
                auto_http h = { .fd = -EBADF };
                auto_path path = { 0 };
                struct err err = { 0 };
                struct answer a;
                struct client c;
                char host[80];
                int sum = 0;

                answer_begin(&a, text, sizeof(text) - 1, piece, &c, host);
                path_init(&path, "/events");
                assert_int_equal(client_open(&c, &h, "GET", &path, NULL, &err), 0);
                assert_int_equal(client_stream(&h, count_object, &sum, &err), 0);
                answer_end(&a);
                assert_int_equal(sum, 7);
        }
}

static void test_hijack_keeps_early_bytes(void **state) {
        static const char text[] = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly";
        auto_http h = { .fd = -EBADF };
        auto_path path = { 0 };
        struct err err = { 0 };
        struct answer a;
        struct client c;
        const char *early;
        char host[80];

        answer_begin(&a, text, sizeof(text) - 1, sizeof(text), &c, host);
        path_init(&path, "/attach");
        assert_int_equal(client_hijack(&c, &h, &path, NULL, &err), 0);
        assert_int_equal(http_hijack(&h, &early), 5);
        assert_memory_equal(early, "early", 5);
        answer_end(&a);
}

static void test_paths_are_escaped(void **state) {
        auto_path path = { 0 };

        path_init(&path, "/x");
        path_query(&path, "a", "b c&d=/");
        path_query(&path, "none", NULL);
        path_query_flag(&path, "yes", true);
        path_query_flag(&path, "no", false);
        assert_string_equal(path.text, CLIENT_API "/x?a=b%20c%26d%3D%2F&yes=1");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bodies), cmocka_unit_test(test_errors), cmocka_unit_test(test_stream),
                cmocka_unit_test(test_hijack_keeps_early_bytes), cmocka_unit_test(test_paths_are_escaped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
