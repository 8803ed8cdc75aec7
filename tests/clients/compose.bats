# Debian's docker-compose, as its users call it: one project that is brought up, looked at, changed and taken down.
load ../lib/kist

setup_file() {
	kist_start
	export COMPOSE_PROJECT_NAME=kt$$ COMPOSE_ANSI=never PORT
	PORT=$(free_port)
	cp -r tests/clients/compose "$KT_DIR/project"
}
teardown_file() {
	compose -f jobs.yml down -v -t 0 >/dev/null 2>&1
	compose down -v -t 0 >/dev/null 2>&1
	kist_end
}
setup() { [ -x /usr/bin/docker-compose ] || skip "docker-compose is not installed"; }

compose() { (cd "$KT_DIR/project" && timeout 120 /usr/bin/docker-compose "$@" </dev/null); }
# Each test has the whole project before it, whatever was done before.
all_up() {
	[ "$("$KIST" ps -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" | wc -l)" -eq 3 ] || compose up -d >/dev/null 2>&1
}
id_of() { compose ps -q "$1" | head -n 1; }
field() { "$KIST" inspect -f "$2" "$(id_of "$1")"; }
# What the others call a service: by its name where kist-dns answers, else by its address.
name_of() { # SERVICE NETWORK
	[ ! -x "$BUILD/bin/kist-dns" ] || { echo "$1"; return; }
	field "$1" "{{(index .NetworkSettings.Networks \"${COMPOSE_PROJECT_NAME}_$2\").IPAddress}}"
}

@test "config: what the file means, and what is wrong in it" {
	compose config --services | sort | tr '\n' ' ' | grep -qx "app db web "
	[[ "$(compose config)" == *"WORD: hello"* ]]
	printf 'version: "2.4"\nservices: {x: {imagine: y}}\n' >"$KT_DIR/project/wrong.yml"
	run -1 compose -f wrong.yml config
	[[ "$output" == *"imagine"* ]]
}

