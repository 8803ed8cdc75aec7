/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/template.h"

static const char *text_of(const char *format) {
        return strcmp(format, "json") == 0 ? "{{json .}}" : format;
}

int format_print(const char *format, const json_t *object, struct err *err) {
        struct template_mode mode = { .any_case = true, .no_control = isatty(STDOUT_FILENO) };
        struct template *t;
        auto_strbuf b = { 0 };
        int r = template_parse(text_of(format), &t, err);

        if (r < 0)
                return err_prefix(err, "--format");
        strbuf_init(&b, TEMPLATE_OUTPUT_MAX);
        r = template_run(t, object, &mode, &b, err);
        template_free(t);
        if (r < 0)
                return err_prefix(err, "--format");
        fwrite(b.data ? b.data : "", 1, b.size, stdout);
        putchar('\n');
        return 0;
}

int format_check(const char *format, struct err *err) {
        struct template *t;
        int r = template_parse(text_of(format), &t, err);

        if (r < 0)
                return err_prefix(err, "--format");
        template_free(t);
        return 0;
}
