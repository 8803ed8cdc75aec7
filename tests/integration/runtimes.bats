# --runtime NAME: containers that Debian's runc and crun make, through the same engine and monitor.
load ../lib/kist

setup_file() {
	RUNTIMES=
	for r in runc crun; do
		[ -z "$(command -v $r)" ] || RUNTIMES="$RUNTIMES $r"
	done
	export RUNTIMES
	# A script in the place of one that is not in Debian: it writes down how it is called, and has runc do it.
	FAKE=$(mktemp -d "${TMPDIR:-/tmp}/kist-test-fake.XXXXXX")
	export FAKE
	cat >"$FAKE/runsc" <<-'SH'
		#!/bin/sh
		echo "$*" >>"${0%/*}/calls"
		while [ "${1#--platform}" != "$1" ] || [ "${1#--debug}" != "$1" ]; do shift; done
		exec runc "$@"
	SH
	chmod 755 "$FAKE/runsc"
	cat >"$FAKE/kistd.json" <<-JSON
		{"default-runtime": "crun", "runtimes": {
			"crun": {"path": "/usr/bin/crun"}, "runc": {"path": "$(command -v runc || echo /usr/sbin/runc)"}, "nothing": {"path": "/nosuch/runtime"},
			"runsc": {"path": "$FAKE/runsc", "runtimeArgs": ["--platform=systrap", "--debug"]}}}
	JSON
	kist_start --config "$FAKE/kistd.json"
	chmod 711 "$KT_DIR" # a container's root finds its files behind it
}
teardown_file() { kist_end; rm -rf "$FAKE"; }
setup() { [ "$(wc -w <<<"$RUNTIMES")" -eq 2 ] || skip "Debian's runc and crun are not installed"; }
teardown() { left_nothing; no_runtime_left; }

# A runtime's state is in a mount namespace that ends with the container, so neither the host's table nor its directories have any of it.
no_runtime_left() {
	! grep -q " $KT_DIR/run/runtime" /proc/self/mountinfo || { echo "mounts are left" >&2; return 1; }
	[ -z "$(ls -A "$KT_DIR/run/runtime")" ] || { echo "state is left" >&2; return 1; }
	[ -z "$(find /sys/fs/cgroup -type d -path "*/kist-test-$KT_NAME/?*" 2>/dev/null)" ] || { echo "cgroups are left" >&2; return 1; }
}
kr() { "$KIST" run --runtime "$r" "$@"; } # with the runtime of the loop

@test "the host's /dev/null stays the host's" {
	was=$(stat -c '%u:%g %a' /dev/null)
	for name in runc crun; do
		"$KIST" run --rm --runtime $name $BUSYBOX true
		"$KIST" run -d --name quiet --runtime $name $BUSYBOX sleep 100
		"$KIST" exec quiet true
		"$KIST" exec -d quiet true
		[ "$("$KIST" exec quiet stat -c %t:%T /proc/self/fd/0 -L)" = 1:3 ]
		"$KIST" rm -f quiet
		[ "$(stat -c '%u:%g %a' /dev/null)" = "$was" ]
	done
}

@test "info and inspect: what there is, and which is used" {
	[ "$("$KIST" info -f '{{.DefaultRuntime}}')" = crun ]
	[ "$("$KIST" info -f '{{json .Runtimes.runsc}}')" = "{\"path\":\"$FAKE/runsc\",\"runtimeArgs\":[\"--platform=systrap\",\"--debug\"]}" ]
	[ "$("$KIST" info -f '{{.Runtimes.kist.path}}')" = kist-monitor ]
	id=$("$KIST" create $BUSYBOX true)
	[ "$("$KIST" inspect -f '{{.HostConfig.Runtime}}' "$id")" = crun ]
	"$KIST" rm "$id"
	id=$("$KIST" create --runtime kist $BUSYBOX true)
	[ "$("$KIST" inspect -f '{{.HostConfig.Runtime}}' "$id")" = kist ]
	"$KIST" rm "$id"
}

