# linux.resources through kist-runtime, on hosts with cgroup v1 controllers: each limit as it is read from inside the container, and felt where that
# can be shown. What cgroup v2 has is tested in the virtual machine (tests/vm/guest/runtime.sh), what no machine has by test_cgroup.c.
load ../lib/runtime

setup_file() {
	bundle_make
	# A parent with real time to give: the kernel gives none to a cgroup by itself, and whoever wants some for containers says so once.
	if [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]; then
		mkdir "/sys/fs/cgroup/cpu/$RT_CGROUP"
		echo 20000 >"/sys/fs/cgroup/cpu/$RT_CGROUP/cpu.rt_runtime_us" || true
	fi
}
teardown_file() {
	bundle_remove
}
setup() { bundle_fresh; }
teardown() {
	[ -z "${loop:-}" ] || losetup -d "$loop"
	runtime_left_nothing
}

# FILE of a v1 controller as the container sees it
inside() { # CONTROLLER FILE...
	local controller=$1
	shift
	rt exec "$ID" /bin/sh -c "cd /sys/fs/cgroup/$controller && cat $*"
}
need() { # CONTROLLER FILE: of a cgroup below the root, where some files are not
	local probe=/sys/fs/cgroup/$1/$RT_CGROUP.probe there=1
	[ -d "/sys/fs/cgroup/$1" ] || skip "there is no v1 controller $1 here"
	mkdir "$probe" && { [ -e "$probe/$2" ] || there=0; rmdir "$probe"; }
	[ $there = 1 ] || skip "this kernel has no $2"
}
own_loop() { # SIZE: $loop, a block device that nobody else uses
	truncate -s "$1" "$RT_DIR/disk"
	loop=$(losetup -f --show "$RT_DIR/disk" 2>"$RT_DIR/why") || { loop=; skip "no loop device: $(cat "$RT_DIR/why")"; }
	minor=$((0x$(stat -c %T "$loop")))
	major=$((0x$(stat -c %t "$loop")))
}

@test "memory: limit, swap, reservation, swappiness, OOM killer off, kernel TCP" {
	need memory memory.kmem.tcp.limit_in_bytes
	need memory memory.memsw.limit_in_bytes
	config '.linux.resources.memory = {limit: 67108864, swap: 100663296, reservation: 33554432, swappiness: 0, disableOOMKiller: true, kernelTCP: 4194304, kernel: -1,
		useHierarchy: true, checkBeforeUpdate: false}'
	started
	run -0 inside memory memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness memory.kmem.tcp.limit_in_bytes
	[ "${lines[*]}" = "67108864 100663296 33554432 0 4194304" ]
	inside memory memory.oom_control | grep -qx "oom_kill_disable 1"
	# The one that no kernel of today has.
	echo '{"memory": {"kernel": 33554432}}' >"$RT_DIR/resources"
	refused "linux.resources.memory.kernel is not supported" rt update -r "$RT_DIR/resources" "$ID"
	rt delete --force "$ID"
}

@test "memory: a container whose own limit is 512 kB starts, filter and all; one of 1 MB takes another process" {
	need memory memory.limit_in_bytes
	local i
	config '.linux.resources.memory = {limit: 524288} | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["kexec_load"], action: "SCMP_ACT_ERRNO"}]}'
	for i in 1 2 3 4 5; do
		args /bin/sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
		run -0 run_it
		[ "$output" = 524288 ]
	done
	config '.linux.resources.memory.limit = 1048576'
	started
	run -0 rt exec "$ID" /bin/echo joined
	[ "$output" = joined ]
	rt delete --force "$ID"
}

@test "memory: a limit below what is in use is refused before it is set, when that is asked for" {
	need memory memory.limit_in_bytes
	config '.linux.resources.memory = {limit: 67108864}'
	args /bin/sh -c "head -c 20000000 /dev/zero >/dev/shm/filled; sleep 300; : kist-test-mark-$$"
	create "$ID"
	rt start "$ID"
	used() { [ "$(inside memory memory.usage_in_bytes)" -gt 20000000 ]; }
	eventually used
	echo '{"memory": {"limit": 10485760, "checkBeforeUpdate": true}}' >"$RT_DIR/resources"
	refused "linux.resources.memory.limit: 10485760 is less than the " rt update -r "$RT_DIR/resources" "$ID"
	[ "$(inside memory memory.limit_in_bytes)" = 67108864 ]
	rt delete --force "$ID"
}

