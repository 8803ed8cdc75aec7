# kist-runtime by its command line, as containerd, CRI-O, Podman and Docker call it: a bundle from busybox, and nothing left behind.
load ../lib/runtime

setup_file() {
	bundle_make
	local name
	for name in hostname stty mknod rm touch mkdir sed; do ln -sf busybox "$RT_DIR/bundle/rootfs/bin/$name"; done
	printf 'not a program\n' >"$RT_DIR/bundle/rootfs/bin/plain"
}
teardown_file() { bundle_remove; }
setup() { bundle_fresh; }
teardown() {
	[ -z "${manager:-}" ] || kill "$manager" 2>/dev/null || true
	runtime_left_nothing
}

status_of() { rt state "$1" | jq -r .status; }
is() { [ "$(status_of "$1")" = "$2" ]; }

@test "run: output, input and exit status are the container's" {
	args /bin/sh -c 'cat; echo err >&2; exit 7'
	run -7 --separate-stderr rt run -b "$RT_DIR/bundle" "$ID" <<<"through"
	[ "$output" = through ]
	[ "$stderr" = err ]
	args /bin/false
	run -1 run_it
	config '.linux.namespaces |= map(select(.type != "pid"))' # the first of a pid namespace cannot be killed from inside
	args /bin/sh -c 'kill -9 $$'
	run -137 run_it
	args /bin/sh -c 'kill -TERM $$'
	run -143 run_it
}

@test "run: signals are passed on" {
	args /bin/sh -c 'trap "exit 44" TERM; echo ready; while :; do sleep 0.05; done'
	"$RUNTIME" --root "$RT_DIR/state" run -b "$RT_DIR/bundle" "$ID" </dev/null >"$RT_DIR/out" 2>/dev/null 3>&- &
	local pid=$! status=0
	eventually grep -q ready "$RT_DIR/out"
	kill -TERM $pid
	wait $pid || status=$?
	[ "$status" = 44 ]
}

@test "the life of a container: create, start, state, kill, delete" {
	args /bin/sh -c "echo begun; : kist-test-mark-$$; exec sleep 300"
	create --pid-file "$RT_DIR/pid" "$ID"
	is "$ID" created
	[ "$(cat "$RT_DIR/pid")" = "$(rt state "$ID" | jq .pid)" ]
	[ "$(rt state "$ID" | jq -r '.ociVersion + " " + .id + " " + .bundle')" = "$(jq -r .ociVersion "$RT_DIR/base.json") $ID $RT_DIR/bundle" ]
	[ ! -s "$RT_DIR/out" ] # nothing has run yet
	rt start "$ID"
	is "$ID" running
	eventually grep -q begun "$RT_DIR/out"
	refused "cannot start an already running container" rt start "$ID"
	refused "cannot delete container $ID that is not stopped" rt delete "$ID"
	refused "already exists" create_with_error
	rt kill "$ID" KILL
	eventually is "$ID" stopped
	[ "$(rt state "$ID" | jq .pid)" = 0 ]
	refused "container not running" rt kill "$ID"
	refused "cannot start a container that has stopped" rt start "$ID"
	rt delete "$ID"
	refused "container does not exist: $ID" rt state "$ID"
	refused "does not exist" rt delete "$ID"
	rt delete --force "$ID"
}
create_with_error() { rt create -b "$RT_DIR/bundle" "$ID"; }

@test "the config of a created container may change: it does not matter" {
	args /bin/echo first
	create "$ID"
	args /bin/echo second
	rt start "$ID"
	eventually grep -q first "$RT_DIR/out"
	eventually is "$ID" stopped
	rt delete "$ID"
}

@test "delete of a created one, delete --force of a running one" {
	sleeper
	create "$ID"
	rt delete "$ID"
	create "$ID"
	rt start "$ID"
	rt delete --force "$ID"
	refused "does not exist" rt state "$ID"
}

@test "kill --all reaches every process" {
	args /bin/sh -c "sleep 300 & sleep 300 & : kist-test-mark-$$; wait"
	create "$ID"
	rt start "$ID"
	eventually test "$(rt ps "$ID" --format json | jq length)" -ge 1
	eventually sh -c "[ \$($RUNTIME --root $RT_DIR/state ps $ID -f json | jq length) = 3 ]"
	rt kill --all "$ID" KILL
	eventually is "$ID" stopped
	rt delete "$ID"
}

@test "signals by number and by name" {
	sleeper
	create "$ID"
	rt start "$ID"
	refused "is not a signal" rt kill "$ID" NOSUCH
	refused "is not a signal" rt kill "$ID" 0
	refused "is not a signal" rt kill "$ID" 65
	refused "is not a signal" rt kill "$ID" -- -9
	rt kill "$ID" SIGWINCH
	rt kill "$ID" 28
	rt kill "$ID" kill
	eventually is "$ID" stopped
	rt delete "$ID"
}

