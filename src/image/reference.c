/* SPDX-License-Identifier: Apache-2.0 */
/* Image references, by the grammar of the "distribution" project that all clients follow:
 *
 *     reference  = name [":" tag] ["@" digest]
 *     name       = [domain "/"] component ("/" component)*        at most 255 characters in all
 *     domain     = host [":" port];  host = dotted names, an IPv4 address, or "[" IPv6 "]"
 *     component  = [a-z0-9]+ (("." | "_" | "__" | "-"+) [a-z0-9]+)*
 *     tag        = [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 *
 * The first part of a name is a domain when it has a "." or a ":", is "localhost", or has an upper-case letter (which no component may
 * have); else the whole name lies in docker.io, and a single component there in "library/". */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/image.h"

#define DEFAULT_REGISTRY  "docker.io"
#define DEFAULT_NAMESPACE "library/"

enum { NAME_LENGTH_MAX = 255, TAG_LENGTH_MAX = 128 };

static bool is_lower_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(char c) {
        return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c) {
        return is_lower_alnum(c) || is_upper(c);
}

/* One or more of "." "_" "__" or dashes; 0 when there is no separator at `s`. */
static size_t separator_length(const char *s) {
        size_t n = strspn(s, "-");

        if (n > 0)
                return n;
        if (s[0] == '_')
                return s[1] == '_' ? 2 : 1;
        return s[0] == '.' ? 1 : 0;
}

static bool repository_is_valid(const char *s) {
        for (;;) {
                size_t n = 0;

                while (is_lower_alnum(*s))
                        s++, n++;
                if (n == 0)
                        return false;
                if (*s == '\0')
                        return true;
                n = *s == '/' ? 1 : separator_length(s);
                if (n == 0)
                        return false;
                s += n;
        }
}

static bool ipv6_is_valid(const char *s, size_t length) {
        size_t colons = 0;

        for (size_t i = 0; i < length; i++) {
                if (s[i] == ':')
                        colons++;
                else if (!isxdigit((unsigned char) s[i]))
                        return false;
        }
        return colons >= 2;
}

static bool host_is_valid(const char *s, size_t length) {
        if (length >= 2 && s[0] == '[' && s[length - 1] == ']')
                return ipv6_is_valid(s + 1, length - 2);
        for (size_t i = 0; i < length; i++) {
                bool edge = i == 0 || i + 1 == length || s[i - 1] == '.' || s[i + 1] == '.';

                if (!is_alnum(s[i]) && (edge || (s[i] != '-' && s[i] != '.')))
                        return false;
        }
        return length > 0;
}

