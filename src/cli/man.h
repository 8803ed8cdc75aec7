/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Manual pages from the tables: `kist --man` is kist(1), `kist --man run` kist-run(1), `kist --man list` the names of all of them, a line each. */
int man_print(int argc, char **argv);
