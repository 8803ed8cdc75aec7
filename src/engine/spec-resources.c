/* SPDX-License-Identifier: Apache-2.0 */
/* What the cgroup of a container gets besides the plain numbers: where it lies, limits per block device. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/spec.h"

enum { PARENT_MAX = 200, BLOCKS_MAX = 128, ANNOTATIONS_MAX = 1024, SIZE_LIMIT_MIN = 64 << 10 };

static const struct {
        const char *field, *key;
        int64_t min, max;
} kinds[] = {
        [SPEC_BLOCK_WEIGHT] = { "BlkioWeightDevice", "Weight", 10, 1000 },
        [SPEC_BLOCK_READ_BPS] = { "BlkioDeviceReadBps", "Rate", 1, INT64_MAX },
        [SPEC_BLOCK_WRITE_BPS] = { "BlkioDeviceWriteBps", "Rate", 1, INT64_MAX },
        [SPEC_BLOCK_READ_IOPS] = { "BlkioDeviceReadIOps", "Rate", 1, UINT32_MAX },
        [SPEC_BLOCK_WRITE_IOPS] = { "BlkioDeviceWriteIOps", "Rate", 1, UINT32_MAX },
};
_Static_assert(ARRAY_SIZE(kinds) == _SPEC_BLOCK_MAX, "every kind has its row");

/* Names that no file of a cgroup has: "cgroup.procs", "memory.max" and their like cannot be made as directories anyway. */
static bool is_part(const char *part) {
        size_t n = strlen(part);

        if (n > 100 || !strcmp(part, ".") || !strcmp(part, ".."))
                return false;
        for (; *part; part++)
                if (!isalnum((unsigned char) *part) && !strchr("_.-:@", *part))
                        return false;
        return true;
}

int spec_cgroup_parent(const char *text, char **ret) {
        auto_free char *copy = strdup(text);
        auto_strbuf b;
        char *save = NULL;

        strbuf_init(&b, PARENT_MAX);
        for (char *part = copy ? strtok_r(copy, "/", &save) : NULL; part; part = strtok_r(NULL, "/", &save)) {
                if (!is_part(part))
                        return -EINVAL;
                strbuf_addf(&b, "%s%s", b.size ? "/" : "", part);
        }
        if (!copy || strbuf_error(&b) == -ENOMEM)
                return -ENOMEM;
        if (strbuf_error(&b) < 0 || (*text && !b.size))
                return -EINVAL;
        *ret = b.size ? strbuf_take(&b, NULL) : NULL;
        return 0;
}

/* The same three lines for every kind of limit: a device, a number, both in their bounds. */
static int check_block(const json_t *item, size_t kind, struct err *err) {
        const char *path = json_get_str(item, "Path", "");
        int64_t value = json_get_int(item, kinds[kind].key, -1);

        if (*path != '/')
                return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.%s: '%s' is not an absolute path", kinds[kind].field, path);
        if (value < kinds[kind].min || value > kinds[kind].max)
                return err_set(err, ERR_INVALID, -ERANGE, "HostConfig.%s: %s of %s is out of range", kinds[kind].field, kinds[kind].key, path);
        return 0;
}

int spec_read_size(const char *what, const char *text, uint64_t *ret, struct err *err) {
        uint64_t bytes;

        if (spec_parse_bytes(text, &bytes) < 0)
                return err_set(err, ERR_INVALID, -EINVAL, "%s: \"%.64s\" is not a size such as 512m or 10G", what, text);
        if ((bytes && bytes < SIZE_LIMIT_MIN) || bytes > INT64_MAX)
                return err_set(err, ERR_INVALID, -ERANGE, "%s: \"%.64s\" is not between %dk and 8E", what, text, SIZE_LIMIT_MIN >> 10);
        *ret = bytes;
        return 0;
}

int spec_read_storage(struct spec *s, struct err *err) {
        const char *key;
        json_t *v;

        json_object_foreach(s->storage_opt, key, v) {
                int r;

                if (strcmp(key, "size") != 0)
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.StorageOpt: unknown option \"%.64s\": there is size", key);
                r = spec_read_size("HostConfig.StorageOpt: size", json_is_string(v) ? json_string_value(v) : "", &s->size_limit, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int spec_read_resources(struct spec *s, struct err *err) {
        auto_free char *parent = NULL;
        const char *key;
        json_t *v;
        size_t i;
        int r = spec_cgroup_parent(s->cgroup_parent, &parent);

        if (r < 0)
                return err_set(err, ERR_INVALID, r, "HostConfig.CgroupParent: \"%s\" is not a path of cgroups", s->cgroup_parent);
        if (s->blkio_weight && s->blkio_weight < 10)
                return err_set(err, ERR_INVALID, -ERANGE, "Range of blkio weight is from 10 to 1000");
        if (s->cpu_rt_period && s->cpu_rt_runtime > s->cpu_rt_period)
                return err_set(err, ERR_INVALID, -EINVAL, "cpu real-time runtime cannot be higher than cpu real-time period");
        if (json_object_size(s->annotations) > ANNOTATIONS_MAX)
                return err_set(err, ERR_TOO_LARGE, -E2BIG, "HostConfig.Annotations: more than %d", ANNOTATIONS_MAX);
        json_object_foreach(s->annotations, key, v)
                if (!*key || !json_is_string(v))
                        return err_set(err, ERR_INVALID, -EINVAL, "HostConfig.Annotations: %s", *key ? "a value is not a string" : "a name is empty");
        for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
                if (json_array_size(s->block_lists[kind]) > BLOCKS_MAX)
                        return err_set(err, ERR_TOO_LARGE, -E2BIG, "HostConfig.%s: more than %d", kinds[kind].field, BLOCKS_MAX);
                json_array_foreach(s->block_lists[kind], i, v)
                        if ((r = check_block(v, kind, err)) < 0)
                                return r;
        }
        return 0;
}

static int find_block(const json_t *item, size_t kind, struct spec_block *ret, struct err *err) {
        const char *path = json_get_str(item, "Path", "");
        struct stat st;

        if (stat(path, &st) < 0)
                return err_set(err, ERR_INVALID, -errno, "HostConfig.%s: %s: %s", kinds[kind].field, path, strerror(errno));
        if (!S_ISBLK(st.st_mode))
                return err_set(err, ERR_INVALID, -ENOTBLK, "HostConfig.%s: %s is not a block device", kinds[kind].field, path);
        *ret = (struct spec_block) { .kind = (int) kind, .major = major(st.st_rdev), .minor = minor(st.st_rdev), .value = json_get_int(item, kinds[kind].key, 0) };
        return 0;
}

int spec_find_block_devices(struct spec *s, struct err *err) {
        size_t n = 0, i;
        json_t *v;
        int r;

        for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
                n += json_array_size(s->block_lists[kind]);
        if (!n)
                return 0;
        s->blocks = reallocarray(s->blocks, n, sizeof(*s->blocks));
        if (!s->blocks)
                return err_errno(err, -ENOMEM, "limits of block devices");
        s->n_blocks = 0;
        for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
                json_array_foreach(s->block_lists[kind], i, v) {
                        if ((r = find_block(v, kind, &s->blocks[s->n_blocks], err)) < 0)
                                return r;
                        s->n_blocks++;
                }
        return 0;
}
