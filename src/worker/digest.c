/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { SUM_SIZE = 32 };

struct digest {
        EVP_MD_CTX *ctx;
        bool begun;
};

struct digest *digest_new(void) {
        struct digest *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        d->ctx = EVP_MD_CTX_new();
        if (!d->ctx) {
                free(d);
                return NULL;
        }
        return d;
}

void digest_free(struct digest *d) {
        if (!d)
                return;
        EVP_MD_CTX_free(d->ctx);
        free(d);
}

static int begin(struct digest *d) {
        if (d->begun)
                return 0;
        if (EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
                return -EIO;
        d->begun = true;
        return 0;
}

int digest_add(struct digest *d, const void *data, size_t size) {
        int r = begin(d);

        if (r < 0)
                return r;
        return EVP_DigestUpdate(d->ctx, data, size) == 1 ? 0 : -EIO;
}

int digest_end(struct digest *d, char ret[DIGEST_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        unsigned char sum[SUM_SIZE];
        char *p = ret;
        int r = begin(d);

        if (r < 0)
                return r;
        if (EVP_DigestFinal_ex(d->ctx, sum, NULL) != 1)
                return -EIO;
        d->begun = false;
        p = stpcpy(p, "sha256:");
        for (size_t i = 0; i < SUM_SIZE; i++) {
                *p++ = digits[sum[i] >> 4];
                *p++ = digits[sum[i] & 15];
        }
        *p = '\0';
        return 0;
}

bool digest_hex_is_valid(const char *hex) {
        return strlen(hex) == 2 * SUM_SIZE && strspn(hex, "0123456789abcdef") == 2 * SUM_SIZE;
}

bool digest_is_valid(const char *text) {
        return str_starts_with(text, "sha256:") && digest_hex_is_valid(text + strlen("sha256:"));
}