@test "exec: status, environment, user, terminal refused without a holder" {
	args /bin/sh -c "while :; do sleep 0.2; : kist-test-mark-$$; done"
	create "$ID"
	rt start "$ID"
	run -9 rt exec "$ID" /bin/sh -c 'exit 9'
	[ "$(rt exec -e A=1 -e PATH=/x --cwd /tmp "$ID" /bin/sh -c 'echo $A $PATH $PWD')" = "1 /x /tmp" ]
	[ "$(rt exec -u 5:6 -g 7,8 "$ID" /bin/id)" = "uid=5 gid=6 groups=7,8" ] || rt exec -u 5:6 -g 7,8 "$ID" /bin/id
	for user in root -1 5:x 2147483648 4294967296 '' '5:' ':5'; do
		refused "not UID or UID:GID" rt exec "--user=$user" "$ID" /bin/true
	done
	refused "executable file not found" rt exec "$ID" nosuch
	refused "Permission denied" rt exec "$ID" /bin/plain || refused "permission denied" rt exec "$ID" /bin/plain
	refused "give --console-socket" rt exec -d -t "$ID" /bin/true
	refused "needs a command" rt exec "$ID"
	rt exec -d --pid-file "$RT_DIR/pid" "$ID" /bin/sleep 300
	[ "$(readlink "/proc/$(cat "$RT_DIR/pid")/ns/pid")" = "$(readlink "/proc/$(rt state "$ID" | jq .pid)/ns/pid")" ]
	# It is in the container's cgroups, all of them.
	[ "$(sort "/proc/$(cat "$RT_DIR/pid")/cgroup")" = "$(sort "/proc/$(rt state "$ID" | jq .pid)/cgroup")" ]
	rt delete --force "$ID"
	refused "does not exist" rt exec "$ID" /bin/true
}

@test "exec has a terminal that works" {
	sleeper
	create "$ID"
	rt start "$ID"
	run -0 script -qec "stty rows 33 cols 77; $RUNTIME --root $RT_DIR/state exec -t $ID /bin/sh -c 'stty size; readlink /proc/self/fd/0'" /dev/null </dev/null
	[[ "$output" == *"33 77"* ]]
	[[ "$output" == *"/dev/pts/0"* ]]
	rt delete --force "$ID"
}

@test "console socket: the terminal is handed over" {
	config '.process.terminal = true'
	args /bin/sh -c 'stty size >/dev/null && echo on a terminal'
	python3 - "$RT_DIR/console" >"$RT_DIR/console.out" 3>&- <<'PY' &
import socket, sys, os, array
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); c, _ = s.accept()
msg, anc, flags, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
fds = array.array('i'); fds.frombytes(anc[0][2]); assert len(fds) == 1 and msg
try:
    while True:
        d = os.read(fds[0], 4096)
        if not d: break
        os.write(1, d)
except OSError: pass
PY
	local pid=$!
	eventually test -S "$RT_DIR/console"
	refused "give --console-socket" create_with_error
	create --console-socket "$RT_DIR/console" "$ID"
	rt start "$ID"
	eventually is "$ID" stopped
	wait $pid
	grep -q "on a terminal" "$RT_DIR/console.out"
	rt delete "$ID"
	config '.process.terminal = false'
	refused "the process has no terminal" rt run -b "$RT_DIR/bundle" --console-socket "$RT_DIR/console" "$ID"
	config '.process.terminal = true'
	refused "console socket $RT_DIR/nobody" rt run -b "$RT_DIR/bundle" --console-socket "$RT_DIR/nobody" "$ID"
}

@test "pause and resume" {
	args /bin/sh -c "while :; do echo tick; sleep 0.02; : kist-test-mark-$$; done"
	create "$ID"
	refused "container not running: cannot pause" rt pause "$ID"
	rt start "$ID"
	eventually test -s "$RT_DIR/out"
	rt pause "$ID"
	is "$ID" paused
	refused "cannot exec in a paused container" rt exec "$ID" /bin/true
	refused "container not running: cannot pause" rt pause "$ID"
	local before
	before=$(wc -l <"$RT_DIR/out")
	sleep 0.3
	[ "$(wc -l <"$RT_DIR/out")" = "$before" ]
	rt resume "$ID"
	is "$ID" running
	refused "container not paused: cannot resume" rt resume "$ID"
	rt pause "$ID"
	rt delete --force "$ID"
}

@test "list" {
	[ "$(rt list -q)" = "" ]
	[ "$(rt list -f json)" = "[]" ]
	sleeper
	create "$ID"
	[ "$(rt list -q)" = "$ID" ]
	[ "$(rt list -f json | jq -r '.[0].status')" = created ]
	rt list | grep -q "^$ID .*created"
	refused "neither table nor json" rt list -f xml
	rt delete "$ID"
}

@test "no such command, not executable, no such directory" {
	args nosuch
	refuses 'exec: "nosuch": executable file not found in $PATH'
	args /no/such
	refuses "/no/such"
	args /bin/plain
	refuses "/bin/plain"
	args /tmp
	refuses "/tmp"
	args /bin/true
	config '.process.cwd = "/no/such"' # made, as the others do
	run -0 run_it
	[ -d "$RT_DIR/bundle/rootfs/no/such" ]
	rm -r "$RT_DIR/bundle/rootfs/no"
	args nosuch
	config '.process.cwd = "/"'
	refused "executable file not found" create_with_error
}

