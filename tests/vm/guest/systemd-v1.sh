# shellcheck shell=sh
# boot: systemd-v1
# systemd's driver where the controllers are v1's: systemd has some of them, the others are joined beside it.
. /tests/lib.sh

export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox
snapshot_all() {
	snapshot 2>/dev/null | grep -v -e '^cgroup .*\.slice$' -e /init.scope$ -e /kist-tests.service$
	systemctl list-units --all --no-legend --plain 'kist-*.scope' 'vm-*.scope'
}
nothing_left() {
	for _ in $(seq 30); do
		snapshot_all | cmp -s - /tmp/before && return 0
		sleep 0.1
	done
	snapshot_all | diff /tmp/before -
}
snapshot_all >/tmp/before

bundle=/tmp/bundle
mkdir -p $bundle/rootfs/bin
cp /bin/busybox $bundle/rootfs/bin/
for name in sh true cat sleep mknod head; do ln -s busybox $bundle/rootfs/bin/$name; done
(cd $bundle && kist-runtime spec)
mv $bundle/config.json /tmp/base.json
path=machine.slice/machine-kist.slice/vm-box.scope

rt() { kist-runtime --root /tmp/state --systemd-cgroup "$@"; }
config() { # JQ-FILTER COMMAND...
	filter=$1
	shift
	jq '.process.terminal = false | .linux.cgroupsPath = "machine-kist.slice:vm:box" | .process.args = $ARGS.positional | '"$filter" \
		/tmp/base.json --args -- "$@" >$bundle/config.json
}
started() { rt run --detach --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- || { cat /tmp/out.box; return 1; }; }
afresh() {
	rt delete --force box 2>/dev/null
	for id in $(kist ps -aq 2>/dev/null); do kist rm -f "$id"; done
	rm -f /tmp/out.box /tmp/said
}
property() { systemctl show -p "$1" --value vm-box.scope; }
of() { cat "/sys/fs/cgroup/$1/$path/$2" | tr '\n' ' '; }
gone() { [ -z "$(find /sys/fs/cgroup -name "$1")" ]; }

a_scope() {
	config . sh -c 'sleep 100'
	started
	is "$(property ActiveState) $(property Slice) $(property ControlGroup)" "active machine-kist.slice /$path"
	pid=$(rt state box | jq .pid)
	for hierarchy in systemd memory cpu,cpuacct pids devices blkio cpuset freezer; do is "$(of $hierarchy cgroup.procs)" "$pid "; done
	rt exec box true
	is "$(rt ps --format json box | jq length)" 1
	rt pause box
	is "$(rt state box | jq -r .status)" paused
	rt resume box
	rt delete --force box
	gone vm-box.scope
	is "$(property LoadState)" not-found
}
check "a scope in systemd's hierarchies, and at the same path in the others" a_scope

limits() { echo "$(of memory memory.limit_in_bytes)$(of pids pids.max)$(of cpu,cpuacct cpu.shares)$(of cpu,cpuacct cpu.cfs_quota_us)$(of cpu,cpuacct cpu.cfs_period_us)$(of cpuset cpuset.cpus)"; }
reloaded() {
	config '.linux.resources = {memory: {limit: 33554432}, pids: {limit: 20}, cpu: {shares: 512, quota: 10000, period: 50000, cpus: "1"},
		devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 200, access: "rw"}]}' sleep 100
	started
	is "$(limits)" "33554432 20 512 10000 50000 1 "
	is "$(property MemoryLimit) $(property TasksMax) $(property CPUShares) $(property CPUQuotaPerSecUSec)" "33554432 20 512 200ms"
	of devices devices.list | tr ' ' '\n' | sort >/tmp/devices
	systemctl daemon-reload
	# Which makes systemd write all that it has.
	systemctl set-property --runtime vm-box.scope CPUShares=600
	is "$(limits)" "33554432 20 600 10000 50000 1 "
	of devices devices.list | tr ' ' '\n' | sort | diff /tmp/devices -
	rm /tmp/devices
	rt update --memory 48m --pids-limit 30 --cpu-share 700 --cpu-quota 20000 box
	systemctl daemon-reload
	systemctl set-property --runtime vm-box.scope CPUShares=701
	is "$(limits)" "50331648 30 701 20000 50000 1 "
	rt delete --force box
}
check "limits and devices stay when systemd reloads and writes its own" reloaded

