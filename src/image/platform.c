/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/image.h"

/* What uname(2), Debian and people call an architecture → Go's name, and the variant that it implies. */
static const struct {
        const char *name, *arch, *variant;
} spellings[] = {
        { "x86_64", "amd64", "" }, { "x86-64", "amd64", "" },    { "aarch64", "arm64", "" },       { "armhf", "arm", "v7" },
        { "armv7l", "arm", "v7" }, { "armel", "arm", "v6" },     { "armv6l", "arm", "v6" },        { "i386", "386", "" },
        { "i686", "386", "" },     { "ppc64el", "ppc64le", "" }, { "loongarch64", "loong64", "" },
};

static void normalize(struct platform *p) {
        for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
                if (strcmp(p->arch, spellings[i].name) != 0)
                        continue;
                snprintf(p->arch, sizeof(p->arch), "%s", spellings[i].arch);
                if (!*p->variant)
                        snprintf(p->variant, sizeof(p->variant), "%s", spellings[i].variant);
        }
        /* The base variants go without saying. */
        if ((strcmp(p->arch, "arm64") == 0 && (strcmp(p->variant, "v8") == 0 || strcmp(p->variant, "8") == 0)) ||
            (strcmp(p->arch, "amd64") == 0 && strcmp(p->variant, "v1") == 0))
                *p->variant = '\0';
        if (strcmp(p->arch, "arm") == 0) {
                char digit = *p->variant;

                if (!*p->variant)
                        snprintf(p->variant, sizeof(p->variant), "v7");
                else if (isdigit((unsigned char) digit) && p->variant[1] == '\0')
                        snprintf(p->variant, sizeof(p->variant), "v%c", digit);
        }
}

static bool take_word(const char **text, char *ret, size_t size) {
        size_t n = strcspn(*text, "/");

        if (n == 0 || n >= size)
                return false;
        for (size_t i = 0; i < n; i++) {
                char c = (*text)[i];

                if (!isalnum((unsigned char) c) && c != '_' && c != '-' && c != '.')
                        return false;
                ret[i] = (char) tolower((unsigned char) c);
        }
        ret[n] = '\0';
        *text += n;
        return true;
}

int platform_parse(const char *text, struct platform *ret, struct err *err) {
        struct platform p = { 0 };
        const char *at = text;
        struct utsname uts;

        if (!text || !*text) {
                if (uname(&uts) < 0)
                        return err_errno(err, -errno, "uname");
                snprintf(p.os, sizeof(p.os), "linux");
                snprintf(p.arch, sizeof(p.arch), "%.*s", (int) sizeof(p.arch) - 1, uts.machine);
        } else if (!take_word(&at, p.os, sizeof(p.os)) || *at++ != '/' || !take_word(&at, p.arch, sizeof(p.arch)) ||
                   (*at == '/' && (at++, !take_word(&at, p.variant, sizeof(p.variant)))) || *at) {
                return err_set(err, ERR_INVALID, -EINVAL, "\"%s\" is not a platform: os/architecture[/variant], such as linux/amd64", text);
        }
        normalize(&p);
        *ret = p;
        return 0;
}

void platform_from_json(const json_t *object, struct platform *ret) {
        *ret = (struct platform) { 0 };
        snprintf(ret->os, sizeof(ret->os), "%s", json_get_str(object, "os", ""));
        snprintf(ret->arch, sizeof(ret->arch), "%s", json_get_str(object, "architecture", ""));
        snprintf(ret->variant, sizeof(ret->variant), "%s", json_get_str(object, "variant", ""));
        normalize(ret);
}

void platform_format(const struct platform *p, char *ret, size_t size) {
        snprintf(ret, size, "%s/%s%s%s", p->os, p->arch, *p->variant ? "/" : "", p->variant);
}

unsigned platform_score(const struct platform *want, const struct platform *have) {
        if (strcmp(want->os, have->os) != 0 || strcmp(want->arch, have->arch) != 0)
                return 0;
        if (strcmp(want->variant, have->variant) == 0)
                return 100;
        /* A newer ARM runs what was built for an older one. */
        if (strcmp(want->arch, "arm") == 0 && want->variant[0] == 'v' && have->variant[0] == 'v' && have->variant[1] >= '5' &&
            have->variant[1] < want->variant[1] && have->variant[2] == '\0')
                return (unsigned) (have->variant[1] - '0');
        /* No variant named: the base one serves any; a particular one might not run here. */
        return !*have->variant ? 1 : 0;
}

int image_check_platform(const struct image *image, const char *name, const char *platform, struct err *err) {
        char wanted[100], actual[100];
        struct platform want, have;
        int r = platform_parse(platform, &want, err);

        if (r < 0)
                return r;
        platform_from_json(image->config, &have);
        if (platform_score(&want, &have) > 0)
                return 0;
        platform_format(&want, wanted, sizeof(wanted));
        platform_format(&have, actual, sizeof(actual));
        return err_set(err, ERR_NOT_FOUND, -ENOENT, "image with reference %s was found but its platform (%s) does not match the specified platform (%s)", name, actual,
                       wanted);
}
