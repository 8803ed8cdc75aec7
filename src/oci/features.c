/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include <sys/capability.h>

#include "base/json.h"
#include "oci/oci.h"
#include "oci/state.h"
#include "runtime/plan/plan.h"

static json_t *words(const char *const *list, size_t n) {
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(array, json_string(list[i]));
        return array;
}
#define WORDS(...) words((const char *const[]) { __VA_ARGS__ }, sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(char *))

/* Those of this kernel. */
static json_t *capabilities(void) {
        json_t *array = json_array();

        for (int i = 0; i < cap_max_bits(); i++) {
                char *name = cap_to_name((cap_value_t) i);

                if (!name || !isalpha((unsigned char) *name)) { /* one that libcap has no name for is a number */
                        cap_free(name);
                        continue;
                }
                for (char *at = name; *at; at++)
                        *at = (char) toupper((unsigned char) *at);
                json_array_append_new(array, json_string(name));
                cap_free(name);
        }
        return array;
}

static json_t *linux_features(void) {
        json_t *namespaces = WORDS("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts");

        return json_pack("{s:o, s:o, s:{s:b, s:b, s:b, s:b, s:b}, s:o, s:{s:b}, s:{s:b}, s:{s:b}, s:o, s:{s:{s:b}}, s:{s:b}}", "namespaces", namespaces,
                         "capabilities", capabilities(), "cgroup", "v1", 1, "v2", 1, "systemd", 1, "systemdUser", 1, "rdma", 1, "seccomp",
                         plan_seccomp_features(), "apparmor", "enabled", 1, "selinux", "enabled", 1, "intelRdt", "enabled", 0, "memoryPolicy",
                         plan_memory_policy_features(), "mountExtensions", "idmap", "enabled", 1, "netDevices", "enabled", 1);
}

int command_features(const struct options *o, char **args, int n_args, struct err *err) {
        auto_json *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s}}", "ociVersionMin", "1.0.0", "ociVersionMax", OCI_VERSION, "hooks",
                                   WORDS("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"), "mountOptions",
                                   plan_mount_option_names(), "linux", linux_features(), "annotations", "kist.version", KIST_VERSION);

        return out ? state_print(out, err) : err_errno(err, -ENOMEM, "features");
}
