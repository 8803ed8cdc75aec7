/* SPDX-License-Identifier: Apache-2.0 */

/* The daemon's options, configuration file, sockets and locks. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "kistd/listen.h"
#include "kistd/options.h"
#include "kistd/process.h"

static char directory[64];

static int make_directory(void **state) {
        snprintf(directory, sizeof(directory), "/tmp/kist-test-kistd-XXXXXX");
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
        return path_remove_tree_at(AT_FDCWD, directory);
}

static char *in_directory(const char *name) {
        static char path[4][128];
        static int i;

        i = (i + 1) % 4;
        snprintf(path[i], sizeof(path[i]), "%s/%s", directory, name);
        return path[i];
}

/* args end with NULL. The configuration file has that text; NULL: it is empty. */
static int load(const char *file, const char *const *args, struct options *ret, struct err *err) {
        char *path = in_directory("kistd.json"), *argv[16] = { (char *) "kistd", (char *) "--config", path };
        int argc = 3;

        file_write_atomic_at(AT_FDCWD, path, file ? file : "{}", strlen(file ? file : "{}"), 0600, false);
        while (*args)
                argv[argc++] = (char *) *args++;
        return options_load(argc, argv, ret, err);
}

static void reads_both_sources(void **state) {
        static const char file[] = "{\"data-root\":\"/a\",\"hosts\":[\"unix:///x\",\"unix:///y\"],\"debug\":true,"
                                   "\"log-opts\":{\"max-size\":\"10m\",\"max-file\":\"5\"},"
                                   "\"default-address-pools\":[{\"base\":\"10.1.128.0/17\",\"size\":18},\"10.9.0.0/16\"]}";
        struct options o;
        struct err err;

        assert_int_equal(load(file, (const char *[]) { "--bridge=br9", "--userns-ids", "131072", NULL }, &o, &err), 0);
        assert_string_equal(o.root, "/a");
        assert_string_equal(o.run_root, "/run/kist");
        assert_string_equal(o.bridge, "br9");
        assert_int_equal(o.userns_ids, 131072);
        assert_int_equal(o.hosts.n, 2);
        assert_string_equal(o.hosts.items[1], "unix:///y");
        assert_true(o.debug);
        assert_int_equal(o.log_max_size, 10 << 20);
        assert_int_equal(o.log_max_files, 5);
        assert_int_equal(o.pools.n, 3);
        assert_string_equal(o.pools.items[0], "10.1.128.0/18");
        assert_string_equal(o.pools.items[1], "10.1.192.0/18");
        assert_string_equal(o.pools.items[2], "10.9.0.0/16");
        options_done(&o);
        assert_int_equal(load(NULL, (const char *[]) { "-H", "unix:///z", "-D", NULL }, &o, &err), 0);
        assert_string_equal(o.hosts.items[0], "unix:///z");
        assert_string_equal(o.pools.items[0], "172.30.0.0/16");
        options_done(&o);
}

