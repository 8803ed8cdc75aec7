/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "worker/jobs.h"
#include "base/err.h"
int job_fetch(int control_fd, struct err *err) { return err_set(err, ERR_UNSUPPORTED, -ENOSYS, "worker: fetch"); }
