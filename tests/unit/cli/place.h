/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A directory of the test's own, which is where config.json is looked for and the first place of PATH. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/config.h"

static char place[64];

static inline int place_make(void **state) {
        char path[4096];

        snprintf(place, sizeof(place), "/tmp/kist-test-cli.XXXXXX");
        if (!mkdtemp(place))
                return -1;
        snprintf(path, sizeof(path), "%s:%s", place, getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
        config_set_directory(place);
        return setenv("PATH", path, 1);
}

static inline int place_remove(void **state) {
        return path_remove_tree_at(AT_FDCWD, place);
}

static inline char *place_path(const char *name) {
        return str_format("%s/%s", place, name);
}

static inline void place_write(const char *name, const char *text, mode_t mode) {
        auto_free char *path = place_path(name);
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

/* "" when it is not there; the caller's. */
static inline char *place_read(const char *name) {
        auto_free char *path = place_path(name);
        char *text = NULL;
        size_t size;

        return file_read_at(AT_FDCWD, path, 1 << 20, &text, &size) < 0 ? strdup("") : text;
}

static inline int place_mode(const char *name) {
        auto_free char *path = place_path(name);
        struct stat st;

        return stat(path, &st) < 0 ? -1 : (int) (st.st_mode & 07777);
}
