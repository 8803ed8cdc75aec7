/* SPDX-License-Identifier: Apache-2.0 */

/* Mounts as the container sees them, in /proc/self/mountinfo and by what can be done in them. This program lives in a mount namespace of its
 * own, so the host's mounts are not touched. */

#include <sys/syscall.h>
#include <time.h>

#include "base/mem.h"
#include "container.h"

/* A directory of the host with a file and a tmpfs in it, which has a file, too. */
struct tree {
        char dir[64], sub[80];
};

static void tree_init(struct tree *t, unsigned long propagation) {
        char path[128];

        strcpy(t->dir, "/tmp/kist-tree-XXXXXX");
        assert_non_null(mkdtemp(t->dir));
        assert_int_equal(mount("tmpfs", t->dir, "tmpfs", 0, "mode=777"), 0);
        assert_int_equal(mount(NULL, t->dir, NULL, propagation, NULL), 0);
        snprintf(t->sub, sizeof(t->sub), "%s/sub", t->dir);
        assert_int_equal(mkdir(t->sub, 0777), 0);
        assert_int_equal(mount("tmpfs", t->sub, "tmpfs", 0, "mode=777"), 0);
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/file", i ? t->sub : t->dir);
                close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        }
}

static void tree_done(struct tree *t) {
        assert_int_equal(umount2(t->sub, MNT_DETACH), 0);
        assert_int_equal(umount2(t->dir, MNT_DETACH), 0);
        assert_int_equal(rmdir(t->dir), 0);
}

static void bind_tree(struct container *c, const struct tree *t, const char *more) {
        json_t *m = json_pack("{s:s, s:s, s:s, s:[s]}", "destination", "/data", "type", "bind", "source", t->dir, "options", "rbind");
        auto_free char *words = strdup(more);
        char *rest = words, *word;

        while ((word = strsep(&rest, " ")))
                if (*word)
                        json_array_append_new(json_object_get(m, "options"), json_string(word));
        json_array_append_new(in_config(c, "mounts"), m);
}

/* Everything of the line of a mount but its numbers and names: options, propagation. "" when there is no such mount. */
static const char *line_of(const struct container *c, const char *target, char ret[512]) {
        auto_free char *copy = strdup(c->output);
        char *rest = copy, *line;

        *ret = '\0';
        while ((line = strsep(&rest, "\n"))) {
                char at[256];

                if (sscanf(line, "%*s %*s %*s %*s %255s %511[^\n]", at, ret) == 2 && strcmp(at, target) == 0)
                        return ret;
        }
        *ret = '\0';
        return ret;
}

static void run_with(const char *options, enum userns_mode mode, char top[512], char sub[512]) {
        struct container c;
        struct tree t;

        tree_init(&t, MS_SHARED);
        container_init(&c, mode, "cat /proc/self/mountinfo");
        bind_tree(&c, &t, options);
        assert_int_equal(container_run(&c), 0);
        line_of(&c, "/data", top);
        line_of(&c, "/data/sub", sub);
        container_done(&c);
        tree_done(&t);
}

static bool has(const char *line, const char *word) {
        size_t n = strlen(word);

        for (const char *at = line; (at = strstr(at, word)); at++)
                if ((at == line || at[-1] == ',' || at[-1] == ' ') && (at[n] == ',' || at[n] == ' ' || at[n] == ':'))
                        return true;
        return false;
}

