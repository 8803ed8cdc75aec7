/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What may stand next on a command line: asked by the scripts of completion.c as `kist __complete WORD... CURRENT`, CURRENT being what is
 * typed of the word at the cursor (perhaps ""). One candidate a line, with a tab and a description where there is one. The line ":files" asks
 * the shell for names of files. Never an error: who presses the tab key wants no messages. */

struct args;

#define COMPLETE_WORD "__complete"

int complete(const struct args *global, int argc, char **argv);