@test "bad configs: the field is named, nothing is left" {
	local rows=(
		'.process.cwd = "relative"|process.cwd'
		'.process.args = []|process.args'
		'.process.args = "x"|process.args'
		'del(.process.args)|process.args'
		'.process.user.uid = -1|process.user.uid'
		'.process.user.uid = 4294967296|process.user.uid'
		'.process.user.uid = "0"|process.user.uid'
		'.process.rlimits[0].type = "RLIMIT_NOPE"|RLIMIT_NOPE'
		'.root.path = "nosuchroot"|nosuchroot'
		'del(.root)|root'
		'.linux.namespaces += [{"type": "nope"}]|nope'
		'.linux.namespaces += [{"type": "pid"}]|linux.namespaces'
		'.mounts += [{"destination": "/tmp", "type": "nosuchfs", "source": "x"}]|mounts[7]'
		'.mounts += [{"destination": "/x", "type": "bind", "source": "/no/such/source", "options": ["bind"]}]|/no/such/source'
		'.linux.resources.memory.limit = "much"|linux.resources.memory.limit'
		'.linux.resources.cpu = {"cpus": "4000"}|linux.resources.cpu.cpus'
		'.linux.resources.cpu = {"quota": 1}|linux.resources.cpu.quota'
		'.linux.resources.devices[0].type = "q"|linux.resources.devices[0].type'
		'.linux.resources.network.classID = 5|linux.resources.network.classID'
		'.linux.cgroupsPath = "../../x"|cgroup path'
		'.linux.cgroupsPath = "a/../../x"|cgroup path'
		'.linux.cgroupsPath = "a:b:c"|linux.cgroupsPath'
		'.linux.seccomp = {"defaultAction": "SCMP_ACT_NOPE"}|SCMP_ACT_NOPE'
		'.hooks.poststop = [{"path": "bin/true"}]|hooks.poststop'
		'.hooks.prestart = [{"path": "/bin/false"}]|hooks.prestart[0]'
		'.hooks.createRuntime = [{"path": "/no/such"}]|hooks.createRuntime[0]'
		'.hooks.createContainer = [{"path": "/bin/false"}]|hooks.createContainer[0]'
		'.ociVersion = "2.0.0"|ociVersion'
		'del(.ociVersion)|ociVersion'
		'.linux.sysctl = {"kernel.panic": "1"}|kernel.panic'
	)
	local row
	for row in "${rows[@]}"; do
		cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
		config "${row%|*}"
		refuses "${row##*|}" || { echo "for: $row" >&2; return 1; }
		[ -z "$(left)" ] || { echo "left by: $row" >&2; return 1; }
	done
}

@test "malformed config.json, no bundle, no config" {
	echo '{"ociVersion":' >"$RT_DIR/bundle/config.json"
	refuses "is not valid JSON"
	echo '[]' >"$RT_DIR/bundle/config.json"
	refuses "is not an object"
	echo '{"ociVersion": "1.0.0", "ociVersion": "1.0.1"}' >"$RT_DIR/bundle/config.json"
	refuses "is not valid JSON"
	rm "$RT_DIR/bundle/config.json"
	refuses "$RT_DIR/bundle/config.json: No such file"
	refused "/no/such/bundle" rt run -b /no/such/bundle "$ID"
}

@test "bad command lines" {
	refused "unknown command nonsense" rt nonsense
	refused "unknown option --nonsense" rt --nonsense list
	refused "run needs ID" rt run
	refused "too many arguments" rt state a b
	refused "is not a container id" rt state ../x
	refused "is not a container id" rt run -b "$RT_DIR/bundle" 'a b'
	refused "is not a container id" rt run -b "$RT_DIR/bundle" ..
	refused "--cgroup-manager x: neither cgroupfs nor systemd" rt --cgroup-manager x list
	refused "--no-pivot is not supported" rt run --no-pivot -b "$RT_DIR/bundle" "$ID"
	refused "--preserve-fds x: not a number" rt run --preserve-fds x -b "$RT_DIR/bundle" "$ID"
	refused "--preserve-fds 30: file descriptor" rt run --preserve-fds 30 -b "$RT_DIR/bundle" "$ID"
	refused "neither text nor json" rt --log-format xml list
	refused "pid file" rt run --pid-file /no/such/dir/pid -b "$RT_DIR/bundle" "$ID"
}

@test "the log file, text and JSON" {
	refused "does not exist" rt --log "$RT_DIR/log" state nosuch
	grep -q '^time=".*" level=error msg="container does not exist: nosuch"$' "$RT_DIR/log"
	refused "does not exist" rt --log "$RT_DIR/log.json" --log-format json state nosuch
	[ "$(jq -r '.level + " " + .msg' "$RT_DIR/log.json")" = "error container does not exist: nosuch" ]
}