/* What is said of the mount, and what of all below it. "!x": is not there. */
static void attributes_are_of_one_mount_or_of_all(void **state) {
        static const struct {
                const char *options, *top, *sub;
        } rows[] = {
                { "", "!nosuid", "rw" },
                { "ro", "ro", "!ro" },
                { "rro", "ro", "ro" },
                { "rro rw", "!ro", "ro" }, /* the mount's own word is the last */
                { "nosuid", "nosuid", "!nosuid" },
                { "rnosuid", "nosuid", "nosuid" },
                { "nodev", "nodev", "!nodev" },
                { "rnodev", "nodev", "nodev" },
                { "noexec", "noexec", "!noexec" },
                { "rnoexec", "noexec", "noexec" },
                { "nosymfollow", "nosymfollow", "!nosymfollow" },
                { "rnosymfollow", "nosymfollow", "nosymfollow" },
                { "nodiratime", "nodiratime", "!nodiratime" },
                { "rnodiratime", "nodiratime", "nodiratime" },
                { "noatime", "noatime", "!noatime" },
                { "rnoatime", "noatime", "noatime" },
                { "rnoatime relatime", "relatime", "noatime" },
                { "strictatime", "!relatime", "relatime" },
                { "rstrictatime", "!relatime", "!relatime" },
                { "rrelatime", "relatime", "relatime" },
                { "rnorelatime", "!relatime", "!relatime" },
                { "nosuid suid", "!nosuid", "!nosuid" },
                { "rro rrw", "!ro", "!ro" },
                { "rnosuid rsuid", "!nosuid", "!nosuid" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char top[512], sub[512];

                run_with(rows[i].options, i % 2 ? USERNS_BY_MAP : NO_USERNS, top, sub);
                for (int k = 0; k < 2; k++) {
                        const char *word = k ? rows[i].sub : rows[i].top, *line = k ? sub : top;

                        if (has(line, word + (*word == '!')) != (*word != '!'))
                                fail_msg("%s: %s is \"%s\"", rows[i].options, k ? "below" : "the mount", line);
                }
        }
}

/* Clearing what the host has set is for who may: not in a user namespace of its own. */
static void attributes_are_cleared(void **state) {
        struct mount_attr flags = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };
        struct container c;
        struct tree t;
        char line[512];

        tree_init(&t, MS_PRIVATE);
        assert_int_equal(mount_setattr(AT_FDCWD, t.dir, AT_RECURSIVE, &flags, sizeof(flags)), 0);
        container_init(&c, NO_USERNS, "cat /proc/self/mountinfo");
        bind_tree(&c, &t, "rrw exec");
        assert_int_equal(container_run(&c), 0);
        line_of(&c, "/data", line);
        assert_true(has(line, "rw") && !has(line, "noexec"));
        line_of(&c, "/data/sub", line);
        assert_true(has(line, "rw") && has(line, "noexec"));
        container_done(&c);
        tree_done(&t);
}

