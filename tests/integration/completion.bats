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

@test "manifest lists of here, what is in one of them, and images and artifacts for push and save" {
	registry_start
	put() { "$BATS_TEST_DIRNAME/../lib/put-manifest" "$REGISTRY_PORT" "$@" >/dev/null; }
	put site one-amd --arch amd64 --docker
	put site one-arm --arch arm64 --docker
	put chart_of 1 --config application/vnd.cncf.helm.config.v1+json --file 'a=one'
	"$KIST" manifest create "$REGISTRY/deep/my_site-x:1-a" "$REGISTRY/site:one-amd" "$REGISTRY/site:one-arm"
	client docker manifest create --insecure "$REGISTRY/theirs/list:2" "$REGISTRY/site:one-amd"
	"$KIST" pull -q "$REGISTRY/chart_of:1"
	for verb in inspect push rm annotate create; do
		[ "$("$KIST" __complete manifest $verb '')" = "$REGISTRY/deep/my_site-x:1-a"$'\n'"$REGISTRY/theirs/list:2" ]
	done
	[ "$("$KIST" __complete manifest annotate --arch arm "$REGISTRY/deep/my_site-x:1-a" '')" = "$REGISTRY/site:one-amd"$'\n'"$REGISTRY/site:one-arm" ]
	[ -z "$("$KIST" __complete manifest annotate "$REGISTRY/no/such:1" '')" ]
	for shell in bash fish zsh; do
		[[ $(in_$shell 'kist manifest push localhost') == *theirs/list:2* || $(in_$shell "kist manifest push $REGISTRY/th") == *list:2* ]]
	done
	for verb in push save 'image push' tag; do [ "$("$KIST" __complete $verb "$REGISTRY/ch")" = "$REGISTRY/chart_of:1" ]; done
	"$KIST" manifest push "$REGISTRY/deep/my_site-x:1-a"
	"$KIST" manifest rm "$REGISTRY/deep/my_site-x:1-a"
	[ "$("$KIST" __complete manifest inspect '')" = "$REGISTRY/theirs/list:2" ]
	# Whatever lies there, it is no line of a completion.
	mkdir "$DOCKER_CONFIG/manifests/odd"
	echo '{"Ref": "x", "List": "a\nb"}' >"$DOCKER_CONFIG/manifests/odd/x"
	[ "$("$KIST" __complete manifest inspect '')" = "$REGISTRY/theirs/list:2" ]
	"$KIST" rmi "$REGISTRY/chart_of:1"
	registry_stop
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
