/* SPDX-License-Identifier: Apache-2.0 */

/* What src/storage/overlay-detached.c relies on.
 *
 * - An overlay can be made of idmapped clones of its layers (Linux 5.19), given by fd (6.13; O_PATH fds: 6.15), without any mount in the
 *   mount table; a process of the user namespace attaches it in its own mount namespace.
 * - It must be made with the fsuid and fsgid of the namespace's root, capabilities kept: else the work directory cannot be made.
 * - Root in the namespace then makes and chowns files that have plain ids on disk; set-id bits work; deleting leaves a 0:0 whiteout.
 * - File capabilities that the image has on disk (root id 0 or none) hold in the namespace, and those set there land with root id 0.
 * - Nothing but the mount's fd is needed after it is made; the last close unmounts it. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { FIRST = 700000, COUNT = 65536 };

static char base[] = "/var/tmp/kist-overlay-XXXXXX";

/* struct vfs_cap_data of revision 2: cap_net_raw, effective and permitted; as written on disk, whatever this machine's byte order. */
static const unsigned char net_raw[20] = { 1, 0, 0, 2, 0, 0x20 };

static void put(int at, const char *name, uid_t uid, mode_t mode) {
        int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK(write(fd, name, strlen(name)) > 0);
        CHECK(fchown(fd, uid, uid) == 0);
        CHECK(fchmod(fd, mode) == 0);
        close(fd);
}

/* A user namespace by a child that does nothing but wait in it. */
static int make_userns(void) {
        int up[2], down[2], fd;
        char path[64], map[64], c;
        pid_t pid;

        CHECK(pipe2(up, O_CLOEXEC) == 0 && pipe2(down, O_CLOEXEC) == 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                c = unshare(CLONE_NEWUSER) == 0;
                if (write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1)
                        _exit(1);
                _exit(0);
        }
        CHECK(read(up[0], &c, 1) == 1);
        if (!c)
                SKIP("no user namespaces");
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
                snprintf(map, sizeof(map), "0 %d %d", FIRST, COUNT);
                fd = open(path, O_WRONLY | O_CLOEXEC);
                CHECK(fd >= 0 && write(fd, map, strlen(map)) > 0);
                close(fd);
        }
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        CHECK(write(down[1], "x", 1) == 1);
        waitpid(pid, NULL, 0);
        close(up[0]), close(up[1]), close(down[0]), close(down[1]);
        return fd;
}

static int clone_idmapped(const char *name, int userns) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned) userns };
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", base, name);
        fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        CHECK(fd >= 0);
        if (userns >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
                SKIP("%s cannot be idmapped: %s", base, strerror(errno));
        return fd;
}

/* -errno of FSCONFIG_CMD_CREATE, or the detached mount. */
static int make_overlay(int userns, const char *container, bool as_root_of_userns) {
        static const char *const lowers[] = { "top", "bottom" }, *const dirs[] = { "upper", "work" };
        int fs = fsopen("overlay", FSOPEN_CLOEXEC), clone, fd, lower[2], r, bits = prctl(PR_GET_SECUREBITS);

        if (fs < 0)
                SKIP("no overlay file system");
        for (int i = 0; i < 2; i++) {
                lower[i] = clone_idmapped(lowers[i], userns);
                if (fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, lower[i]) < 0)
                        SKIP("layers cannot be given by O_PATH fd (before Linux 6.15)");
        }
        clone = clone_idmapped(container, userns);
        for (int i = 0; i < 2; i++) {
                fd = openat(clone, dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
                CHECK(fsconfig(fs, FSCONFIG_SET_FD, i ? "workdir" : "upperdir", NULL, fd) == 0);
                close(fd);
        }
        if (as_root_of_userns) {
                CHECK(prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP) == 0);
                setfsgid(FIRST), setfsuid(FIRST);
        }
        r = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
        if (as_root_of_userns) {
                setfsgid(0), setfsuid(0);
                CHECK(prctl(PR_SET_SECUREBITS, bits) == 0);
        }
        if (r == 0) {
                r = fsmount(fs, FSMOUNT_CLOEXEC, 0);
                CHECK(r >= 0);
        }
        /* Not earlier: closing a detached mount's fd unmounts it, and overlayfs clones its layers' mounts only now. */
        close(fs), close(clone), close(lower[0]), close(lower[1]);
        return r;
}

