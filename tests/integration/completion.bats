#!/usr/bin/env bats
# What the tab key does, in real shells, and the manual pages.

load ../lib/kist.bash

setup_file() {
	kist_start
	"$KIST" create --name stopped-one "$BUSYBOX" true
	"$KIST" volume create volume-one
	mkdir "$KT_DIR/bin"
	ln -s "$KIST" "$KT_DIR/bin/kist"
	export PATH=$KT_DIR/bin:$PATH
}
teardown_file() { "$KIST" volume rm volume-one || true; kist_end; }

in_bash() { # LINE: what bash offers at its end
	bash --norc -c 'source <(kist completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _kist; printf "%s\n" "${COMPREPLY[@]}"' - "$1"
}
in_fish() { HOME=$BATS_TEST_TMPDIR fish --no-config -c 'kist completion fish | source; complete -C $argv[1]' "$1" | cut -f 1; }
in_zsh() { # LINE: zsh itself, at a terminal of its own; compadd says what it is given
	zsh -f "$BATS_TEST_TMPDIR/zsh" "$1" | tr -d '\r' | sed -n 's/^<\(.*\)>$/\1/p'
}

setup() {
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/config
	cat >"$BATS_TEST_TMPDIR/zsh" <<-'ZSH'
		zmodload zsh/zpty
		kist completion zsh >$HOME/_kist
		zpty z zsh -f -i
		zpty -w z "PS1=; unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit; compinit -u -D; source $HOME/_kist"
		# Everything that would be offered, a line each, and the shell ends.
		zpty -w z 'compadd() { local -a w; w=("${candidates[@]}"); print; for x in $w; do print -r -- "<$x>"; done; builtin compadd "$@"; print "<END>"; exit }'
		zpty -w z 'bindkey "^I" complete-word; print READY"NOW"'
		zpty -r -m z line '*READYNOW*'
		zpty -n -w z "$1"$'\t'
		zpty -r -m z line '*<END>*'
		print -r -- $line
	ZSH
	export HOME=$BATS_TEST_TMPDIR
}

@test "commands, nouns, options and values, in bash, zsh and fish" {
	for shell in bash fish zsh; do
		[[ $(timeout 60 bash -c "$(declare -f in_$shell); in_$shell 'kist unpa'") == *unpause* ]]
		[[ $(in_$shell 'kist context imp') == *import* ]]
		[[ $(in_$shell 'kist run --priv') == *--privileged* ]]
		[[ $(in_$shell 'kist run --pull al') == *always* ]]
	done
	[ "$(in_bash 'kist run --pull=al')" = always ]
	[ "$(in_fish 'kist run --pull=al')" = --pull=always ]
}

@test "names come from the daemon, those that fit the command" {
	for shell in bash fish zsh; do
		[[ $(in_$shell 'kist start stop') == *stopped-one* ]]
		[[ $(in_$shell 'kist rm stop') == *stopped-one* ]]
		[[ $(in_$shell 'kist run --rm kist.local/b') == *busybox* ]]
		[[ $(in_$shell 'kist volume rm vol') == *volume-one* ]]
	done
	# It does not run: there is nothing to stop.
	[ -z "$(in_bash 'kist stop stop')" ]
	"$KIST" context create ctx-one --docker "host=$KIST_HOST"
	[[ $(in_bash 'kist --context ctx') == ctx-one ]]
	# By the context that is typed, not by the environment.
	[[ $(env -u KIST_HOST -u DOCKER_HOST bash -c "$(declare -f in_bash); in_bash 'kist -c ctx-one start stop'") == stopped-one ]]
}

@test "a daemon that is not there, or a word that is none, is silence" {
	run "$KIST" -H unix:///nowhere __complete start ''
	[[ $status -eq 0 && -z $output ]]
	run "$KIST" __complete nonsense ''
	[[ $status -eq 0 && -z $output ]]
	run "$KIST" __complete
	[ "$status" -eq 0 ]
	[ "$("$KIST" __complete run --env-file '')" = :files ]
}

@test "every command has its manual page, and says its options" {
	[[ $("$KIST" --man run) == *'\fB\-\-privileged\fR'* ]]
	[[ $("$KIST" --man context ls) == *KIST-CONTEXT-LS* ]]
	[[ $("$KIST" --man) == *"EXIT STATUS"* ]]
	run "$KIST" --man nonsense
	[ "$status" -eq 1 ]
}
