/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "base/err.h"
#include "image/image.h"

/* What is accepted has no way out of a path, and is read as the same again from both of its written forms. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size), written[700];
        struct image_reference r, again;
        struct err err;

        if (text && image_reference_parse(text, &r, &err) == 0) {
                FUZZ_REQUIRE(!strstr(r.repository, "..") && r.repository[0] != '/' && *r.registry && *r.repository);
                FUZZ_REQUIRE(strspn(r.repository, "abcdefghijklmnopqrstuvwxyz0123456789._-/") == strlen(r.repository));
                FUZZ_REQUIRE(!strchr(r.tag, '/') && (*r.tag || *r.digest));
                FUZZ_REQUIRE(!*r.digest || image_digest_is_valid(r.digest));
                image_reference_familiar(&r, written, sizeof(written));
                FUZZ_REQUIRE(image_reference_parse(written, &again, &err) == 0 && memcmp(&r, &again, sizeof(r)) == 0);
                image_reference_canonical(&r, written, sizeof(written));
                FUZZ_REQUIRE(image_reference_parse(written, &again, &err) == 0 && memcmp(&r, &again, sizeof(r)) == 0);
        } else if (text) {
                FUZZ_REQUIRE(err.kind == ERR_INVALID && strstr(err.msg, "invalid reference format") && !strchr(err.msg, '\n'));
        }
        free(text);
        return 0;
}
