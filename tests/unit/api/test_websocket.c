/* SPDX-License-Identifier: Apache-2.0 */

/* A server's end of a websocket, byte by byte. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/websocket.h"
#include "base/mem.h"
#include "base/str.h"

static char got[256];

static void on_got(const void *data, size_t size, void *arg) {
        assert_true(strlen(got) + size < sizeof(got));
        strncat(got, data, size);
}

static struct websocket *begin(void) {
        struct websocket *w = NULL;

        *got = '\0';
        assert_int_equal(websocket_new(on_got, NULL, &w), 0);
        return w;
}

/* A client's frame: the mask is four blanks. */
static size_t frame(unsigned char *ret, unsigned first, const char *text) {
        size_t n = strlen(text);

        ret[0] = (unsigned char) first;
        ret[1] = (unsigned char) (0x80 | n);
        memset(ret + 2, ' ', 4);
        for (size_t i = 0; i < n; i++)
                ret[6 + i] = (unsigned char) (text[i] ^ ' ');
        return 6 + n;
}

static void feed(struct websocket *w, unsigned first, const char *text) {
        unsigned char bytes[160];
        size_t n = frame(bytes, first, text);

        for (size_t i = 0; i < n; i++) /* cut everywhere */
                assert_int_equal(websocket_feed(w, bytes + i, 1), 0);
}

static void expect_output(struct websocket *w, const char *bytes, size_t size) {
        unsigned char out[256];
        size_t n = websocket_take(w, out, sizeof(out));

        assert_int_equal(n, size);
        assert_memory_equal(out, bytes, size);
}

static void messages_are_a_stream(void **state) {
        struct websocket *w = begin();

        feed(w, 0x01, "he"); /* text, to be continued */
        feed(w, 0x89, "ping"); /* between the parts */
        feed(w, 0x80, "llo");
        feed(w, 0x82, " you");
        assert_string_equal(got, "hello you");
        expect_output(w, "\x8a\x04ping", 6);
        assert_int_equal(websocket_say(w, "abc", 3, false), 0);
        assert_int_equal(websocket_say(w, "d", 1, true), 0);
        expect_output(w, "\x82\x03" "abc\x81\x01" "d", 8);
        websocket_free(w);
}

static void the_end_comes_after_what_was_said(void **state) {
        struct websocket *w = begin();
        char byte[2];

        assert_int_equal(websocket_say(w, "abc", 3, false), 0);
        websocket_say_end(w);
        assert_true(websocket_has_output(w));
        for (int i = 0; i < 5; i++)
                assert_int_equal(websocket_take(w, byte, 1), 1);
        expect_output(w, "\x88\x02\x03\xe8", 4);
        assert_false(websocket_is_over(w));
        feed(w, 0x88, "\x03\xe8");
        assert_true(websocket_is_over(w));
        assert_int_equal(websocket_say(w, "x", 1, false), -EPIPE);
        websocket_free(w);
}

static void breaks_of_rules_end_it(void **state) {
        static const struct {
                const char *bytes;
                size_t size;
                unsigned code;
        } rows[] = {
                { "\x82\x01x", 3, 1002 },                                          /* no mask */
                { "\xc2\x81\0\0\0\0x", 7, 1002 },                                  /* a reserved bit */
                { "\x83\x81\0\0\0\0x", 7, 1002 },                                  /* a reserved kind */
                { "\x80\x81\0\0\0\0x", 7, 1002 },                                  /* goes on with what was not begun */
                { "\x09\x80\0\0\0\0", 6, 0 },                                      /* a ping in parts; no reason is given where the frame itself is none */
                { "\x89\xfe\0\x7e\0\0\0\0", 8, 0 },                                /* a ping of 126 bytes */
                { "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 0 },  /* a length below zero */
                { "\x81\x81\0\0\0\0\xff", 7, 1007 },                               /* no UTF-8 */
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct websocket *w = begin();
                unsigned char out[128];
                size_t n;

                websocket_feed(w, rows[i].bytes, rows[i].size);
                n = websocket_take(w, out, sizeof(out));
                if (n < 2 || out[0] != 0x88 || (n >= 4 ? (unsigned) (out[2] << 8 | out[3]) : 0) != rows[i].code)
                        fail_msg("row %zu: %zu bytes, %02x, code %d", i, n, out[0], n >= 4 ? out[2] << 8 | out[3] : 0);
                assert_true(websocket_is_over(w));
                websocket_free(w);
        }
}

static void keys(void **state) {
        char accept[29];

        assert_true(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==", accept)); /* RFC 6455, 1.3 */
        assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_false(websocket_accept_key("", accept));
        assert_false(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ=", accept));
        assert_false(websocket_accept_key("dGhlIHNhbXBsZSBub25j!!==", accept));
        assert_false(websocket_accept_key("dGhlIHNhbXBsZSBub25jZWFh", accept)); /* 18 bytes */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(messages_are_a_stream),
                cmocka_unit_test(the_end_comes_after_what_was_said),
                cmocka_unit_test(breaks_of_rules_end_it),
                cmocka_unit_test(keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
