# create, start, stop, kill, rm, ps, logs, exec, inspect, wait, attach; and what is left afterwards.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

@test "version, info, images answer through every client" {
	for C in $(clients); do
		client "$C" version >"$BATS_TEST_TMPDIR/version"
		grep -q Server "$BATS_TEST_TMPDIR/version"
		client "$C" info | grep -q 'Containers: 0'
		client "$C" images | grep -q 'kist.local/busybox  *latest'
	done
}

@test "every API version from 1.24 to the newest is answered" {
	for minor in 24 30 41 43 51; do
		[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" http://kist/v1.$minor/containers/json)" = 200 ]
	done
	run curl -s --unix-socket "$KT_DIR/kist.sock" http://kist/v1.12/containers/json
	[[ "$output" == *"too old"* ]]
}

@test "create, start, wait, logs, inspect, rm" {
	for C in $(clients); do
		id=$(client "$C" create --name "job-$C" --label a=b $BUSYBOX sh -c 'echo out; echo err >&2; exit 4')
		[ "${#id}" -eq 64 ]
		[ "$(client "$C" inspect -f '{{.State.Status}}' "job-$C")" = created ]
		client "$C" start "job-$C"
		[ "$(client "$C" wait "job-$C")" = 4 ]
		[ "$(client "$C" inspect -f '{{.State.Status}} {{.State.ExitCode}}' "job-$C")" = "exited 4" ]
		[ "$(client "$C" logs "job-$C" 2>/dev/null)" = out ]
		[ "$(client "$C" logs "job-$C" 2>&1 >/dev/null)" = err ]
		# It runs again, and its log goes on.
		[ "$(client "$C" start -a "job-$C" 2>/dev/null)" = out ] || true
		[ "$(client "$C" logs "job-$C" 2>/dev/null | wc -l)" -eq 2 ]
		client "$C" rm "job-$C"
	done
}

@test "ps: columns, filters, quiet, all" {
	a=$("$KIST" run -d --name alpha --label tier=web $BUSYBOX sleep 60)
	b=$("$KIST" run -d --name beta $BUSYBOX true)
	eventually is_state beta exited
	run "$KIST" ps
	[[ "${lines[0]}" == "CONTAINER ID   IMAGE "*"COMMAND"*"CREATED"*"STATUS"*"PORTS"*"NAMES" ]]
	[[ "$output" == *alpha* && "$output" != *beta* && "$output" == *"Up "* ]]
	run "$KIST" ps -a
	[[ "$output" == *beta* && "$output" == *"Exited (0)"* ]]
	[ "$("$KIST" ps -aq --no-trunc --filter label=tier=web)" = "$a" ]
	[ "$("$KIST" ps -aq --no-trunc --filter status=exited)" = "$b" ]
	[ "$("$KIST" ps -a --filter name=alpha --format '{{.Names}}')" = alpha ]
	"$KIST" rm -f alpha beta
}

@test "exec: streams, input, environment, user, exit status, a command that is not there" {
	"$KIST" run -d --name ex $BUSYBOX sleep 300
	for C in $(clients); do
		[ "$(client "$C" exec ex echo hi)" = hi ]
		[ "$(echo through | client "$C" exec -i ex cat)" = through ]
		[ "$(client "$C" exec -e X=y -w /tmp -u 7:8 ex sh -c 'echo $X $(pwd) $(id -u):$(id -g)')" = "y /tmp 7:8" ]
		status=0; client "$C" exec ex sh -c 'exit 9' || status=$?
		[ "$status" -eq 9 ]
		status=0; client "$C" exec ex /nope 2>/dev/null || status=$?
		[ "$status" -eq 127 ]
		client "$C" exec -d ex sh -c "echo detached >/tmp/$C"
		eventually client "$C" exec ex test -s "/tmp/$C"
		# It sees the container: its processes, its name, its limits.
		[[ "$(client "$C" exec ex ps)" == *"sleep 300"* ]]
	done
	run ! "$KIST" exec nosuch true
	[[ "$output" == *"No such container: nosuch"* ]]
	"$KIST" rm -f ex
}

@test "who writes more than they read does not wait for themselves: input and output at the same time, more out than in" {
	head -c 3000000 /dev/zero >"$BATS_TEST_TMPDIR/zeros"
	"$KIST" run -d --name both $BUSYBOX sleep 300
	for C in $(clients); do
		[ "$(client "$C" run --rm -i $BUSYBOX hexdump -v -C <"$BATS_TEST_TMPDIR/zeros" | tail -n 1)" = 002dc6c0 ]
		[ "$(client "$C" exec -i both hexdump -v -C <"$BATS_TEST_TMPDIR/zeros" | tail -n 1)" = 002dc6c0 ]
	done
	"$KIST" rm -f both
}