static void enter_root(int userns, int overlay) {
        if (userns >= 0)
                CHECK(setns(userns, CLONE_NEWUSER) == 0);
        CHECK(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
        CHECK(unshare(CLONE_NEWNS) == 0);
        CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        CHECK(move_mount(overlay, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH) == 0);
        CHECK(chdir("/mnt") == 0 && chroot(".") == 0);
}

/* As root of the container. */
static void use(int userns, int overlay) {
        unsigned char cap[64];
        struct stat st;
        int fd;

        enter_root(userns, overlay);
        CHECK(stat("/", &st) == 0 && st.st_uid == 0);
        CHECK(stat("/plain", &st) == 0 && st.st_uid == 0);
        CHECK(stat("/owned", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1000);
        put(AT_FDCWD, "/made", 0, 0644);
        put(AT_FDCWD, "/given", 33, 0640);
        put(AT_FDCWD, "/setid", 0, 06755);
        CHECK(chown("/owned", 7, 8) == 0); /* copies it up */
        CHECK(unlink("/plain") == 0 && access("/plain", F_OK) < 0);
        CHECK(unlink("/dir/inner") == 0 && rmdir("/dir") == 0 && mkdir("/dir", 0755) == 0);
        CHECK(access("/dir/inner", F_OK) < 0); /* an opaque directory */
        CHECK(rename("/moved", "/elsewhere") < 0 && errno == EXDEV);
        CHECK(rename("/made", "/renamed") == 0);
        CHECK(setxattr("/renamed", "user.kist", "1", 1, 0) == 0);
        fd = open("/renamed", O_RDWR | O_APPEND);
        CHECK(fd >= 0 && write(fd, "!", 1) == 1 && fsync(fd) == 0);
        CHECK(setxattr("/renamed", "security.capability", net_raw, sizeof(net_raw), 0) == 0);
        CHECK(getxattr("/capable-true", "security.capability", cap, sizeof(cap)) >= (ssize_t) sizeof(net_raw));
        if (fork() == 0) {
                char *const argv[] = { "capable", NULL };

                CHECK(setresuid(33, 33, 33) == 0);
                execv("/capable-true", argv);
                _exit(2);
        }
        CHECK(wait(&fd) > 0 && WIFEXITED(fd) && WEXITSTATUS(fd) == 0);
        /* A set-id file that is run by another user of the namespace. */
        if (fork() == 0) {
                char *const argv[] = { "whoami", NULL };

                CHECK(setresuid(33, 33, 33) == 0);
                execv("/setid-true", argv);
                _exit(2);
        }
        CHECK(wait(&fd) > 0 && WIFEXITED(fd) && WEXITSTATUS(fd) == 0);
}

static void run_in_child(void (*fn)(int, int), int userns, int overlay) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                fn(userns, overlay);
                _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void look_at_disk(int dir) {
        struct stat st;

        CHECK(fstatat(dir, "renamed", &st, 0) == 0 && st.st_uid == 0 && st.st_gid == 0 && st.st_size == 6);
        CHECK(fstatat(dir, "given", &st, 0) == 0 && st.st_uid == 33 && (st.st_mode & 07777) == 0640);
        CHECK(fstatat(dir, "setid", &st, 0) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == 06755);
        CHECK(fstatat(dir, "owned", &st, 0) == 0 && st.st_uid == 7 && st.st_gid == 8);
        CHECK(fstatat(dir, "plain", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void look_at_capability(int dir) {
        int fd = openat(dir, "renamed", O_RDONLY | O_CLOEXEC);
        unsigned char cap[64];
        ssize_t n = fgetxattr(fd, "security.capability", cap, sizeof(cap));

        /* Revision 2 has no root id, revision 3 has it in the last four bytes. */
        CHECK(n == 20 || (n == 24 && memcmp(cap + 20, "\0\0\0\0", 4) == 0));
        CHECK(cap[5] == 0x20);
        close(fd);
}

static int count_mounts(void) {
        FILE *f = fopen("/proc/self/mountinfo", "re");
        int n = 0, c;

        while ((c = getc(f)) != EOF)
                n += c == '\n';
        fclose(f);
        return n;
}

/* This program is the set-id program in the container: statically linked, it needs nothing there. */
static void install_self(int at, const char *name, mode_t mode) {
        int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = openat(at, name, O_RDWR | O_CREAT | O_CLOEXEC, 0755);
        char buf[65536];
        ssize_t n;

        CHECK(in >= 0 && out >= 0);
        while ((n = read(in, buf, sizeof(buf))) > 0)
                CHECK(write(out, buf, (size_t) n) == n);
        CHECK(fchmod(out, mode) == 0);
        if (mode == 0755)
                CHECK(fsetxattr(out, "security.capability", net_raw, sizeof(net_raw), 0) == 0);
        close(in), close(out);
}

static void make_tree(void) {
        static const char *const dirs[] = { "bottom", "bottom/dir", "bottom/moved", "top", "c1", "c1/upper", "c1/work", "c2", "c2/upper", "c2/work",
                "c3", "c3/upper", "c3/work" };
        int at;

        CHECK(mkdtemp(base));
        CHECK(chmod(base, 0755) == 0);
        at = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
                CHECK(mkdirat(at, dirs[i], 0755) == 0);
        put(at, "bottom/plain", 0, 0644);
        put(at, "bottom/dir/inner", 0, 0644);
        put(at, "top/owned", 1000, 0644);
        close(at);
        at = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(at >= 0);
        int top = openat(at, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        install_self(top, "setid-true", 04755);
        install_self(top, "capable-true", 0755);
        close(top), close(at);
}

static void remove_tree(void) {
        pid_t pid = fork();

        if (pid == 0) {
                execlp("rm", "rm", "-rf", "--", base, NULL);
                _exit(1);
        }
        waitpid(pid, NULL, 0);
}

static void prove(int userns, const char *container) {
        int overlay = make_overlay(userns, container, userns >= 0), dir, before = count_mounts();
        char path[128];

        CHECK(overlay >= 0);
        CHECK(count_mounts() == before);
        run_in_child(use, userns, overlay);
        close(overlay);
        snprintf(path, sizeof(path), "%s/%s/upper", base, container);
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(dir >= 0);
        look_at_disk(dir);
        look_at_capability(dir);
        close(dir);
}

static bool has_net_raw(void) {
        struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };

        return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & 1u << CAP_NET_RAW);
}

int main(int argc __attribute__((unused)), char **argv) {
        int userns, r;
        struct stat st;

        if (strcmp(argv[0], "whoami") == 0)
                return geteuid() == 0 && getuid() == 33 ? 0 : 1;
        if (strcmp(argv[0], "capable") == 0)
                return geteuid() == 33 && prctl(PR_CAPBSET_READ, CAP_NET_RAW) == 1 && has_net_raw() ? 0 : 1;
        if (geteuid() != 0)
                SKIP("needs root");
        make_tree();
        atexit(remove_tree);
        userns = make_userns();
        prove(userns, "c1");
        prove(-1, "c2");
        /* Without the ids: refused, or read-only and useless. */
        r = make_overlay(userns, "c3", false);
        if (r >= 0) {
                CHECK(mkdirat(r, "x", 0755) < 0 && (errno == EROFS || errno == EOVERFLOW));
                close(r);
        } else {
                CHECK(r == -EOVERFLOW);
        }
        CHECK(stat(base, &st) == 0);
        puts("overlays of idmapped layers work as relied on");
        return 0;
}