@test "a name that nobody knows, a program that is not there, what a runtime cannot do: a line, and 125" {
	run -125 "$KIST" run --rm --runtime nosuch $BUSYBOX true
	[[ "$output" == *"unknown or invalid runtime name: nosuch"* ]]
	run -125 "$KIST" run --rm --runtime nothing $BUSYBOX true
	[[ "$output" == *"/nosuch/runtime"*"No such file"* && ${#lines[@]} -eq 1 ]]
	run -125 "$KIST" run --rm --runtime runc --time-offset boottime=1h $BUSYBOX true
	[[ "$output" == *"TimeOffsets: not with the runtime runc"* ]]
	run -125 "$KIST" run --rm --runtime crun -v /tmp:/x:rshared $BUSYBOX true
	[[ "$output" == *"shared propagation: not with the runtime crun"* ]]
}

@test "options of the daemon that are wrong are named" {
	validate() { "$BUILD/bin/kistd" --config "$FAKE/kistd.json" --validate "$@"; }
	run validate
	[ "$output" = "configuration OK" ]
	refuse() { echo "$1" >"$BATS_TEST_TMPDIR/k.json"; run -2 "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/k.json" --validate; [[ "$output" == *"$2"* ]]; }
	refuse '{"runtimes": {"x": {"path": "runc"}}}' 'runtime x: an absolute path is wanted, not "runc"'
	refuse '{"runtimes": {"kist": {"path": "/bin/true"}}}' 'is reserved'
	refuse '{"runtimes": {"x": {"runtimeType": "io.containerd.runsc.v1"}}}' '"runtimeType" cannot be used'
	refuse '{"runtimes": {"x": {"path": "/a", "runtimeArgs": [1]}}}' 'item 1 of runtimeArgs'
	refuse '{"runtimes": ["x"]}' 'is not an object'
	refuse '{"default-runtime": "x"}' "specified default runtime 'x' does not exist"
	echo '{}' >"$BATS_TEST_TMPDIR/k.json"
	run -0 "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/k.json" --add-runtime x=/bin/true --default-runtime x --validate
	run -2 "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/k.json" --add-runtime x=/bin/true --add-runtime x=/bin/false --validate
	[[ "$output" == *"runtime x is given twice"* ]]
	run -2 "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/k.json" --add-runtime x --validate
}

@test "exit codes: the command's, 127, 126" {
	for r in $RUNTIMES; do
		run -0 kr --rm $BUSYBOX true
		run -3 kr --rm $BUSYBOX sh -c 'echo out; echo err >&2; exit 3'
		[[ "$output" == *out* && "$output" == *err* ]]
		run -127 kr --rm $BUSYBOX nosuch
		[[ "$output" == *'exec: "nosuch": executable file not found in $PATH'* && ${#lines[@]} -eq 1 ]]
		run -127 kr --rm $BUSYBOX /nosuch
		run -126 kr --rm $BUSYBOX /etc/passwd
		run -126 kr --rm $BUSYBOX /etc
		[ "$(echo from outside | kr -i --rm $BUSYBOX cat)" = "from outside" ]
	done
}

@test "it has a user namespace of its own, an address, its name, Docker's capabilities and filter" {
	for r in $RUNTIMES; do
		id=$(kr -d --name "of-$r" $BUSYBOX sleep 1000)
		[[ "$("$KIST" exec "$id" cat /proc/1/uid_map)" =~ ^\ *0\ +[1-9][0-9]{4,}\ +65536$ ]]
		[ "$("$KIST" exec "$id" grep Seccomp: /proc/1/status | tr -dc 0-9)" = 2 ]
		[ "$("$KIST" exec "$id" grep CapBnd /proc/1/status)" = "$("$KIST" run --rm --runtime kist $BUSYBOX grep CapBnd /proc/1/status)" ]
		[ "$("$KIST" exec "$id" grep CapInh /proc/1/status | cut -f2)" = 0000000000000000 ]
		address=$("$KIST" inspect -f '{{.NetworkSettings.IPAddress}}' "$id")
		[[ "$("$KIST" exec "$id" ip addr show eth0)" == *" $address/"* ]]
		[ "$("$KIST" exec "$id" hostname)" = "${id:0:12}" ]
		grep -q "$address" <("$KIST" exec "$id" cat /etc/hosts)
		# Of the host's file systems it sees none, and of the room that it was made in neither.
		[ "$("$KIST" exec "$id" grep -c "$KT_DIR/run/runtime" /proc/self/mountinfo)" = 0 ]
		run -1 "$KIST" exec "$id" ls "$KT_DIR"
		[ "$("$KIST" exec "$id" ls /proc/self/fd | wc -l)" -le 4 ]
		"$KIST" rm -f "$id"
		[[ "$(kr --rm --userns host $BUSYBOX cat /proc/self/uid_map)" == *4294967295* ]]
		[ "$(kr --rm --read-only $BUSYBOX sh -c 'touch /x 2>/dev/null || echo refused')" = refused ]
		[ "$(kr --rm --network none $BUSYBOX ls /sys/class/net)" = lo ]
	done
}

@test "a terminal: its size, a new size" {
	for r in $RUNTIMES; do
		run script -qec "stty rows 33 cols 77; '$KIST' run -it --rm --runtime $r $BUSYBOX sh -c 'i=0; until stty size | grep -q 33; do i=\$((i+1)); [ \$i -lt 300 ] || break; sleep 0.1; done; stty size; tty'" /dev/null </dev/null
		[[ "$output" == *"33 77"* && "$output" == *"/dev/"* ]]
		id=$(kr -d $BUSYBOX sleep 1000)
		run script -qec "stty rows 44 cols 88; '$KIST' exec -it $id sh -c 'i=0; until stty size | grep -q 44; do i=\$((i+1)); [ \$i -lt 300 ] || break; sleep 0.1; done; stty size'" /dev/null </dev/null
		[[ "$output" == *"44 88"* ]]
		"$KIST" rm -f "$id"
	done
}

@test "exec: user, environment, directory, exit codes, input" {
	for r in $RUNTIMES; do
		id=$(kr -d $BUSYBOX sleep 1000)
		[ "$("$KIST" exec -u 7:8 -e A=b -w /tmp "$id" sh -c 'echo $(id -u) $(id -g) $A $(pwd)')" = "7 8 b /tmp" ]
		run -4 "$KIST" exec "$id" sh -c 'exit 4'
		run -127 "$KIST" exec "$id" nosuch
		run -126 "$KIST" exec "$id" /etc/passwd
		[ "$(echo in | "$KIST" exec -i "$id" cat)" = in ]
		"$KIST" exec -d "$id" sh -c 'echo detached >/tmp/done'
		eventually "$KIST" exec "$id" grep -q detached /tmp/done
		# What it starts is in the container's cgroup, and goes with it.
		"$KIST" exec -d "$id" sleep 987654
		eventually pgrep -f 'sleep 987654'
		"$KIST" rm -f "$id"
		[ -z "$(pgrep -f 'sleep 987654')" ]
	done
}

@test "logs, wait, restart policy" {
	for r in $RUNTIMES; do
		id=$(kr -d $BUSYBOX sh -c 'seq 1 2000; exit 9')
		[ "$("$KIST" wait "$id")" = 9 ]
		[ "$("$KIST" logs "$id" | md5sum)" = "$(seq 1 2000 | md5sum)" ]
		"$KIST" start "$id"
		[ "$("$KIST" wait "$id")" = 9 ]
		"$KIST" rm "$id"
		id=$(kr -d --restart on-failure:2 $BUSYBOX false)
		eventually is_state "$id" exited
		[ "$("$KIST" inspect -f '{{.RestartCount}}' "$id")" = 2 ]
		"$KIST" rm "$id"
	done
}

@test "limits, seen from inside, and after an update" {
	limit() { "$KIST" exec "$1" sh -c "cat /sys/fs/cgroup/$2 2>/dev/null || cat /sys/fs/cgroup/$3"; }
	for r in $RUNTIMES; do
		id=$(kr -d --memory 64m --pids-limit 50 --cpus 0.5 $BUSYBOX sleep 1000)
		[ "$(limit "$id" memory/memory.limit_in_bytes memory.max)" = 67108864 ]
		[ "$(limit "$id" pids/pids.max pids.max)" = 50 ]
		"$KIST" update --pids-limit 60 "$id"
		[ "$(limit "$id" pids/pids.max pids.max)" = 60 ]
		[ "$("$KIST" stats --no-stream --format '{{.PIDs}}' "$id")" = 1 ]
		"$KIST" rm -f "$id"
		# Memory that is not there: the end is the kernel's, and is told as such.
		id=$(kr -d --memory 16m --memory-swap 16m --shm-size 64m $BUSYBOX dd if=/dev/zero of=/dev/shm/x bs=1M count=40)
		[ "$("$KIST" wait "$id")" = 137 ]
		eventually is_state "$id" exited
		[ "$("$KIST" inspect -f '{{.State.OOMKilled}}' "$id")" = true ]
		"$KIST" rm "$id"
	done
}

@test "stop with its signal, kill, pause" {
	for r in $RUNTIMES; do
		id=$(kr -d --stop-signal USR1 $BUSYBOX sh -c 'trap "exit 5" USR1; echo ready; while :; do sleep 0.05; done')
		eventually grep -q ready <("$KIST" logs "$id")
		eventually "$KIST" exec "$id" true
		"$KIST" stop -t 60 "$id"
		[ "$("$KIST" inspect -f '{{.State.ExitCode}}' "$id")" = 5 ]
		"$KIST" rm "$id"
		id=$(kr -d $BUSYBOX sleep 1000)
		"$KIST" pause "$id"
		is_state "$id" paused
		"$KIST" unpause "$id"
		[ "$("$KIST" exec "$id" echo again)" = again ]
		"$KIST" kill "$id"
		[ "$("$KIST" wait "$id")" = 137 ]
		"$KIST" rm "$id"
	done
}

@test "volumes, host directories, a tmpfs: with the container's ids, read-only where asked" {
	mkdir -p "$KT_DIR/host"
	echo host >"$KT_DIR/host/file"
	for r in $RUNTIMES; do
		[ "$(kr --rm -v "vol-$r:/v" -v "$KT_DIR/host:/h:ro" --tmpfs /t:size=1m $BUSYBOX sh -c 'echo $(stat -c %u:%g /h/file) $(cat /h/file); echo x >/v/x; touch /h/y 2>/dev/null || echo refused; mount | grep -c " /t type tmpfs"')" = \
			"0:0 host
refused
1" ]
		[ "$(kr --rm --mount "type=volume,src=vol-$r,dst=/v" $BUSYBOX stat -c %u:%g /v/x)" = 0:0 ]
		kr --rm -v "$KT_DIR/host:/h" $BUSYBOX touch "/h/by-$r"
		[ "$(stat -c %u "$KT_DIR/host/by-$r")" = 0 ]
		"$KIST" volume rm "vol-$r"
	done
}

@test "a published port" {
	for r in $RUNTIMES; do
		id=$(kr -d -p 127.0.0.1::8080 $BUSYBOX sh -c 'while :; do echo served | nc -l -p 8080; done')
		port=$("$KIST" port "$id" 8080 | sed 's/.*://')
		eventually sh -c "curl -s --http0.9 -m 2 http://127.0.0.1:$port | grep -q served"
		"$KIST" rm -f "$id"
	done
}

@test "the daemon is killed: containers live on, and are commanded again" {
	ids=
	for r in $RUNTIMES; do
		id=$(kr -d $BUSYBOX sh -c 'while :; do echo tick; sleep 0.1; done')
		ids="$ids $id $("$KIST" inspect -f '{{.State.Pid}}' "$id")"
	done
	kistd_kill9
	kistd_up --config "$FAKE/kistd.json"
	# shellcheck disable=SC2086  # two of each
	set -- $ids
	while [ $# -gt 0 ]; do
		[ "$("$KIST" inspect -f '{{.State.Pid}} {{.State.Status}}' "$1")" = "$2 running" ]
		[ "$("$KIST" exec "$1" echo still)" = still ]
		before=$("$KIST" logs "$1" | wc -l)
		more() { [ "$("$KIST" logs "$1" | wc -l)" -gt "$before" ]; }
		eventually more "$1"
		"$KIST" stop -t 0 "$1"
		"$KIST" rm "$1"
		shift 2
	done
}

@test "the monitor is killed: the container goes with it" {
	for r in $RUNTIMES; do
		id=$(kr -d $BUSYBOX sleep 1000)
		pid=$("$KIST" inspect -f '{{.State.Pid}}' "$id")
		monitor=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")
		[ "$(cat "/proc/$monitor/comm")" = kist-monitor ]
		kill -9 "$monitor"
		eventually is_state "$id" exited
		[ "$("$KIST" inspect -f '{{.State.ExitCode}} {{.State.Error}}' "$id")" = "137 monitor lost" ]
		gone "$pid"
		"$KIST" rm "$id"
	done
}

@test "the namespaces of another container; privileged; an init; a device; files and processes" {
	for r in $RUNTIMES; do
		id=$(kr -d --ipc shareable $BUSYBOX sleep 1000)
		kr --rm --pid "container:$id" --network "container:$id" --ipc "container:$id" $BUSYBOX sh -c 'grep -q sleep /proc/1/cmdline && ip addr show eth0 >/dev/null && touch /dev/shm/x'
		[ "$("$KIST" exec "$id" ls /dev/shm)" = x ]
		kr --rm --privileged $BUSYBOX true
		[ "$(kr --rm --init $BUSYBOX cat /proc/1/comm)" = docker-init ]
		"$KIST" exec "$id" sh -c 'echo inside >/file'
		[ "$("$KIST" cp "$id:/file" - | tar -xO)" = inside ]
		[ "$("$KIST" diff "$id")" = "A /file" ]
		[[ "$("$KIST" top "$id")" == *"sleep 1000"* ]]
		"$KIST" rm -f "$id"
	done
}

@test "processes that lose their parent are reaped, with the host's pids too" {
	for r in $RUNTIMES; do
		id=$(kr -d --pid host --userns host $BUSYBOX sh -c '(sleep 0.1 & sleep 0.1 & sleep 0.1 &); exec sleep 1000')
		pid=$("$KIST" inspect -f '{{.State.Pid}}' "$id")
		monitor=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status")
		alone() { [ "$(cat "/proc/$monitor/task/$monitor/children")" = "$pid " ]; }
		eventually alone
		"$KIST" rm -f "$id"
		gone "$pid"
	done
}

@test "the command lines that a runtime is given, and its options before them" {
	: >"$FAKE/calls"
	id=$("$KIST" run -d --runtime runsc $BUSYBOX sleep 1000)
	"$KIST" exec "$id" true
	"$KIST" rm -f "$id"
	room=$KT_DIR/run/runtime
	all="--platform=systrap --debug --root $room/state --log $room/log --log-format json"
	[ "$(cat "$FAKE/calls")" = "$all create --bundle $room --pid-file $room/pid $id
$all start $id
$all exec --detach --process $room/process.json --pid-file $room/pid $id
$all delete --force $id" ]
}

@test "the way to where a runtime finds its files must be open to the container's root, and no other directory of the host is needed" {
	for r in $RUNTIMES; do
		id=$(kr -d $BUSYBOX sleep 1000)
		monitor=$(awk '/^PPid/ { print $2 }' "/proc/$("$KIST" inspect -f '{{.State.Pid}}' "$id")/status")
		[ "$(grep -c " $KT_DIR/run/runtime " "/proc/$monitor/mountinfo")" = 1 ]
		run ! grep -q ' /mnt ' "/proc/$monitor/mountinfo"
		"$KIST" rm -f "$id"
		chmod 700 "$KT_DIR"
		run -125 kr --rm $BUSYBOX true
		chmod 711 "$KT_DIR"
		[[ "$output" == *"runtime $r: $KT_DIR must be searchable by all"* ]]
		kr --rm $BUSYBOX true
		chmod 700 "$KT_DIR"
		kr --rm --userns host $BUSYBOX true
		chmod 711 "$KT_DIR"
	done
}
