# `run` through kist and the stock docker clients: the same words, the same exit statuses, the same streams.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

# Run one check with every client there is; the client's name is $C in it.
each_client() { # FUNCTION
	local C
	for C in $(clients); do
		"$1" "$C" || { echo "with $C" >&2; return 1; }
	done
}

hello() {
	[ "$(client "$1" run --rm $BUSYBOX echo "hello from a kist")" = "hello from a kist" ]
}
@test "the first container says hello" { each_client hello; }

statuses() {
	local status
	for want in 0 1 3 125 255; do
		status=0
		client "$1" run --rm $BUSYBOX sh -c "exit $want" || status=$?
		[ "$status" -eq "$want" ] || { echo "exit $want gave $status" >&2; return 1; }
	done
}
@test "the exit status is the container's" { each_client statuses; }

@test "128 + signal" {
	for C in $(clients); do
		status=0
		client "$C" run --rm $BUSYBOX sh -c 'sh -c "kill -TERM \$\$"; exit $?' || status=$?
		[ "$status" -eq 143 ]
	done
}

no_command() {
	local status=0 err
	err=$(client "$1" run --rm $BUSYBOX /no/such/command 2>&1) || status=$?
	[ "$status" -eq 127 ] || { echo "127 expected, $status: $err" >&2; return 1; }
	[[ "$err" == *"/no/such/command"* ]] || return 1
	status=0
	client "$1" run --rm $BUSYBOX nosuchword >/dev/null 2>&1 || status=$?
	[ "$status" -eq 127 ] || return 1
	status=0
	client "$1" run --rm $BUSYBOX /etc >/dev/null 2>&1 || status=$?
	[ "$status" -eq 126 ] || { echo "126 expected, $status" >&2; return 1; }
	status=0
	client "$1" run --rm $BUSYBOX /etc/passwd >/dev/null 2>&1 || status=$?
	[ "$status" -eq 126 ]
}
@test "126 and 127 for commands that cannot run" { each_client no_command; }

@test "125 when the engine refuses, with one line that names what and why" {
	run -125 "$KIST" run --rm --memory 1m $BUSYBOX true
	[[ "$output" == *"6MB"* ]]
	[ "${#lines[@]}" -eq 1 ]
	run -125 "$KIST" run --rm --no-such-flag $BUSYBOX true
	[[ "${lines[0]}" == *"unknown flag: --no-such-flag"* ]]
}

streams() {
	client "$1" run --rm $BUSYBOX sh -c 'echo to-out; echo to-err >&2' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = to-out ] && [ "$(cat "$BATS_TEST_TMPDIR/err")" = to-err ]
}
@test "standard output and error stay apart" { each_client streams; }

input() {
	[ "$(echo "from outside" | client "$1" run --rm -i $BUSYBOX cat)" = "from outside" ] || return 1
	[ "$(seq 200000 | client "$1" run --rm -i $BUSYBOX sha256sum)" = "$(seq 200000 | sha256sum)" ]
}
@test "-i: what goes in comes through, to its end" { each_client input; }

@test "much output comes whole" {
	for C in $(clients); do
		[ "$(client "$C" run --rm $BUSYBOX seq 300000 | sha256sum)" = "$(seq 300000 | sha256sum)" ]
	done
}

terminal() {
	tests_pty "$1"
}
tests_pty() {
	python3 "$BATS_TEST_DIRNAME/../lib/pty-session" "$(case $1 in kist) echo "$KIST" ;; docker) echo /usr/bin/docker ;; *) newer_docker ;; esac)"
}
@test "-it: a shell on a terminal, its size, its signals, its status" { each_client terminal; }

@test "environment, working directory, user, hostname" {
	[ "$("$KIST" run --rm -e A=b -e "C=d e" $BUSYBOX sh -c 'echo "$A/$C"')" = "b/d e" ]
	[ "$(A=ours "$KIST" run --rm -e A $BUSYBOX sh -c 'echo $A')" = ours ]
	[ "$("$KIST" run --rm -w /tmp $BUSYBOX pwd)" = /tmp ]
	[ "$("$KIST" run --rm -w /made/on/demand $BUSYBOX pwd)" = /made/on/demand ]
	[ "$("$KIST" run --rm -u 1000:1001 $BUSYBOX sh -c 'id -u; id -g' | tr '\n' ' ')" = "1000 1001 " ]
	[ "$("$KIST" run --rm -u nobody $BUSYBOX id -un)" = nobody ]
	[ "$("$KIST" run --rm -h box.example $BUSYBOX hostname)" = box.example ]
	run -125 "$KIST" run --rm -u nosuchuser $BUSYBOX true
	[[ "$output" == *nosuchuser* ]]
}