@test "stop sends TERM, then KILL; kill sends what it is told" {
	"$KIST" run -d --name polite $BUSYBOX sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
	"$KIST" run -d --name rude $BUSYBOX sh -c 'trap "" TERM; while :; do sleep 0.05; done'
	sleep 0.3
	"$KIST" stop -t 10 polite
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' polite)" = 5 ]
	"$KIST" stop -t 1 rude
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' rude)" = 137 ]
	"$KIST" run -d --name hup $BUSYBOX sh -c 'trap "exit 6" HUP; while :; do sleep 0.05; done'
	sleep 0.3
	"$KIST" kill -s HUP hup
	[ "$("$KIST" wait hup)" = 6 ]
	"$KIST" rm polite rude hup
}

@test "a running container is not removed without --force; names are given once" {
	"$KIST" run -d --name once $BUSYBOX sleep 60
	run -1 "$KIST" rm once
	[[ "$output" == *running* ]]
	run -125 "$KIST" run --name once $BUSYBOX true
	[[ "$output" == *"once"*"in use"* ]]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X DELETE http://kist/containers/once)" = 409 ]
	"$KIST" rm -f once
}

@test "attach while it runs: output from then on, input, several at once" {
	"$KIST" run -d -i --name at $BUSYBOX sh -c 'while read -r line; do echo "got $line"; [ "$line" != two ] || exit 8; done'
	"$KIST" attach --no-stdin at >"$BATS_TEST_TMPDIR/watch" 3>&- &
	watcher=$!
	sleep 0.3
	status=0
	(echo one; sleep 0.3; echo two) | timeout 20 "$KIST" attach at >"$BATS_TEST_TMPDIR/type" || status=$?
	[ "$status" -eq 8 ]
	status=0; wait "$watcher" || status=$?
	[ "$status" -eq 8 ]
	for file in watch type; do
		[ "$(cat "$BATS_TEST_TMPDIR/$file")" = $'got one\ngot two' ]
	done
	[[ "$("$KIST" logs at)" == *"got one"*"got two"* ]]
	"$KIST" rm -f at
}

@test "logs: follow, tail, timestamps, since" {
	"$KIST" run -d --name lg $BUSYBOX sh -c 'for i in 1 2 3 4 5; do echo line$i; sleep 0.1; done; sleep 0.5; echo last'
	[ "$("$KIST" logs -f lg | tail -n 1)" = last ]
	[ "$("$KIST" logs --tail 2 lg)" = $'line5\nlast' ]
	[[ "$("$KIST" logs -t --tail 1 lg)" =~ ^20[0-9-]+T[0-9:.]+Z\ last$ ]]
	[ -z "$("$KIST" logs --since 2099-01-01T00:00:00Z lg)" ]
	"$KIST" rm lg
}

@test "the log is bounded, and reads whole across its files" {
	"$KIST" run --name big --log-opt max-size=50k --log-opt max-file=3 $BUSYBOX seq 20000 >/dev/null
	[ "$(du -cb "$KT_DIR"/root/containers/*/*-json.log* | tail -n 1 | cut -f 1)" -le $((3 * 52 * 1024)) ]
	"$KIST" logs big >"$BATS_TEST_TMPDIR/log"
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/log")" = 20000 ]
	# What is kept has no hole in it.
	first=$(head -n 1 "$BATS_TEST_TMPDIR/log")
	seq "$first" 20000 | diff -q - "$BATS_TEST_TMPDIR/log"
	"$KIST" rm big
}

@test "pause, unpause, rename, top, restart" {
	"$KIST" run -d --name pz $BUSYBOX sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/now; sleep 0.02; done'
	eventually "$KIST" exec pz test -s /tmp/now
	"$KIST" pause pz
	[ "$(state_of pz)" = paused ]
	pid=$("$KIST" inspect -f '{{.State.Pid}}' pz)
	one=$(cat "/proc/$pid/root/tmp/now"); sleep 0.2
	[ "$one" = "$(cat "/proc/$pid/root/tmp/now")" ]
	"$KIST" unpause pz
	sleep 0.2
	[ "$one" != "$(cat "/proc/$pid/root/tmp/now")" ]
	"$KIST" rename pz other
	[[ "$("$KIST" top other)" == *PID*"sleep"* ]] || [[ "$("$KIST" top other)" == *PID*"sh"* ]]
	"$KIST" restart -t 0 other
	[ "$(state_of other)" = running ]
	"$KIST" rm -f other
}

