# Bad input: one line that names the object and the reason, the right status, nothing half-made left behind.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

api() { curl -s --unix-socket "$KT_DIR/kist.sock" "$@"; }
status() { api -o /dev/null -w '%{http_code}' "$@"; }
message() { api "$@" | jq -r .message; }

@test "malformed JSON, wrong types, wrong content type, unknown routes" {
	[ "$(status -X POST -H 'Content-Type: application/json' -d '{"Image":' http://kist/containers/create)" = 400 ]
	[[ "$(message -X POST -H 'Content-Type: application/json' -d '{"Image":' http://kist/containers/create)" == *JSON* ]]
	[ "$(status -X POST -H 'Content-Type: application/json' -d '{"Image": 5}' http://kist/containers/create)" = 400 ]
	[[ "$(message -X POST -H 'Content-Type: application/json' -d "{\"Image\": \"$BUSYBOX\", \"HostConfig\": {\"Memory\": \"much\"}}" http://kist/containers/create)" == *Memory* ]]
	[ "$(status -X POST -d '[]' -H 'Content-Type: application/json' http://kist/containers/create)" = 400 ]
	[ "$(status -X POST -d 'x' -H 'Content-Type: text/plain' http://kist/containers/create)" = 400 ]
	[ "$(status http://kist/no/such/route)" = 404 ]
	[ "$(status -X PATCH http://kist/containers/json)" -ge 404 ]
	[ "$(status http://kist/containers/nosuch/json)" = 404 ]
	[ "$(status -X POST http://kist/swarm/init)" = 503 ]
}

@test "a huge body is refused, not kept" {
	head -c 40000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/huge"
	[ "$(status -X POST -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/huge" http://kist/containers/create)" = 413 ]
	[ "$(api http://kist/_ping)" = OK ]
	[ "$(awk '/VmRSS/{print $2}' "/proc/$(kistd_pid)/status")" -lt 60000 ]
}

@test "refusals of create: exit status 125, one line" {
	refused() { # PATTERN OPTION...
		local pattern=$1
		shift
		run -125 "$KIST" run --rm "$@"
		[ "${#lines[@]}" -eq 1 ] || { echo "more than a line: $output"; return 1; }
		[[ "${output,,}" == *"${pattern,,}"* ]] || { echo "no $pattern in: $output"; return 1; }
	}
	refused "6MB" -m 5m $BUSYBOX true
	refused "range of CPUs" --cpus 10000 $BUSYBOX true
	refused "CPUs" --cpuset-cpus 4096 $BUSYBOX true
	refused "NOSUCHCAP" --cap-add NOSUCHCAP $BUSYBOX true
	refused "nosuchlimit" --ulimit nosuchlimit=5 $BUSYBOX true
	refused "volume name" -v rela/tive:/x $BUSYBOX true
	refused "container path" -v /tmp:relative $BUSYBOX true || refused "relative" -v /tmp:relative $BUSYBOX true
	refused "name" --name 'bad name!' $BUSYBOX true
	refused "nosuchmode" --ipc nosuchmode $BUSYBOX true
	refused "nosuchsignal" --stop-signal nosuchsignal $BUSYBOX true
	echo '{"defaultAction":' >"$BATS_TEST_TMPDIR/profile"
	refused "seccomp" --security-opt "seccomp=$BATS_TEST_TMPDIR/profile" $BUSYBOX true
	refused "apparmor" --security-opt apparmor= $BUSYBOX true
	# Where there is AppArmor, its profiles are tested in the virtual machine: tests/vm/guest/apparmor.sh.
	[ -e /sys/module/apparmor ] || refused "this host has no AppArmor" --security-opt apparmor=strict $BUSYBOX true
	refused "nosuchopt" --security-opt nosuchopt=1 $BUSYBOX true
}

@test "attack: newlines in names, hosts and variables do not forge lines (CVE-2022-4318)" {
	run ! "$KIST" run --rm --add-host $'evil:1.2.3.4\n6.6.6.6 bank' $BUSYBOX cat /etc/hosts
	run ! "$KIST" run --rm -h $'a\nb' $BUSYBOX cat /etc/hostname
	[ "$("$KIST" run --rm -e $'A=one\ntwo' $BUSYBOX sh -c 'echo "$A"')" = $'one\ntwo' ]
}

@test "attack: --user that is no user (CVE-2024-40635, CVE-2026-30892)" {
	for user in -1 4294967296 2147483648 "0x0" "1 2" "root;id" "1:2:3"; do
		run ! "$KIST" run --rm -u "$user" $BUSYBOX id
	done
}

@test "disk full: a clear line, and the daemon goes on" {
	# In a mount namespace of its own: the daemon of this test has a small tmpfs as its root.
	unshare -m bash -c '
		set -eu
		mkdir -p "$1/small"
		mount -t tmpfs -o size=3m,mode=711 kist-test-small "$1/small"
		"$2/bin/kistd" --root "$1/small" --run-root "$1/small-run" --host "unix://$1/small.sock" --bridge "${3}s" --cgroup-parent "kist-test-${3}s" \
			--address-pool 10.254.240.0/24 >"$1/small.log" 2>&1 3>&- &
		pid=$!
		for i in $(seq 100); do curl -sf --unix-socket "$1/small.sock" http://kist/_ping >/dev/null && break; sleep 0.05; done
		export KIST_HOST=unix://$1/small.sock
		"$2/bin/kist" images || true
		dd if=/dev/zero of="$1/small/filler" bs=64k 2>/dev/null || true
		status=0
		"$2/bin/kist" load -q -i "$2/data/busybox.oci.tar" 2>"$1/small.err" || status=$?
		cat "$1/small.err"
		[ "$status" -eq 1 ]
		grep -qi "space" "$1/small.err"
		[ "$(wc -l <"$1/small.err")" -eq 1 ]
		rm "$1/small/filler"
		[ "$(curl -s --unix-socket "$1/small.sock" http://kist/_ping)" = OK ]
		kill "$pid"; wait "$pid" || true
	' bash "$KT_DIR" "$BUILD" "$KT_NAME"
	find /sys/fs/cgroup -depth -type d -path "*/kist-test-${KT_NAME}s*" -exec rmdir {} + 2>/dev/null || true
}

@test "kistd refuses what it cannot do: bad options, a second daemon on the same root, a bad configuration" {
	run ! "$BUILD/bin/kistd" --no-such-option
	[[ "$output" == *no-such-option* ]]
	run ! "$BUILD/bin/kistd" --root "$KT_DIR/root" --run-root "$KT_DIR/run2" --host "unix://$KT_DIR/second.sock"
	[[ "$output" == *"$(kistd_pid)"* || "$output" == *"in use"* ]]
	echo '{"no-such-key": 1}' >"$BATS_TEST_TMPDIR/bad.json"
	run ! "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/bad.json" --validate
	[[ "$output" == *no-such-key* ]]
	run ! "$BUILD/bin/kistd" --address-pool 10.0.0.0/99 --validate
	[[ "$output" == *10.0.0.0/99* ]]
}

@test "kist says what is wrong with its own command line" {
	run -1 "$KIST" pss
	[[ "$output" == *"did you mean ps"* ]]
	run -1 "$KIST" ps --al
	[[ "$output" == *"did you mean --all"* ]]
	run -1 "$KIST" rm
	[[ "$output" == *"at least 1 argument"* ]]
	run -1 "$KIST" -H unix:///nowhere/kist.sock ps
	[[ "$output" == *"/nowhere/kist.sock"*"is it running?"* ]]
	run -1 "$KIST" inspect -f '{{.Foo' x
	run -0 "$KIST" run --help
	[[ "$output" == *"--memory"* && "$output" == *"Examples:"* ]]
}