@test "spec writes a config once" {
	mkdir "$RT_DIR/fresh"
	rt spec -b "$RT_DIR/fresh"
	jq -e '.process.args == ["sh"] and .root.readonly' "$RT_DIR/fresh/config.json"
	refused "config.json" rt spec -b "$RT_DIR/fresh"
	refused "/no/such" rt spec -b /no/such
}

@test "features: what they name is understood" {
	rt features | jq -e '.ociVersionMax and (.hooks | length) == 6 and (.linux.namespaces | length) == 8 and (.mountOptions | index("rro")) and (.linux.seccomp.actions | index("SCMP_ACT_NOTIFY"))
		and (.linux.capabilities | index("CAP_CHECKPOINT_RESTORE")) and (.linux.seccomp.supportedFlags | index("SECCOMP_FILTER_FLAG_LOG"))'
	config '.mounts += [{"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": []}]'
	cp "$RT_DIR/bundle/config.json" "$RT_DIR/with-mount.json"
	local word
	# Those of which a tmpfs says nothing are the bind mounts', and those that change one.
	for word in $(rt features | jq -r '.mountOptions[]' | grep -vE '^(r?bind|r?idmap|remount|mand|iversion)$'); do
		jq --arg w "$word" '.mounts[-1].options = [$w]' "$RT_DIR/with-mount.json" >"$RT_DIR/bundle/config.json"
		run -0 run_it || { echo "mount option $word: $output" >&2; return 1; }
	done
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	config '.process.capabilities.bounding = ($f.linux.capabilities) | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: [$f.linux.seccomp.archs[] | select(test("X86|X32"))],
		flags: ($f.linux.seccomp.supportedFlags - ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]),
		syscalls: [$f.linux.seccomp.operators[] | {names: ["chroot"], action: "SCMP_ACT_ERRNO", args: [{index: 0, value: 1, valueTwo: 1, op: .}]}]}' --argjson f "$(rt features)"
	run -0 run_it || { echo "$output" >&2; return 1; }
}

@test "the same exit statuses as the others: tests/lib/compare-runtimes" {
	"$BATS_TEST_DIRNAME/../lib/compare-runtimes" "${RUNTIME%/bin/kist-runtime}" --check
}

@test "limits as seen from inside and outside" {
	[ -d /sys/fs/cgroup/memory ] || skip "the memory controller is not v1 here"
	config '.linux.resources += {"memory": {"limit": 67108864}, "pids": {"limit": 23}, "cpu": {"quota": 50000, "period": 100000, "shares": 512, "cpus": "0"}}'
	args /bin/sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us \
		/sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpuset/cpuset.cpus; head -n 1 /proc/self/cgroup'
	run -0 run_it
	[ "${lines[*]:0:5}" = "67108864 23 50000 512 0" ]
	[[ "${lines[5]}" == *:/ ]] # a cgroup namespace: its own is the root
	# the limit of processes holds
	args /bin/sh -c 'for i in $(seq 30 2>/dev/null || echo 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25); do sleep 1 & done; wait'
	run run_it
	[[ "$output" == *"fork"* ]]
}

@test "update changes the limits of a running container" {
	[ -d /sys/fs/cgroup/pids ] || skip "the pids controller is not v1 here"
	config '.linux.resources.pids = {"limit": 23}'
	args /bin/sh -c "while :; do sleep 0.2; : kist-test-mark-$$; done"
	create "$ID"
	rt start "$ID"
	[ "$(rt exec "$ID" /bin/cat /sys/fs/cgroup/pids/pids.max)" = 23 ]
	echo '{"pids": {"limit": 31}, "cpu": {"shares": 77}}' | rt update -r - "$ID"
	[ "$(rt exec "$ID" /bin/cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.shares | tr '\n' ' ')" = "31 77 " ]
	# devices were not spoken of, and stay as they were
	rt exec "$ID" /bin/sh -c 'cat /dev/null'
	echo '{"cpu": {"quota": 1}}' >"$RT_DIR/resources"
	refused "linux.resources.cpu.quota" rt update -r "$RT_DIR/resources" "$ID"
	refused "needs --resources" rt update "$ID"
	rt delete --force "$ID"
	refused "does not exist" rt update -r "$RT_DIR/resources" "$ID"
}

@test "update by flags" {
	[ -d /sys/fs/cgroup/pids ] || skip "the pids controller is not v1 here"
	args /bin/sh -c "while :; do sleep 0.2; : kist-test-mark-$$; done"
	create "$ID"
	rt start "$ID"
	rt update --memory 64MiB --memory-reservation 32m --pids-limit 41 --cpu-period 50000 --cpu-quota 25000 --cpu-share 99 --cpuset-cpus 0 "$ID"
	run -0 rt exec "$ID" /bin/sh -c 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes pids/pids.max \
		cpu/cpu.cfs_period_us cpu/cpu.cfs_quota_us cpu/cpu.shares cpuset/cpuset.cpus'
	[ "${lines[*]}" = "67108864 33554432 41 50000 25000 99 0" ]
	rt update --cpu-quota -1 "$ID"
	[ "$(rt exec "$ID" /bin/cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)" = -1 ]
	local value
	for value in much 1x -2 64mm 9999999999999g ''; do
		refused "not a size" rt update "--memory=$value" "$ID"
	done
	refused "not a number" rt update --pids-limit 1k "$ID"
	rt delete --force "$ID"
}

