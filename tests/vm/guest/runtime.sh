# shellcheck shell=sh
# kist-runtime on cgroup v2 alone: the limits are in the files, and are felt.
. /tests/lib.sh
begin

bundle=/tmp/bundle
mkdir -p $bundle/rootfs/bin $bundle/rootfs/tmp
cp /bin/busybox $bundle/rootfs/bin/
for name in sh true cat sleep mknod head tail seq grep id touch echo; do ln -s busybox $bundle/rootfs/bin/$name; done
(cd $bundle && kist-runtime spec)
mv $bundle/config.json /tmp/base.json
cgroup=/sys/fs/cgroup/vm/box

rt() { kist-runtime --root /tmp/state "$@"; }
config() { # JQ-FILTER COMMAND...: the configuration of the next container
	filter=$1
	shift
	jq '.process.terminal = false | .linux.cgroupsPath = "/vm/box" | .process.args = $ARGS.positional | '"$filter" \
		/tmp/base.json --args -- "$@" >$bundle/config.json
}
started() { # until the container runs
	rt run --detach --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- || { cat /tmp/out.box; return 1; }
}
ended() { rt delete --force box; rm -f /tmp/out.box; }
# What a failed test left must not be in the way of the next.
afresh() { rt delete --force box 2>/dev/null; rm -rf /tmp/out.box /tmp/err.box $bundle/rootfs/tmp/*; }

limits_are_in_the_files() {
	config '.linux.resources = {memory: {limit: 33554432, swap: 50331648, reservation: 16777216}, pids: {limit: 20},
		cpu: {shares: 512, quota: 20000, period: 100000, cpus: "1"}}' sleep 100
	started
	is "$(cat $cgroup/memory.max)" 33554432
	is "$(cat $cgroup/memory.low)" 16777216
	is "$(cat $cgroup/memory.swap.max)" 16777216
	is "$(cat $cgroup/pids.max)" 20
	is "$(cat $cgroup/cpu.max)" "20000 100000"
	is "$(cat $cgroup/cpuset.cpus)" 1
	is "$(cat $cgroup/cpuset.cpus.effective)" 1
	[ "$(cat $cgroup/cpu.weight)" -lt 100 ]
	is "$(grep Cpus_allowed_list "/proc/$(cat $cgroup/cgroup.procs)/status" | tr -d ' \t')" Cpus_allowed_list:1
	ended
}
check "limits of memory, swap, processes and processors are in the files" limits_are_in_the_files

inside_is_the_root() {
	config '.linux.resources = {memory: {limit: 33554432}}' sh -c 'cat /proc/self/cgroup /sys/fs/cgroup/memory.max'
	rt run --bundle $bundle box >/tmp/out.box
	is "$(cat /tmp/out.box)" "0::/
33554432"
	rm /tmp/out.box
}
check "a container sees its own cgroup as the root" inside_is_the_root

pids_limit_is_felt() {
	config '.linux.resources = {pids: {limit: 5}}' sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'
	rt run --bundle $bundle box >/tmp/out.box 2>&1 || true
	has "Resource temporarily unavailable" /tmp/out.box
	rm /tmp/out.box
}
check "the limit of processes is felt" pids_limit_is_felt

memory_limit_kills() {
	config '.linux.resources = {memory: {limit: 16777216, swap: 16777216}}' sh -c 'tail -c 100000000 /dev/zero; echo "status $?"'
	rt run --bundle $bundle box >/tmp/out.box 2>&1 || true
	has "status 137" /tmp/out.box
	rm /tmp/out.box
}
check "who wants more memory than allowed is killed" memory_limit_kills

cpu_limit_is_felt() {
	config '.linux.resources = {cpu: {quota: 10000, period: 100000}}' sh -c 'while :; do :; done'
	started
	sleep 2
	[ "$(sed -n 's/^nr_throttled //p' $cgroup/cpu.stat)" -ge 5 ] || { cat $cgroup/cpu.stat; return 1; }
	ended
}
check "the limit of processor time is felt" cpu_limit_is_felt

# With CAP_MKNOD, no user namespace, and as the owner of the files: only the cgroup's program stands between.
disk=$(stat -c '%t %T' /dev/vda)
with_devices='.root.readonly = false | .process.capabilities |= map_values(. + ["CAP_MKNOD"]) |
	.linux.namespaces |= map(select(.type != "user"))'

devices_are_denied() {
	config "$with_devices" sh -c "
		head -c 1 /dev/zero >/dev/null && echo zero
		mknod /tmp/null c 1 3 && echo x >/tmp/null && echo null
		mknod /tmp/console c 5 1 && mknod /tmp/disk b $((0x${disk% *})) $((0x${disk#* })) && echo made
		head -c 1 /tmp/console
		head -c 1 /tmp/disk
		echo x >/tmp/disk
		true"
	rt run --bundle $bundle box >/tmp/out.box 2>/tmp/err.box
	is "$(tr '\n' ' ' </tmp/out.box)" "zero null made "
	is "$(grep -c "Operation not permitted" /tmp/err.box)" 3
	rm -f /tmp/out.box /tmp/err.box $bundle/rootfs/tmp/*
}
check "devices that are not allowed cannot be opened, and those that are can" devices_are_denied

devices_may_be_allowed() {
	mknod $bundle/rootfs/tmp/disk b $((0x${disk% *})) $((0x${disk#* }))
	config "$with_devices"' | .linux.resources.devices = [{allow: false, access: "rwm"},
		{allow: true, type: "b", major: '$((0x${disk% *}))', minor: '$((0x${disk#* }))', access: "r"}]' sh -c '
		head -c 1 /tmp/disk >/dev/null && echo read
		echo x >/tmp/disk'
	rt run --bundle $bundle box >/tmp/out.box 2>/tmp/err.box || true
	is "$(cat /tmp/out.box)" read
	has "/tmp/disk: Operation not permitted" /tmp/err.box
	rm -f /tmp/out.box /tmp/err.box $bundle/rootfs/tmp/*
}
check "a device may be allowed for reading only" devices_may_be_allowed

pause_and_resume() {
	config '.root.readonly = false' sh -c 'while :; do echo x >>/tmp/ticks; sleep 0.1; done'
	started
	eventually test -s $bundle/rootfs/tmp/ticks
	rt pause box
	is "$(sed -n 's/^frozen //p' $cgroup/cgroup.events)" 1
	is "$(rt state box | jq -r .status)" paused
	ticks=$(wc -l <$bundle/rootfs/tmp/ticks)
	sleep 0.5
	is "$(wc -l <$bundle/rootfs/tmp/ticks)" "$ticks"
	rt resume box
	is "$(sed -n 's/^frozen //p' $cgroup/cgroup.events)" 0
	more() { [ "$(wc -l <$bundle/rootfs/tmp/ticks)" -gt "$ticks" ]; }
	eventually more
	rt pause box
	ended
	rm $bundle/rootfs/tmp/ticks
}
check "pause and resume; a paused container can be deleted" pause_and_resume

update() {
	config '.linux.resources = {memory: {limit: 33554432}}' sleep 100
	started
	rt update --memory 67108864 --pids-limit 9 box
	is "$(cat $cgroup/memory.max)" 67108864
	is "$(cat $cgroup/pids.max)" 9
	ended
}
check "limits of a running container can be changed" update

many_processes_die_at_once() {
	config '.linux.namespaces |= map(select(.type != "pid"))' sh -c 'for i in $(seq 20); do sleep 1000 & done; wait'
	started
	full() { [ "$(wc -l <$cgroup/cgroup.procs)" -eq 21 ]; }
	eventually full
	ended
	[ ! -e $cgroup ]
	! pidof sleep
}
check "all processes of a container without a pid namespace die with it" many_processes_die_at_once

exec_enters_the_cgroup() {
	config '.linux.resources = {pids: {limit: 20}}' sleep 100
	started
	is "$(rt exec box cat /proc/self/cgroup)" 0::/
	ended
}
check "exec enters the container's cgroup" exec_enters_the_cgroup

no_state_is_left() { rm -rf /tmp/state/~~filters; [ -z "$(ls /tmp/state)" ]; }
check "no state is left" no_state_is_left
rm -rf $bundle /tmp/base.json /tmp/state
rmdir /sys/fs/cgroup/vm
finish
