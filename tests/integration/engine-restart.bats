# Restart policies.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

count() { "$KIST" inspect -f '{{.RestartCount}}' "$1"; }
restarted() { [ "$(count "$1")" -ge "$2" ]; }

@test "always: it comes back, each time later; stop ends that" {
	for C in $(clients); do
		client "$C" run -d --restart always --name "al-$C" $BUSYBOX sh -c 'echo here; exit 1'
		eventually restarted "al-$C" 3
		[ "$("$KIST" inspect -f '{{.HostConfig.RestartPolicy.Name}}' "al-$C")" = always ]
		client "$C" stop -t 1 "al-$C"
		n=$(count "al-$C")
		sleep 0.5
		[ "$(count "al-$C")" = "$n" ]
		[ "$(state_of "al-$C")" = exited ]
		# 100, 200, 400 ms between one start and the next.
		"$KIST" logs -t "al-$C" | cut -d ' ' -f 1 | date -f - +%s%N | awk 'NR > 1 && NR < 5 { gap = ($1 - last) / 1e6; want = 100 * 2 ^ (NR - 2); if (gap < want) exit 1 } { last = $1 }'
		client "$C" start "al-$C"
		eventually restarted "al-$C" 1
		client "$C" rm -f "al-$C"
	done
}

@test "on-failure:2 gives up after two; a success ends it" {
	"$KIST" run -d --restart on-failure:2 --name bad $BUSYBOX sh -c 'exit 9'
	eventually is_state bad exited
	sleep 0.3
	[ "$(count bad)" = 2 ]
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' bad)" = 9 ]
	"$KIST" run -d --restart on-failure --name good $BUSYBOX true
	eventually is_state good exited
	[ "$(count good)" = 0 ]
	"$KIST" rm bad good
}

@test "a restart of the daemon starts always, and unless-stopped when nobody stopped it" {
	"$KIST" run -d --restart always --name aa $BUSYBOX sleep 1000
	"$KIST" run -d --restart unless-stopped --name uu $BUSYBOX sleep 1000
	"$KIST" run -d --restart unless-stopped --name ss $BUSYBOX sleep 1000
	"$KIST" stop -t 0 ss aa
	pid=$("$KIST" inspect -f '{{.State.Pid}}' uu)
	kistd_kill9
	# Its end comes while nobody looks.
	kill -9 "$pid"
	sleep 0.2
	kistd_up
	eventually is_state aa running
	eventually is_state uu running
	[ "$(state_of ss)" = exited ]
	"$KIST" rm -f aa uu ss
}

@test "a monitor that is killed: 137, and the policy applies" {
	id=$("$KIST" run -d --restart on-failure --name mm $BUSYBOX sleep 1000)
	pid=$("$KIST" inspect -f '{{.State.Pid}}' mm)
	kill -9 "$(awk '/^PPid/{print $2}' "/proc/$pid/status")"
	eventually restarted mm 1
	eventually is_state mm running
	[ "$("$KIST" inspect -f '{{.State.Pid}}' mm)" != "$pid" ]
	# Gone, or a zombie where the first process of this host does not reap.
	run ! grep "^State:.[^Z]" "/proc/$pid/status"
	"$KIST" rm -f "$id"
}