static void propagation_is_what_was_said(void **state) {
        static const struct {
                const char *options, *top, *sub;
        } rows[] = {
                { "", "-", "-" },
                { "rprivate", "-", "-" },
                { "rslave", "master", "master" },
                { "rshared", "shared", "shared" },
                { "unbindable", "unbindable", NULL },
                { "runbindable", "unbindable", "unbindable" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char top[512], sub[512];

                run_with(rows[i].options, NO_USERNS, top, sub);
                for (int k = 0; k < 2; k++) {
                        const char *word = k ? rows[i].sub : rows[i].top, *line = k ? sub : top;

                        if (!word)
                                continue;
                        if (strcmp(word, "-") == 0 ? has(line, "shared") || has(line, "master") || has(line, "unbindable") : !has(line, word))
                                fail_msg("%s: %s is \"%s\"", rows[i].options, k ? "below" : "the mount", line);
                }
        }
}

/* With rslave, what the host mounts later is seen; else it is not. */
static void later_mounts_of_the_host(void **state) {
        for (int slave = 0; slave < 2; slave++) {
                struct container c;
                struct tree t;
                char path[96];

                tree_init(&t, MS_SHARED);
                snprintf(path, sizeof(path), "%s/later", t.dir);
                assert_int_equal(mkdir(path, 0755), 0);
                container_init(&c, NO_USERNS, "grep -c /data/later /proc/self/mountinfo");
                bind_tree(&c, &t, slave ? "rslave" : "rprivate");
                c.options.notify_start = true;
                assert_int_equal(container_start(&c), 0);
                assert_int_equal(mount("tmpfs", path, "tmpfs", 0, NULL), 0);
                assert_int_equal(exec_release(&c.process, &c.err), 0);
                assert_int_equal(container_finish(&c), !slave);
                assert_string_equal(c.output, slave ? "1\n" : "0\n");
                container_done(&c);
                assert_int_equal(umount2(path, MNT_DETACH), 0);
                tree_done(&t);
        }
}

static void root_propagation_is_what_was_said(void **state) {
        static const struct {
                const char *word, *root, *proc; /* of "/" and of a mount below it */
        } rows[] = {
                { "private", "-", "-" },          { "rprivate", "-", "-" },           { "shared", "shared", "-" },
                { "rshared", "shared", "shared" }, { "slave", "master", "-" },        { "rslave", "master", "-" },
                { "unbindable", "unbindable", "-" }, { "runbindable", "unbindable", "unbindable" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct container c;

                container_init(&c, NO_USERNS, "cat /proc/self/mountinfo");
                assert_int_equal(mount(c.root, c.root, NULL, MS_BIND, NULL), 0);
                assert_int_equal(mount(NULL, c.root, NULL, MS_SHARED, NULL), 0);
                container_set(&c, "linux", "rootfsPropagation", json_string(rows[i].word));
                assert_int_equal(container_run(&c), 0);
                for (int k = 0; k < 2; k++) {
                        const char *word = k ? rows[i].proc : rows[i].root;
                        char line[512];

                        line_of(&c, k ? "/proc" : "/", line);
                        if (strcmp(word, "-") == 0 ? has(line, "shared") || has(line, "master") || has(line, "unbindable") : !has(line, word))
                                fail_msg("%s: %s is \"%s\"", rows[i].word, k ? "/proc" : "/", line);
                }
                assert_int_equal(umount2(c.root, MNT_DETACH), 0);
                container_done(&c);
        }
}

/* --- remount --- */

static void remount_changes_what_it_says(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++) {
                struct container c;
                char line[512];

                container_init(&c, mode, "touch /t/x; cat /proc/self/mountinfo");
                container_add_mount(&c, "{\"destination\":\"/t\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\"]}");
                container_add_mount(&c, "{\"destination\":\"/t\",\"type\":\"none\",\"source\":\"none\",\"options\":[\"remount\",\"bind\",\"ro\",\"noatime\"]}");
                assert_int_equal(container_run(&c), 0);
                assert_true(says(&c, "/t/x: Read-only file system"));
                line_of(&c, "/t", line);
                assert_true(has(line, "ro") && has(line, "noatime") && has(line, "nosuid"));
                container_done(&c);
        }
}

static void remount_of_what_is_no_mount_is_refused(void **state) {
        static const char *const targets[] = { "/nowhere", "/etc" };

        for (size_t i = 0; i < 2; i++) {
                struct container c;
                char mount_text[128];

                container_init(&c, NO_USERNS, "true");
                snprintf(mount_text, sizeof(mount_text), "{\"destination\":\"%s\",\"options\":[\"remount\",\"ro\"]}", targets[i]);
                container_add_mount(&c, mount_text);
                assert_true(container_start(&c) < 0);
                assert_non_null(strstr(c.err.msg, targets[i]));
                container_done(&c);
        }
}

/* --- tmpcopyup --- */

static void tmpfs_begins_with_a_copy(void **state) {
        for (enum userns_mode mode = 0; mode < _USERNS_MODES; mode++)
                for (int read_only = 0; read_only < 2; read_only++) {
                        struct container c;
                        char path[128];
                        int fd;

                        container_init(&c, mode, "cat /etc/sub/file; readlink /etc/link; stat -c '%a %F' /etc/sub /etc/sub/file; touch /etc/new 2>&1; grep -c ' /etc ' /proc/self/mountinfo");
                        snprintf(path, sizeof(path), "%s/etc/sub", c.root);
                        assert_int_equal(mkdir(path, 0751), 0);
                        assert_int_equal(chown(path, mode == USERNS_BY_MAP ? FIRST_ID : 0, 0), 0); /* the container's root must be able to read it */
                        snprintf(path, sizeof(path), "%s/etc/sub/file", c.root);
                        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
                        assert_int_equal(write(fd, "content\n", 8), 8);
                        assert_int_equal(fchmod(fd, 04755), 0);
                        close(fd);
                        snprintf(path, sizeof(path), "%s/etc/link", c.root);
                        assert_int_equal(symlink("/proc/self/environ", path), 0);
                        container_add_mount(&c, read_only ? "{\"destination\":\"/etc\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"ro\"]}"
                                                          : "{\"destination\":\"/etc\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"tmpcopyup\"]}");
                        assert_int_equal(container_run(&c), 0);
                        assert_true(says(&c, "content\n/proc/self/environ\n751 directory\n4755 regular file\n"));
                        assert_int_equal(strstr(c.output, "Read-only") != NULL, read_only);
                        snprintf(path, sizeof(path), "%s/etc/new", c.root);
                        assert_int_equal(access(path, F_OK), -1); /* the root is as it was */
                        container_done(&c);
                }
}

/* --- Ids --- */

static void user_namespace_of_several_ranges(void **state) {
        struct container c;
        char path[128];

        container_init(&c, USERNS_BY_MAP, "cat /proc/self/uid_map /proc/self/gid_map; stat -c '%u %g' /etc/first /etc/second /etc/none");
        container_set(&c, "linux", "uidMappings", json_pack("[{s:i,s:i,s:i},{s:i,s:i,s:i},{s:i,s:i,s:i}]", "containerID", 0, "hostID", FIRST_ID, "size", 10, "containerID", 10,
                                                            "hostID", FIRST_ID + 5000, "size", 20, "containerID", 1000, "hostID", FIRST_ID + 100, "size", 1));
        for (int i = 0; i < 3; i++) {
                static const char *const names[] = { "first", "second", "none" };
                static const uid_t ids[] = { FIRST_ID + 5001, FIRST_ID + 100, FIRST_ID + 99 };

                snprintf(path, sizeof(path), "%s/etc/%s", c.root, names[i]);
                close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
                assert_int_equal(chown(path, ids[i], FIRST_ID + 7), 0);
        }
        assert_int_equal(container_run(&c), 0);
        assert_true(says(&c, "         0    1000000         10\n        10    1005000         20\n      1000    1000100          1\n         0    1000000      65536\n"));
        assert_true(says(&c, "11 7\n1000 7\n65534 7\n"));
        container_done(&c);
}

/* "idmap" is for the mount, "ridmap" for all below it; without a user namespace, by the mount's own maps. */
static void idmap_of_one_mount_or_of_all(void **state) {
        for (int all = 0; all < 2; all++) {
                struct container c;
                struct tree t;

                tree_init(&t, MS_PRIVATE);
                container_init(&c, NO_USERNS, "stat -c %u /data/file /data/sub/file");
                bind_tree(&c, &t, all ? "ridmap" : "idmap");
                for (int i = 0; i < 2; i++)
                        json_object_set_new(json_array_get(in_config(&c, "mounts"), json_array_size(in_config(&c, "mounts")) - 1), i ? "gidMappings" : "uidMappings",
                                            json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 4321, "size", 1));
                assert_int_equal(container_run(&c), 0);
                assert_string_equal(c.output, all ? "4321\n4321\n" : "4321\n0\n");
                container_done(&c);
                tree_done(&t);
        }
}

