#!/usr/bin/env bats
# metrics-addr: what kistd tells Prometheus; shutdown-timeout: how long it waits for its requests when it is told to end.
load ../lib/kist

setup_file() {
	PORT=$(free_port)
	CONF=$(mktemp "${TMPDIR:-/tmp}/kist-test-metrics.XXXXXX")
	export PORT CONF
	printf '{"metrics-addr": "127.0.0.1:%s", "shutdown-timeout": 2}' "$PORT" >"$CONF"
	kist_start --config "$CONF"
}
teardown_file() { kist_end; rm -f "$CONF"; }
teardown() { left_nothing; }

page() { curl -sf "http://127.0.0.1:$PORT/metrics"; }
# The value of one line: its name, and labels in braces.
value() { page | awk -v name="$1" '{ line = $0; v = $NF; sub(/ [^ ]*$/, "", line); if (line == name) print v }'; }
has() { [ "$(value "$1")" = "$2" ]; }
more() { awk -v a="$(value "$1")" -v b="$2" 'BEGIN { exit !(a > b) }'; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }

@test "metrics: the text is what Prometheus reads, and figures are of what was done" {
	local actions=engine_daemon_container_actions_seconds id started checks
	started=$(value "${actions}_count{action=\"start\"}")
	id=$("$KIST" run -d --name box $BUSYBOX sleep 1000)
	"$KIST" create --name other --network none $BUSYBOX true
	has 'engine_daemon_container_states_containers{state="running"}' 1
	has 'engine_daemon_container_states_containers{state="stopped"}' 1
	has "${actions}_count{action=\"start\"}" $((started + 1))
	has "${actions}_bucket{action=\"start\",le=\"+Inf\"}" $((started + 1))
	more "${actions}_sum{action=\"start\"}" 0
	more 'engine_daemon_network_actions_seconds_count{action="allocate"}' 0
	"$KIST" pause box
	has 'engine_daemon_container_states_containers{state="paused"}' 1
	has 'engine_daemon_container_states_containers{state="running"}' 0
	"$KIST" unpause box
	"$KIST" exec box touch /made
	[ "$("$KIST" diff box)" = "A /made" ]
	"$KIST" network create "$KT_NAME-m"
	"$KIST" network connect "$KT_NAME-m" box
	has "${actions}_count{action=\"changes\"}" 1
	has 'engine_daemon_network_actions_seconds_count{action="connect"}' 1
	"$KIST" commit box metrics:made
	has "${actions}_count{action=\"commit\"}" 1
	"$KIST" rmi metrics:made
	"$KIST" rm -f box other
	has "${actions}_count{action=\"delete\"}" 2
	more 'engine_daemon_network_actions_seconds_count{action="release"}' 0
	has 'engine_daemon_container_states_containers{state="stopped"}' 0
	"$KIST" network rm "$KT_NAME-m"
	more engine_daemon_events_total 5
	has engine_daemon_engine_cpus_cpus "$(getconf _NPROCESSORS_ONLN)"
	[[ "$(page | grep '^engine_daemon_engine_info{')" == *"kernel=\"$(uname -r)\""*"os_type=\"linux\""* ]]
	more process_resident_memory_bytes 1000000
	more process_open_fds 5
	# A start that fails is none.
	started=$(value "${actions}_count{action=\"start\"}")
	run -127 "$KIST" run --rm $BUSYBOX /nosuch
	has "${actions}_count{action=\"start\"}" "$started"
}

@test "metrics: images pulled, pushed, looked at and removed" {
	local actions=engine_daemon_image_actions_seconds deleted
	registry_start
	deleted=$(value "${actions}_count{action=\"delete\"}")
	"$KIST" tag $BUSYBOX "$REGISTRY/metrics:1"
	"$KIST" push -q "$REGISTRY/metrics:1"
	has "${actions}_count{action=\"push\"}" 1
	more "${actions}_sum{action=\"push\"}" 0
	"$KIST" rmi "$REGISTRY/metrics:1"
	has "${actions}_count{action=\"delete\"}" $((deleted + 1))
	"$KIST" pull -q "$REGISTRY/metrics:1"
	has "${actions}_count{action=\"pull\"}" 1
	# Tried, and that is all.
	run -1 "$KIST" pull -q "$REGISTRY/nosuch:1"
	has "${actions}_count{action=\"pull\"}" 2
	"$KIST" history -q "$REGISTRY/metrics:1"
	run -1 "$KIST" history nosuch
	has "${actions}_count{action=\"history\"}" 1
	"$KIST" rmi "$REGISTRY/metrics:1"
	run -1 "$KIST" rmi "$REGISTRY/metrics:1"
	has "${actions}_count{action=\"delete\"}" $((deleted + 2))
}

@test "metrics: health checks and listeners are counted" {
	local failed
	failed=$(value engine_daemon_health_checks_failed_total)
	"$KIST" run -d --name good --network none --health-cmd true --health-interval 1s $BUSYBOX sleep 1000
	"$KIST" run -d --name bad --network none --health-cmd false --health-interval 1s $BUSYBOX sleep 1000
	eventually more engine_daemon_health_checks_failed_total "$failed"
	eventually more engine_daemon_health_checks_total "$(value engine_daemon_health_checks_failed_total)"
	"$KIST" rm -f good bad
	has engine_daemon_events_subscribers_total 0
	"$KIST" events >/dev/null 3>&- &
	eventually has engine_daemon_events_subscribers_total 1
	kill $!
	eventually has engine_daemon_events_subscribers_total 0
}

