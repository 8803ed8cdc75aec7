# shellcheck shell=sh
# linux.resources on cgroup v2 alone: each limit in its file, and what v2 does not have refused by name.
. /tests/lib.sh
begin

bundle=/tmp/bundle
mkdir -p $bundle/rootfs/bin
cp /bin/busybox $bundle/rootfs/bin/
for name in sh true cat sleep dd; do ln -s busybox $bundle/rootfs/bin/$name; done
(cd $bundle && kist-runtime spec)
mv $bundle/config.json /tmp/base.json
cgroup=/sys/fs/cgroup/vm/box
disk="$((0x$(stat -c %t /dev/vda))):$((0x$(stat -c %T /dev/vda)))"
device='{major: '${disk%:*}', minor: '${disk#*:}'}'

rt() { kist-runtime --root /tmp/state "$@"; }
config() { # JQ of linux.resources, JQ of the rest
	jq '.process.terminal = false | .linux.cgroupsPath = "/vm/box" | .process.args = ["/bin/sleep", "300"] | .linux.resources += '"$1"' | '"${2:-.}" \
		/tmp/base.json >$bundle/config.json
}
started() {
	config "$@"
	rt run --detach --bundle $bundle box </dev/null >/tmp/out.box 2>&1 3>&- || { cat /tmp/out.box; return 1; }
}
ended() { rt delete --force box; rm -f /tmp/out.box; }
afresh() { rt delete --force box 2>/dev/null; rm -rf /tmp/out.box /tmp/err.box; }
inside() { rt exec box /bin/cat "/sys/fs/cgroup/$1"; }
refuses() { # WORDS JQ: one line with the words, and nothing made
	config "$2"
	rt run --bundle $bundle box </dev/null >/tmp/out.box 2>/tmp/err.box && return 1
	is "$(wc -l </tmp/err.box)" 1
	grep -qF -- "$1" /tmp/err.box || { cat /tmp/err.box; return 1; }
	[ ! -e $cgroup ]
	[ -z "$(find /tmp/state -mindepth 1 -maxdepth 1 ! -name '~~filters')" ]
	rm /tmp/out.box /tmp/err.box
}

memory() {
	started '{memory: {limit: 67108864, swap: 100663296, reservation: 33554432, useHierarchy: true}}'
	is "$(inside memory.max) $(inside memory.swap.max) $(inside memory.low)" "67108864 33554432 33554432"
	rt update --memory 50331648 --memory-swap 50331648 box
	is "$(inside memory.max) $(inside memory.swap.max)" "50331648 0"
	rt update --memory -1 --memory-swap -1 box
	is "$(inside memory.max) $(inside memory.swap.max)" "max max"
	ended
}
check "memory: limit, swap and reservation" memory

cpu() {
	started '{cpu: {quota: 50000, period: 100000, burst: 20000, shares: 2048, cpus: "0", mems: "0"}}'
	is "$(inside cpu.max) $(inside cpu.max.burst) $(inside cpuset.cpus) $(inside cpuset.mems)" "50000 100000 20000 0 0"
	[ "$(inside cpu.weight)" -gt 39 ]
	rt update --cpu-quota 10000 --cpu-burst 5000 box
	is "$(inside cpu.max) $(inside cpu.max.burst)" "10000 100000 5000"
	ended
	started '{cpu: {idle: 1, shares: 512}}'
	is "$(inside cpu.idle)" 1
	rt update --cpu-idle 0 --cpu-share 512 box
	is "$(inside cpu.idle) $(inside cpu.weight)" "0 20"
	ended
}
check "cpu: quota, burst, weight, idle, processors and nodes" cpu

throttled() {
	started "{blockIO: {throttleReadBpsDevice: [$device + {rate: 1048576}], throttleWriteBpsDevice: [$device + {rate: 2097152}],
		throttleReadIOPSDevice: [$device + {rate: 1000}], throttleWriteIOPSDevice: [$device + {rate: 2000}]}}" \
		".linux.devices = [$device + {path: \"/dev/disk\", type: \"b\"}] | .linux.resources.devices += [$device + {allow: true, type: \"b\", access: \"r\"}]"
	is "$(inside io.max)" "$disk rbps=1048576 wbps=2097152 riops=1000 wiops=2000"
	start=$(date +%s)
	rt exec box /bin/dd if=/dev/disk of=/dev/null bs=65536 count=64 iflag=direct
	[ $(($(date +%s) - start)) -ge 2 ] # 4 MiB at 1 MiB a second
	ended
	refuses "linux.resources.blockIO.throttleReadBpsDevice[0]: the kernel refuses" '{blockIO: {throttleReadBpsDevice: [{major: 999, minor: 9, rate: 5}]}}'
}
check "blockIO: throttles are in the file, and are felt" throttled

weight() {
	mkdir /sys/fs/cgroup/vm/probe
	bfq=$([ -e /sys/fs/cgroup/vm/probe/io.bfq.weight ] && echo 1 || echo 0)
	cost=$([ -e /sys/fs/cgroup/vm/probe/io.weight ] && echo 1 || echo 0)
	rmdir /sys/fs/cgroup/vm/probe
	case $bfq$cost in
	00) refuses "linux.resources.blockIO.weight: this kernel has no io.bfq.weight" '{blockIO: {weight: 505}}' ;;
	01) started '{blockIO: {weight: 505}}' && is "$(inside io.weight)" "default 5000" && ended ;;
	*) started '{blockIO: {weight: 505}}' && has 505 $cgroup/io.bfq.weight && ended ;;
	esac
}
check "blockIO: weight, bfq's or iocost's, or said that there is none" weight