@test "events: figures, and out of memory" {
	[ -d /sys/fs/cgroup/memory ] || [ -e /sys/fs/cgroup/memory.stat ] || grep -q memory /sys/fs/cgroup/cgroup.controllers || skip "no memory controller"
	config '.linux.resources.memory = {"limit": 33554432, "swap": 33554432} | .linux.resources.pids = {"limit": 23}'
	args /bin/sh -c "while :; do sleep 0.2; : kist-test-mark-$$; done"
	create "$ID"
	rt start "$ID"
	rt events --stats "$ID" | jq -e --arg id "$ID" '.type == "stats" and .id == $id and .data.memory.usage.limit == 33554432 and .data.pids.limit == 23
		and .data.pids.current >= 1 and .data.cpu.usage.total > 0 and .data.memory.usage.usage > 0 and (.data.memory.raw | length) > 10'
	"$RUNTIME" --root "$RT_DIR/state" events --interval 100ms "$ID" </dev/null >"$RT_DIR/events" 2>&1 3>&- &
	local pid=$!
	eventually grep -q stats "$RT_DIR/events"
	run -137 rt exec "$ID" /bin/sh -c 'x=a; while :; do x=$x$x; done'
	eventually grep -q '^{"type":"oom","id":"'"$ID"'"}$' "$RT_DIR/events"
	rt kill "$ID" KILL
	wait $pid # it ends with the container
	jq -es 'map(.type) | unique == ["oom", "stats"]' "$RT_DIR/events"
	refused "container not running" rt events "$ID"
	local interval
	for interval in 0s 5 x -1s 5d ''; do
		refused "not a duration" rt events "--interval=$interval" "$ID"
	done
	rt delete "$ID"
}

@test "hooks: all six, in order, with the state on their input" {
	cat >"$RT_DIR/hook" <<-'SH'
		#!/bin/sh
		# One line of the log per call: the name, the status, and whether the pid is said.
		echo "$1 $(sed 's/.*"status": *"\([a-z]*\)".*/\1/') $(readlink /proc/self/ns/pid | tr -dc 0-9)" >>"$2"
	SH
	chmod +x "$RT_DIR/hook"
	mkdir -p "$RT_DIR/bundle/rootfs/log"
	cp "$RT_DIR/hook" "$RT_DIR/bundle/rootfs/bin/hook"
	: >"$RT_DIR/hooks.log"
	config '.hooks = ([("prestart", "createRuntime", "createContainer", "poststart", "poststop")
			| {(.): [{"path": ($dir + "/hook"), "args": ["hook", ., ($dir + "/hooks.log")], "env": ["PATH=/usr/bin:/bin"]}]}] | add)
		| .hooks.startContainer = [{"path": "/bin/hook", "args": ["hook", "startContainer", "/log/hooks.log"], "env": ["PATH=/bin"]}]
		| .mounts += [{"destination": "/log/hooks.log", "type": "bind", "source": ($dir + "/hooks.log"), "options": ["bind", "rw"]}]' --arg dir "$RT_DIR"
	args /bin/sh -c "echo process running >>/log/hooks.log; sleep 300; : kist-test-mark-$$"
	create "$ID"
	[ "$(cut -d' ' -f1,2 "$RT_DIR/hooks.log" | tr '\n' ,)" = "prestart creating,createRuntime creating,createContainer creating," ]
	rt start "$ID"
	eventually grep -q ^process "$RT_DIR/hooks.log"
	rt delete --force "$ID"
	run -0 cut -d' ' -f1,2 "$RT_DIR/hooks.log"
	[ "$(printf '%s\n' "${lines[@]}" | sort | tr '\n' ,)" = "createContainer creating,createRuntime creating,poststart running,poststop stopped,prestart creating,process running,startContainer created," ]
	[ "${lines[6]}" = "poststop stopped" ]
	[ "${lines[3]}" = "startContainer created" ]
}

@test "hooks that fail: the container does not come to be, or is stopped; after its end they are only told of" {
	config '.hooks.poststart = [{"path": "/bin/false"}] | .hooks.poststop = [{"path": "/usr/bin/touch", "args": ["touch", ($dir + "/stopped")]}]' --arg dir "$RT_DIR"
	sleeper
	create "$ID"
	refused "hooks.poststart[0]" rt start "$ID"
	eventually is "$ID" stopped
	rt delete "$ID"
	[ -e "$RT_DIR/stopped" ]
	rm "$RT_DIR/stopped"
	refuses "hooks.poststart[0]"
	[ -e "$RT_DIR/stopped" ]
	rm "$RT_DIR/stopped"
	# What the first have done the last undo, whoever of them failed.
	config '.hooks.prestart = [{"path": "/bin/false"}]'
	refuses "hooks.prestart[0]"
	[ -e "$RT_DIR/stopped" ]
	rm "$RT_DIR/stopped"
	config '.hooks = {"poststop": [{"path": "/bin/false"}, {"path": "/usr/bin/touch", "args": ["touch", ($dir + "/stopped")]}]}' --arg dir "$RT_DIR"
	args /bin/true
	run -0 --separate-stderr rt --log "$RT_DIR/log.hooks" run -b "$RT_DIR/bundle" "$ID"
	[ "$stderr" = "" ] # which is the container's
	grep -q "level=warning msg=\"hooks.poststop\[0\]" "$RT_DIR/log.hooks"
	[ -e "$RT_DIR/stopped" ]
	rm "$RT_DIR/stopped"
	# One that hangs is killed when its time is over.
	config '.hooks = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}'
	refuses "hooks.createRuntime[0]"
}

