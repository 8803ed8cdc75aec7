/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template.h"

static const char object[] = "{\"Name\":\"box\",\"N\":7,\"Zero\":0,\"Null\":null,\"Yes\":true,\"State\":{\"ExitCode\":7},\"List\":[\"a\",\"b\"],\"Labels\":{\"k\":\"v\"},"
                             "\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]},\"Uni\":\"h\\u00e9\\u001b\"}";

/* A refusal is one line with a position; what is taken runs in bounds, in every mode, and gives no control characters where none may come. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        auto_json *o = json_loads(object, 0, NULL), *calls = json_pack("{s:{s:s}}", "Label", "k", "v");
        const struct template_mode modes[] = { { 0 }, { .any_case = true, .no_control = true }, { .escapes = true, .heads = true, .calls = calls } };
        char *text = strndup((const char *) data, size);
        struct template *t;
        struct err err = { 0 };

        if (text && template_parse(text, &t, &err) == 0) {
                for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                        auto_strbuf b;

                        strbuf_init(&b, 1 << 20);
                        if (template_run(t, o, &modes[i], &b, &err) < 0)
                                FUZZ_REQUIRE(isdigit((unsigned char) err.msg[0]) && strchr(err.msg, ':'));
                        FUZZ_REQUIRE(b.size <= 1 << 20);
                        if (modes[i].no_control && !memchr(text, 0x1b, strlen(text)))
                                FUZZ_REQUIRE(b.size == 0 || !memchr(b.data, 0x1b, b.size));
                }
                template_free(t);
        } else if (text) {
                FUZZ_REQUIRE(err.kind == ERR_INVALID && isdigit((unsigned char) err.msg[0]) && !strchr(err.msg, '\n'));
        }
        free(text);
        return 0;
}
