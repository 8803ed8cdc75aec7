# Verbs of kist that change or watch: update, volume …, prune, stats, port, container exists, healthcheck run, top, wait, rename.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

@test "update changes limits and the restart policy of a running container" {
	"$KIST" run -d --name up $BUSYBOX sleep 600
	[ "$("$KIST" update -m 64m --memory-swap 64m --pids-limit 50 --cpus 0.5 --restart on-failure:3 up)" = up ]
	[ "$("$KIST" inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}' up)" = \
		"67108864 50 500000000 on-failure:3" ]
	# The kernel was told.
	[[ "$("$KIST" stats --no-stream --format '{{.MemUsage}}' up)" == *" / 64MiB" ]]
	run -1 "$KIST" update up
	[[ "$output" == *"at least one option"* ]]
	run -1 "$KIST" update -m lots up
	[[ "$output" == *'invalid argument "lots" for --memory'* ]]
	run -1 "$KIST" update -m 64m nosuch
	[[ "$output" == *"No such container: nosuch"* ]]
	"$KIST" rm -f up
}

@test "volume create, ls, inspect, rm, prune; update is refused" {
	[ "$("$KIST" volume create --label a=b one)" = one ]
	anonymous=$("$KIST" volume create)
	[ "${#anonymous}" -eq 64 ]
	[ "$("$KIST" volume inspect -f '{{.Labels.a}}' one)" = b ]
	[ "$("$KIST" volume list -q | wc -l)" -eq 2 ]
	run -1 "$KIST" volume create --driver nfs two
	run -1 "$KIST" volume inspect nosuch
	[[ "$output" == *"no such volume"* ]]
	# No is the answer to no answer.
	run -1 "$KIST" volume prune </dev/null
	[[ "$output" == *"WARNING! This will remove anonymous local volumes"*"[y/N]"* ]]
	run -0 "$KIST" volume prune <<<y
	[[ "$output" == *"Deleted Volumes:"*"$anonymous"*"Total reclaimed space: "[0-9]* ]]
	[ "$("$KIST" volume ls -q)" = one ]
	run -125 "$KIST" volume update one
	[[ "$output" == *"stays as it is"* ]]
	[ "$("$KIST" volume rm one)" = one ]
	run -1 "$KIST" volume rm one
	run -0 "$KIST" volume rm -f one
}

@test "container prune and system prune remove what does not run, and ask first" {
	kept=$("$KIST" run -d --name kept $BUSYBOX sleep 600)
	gone=$("$KIST" create --name gone --label l=1 $BUSYBOX true)
	run -0 "$KIST" container prune -f --filter label=other
	[ "$output" = "Total reclaimed space: 0B" ]
	run -1 "$KIST" container prune <<<n
	run -0 "$KIST" container prune -f --filter label=l=1
	[ "${lines[0]}" = "Deleted Containers:" ]
	[ "${lines[1]}" = "$gone" ]
	"$KIST" create --name gone $BUSYBOX true
	run -1 "$KIST" system prune --volumes --filter until=1h -f
	[[ "$output" == *"do not go together"* ]]
	run -0 "$KIST" system prune -a --volumes --filter label=none <<<y
	[[ "$output" == *"This will remove:"*"all stopped containers"*"anonymous volumes"*"all images without"*"filtered with:"*"label=none"*"Total reclaimed space"* ]]
	"$KIST" container exists gone
	run -0 "$KIST" system prune --volumes -f
	[[ "$output" == *"Deleted Containers:"* ]]
	run -1 "$KIST" container exists gone
	[ -z "$output" ]
	[ "$("$KIST" ps -q --no-trunc)" = "$kept" ]
	[ "$("$KIST" images -q | wc -l)" -eq 1 ]
	"$KIST" rm -f kept
}

@test "stats: one round, all, a busy container's share, drawn anew on a terminal" {
	"$KIST" run -d --name busy $BUSYBOX sh -c 'while :; do :; done'
	"$KIST" create --name idle $BUSYBOX true
	run -0 "$KIST" stats --no-stream
	[[ "${lines[0]}" =~ ^"CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT"\ +"MEM %     NET I/O"\ +"BLOCK I/O"\ +"PIDS"$ ]]
	[ "${#lines[@]}" -eq 2 ]
	# It takes what CPU time there is, however little that is here.
	[ "$("$KIST" stats --no-stream --format '{{.CPUPerc}}' busy)" != "0.00%" ]
	[ "$("$KIST" stats -a --no-stream --format '{{.Name}}' | sort | tr '\n' ' ')" = "busy idle " ]
	[ "$("$KIST" stats --no-stream --no-trunc --format '{{len .ID}}' busy)" = 64 ]
	"$KIST" stats --no-stream --psi | head -n 1 | grep -qE 'CPU PSI +MEM PSI +I/O PSI$'
	run -1 "$KIST" stats --no-stream nosuch
	[[ "$output" == *"No such container: nosuch"* ]]
	timeout 60 script -qefc "$KIST stats busy" "$BATS_TEST_TMPDIR/screen" >/dev/null </dev/null &
	drawing=$!
	# A second picture begins at the top of the screen again.
	drawn() { [ "$(grep -c $'\e\\[2J' "$BATS_TEST_TMPDIR/screen")" -ge 2 ]; }
	eventually drawn || eventually drawn || eventually drawn
	"$KIST" rm -f busy idle
	wait $drawing || true
}