@test "a seccomp filter: compiled once, remembered, obeyed" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat", "nosuchcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
	args /bin/sh -c 'grep Seccomp: /proc/self/status; mkdir /tmp/x; exit 3'
	local i
	for i in 1 2; do
		run -3 run_it
		[[ "$output" == *2*"No space left"* ]]
	done
	[ -n "$(ls "$RT_DIR/state/~~filters")" ]
}

@test "memory over the limit is killed" {
	[ -d /sys/fs/cgroup/memory ] || [ -e /sys/fs/cgroup/memory.stat ] || grep -q memory /sys/fs/cgroup/cgroup.controllers || skip "no memory controller"
	config '.linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	args /bin/sh -c 'x=a; while :; do x=$x$x; done'
	run -137 run_it
}

@test "devices: the allowed ones and no others" {
	config '.process.capabilities.effective += ["CAP_MKNOD"]'
	config '.root.readonly = false'
	args /bin/sh -c 'cat /dev/null && echo null; head -c 1 /dev/zero >/dev/null && echo zero; mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg; rm /tmp/kmsg'
	run run_it
	[[ "$output" == *null*zero* ]]
	[[ "$output" == *"peration not permitted"* ]]
}

@test "only stdio reaches the process; the root is the bundle's" {
	exec 7</etc/passwd
	args /bin/sh -c 'ls /proc/self/fd; ls /'
	run -0 run_it
	exec 7<&-
	[[ "$output" != *passwd* ]]
	[ "$(printf '%s\n' "${lines[@]}" | grep -c '^[0-9]*$')" -le 4 ] # 0, 1, 2, and that of ls itself
}

@test "--preserve-fds and LISTEN_FDS: files that are handed on, and no others" {
	echo three >"$RT_DIR/three"
	echo four >"$RT_DIR/four"
	args /bin/sh -c 'cat <&3; cat <&4; ls /proc/self/fd | tr "\n" " "; env | grep LISTEN'
	run rt run --preserve-fds 2 -b "$RT_DIR/bundle" "$ID" </dev/null 3<"$RT_DIR/three" 4<"$RT_DIR/four" 5<"$RT_DIR/four"
	[ "${lines[0]} ${lines[1]}" = "three four" ]
	[[ "${lines[2]}" == "0 1 2 3 4 5 " ]] # 5 is what ls reads
	LISTEN_FDS=2 LISTEN_PID=999 LISTEN_FDNAMES=a:b run rt run -b "$RT_DIR/bundle" "$ID" </dev/null 3<"$RT_DIR/three" 4<"$RT_DIR/four"
	[[ "$output" == *three*four*LISTEN_FDS=2*LISTEN_PID=1*LISTEN_FDNAMES=a:b* ]]
	sleeper
	create "$ID"
	rt start "$ID"
	run -0 rt exec --preserve-fds 1 "$ID" /bin/sh -c 'cat <&3; ls /proc/self/fd | tr "\n" " "' 3<"$RT_DIR/three" 4<"$RT_DIR/four"
	[ "${lines[0]}" = three ]
	[ "${lines[1]}" = "0 1 2 3 4 " ]
	rt delete --force "$ID"
}

@test "tmpcopyup: a tmpfs begins with what the image has there" {
	local there=$RT_DIR/bundle/rootfs/full
	mkdir -p "$there/a/b"
	echo text >"$there/a/b/file"
	chown 5:6 "$there/a/b/file"
	chmod 4710 "$there/a/b/file"
	ln -s /etc/passwd "$there/link"
	mkfifo "$there/fifo"
	mknod "$there/node" c 1 3
	chmod 1751 "$there"
	config '.mounts += [{"destination": "/full", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro", "size=1m"]}]'
	args /bin/sh -c 'cat /full/a/b/file; stat -c "%a %u:%g" /full/a/b/file; readlink /full/link; stat -c "%F %a" /full/fifo /full; ls /full/node; touch /full/x'
	run run_it
	[ "${lines[*]:0:5}" = "text 4710 5:6 /etc/passwd fifo 644 directory 1751" ]
	[[ "$output" == *"/full/node: No such file"*"Read-only file system"* ]]
	# Not more than the tmpfs may hold.
	head -c 2000000 /dev/zero >"$there/large"
	refuses "No space left on device"
	rm "$there/large"
	local deep=$there
	for _ in $(seq 70); do deep=$deep/d; done
	mkdir -p "$deep"
	refuses "Too many levels"
	rm -r "$there"
	config '.mounts[-1].type = "proc"'
	refuses '"tmpcopyup" is for a tmpfs'
	config '.mounts[-1] |= {destination, type: "bind", source: "/etc", options: ["bind", "tmpcopyup"]}'
	refuses '"tmpcopyup" is not an option of a bind mount'
}