@test "cpu: burst, and a quota that shrinks together with it" {
	need cpu cpu.cfs_burst_us
	config '.linux.resources.cpu = {quota: 50000, period: 100000, burst: 20000}'
	started
	run -0 inside cpu cpu.cfs_quota_us cpu.cfs_burst_us
	[ "${lines[*]}" = "50000 20000" ]
	rt update --cpu-quota 10000 --cpu-burst 5000 "$ID"
	run -0 inside cpu cpu.cfs_quota_us cpu.cfs_burst_us
	[ "${lines[*]}" = "10000 5000" ]
	rt update --cpu-burst 0 "$ID"
	[ "$(inside cpu cpu.cfs_burst_us)" = 0 ]
	refused "linux.resources.cpu.burst" rt update --cpu-burst 999999999 "$ID"
	rt delete --force "$ID"
}

@test "cpu: idle, and awake again with shares" {
	need cpu cpu.idle
	config '.linux.resources.cpu = {idle: 1, shares: 512}'
	started
	[ "$(inside cpu cpu.idle)" = 1 ]
	rt update --cpu-idle 0 --cpu-share 300 "$ID"
	run -0 inside cpu cpu.idle cpu.shares
	[ "${lines[*]}" = "0 300" ]
	refused "linux.resources.cpu.idle: 2" rt update --cpu-idle 2 "$ID"
	rt delete --force "$ID"
}

@test "cpu: real time, of which its parent must have some" {
	need cpu cpu.rt_runtime_us
	[ "$(cat "/sys/fs/cgroup/cpu/$RT_CGROUP/cpu.rt_runtime_us")" = 20000 ] || skip "this host has no real time left to give"
	config '.linux.resources.cpu = {realtimePeriod: 500000, realtimeRuntime: 5000}'
	started
	run -0 inside cpu cpu.rt_period_us cpu.rt_runtime_us
	[ "${lines[*]}" = "500000 5000" ]
	rt update --cpu-rt-runtime 2000 --cpu-rt-period 1000000 "$ID"
	run -0 inside cpu cpu.rt_period_us cpu.rt_runtime_us
	[ "${lines[*]}" = "1000000 2000" ]
	rt delete --force "$ID"
	config '.linux.resources.cpu = {realtimeRuntime: 500000}'
	refuses "linux.resources.cpu.realtimeRuntime"
}

@test "cpuset: processors and memory nodes" {
	need cpuset cpuset.mems
	config '.linux.resources.cpu = {cpus: "0", mems: "0"}'
	started
	run -0 inside cpuset cpuset.cpus cpuset.mems
	[ "${lines[*]}" = "0 0" ]
	rt exec "$ID" /bin/sh -c 'grep -E "_allowed_list:.0$" /proc/self/status' | grep -c . | grep -qx 2
	rt delete --force "$ID"
	config '.linux.resources.cpu = {mems: "1000"}'
	refuses "linux.resources.cpu.mems"
}

@test "blkio: weight" {
	need blkio blkio.bfq.weight
	config '.linux.resources.blockIO = {weight: 321}'
	started
	[ "$(inside blkio blkio.bfq.weight | head -n 1)" = 321 ] || inside blkio blkio.bfq.weight | grep -qx "default 321"
	rt update --blkio-weight 123 "$ID"
	inside blkio blkio.bfq.weight | grep -q 123
	refused "linux.resources.blockIO.weight: not a number from 10 to 1000" rt update --blkio-weight 9 "$ID"
	rt delete --force "$ID"
}

