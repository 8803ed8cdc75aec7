/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

enum { AUTH_MAX = 32 * 1024 };

static int sextet(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Room for size * 3 / 4 bytes. -EINVAL for anything but whole, canonical base64. */
static int decode_base64(const char *text, size_t size, char *ret, size_t *ret_size) {
        uint32_t bits = 0;
        unsigned n_bits = 0;
        size_t n = 0, pad = 0;

        while (pad < 2 && size > 0 && text[size - 1] == '=') {
                size--;
                pad++;
        }
        if (pad > 0 && (size + pad) % 4 != 0)
                return -EINVAL;
        if (size % 4 == 1)
                return -EINVAL;
        for (size_t i = 0; i < size; i++) {
                int v = sextet(text[i]);

                if (v < 0)
                        return -EINVAL;
                bits = bits << 6 | (uint32_t) v;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        ret[n++] = (char) (bits >> n_bits);
                }
        }
        if (bits & ((1u << n_bits) - 1))
                return -EINVAL;
        *ret_size = n;
        return 0;
}

static char *copy_text(const json_t *object, const char *key) {
        const char *s = json_get_str(object, key, "");

        return *s ? strdup(s) : NULL;
}

int api_auth_decode(const char *header, struct api_auth *ret, struct err *err) {
        size_t size = header ? strlen(header) : 0, n;
        auto_free char *text = NULL;
        auto_json *object = NULL;
        int r;

        *ret = (struct api_auth) { 0 };
        if (size == 0)
                return 0;
        if (size > AUTH_MAX)
                return err_set(err, ERR_TOO_LARGE, -EFBIG, "X-Registry-Auth is longer than %d bytes", AUTH_MAX);
        text = malloc(size);
        if (!text)
                return err_errno(err, -ENOMEM, "X-Registry-Auth");
        r = decode_base64(header, size, text, &n);
        if (r < 0)
                return err_set(err, ERR_INVALID, r, "X-Registry-Auth is not base64");
        r = json_parse(text, n, AUTH_MAX, "X-Registry-Auth", &object, NULL);
        explicit_bzero(text, n);
        if (r < 0 || !json_is_object(object))
                return err_set(err, ERR_INVALID, -EINVAL, "X-Registry-Auth does not hold a JSON object");
        ret->username = copy_text(object, "username");
        ret->password = copy_text(object, "password");
        ret->identity_token = copy_text(object, "identitytoken");
        ret->server = copy_text(object, "serveraddress");
        return 0;
}

static void wipe(char *s) {
        if (s)
                explicit_bzero(s, strlen(s));
        free(s);
}

void api_auth_done(struct api_auth *a) {
        wipe(a->username);
        wipe(a->password);
        wipe(a->identity_token);
        wipe(a->server);
        *a = (struct api_auth) { 0 };
}
