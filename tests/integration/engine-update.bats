# update, container prune, system df.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

limit() { # CONTAINER V1-CONTROLLER V1-FILE V2-FILE
	local id file
	id=$("$KIST" inspect -f '{{.Id}}' "$1")
	for file in "/sys/fs/cgroup/$2/kist-test-$KT_NAME/$id/$3" "/sys/fs/cgroup/kist-test-$KT_NAME/$id/$4"; do
		[ ! -e "$file" ] || cat "$file"
	done
}

@test "update: limits of a running container, and of one that does not run; the restart policy" {
	"$KIST" run -d --name up -m 64m --cpus 1 $BUSYBOX sleep 1000
	docker update -m 128m --memory-swap 256m --cpus 0.5 --pids-limit 33 --cpuset-cpus 0 up
	[ "$(limit up memory memory.limit_in_bytes memory.max)" = $((128 << 20)) ]
	[ "$(limit up pids pids.max pids.max)" = 33 ]
	[[ "$(limit up cpu cpu.cfs_quota_us cpu.max)" == 50000* ]]
	[ "$(limit up cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	[ "$("$KIST" inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' up)" = "134217728 500000000 33" ]
	# They are there after the next start too.
	"$KIST" restart -t 0 up
	[ "$(limit up memory memory.limit_in_bytes memory.max)" = $((128 << 20)) ]
	"$KIST" stop -t 0 up
	docker update -m 32m --memory-swap 64m up
	"$KIST" start up
	[ "$(limit up memory memory.limit_in_bytes memory.max)" = $((32 << 20)) ]
	run ! docker update -m 1m up
	[[ "$output" == *"Minimum memory limit allowed is 6MB"* ]]
	run ! docker update --cpus 999 up
	[[ "$output" == *"range of CPUs"* ]]
	docker update --restart always up
	kill -9 "$("$KIST" inspect -f '{{.State.Pid}}' up)"
	eventually sh -c "[ \$($KIST inspect -f '{{.RestartCount}}' up) -ge 1 ]"
	run ! docker update -m 64m nosuch
	[[ "$output" == *"No such container: nosuch"* ]]
	"$KIST" rm -f up
}

@test "container prune takes what does not run, with its filters; system df counts" {
	"$KIST" run -d --name runs $BUSYBOX sleep 1000
	"$KIST" run --name wrote --label keep=me $BUSYBOX sh -c 'head -c 100000 /dev/zero >/file'
	"$KIST" create --name made $BUSYBOX true
	docker system df -v | grep -q wrote
	docker system df | grep -qE '^Containers +3 +1'
	run -0 docker container prune -f --filter until=24h
	[ "$("$KIST" ps -aq | wc -l)" -eq 3 ]
	run -0 docker container prune -f --filter 'label!=keep'
	[ "$("$KIST" ps -aq | wc -l)" -eq 2 ]
	run -0 docker container prune -f
	[[ "$output" =~ "Total reclaimed space: "1[0-9][0-9](\.[0-9]+)?kB ]] # blocks of files and directories
	[ "$("$KIST" ps -a --format '{{.Names}}')" = runs ]
	run ! docker container prune -f --filter until=soon
	[[ "$output" == *'invalid until filter'* ]]
	"$KIST" rm -f runs
}