@test "metrics: every line is of the format, buckets only grow, each name is told once" {
	page >"$BATS_TEST_TMPDIR/page"
	[ "$(curl -sf -o /dev/null -w '%{content_type}' "http://127.0.0.1:$PORT/metrics")" = "text/plain; version=0.0.4; charset=utf-8" ]
	python3 - "$BATS_TEST_TMPDIR/page" <<-'PY'
		import re, sys
		line_of = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? (\S+)')
		types, buckets, seen = {}, {}, set()
		for line in open(sys.argv[1]).read().splitlines():
		    if line.startswith("# TYPE "):
		        _, _, name, kind = line.split(" ")
		        assert name not in types, line
		        types[name] = kind
		    elif not line.startswith("# HELP "):
		        m = line_of.fullmatch(line)
		        assert m, line
		        name, labels, value = m.groups()
		        assert (name, labels) not in seen, line
		        seen.add((name, labels))
		        base = re.sub("_(bucket|sum|count)$", "", name)
		        assert name in types or types.get(base) == "histogram", line
		        if name.endswith("_bucket"):
		            action = re.search('action="([a-z]+)"', labels).group(1)
		            assert float(value) >= buckets.get((base, action), 0), line
		            buckets[base, action] = float(value)
		assert len(buckets) == 12, buckets
	PY
}

@test "metrics: read only, nothing but /metrics, and no API there" {
	local url=http://127.0.0.1:$PORT
	[ "$(status "$url/metrics")" = 200 ]
	[ "$(status -I "$url/metrics")" = 200 ]
	for method in POST PUT DELETE PATCH; do
		[ "$(status -X $method "$url/metrics")" = 405 ]
	done
	for path in / /info /containers/json /v1.44/containers/json /metrics/ /metrics/x /_ping; do
		[ "$(status "$url$path")" = 404 ]
	done
	# The API's own sockets do not have it.
	[ "$(status --unix-socket "$KT_DIR/kist.sock" http://kist/metrics)" = 404 ]
}

@test "metrics-addr: what is no address, and one that is taken, are said in a line" {
	echo '{}' >"$BATS_TEST_TMPDIR/empty"
	for wrong in 9323 127.0.0.1 127.0.0.1:0 127.0.0.1:70000 host:port '[::1]' ''; do
		run -2 "$BUILD/bin/kistd" --validate --config "$BATS_TEST_TMPDIR/empty" --metrics-addr "$wrong"
		[[ "${#lines[@]}" -eq 1 && $output == *"--metrics-addr"*"is not ADDRESS:PORT"* ]]
	done
	for right in :9323 127.0.0.1:9323 '[::1]:9323' localhost:9323; do
		"$BUILD/bin/kistd" --validate --config "$BATS_TEST_TMPDIR/empty" --metrics-addr "$right"
	done
	run -1 "$BUILD/bin/kistd" --root "$BATS_TEST_TMPDIR/root" --run-root "$BATS_TEST_TMPDIR/run" --host "unix://$BATS_TEST_TMPDIR/sock" --bridge "${KT_NAME}x" --metrics-addr "127.0.0.1:$PORT"
	[[ $output == *"--metrics-addr: cannot listen at 127.0.0.1:$PORT"* ]]
}

# --- shutdown-timeout ---

# A container that takes its time to stop, and a client that waits for that.
begin_slow_stop() { # SECONDS that it gets
	"$KIST" run -d --name slow --network none $BUSYBOX sh -c 'trap "echo asked" TERM; while :; do sleep 0.1; done'
	"$KIST" stop -t "$1" slow >"$BATS_TEST_TMPDIR/stop" 2>&1 3>&- &
	CLIENT=$!
	eventually says_asked
}
says_asked() { "$KIST" logs slow | grep -q asked; }

@test "shutdown-timeout: a request that takes longer is left, and the container lives on" {
	begin_slow_stop 120
	local began=$SECONDS
	kistd_stop
	[ $((SECONDS - began)) -lt 60 ]
	grep -q 'requests are still running, leaving them' "$KT_DIR/kistd.log"
	run ! wait $CLIENT
	kistd_up --config "$CONF"
	is_state slow running
	"$KIST" rm -f slow
}

@test "shutdown-timeout: within it the request is answered, and then the daemon ends; SIGHUP changes it" {
	printf '{"metrics-addr": "127.0.0.1:%s", "shutdown-timeout": -1}' "$PORT" >"$CONF"
	kill -HUP "$(kistd_pid)"
	eventually grep -q 'configuration reread' "$KT_DIR/kistd.log"
	begin_slow_stop 5
	: >"$KT_DIR/kistd.log"
	kill -TERM "$(kistd_pid)"
	wait $CLIENT
	[ "$(cat "$BATS_TEST_TMPDIR/stop")" = slow ]
	gone "$(kistd_pid)"
	run ! grep 'leaving them' "$KT_DIR/kistd.log"
	kistd_up --config "$CONF"
	is_state slow exited
	"$KIST" rm slow
}

@test "shutdown-timeout: 0 does not wait; what is no number of seconds is refused" {
	printf '{"metrics-addr": "127.0.0.1:%s", "shutdown-timeout": 0}' "$PORT" >"$CONF"
	kistd_stop
	kistd_up --config "$CONF"
	begin_slow_stop 120
	local began=$SECONDS
	kistd_stop
	[ $((SECONDS - began)) -lt 60 ]
	wait $CLIENT || true
	kistd_up --config "$CONF"
	is_state slow running
	"$KIST" rm -f slow
	for wrong in -2 '"x"' 1.5 true 99999999999; do
		echo "{\"shutdown-timeout\": $wrong}" >"$BATS_TEST_TMPDIR/wrong"
		run -2 "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/wrong" --validate
		[[ $output == *shutdown-timeout* ]]
	done
}
