/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/timestamp.h"
#include "cli/commands.h"
#include "cli/container-body.h"

#define NS_PER_S 1000000000ll

/* What lacks its zone, or its seconds, or its clock. */
static bool parse_local(const char *text, int64_t *ret_ns) {
        static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

        for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
                struct tm t = { .tm_isdst = -1 };
                const char *end = strptime(text, forms[i], &t);
                time_t seconds;

                if (!end || *end)
                        continue;
                seconds = mktime(&t);
                if (seconds == (time_t) -1)
                        return false;
                *ret_ns = seconds * NS_PER_S;
                return true;
        }
        return false;
}

bool moment_parse(const char *text, char ret[32]) {
        size_t n = strspn(text, "0123456789");
        int64_t ns;

        if (n > 0 && n < 12 && (!text[n] || (text[n] == '.' && text[n + 1] && strlen(text + n + 1) <= 9 && strspn(text + n + 1, "0123456789") == strlen(text + n + 1)))) {
                snprintf(ret, 32, "%s", text);
                return true;
        }
        if (time_parse(text, &ns) < 0 && !parse_local(text, &ns)) {
                if (!parse_duration(text, &ns))
                        return false;
                ns = time_now_ns() - ns;
        }
        if (ns < 0)
                return false;
        snprintf(ret, 32, "%lld.%09lld", (long long) (ns / NS_PER_S), (long long) (ns % NS_PER_S));
        return true;
}

int path_query_moment(struct path *p, const struct args *a, const char *option) {
        const char *text = args_text(a, option);
        char value[32];

        if (!text)
                return 0;
        if (!moment_parse(text, value))
                return option_wrong(a, option, text, "not a time: Unix seconds, RFC 3339 or how long ago, as in 10m");
        path_query(p, option, value);
        return 0;
}