@test "--entrypoint, --read-only, --tmpfs, -v, --mount" {
	[ "$("$KIST" run --rm --entrypoint echo $BUSYBOX a b)" = "a b" ]
	run ! "$KIST" run --rm --read-only $BUSYBOX touch /x
	[[ "$output" == *"Read-only file system"* ]]
	"$KIST" run --rm --read-only --tmpfs /scratch:size=1m $BUSYBOX touch /scratch/x
	mkdir "$BATS_TEST_TMPDIR/share"
	"$KIST" run --rm -v "$BATS_TEST_TMPDIR/share:/share" $BUSYBOX sh -c 'echo inside >/share/file; chown 5:6 /share/file'
	# Root in the container makes what root owns on disk, though it is nobody to the host.
	[ "$(cat "$BATS_TEST_TMPDIR/share/file")" = inside ]
	[ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/share/file")" = 5:6 ]
	run ! "$KIST" run --rm -v "$BATS_TEST_TMPDIR/share:/share:ro" $BUSYBOX touch /share/other
	[ ! -e "$BATS_TEST_TMPDIR/share/other" ]
	run ! "$KIST" run --rm --mount "type=bind,source=$BATS_TEST_TMPDIR/share,target=/share,readonly" $BUSYBOX touch /share/other
	run -125 "$KIST" run --rm --mount "type=bind,source=$BATS_TEST_TMPDIR/nowhere,target=/share" $BUSYBOX true
	[[ "$output" == *"$BATS_TEST_TMPDIR/nowhere"* ]]
}

@test "limits are what the kernel is told, and what the container feels" {
	run ! "$KIST" run --rm --pids-limit 20 $BUSYBOX sh -c 'for i in $(seq 40); do sleep 1 & done; wait'
	[[ "$output" == *"can't fork"* ]]
	run -137 "$KIST" run --rm --memory 16m --memory-swap 16m $BUSYBOX sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; exit $?'
	[ "$("$KIST" run --rm --cpuset-cpus 0 $BUSYBOX grep Cpus_allowed_list /proc/self/status | cut -f2)" = 0 ]
	id=$("$KIST" run -d --memory 64m --cpus 0.5 --pids-limit 33 $BUSYBOX sleep 60)
	[ "$(cat /sys/fs/cgroup/memory/kist-test-"$KT_NAME"/"$id"/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/kist-test-"$KT_NAME"/"$id"/memory.max)" = $((64 << 20)) ]
	"$KIST" rm -f "$id"
}