@test "blkio: weight of one device" {
	need blkio blkio.bfq.weight_device
	own_loop 4M
	echo bfq >"/sys/block/${loop#/dev/}/queue/scheduler" 2>"$RT_DIR/why" || skip "no bfq for a loop device: $(cat "$RT_DIR/why")"
	config '.linux.resources.blockIO = {weightDevice: [{major: $major, minor: $minor, weight: 222}]}' --argjson major "$major" --argjson minor "$minor"
	started
	inside blkio blkio.bfq.weight_device | grep -qx "$major:$minor 222"
	rt delete --force "$ID"
	echo none >"/sys/block/${loop#/dev/}/queue/scheduler"
}

@test "blkio: throttles are in the files, and are felt" {
	need blkio blkio.throttle.read_bps_device
	own_loop 8M
	config '.linux.resources.blockIO = {throttleReadBpsDevice: [{major: $M, minor: $m, rate: 1048576}], throttleWriteBpsDevice: [{major: $M, minor: $m, rate: 2097152}],
			throttleReadIOPSDevice: [{major: $M, minor: $m, rate: 1000}], throttleWriteIOPSDevice: [{major: $M, minor: $m, rate: 2000}]}
		| .linux.devices = [{path: "/dev/own", type: "b", major: $M, minor: $m, fileMode: 384, uid: 0, gid: 0}]
		| .linux.resources.devices += [{allow: true, type: "b", major: $M, minor: $m, access: "r"}]' --argjson M "$major" --argjson m "$minor"
	started
	run -0 inside blkio blkio.throttle.read_bps_device blkio.throttle.write_bps_device blkio.throttle.read_iops_device blkio.throttle.write_iops_device
	[ "${lines[*]}" = "$major:$minor 1048576 $major:$minor 2097152 $major:$minor 1000 $major:$minor 2000" ]
	# 3 MiB at 1 MiB a second: no machine is too slow for that.
	local start end
	start=$(date +%s%N)
	rt exec "$ID" /bin/dd if=/dev/own of=/dev/null bs=65536 count=48 iflag=direct
	end=$(date +%s%N)
	[ $(((end - start) / 1000000)) -ge 1800 ]
	# 0 takes one away.
	jq -n --argjson M "$major" --argjson m "$minor" '{blockIO: {throttleReadBpsDevice: [{major: $M, minor: $m, rate: 0}]}}' >"$RT_DIR/resources"
	rt update -r "$RT_DIR/resources" "$ID"
	[ "$(inside blkio blkio.throttle.read_bps_device)" = "" ]
	rt delete --force "$ID"
	config '.linux.resources.blockIO = {throttleReadBpsDevice: [{major: 999, minor: 99, rate: 1}]}'
	refuses "linux.resources.blockIO.throttleReadBpsDevice[0]"
	config '.linux.resources.blockIO = {leafWeight: 500}'
	refuses "linux.resources.blockIO.leafWeight is not supported"
}

