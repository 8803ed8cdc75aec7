/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/launch.h"
#include "oci/oci.h"

int command_create(const struct options *o, char **args, int n_args, struct err *err) {
        struct launched l;
        int r = launch_container(o, args[0], true, &l, err);

        if (r == 0)
                launched_done(&l);
        return r;
}
