# shellcheck shell=sh
# boot: systemd
# kist-runtime --systemd-cgroup under a real systemd: scopes, their properties, and what is left of them.
. /tests/lib.sh

# Slices stay, empty, as long as systemd likes; the test is in a service of its own. Networks are not in play.
snapshot_all() { snapshot 2>/dev/null | grep -v '^cgroup .*\.slice$'; systemctl list-units --all --no-legend --plain 'kist-*.scope' 'vm-*.scope'; }
nothing_left() {
	for _ in $(seq 10); do
		snapshot_all | cmp -s - /tmp/before && return 0
		sleep 0.1
	done
	snapshot_all | diff /tmp/before -
}

snapshot_all >/tmp/before

bundle=/tmp/bundle
mkdir -p $bundle/rootfs/bin $bundle/rootfs/tmp
cp /bin/busybox $bundle/rootfs/bin/
for name in sh true cat sleep echo seq; do ln -s busybox $bundle/rootfs/bin/$name; done
(cd $bundle && kist-runtime spec)
mv $bundle/config.json /tmp/base.json
cgroup=/sys/fs/cgroup/machine.slice/machine-kist.slice/vm-box.scope

rt() { kist-runtime --root /tmp/state --systemd-cgroup "$@"; }
config() { # JQ-FILTER COMMAND...
	filter=$1
	shift
	jq '.process.terminal = false | .linux.cgroupsPath = "machine-kist.slice:vm:box" | .process.args = $ARGS.positional | '"$filter" \
		/tmp/base.json --args -- "$@" >$bundle/config.json
}
started() { rt run --detach --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- || { cat /tmp/out.box; return 1; }; }
ended() { rt delete --force box; rm -f /tmp/out.box; }
afresh() { rt delete --force box 2>/dev/null; systemctl stop vm-box.scope 2>/dev/null; rm -rf /tmp/out.box /tmp/err.box; }
property() { systemctl show -p "$1" --value vm-box.scope; }
refused() { # WORDS COMMAND...
	words=$1
	shift
	if "$@" </dev/null >/tmp/out.box 2>&1 3>&-; then echo "not refused"; return 1; fi
	has "$words" /tmp/out.box
	rm /tmp/out.box
}

a_scope() {
	config . sh -c 'cat /proc/self/cgroup; sleep 100'
	started
	is "$(property ActiveState) $(property Slice) $(property Delegate) $(property ControlGroup)" \
		"active machine-kist.slice yes /machine.slice/machine-kist.slice/vm-box.scope"
	is "$(cat $cgroup/cgroup.procs)" "$(rt state box | jq .pid)"
	is "$(rt state box | jq -r '."systemd-scope"')" vm-box.scope
	has '^0::/$' /tmp/out.box
	ended
	[ ! -e $cgroup ]
	is "$(property LoadState)" not-found
}
check "a container is a scope of its slice, alone in it, and gone when deleted" a_scope

limits() {
	config '.linux.resources = {memory: {limit: 33554432, swap: 50331648, reservation: 16777216}, pids: {limit: 20},
		cpu: {shares: 512, quota: 20000, period: 100000, cpus: "1"}, unified: {"memory.high": "30000000"}}' sleep 100
	started
	is "$(cat $cgroup/memory.max $cgroup/memory.low $cgroup/memory.swap.max $cgroup/pids.max $cgroup/cpuset.cpus $cgroup/cpu.max $cgroup/cpu.weight | tr '\n' ' ')" \
		"33554432 16777216 16777216 20 1 20000 100000 20 "
	is "$(property MemoryMax) $(property MemoryLow) $(property MemorySwapMax) $(property TasksMax) $(property AllowedCPUs) $(property CPUQuotaPerSecUSec) $(property CPUWeight)" \
		"33554432 16777216 16777216 20 1 200ms 20"
	systemctl daemon-reload
	is "$(cat $cgroup/memory.max $cgroup/pids.max $cgroup/cpu.max $cgroup/cpu.weight | tr '\n' ' ')" "33554432 20 20000 100000 20 "
	ended
}
check "limits are properties and files, and stay when systemd reloads" limits

update() {
	config '.linux.resources = {memory: {limit: 33554432}, pids: {limit: 20}}' sleep 100
	started
	rt update --memory 48m --pids-limit 30 --cpu-share 2048 box
	is "$(cat $cgroup/memory.max $cgroup/pids.max $cgroup/cpu.weight | tr '\n' ' ')" "50331648 30 79 "
	is "$(property MemoryMax) $(property TasksMax) $(property CPUWeight)" "50331648 30 79"
	ended
}
check "update changes both" update

one_process() {
	config '.linux.resources = {pids: {limit: 1}}' sh -c '(true) && echo forked; true'
	rt run --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- || true
	has "can't fork" /tmp/out.box
	rm /tmp/out.box
}
check "a limit of one process is one process" one_process

