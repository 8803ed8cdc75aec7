/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup/private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static const struct {
        const char *v1, *v2; /* NULL: v2 has no such controller */
        bool v2_built_in;    /* but can do what it does */
} names[_CONTROLLER_MAX] = {
        [CONTROLLER_CPU] = { "cpu", "cpu" },
        [CONTROLLER_CPUACCT] = { "cpuacct", NULL, true },
        [CONTROLLER_CPUSET] = { "cpuset", "cpuset" },
        [CONTROLLER_MEMORY] = { "memory", "memory" },
        [CONTROLLER_DEVICES] = { "devices", NULL, true },
        [CONTROLLER_FREEZER] = { "freezer", NULL, true },
        [CONTROLLER_IO] = { "blkio", "io" },
        [CONTROLLER_PIDS] = { "pids", "pids" },
        [CONTROLLER_HUGETLB] = { "hugetlb", "hugetlb" },
        [CONTROLLER_RDMA] = { "rdma", "rdma" },
        [CONTROLLER_MISC] = { "misc", "misc" },
        [CONTROLLER_NET_CLS] = { "net_cls", NULL },
        [CONTROLLER_NET_PRIO] = { "net_prio", NULL },
};

const char *controller_name(enum controller c, bool v2) {
        return v2 ? names[c].v2 : names[c].v1;
}

/* Controllers named in a list such as "rw,cpu,cpuacct" or "cpuset cpu io". */
static uint32_t controllers_in(const char *list, const char *separators, bool v2) {
        uint32_t found = 0;

        while (*list) {
                size_t n = strcspn(list, separators);

                for (enum controller c = 0; c < _CONTROLLER_MAX; c++) {
                        const char *name = controller_name(c, v2);

                        if (name && strlen(name) == n && memcmp(name, list, n) == 0)
                                found |= BIT(c);
                }
                list += n;
                list += strspn(list, separators);
        }
        return found;
}

static bool has_word(const char *list, const char *word) {
        size_t n = strlen(word);

        for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
                if (strncmp(list, word, n) == 0 && (list[n] == ',' || !list[n]))
                        return true;
        return false;
}

/* "36 25 0:31 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu", see proc(5). */
static bool parse_mount(char *line, struct mount_seen *ret) {
        char *rest = strstr(line, " - "), *mount_point = line, *type, *options, *save = NULL;

        if (!rest)
                return false;
        *rest = '\0';
        type = strtok_r(rest + 3, " ", &save);
        if (!type || (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0))
                return false;
        strtok_r(NULL, " ", &save); /* the source says nothing */
        options = strtok_r(NULL, " ", &save);
        for (int field = 0; field < 4; field++) {
                mount_point = strchr(mount_point, ' ');
                if (!mount_point)
                        return false;
                mount_point++;
        }
        mount_point[strcspn(mount_point, " ")] = '\0';
        str_unescape_octal(mount_point);
        ret->mount_point = mount_point;
        ret->v2 = strcmp(type, "cgroup2") == 0;
        ret->systemd = !ret->v2 && options && has_word(options, "name=systemd");
        ret->controllers = ret->v2 || !options ? 0 : controllers_in(options, ",", false);
        return true;
}

size_t mountinfo_find_cgroups(char *text, struct mount_seen *ret, size_t room) {
        size_t n = 0;
        char *save = NULL;

        for (char *line = strtok_r(text, "\n", &save); line && n < room; line = strtok_r(NULL, "\n", &save)) {
                struct mount_seen m;
                bool known = false;

                if (!parse_mount(line, &m))
                        continue;
                /* The same hierarchy may be mounted twice, for instance below a container's root: the first one counts. */
                for (size_t i = 0; i < n; i++)
                        known = known || (ret[i].v2 == m.v2 && ret[i].systemd == m.systemd && ret[i].controllers == m.controllers);
                if (!known)
                        ret[n++] = m;
        }
        return n;
}

static int add_hierarchy(struct cgroup_host *h, const struct mount_seen *m, struct err *err) {
        auto_fd fd = -EBADF;
        char controllers[512];
        int r;

        /* Hierarchies without a controller of ours (perf_event …) are not joined. */
        if (!m->v2 && !m->systemd && !m->controllers)
                return 0;
        fd = open(m->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, -errno, "cgroup hierarchy %s", m->mount_point);
        if (m->v2) {
                r = cgroup_file_read(fd, ".", "cgroup.controllers", controllers, sizeof(controllers));
                if (r < 0)
                        return err_errno(err, r, "%s/cgroup.controllers", m->mount_point);
                h->v2 = (struct hierarchy) { move_fd(fd), controllers_in(controllers, " \n", true) };
        } else if (h->n_v1 + h->n_rare >= EXEC_CGROUP_V1_MAX) {
                return 0;
        } else if (!(m->controllers & ~CONTROLLERS_RARE)) {
                h->rare[h->n_rare++] = (struct hierarchy) { move_fd(fd), m->controllers };
        } else {
                h->v1[h->n_v1++] = (struct hierarchy) { move_fd(fd), m->controllers };
        }
        return 0;
}

