/* SPDX-License-Identifier: Apache-2.0 */
/* certs.d: authorities to be trusted, and certificates of ours to be shown, for one registry each. */
#include "image/registries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

enum { PEM_MAX = 24 << 10 }; /* all go to the worker in one message */

void registry_certs_done(struct registry_certs *c) {
        if (c->key)
                explicit_bzero(c->key, strlen(c->key));
        free(take_ptr(&c->ca));
        free(take_ptr(&c->cert));
        free(take_ptr(&c->key));
}

static bool ends_with(const char *name, const char *end) {
        size_t n = strlen(name), m = strlen(end);

        return n > m && strcmp(name + n - m, end) == 0;
}

static int read_pem(int dir_fd, const char *name, const char *where, char **ret, struct err *err) {
        int r = file_read_at(dir_fd, name, PEM_MAX, ret, NULL);

        return r < 0 ? err_errno(err, r, "certificates of registries: %s/%s", where, name) : 0;
}

static int add_authorities(int dir_fd, const char *name, const char *where, struct registry_certs *c, struct err *err) {
        auto_free char *text = NULL;
        char *both;
        int r = read_pem(dir_fd, name, where, &text, err);

        if (r < 0)
                return r;
        both = str_format("%s%s%s", c->ca ? c->ca : "", c->ca ? "\n" : "", text);
        if (!both)
                return err_errno(err, -ENOMEM, "certificates of registries");
        free(c->ca);
        c->ca = both;
        return strlen(both) > PEM_MAX ? err_set(err, ERR_TOO_LARGE, -EFBIG, "certificates of registries: %s: more than %d bytes", where, PEM_MAX) : 0;
}

static int read_pair(int dir_fd, const char *name, const char *where, struct registry_certs *c, struct err *err) {
        auto_free char *key = str_format("%.*s.key", (int) (strlen(name) - strlen(".cert")), name);
        int r = key ? read_pem(dir_fd, name, where, &c->cert, err) : err_errno(err, -ENOMEM, "certificates of registries");

        return r < 0 ? r : read_pem(dir_fd, key, where, &c->key, err);
}

static int read_directory(const char *where, struct registry_certs *c, struct err *err) {
        DIR *dir = opendir(where);
        struct dirent *d;
        int r = 0;

        if (!dir)
                return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, -errno, "certificates of registries: %s", where);
        while (r >= 0 && (d = readdir(dir))) {
                if (ends_with(d->d_name, ".crt"))
                        r = add_authorities(dirfd(dir), d->d_name, where, c, err);
                else if (ends_with(d->d_name, ".cert") && !c->cert)
                        r = read_pair(dirfd(dir), d->d_name, where, c, err);
        }
        closedir(dir);
        return r;
}

int registries_read_certs(const struct registries *r, const char *registry, struct registry_certs *ret, struct err *err) {
        struct registry_certs c = { 0 };
        const json_t *item;
        size_t i;

        /* A reference's grammar has neither; it is the path of a file here. */
        if (!r || strchr(registry, '/') || *registry == '.')
                return 0;
        json_array_foreach(registries_certs_dirs(r), i, item) {
                auto_free char *where = str_format("%s/%s", json_string_value(item), registry);
                int e = where ? read_directory(where, &c, err) : err_errno(err, -ENOMEM, "certificates of registries");

                if (e < 0) {
                        registry_certs_done(&c);
                        return e;
                }
        }
        *ret = c;
        return 0;
}