# In a mount namespace of its own: nobody else sees that the hierarchy is mounted.
@test "net_cls and net_prio: the class and the priorities, entered only by who asks" {
	grep -qE '^net_cls[[:space:]]+.*1$' /proc/cgroups && grep -qE '^net_prio[[:space:]]+.*1$' /proc/cgroups || skip "this kernel has no net_cls and net_prio"
	[ ! -d /sys/fs/cgroup/net_cls ] || skip "net_cls is mounted here already"
	mkdir "$RT_DIR/net"
	config '.linux.resources.network = {classID: 1048577, priorities: [{name: "lo", priority: 7}]}'
	sleeper
	unshare -m sh -c '
		set -eu
		mount -t cgroup -o net_cls,net_prio kist-test-net "$2/net"
		# The kernel forgets a hierarchy that is not mounted any more, but not while it still takes a cgroup of it apart.
		end() {
			"$1" --root "$2/state" delete --force "$3"
			rmdir "$2/net/$4" 2>/dev/null
			for i in $(seq 50); do
				umount "$2/net"
				sleep 0.1
				grep -q "^net_cls[[:space:]]*0[[:space:]]" /proc/cgroups && break
				mount -t cgroup -o net_cls,net_prio kist-test-net "$2/net"
			done
		}
		trap "end \"\$@\"" EXIT
		"$1" --root "$2/state" create -b "$2/bundle" "$3" </dev/null >"$2/out" 2>"$2/err" || { cat "$2/err"; exit 1; }
		pid=$("$1" --root "$2/state" state "$3" | jq .pid)
		"$1" --root "$2/state" start "$3"
		own="$2/net/$4/box"
		[ "$(cat "$own/net_cls.classid")" = 1048577 ]
		grep -qx "lo 7" "$own/net_prio.ifpriomap"
		grep -qx "$pid" "$own/cgroup.procs"
		# Who joins the container is there, too.
		"$1" --root "$2/state" exec "$3" /bin/cat /proc/self/cgroup | grep -q "net_cls,net_prio:/$"
		"$1" --root "$2/state" delete --force "$3"
		[ ! -e "$own" ]
		rmdir "$2/net/$4"
		# Nobody asks: it is not entered, and cannot be later.
		jq "del(.linux.resources.network)" "$2/bundle/config.json" >"$2/without.json"
		cp "$2/without.json" "$2/bundle/config.json"
		"$1" --root "$2/state" create -b "$2/bundle" "$3" </dev/null >"$2/out" 2>"$2/err"
		[ ! -e "$own" ]
		echo "{\"network\": {\"classID\": 5}}" >"$2/resources"
		! "$1" --root "$2/state" update -r "$2/resources" "$3" 2>"$2/err"
		grep -q "linux.resources.network.classID: must be given when the container is made" "$2/err"
		"$1" --root "$2/state" delete --force "$3"
		# An interface that is not there.
		jq ".linux.resources.network = {priorities: [{name: \"nosuch0\", priority: 1}]}" "$2/without.json" >"$2/bundle/config.json"
		! "$1" --root "$2/state" create -b "$2/bundle" "$3" </dev/null >"$2/out" 2>"$2/err"
		grep -q "linux.resources.network.priorities\[0\]" "$2/err"
		[ ! -e "$own" ]
	' sh "$RUNTIME" "$RT_DIR" "$ID" "$RT_CGROUP"
	rmdir "$RT_DIR/net"
	eventually grep -q "^net_cls[[:space:]]*0[[:space:]]" /proc/cgroups
}

@test "a controller that the host has not is named" {
	! grep -q ' - cgroup .*net_' /proc/self/mountinfo || skip "net_cls or net_prio is mounted here"
	config '.linux.resources.network.classID = 5'
	refuses "linux.resources.network.classID: this host has no net_cls cgroup controller"
	config 'del(.linux.resources.network) | .linux.resources.network.priorities = [{name: "lo", priority: 5}]'
	refuses "linux.resources.network.priorities[0]: this host has no net_prio cgroup controller"
	! grep -q '^rdma' /proc/cgroups || return 0
	config 'del(.linux.resources.network) | .linux.resources.rdma = {mlx5_1: {hcaHandles: 3}}'
	refuses "linux.resources.rdma.mlx5_1: this host has no rdma cgroup controller"
}