static void refuses_wrong_options(void **state) {
        static const struct {
                const char *file, *arg, *wanted;
        } rows[] = {
                { NULL, "--nonsense", "unknown option --nonsense" },
                { NULL, "-x", "unknown option -x" },
                { NULL, "-Dx", "unknown option -Dx" },
                { NULL, "stray", "unexpected argument \"stray\"" },
                { NULL, "--root", "--root needs a value" },
                { NULL, "--debug=yes", "--debug: \"yes\" is not true or false" },
                { NULL, "--userns-ids=many", "--userns-ids: \"many\" is not a number" },
                { NULL, "--userns-ids=5", "at least 65536" },
                { NULL, "--log-max-size=1x", "--log-max-size: \"1x\" is not a size" },
                { NULL, "--address-pool=10.0.0.0/99", "\"10.0.0.0/99\" is not an IPv4 network" },
                { NULL, "--address-pool=10.0.0.0", "is not an IPv4 network" },
                { NULL, "--root=relative", "must be absolute" },
                { "{\"bridge\":\"b\"}", "--bridge=c", "key \"bridge\" is given on the command line too" },
                { "{\"storage-driver\":\"x\"}", "-D", "key \"storage-driver\" cannot be used: there is one" },
                { "{\"nonsense\":\"x\"}", "-D", "key \"nonsense\" is unknown" },
                { "{\"tls\":\"x\"}", "-D", "\"tls\" is neither true nor false" },
                { "{\"log-opts\":{\"tag\":1}}", "-D", "key \"log-opts.tag\" is not a text" },
                { "{\"hosts\":\"x\"}", "-D", "\"hosts\" is not a list" },
                { "{\"hosts\":[1]}", "-D", "item 1 is not a text" },
                { "{\"bridge\":1}", "-D", "\"bridge\" is not a text" },
                { "{\"debug\":1}", "-l=x", "unknown option -l=x" },
                { "{\"debug\":1}", "--bridge=b", "\"debug\" is neither true nor false" },
                { "{\"default-address-pools\":[{\"base\":\"10.0.0.0/8\",\"size\":4}]}", "-D", "size of 10.0.0.0/8" },
                { "{\"default-address-pools\":[{\"base\":\"10.0.0/8\",\"size\":24}]}", "-D", "is not an IPv4 network" },
                { "{", "-D", "is not valid JSON" },
                { "[]", "-D", "is not a JSON object" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct options o = { 0 };
                struct err err;

                assert_true(load(rows[i].file, (const char *[]) { rows[i].arg, NULL }, &o, &err) < 0);
                if (!strstr(err.msg, rows[i].wanted))
                        fail_msg("wanted \"%s\", got \"%s\"", rows[i].wanted, err.msg);
        }
}

static void listens_where_it_may(void **state) {
        struct listeners l = { 0 }, second = { 0 };
        char *path = in_directory("s.sock"), *file = in_directory("file");
        auto_free char *address = str_format("unix://%s", path), *in_the_way = str_format("unix://%s", file);
        char longer[200];
        struct stat st;
        struct err err;

        assert_int_equal(listen_open(&l, address, 12, &err), 0);
        assert_return_code(stat(path, &st), errno);
        assert_int_equal(st.st_mode & 07777, 0660);
        assert_int_equal(st.st_gid, 12);
        /* Somebody answers there. */
        assert_int_equal(listen_open(&second, address, 0, &err), -EADDRINUSE);
        /* The name that a killed daemon leaves is taken over. */
        close(l.fds[0]);
        assert_int_equal(listen_open(&second, address, 0, &err), 0);
        close(second.fds[0]);
        listen_remove_names(&second);
        assert_int_equal(stat(path, &st), -1);
        listen_remove_names(&l);
        /* A file is never removed. */
        assert_int_equal(file_write_atomic_at(AT_FDCWD, file, "x", 1, 0600, false), 0);
        assert_int_equal(listen_open(&l, in_the_way, 0, &err), -EEXIST);
        assert_return_code(stat(file, &st), errno);
        snprintf(longer, sizeof(longer), "unix:///%0150d", 0);
        assert_int_equal(listen_open(&l, longer, 0, &err), -ENAMETOOLONG);
        assert_int_equal(listen_open(&l, "unix://relative", 0, &err), -EINVAL);
        assert_int_equal(listen_open(&l, "fd://", 0, &err), -ENOENT);
        assert_int_equal(l.n, 0);
}

static void listens_on_tcp_when_it_is_meant(void **state) {
        static const struct {
                const char *address;
                enum listen_tcp allowed;
                int wanted;
        } rows[] = {
                { "tcp://127.0.0.1", LISTEN_TCP_REFUSED, -EPERM },
                { "tcp://0.0.0.0", LISTEN_TCP_REFUSED, -EPERM },
                { "tcp://0.0.0.0", LISTEN_TCP_LOCAL, -EPERM },
                { "tcp://[::]", LISTEN_TCP_LOCAL, -EPERM },
                { "tcp://", LISTEN_TCP_ANY, -EINVAL },
                { "tcp://127.0.0.1:0", LISTEN_TCP_ANY, -EINVAL },
                { "tcp://127.0.0.1:65536", LISTEN_TCP_ANY, -EINVAL },
                { "tcp://127.0.0.1:1:1", LISTEN_TCP_ANY, -EINVAL },
                { "tcp://[::1", LISTEN_TCP_ANY, -EINVAL },
                { "tcp://[::1]x", LISTEN_TCP_ANY, -EINVAL },
        };
        struct err err;
        int fd = -EBADF;

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(listen_open_tcp(rows[i].address, rows[i].allowed, "1", &fd, &err), rows[i].wanted);
        assert_int_equal(fd, -EBADF);
}

static void closes_its_directory_to_others(void **state) {
        char *path = in_directory("a/root"), *foreign = in_directory("foreign");
        auto_fd fd = -EBADF, again = -EBADF, none = -EBADF;
        struct stat st;
        struct err err;

        assert_int_equal(process_make_directory(path, 0710, &fd, &err), 0);
        assert_return_code(fchmod(fd, 0777), errno);
        assert_int_equal(process_make_directory(path, 0710, &again, &err), 0);
        assert_return_code(stat(path, &st), errno);
        assert_int_equal(st.st_mode & 07777, 0710);
        assert_return_code(mkdir(foreign, 0755), errno);
        assert_return_code(chown(foreign, 12, 12), errno);
        assert_int_equal(process_make_directory(foreign, 0710, &none, &err), -EPERM);
}

static void locks_out_a_second_daemon(void **state) {
        auto_fd dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), first = -EBADF, second = -EBADF;
        char wanted[128];
        struct err err;

        assert_int_equal(process_lock(dir, directory, "lock", &first, &err), 0);
        assert_int_equal(process_lock(dir, directory, "lock", &second, &err), -EBUSY);
        snprintf(wanted, sizeof(wanted), "another kistd (pid %d) uses %s", (int) getpid(), directory);
        assert_string_equal(err.msg, wanted);
        first = fd_close(first);
        assert_int_equal(process_lock(dir, directory, "lock", &second, &err), 0);
}

static void tells_that_it_is_ready(void **state) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        char text[16] = "";

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", in_directory("notify"));
        assert_return_code(bind(fd, (struct sockaddr *) &a, sizeof(a)), errno);
        setenv("NOTIFY_SOCKET", a.sun_path, 1);
        process_notify("READY=1");
        unsetenv("NOTIFY_SOCKET");
        assert_int_equal(recv(fd, text, sizeof(text), 0), 7);
        assert_string_equal(text, "READY=1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
                T(reads_both_sources),
                T(refuses_wrong_options),
                T(listens_where_it_may),
                T(listens_on_tcp_when_it_is_meant),
                T(closes_its_directory_to_others),
                T(locks_out_a_second_daemon),
                T(tells_that_it_is_ready),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