@test "a root that may not raise limits: what there is, and a warning" {
	grep -q "CapEff:.*[0-9a-f]*" /proc/self/status
	[ $((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)) = 0 ] || skip "root has CAP_SYS_RESOURCE here"
	local hard
	hard=$(ulimit -Hu)
	[ "$hard" != unlimited ] || skip "there is no limit to raise"
	config '.process.rlimits += [{"type": "RLIMIT_NPROC", "hard": 1048576000, "soft": 1048576000}] | .process.oomScoreAdj = -999'
	args /bin/sh -c 'grep "Max processes" /proc/self/limits | tr -s " " | cut -d" " -f4; cat /proc/self/oom_score_adj'
	ln -sf busybox "$RT_DIR/bundle/rootfs/bin/cut"
	run -0 --separate-stderr run_it
	[ "${lines[0]}" = "$hard" ]
	[ "${lines[1]}" = "$(cat /proc/self/oom_score_adj)" ]
	[[ "$stderr" == *"warning: process.rlimits: RLIMIT_NPROC"*"warning: process.oomScoreAdj"* ]]
}

@test "the program cannot be overwritten from a container (CVE-2019-5736)" {
	local before
	before=$(sha256sum "$RUNTIME")
	cp "$(command -v busybox)" "$RT_DIR/bundle/rootfs/bin/attack"
	sleeper
	create "$ID"
	local pid
	pid=$(rt state "$ID" | jq .pid)
	# Before start the container's process still is kist-runtime.
	run sh -c "echo overwritten >/proc/$pid/exe"
	[ "$status" -ne 0 ]
	rt delete "$ID"
	args /proc/self/exe
	run run_it
	[ "$status" -ne 0 ] || [[ "$output" == *usage* ]]
	[ "$(sha256sum "$RUNTIME")" = "$before" ]
}

@test "without the new mount calls it runs from a sealed copy" {
	command -v strace >/dev/null || skip "no strace"
	args /bin/echo sealed
	run strace -qq -o "$RT_DIR/trace" -e trace=execveat,open_tree -e inject=open_tree:error=ENOSYS:when=1 \
		"$RUNTIME" --root "$RT_DIR/state" run -b "$RT_DIR/bundle" "$ID" </dev/null
	[ "$(grep -c execveat "$RT_DIR/trace")" = 1 ] # once: it does not go round in circles
	[ "$output" = sealed ]
}

@test "a maker that is killed at any moment leaves nothing that is in the way" {
	local i pid
	sleeper
	for i in $(seq 25); do
		"$RUNTIME" --root "$RT_DIR/state" create -b "$RT_DIR/bundle" "$ID" </dev/null >/dev/null 2>&1 3>&- &
		pid=$!
		disown
		sleep "0.00$((i % 10))$((i * 7 % 10))"
		kill -9 $pid 2>/dev/null || true
		while kill -0 $pid 2>/dev/null; do :; done
		rt delete --force "$ID"
		create "$ID"
		rt delete --force "$ID"
	done
}

@test "many of one name at once: one wins" {
	sleeper
	local i won=0
	for i in 1 2 3 4 5 6; do
		(rt create -b "$RT_DIR/bundle" "$ID" </dev/null >/dev/null 2>&1 3>&-; echo $? >"$RT_DIR/race.$i") &
	done
	wait
	for i in 1 2 3 4 5 6; do
		[ "$(cat "$RT_DIR/race.$i")" != 0 ] || won=$((won + 1))
	done
	[ "$won" = 1 ]
	is "$ID" created
	rt delete --force "$ID"
}

@test "without linux.cgroupsPath the cgroup is kist/ID" {
	config 'del(.linux.cgroupsPath)'
	sleeper
	create "$ID"
	grep -q ":/kist/$ID\$" "/proc/$(rt state "$ID" | jq .pid)/cgroup"
	rt delete --force "$ID"
	[ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
}

# A manager's end of NOTIFY_SOCKET: each datagram is a line of $RT_DIR/told, its newlines are blanks.
manager() {
	cat >"$RT_DIR/manager.py" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1] if sys.argv[1][0] == "/" else "\0" + sys.argv[1][1:])
		print("listens", file=open(sys.argv[2], "a"), flush=True)
		while True:
		    text = s.recv(65536).decode(errors="replace")
		    print(text.replace("\n", " "), file=open(sys.argv[2], "a"), flush=True)
	PY
	rm -f "$RT_DIR/told" "$RT_DIR/notify"
	python3 "$RT_DIR/manager.py" "$1" "$RT_DIR/told" 3>&- &
	manager=$!
	eventually grep -q listens "$RT_DIR/told"
}
told() { grep -qx -- "$1" "$RT_DIR/told"; }
say() { # MESSAGE: by a process in the root of the container, as its init would
	python3 - "/proc/$(rt state "$ID" | jq .pid)/root" "$1" <<-'PY'
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		message = sys.argv[2].encode().decode("unicode_escape").encode()
		os.chroot(sys.argv[1])
		s.sendto(message, "/run/notify/notify.sock")
	PY
}

