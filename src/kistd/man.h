/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Manual pages from the tables of options and of names: `kistd --man kistd` is kistd(8), `kistd --man kistd.json` is kistd.json(5). For the build.
 * The exit status. */
int man_print(int argc, char **argv);
