/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "engine/config.h"
#include "engine/container.h"
#include "engine/files.h"
#include "engine/merge.h"
#include "engine/spec.h"
#include "runtime/plan/plan.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static json_t *config_of(const char *text, uint32_t uid) {
        auto_json *body = js(text);
        struct plan_user user = { .uid = uid, .gid = uid, .home = "/home/x" };
        auto_spec s = {};
        struct config_input in = { .spec = &s, .id = ID, .files_dir = "/state", .user = &user };
        json_t *config = NULL;
        struct err err;

        if (spec_parse(body, &s, &err) < 0 || config_container(&in, &config, &err) < 0)
                fail_msg("%s: %s", text, err.msg);
        return config;
}

static json_t *at(json_t *v, const char *path) {
        char key[64];

        while (*path) {
                size_t n = strcspn(path, ".");

                snprintf(key, sizeof(key), "%.*s", (int) n, path);
                v = json_object_get(v, key);
                path += n + (path[n] == '.');
        }
        return v;
}

static bool has(const json_t *list, const char *text) {
        size_t i;
        json_t *v;

        json_array_foreach((json_t *) list, i, v)
                if (!strcmp(json_string_value(v), text))
                        return true;
        return false;
}

static bool has_namespace(json_t *config, const char *type) {
        size_t i;
        json_t *v;

        json_array_foreach(at(config, "linux.namespaces"), i, v)
                if (!strcmp(json_get_str(v, "type", ""), type))
                        return true;
        return false;
}

static json_t *mount_on(json_t *config, const char *target) {
        size_t i;
        json_t *v, *found = NULL;

        json_array_foreach(at(config, "mounts"), i, v)
                if (!strcmp(json_get_str(v, "destination", ""), target)) {
                        assert_null(found);
                        found = v;
                }
        return found;
}

static void the_usual_container(void **state) {
        auto_json *c = config_of("{'Image':'a','Entrypoint':['/e'],'Cmd':['x','y'],'Env':['A=1','PATH=/bin']}", 0);

        (void) state;
        assert_json_equal(at(c, "process.args"), "['/e','x','y']");
        assert_json_equal(at(c, "process.env"), "['PATH=/bin','HOSTNAME=0123456789ab','A=1','HOME=/home/x']");
        assert_json_equal(at(c, "process.cwd"), "'/'");
        assert_json_equal(at(c, "hostname"), "'0123456789ab'");
        assert_int_equal(json_array_size(at(c, "process.capabilities.bounding")), 14);
        assert_int_equal(json_array_size(at(c, "process.capabilities.effective")), 14);
        assert_int_equal(json_array_size(at(c, "process.capabilities.inheritable")), 0);
        assert_true(has_namespace(c, "user") && has_namespace(c, "network") && has_namespace(c, "cgroup"));
        assert_non_null(at(c, "linux.seccomp"));
        assert_true(json_array_size(at(c, "linux.maskedPaths")) > 5);
        assert_json_equal(at(mount_on(c, "/etc/hosts"), "options"), "['bind','rprivate','idmap']");
        assert_null(at(c, "linux.resources.memory"));
}

static void others_than_root_get_no_capability_at_once(void **state) {
        auto_json *c = config_of("{'Cmd':['x']}", 1000);

        (void) state;
        assert_int_equal(json_array_size(at(c, "process.capabilities.bounding")), 14);
        assert_int_equal(json_array_size(at(c, "process.capabilities.effective")), 0);
        assert_int_equal(json_array_size(at(c, "process.capabilities.permitted")), 0);
}

static void capabilities_are_added_and_dropped(void **state) {
        auto_json *none = config_of("{'Cmd':['x'],'HostConfig':{'CapDrop':['ALL'],'CapAdd':['chown','CAP_KILL']}}", 0);
        auto_json *less = config_of("{'Cmd':['x'],'HostConfig':{'CapDrop':['MKNOD']}}", 0);

        (void) state;
        assert_json_equal(at(none, "process.capabilities.bounding"), "['CAP_CHOWN','CAP_KILL']");
        assert_int_equal(json_array_size(at(less, "process.capabilities.bounding")), 13);
        assert_false(has(at(less, "process.capabilities.bounding"), "CAP_MKNOD"));
}

static void privileged_is_open(void **state) {
        auto_json *c = config_of("{'Cmd':['x'],'HostConfig':{'Privileged':true}}", 0);

        (void) state;
        assert_null(at(c, "linux.seccomp"));
        assert_int_equal(json_array_size(at(c, "linux.maskedPaths")), 0);
        assert_false(has_namespace(c, "user"));
        assert_true(has(at(c, "process.capabilities.bounding"), "CAP_SYS_ADMIN"));
        assert_false(has(at(mount_on(c, "/sys"), "options"), "ro"));
        assert_json_equal(at(c, "linux.resources.devices"), "[{'allow':true,'access':'rwm'}]");
}

static void limits_become_resources(void **state) {
        auto_json *c = config_of("{'Cmd':['x'],'HostConfig':{'Memory':10000000,'NanoCpus':1500000000,'PidsLimit':5,'CpusetCpus':'0-1','CpuShares':512}}", 0);

        (void) state;
        assert_json_equal(at(c, "linux.resources.memory"), "{'limit':10000000,'swap':20000000}");
        assert_json_equal(at(c, "linux.resources.cpu"), "{'period':100000,'quota':150000,'shares':512,'cpus':'0-1'}");
        assert_json_equal(at(c, "linux.resources.pids"), "{'limit':5}");
}

