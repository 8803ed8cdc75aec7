# The three-tier application of the textbooks, by Debian's docker-compose: nginx, Node.js and PostgreSQL on three networks, from images of Debian's packages.
load ../lib/kist

setup_file() {
	export IMAGES=$BUILD/fixtures/three-tier MISSING
	kist_start
	[ -x /usr/bin/docker-compose ] || { MISSING="docker-compose is not installed"; return 0; }
	status=0
	said=$(tests/lib/three-tier-images "$IMAGES" 2>&1) || status=$?
	[ $status -ne 77 ] || { MISSING=$said; return 0; }
	[ $status -eq 0 ] || { echo "$said" >&2; return 1; }
	registry_start
	for tier in db app web; do
		registry_push "$IMAGES/$tier" "three-tier/$tier:latest"
	done
	export COMPOSE_PROJECT_NAME=$KT_NAME COMPOSE_ANSI=never COMPOSE_HTTP_TIMEOUT=300 PORT
	PORT=$(free_port)
	cp -r tests/clients/three-tier "$KT_DIR/project"
}
teardown_file() {
	[ -n "$MISSING" ] || compose down -v -t 5 >/dev/null 2>&1
	kist_end
}
setup() { [ -z "$MISSING" ] || skip "$MISSING"; }

compose() { (cd "$KT_DIR/project" && timeout 200 /usr/bin/docker-compose "$@" </dev/null); }
# The containers of a service that run; asked of kist, as docker-compose takes a second for each answer.
ids_of() { "$KIST" ps -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter "label=com.docker.compose.service=$1"; }
id_of() { ids_of "$1" | head -n 1; }
is_up() { [ "$(ids_of app | wc -l)" -eq "${1:-1}" ] && [ "$(ids_of db | wc -l)" -eq 1 ] && [ "$(ids_of web | wc -l)" -eq 1 ]; }
# Each test has the whole application before it, whatever was done before.
all_up() {
	is_up || compose up -d --scale app=1
	serves
}

address_on() { "$KIST" inspect -f "{{(index .NetworkSettings.Networks \"${COMPOSE_PROJECT_NAME}_$2\").IPAddress}}" "$1"; }
page() { curl -sf --max-time 60 "http://127.0.0.1:$PORT/$1" "${@:2}"; }
# PostgreSQL may have to look at its files first, on a busy machine.
serves() { eventually page "${1:-notes}" || eventually page "${1:-notes}" || eventually page "${1:-notes}"; }
notes() { page notes | jq -r 'map(.text) | join(" ")'; }
# The addresses that a service's container gets for a name, sorted.
resolve() { "$KIST" exec "$(id_of "$1")" getent ahostsv4 "$2" | awk '{ print $1 }' | sort -u; }
# Does a connection from a service's container come about? (0: yes)
connects() { "$KIST" exec "$(id_of "$1")" timeout "${4:-20}" bash -c "</dev/tcp/$2/$3"; }

@test "up -d: pulled, begun in the order of health, answered through nginx" {
	run -0 compose up -d
	is_up
	# nginx by itself, the application behind it, the database behind that.
	serves front
	[ "$(page front)" = nginx ]
	[ "$(page whoami | jq -r .host)" = "$(id_of app)" ]
	[ "$(page notes)" = "[]" ]
	[ "$(page notes -d first | jq .id)" = 1 ]
	[ "$(notes)" = first ]
	[ "$("$KIST" exec "$(id_of db)" psql -h /tmp -tAc "SELECT host FROM notes")" = "$(id_of app)" ]
	# The volume was the image's directory, with its owner.
	[ "$(compose exec -T db stat -c '%U %a' /var/lib/postgresql/data)" = "postgres 700" ]
	# Who serves is nobody of importance, inside and outside.
	[ "$("$KIST" exec "$(id_of app)" id -un)" = nobody ]
	"$KIST" exec "$(id_of web)" sh -c 'for s in /proc/[0-9]*/status; do grep -q "^Uid:.33" "$s" && exit 0; done; exit 1'
}

@test "three networks: nginx reaches the application only, and the database nobody outside" {
	all_up
	db=$(address_on "$(id_of db)" data)
	connects app "$db" 5432
	connects web app 3000
	# The database's network: not by its name, not by its address, not by the network's gateway.
	[ -z "$(resolve web db)" ]
	run ! connects web "$db" 5432 5
	run ! connects db "$(address_on "$(id_of app)" app)" 3000 5
	run ! connects db "$(address_on "$(id_of web)" front)" 80 5
	[ "$("$KIST" inspect -f '{{len .NetworkSettings.Networks}}' "$(id_of db)")" = 1 ]
	# The application is on two networks, and of each name it gets what is on one of its own.
	[ "$(resolve app db)" = "$db" ]
	[ "$(resolve app web)" = "$(address_on "$(id_of web)" app)" ]
	# Only nginx is published.
	[ "$(compose port web 80)" = "127.0.0.1:$PORT" ]
	[ -z "$("$KIST" port "$(id_of db)")" ]
}