verbs() {
	config . sh -c 'trap "exit 7" TERM; sleep 100 & wait'
	started
	rt exec box true
	is "$(rt ps --format json box | jq length)" 2
	rt pause box
	is "$(rt state box | jq -r .status)" paused
	rt resume box
	[ "$(rt events --stats box | jq .data.pids.current)" -ge 1 ]
	rt kill box TERM
	stopped() { [ "$(rt state box | jq -r .status)" = stopped ]; }
	eventually stopped
	rt delete box
	config . true
	rt create --bundle $bundle box </dev/null >/dev/null 2>&1 3>&-
	is "$(property ActiveState)" active
	rt start box
	eventually stopped
	rt delete box
}
check "exec, ps, pause, resume, events, kill, delete; create and start" verbs

exit_status() {
	config . sh -c 'exit 7'
	rt run --bundle $bundle box </dev/null && return 1
	is $? 7
	is "$(property LoadState)" not-found
}
check "run gives the exit status, and the scope is gone" exit_status

devices() {
	mknod $bundle/rootfs/tmp/disk b 254 0
	config '.root.readonly = false' sh -c 'echo x >/dev/null && echo null; cat /tmp/disk'
	rt run --bundle $bundle box </dev/null >/tmp/out.box 2>&1 || true
	has null /tmp/out.box
	has "not permitted" /tmp/out.box
	rm $bundle/rootfs/tmp/disk /tmp/out.box
}
check "devices are denied in it" devices

annotations() {
	config '.annotations = {"org.systemd.property.TimeoutStopUSec": "uint64 1500000", "org.systemd.property.Description": "'"'a box'"'",
		"org.systemd.property.After": "['"'a.service', 'b.service'"']", "other": "1"}' sleep 100
	started
	is "$(property TimeoutStopUSec) $(property Description)" "1.500000s a box"
	case " $(property After) " in *" a.service "*) ;; *) property After; return 1 ;; esac
	ended
}
check "annotations org.systemd.property.* of the list are set" annotations

hostile_annotations() {
	for name in ExecStartPre MemoryMax PIDs; do
		config '.annotations = {"org.systemd.property.'$name'": "'"'x'"'"}' true
		refused "annotations.org.systemd.property.$name" rt run --bundle $bundle box
	done
	is "$(property LoadState)" not-found
}
check "other annotations set nothing: the run is refused (CVE-2024-3154)" hostile_annotations

names() {
	for path in /one 'a/../x.slice:b:c'; do
		config '.linux.cgroupsPath = "'"$path"'"' true
		refused "linux.cgroupsPath" rt run --bundle $bundle box
	done
	config '.linux.cgroupsPath = ":vm:box"' sleep 100
	started
	is "$(property ControlGroup)" /system.slice/vm-box.scope
	ended
}
check "cgroupsPath: no slice is system.slice, and what is no name is refused" names

in_use() {
	config . sleep 100
	started
	refused "--systemd-cgroup: systemd: start vm-box.scope" rt run --bundle $bundle other
	is "$(property ActiveState)" active
	is "$(rt state box | jq -r .status)" running
	ended
	is "$(rt list -q)" ""
}
check "a name in use is refused, and who has it lives on" in_use

refused_limit() {
	config '.linux.resources = {cpu: {cpus: "77"}}' true
	refused "linux.resources.cpu.cpus" rt run --bundle $bundle box
	[ ! -e $cgroup ]
	is "$(property LoadState)" not-found
}
check "a limit that the kernel refuses leaves no scope" refused_limit

# A user's manager has a cgroup of its own below a unit of the system's; here the user is root.
user_scope() {
	mkdir -p /run/user/0
	cat >/run/systemd/system/vm-user.service <<-EOF
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=notify
		Delegate=yes
		Environment=XDG_RUNTIME_DIR=/run/user/0
		ExecStart=/lib/systemd/systemd --user
	EOF
	systemctl start vm-user.service
	export XDG_RUNTIME_DIR=/run/user/0
	config '.linux.cgroupsPath = ":vm:box" | .linux.resources = {memory: {limit: 33554432}}' sleep 100
	rt --rootless true run --detach --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- || { cat /tmp/out.box; return 1; }
	own=/sys/fs/cgroup/system.slice/vm-user.service/user.slice/vm-box.scope
	is "$(cat $own/cgroup.procs)" "$(rt state box | jq .pid)"
	is "$(cat $own/memory.max) $(systemctl --user show -p MemoryMax --value vm-box.scope)" "33554432 33554432"
	rt exec box true
	ended
	[ ! -e $own ]
	unset XDG_RUNTIME_DIR
	config '.linux.cgroupsPath = ":vm:box"' true
	refused "XDG_RUNTIME_DIR is not set" rt --rootless true run --bundle $bundle box
	systemctl stop vm-user.service
	rm -r /run/user /run/systemd/system/vm-user.service
	systemctl daemon-reload
}
check "a user's systemd: the scope is below its own cgroup" user_scope

# Whatever instruction the runtime dies at, deleting or making it again finds a free name.
killed() {
	config . sleep 100
	for ms in 5 40 80 150; do
		rt create --bundle $bundle box </dev/null >/dev/null 2>&1 3>&- &
		usleep $((ms * 1000))
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		rt delete --force box
		gone() { [ ! -e $cgroup ]; }
		eventually gone
	done
	started
	ended
}
check "killed while it makes one: deleted, or made again, all the same" killed

rm -rf $bundle /tmp/base.json /tmp/state
finish