@test "--ulimit, --sysctl, --group-add, --shm-size, --oom-score-adj, --add-host, --dns" {
	[ "$("$KIST" run --rm --ulimit nofile=100:200 $BUSYBOX sh -c 'ulimit -Sn; ulimit -Hn' | tr '\n' ' ')" = "100 200 " ]
	[ "$("$KIST" run --rm --sysctl net.ipv4.ip_forward=1 $BUSYBOX cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	run -125 "$KIST" run --rm --sysctl kernel.panic=1 $BUSYBOX true
	[[ "$output" == *kernel.panic* ]]
	[[ "$("$KIST" run --rm --group-add 4242 $BUSYBOX id -G)" == *4242* ]]
	[[ "$("$KIST" run --rm --shm-size 8m $BUSYBOX df -k /dev/shm)" == *8192* ]]
	[ "$("$KIST" run --rm --oom-score-adj 500 $BUSYBOX cat /proc/self/oom_score_adj)" = 500 ]
	[[ "$("$KIST" run --rm --add-host db:10.9.8.7 $BUSYBOX cat /etc/hosts)" == *10.9.8.7*db* ]]
	[[ "$("$KIST" run --rm --dns 192.0.2.1 --dns-search example.org $BUSYBOX cat /etc/resolv.conf)" == *192.0.2.1* ]]
}

@test "a container is root in a namespace of its own, and nobody outside" {
	id=$("$KIST" run -d $BUSYBOX sleep 60)
	pid=$("$KIST" inspect -f '{{.State.Pid}}' "$id")
	[ "$("$KIST" exec "$id" id -u)" = 0 ]
	[ "$(awk '/^Uid/{print $2}' "/proc/$pid/status")" -ge 65536 ]
	[ "$("$KIST" exec "$id" awk '{print $1, $3}' /proc/self/uid_map)" = "0 65536" ]
	for ns in mnt pid net ipc uts user cgroup; do
		[ "$(readlink "/proc/$pid/ns/$ns")" != "$(readlink /proc/self/ns/$ns)" ]
	done
	# Two containers have different ranges.
	other=$("$KIST" run -d $BUSYBOX sleep 60)
	opid=$("$KIST" inspect -f '{{.State.Pid}}' "$other")
	[ "$(awk '/^Uid/{print $2}' "/proc/$pid/status")" != "$(awk '/^Uid/{print $2}' "/proc/$opid/status")" ]
	"$KIST" rm -f "$id" "$other"
}

@test "capabilities, seccomp, no-new-privileges, masked paths as the field has them" {
	[ "$("$KIST" run --rm $BUSYBOX awk '/^CapEff/{print $2}' /proc/self/status)" = 00000000a80425fb ]
	[ "$("$KIST" run --rm $BUSYBOX awk '/^CapInh/{print $2}' /proc/self/status)" = 0000000000000000 ]
	[ "$("$KIST" run --rm --cap-drop ALL --cap-add CHOWN $BUSYBOX awk '/^CapEff/{print $2}' /proc/self/status)" = 0000000000000001 ]
	[ "$("$KIST" run --rm $BUSYBOX awk '/^Seccomp:/{print $2}' /proc/self/status)" = 2 ]
	[ "$("$KIST" run --rm --security-opt seccomp=unconfined $BUSYBOX awk '/^Seccomp:/{print $2}' /proc/self/status)" = 0 ]
	[ "$("$KIST" run --rm --security-opt no-new-privileges $BUSYBOX awk '/^NoNewPrivs/{print $2}' /proc/self/status)" = 1 ]
	[ -z "$("$KIST" run --rm $BUSYBOX cat /proc/kcore 2>/dev/null)" ]
	run ! "$KIST" run --rm $BUSYBOX sh -c 'echo 1 >/proc/sys/kernel/panic'
	[ "$("$KIST" run --rm $BUSYBOX sh -c 'ls /proc/self/fd | wc -l')" -le 4 ]
}

@test "--privileged: the host's ids, all capabilities of this host, no filter" {
	[ "$("$KIST" run --rm --privileged $BUSYBOX awk '/^Seccomp:/{print $2}' /proc/self/status)" = 0 ]
	[ "$("$KIST" run --rm --privileged $BUSYBOX awk '/^CapEff/{print $2}' /proc/self/status)" = "$(awk '/^CapBnd/{print $2}' /proc/self/status)" ]
	[ "$("$KIST" run --rm --privileged $BUSYBOX awk '{print $3; exit}' /proc/self/uid_map)" = 4294967295 ]
	[ "$("$KIST" run --rm --userns host $BUSYBOX awk '{print $3; exit}' /proc/self/uid_map)" = 4294967295 ]
}

@test "--cgroupns: its own, or the host's, and in both it sees its own limits only" {
	for mode in private host; do
		run -0 "$KIST" run --rm --cgroupns $mode --memory 48m $BUSYBOX sh -c \
			'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
		[ "$output" = $((48 << 20)) ]
	done
}

@test "--health-cmd: starting, healthy, unhealthy" {
	"$KIST" run -d --name hc --health-cmd 'test ! -e /sick' --health-interval 100ms --health-retries 2 $BUSYBOX sleep 60
	health_is() { [ "$("$KIST" inspect -f '{{.State.Health.Status}}' hc)" = "$1" ]; }
	eventually health_is healthy
	"$KIST" exec hc touch /sick
	eventually health_is unhealthy
	[[ "$("$KIST" ps)" == *"(unhealthy)"* ]]
	"$KIST" rm -f hc
}

@test "the host's mount table does not change while a container runs" {
	sort /proc/self/mountinfo >"$BATS_TEST_TMPDIR/before"
	id=$("$KIST" run -d $BUSYBOX sleep 60)
	sort /proc/self/mountinfo >"$BATS_TEST_TMPDIR/during"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/during"
	"$KIST" rm -f "$id"
}

@test "what a container writes is its own: the image and other containers do not see it" {
	a=$("$KIST" run -d $BUSYBOX sh -c 'echo mine >/etc/passwd; rm /bin/ls; sleep 60')
	eventually "$KIST" exec "$a" test ! -e /bin/ls
	"$KIST" run --rm $BUSYBOX sh -c 'grep -q root /etc/passwd && ls / >/dev/null'
	"$KIST" rm -f "$a"
}

@test "50 containers at once" {
	for i in $(seq 50); do
		"$KIST" run --rm $BUSYBOX sh -c "echo $i; exit $((i % 7))" >"$BATS_TEST_TMPDIR/$i" 2>&1 3>&- &
		eval "p$i=$!"
	done
	for i in $(seq 50); do
		status=0
		eval "wait \$p$i" || status=$?
		[ "$status" -eq $((i % 7)) ] || { echo "container $i: $status: $(cat "$BATS_TEST_TMPDIR/$i")"; false; }
		[ "$(cat "$BATS_TEST_TMPDIR/$i")" = "$i" ]
	done
}
