/* SPDX-License-Identifier: Apache-2.0 */

/* `kist completion SHELL`: the little that each shell must know. What can be typed it asks of `kist __complete`, that is of the very tables
 * that parse it, and of the daemon. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/complete.h"

static const char bash[] =
        "# bash completion for kist; made by `kist completion bash`\n"
        "_kist() {\n"
        "\tlocal line=${COMP_LINE:0:COMP_POINT} words word current prefix\n"
        "\tread -ra words <<<\"$line\"\n"
        "\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
        "\tcurrent=${words[-1]}\n"
        "\t# bash breaks words at : and =, and wants what is behind the break only.\n"
        "\tprefix=\n"
        "\t[[ $COMP_WORDBREAKS == *:* && $current == *[:=]* ]] && prefix=${current%\"${current##*[:=]}\"}\n"
        "\tCOMPREPLY=()\n"
        "\twhile IFS=$'\\t' read -r word _; do\n"
        "\t\tif [[ $word == :files ]]; then\n"
        "\t\t\tcompopt -o default 2>/dev/null\n"
        "\t\t\tcontinue\n"
        "\t\tfi\n"
        "\t\t[[ $word == *[:=] ]] && compopt -o nospace 2>/dev/null\n"
        "\t\tCOMPREPLY+=(\"${word#\"$prefix\"}\")\n"
        "\tdone < <(\"${words[0]}\" " COMPLETE_WORD " \"${words[@]:1}\" 2>/dev/null)\n"
        "}\n"
        "complete -F _kist kist\n";

static const char zsh[] =
        "#compdef kist\n"
        "# zsh completion for kist; made by `kist completion zsh`\n"
        "_kist() {\n"
        "\tlocal line word files=0\n"
        "\tlocal -a candidates shown\n"
        "\tfor line in ${(f)\"$($words[1] " COMPLETE_WORD " \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"}; do\n"
        "\t\tif [[ $line == :files ]]; then\n"
        "\t\t\tfiles=1\n"
        "\t\t\tcontinue\n"
        "\t\tfi\n"
        "\t\tword=${line%%$'\\t'*}\n"
        "\t\tcandidates+=(\"$word\")\n"
        "\t\tif [[ $line == *$'\\t'* ]]; then shown+=(\"$word  -- ${line#*$'\\t'}\"); else shown+=(\"$word\"); fi\n"
        "\tdone\n"
        "\t(( ${#candidates} )) && compadd -l -d shown -a candidates\n"
        "\t(( files )) && _files\n"
        "}\n"
        "if [[ $funcstack[1] == _kist ]]; then _kist \"$@\"; else compdef _kist kist; fi\n";

static const char fish[] =
        "# fish completion for kist; made by `kist completion fish`\n"
        "function __kist_complete\n"
        "\tset -l words (commandline -opc) (commandline -ct)\n"
        "\tfor line in ($words[1] " COMPLETE_WORD " $words[2..-1] 2>/dev/null)\n"
        "\t\tif test \"$line\" = :files\n"
        "\t\t\t__fish_complete_path (commandline -ct)\n"
        "\t\telse\n"
        "\t\t\techo $line\n"
        "\t\tend\n"
        "\tend\n"
        "end\n"
        "complete -c kist -f -a '(__kist_complete)'\n";

static const struct {
        const char *shell, *text;
} scripts[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

static int run_completion(struct client *c, const struct args *a) {
        for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
                if (strcmp(scripts[i].shell, args_at(a, 0)) == 0) {
                        fputs(scripts[i].text, stdout);
                        return 0;
                }
        complain("there is no completion for %s: bash, zsh or fish", args_at(a, 0));
        return 1;
}

static const struct option no_options[] = { { 0 } };

const struct command command_completion = {
        .name = "completion", .usage = "bash|zsh|fish", .summary = "Print a shell's completion script",
        .examples = "  source <(kist completion bash)\n", .options = no_options, .min_args = 1, .max_args = 1, .run = run_completion, .local = true,
};
