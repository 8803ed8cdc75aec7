/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Named points of the daemon's work at which a test lets it die, as SIGKILL would: `OPERATION.STEP`, passed when STEP is done.
 *
 * In kistd this is an empty function. kistd-faults, which only the tests build, is linked with tests/lib/fault-kill.c in its place: that one
 * reads KIST_FAULT="OPERATION.STEP" or "OPERATION.STEP:N" (the N-th time) and kills the process there. tests/integration/daemon-faults.bats
 * finds the points in the source by this call, and kills the daemon at each. */
void fault_point(const char *operation, const char *step);