huge_pages() {
	[ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MB on this processor"
	started '{hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
	is "$(inside hugetlb.2MB.max) $(inside hugetlb.2MB.rsvd.max)" "4194304 4194304"
	ended
	refuses "linux.resources.hugepageLimits[0]: this kernel has no hugetlb.3MB.max" '{hugepageLimits: [{pageSize: "3MB", limit: 1}]}'
}
check "hugepageLimits: pages in use and reserved ones" huge_pages

unified() {
	started '{unified: {"memory.high": "41943040", "cgroup.max.depth": "4", "pids.max": "17"}, pids: {limit: 9}}'
	is "$(inside memory.high) $(inside cgroup.max.depth) $(inside pids.max)" "41943040 4 17"
	ended
	refuses "linux.resources.unified.memory.nosuch: this kernel has no memory.nosuch" '{unified: {"memory.nosuch": "1"}}'
	refuses 'linux.resources.unified.memory.high: the kernel refuses "much"' '{unified: {"memory.high": "much"}}'
	refuses "linux.resources.unified.cgroup.freeze: not a file of a cgroup controller" '{unified: {"cgroup.freeze": "1"}}'
}
check "unified: files by name, after the fields" unified

rdma() {
	grep -qw rdma /sys/fs/cgroup/cgroup.controllers || {
		refuses "linux.resources.rdma.mlx5_1: this host has no rdma cgroup controller" '{rdma: {mlx5_1: {hcaHandles: 3}}}'
		return
	}
	# There is no device here: the kernel says so, and is asked.
	refuses 'linux.resources.rdma.mlx5_1: the kernel refuses "mlx5_1 hca_handle=3"' '{rdma: {mlx5_1: {hcaHandles: 3}}}'
}
check "rdma: the kernel is asked, or there is no such controller" rdma

only_v1() {
	refuses "linux.resources.memory.swappiness does not exist with cgroup v2" '{memory: {swappiness: 5}}'
	refuses "linux.resources.memory.disableOOMKiller does not exist with cgroup v2" '{memory: {disableOOMKiller: true}}'
	refuses "linux.resources.memory.kernelTCP does not exist with cgroup v2" '{memory: {kernelTCP: 4096}}'
	refuses "linux.resources.cpu.realtimeRuntime does not exist with cgroup v2" '{cpu: {realtimeRuntime: 1000}}'
	refuses "linux.resources.cpu.realtimePeriod does not exist with cgroup v2" '{cpu: {realtimePeriod: 1000000}}'
	refuses "linux.resources.network.classID: this host has no net_cls cgroup controller" '{network: {classID: 5}}'
	refuses "linux.resources.network.priorities[0]: this host has no net_prio cgroup controller" '{network: {priorities: [{name: "lo", priority: 5}]}}'
}
check "what only v1 has is refused by name" only_v1

figures() {
	started '{memory: {limit: 67108864}}'
	rt events --stats box >/tmp/out.box
	jq -e '.data.memory.usage.limit == 67108864 and .data.memory.usage.usage > 0 and .data.pids.current == 1 and .data.cpu.usage.total > 0' /tmp/out.box
	# Debian's kernel keeps them only when it is told so at boot.
	if [ -e $cgroup/cpu.pressure ]; then
		jq -e '[.data.cpu.psi, .data.memory.psi, .data.blkio.psi] | all(.some | has("avg10") and has("total"))' /tmp/out.box
	else
		jq -e '.data.cpu | has("psi") | not' /tmp/out.box
	fi
	ended
}
check "events --stats: the figures, and pressure where the kernel keeps it" figures

rm -rf $bundle /tmp/base.json /tmp/state
rmdir /sys/fs/cgroup/vm
finish