static bool domain_is_valid(const char *s) {
        const char *bracket = strrchr(s, ']'), *colon = strrchr(bracket ? bracket : s, ':');
        size_t host = colon ? (size_t) (colon - s) : strlen(s);

        if (colon && (colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789")] != '\0'))
                return false;
        return host_is_valid(s, host);
}

static bool tag_is_valid(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n > TAG_LENGTH_MAX || !(is_alnum(s[0]) || s[0] == '_'))
                return false;
        for (size_t i = 1; i < n; i++)
                if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
                        return false;
        return true;
}

static bool is_domain(const char *s, size_t length) {
        if (length == 9 && strncmp(s, "localhost", 9) == 0)
                return true;
        for (size_t i = 0; i < length; i++)
                if (s[i] == '.' || s[i] == ':' || is_upper(s[i]))
                        return true;
        return false;
}

/* The name without tag and digest → registry and repository, with the defaults filled in. */
static const char *split_name(char *name, struct image_reference *r) {
        char *slash = strchr(name, '/');
        const char *registry = DEFAULT_REGISTRY, *space = "", *repository = name;

        if (slash && is_domain(name, (size_t) (slash - name))) {
                *slash = '\0';
                registry = name;
                repository = slash + 1;
                if (!domain_is_valid(registry))
                        return "the registry is not a host name";
                if (strcmp(registry, "index." DEFAULT_REGISTRY) == 0)
                        registry = DEFAULT_REGISTRY;
        }
        if (strcmp(registry, DEFAULT_REGISTRY) == 0 && !strchr(repository, '/'))
                space = DEFAULT_NAMESPACE;
        for (const char *c = repository; *c; c++)
                if (is_upper(*c))
                        return "the repository name must be lower case";
        if (!repository_is_valid(repository))
                return "the repository name may hold a-z, 0-9 and single separators";
        if (strlen(registry) + 1 + strlen(space) + strlen(repository) > NAME_LENGTH_MAX)
                return "the repository name is longer than 255 characters";
        snprintf(r->registry, sizeof(r->registry), "%s", registry);
        snprintf(r->repository, sizeof(r->repository), "%s%s", space, repository);
        return NULL;
}

static const char *parse(char *text, struct image_reference *r) {
        char *at = strchr(text, '@'), *tag, *slash;
        struct digest d;

        if (digest_parse_hex(text, &d))
                return "64 hexadecimal digits are an image id, not a name";
        if (at) {
                *at = '\0';
                if (!digest_parse(at + 1, &d))
                        return "the digest must be sha256: and 64 lower-case hexadecimal digits";
                digest_format(&d, r->digest);
        }
        slash = strrchr(text, '/');
        tag = strchr(slash ? slash : text, ':');
        if (tag) {
                *tag = '\0';
                if (!tag_is_valid(tag + 1))
                        return "the tag must be at most 128 of A-Z a-z 0-9 _ . - and not begin with . or -";
                snprintf(r->tag, sizeof(r->tag), "%s", tag + 1);
        } else if (!at) {
                snprintf(r->tag, sizeof(r->tag), "latest");
        }
        return split_name(text, r);
}

int image_reference_parse(const char *text, struct image_reference *ret, struct err *err) {
        /* The longest one that can be right: name, tag, digest and the two separators. */
        char copy[NAME_LENGTH_MAX + 1 + TAG_LENGTH_MAX + 1 + DIGEST_TEXT_SIZE];
        struct image_reference r = { 0 };
        const char *why;

        if (strlen(text) >= sizeof(copy))
                return err_set(err, ERR_INVALID, -EINVAL, "invalid reference format: %.64s… is too long", text);
        memcpy(copy, text, strlen(text) + 1);
        why = parse(copy, &r);
        if (why)
                return err_set(err, ERR_INVALID, -EINVAL, "invalid reference format: \"%s\": %s", text, why);
        *ret = r;
        return 0;
}

static void format(const char *registry, const char *repository, const struct image_reference *r, char *ret, size_t size) {
        snprintf(ret, size, "%s%s%s%s%s%s%s", registry, *registry ? "/" : "", repository, *r->tag ? ":" : "", r->tag, *r->digest ? "@" : "",
                 r->digest);
}

void image_reference_familiar(const struct image_reference *r, char *ret, size_t size) {
        const char *registry = r->registry, *repository = r->repository;

        if (strcmp(registry, DEFAULT_REGISTRY) == 0) {
                const char *slash;
                struct digest d;

                registry = "";
                if (str_starts_with(repository, DEFAULT_NAMESPACE) && !strchr(repository + strlen(DEFAULT_NAMESPACE), '/'))
                        repository += strlen(DEFAULT_NAMESPACE);
                /* What is written must be read as the same again: a first part like a domain, or a name like an id, stays whole. */
                slash = strchr(repository, '/');
                if ((slash && is_domain(repository, (size_t) (slash - repository))) || digest_parse_hex(repository, &d)) {
                        registry = r->registry;
                        repository = r->repository;
                }
        }
        format(registry, repository, r, ret, size);
}

void image_reference_canonical(const struct image_reference *r, char *ret, size_t size) {
        format(r->registry, r->repository, r, ret, size);
}

void image_registry_of_address(const char *address, char *ret, size_t size) {
        const char *scheme = strstr(address, "://");

        if (scheme)
                address = scheme + 3;
        snprintf(ret, size, "%.*s", (int) strcspn(address, "/"), address);
        if (!*ret || !strcmp(ret, "index.docker.io") || !strcmp(ret, "registry-1.docker.io"))
                snprintf(ret, size, "docker.io");
}
