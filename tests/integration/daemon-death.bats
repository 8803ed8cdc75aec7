# kill -9 of the daemon while containers run, print and end: after a new start all are there, their logs whole, their statuses right.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }

@test "containers live on, print on and end without the daemon" {
	"$KIST" run -d --name talker $BUSYBOX sh -c 'i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit 21'
	"$KIST" run -d --name sleeper $BUSYBOX sleep 300
	"$KIST" run -d --name quick $BUSYBOX sh -c 'sleep 1; echo done; exit 33'
	pid=$("$KIST" inspect -f '{{.State.Pid}}' sleeper)
	kistd_kill9
	kill -0 "$pid"
	sleep 2
	kistd_up
	[ "$(state_of sleeper)" = running ]
	[ "$("$KIST" inspect -f '{{.State.Pid}}' sleeper)" = "$pid" ]
	[ "$("$KIST" inspect -f '{{.State.Status}} {{.State.ExitCode}}' quick)" = "exited 33" ]
	[ "$("$KIST" logs quick)" = done ]
	[ "$("$KIST" wait talker)" = 21 ]
	[ "$("$KIST" logs talker)" = "$(for i in $(seq 0 399); do echo line $i; done)" ]
	# They obey the new daemon.
	[ "$("$KIST" exec sleeper echo hi)" = hi ]
	"$KIST" stop -t 0 sleeper
	"$KIST" rm sleeper quick talker
	nothing_left
}

@test "an attached client goes on while the daemon is replaced" {
	"$KIST" run --name steady $BUSYBOX sh -c 'i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); sleep 0.01; done' >"$BATS_TEST_TMPDIR/out" 2>/dev/null 3>&- &
	client=$!
	eventually test -s "$BATS_TEST_TMPDIR/out"
	kistd_kill9
	kistd_up
	wait "$client" || true
	diff "$BATS_TEST_TMPDIR/out" <(seq 0 299)
	"$KIST" wait steady
	"$KIST" rm steady
	nothing_left
}

@test "--rm containers that ended while it was away are removed; created ones are kept" {
	"$KIST" run -d --rm --name brief $BUSYBOX sleep 1
	"$KIST" create --name waiting $BUSYBOX echo at last
	kistd_kill9
	sleep 1.5
	kistd_up
	no_brief() { [ -z "$("$KIST" ps -aq --filter name=brief)" ]; }
	eventually no_brief
	[ "$("$KIST" start -a waiting)" = "at last" ]
	"$KIST" rm waiting
	nothing_left
}

@test "a monitor that is killed: its container is ended and marked so" {
	id=$("$KIST" run -d --name orphan $BUSYBOX sleep 300)
	pid=$("$KIST" inspect -f '{{.State.Pid}}' orphan)
	monitor=$(awk '/^PPid/{print $2}' "/proc/$pid/status")
	[[ "$(cat "/proc/$monitor/comm")" == kist-monitor* ]]
	kill -9 "$monitor"
	eventually is_state orphan exited
	gone "$pid"
	[ "$("$KIST" inspect -f '{{.State.ExitCode}}' orphan)" = 137 ]
	"$KIST" rm orphan
	nothing_left
}

@test "the daemon dies while a monitor is dead too" {
	"$KIST" run -d --name both $BUSYBOX sleep 300
	pid=$("$KIST" inspect -f '{{.State.Pid}}' both)
	monitor=$(awk '/^PPid/{print $2}' "/proc/$pid/status")
	kistd_kill9
	kill -9 "$monitor"
	kistd_up
	[ "$(state_of both)" = exited ]
	gone "$pid"
	"$KIST" rm both
	nothing_left
}