static void the_users_mount_replaces_the_default(void **state) {
        auto_json *c = config_of("{'Cmd':['x'],'HostConfig':{'Binds':['/h:/etc/hosts:ro'],'Tmpfs':{'/dev/shm':'size=1m'},'UsernsMode':'host'}}", 0);

        (void) state;
        assert_json_equal(at(mount_on(c, "/etc/hosts"), "source"), "'/h'");
        assert_json_equal(at(mount_on(c, "/etc/hosts"), "options"), "['rbind','rprivate','rro']");
        assert_true(has(at(mount_on(c, "/dev/shm"), "options"), "size=1m"));
}

static void docker_profiles_are_boiled_down(void **state) {
        auto_json *profile = js("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW'},"
                                "{'names':['mount'],'action':'SCMP_ACT_ALLOW','includes':{'caps':['CAP_SYS_ADMIN']}},"
                                "{'names':['clone'],'action':'SCMP_ACT_ALLOW','excludes':{'caps':['CAP_SYS_ADMIN']}},"
                                "{'names':['odd'],'action':'SCMP_ACT_ALLOW','includes':{'arches':['s390x']}},"
                                "{'names':['new'],'action':'SCMP_ACT_ALLOW','includes':{'minKernel':'99.0'}},"
                                "{'name':'old','action':'SCMP_ACT_ALLOW','includes':{'minKernel':'2.6'}}]}");
        auto_json *caps = js("['CAP_CHOWN']"), *result = NULL, *broken = js("{'syscalls':[]}");

        (void) state;
        assert_int_equal(config_seccomp(profile, caps, &result, NULL), 0);
        assert_json_equal(json_object_get(result, "syscalls"), "[{'names':['read'],'action':'SCMP_ACT_ALLOW'},{'names':['clone'],'action':'SCMP_ACT_ALLOW'},"
                                                               "{'names':['old'],'action':'SCMP_ACT_ALLOW'}]");
        assert_int_equal(config_seccomp(broken, caps, &result, NULL), -EINVAL);
}

static const struct {
        const char *body, *image, *entrypoint, *cmd;
        int result;
} merges[] = {
        { "{}", "{'Cmd':['sh']}", "null", "['sh']", 0 },
        { "{'Cmd':['x']}", "{'Cmd':['sh'],'Entrypoint':['e']}", "['e']", "['x']", 0 },
        { "{'Entrypoint':['mine']}", "{'Cmd':['sh'],'Entrypoint':['e']}", "['mine']", "null", 0 },
        { "{'Entrypoint':[''],'Cmd':['x']}", "{'Entrypoint':['e']}", "null", "['x']", 0 },
        { "{'Entrypoint':null,'Cmd':null}", "{}", "null", "null", -EINVAL },
};

static void image_and_body_are_merged(void **state) {
        auto_json *body = js("{'Env':['B=2'],'Labels':{'b':'2'},'Cmd':['x']}");
        auto_json *image = js("{'Env':['A=1','B=1'],'Labels':{'a':'1','b':'1'},'WorkingDir':'/w','Healthcheck':{'Test':['CMD','x']}}");

        (void) state;
        for (size_t i = 0; i < ARRAY_SIZE(merges); i++) {
                auto_json *b = js(merges[i].body), *config = js(merges[i].image), *null = json_null();

                assert_int_equal(merge_image(b, config, NULL), merges[i].result);
                assert_json_equal(json_object_get(b, "Entrypoint") ? json_object_get(b, "Entrypoint") : null, merges[i].entrypoint);
                assert_json_equal(json_object_get(b, "Cmd") ? json_object_get(b, "Cmd") : null, merges[i].cmd);
        }
        assert_int_equal(merge_image(body, image, NULL), 0);
        assert_json_equal(body, "{'Env':['A=1','B=2'],'Labels':{'a':'1','b':'2'},'Cmd':['x'],'Healthcheck':{'Test':['CMD','x']},'WorkingDir':'/w'}");
}

static void resolv_conf_leaves_out_the_loopback(void **state) {
        static const char host[] = "# comment\nnameserver 127.0.0.53\nnameserver 1.1.1.1\nsearch a b\noptions edns0\n";
        auto_json *plain = js("{}"), *own = js("{'HostConfig':{'Dns':['9.9.9.9'],'DnsSearch':['.']}}");
        auto_spec s = {}, t = {};

        (void) state;
        assert_int_equal(spec_parse(plain, &s, NULL), 0);
        assert_int_equal(spec_parse(own, &t, NULL), 0);
        auto_free char *a = files_resolv_conf(&s, host, false), *b = files_resolv_conf(&s, host, true), *c = files_resolv_conf(&t, host, false);

        assert_string_equal(a, "nameserver 1.1.1.1\nsearch a b\noptions edns0\n");
        assert_string_equal(b, "nameserver 127.0.0.53\nnameserver 1.1.1.1\nsearch a b\noptions edns0\n");
        assert_string_equal(c, "nameserver 9.9.9.9\noptions edns0\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_usual_container),
                cmocka_unit_test(others_than_root_get_no_capability_at_once),
                cmocka_unit_test(capabilities_are_added_and_dropped),
                cmocka_unit_test(privileged_is_open),
                cmocka_unit_test(limits_become_resources),
                cmocka_unit_test(the_users_mount_replaces_the_default),
                cmocka_unit_test(docker_profiles_are_boiled_down),
                cmocka_unit_test(image_and_body_are_merged),
                cmocka_unit_test(resolv_conf_leaves_out_the_loopback),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
