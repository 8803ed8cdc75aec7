/* SPDX-License-Identifier: Apache-2.0 */
/* What a container asks for against what this host has. */

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/spec.h"

enum { LIST_MAX = 8192 }; /* more processors than any kernel is built for */

struct number_set {
        unsigned char bits[LIST_MAX / 8];
};

/* "0-3,8": digits, ranges and commas as the kernel writes and reads them. False: it is not such a list. */
static bool parse_list(const char *text, struct number_set *ret) {
        *ret = (struct number_set) {};
        while (*text && *text != '\n') {
                unsigned long first, last;
                char *end;

                if (!isdigit((unsigned char) *text))
                        return false;
                first = last = strtoul(text, &end, 10);
                if (*end == '-' && isdigit((unsigned char) end[1]))
                        last = strtoul(end + 1, &end, 10);
                if (last < first || last >= LIST_MAX)
                        return false;
                for (unsigned long i = first; i <= last; i++)
                        ret->bits[i / 8] |= (unsigned char) (1u << i % 8);
                text = end;
                if (*text == ',' && text[1])
                        text++;
                else if (*text && *text != '\n')
                        return false;
        }
        return true;
}

int spec_check_list(const char *wanted, const char *available, const char *what, const char *objects, struct err *err) {
        struct number_set asked, there;

        if (!parse_list(wanted, &asked))
                return err_set(err, ERR_INVALID, -EINVAL, "Invalid value %s for cpuset %s", wanted, what);
        if (!parse_list(available, &there))
                return 0; /* the kernel knows what it has, and will say so */
        for (size_t i = 0; i < sizeof(asked.bits); i++)
                if (asked.bits[i] & ~there.bits[i])
                        return err_set(err, ERR_INVALID, -EINVAL, "Requested %s are not available - requested %s, available: %.*s", objects, wanted,
                                       (int) strcspn(available, "\n"), available);
        return 0;
}

/* A host without that file has one of them. */
static char *read_online(const char *path) {
        char *text = NULL;

        return file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0 ? strdup("0") : text;
}

int spec_check_host(const struct spec *s, struct err *err) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        int r = 0;

        if (s->nano_cpus > cpus * 1000000000ll)
                return err_set(err, ERR_INVALID, -EINVAL, "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available", cpus, cpus);
        if (*s->cpuset_cpus) {
                auto_free char *online = read_online("/sys/devices/system/cpu/online");

                r = online ? spec_check_list(s->cpuset_cpus, online, "cpus", "CPUs", err) : err_errno(err, -ENOMEM, "cpuset");
        }
        if (r == 0 && *s->cpuset_mems) {
                auto_free char *online = read_online("/sys/devices/system/node/online");

                r = online ? spec_check_list(s->cpuset_mems, online, "mems", "memory nodes", err) : err_errno(err, -ENOMEM, "cpuset");
        }
        return r;
}

int spec_check_sources(const struct spec *s, struct err *err) {
        struct stat st;

        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];

                if (m->type == SPEC_MOUNT_BIND && !m->make_source && stat(m->source, &st) < 0)
                        return err_set(err, ERR_INVALID, -ENOENT, "invalid mount config for type \"bind\": bind source path does not exist: %s", m->source);
        }
        return 0;
}