@test "port, rename, wait, top" {
	"$KIST" run -d --name first $BUSYBOX sh -c 'sleep 600 & wait'
	[ -z "$("$KIST" port first)" ]
	run -1 "$KIST" port first 80
	[[ "$output" == *"no public port '80/tcp' published for first"* ]]
	"$KIST" rename first second
	run -0 "$KIST" top second
	[[ "${lines[0]}" =~ ^UID\ +PID\ +PPID\ +C\ +STIME\ +TTY\ +TIME\ +CMD$ ]]
	[[ "$output" == *"sleep 600"* ]]
	"$KIST" kill second
	[ "$("$KIST" wait second)" = 137 ]
	"$KIST" rm second
}

@test "healthcheck run: the check's own verdict, now" {
	"$KIST" run -d --name well --health-cmd 'test -e /tmp/well' --health-interval 1h $BUSYBOX sleep 600
	run -1 "$KIST" healthcheck run well
	[ "$output" = unhealthy ]
	"$KIST" exec well touch /tmp/well
	run -0 "$KIST" healthcheck run well
	"$KIST" run -d --name none $BUSYBOX sleep 600
	run -125 "$KIST" healthcheck run none
	[[ "$output" == *"has no health check"* ]]
	"$KIST" rm -f well none
}

@test "image prune: images without a name, then all that no container has" {
	"$KIST" run --name maker $BUSYBOX sh -c 'echo one >/one'
	first=$("$KIST" commit -c 'LABEL n=1' maker site:1)
	second=$("$KIST" commit -c 'LABEL n=2' maker site:1)
	[ "$first" != "$second" ]
	[ "$("$KIST" images -q --no-trunc --filter dangling=true)" = "$first" ]
	run -0 "$KIST" image prune -f --filter label=n=2
	[ "$output" = "Total reclaimed space: 0B" ]
	run -1 "$KIST" image prune </dev/null
	[[ "$output" == *"remove all dangling images"* ]]
	run -0 "$KIST" image prune -f
	[[ "$output" == "Deleted Images:"*"deleted: $first"*"Total reclaimed space: "* ]]
	"$KIST" create --name user site:1 true
	"$KIST" tag $BUSYBOX other:1
	# The image of a container stays, as does the maker's.
	run -0 "$KIST" image prune -a -f
	[ "$output" = "Total reclaimed space: 0B" ]
	run -0 "$KIST" image prune -a -f --filter until=1h
	"$KIST" rm user
	run -0 "$KIST" image prune -a -f
	[[ "$output" == *"untagged: site:1"*"deleted: $second"*"Total reclaimed space: "* && "$output" != *"space: 0B"* ]]
	run -1 "$KIST" image prune -f --filter nope=1
	"$KIST" rmi other:1
	"$KIST" rm maker
	# docker's words are the same.
	"$KIST" tag $BUSYBOX other:1
	/usr/bin/docker image prune -f | grep -qx 'Total reclaimed space: 0B'
	"$KIST" rmi other:1
}

@test "what there is no command for says what there is instead; a slip of the fingers is guessed" {
	for word in swarm compose push build login plugin; do
		"$KIST" --help | grep -q "^  $word " && continue
		run -125 "$KIST" $word
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "kist: $word: "* ]]
	done
	run -1 "$KIST" iamges
	[[ "$output" == *"did you mean images?"* ]]
	run -1 "$KIST" volume crate x
	[[ "$output" == *"did you mean volume create?"* ]]
	run -1 "$KIST" ps --filtre a=b
	[[ "$output" == *"did you mean --filter?"* ]]
}

@test "every command has help with an example" {
	for word in $("$KIST" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p'); do
		"$KIST" "$word" --help >"$BATS_TEST_TMPDIR/help"
		grep -q "^Usage: kist $word" "$BATS_TEST_TMPDIR/help"
		grep -q '^Examples:' "$BATS_TEST_TMPDIR/help" || { echo "$word has no example" >&2; false; }
	done
}