@test "NOTIFY_SOCKET: start waits for READY=1, and tells it with the process of the container" {
	manager "$RT_DIR/notify"
	export NOTIFY_SOCKET=$RT_DIR/notify
	config '.process.env += ["NOTIFY_SOCKET=/of/the/image"]'
	args /bin/sh -c 'echo "$NOTIFY_SOCKET $(stat -c "%F %a" /run/notify/notify.sock)" >/tmp/seen; touch /run/notify/x 2>/tmp/refused; sleep 300'
	config '.root.readonly = false'
	create "$ID"
	rt start "$ID" 3>&- &
	starting=$!
	eventually grep -q . "$RT_DIR/bundle/rootfs/tmp/seen"
	[ "$(cat "$RT_DIR/bundle/rootfs/tmp/seen")" = "/run/notify/notify.sock socket 666" ]
	eventually grep -q "Read-only" "$RT_DIR/bundle/rootfs/tmp/refused"
	say 'STATUS=not yet'
	eventually told "STATUS=not yet"
	kill -0 $starting # it waits, and nobody who deletes would have to
	say 'MAINPID=1\nREADY=1\nFDSTORE=1\nSTATUS=up'
	eventually told "READY=1 STATUS=up MAINPID=$(rt state "$ID" | jq .pid)"
	wait $starting
	rt delete --force "$ID"
	rm -rf "$RT_DIR"/bundle/rootfs/{tmp/seen,tmp/refused,run} "$RT_DIR/notify"
}

@test "NOTIFY_SOCKET: run hands on all the time, known keys only, of bounded size" {
	manager "@kist-test-$$"
	NOTIFY_SOCKET=@kist-test-$$ rt run --bundle "$RT_DIR/bundle" "$ID" </dev/null 3>&- >/dev/null & # /bin/true: a message may come, none does
	wait $!
	sleeper
	config '.root.readonly = false'
	NOTIFY_SOCKET=@kist-test-$$ rt run --bundle "$RT_DIR/bundle" "$ID" </dev/null 3>&- >/dev/null 2>&1 &
	running=$!
	eventually is "$ID" running
	eventually test -S "$RT_DIR/state/$ID/notify/notify.sock"
	say 'READY=1'
	eventually told "READY=1" # no MAINPID: who waits here is the service's process
	say "STATUS=$(printf '%05000d' 1)"
	say 'MAINPID=1'
	say 'STATUS=a\x07b'
	say 'WATCHDOG_USEC=1\nWATCHDOG=1'
	eventually told "WATCHDOG=1"
	say 'STOPPING=1'
	eventually told "STOPPING=1"
	[ "$(wc -l <"$RT_DIR/told")" -eq 4 ]
	rt kill "$ID" KILL
	wait $running || [ $? -eq 137 ]
	NOTIFY_SOCKET=@kist-test-$$ rt run --detach --bundle "$RT_DIR/bundle" "$ID" </dev/null 3>&- >/dev/null 2>&1 &
	running=$!
	eventually test -S "$RT_DIR/state/$ID/notify/notify.sock"
	rt delete --force "$ID" # it waits for READY=1, and is in nobody's way
	wait $running
	rm -rf "$RT_DIR/bundle/rootfs/run"
}

@test "NOTIFY_SOCKET: nobody listens there" {
	NOTIFY_SOCKET=$RT_DIR/nobody refuses "NOTIFY_SOCKET=$RT_DIR/nobody: No such file or directory"
	NOTIFY_SOCKET=relative run_it # no address: as if it were not set
	rm -rf "$RT_DIR/bundle/rootfs/run"
}

# With a systemd it is tested in the virtual machine: tests/vm/guest/systemd.sh.
@test "--systemd-cgroup: the form of cgroupsPath, and a host without systemd" {
	refused "is not SLICE:PREFIX:NAME" rt --systemd-cgroup run -b "$RT_DIR/bundle" "$ID"
	config '.linux.cgroupsPath = "a--b.slice:x:y"'
	refused "\"a--b.slice\" is not the name of a slice" rt --systemd-cgroup run -b "$RT_DIR/bundle" "$ID"
	config '.linux.cgroupsPath = "machine.slice:kist-test:x"'
	refuses "needs --systemd-cgroup"
	[ ! -d /run/systemd/system ] || skip "systemd runs here"
	refused "--systemd-cgroup: systemd does not run here" rt --systemd-cgroup run -b "$RT_DIR/bundle" "$ID"
	refused "--systemd-cgroup: systemd does not run here" rt --cgroup-manager systemd create -b "$RT_DIR/bundle" "$ID"
	[ -z "$(left)" ]
}