@test "up -d: in the order of health; networks, volume, environment, limits, port" {
	run -0 compose up -d
	[ "$(compose ps --services --filter status=running | sort | tr '\n' ' ')" = "app db web " ]
	[[ "$(compose ps)" == *"Up (healthy)"* ]]
	[[ "$(compose ps)" == *"127.0.0.1:$PORT->8080/tcp"* ]]
	# The application began when the database was ready, a second after its start.
	ready=$("$KIST" exec "$(id_of db)" cut -d. -f1 /tmp/ready)
	begun=$("$KIST" exec "$(id_of app)" cut -d. -f1 /tmp/begun)
	[ "$begun" -ge "$ready" ]
	[ "$(compose exec -T app sh -c 'echo $WORD $EDITION $(hostname) $(id -u):$(id -g) $PWD')" = "hello first the-app 7:8 /tmp" ]
	[ "$(field app '{{.HostConfig.Memory}}')" = $((64 << 20)) ]
	[ "$(field db '{{.HostConfig.RestartPolicy.Name}}')" = unless-stopped ]
	[ "$(curl -sf "http://127.0.0.1:$PORT/page")" = front ]
	[ "$(compose port web 8080)" = "127.0.0.1:$PORT" ]
	[ "$(compose exec -T web cat /settings)" = WORD=hello ]
	run -1 compose exec -T web touch /settings
	[ "$("$KIST" volume ls -q --filter label=tier=back)" = "${COMPOSE_PROJECT_NAME}_data" ]
	# Once more changes nothing.
	before=$(compose ps -q | sort)
	run -0 compose up -d
	[ "$(compose ps -q | sort)" = "$before" ]
}

@test "networks of the project: who reaches whom, and who does not" {
	all_up
	[ "$(compose exec -T app wget -q -O - "http://$(name_of db back):5432/log")" = started ]
	[ "$(compose exec -T app wget -q -O - "http://$(name_of web default):8080/page")" = front ]
	address=$(field db "{{(index .NetworkSettings.Networks \"${COMPOSE_PROJECT_NAME}_back\").IPAddress}}")
	run ! compose exec -T web wget -q -T 2 -O - "http://$address:5432/log"
	[ "$(field app "{{range (index .NetworkSettings.Networks \"${COMPOSE_PROJECT_NAME}_back\").Aliases}}{{.}} {{end}}" | grep -c -w worker)" -eq 1 ]
	[ "$("$KIST" network inspect -f '{{.Internal}}' "${COMPOSE_PROJECT_NAME}_back")" = true ]
}

@test "logs, exec with a terminal, top, images, events" {
	all_up
	[[ "$(compose logs)" == *"app says hello"* ]]
	[[ "$(compose logs --no-color --tail 1 -t app)" == *"| 2"*"Z app says hello"* ]]
	run -7 compose exec -T app sh -c 'exit 7'
	[[ "$(cd "$KT_DIR/project" && timeout 60 script -qec "/usr/bin/docker-compose exec app tty" /dev/null </dev/null)" == */dev/pts/* ]]
	[[ "$(compose top db)" == *"httpd -f -p 5432"* ]]
	[[ "$(compose images)" == *kist.local/busybox* ]]
	timeout 60 sh -c "cd '$KT_DIR/project' && exec /usr/bin/docker-compose events --json" >"$KT_DIR/events" 3>&- &
	watcher=$!
	sleep 2
	compose kill web
	eventually grep -q '"action": "die"' "$KT_DIR/events"
	kill $watcher
	run -0 compose up -d
}

@test "up --scale app=2, and back" {
	all_up
	run -0 compose up -d --scale app=2
	[ "$(compose ps -q app | wc -l)" -eq 2 ]
	for id in $(compose ps -q app); do
		[ "$("$KIST" exec "$id" wget -q -O - "http://$(name_of db back):5432/log")" = started ]
	done
	run -0 compose up -d --scale app=1
	[ "$(compose ps -q app | wc -l)" -eq 1 ]
}

@test "restart, stop and start, pause, kill and rm" {
	all_up
	started=$(field web '{{.State.StartedAt}}')
	run -0 compose restart web
	[ "$(field web '{{.State.StartedAt}}')" != "$started" ]
	[ "$(curl -sf "http://127.0.0.1:$PORT/page")" = front ]
	run -0 compose stop
	[ -z "$(compose ps --services --filter status=running)" ]
	run ! curl -sf "http://127.0.0.1:$PORT/page"
	run -0 compose start
	[ "$(compose ps --services --filter status=running | wc -l)" -eq 3 ]
	run -0 compose pause web
	[ "$(field web '{{.State.Status}}')" = paused ]
	run -0 compose unpause web
	compose kill web && compose rm -f web
	[ -z "$(compose ps -q web)" ]
	run -0 compose up -d
	[ "$(curl -sf "http://127.0.0.1:$PORT/page")" = front ]
}

@test "run --rm: its output, its exit status, on the networks of its service; nothing stays" {
	all_up
	before=$("$KIST" ps -aq | wc -l)
	[ "$(compose run --rm -T app sh -c 'echo $WORD $(id -u)' 2>/dev/null)" = "hello 7" ]
	run -5 compose run --rm -T app sh -c 'exit 5'
	[ "$(compose run --rm -T --no-deps app wget -q -O - "http://$(name_of db back):5432/log" 2>/dev/null | head -n 1)" = started ]
	[ "$("$KIST" ps -aq | wc -l)" -eq "$before" ]
}

@test "what is changed is made anew, and keeps its volumes" {
	all_up
	app=$(id_of app) web=$(id_of web) db=$(id_of db)
	EDITION=second run -0 compose up -d
	[ "$(id_of app)" != "$app" ] && [ "$(id_of web)" = "$web" ] && [ "$(id_of db)" = "$db" ]
	[ "$(compose exec -T app sh -c 'echo $EDITION')" = second ]
	scratch=$(compose exec -T db ls /scratch | wc -l)
	run -0 compose up -d --force-recreate --no-deps db
	[ "$(id_of db)" != "$db" ]
	# The anonymous volume goes from the old container to the new one.
	eventually sh -c "[ \$($KIST exec $(id_of db) ls /scratch | wc -l) -gt $scratch ]"
}

@test "down keeps the volume, down -v leaves nothing" {
	all_up
	starts=$(compose exec -T db wc -l /data/log | cut -d' ' -f1)
	run -0 compose down
	[ -z "$("$KIST" ps -aq)" ]
	[ -z "$("$KIST" network ls -q --filter type=custom)" ]
	run -0 compose up -d db
	[ "$(compose exec -T db wc -l /data/log | cut -d' ' -f1)" -eq $((starts + 1)) ]
	run -0 compose down -v
	"$KIST" volume prune -f >/dev/null # of `down` and `run --rm`: anonymous ones that nobody named
	[ -z "$("$KIST" volume ls -q)" ]
	[ -z "$("$KIST" network ls -q --filter type=custom)" ]
	nothing_left
}

@test "up in the foreground: --exit-code-from; restart policies; an image that is not there" {
	run -7 compose -f jobs.yml up --abort-on-container-exit --exit-code-from job job helper
	[[ "$output" == *working* ]]
	run -0 compose -f jobs.yml up -d flaky
	flaky=$(compose -f jobs.yml ps -q flaky)
	eventually sh -c "[ \"\$($KIST inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' $flaky)\" = '2 exited 3' ]"
	run -1 compose -f jobs.yml up -d nowhere
	[[ "$output" == *no-such-image* ]]
	run -0 compose -f jobs.yml down -v
	nothing_left
}

@test "docker compose, the plugin" {
	docker=$(newer_docker) && "$docker" compose version >/dev/null 2>&1 || skip "no docker with the compose plugin on this machine"
	plugin() { (cd "$KT_DIR/project" && timeout 120 "$docker" compose "$@" </dev/null); }
	run -0 plugin up -d --wait
	[ "$(plugin ps --services --filter status=running | wc -l)" -eq 3 ]
	[ "$(plugin exec -T app sh -c 'echo $WORD')" = hello ]
	[ "$(curl -sf "http://127.0.0.1:$PORT/page")" = front ]
	run -0 plugin up -d --scale app=2
	run -0 plugin down -v
	nothing_left
}
