/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "worker/acl.h"
#include "worker/archive-source.h"
#include "worker/decode.h"
#include "worker/entry.h"

enum { PLAIN_MAX = 1 << 20, ENTRIES_MAX = 1000, BLOCKS_MAX = 10000 };

static bool has_part(const char *path, const char *part) {
        size_t n = strlen(part);

        for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
                if (strncmp(p, part, n) == 0 && (p[n] == '/' || !p[n]))
                        return true;
        return false;
}

/* However an entry is called: the plain path has no way out, and neither has what a whiteout makes of it. */
static void require_inside(const char *raw) {
        char path[ENTRY_PATH_SIZE];

        if (!raw || entry_path(raw, path) < 0)
                return;
        FUZZ_REQUIRE(*path != '/' && !has_part(path, "..") && !has_part(path, ".") && strlen(path) < ENTRY_PATH_SIZE);
        FUZZ_REQUIRE(!*path || !has_part(path, ""));
        if (entry_whiteout(path) == ENTRY_WHITEOUT)
                FUZZ_REQUIRE(*path && !has_part(path, "..") && !has_part(path, ".") && !has_part(path, ""));
}

/* However a list of access rights is written: what becomes of it is of a bounded size, whole entries in the kernel's order, and for numbers only. */
static void require_acl(struct archive_entry *e, bool by_default) {
        uint8_t value[ACL_SIZE_MAX];
        ssize_t size = acl_of_member(e, by_default, value);
        unsigned last = 0;

        FUZZ_REQUIRE(size == 0 || size == -E2BIG || (size > 4 && size <= ACL_SIZE_MAX && size % 8 == 4 && memcmp(value, "\2\0\0\0", 4) == 0));
        for (ssize_t at = 4; at < size; at += 8) {
                unsigned tag = value[at] | value[at + 1] << 8;

                FUZZ_REQUIRE(tag >= last && tag && !(tag & (tag - 1)) && tag <= 0x20 && value[at + 2] <= 7 && !value[at + 3]);
                if (tag == 2 || tag == 8)
                        FUZZ_REQUIRE(memcmp(value + at + 4, "\xff\xff\xff\xff", 4) != 0);
                last = tag;
        }
}

static void read_archive(const void *data, size_t size) {
        struct archive *a = archive_source_reader();
        struct archive_entry *e;
        int r;

        if (a && archive_read_open_memory(a, data, size) == ARCHIVE_OK)
                for (int entries = 0; entries < ENTRIES_MAX && ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN); entries++) {
                        const void *block, *value;
                        const char *name;
                        size_t n;
                        la_int64_t offset;

                        require_inside(archive_entry_pathname(e));
                        require_inside(archive_entry_hardlink(e));
                        require_acl(e, false);
                        require_acl(e, true);
                        archive_entry_xattr_reset(e);
                        while (archive_entry_xattr_next(e, &name, &value, &n) == ARCHIVE_OK)
                                ;
                        for (int blocks = 0; blocks < BLOCKS_MAX && archive_read_data_block(a, &block, &n, &offset) == ARCHIVE_OK; blocks++)
                                FUZZ_REQUIRE(n <= size);
                }
        archive_read_free(a);
}

/* The input as a layer: compressed as its first bytes say, or plain. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t plain[PLAIN_MAX];
        size_t at = 0, made_all = 0, used, made;
        struct decode *d;
        struct err err;

        if (decode_new(decode_detect(data, size), &d, &err) < 0)
                return 0;
        do {
                size_t piece = size - at < 1000 ? size - at : 1000;

                if (decode_run(d, data + at, piece, &used, plain + made_all, PLAIN_MAX - made_all, &made, &err) < 0) {
                        FUZZ_REQUIRE(err.kind == ERR_INVALID && *err.msg && !strchr(err.msg, '\n'));
                        break;
                }
                FUZZ_REQUIRE(used <= piece && made <= PLAIN_MAX - made_all);
                at += used;
                made_all += made;
        } while (used > 0 || made > 0);
        decode_free(d);
        read_archive(plain, made_all);
        return 0;
}