/* --- Devices, namespaces, files --- */

static void devices_of_all_kinds(void **state) {
        struct container c;

        container_init(&c, NO_USERNS, "stat -c '%n %F %t:%T %a %u:%g' /dev/one /dev/two /dev/below/three /dev/four");
        container_set(&c, "linux", "devices",
                      json_loads("[{\"path\":\"/dev/one\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":432,\"uid\":5,\"gid\":6},"
                                 " {\"path\":\"/dev/two\",\"type\":\"b\",\"major\":7,\"minor\":9,\"fileMode\":384},"
                                 " {\"path\":\"/dev/below/three\",\"type\":\"p\",\"fileMode\":420,\"uid\":7},"
                                 " {\"path\":\"/dev/four\",\"type\":\"u\",\"major\":1,\"minor\":5}]", 0, NULL));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "/dev/one character special file 1:3 660 5:6\n/dev/two block special file 7:9 600 0:0\n"
                                      "/dev/below/three fifo 0:0 644 7:0\n/dev/four character special file 1:5 666 0:0\n");
        container_done(&c);
}

static void mount_namespace_is_joined_by_path(void **state) {
        struct container c;
        int ready[2];
        char path[64], expected[64] = "", byte;
        pid_t holder;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        holder = fork();
        if (holder == 0) {
                if (unshare(CLONE_NEWNS) == 0 && write(ready[1], "x", 1) == 1)
                        pause();
                _exit(1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", holder);
        assert_true(readlink(path, expected, sizeof(expected) - 1) > 0);
        container_init(&c, NO_USERNS, "readlink /proc/self/ns/mnt; ls -d /bin/busybox; ls -d /proc/self/root/usr 2>&1");
        json_object_set_new(json_array_get(json_object_get(in_config(&c, "linux"), "namespaces"), 0), "path", json_string(path));
        assert_int_equal(container_run(&c), 1);
        assert_true(says(&c, expected));
        assert_true(says(&c, "/bin/busybox\n"));
        assert_true(says(&c, "No such file")); /* its own root, not the holder's */
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
        container_done(&c);
}

static void missing_hidden_paths_are_no_error(void **state) {
        struct container c;

        container_init(&c, USERNS_BY_MAP, "echo fine");
        container_set(&c, "linux", "maskedPaths", json_pack("[s,s]", "/no/such", "/etc/no/such"));
        container_set(&c, "linux", "readonlyPaths", json_pack("[s,s]", "/no/such", "/proc/no/such"));
        assert_int_equal(container_run(&c), 0);
        assert_string_equal(c.output, "fine\n");
        container_done(&c);
}

static void clocks_run_ahead(void **state) {
        struct container c;
        struct timespec now;

        container_init(&c, USERNS_BY_MAP, "cat /proc/uptime");
        json_array_append_new(json_object_get(in_config(&c, "linux"), "namespaces"), json_pack("{s:s}", "type", "time"));
        container_set(&c, "linux", "timeOffsets", json_pack("{s:{s:i}, s:{s:i,s:i}}", "boottime", "secs", 500000, "monotonic", "secs", -1, "nanosecs", 5));
        assert_int_equal(container_run(&c), 0);
        clock_gettime(CLOCK_BOOTTIME, &now);
        assert_in_range(atol(c.output), now.tv_sec + 499900, now.tv_sec + 500001);
        container_done(&c);
}

/* --preserve-fds: the first two above the standard streams stay, and nothing else. */
static void files_are_kept_open(void **state) {
        struct container c;
        pid_t child = fork();

        if (child > 0) {
                assert_int_equal(wait_status(child), 0);
                return;
        }
        /* In a process of its own, where 3 and 4 can be anything. */
        container_init(&c, USERNS_BY_MAP, "ls /proc/self/fd; cat <&3; exit 7");
        for (int i = 0; i < 2; i++) /* away from 3 and 4 */
                c.out[i] = fcntl(c.out[i], F_DUPFD_CLOEXEC, 20);
        c.fds.stdio[1] = c.fds.stdio[2] = c.out[1];
        syscall(SYS_close_range, 3, 19, 0);
        {
                int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

                if (fd != 3 || write(fd, "kept\n", 5) != 5 || lseek(fd, 0, SEEK_SET) != 0 || dup(fd) != 4)
                        _exit(1);
        }
        c.fds.preserve = 2;
        if (container_run(&c) != 7 || !says(&c, "0\n1\n2\n3\n4\n5\nkept\n"))
                _exit(2);
        fd_close(c.fds.plan);
        c.fds.preserve = 2000;
        if (plan_container(c.config, &c.options, &c.fds.plan, &c.err) < 0 || exec_container(&c.fds, &c.process, &c.err) >= 0 || !strstr(c.err.msg, "not as many are open"))
                _exit(3);
        c.process.pid = 0;
        container_done(&c);
        _exit(0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(attributes_are_of_one_mount_or_of_all),
                cmocka_unit_test(attributes_are_cleared),
                cmocka_unit_test(propagation_is_what_was_said),
                cmocka_unit_test(later_mounts_of_the_host),
                cmocka_unit_test(root_propagation_is_what_was_said),
                cmocka_unit_test(remount_changes_what_it_says),
                cmocka_unit_test(remount_of_what_is_no_mount_is_refused),
                cmocka_unit_test(tmpfs_begins_with_a_copy),
                cmocka_unit_test(user_namespace_of_several_ranges),
                cmocka_unit_test(idmap_of_one_mount_or_of_all),
                cmocka_unit_test(devices_of_all_kinds),
                cmocka_unit_test(mount_namespace_is_joined_by_path),
                cmocka_unit_test(missing_hidden_paths_are_no_error),
                cmocka_unit_test(clocks_run_ahead),
                cmocka_unit_test(files_are_kept_open),
        };

        if (geteuid() != 0 || (access("/bin/busybox", X_OK) != 0 && access("/usr/bin/busybox", X_OK) != 0)) {
                print_message("1..0 # SKIP needs root and busybox-static\n");
                return 0;
        }
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, remove_what_is_left);
}