/* Cuts the text to pieces. */
static int open_from(char *text, struct cgroup_host **ret, struct err *err) {
        struct mount_seen seen[EXEC_CGROUP_V1_MAX + 1];
        struct cgroup_host *h = calloc(1, sizeof(*h));
        size_t n;

        if (!h)
                return err_errno(err, -ENOMEM, "cgroups of this host");
        h->v2.dir_fd = -EBADF;
        n = mountinfo_find_cgroups(text, seen, ARRAY_SIZE(seen));
        for (size_t i = 0; i < n; i++) {
                int r = add_hierarchy(h, &seen[i], err);

                if (r < 0) {
                        cgroup_host_free(h);
                        return r;
                }
        }
        *ret = h;
        return 0;
}

int cgroup_host_open(struct cgroup_host **ret, struct err *err) {
        enum { MOUNTINFO_MAX = 16 << 20 };
        auto_free char *text = NULL;
        int r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL);

        return r < 0 ? err_errno(err, r, "/proc/self/mountinfo") : open_from(text, ret, err);
}

int cgroup_host_open_from(const char *mountinfo, struct cgroup_host **ret, struct err *err) {
        auto_free char *text = strdup(mountinfo);

        return text ? open_from(text, ret, err) : err_errno(err, -ENOMEM, "/proc/self/mountinfo");
}

void cgroup_host_free(struct cgroup_host *h) {
        if (!h)
                return;
        for (size_t i = 0; i < h->n_v1; i++)
                fd_close(h->v1[i].dir_fd);
        for (size_t i = 0; i < h->n_rare; i++)
                fd_close(h->rare[i].dir_fd);
        fd_close(h->v2.dir_fd);
        free(h);
}

const char *cgroup_host_version(const struct cgroup_host *h) {
        const uint32_t main = BIT(CONTROLLER_CPU) | BIT(CONTROLLER_MEMORY) | BIT(CONTROLLER_PIDS);

        return host_has_v2(h) && (h->v2.controllers & main) == main ? "2" : "1";
}

bool cgroup_host_has(const struct cgroup_host *h, const char *controller) {
        for (enum controller c = 0; c < _CONTROLLER_MAX; c++) {
                bool named = strcmp(controller, names[c].v1) == 0 || (names[c].v2 && strcmp(controller, names[c].v2) == 0);

                if (!named)
                        continue;
                /* v2 has these without a controller of that name. */
                if (names[c].v2_built_in && host_has_v2(h))
                        return true;
                return (host_has_v2(h) && (h->v2.controllers & BIT(c))) || host_find_v1(h, c);
        }
        return false;
}

const struct hierarchy *host_find_v1(const struct cgroup_host *h, enum controller c) {
        for (size_t i = 0; i < h->n_v1; i++)
                if (h->v1[i].controllers & BIT(c))
                        return &h->v1[i];
        for (size_t i = 0; i < h->n_rare; i++)
                if (h->rare[i].controllers & BIT(c))
                        return &h->rare[i];
        return NULL;
}

const struct hierarchy *host_tracker(const struct cgroup_host *h) {
        const struct hierarchy *freezer = host_find_v1(h, CONTROLLER_FREEZER);

        if (host_has_v2(h))
                return &h->v2;
        return freezer ? freezer : h->n_v1 > 0 ? &h->v1[0] : NULL;
}

int cgroup_path_check(const char *path, struct err *err) {
        const char *part = path;

        if (strlen(path) >= CGROUP_FILE_MAX - 64)
                return err_set(err, ERR_INVALID, -ENAMETOOLONG, "cgroup path \"%.40s…\" is too long", path);
        while (part) {
                size_t n = strcspn(part, "/");
                bool dots = n > 0 && n < 3 && strspn(part, ".") >= n;

                if (n == 0 || n > NAME_MAX || dots)
                        return err_set(err, ERR_INVALID, -EINVAL, "cgroup path \"%s\" is not a plain relative path", path);
                for (size_t i = 0; i < n; i++)
                        if ((unsigned char) part[i] < ' ' || part[i] == 0x7f)
                                return err_set(err, ERR_INVALID, -EINVAL, "cgroup path \"%s\" has a control character", path);
                part = part[n] ? part + n + 1 : NULL;
        }
        return 0;
}
