# Health checks.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

health() { "$KIST" inspect -f '{{.State.Health.Status}}' "$1"; }
is_health() { [ "$(health "$1")" = "$2" ]; }

@test "starting, healthy, unhealthy, healthy: in inspect, ps, its filter and events" {
	docker events --filter event=health_status >"$BATS_TEST_TMPDIR/events" 3>&- &
	watcher=$!
	docker run -d --name he --health-cmd 'cat /tmp/well; test -e /tmp/well' --health-interval 150ms --health-retries 2 --health-timeout 5s $BUSYBOX sleep 100
	[ "$(health he)" = starting ]
	[[ "$("$KIST" ps --format '{{.Status}}')" == *"(health: starting)" ]]
	docker exec he sh -c 'echo fine >/tmp/well'
	eventually is_health he healthy
	[[ "$("$KIST" ps --format '{{.Status}}')" == *"(healthy)" ]]
	[ "$(docker ps -q --filter health=healthy | wc -l)" -eq 1 ]
	[ "$(docker ps -q --filter health=unhealthy | wc -l)" -eq 0 ]
	[[ "$(docker inspect -f '{{json .State.Health}}' he | jq -r '.Log[-1] | "\(.ExitCode) \(.Output)"')" == "0 fine"* ]]
	docker exec he rm /tmp/well
	eventually is_health he unhealthy
	[ "$(docker inspect -f '{{.State.Health.FailingStreak}}' he)" -ge 2 ]
	docker exec he touch /tmp/well
	eventually is_health he healthy
	eventually test "$(grep -c health_status "$BATS_TEST_TMPDIR/events")" -ge 3
	kill "$watcher"
	grep -q 'health_status: unhealthy' "$BATS_TEST_TMPDIR/events"
	# Five results are kept, and no check is remembered as an exec.
	sleep 1
	[ "$(docker inspect he | jq '.[0].State.Health.Log | length')" -eq 5 ]
	[ "$(docker inspect he | jq '.[0].ExecIDs // [] | length')" -le 1 ]
	docker stop -t 0 he
	[ "$(health he)" = unhealthy ]
	"$KIST" rm he
}

@test "a check that takes too long is killed; in the start period failures do not count" {
	docker run -d --name slow --health-cmd 'echo begun; sleep 77' --health-interval 100ms --health-timeout 300ms --health-retries 1 $BUSYBOX sleep 100
	eventually is_health slow unhealthy
	[[ "$(docker inspect slow | jq -r '.[0].State.Health.Log[-1].Output')" == "Health check exceeded timeout (0.3s)" ]]
	[ "$(docker inspect slow | jq -r '.[0].State.Health.Log[-1].ExitCode')" = -1 ]
	eventually sh -c "[ \$($KIST exec slow ps | grep -c 'sleep 77') -le 2 ]"
	docker run -d --name start --health-cmd false --health-interval 100ms --health-retries 1 --health-start-period 1h $BUSYBOX sleep 100
	curl -s --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -o /dev/null "http://kist/containers/create?name=quick" \
		-d "{\"Image\":\"$BUSYBOX\",\"Cmd\":[\"sleep\",\"100\"],\"Healthcheck\":{\"Test\":[\"CMD\",\"false\"],\"Interval\":3600000000000,\"Retries\":1,\"StartPeriod\":3600000000000,\"StartInterval\":100000000}}"
	"$KIST" start quick
	sleep 1
	[ "$(docker inspect quick | jq -r '.[0].State.Health.Log | length')" -ge 2 ]
	[ "$(health start) $(health quick)" = "starting starting" ]
	[ "$(docker inspect quick | jq -r '.[0].State.Health.FailingStreak')" = 0 ]
	"$KIST" rm -f slow start quick
}

@test "after a restart of the daemon it is checked again; --no-healthcheck; a command that is not there" {
	docker run -d --name again --health-cmd true --health-interval 100ms $BUSYBOX sleep 100
	eventually is_health again healthy
	kistd_kill9
	kistd_up
	eventually is_health again healthy
	docker run -d --name none --no-healthcheck $BUSYBOX sleep 100
	[ "$(docker inspect none | jq -r '.[0].State.Health')" = null ]
	curl -s --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -o /dev/null "http://kist/containers/create?name=nocmd" \
		-d "{\"Image\":\"$BUSYBOX\",\"Cmd\":[\"sleep\",\"100\"],\"Healthcheck\":{\"Test\":[\"CMD\",\"/nosuch\"],\"Interval\":100000000,\"Retries\":1}}"
	"$KIST" start nocmd
	eventually is_health nocmd unhealthy
	[[ "$(docker inspect nocmd | jq -r '.[0].State.Health.Log[0].Output')" == *"/nosuch"* ]]
	"$KIST" rm -f again none nocmd
}