@test "killed at random under load: what was acknowledged is there, nothing else is left" {
	for round in 1 2 3 4 5; do
		for i in 1 2 3 4; do
			(for j in 1 2 3 4 5 6; do "$KIST" run -d --name "load-$round-$i-$j" $BUSYBOX sh -c "echo $j; exit $j" 2>/dev/null || true; done) \
				>"$BATS_TEST_TMPDIR/acknowledged-$round-$i" 3>&- &
		done
		sleep 0.$((RANDOM % 50 + 10))
		kistd_kill9
		wait
		kistd_up
		for id in $(cat "$BATS_TEST_TMPDIR"/acknowledged-"$round"-*); do
			want=$("$KIST" inspect -f '{{.Name}}' "$id" | sed 's/.*-//')
			[ "$("$KIST" wait "$id")" = "$want" ]
			[ "$("$KIST" logs "$id")" = "$want" ]
		done
		ids=$("$KIST" ps -aq)
		[ -z "$ids" ] || "$KIST" rm -f $ids >/dev/null
		nothing_left
	done
}

@test "stopped orderly and started again: running containers are untouched" {
	"$KIST" run -d --name stay $BUSYBOX sleep 300
	pid=$("$KIST" inspect -f '{{.State.Pid}}' stay)
	kistd_stop
	kill -0 "$pid"
	kistd_up
	[ "$(state_of stay)" = running ]
	"$KIST" rm -f stay
	nothing_left
}

# Another copy of the programs takes the place of those that are installed, as a package's upgrade does.
upgrade() {
	kistd_stop
	rm -rf "$BATS_TEST_TMPDIR/new"
	mkdir "$BATS_TEST_TMPDIR/new"
	cp -rL "$BUILD/bin" "$BATS_TEST_TMPDIR/new/bin"
	BUILD=$BATS_TEST_TMPDIR/new kistd_up
}

@test "an upgrade while attach, logs -f and health checks run: the containers do not notice" {
	"$KIST" run -d --name well --health-cmd 'echo x >>/tmp/checks' --health-interval 200ms $BUSYBOX sleep 300
	"$KIST" run --name steady $BUSYBOX sh -c 'i=0; while [ ! -e /tmp/end ]; do echo $i; i=$((i+1)); sleep 0.02; done; echo last' >"$BATS_TEST_TMPDIR/attached" 2>/dev/null 3>&- &
	attached=$!
	eventually test -s "$BATS_TEST_TMPDIR/attached"
	"$KIST" logs -f steady >"$BATS_TEST_TMPDIR/followed" 2>"$BATS_TEST_TMPDIR/followed.err" 3>&- &
	follower=$!
	eventually test -s "$BATS_TEST_TMPDIR/followed"
	is_healthy() { [ "$("$KIST" inspect -f '{{.State.Health.Status}}' well)" = healthy ]; }
	eventually is_healthy
	pids=$("$KIST" inspect -f '{{.State.Pid}} {{.State.StartedAt}}' well steady)

	upgrade
	[ "$(readlink "/proc/$(kistd_pid)/exe")" = "$(realpath "$BATS_TEST_TMPDIR/new/bin/kistd")" ]
	[ "$("$KIST" inspect -f '{{.State.Pid}} {{.State.StartedAt}}' well steady)" = "$pids" ]

	# logs -f has ended, and says so in one line: what it printed is whole as far as it goes.
	code=0
	wait "$follower" || code=$?
	[ "$code" -ne 0 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/followed.err")" -eq 1 ]
	cmp "$BATS_TEST_TMPDIR/followed" <(seq 0 $(($(wc -l <"$BATS_TEST_TMPDIR/followed") - 1)))

	# Health checks go on.
	checks() { "$KIST" exec well cat /tmp/checks | wc -l; }
	before=$(checks)
	more_checks() { [ "$(checks)" -gt "$before" ]; }
	eventually more_checks
	eventually is_healthy

	# The attached client goes on to the end, and has every line.
	"$KIST" exec steady touch /tmp/end
	"$KIST" wait steady
	wait "$attached" || true
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/attached")" = last ]
	cmp <(sed '$d' "$BATS_TEST_TMPDIR/attached") <(seq 0 $(($(wc -l <"$BATS_TEST_TMPDIR/attached") - 2)))
	"$KIST" logs steady | cmp - "$BATS_TEST_TMPDIR/attached"
	"$KIST" rm -f well steady
	kistd_stop
	kistd_up
	nothing_left
}