@test "up --scale app=3: one name with three addresses, and nginx takes turns" {
	all_up
	run -0 compose up -d --scale app=3
	is_up 3
	for id in $(ids_of app); do
		address_on "$id" app
	done | sort >"$BATS_TEST_TMPDIR/addresses"
	[ "$(sort -u "$BATS_TEST_TMPDIR/addresses" | wc -l)" -eq 3 ]
	resolve web app | cmp - "$BATS_TEST_TMPDIR/addresses"
	# The database sees them by their addresses on its own network.
	for id in $(ids_of app); do
		address_on "$id" data
	done | sort >"$BATS_TEST_TMPDIR/addresses"
	resolve db app | cmp - "$BATS_TEST_TMPDIR/addresses"
	ids_of app | sort >"$BATS_TEST_TMPDIR/all"
	all_answer() {
		page whoami | jq -r .host >>"$BATS_TEST_TMPDIR/answered" && sort -u "$BATS_TEST_TMPDIR/answered" | cmp - "$BATS_TEST_TMPDIR/all"
	}
	eventually all_answer
	# All of them work on the one database.
	before=$(notes | wc -w)
	for i in 1 2 3 4 5 6; do
		page notes -d "scaled$i" >/dev/null
	done
	[ "$(notes | wc -w)" -eq $((before + 6)) ]
}

@test "one of three replicas is killed: every request is answered, by the others" {
	all_up
	run -0 compose up -d --scale app=3
	is_up 3
	# nginx has talked to all of them a moment ago.
	ids_of app | sort >"$BATS_TEST_TMPDIR/all"
	all_answer() {
		page whoami | jq -r .host >>"$BATS_TEST_TMPDIR/answered" && sort -u "$BATS_TEST_TMPDIR/answered" | cmp - "$BATS_TEST_TMPDIR/all"
	}
	eventually all_answer
	killed=$(id_of app)
	"$KIST" kill "$killed"
	grep -vx "$killed" "$BATS_TEST_TMPDIR/all" >"$BATS_TEST_TMPDIR/left"
	for i in $(seq 12); do
		curl -sf --max-time 20 "http://127.0.0.1:$PORT/whoami" | jq -r .host | grep -qxf "$BATS_TEST_TMPDIR/left"
	done
	[ "$(ids_of app | wc -l)" -eq 2 ]
}

@test "data survives down and up, and the database ended in peace" {
	all_up
	page notes -d kept >/dev/null
	kept=$(notes)
	run -0 compose down
	[ -z "$("$KIST" ps -aq)" ]
	[ -z "$("$KIST" network ls -q --filter type=custom)" ]
	run ! page front
	[ "$("$KIST" volume ls -q)" = "${COMPOSE_PROJECT_NAME}_data" ]
	run -0 compose up -d
	serves
	[ "$(notes)" = "$kept" ]
	[[ "$(compose logs --no-color db)" == *"database system was shut down"* ]]
	run ! grep -q "not properly shut down" <(compose logs --no-color db)
}

@test "data survives a killed database, which comes back under its name" {
	all_up
	page notes -d before >/dev/null
	kept=$(notes)
	compose kill db
	run -22 page notes
	run -0 compose start db
	serves
	[ "$(notes)" = "$kept" ]
}

@test "down -v leaves nothing" {
	all_up
	for network in front app data; do
		"$KIST" network inspect -f '{{.Id}}' "${COMPOSE_PROJECT_NAME}_$network" | cut -c 1-12
	done >"$BATS_TEST_TMPDIR/bridges"
	published() { nft list table inet "kist-$KT_NAME" | grep -qw "$PORT"; }
	published
	while read -r id; do ip link show "br-$id" >/dev/null; done <"$BATS_TEST_TMPDIR/bridges"
	run -0 compose down -v
	nothing_left
	[ -z "$("$KIST" network ls -q --filter type=custom)" ]
	[ -z "$("$KIST" volume ls -q)" ]
	[ -z "$(find "$KT_DIR/root/volumes" -mindepth 1 -name "*${COMPOSE_PROJECT_NAME}*")" ]
	while read -r id; do run ! ip link show "br-$id"; done <"$BATS_TEST_TMPDIR/bridges"
	run ! page front
	run ! published
}