refused_limit() {
	config '.linux.resources = {cpu: {cpus: "77"}}' true
	rt run --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- && return 1
	has linux.resources.cpu.cpus /tmp/out.box
	gone vm-box.scope
	is "$(property LoadState)" not-found
	rm /tmp/out.box
}
check "a limit that the kernel refuses leaves nothing in any hierarchy" refused_limit

killed() {
	config . sleep 100
	for ms in 20 80; do
		rt create --bundle $bundle box </dev/null >/dev/null 2>&1 3>&- &
		usleep $((ms * 1000))
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		rt delete --force box
		eventually gone vm-box.scope
	done
}
check "killed while it makes one: deleted all the same" killed

engine() {
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST --exec-opt native.cgroupdriver=systemd >/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
	is "$(kist info --format '{{.CgroupDriver}} {{.CgroupVersion}}')" "systemd 1"
	kist run -d --name box --memory 32m --pids-limit 20 --cpuset-cpus 1 $image sleep 100
	scope=kist-$(kist inspect -f '{{.Id}}' box).scope
	path=system.slice/$scope
	is "$(systemctl show -p ActiveState --value "$scope") $(systemctl show -p MemoryLimit --value "$scope")" "active 33554432"
	is "$(of memory memory.limit_in_bytes)$(of pids pids.max)$(of cpuset cpuset.cpus)" "33554432 20 1 "
	is "$(kist exec box echo lives)" lives
	systemctl daemon-reload
	is "$(of memory memory.limit_in_bytes)$(of pids pids.max)$(of cpuset cpuset.cpus)" "33554432 20 1 "
	kist restart -t 1 box
	is "$(systemctl show -p ActiveState --value "$scope")" active
	kist rm -f box
	gone "$scope"
}
check "kistd: containers are scopes, with their limits" engine

# Systemd removes the scope at once when it is empty: before anybody has asked it, if need be before kistd runs again.
memory_out() {
	state() { kist inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}' "$1"; }
	eater="BEGIN { while (1) { s = s sprintf(\"%1000000s\", \"x\") } }"
	for round in 1 2 3 4 5 6; do
		kist run -d --name box$round --memory 16m --memory-swap 16m $image awk "$eater"
		kist run -d --name other$round --memory 16m $image sleep 100
	done
	for round in 1 2 3 4 5 6; do
		is "$(kist wait box$round)" 137
		is "$(state box$round)" "true 137 exited"
		kist rm box$round
		# Its neighbour was killed for memory, and it was not: by us, and by somebody; it ended by itself.
		case $((round % 3)) in
		0) kist kill other$round ;;
		1) kill -9 "$(kist inspect -f '{{.State.Pid}}' other$round)" ;;
		2) kist stop -t 1 other$round ;;
		esac
		is "$(kist wait other$round)" 137
		is "$(state other$round)" "false 137 exited"
		kist rm other$round
	done
	# One that is killed while the daemon is away, one whose init lives on and says something else, and one that nothing happens to.
	kist run -d --name box --memory 16m --memory-swap 16m $image sh -c "sleep 3; exec awk '$eater'"
	kist run -d --name lives --memory 16m --memory-swap 16m $image sh -c "sleep 3; awk '$eater'; exit 3"
	kist run -d --name fine --memory 16m --memory-swap 16m $image sh -c "sleep 3; exit 4"
	kill -9 "$(pidof kistd)"
	no_scope() { is "$(systemctl list-units --all --no-legend --plain 'kist-*.scope')" ""; }
	eventually no_scope
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST --exec-opt native.cgroupdriver=systemd >>/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
	is "$(state box)" "true 137 exited"
	is "$(state lives)" "true 3 exited"
	is "$(state fine)" "false 4 exited"
	kist rm box lives fine
	# Its memory is out, and it may not be killed for that: it waits, and ends when it is told to.
	kist run -d --name box --memory 16m --memory-swap 16m --oom-kill-disable $image awk "$eater"
	waits() { [ "$(awk '$1 == "under_oom" { print $2 }' "/sys/fs/cgroup/memory/system.slice/kist-$(kist inspect -f '{{.Id}}' box).scope/memory.oom_control")" = 1 ]; }
	eventually waits
	kist kill box
	is "$(kist wait box)" 137
	is "$(state box)" "false 137 exited"
	kist rm box
	kill "$(pidof kistd)"
	no_daemon() { ! pidof kistd; }
	eventually no_daemon
	ip link del kist0
	nft delete table inet kist
}
check "OOMKilled is known, also of a scope that systemd has removed" memory_out

rm -rf /run/kist /var/lib/kist /tmp/kistd.log $bundle /tmp/base.json /tmp/state /tmp/out.box
finish
