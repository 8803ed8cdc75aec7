# What a container, or somebody on the way to a name server, can do with names.
load attack

setup_file() {
	kist_start
	SERVER=127.$((64 + $$ / 65536 % 64)).$(($$ / 256 % 256)).$(($$ % 256))
	export SERVER
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

gateway_of() { "$KIST" network inspect "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][0]["Gateway"])'; }
ask() { # CONTAINER NETWORK NAME
	nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' "$1")" -n "$BATS_TEST_DIRNAME/../lib/name-query" ${HOW:-} "$(gateway_of "$2")" "$3"
}

@test "attack: a name leaves an internal network (CVE-2024-29018)" {
	"$KIST" network create --internal inside
	"$KIST" network create outside
	"$KIST" run -d --name caught --network inside --dns "$SERVER" $BUSYBOX sleep 600
	[ "$(ask caught inside secret.test)" = REFUSED ]
	[ "$(HOW=tcp ask caught inside secret.test)" = REFUSED ]
	[ "$(ask caught inside secret)" = NXDOMAIN ]
	# On another network too, it may ask there, and still not by way of the internal one: its neighbours could ask in its name.
	"$KIST" network connect outside caught
	[ "$(ask caught outside open.test)" = "NOERROR 192.0.2.1" ]
	[ "$(ask caught inside secret.test)" = REFUSED ]
	grep -q open.test "$KT_DIR/name-server.log"
	run ! grep -q secret "$KT_DIR/name-server.log"
	"$KIST" rm -f caught
}

@test "attack: answers with another id, another question, from another port, or that loop are believed by none" {
	"$KIST" network create front
	"$KIST" run -d --name asker --network front --dns "$SERVER" $BUSYBOX sleep 600
	[ "$(ask asker front spoof.test)" = "NOERROR 192.0.2.2" ]
	"$KIST" rm -f asker
}

@test "attack: rubbish for kist-dns: loops, cut and oversize packets, and it answers still" {
	"$KIST" network create front
	"$KIST" run -d --name asker --network front $BUSYBOX sleep 600
	nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' asker)" -n python3 - "$(gateway_of front)" "$BATS_TEST_DIRNAME"/../fuzz/corpus/dns/* <<-'PY'
		import os, socket, struct, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for name in sys.argv[2:]:
		    s.sendto(open(name, "rb").read(), (sys.argv[1], 53))
		for size in (0, 1, 11, 12, 512, 4096, 4097, 9000, 65000):
		    s.sendto(os.urandom(size), (sys.argv[1], 53))
		for data in (b"\xff\xff" + b"x" * 100, b"\0\0", b"\0\1x", b"\0"):
		    with socket.create_connection((sys.argv[1], 53)) as c:
		        c.sendall(data)
	PY
	[ "$(ask asker front asker)" = "NOERROR $("$KIST" inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' asker)" ]
	run ! grep -q "kist-dns died" "$KT_DIR/kistd.log"
	"$KIST" rm -f asker
}