@test "hugepageLimits and unified, in the v2 tree of a hybrid host" {
	local v2=/sys/fs/cgroup/unified had
	[ -d $v2 ] || skip "there is no v2 tree beside v1 here"
	grep -qw hugetlb $v2/cgroup.controllers || skip "hugetlb is not in cgroup v2 here"
	[ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MB here"
	had=$(grep -cw hugetlb $v2/cgroup.subtree_control || true)
	config '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}] | .linux.resources.unified = {"hugetlb.1GB.max": "1073741824", "cgroup.max.descendants": "3"}'
	started
	run -0 cat "$v2/$RT_CGROUP/box/hugetlb.2MB.max" "$v2/$RT_CGROUP/box/hugetlb.2MB.rsvd.max" "$v2/$RT_CGROUP/box/cgroup.max.descendants"
	[ "${lines[*]}" = "4194304 4194304 3" ]
	[ ! -d /sys/kernel/mm/hugepages/hugepages-1048576kB ] || [ "$(cat "$v2/$RT_CGROUP/box/hugetlb.1GB.max")" = 1073741824 ]
	rt delete --force "$ID"
	config 'del(.linux.resources.unified) | .linux.resources.hugepageLimits[0].pageSize = "3MB"'
	refuses "linux.resources.hugepageLimits[0]: this kernel has no hugetlb.3MB.max"
	config 'del(.linux.resources.hugepageLimits) | .linux.resources.unified = {"memory.high": "5"}'
	refuses "linux.resources.unified.memory.high: controller memory is not in cgroup v2 here"
	config '.linux.resources.unified = {"hugetlb.2MB.max": "many"}'
	refuses 'linux.resources.unified.hugetlb.2MB.max: the kernel refuses "many"'
	config '.linux.resources.unified = {"cgroup.procs": "1"}'
	refuses "linux.resources.unified.cgroup.procs: not a file of a cgroup controller"
	rmdir "$v2/$RT_CGROUP" 2>/dev/null || true
	# Others may be at the same: then it stays.
	[ "$had" != 0 ] || echo -hugetlb >$v2/cgroup.subtree_control || true
}

@test "events: how much is waited for (PSI)" {
	[ -e /sys/fs/cgroup/unified/cpu.pressure ] || [ -e /sys/fs/cgroup/cpu.pressure ] || skip "this kernel keeps no pressure figures per cgroup"
	started
	rt events --stats "$ID" | jq -e '[.data.cpu.psi, .data.memory.psi, .data.blkio.psi] | all(.some | has("avg10") and has("avg60") and has("avg300") and .total >= 0)'
	rt delete --force "$ID"
}

@test "features and the table of the specification say the same" {
	local table=$BATS_TEST_DIRNAME/../../docs/internals/oci-spec.md
	state_of_field() { sed -n "s/^| \`$1\` | \([a-z]*\) |.*/\1/p" "$table"; }
	rt features >"$RT_DIR/features"
	agrees() { # JQ-PATH FIELD: true there means that it is not refused here
		local there here
		there=$(jq -r "$1" "$RT_DIR/features")
		here=$(state_of_field "$2")
		case $there/$here in
		true/done | true/host | false/refused) ;;
		*) echo "features say $1 is $there, the table says $2 is \"$here\"" >&2; return 1 ;;
		esac
	}
	agrees .linux.cgroup.rdma linux.resources.rdma
	agrees .linux.apparmor.enabled process.apparmorProfile
	agrees .linux.selinux.enabled process.selinuxLabel
	agrees .linux.intelRdt.enabled linux.intelRdt
	agrees .linux.netDevices.enabled linux.netDevices
	agrees .linux.mountExtensions.idmap.enabled "mounts\[\].options: idmap, ridmap"
	agrees '.linux.memoryPolicy.modes | index("MPOL_BIND") != null' linux.memoryPolicy.mode
	agrees '.linux.memoryPolicy.flags | index("MPOL_F_STATIC_NODES") != null' linux.memoryPolicy.flags
	agrees '.linux.seccomp.enabled' linux.seccomp.defaultAction
	local hook
	for hook in $(jq -r '.hooks[]' "$RT_DIR/features"); do
		[ "$(state_of_field "hooks.$hook")" = done ]
	done
	[ "$(jq '.hooks | length' "$RT_DIR/features")" = "$(grep -c '^| `hooks\.[a-zA-Z]*` | done' "$table")" ]
	# Each mount option belongs to a row; each row of words names some that are there.
	local word
	for word in bind rbind ro rro nosuid private rprivate idmap ridmap remount tmpcopyup; do
		jq -e --arg w "$word" '.mountOptions | index($w)' "$RT_DIR/features"
	done
	# What the features name is taken, and what they do not name is not: the modes of memory policies are refused by the kernel or not at all.
	config '.linux.memoryPolicy = {mode: "MPOL_NOPE"}'
	refuses 'linux.memoryPolicy.mode: "MPOL_NOPE" is not known'
	config '.linux.memoryPolicy = null | .linux.intelRdt = {closID: "x"}'
	refuses "linux.intelRdt"
}
