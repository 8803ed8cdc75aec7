# Names of containers: who is found from where, by kist-dns on the gateways of networks.
load ../lib/kist

setup_file() {
	kist_start
	export TAG=$$
	# A server outside: of the loopback's many addresses one that is this test's own.
	export SERVER=127.$((64 + TAG / 65536 % 64)).$((TAG / 256 % 256)).$((TAG % 256))
	"$BATS_TEST_DIRNAME/../lib/name-server" "$SERVER" >"$KT_DIR/name-server.log" 2>&1 3>&- &
	echo $! >"$KT_DIR/name-server.pid"
	eventually grep -q ready "$KT_DIR/name-server.log"
}
teardown_file() {
	kill "$(cat "$KT_DIR/name-server.pid")" 2>/dev/null || true
	kist_end
}
teardown() {
	left_nothing
	"$KIST" network prune --force >/dev/null
}

address_on() { "$KIST" inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }
gateway_of() { "$KIST" network inspect "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][0]["Gateway"])'; }
# kist-dns of this daemon: who listens on a network's gateway.
dns_pid() { ss -Hlunp src "$(gateway_of "$1"):53" | grep -o 'pid=[0-9]*' | cut -d= -f2; }
# Ask from within a container's network, with this host's tools.
ask() { # CONTAINER NETWORK NAME [TYPE]
	local pid gateway=${GATEWAY:-}
	[ -n "$gateway" ] || gateway=$(gateway_of "$2")
	pid=$("$KIST" inspect -f '{{.State.Pid}}' "$1")
	# shellcheck disable=SC2086  # HOW is a word or none
	nsenter -t "$pid" -n "$BATS_TEST_DIRNAME/../lib/name-query" ${HOW:-} "$gateway" "${@:3}"
}
# The addresses that a container gets for a name, sorted.
resolve() { # CONTAINER NAME
	"$KIST" exec "$1" nslookup "$2" 2>/dev/null | awk '/^Name:/ { found = 1 } found && /^Address/ { print $NF }' | sort | tr '\n' ' '
}

@test "names: containers find each other by name, alias, short id and hostname" {
	"$KIST" network create front
	id=$("$KIST" run -d --name Web --hostname shop --network name=front,alias=api $BUSYBOX sleep 600)
	"$KIST" run -d --name user --network front $BUSYBOX sleep 600
	web=$(address_on Web front)
	for name in Web web WEB api shop "${id:0:12}" web.front; do
		[ "$(resolve user "$name")" = "$web " ] || { echo "$name: $(resolve user "$name")"; false; }
	done
	"$KIST" exec user ping -c 1 -W 5 api
	gateway=$("$KIST" inspect -f '{{.NetworkSettings.Networks.front.Gateway}}' user)
	"$KIST" exec user grep -qx "nameserver $gateway" /etc/resolv.conf
	"$KIST" exec user grep -q "^options.* ndots:0" /etc/resolv.conf
	# It has no other kind of address: said at once.
	[ "$(ask user front api AAAA)" = NOERROR ]
	[ "$(ask user front api MX)" = NOERROR ]
	# The other way round.
	"$KIST" exec user nslookup "$web" | grep -q "web.front"
	"$KIST" rename Web desk
	[ "$(resolve user desk)" = "$web " ]
	[ "$(resolve user Web)" = "" ]
	"$KIST" rm -f desk
	[ "$(resolve user desk)" = "" ]
	"$KIST" rm -f user
}

@test "names: an alias of two is both, in turns; nobody sees it from another network" {
	"$KIST" network create front
	"$KIST" network create back
	"$KIST" run -d --name s1 --network name=front,alias=service $BUSYBOX sleep 600
	"$KIST" run -d --name s2 --network name=front,alias=service $BUSYBOX sleep 600
	"$KIST" run -d --name u1 --network front $BUSYBOX sleep 600
	"$KIST" run -d --name u2 --network back --dns "$SERVER" $BUSYBOX sleep 600
	both=$(printf '%s\n' "$(address_on s1 front)" "$(address_on s2 front)" | sort | tr '\n' ' ')
	[ "$(resolve u1 service)" = "$both" ]
	# Each is the first now and then.
	firsts=$(for _ in 1 2 3 4; do ask u1 front service | cut -d' ' -f2; done | sort -u | wc -l)
	[ "$firsts" = 2 ]
	[ "$(ask u2 back service)" = NXDOMAIN ]
	[ "$(resolve u2 s1)" = "" ]
	# Not by asking the other network's gateway, either.
	GATEWAY=$(gateway_of front) run ! timeout 3 bash -c "$(declare -f ask gateway_of); ask u2 front service"
	# Nor from the host, which is on neither.
	run ! timeout 3 "$BATS_TEST_DIRNAME/../lib/name-query" "$(gateway_of front)" service
	# On both networks it sees, and is seen, on both; what it asks for goes by either gateway.
	"$KIST" network connect --alias late back s1
	[ "$(ask u2 back s1)" = "NOERROR $(address_on s1 back)" ]
	[ "$(ask u2 back late)" = "NOERROR $(address_on s1 back)" ]
	[ "$(ask u1 front late)" != "NOERROR $(address_on s1 back)" ]
	[ "$(ask s1 back s2)" = "NOERROR $(address_on s2 front)" ]
	"$KIST" exec s1 cat /etc/resolv.conf | grep -q "nameserver $(gateway_of back)"
	"$KIST" network disconnect back s1
	[ "$(ask u2 back late)" = NXDOMAIN ]
	run ! "$KIST" exec s1 grep -q "nameserver $(gateway_of back)" /etc/resolv.conf
	"$KIST" rm -f s1 s2 u1 u2
}

@test "names: what nobody here has is asked of the server outside" {
	"$KIST" network create front
	"$KIST" run -d --name nu --network front --dns "$SERVER" $BUSYBOX sleep 600
	[ "$(resolve nu www.test)" = "192.0.2.1 " ]
	[ "$(ask nu front other.example)" = NXDOMAIN ]
	# Too long for a datagram: the mark goes back, and then by TCP.
	[ "$(HOW=udp ask nu front long.test)" = "NOERROR cut" ]
	[ "$(ask nu front long.test | wc -w)" = 101 ]
	grep -q "tcp long.test" "$KT_DIR/name-server.log"
	# Our own names by TCP.
	[ "$(HOW=tcp ask nu front nu)" = "NOERROR $(address_on nu front)" ]
	"$KIST" rm -f nu
}

@test "names: go on while kistd is dead, and the next one knows them" {
	"$KIST" network create front
	"$KIST" run -d --name na --network name=front,alias=first $BUSYBOX sleep 600
	"$KIST" run -d --name nb --network front $BUSYBOX sleep 600
	a=$(address_on na front)
	gateway=$(gateway_of front)
	before=$(dns_pid front)
	pid=$("$KIST" inspect -f '{{.State.Pid}}' nb)
	kistd_kill9
	[ "$(nsenter -t "$pid" -n "$BATS_TEST_DIRNAME/../lib/name-query" "$gateway" first)" = "NOERROR $a" ]
	kistd_up
	[ "$(dns_pid front)" = "$before" ]
	[ "$(ask nb front first)" = "NOERROR $a" ]
	"$KIST" run -d --name nc --network front $BUSYBOX sleep 600
	[ "$(ask nb front nc)" = "NOERROR $(address_on nc front)" ]
	# What ended meanwhile is forgotten.
	c=$("$KIST" inspect -f '{{.State.Pid}}' nc)
	kistd_kill9
	kill -9 "$c"
	kistd_up
	eventually [ "$(ask nb front nc)" != "NOERROR" ]
	# Dead itself: there again, with all names.
	kill -9 "$before"
	gone "$before"
	again() { [ "$(ask nb front first)" = "NOERROR $a" ]; }
	eventually again
	now=$(dns_pid front)
	[ -n "$now" ]
	[ "$now" != "$before" ]
	"$KIST" rm -f na nb nc
	# Nobody is left to serve: it ends with the daemon.
	kistd_stop
	gone "$now"
	kistd_up
}

@test "names: kist-dns has no rights" {
	"$KIST" network create front
	"$KIST" run -d --name na --network front $BUSYBOX sleep 600
	pid=$(dns_pid front)
	[ "$(awk '/^Cap(Prm|Eff|Bnd|Amb):/ { print $2 }' "/proc/$pid/status" | sort -u)" = 0000000000000000 ]
	[ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" = 1 ]
	[ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$pid/status")" = 2 ]
	[ "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" = "65534 65534 65534 65534" ]
	[ "$(stat -c %U "/proc/$pid/environ")" = root ]
	"$KIST" rm -f na
}

@test "names: port 53 is another's: containers ask the host's servers, and kistd says so" {
	"$KIST" network create front
	python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("ready", flush=True)
time.sleep(60)' "$(gateway_of front)" >"$BATS_TEST_TMPDIR/other" 3>&- &
	eventually grep -q ready "$BATS_TEST_TMPDIR/other"
	"$KIST" run -d --name na --network front --dns 192.0.2.7 $BUSYBOX sleep 600
	kill $!
	"$KIST" exec na grep -qx "nameserver 192.0.2.7" /etc/resolv.conf
	grep -q "network front: port 53 of its gateway" "$KT_DIR/kistd.log"
	"$KIST" rm -f na
}
