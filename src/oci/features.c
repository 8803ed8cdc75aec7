/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "oci/oci.h"
#include "oci/state.h"

int command_features(const struct options *o, char **args, int n_args, struct err *err) {
        auto_json *out = NULL;

        out = json_pack("{s:s, s:s, s:[], s:{s:[s,s,s,s,s,s,s,s], s:{s:b, s:b, s:b, s:b}, s:{s:b}}, s:{s:s}}", "ociVersionMin", "1.0.0", "ociVersionMax",
                        OCI_VERSION, "hooks", "linux", "namespaces", "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", "cgroup", "v1",
                        1, "v2", 1, "systemd", 0, "systemdUser", 0, "seccomp", "enabled", 1, "annotations", "kist.version", KIST_VERSION);
        return out ? state_print(out, err) : err_errno(err, -ENOMEM, "features");
}