@test "wait for next-exit is registered before the container starts" {
	for C in $(clients); do
		for i in 1 2 3 4 5; do
			client "$C" run --rm $BUSYBOX true
		done
	done
}

@test "--rm removes, also when nobody is attached" {
	"$KIST" run -d --rm --name gone $BUSYBOX true
	none() { [ -z "$("$KIST" ps -aq)" ]; }
	eventually none
}

@test "events tell what happened" {
	since=$(date +%s)
	"$KIST" run --rm --name ev $BUSYBOX true
	run "$KIST" events --since "$since" --until "$(($(date +%s) + 1))" --filter container=ev --format '{{.Action}}'
	[[ "$output" == *create*start*die*destroy* ]]
}

@test "events: volumes mounted, files copied, a client that left by its keys, what was pruned" {
	since=$(date +%s)
	events() { "$KIST" events --since "$since" --until 0s "$@"; }
	"$KIST" run -dt --name ev -v evdata:/data:ro $BUSYBOX sh -c 'read -r x'
	echo x >"$BATS_TEST_TMPDIR/f"
	"$KIST" cp "$BATS_TEST_TMPDIR/f" ev:/tmp/
	"$KIST" cp ev:/tmp/f "$BATS_TEST_TMPDIR/g"
	# Docker's commands look for the keys themselves; other clients send them.
	python3 - "$KT_DIR/kist.sock" <<-'PY'
		import json, socket, sys
		def ask(method, path, body):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(60)
		    s.connect(sys.argv[1])
		    text = json.dumps(body).encode()
		    s.sendall(b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: %d\r\n\r\n%s"
		              % (method, path, len(text), text))
		    return s
		def until(s, what):
		    seen = b""
		    while what not in seen:
		        data = s.recv(4096)
		        assert data, seen
		        seen += data
		    return seen
		made = until(ask(b"POST", b"/containers/ev/exec", {"Cmd": ["sh", "-c", "echo there; cat"], "AttachStdin": True, "AttachStdout": True, "Tty": True,
		                                                    "DetachKeys": "ctrl-x"}), b"}")
		stream = ask(b"POST", b"/exec/%s/start" % json.loads(made.split(b"\r\n\r\n")[1])["Id"].encode(), {"Tty": True})
		until(stream, b"there")
		stream.sendall(b"\x18")
		while stream.recv(4096):
		    pass
	PY
	detached() { events --filter container=ev --format '{{.Action}}' | grep -qx exec_detach; }
	eventually detached
	"$KIST" stop -t 0 ev
	"$KIST" container prune -f
	"$KIST" volume prune -af
	"$KIST" network prune -f
	"$KIST" image prune -f
	run -0 events --filter container=ev --format '{{.Action}}'
	[[ "$output" == *start*extract-to-dir*archive-path*exec_detach*kill*die*destroy* ]]
	run -0 events --filter volume=evdata --format '{{.Action}} {{index .Actor.Attributes "destination"}} {{index .Actor.Attributes "read/write"}}'
	[[ "$output" == *"mount /data false"*unmount*destroy* ]]
	run -0 events --filter event=prune --format '{{.Type}} {{.Actor.Attributes.reclaimed}}'
	[[ "${lines[*]}" == "container "[0-9]*" volume "[0-9]*" network 0 image "[0-9]* ]]
}

@test "what is missing is told as the process's failure, and never as an image to pull" {
	"$KIST" run -d --name ex $BUSYBOX sleep 600
	for C in $(clients); do
		run -126 client "$C" exec -u nosuch ex true
		[[ "$output" == *"no user nosuch"* ]]
		run -126 client "$C" exec -w /no/such ex true
		[[ "$output" == *"/no/such"* ]]
		for option in "--network nosuch" "--network container:nosuch" "--volumes-from nosuch"; do
			# shellcheck disable=SC2086  # two words
			run -125 client "$C" run --rm $option $BUSYBOX true
			[[ "$output" == *nosuch*"not found"* || "$output" == *"No such container: nosuch"* ]]
			[[ "$output" != *"Unable to find image"* ]]
		done
		run -1 client "$C" inspect nosuch
		[[ "${output,,}" == *"no such object: nosuch"* ]]
	done
	run -1 "$KIST" create --cap-add NOSUCH $BUSYBOX true
	[[ "$output" == *'unknown capability: "NOSUCH"'* ]]
	run -1 "$KIST" create --mount type=bind,source=/no/such,target=/x $BUSYBOX true
	[[ "$output" == *"bind source path does not exist: /no/such"* ]]
	"$KIST" rm -f ex
}
