# Flags of `run` and `create` whose effect no other file shows: what the container sees of each, and how each is refused.
# docs/internals/run-flags.md is the list of all of them.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() {
	kist_end
	find /sys/fs/cgroup -depth -type d -path "*/kist-test-$KT_NAME-*" -exec rmdir {} + 2>/dev/null || true
}
teardown() { left_nothing; }

inside() { "$KIST" run --rm "$@"; }
refused() { # WORDS ARG...: 125 and one line that has the words
	local words=$1; shift
	run -125 "$KIST" run --rm "$@" $BUSYBOX true
	[ "${#lines[@]}" -eq 1 ] || { echo "not one line: $output" >&2; return 1; }
	[[ "$output" == *"$words"* ]] || { echo "\"$words\" expected: $output" >&2; return 1; }
}
# A file of the container's cgroup, by its name on v1 (with the hierarchy) or v2.
cgroup_file() { # ID V1 V2
	cat /sys/fs/cgroup/*/kist-test-"$KT_NAME"/"$1"/"$2" 2>/dev/null || cat /sys/fs/cgroup/kist-test-"$KT_NAME"/"$1"/"$3"
}
block_device() { lsblk -dnpo NAME,TYPE 2>/dev/null | awk '$2 == "disk" { print $1; exit }'; }

@test "--annotation is kept and shown" {
	id=$("$KIST" create --annotation org.example/a=b --annotation plain $BUSYBOX true)
	[ "$("$KIST" inspect -f '{{json .HostConfig.Annotations}}' "$id")" = '{"org.example/a":"b","plain":""}' ]
	"$KIST" start "$id"
	"$KIST" rm -f "$id"
}

@test "--attach: only the streams that are named" {
	[ -z "$("$KIST" run --rm -a stderr $BUSYBOX sh -c 'echo out; echo err >&2' 2>/dev/null)" ]
	[ "$("$KIST" run --rm -a stderr $BUSYBOX sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" = err ]
	[ "$("$KIST" run --rm -a stdout $BUSYBOX sh -c 'echo out; echo err >&2' 2>&1)" = out ]
	run -125 "$KIST" run -d -a stdout $BUSYBOX true
	[[ "$output" == *"conflicting options: --attach and --detach"* ]]
	refused "stdin, stdout or stderr is wanted" -a nothing
}

@test "--device-read-bps, --device-write-bps, --device-read-iops, --device-write-iops: what the kernel is told" {
	dev=$(block_device)
	[ -n "$dev" ] || skip "this host has no disk"
	id=$("$KIST" run -d --device-read-bps "$dev:1mb" --device-write-bps "$dev:2mb" --device-read-iops "$dev:100" --device-write-iops "$dev:200" $BUSYBOX sleep 100)
	if [ -d /sys/fs/cgroup/blkio ]; then
		at=/sys/fs/cgroup/blkio/kist-test-$KT_NAME/$id/blkio.throttle
		[[ "$(cat "$at.read_bps_device")" == *" 1048576" ]]
		[[ "$(cat "$at.write_bps_device")" == *" 2097152" ]]
		[[ "$(cat "$at.read_iops_device")" == *" 100" ]]
		[[ "$(cat "$at.write_iops_device")" == *" 200" ]]
	else
		[[ "$(cat "/sys/fs/cgroup/kist-test-$KT_NAME/$id/io.max")" == *"rbps=1048576 wbps=2097152 riops=100 wiops=200"* ]]
	fi
	"$KIST" rm -f "$id"
	refused "not a size such as 1mb" --device-read-bps "$dev:fast"
	refused "/dev/PATH:VALUE is wanted" --device-read-iops 100
	refused "/dev/null is not a block device" --device-write-bps /dev/null:1mb
	refused "/dev/nosuchdisk: No such file or directory" --device-write-iops /dev/nosuchdisk:1
}

@test "--blkio-weight, --blkio-weight-device: given, or refused by the name of what is missing" {
	refused "Range of blkio weight is from 10 to 1000" --blkio-weight 5
	if find /sys/fs/cgroup/ -maxdepth 2 \( -name blkio.bfq.weight -o -name io.bfq.weight \) 2>/dev/null | grep -q . ; then
		id=$("$KIST" run -d --blkio-weight 300 $BUSYBOX sleep 100)
		[[ "$(cgroup_file "$id" blkio.bfq.weight io.bfq.weight)" == *300* ]]
		"$KIST" rm -f "$id"
	else
		run "$KIST" run --rm --blkio-weight 300 $BUSYBOX true
		[ "$status" -eq 0 ] || [[ "$output" == *bfq.weight* ]]
	fi
	refused "Weight of /dev/null is out of range" --blkio-weight-device /dev/null:5
	refused "/dev/null is not a block device" --blkio-weight-device /dev/null:100
}

@test "--cgroup-parent: the container's cgroup lies there, and goes from there" {
	id=$("$KIST" run -d --cgroupns host --cgroup-parent "/kist-test-$KT_NAME-other/sub" $BUSYBOX sleep 100)
	[[ "$("$KIST" exec "$id" cat /proc/1/cgroup)" == *":/kist-test-$KT_NAME-other/sub/$id"* ]]
	[ "$("$KIST" inspect -f '{{.HostConfig.CgroupParent}}' "$id")" = "/kist-test-$KT_NAME-other/sub" ]
	"$KIST" pause "$id"
	"$KIST" unpause "$id"
	kistd_kill9 && kistd_up
	"$KIST" exec "$id" true
	"$KIST" rm -f "$id"
	[ -z "$(find /sys/fs/cgroup -type d -path "*kist-test-$KT_NAME-other/sub/$id")" ]
	refused "is not a path of cgroups" --cgroup-parent ../up
}

@test "--cpu-shares, --cpu-period, --cpu-quota, --memory-reservation, --memory-swap: what the kernel is told" {
	id=$("$KIST" run -d --cpu-shares 512 --cpu-period 50000 --cpu-quota 25000 --memory 64m --memory-reservation 32m --memory-swap 128m $BUSYBOX sleep 100)
	if [ -d /sys/fs/cgroup/cpu ]; then
		[ "$(cgroup_file "$id" cpu.shares)" = 512 ]
		[ "$(cgroup_file "$id" cpu.cfs_period_us)" = 50000 ]
		[ "$(cgroup_file "$id" cpu.cfs_quota_us)" = 25000 ]
		[ "$(cgroup_file "$id" memory.soft_limit_in_bytes)" = $((32 << 20)) ]
		[ "$(cgroup_file "$id" memory.memsw.limit_in_bytes)" = $((128 << 20)) ]
	else
		[ "$(cgroup_file "$id" none cpu.weight)" = 20 ]
		[ "$(cgroup_file "$id" none cpu.max)" = "25000 50000" ]
		[ "$(cgroup_file "$id" none memory.low)" = $((32 << 20)) ]
		[ "$(cgroup_file "$id" none memory.swap.max)" = $((64 << 20)) ]
	fi
	"$KIST" rm -f "$id"
	refused "Memory limit when using Memoryswap" --memory-swap 128m
}

@test "--cpu-rt-period, --cpu-rt-runtime: given, or refused in a line" {
	refused "cpu real-time runtime cannot be higher" --cpu-rt-period 1000 --cpu-rt-runtime 2000
	run "$KIST" run --rm --cpu-rt-period 1000000 --cpu-rt-runtime 1000 $BUSYBOX true
	# The parent has no share to give, or the kernel no such thing.
	[ "$status" -eq 0 ] || [[ "$output" == *"cpu.realtime"* ]]
}

@test "--cpuset-mems: the memory nodes of the process" {
	[ "$(inside --cpuset-mems 0 $BUSYBOX grep Mems_allowed_list /proc/self/status | cut -f2)" = 0 ]
	refused "Requested memory nodes are not available" --cpuset-mems 4000
}

@test "--memory-swappiness, --oom-kill-disable: cgroup v1's, or refused by name" {
	if [ -d /sys/fs/cgroup/memory ]; then
		id=$("$KIST" run -d --memory 64m --memory-swappiness 17 --oom-kill-disable $BUSYBOX sleep 100)
		[ "$(cgroup_file "$id" memory.swappiness)" = 17 ]
		[[ "$(cgroup_file "$id" memory.oom_control)" == *"oom_kill_disable 1"* ]]
		"$KIST" rm -f "$id"
		run --separate-stderr "$KIST" create --name endless --oom-kill-disable $BUSYBOX true
		[[ "$stderr" == "WARNING: OOM killer is disabled for the container, but no memory limit is set,"* ]]
		"$KIST" rm endless
	else
		refused "memory.swappiness does not exist with cgroup v2" --memory-swappiness 17
		refused "memory.disableOOMKiller does not exist with cgroup v2" --memory 64m --oom-kill-disable
	fi
	refused "out of range" --memory-swappiness 101
}

@test "--kernel-memory, --isolation, --preserve-fds, --rdt-class, --volume-driver: refused, and why" {
	refused "kernels have no such limit any more" --kernel-memory 64m
	for version in 1.41 1.42 1.52; do
		[[ "$(curl -s --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -d "{\"Image\":\"$BUSYBOX\",\"HostConfig\":{\"KernelMemory\":64000000}}" \
			"http://kist/v$version/containers/create")" == *"kernels have no such limit any more"* ]]
	done
	refused "Isolation: is for Windows" --isolation hyperv
	inside --isolation default $BUSYBOX true
	refused "file descriptors do not travel to a daemon" --preserve-fds 2
	refused "this engine sets no class of service" --rdt-class c1
	refused "only the driver local is there" --volume-driver nfs
	inside --volume-driver local $BUSYBOX true
}

# Where it holds: tests/vm/guest/sizes.sh.
@test "--storage-opt: what is no size is refused, and so is a size where there is no project quota, which leaves nothing behind" {
	refused '"lots" is not a size' --storage-opt size=lots
	refused '"63k" is not between 64k and 8E' --storage-opt size=63k
	refused 'unknown option "colour": there is size' --storage-opt colour=red
	inside --storage-opt size=0 $BUSYBOX true
	[ "$(stat -f -c %T "$KT_DIR")" != xfs ] || skip "this may be a file system with project quota"
	refused "has no project quota (ext4 made with -O quota,project, or xfs; mounted with -o prjquota)" --storage-opt size=1G
	run ! "$KIST" volume create -o size=1g sized
	[[ "$output" == *"has no project quota"* ]]
	[ ! -e "$KT_DIR/root/volumes/sized" ]
	[ "$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM project").fetchone()[0])' "$KT_DIR/root/kist.db")" = 0 ]
}

@test "--domainname: in the kernel and in /etc/hosts" {
	[ "$(inside -h box --domainname example.org $BUSYBOX cat /proc/sys/kernel/domainname)" = example.org ]
	[[ "$(inside -h box --domainname example.org $BUSYBOX cat /etc/hosts)" == *"box.example.org box"* ]]
	refused "invalid domain name" --domainname 'a b'
}

@test "--env-file, --env-host, --unsetenv, --label-file" {
	printf '# a comment\nA=from file\n\nB=too\n' >"$BATS_TEST_TMPDIR/env"
	[ "$(inside --env-file "$BATS_TEST_TMPDIR/env" -e B=mine $BUSYBOX sh -c 'echo "$A, $B"')" = "from file, mine" ]
	[ "$(KT_OWN=here "$KIST" run --rm --env-host -e OTHER=1 $BUSYBOX sh -c 'echo $KT_OWN$OTHER')" = here1 ]
	[ "$(inside -e GONE=1 -e STAYS=2 --unsetenv GONE --unsetenv PATH $BUSYBOX /bin/sh -c 'echo "${GONE-unset} $STAYS"')" = "unset 2" ]
	[[ "$(inside --unsetenv PATH $BUSYBOX /bin/env)" != *PATH=* ]]
	refused "is not a name" --unsetenv A=b
	printf 'one=1\ntwo=2\n' >"$BATS_TEST_TMPDIR/labels"
	id=$("$KIST" create --label-file "$BATS_TEST_TMPDIR/labels" -l two=zwei $BUSYBOX)
	[ "$("$KIST" inspect -f '{{json .Config.Labels}}' "$id")" = '{"one":"1","two":"zwei"}' ]
	"$KIST" rm "$id"
	refused "No such file" --env-file /nowhere
}

@test "--expose, --label, --cidfile, --name, --quiet, --pull, --platform" {
	id=$("$KIST" create --expose 80 --expose 53/udp -l k=v --cidfile "$BATS_TEST_TMPDIR/cid" --name exposed -q --pull never --platform "linux/$(dpkg --print-architecture)" $BUSYBOX)
	[ "$("$KIST" inspect -f '{{json .Config.ExposedPorts}}' exposed)" = '{"80/tcp":{},"53/udp":{}}' ]
	[ "$(cat "$BATS_TEST_TMPDIR/cid")" = "$id" ]
	refused "container id file" --cidfile "$BATS_TEST_TMPDIR/cid"
	"$KIST" rm exposed
	run -125 "$KIST" run --pull never nosuch/image true
	[[ "$output" == *"No such image"* ]]
	refused "always, missing or never" --pull sometimes
	# Nothing is said about a pull that is not to be heard of.
	run -125 "$KIST" run -q --pull missing localhost:1/nosuch true
	[[ "$output" != *"Unable to find image"* ]]
	refused "platform" --platform plan9/vax
}

@test "--health-on-failure: kill, and restart" {
	"$KIST" run -d --name failing --health-cmd false --health-interval 50ms --health-retries 2 --health-on-failure kill $BUSYBOX sleep 100
	eventually is_state failing exited
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' failing)" = 137 ]
	"$KIST" rm failing
	"$KIST" run -d --name again --health-cmd 'test ! -e /bad' --health-interval 50ms --health-retries 1 --health-on-failure restart $BUSYBOX \
		sh -c 'trap "exit 0" TERM; echo up; test -e /once || { touch /once /bad; while :; do sleep 0.05; done; }; rm /bad; while :; do sleep 0.05; done'
	restarted() { [ "$("$KIST" logs again | grep -c up)" -ge 2 ]; }
	eventually restarted
	"$KIST" rm -f again
	refused "needs a health check" --health-on-failure kill
	refused "not one of none, kill, stop and restart" --health-cmd true --health-on-failure explode
}

@test "--no-healthcheck, --stop-timeout, --log-driver, --log-opt, --detach-keys: kept as they were said" {
	id=$("$KIST" create --no-healthcheck --stop-timeout 7 --log-driver json-file --log-opt max-size=1m --log-opt max-file=2 --detach-keys ctrl-x $BUSYBOX)
	[ "$("$KIST" inspect -f '{{json .Config.Healthcheck.Test}} {{.Config.StopTimeout}} {{json .HostConfig.LogConfig.Config}}' "$id")" = '["NONE"] 7 {"max-size":"1m","max-file":"2"}' ]
	"$KIST" rm "$id"
	run -125 "$KIST" run --no-healthcheck --health-cmd x $BUSYBOX
	[[ "$output" == *"--health-… options say the opposite"* ]]
}

@test "--personality: a 32-bit machine, to look at" {
	[ "$(uname -m)" = x86_64 ] || skip "for x86_64"
	[ "$(inside --personality LINUX32 $BUSYBOX uname -m)" = i686 ]
	refused "Personality" --personality SVR4
}

@test "--time-offset: clocks that run ahead, for exec too" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	up=$(cut -d. -f1 /proc/uptime)
	id=$("$KIST" run -d --time-offset boottime=24h --time-offset monotonic=1h30m $BUSYBOX sleep 100)
	[ "$("$KIST" exec "$id" cut -d. -f1 /proc/uptime)" -ge $((up + 86400)) ]
	[ "$("$KIST" exec "$id" cat /proc/1/timens_offsets | awk '{print $1, $2}' | tr '\n' ' ')" = "monotonic 5400 boottime 86400 " ]
	"$KIST" rm -f "$id"
	refused "is not a clock that can be shifted" --time-offset realtime=1h
	refused "CLOCK=TIME is wanted" --time-offset boottime=tomorrow
	refused "time" --time-offset boottime=-1000000h
}

@test "--timeout: it is killed when its time is over, by a daemon that was started anew too" {
	run -137 "$KIST" run --rm --timeout 1 $BUSYBOX sleep 100
	"$KIST" run -d --name soon --timeout 2 $BUSYBOX sleep 100
	kistd_kill9 && kistd_up
	eventually is_state soon exited
	"$KIST" rm soon
	refused "not a whole number" --timeout long
}

@test "--tz: the time zone of the process" {
	[ -e /usr/share/zoneinfo/Asia/Kolkata ] || skip "this host has no tzdata"
	[ "$(inside --tz Asia/Kolkata $BUSYBOX date +%z)" = +0530 ]
	[ "$(inside --tz local $BUSYBOX date +%z)" = "$(TZ='' date +%z)" ] || [ "$(inside --tz local $BUSYBOX date +%z)" = "$(env -u TZ date +%z)" ]
	refused "knows no time zone" --tz No/Where
	refused "is not the name of a time zone" --tz ../../etc/passwd
}

@test "--umask: of the first process and of execs" {
	[ "$(inside --umask 0027 $BUSYBOX sh -c umask)" = 0027 ]
	id=$("$KIST" run -d --umask 077 $BUSYBOX sleep 100)
	[ "$("$KIST" exec "$id" sh -c umask)" = 0077 ]
	"$KIST" rm -f "$id"
	refused "is not a mask such as 0022" --umask 9
}

@test "--ipc, --uts, --pid, --userns, --cgroupns, --network: the host's where asked, else its own" {
	for pair in ipc:ipc uts:uts pid:pid userns:user cgroupns:cgroup network:net; do
		[ "$(inside "--${pair%:*}" host $BUSYBOX readlink "/proc/self/ns/${pair#*:}")" = "$(readlink "/proc/self/ns/${pair#*:}")" ]
		[ "$(inside $BUSYBOX readlink "/proc/self/ns/${pair#*:}")" != "$(readlink "/proc/self/ns/${pair#*:}")" ]
	done
	run ! inside --ipc none $BUSYBOX test -e /dev/shm/.
	refused "invalid mode" --ipc odd
	refused "invalid mode" --ipc container:
	refused "invalid mode" --uts container:other
}

@test "--security-opt mask, unmask: paths that are hidden, and that are not" {
	[ "$(inside --security-opt mask=/etc/passwd:/proc/version $BUSYBOX sh -c 'cat /etc/passwd /proc/version | wc -c')" = 0 ]
	[ "$(inside $BUSYBOX sh -c 'cat /proc/timer_list 2>/dev/null | wc -c')" = 0 ]
	[ "$(inside $BUSYBOX grep -c ' /proc/sys ' /proc/self/mountinfo)" = 1 ]
	[ "$(inside --security-opt unmask=/proc/sys $BUSYBOX grep -c ' /proc/sys ' /proc/self/mountinfo || true)" = 0 ]
	[ "$(inside --security-opt unmask=ALL $BUSYBOX grep -c ' /proc/.* ' /proc/self/mountinfo || true)" = 0 ]
	refused 'mask: "etc" is not an absolute path' --security-opt mask=etc
	refused 'is not an absolute path' --security-opt unmask=/proc/../etc
	[ -e /sys/fs/selinux/enforce ] || refused 'this host has no SELinux' --security-opt label=type:x
	inside --security-opt label=disable $BUSYBOX true
	refused "only a privileged container's cgroups can be written to" --security-opt writable-cgroups=true
	inside --security-opt writable-cgroups=false $BUSYBOX true
}

@test "--privileged has every device of the host; --device takes a directory, and rights alone" {
	mkdir "$BATS_TEST_TMPDIR/dev"
	for i in $(seq 120); do mknod "$BATS_TEST_TMPDIR/dev/n$i" c 1 3; done
	[ "$(inside --device "$BATS_TEST_TMPDIR/dev:/dev/many" $BUSYBOX sh -c 'ls /dev/many | wc -l')" = 120 ]
	for i in $(seq 121 300); do mknod "$BATS_TEST_TMPDIR/dev/n$i" c 1 3; done
	refused "more than 256 devices" --device "$BATS_TEST_TMPDIR/dev:/dev/many"
	[ "$(inside --privileged --device "$BATS_TEST_TMPDIR/dev:/dev/many" $BUSYBOX sh -c 'ls /dev/many | wc -l')" = 300 ]
	# Consoles of its own, and what is no device of the machine's, aside.
	find /dev -maxdepth 1 \( -type c -o -type b \) ! -name console ! -name ptmx -printf '%f\n' | sort >"$BATS_TEST_TMPDIR/host"
	inside --privileged $BUSYBOX ls /dev | sort >"$BATS_TEST_TMPDIR/inside"
	[ -z "$(comm -23 "$BATS_TEST_TMPDIR/host" "$BATS_TEST_TMPDIR/inside")" ]
	[ "$(inside --device /dev/zero:r $BUSYBOX sh -c 'head -c 3 /dev/zero | wc -c')" -eq 3 ]
}

@test "--gpus, --runtime: refused, and why" {
	refused "all, a number, device=NAME or driver=NAME is wanted" --gpus many
	refused "unknown or invalid runtime name" --runtime nosuch
	inside --runtime kist $BUSYBOX true
}

@test "--dns-option; --net is --network, --net-alias is --network-alias" {
	[[ "$(inside --dns-option ndots:3 $BUSYBOX cat /etc/resolv.conf)" == *"options ndots:3"* ]]
	[ "$(inside --net none $BUSYBOX ls /sys/class/net)" = lo ]
	# Names are for networks of the user's: on the default bridge both words are refused alike.
	run "$KIST" run --rm --net-alias x $BUSYBOX true
	first=$status,$output
	run "$KIST" run --rm --network-alias x $BUSYBOX true
	[ "$status,$output" = "$first" ]
}

@test "--stop-signal, --sig-proxy: what stop sends, and what a signal to the client does" {
	"$KIST" run -d --name told --stop-signal USR1 $BUSYBOX sh -c 'trap "exit 9" USR1; touch /ready; while :; do sleep 0.05; done'
	eventually "$KIST" exec told test -e /ready
	"$KIST" stop -t 60 told
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' told)" = 9 ]
	"$KIST" rm told
	for proxy in true false; do
		"$KIST" run --name heard --sig-proxy=$proxy $BUSYBOX sh -c 'trap "exit 8" USR2; touch /ready; while :; do sleep 0.05; done' 3>&- &
		client=$!
		eventually "$KIST" exec heard test -e /ready
		kill -USR2 "$client"
		status=0
		wait "$client" || status=$?
		if [ $proxy = true ]; then
			[ "$status" -eq 8 ]
		else
			[ "$(state_of heard)" = running ]
		fi
		"$KIST" rm -f heard
	done
}
