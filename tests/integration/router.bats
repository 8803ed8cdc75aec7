# A container on two networks as a router between them, and what neighbours are told when an address comes and goes.
load ../lib/kist
load ../lib/hosts

set -o pipefail
setup_file() {
	host_begin ro
	outside_begin ro 10.71.0
	kist_start
	"$KIST" network create --ipv6 --subnet 10.71.1.0/24 --subnet fd00:71:1::/64 left
	"$KIST" network create --ipv6 --subnet 10.71.2.0/24 --subnet fd00:71:2::/64 right
}
teardown_file() {
	kist_end
	hosts_end
}
teardown() { left_nothing; }

who() { "$KIST" exec "$1" timeout "${3:-15}" wget -qO- "http://$2/cgi-bin/who" | sed 's/.* \[\?//; s/\].*//; s/^::ffff://'; } # FROM ADDRESS

router() { # OPTION...
	"$KIST" run -d --name router --cap-add NET_ADMIN --network name=left,ip=10.71.1.254,ip6=fd00:71:1::fe --network name=right,ip=10.71.2.254,ip6=fd00:71:2::fe "$@" $BUSYBOX sleep 600
}
everybody() {
	web one --cap-add NET_ADMIN --network name=left,ip=10.71.1.10,ip6=fd00:71:1::10
	web two --cap-add NET_ADMIN --network name=right,ip=10.71.2.10,ip6=fd00:71:2::10
}
routes() {
	"$KIST" exec one sh -c 'ip route add 10.71.2.0/24 via 10.71.1.254; ip -6 route add fd00:71:2::/64 via fd00:71:1::fe'
	"$KIST" exec two sh -c 'ip route add 10.71.1.0/24 via 10.71.2.254; ip -6 route add fd00:71:1::/64 via fd00:71:2::fe'
}

@test "router: a container with NET_ADMIN and forwarding on two networks leads from one to the other, both ways, of both kinds" {
	for filter in 0 1; do
		bridge_filter $filter
		router --sysctl net.ipv4.ip_forward=1 --sysctl net.ipv6.conf.all.forwarding=1
		everybody
		# Without a route there is none: the networks are apart.
		run ! who one 10.71.2.10 2
		routes
		[ "$(who one 10.71.2.10)" = 10.71.1.10 ]
		[ "$(who two 10.71.1.10)" = 10.71.2.10 ]
		[ "$(who one '[fd00:71:2::10]')" = fd00:71:1::10 ]
		[ "$(who two '[fd00:71:1::10]')" = fd00:71:2::10 ]
		# It is the router that it goes by: without its forwarding nothing does.
		inside router sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
		run ! who one 10.71.2.10 2
		run ! who one '[fd00:71:2::10]' 2
		"$KIST" rm -f router one two
	done
}

@test "router: on two networks without forwarding, or by the host, nobody gets across" {
	router --sysctl net.ipv4.ip_forward=0
	everybody
	routes
	run ! who one 10.71.2.10 2
	# The host forwards, and does not do this for anybody: not from a subnet, not in its name.
	"$KIST" exec one sh -c 'ip route del 10.71.2.0/24; ip route add 10.71.2.0/24 via 10.71.1.1'
	"$KIST" exec two sh -c 'ip route del 10.71.1.0/24; ip route add 10.71.1.0/24 via 10.71.2.1'
	run ! who one 10.71.2.10 2
	run ! who two 10.71.1.10 2
	"$KIST" rm -f router one two
}

@test "router: its way out is its own name's: what it translates leaves, what has another's address does not" {
	router --sysctl net.ipv4.ip_forward=1
	everybody
	outside python3 -c '
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("10.71.0.2", 8080)); s.listen(8)
print("ready", flush=True)
while True:
    c, peer = s.accept(); c.sendall(peer[0].encode() + b"\n"); c.close()' >"$BATS_TEST_TMPDIR/server" 3>&- &
	server=$!
	eventually grep -q ready "$BATS_TEST_TMPDIR/server"
	ask() { "$KIST" exec one timeout "$1" nc -w "$1" 10.71.0.2 8080 </dev/null; }
	[ "$(ask 15)" = 10.71.0.1 ]
	# All of its by the router, which goes out by the other network.
	"$KIST" exec one ip route replace default via 10.71.1.254
	"$KIST" exec router ip route replace default via 10.71.2.1
	outside timeout 60 python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
print("ready", flush=True)
while True:
    p = s.recv(2048); print(".".join(str(b) for b in p[12:16]), flush=True)' >"$BATS_TEST_TMPDIR/seen" 3>&- &
	listener=$!
	eventually grep -q ready "$BATS_TEST_TMPDIR/seen"
	run ! ask 2
	inside router nft 'table ip way { chain out { type nat hook postrouting priority srcnat; oifname "eth1" masquerade; }; }'
	[ "$(ask 15)" = 10.71.0.1 ]
	kill "$listener" "$server"
	# Nothing arrived in its name, or in the router's.
	[ "$(grep -v ready "$BATS_TEST_TMPDIR/seen" | sort -u)" = 10.71.0.1 ]
	"$KIST" rm -f router one two
}

# What becomes of a connection: "reached", the kernel's name of an error, or "silence" after fifteen seconds.
attempt() { # COMMAND-PREFIX... ADDRESS
	"${@:1:$#-1}" python3 -c '
import errno, socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.settimeout(15)
try:
    s.connect((sys.argv[1], 80)); print("reached")
except TimeoutError:
    print("silence")
except OSError as e:
    print(errno.errorcode[e.errno])' "${@: -1}"
}

@test "gone: who talked to a container that was killed is told that nobody is there, and does not wait for a minute" {
	web one --network name=left,ip=10.71.1.10,ip6=fd00:71:1::10
	"$KIST" run -d --name user --network left $BUSYBOX sleep 600
	for from in "inside user" host; do
		for to in 10.71.1.10 fd00:71:1::10; do
			# shellcheck disable=SC2086  # words
			[ "$(attempt $from $to)" = reached ]
		done
	done
	"$KIST" kill one
	eventually is_state one exited
	for from in "inside user" host; do
		for to in 10.71.1.10 fd00:71:1::10; do
			# shellcheck disable=SC2086  # words
			[ "$(attempt $from $to)" = EHOSTUNREACH ]
		done
	done
	# One that leaves the network and lives on is gone as well.
	"$KIST" start one
	eventually "$KIST" exec user wget -qO- http://10.71.1.10/cgi-bin/who
	"$KIST" network disconnect left one
	[ "$(attempt inside user 10.71.1.10)" = EHOSTUNREACH ]
	"$KIST" rm -f one user
}

@test "gone: another one with that address is reached at once, whatever its link's address" {
	web one --network name=left,ip=10.71.1.10,ip6=fd00:71:1::10,mac-address=02:00:00:00:71:01
	"$KIST" run -d --name user --network left $BUSYBOX sleep 600
	[ "$(attempt inside user 10.71.1.10)" = reached ]
	[ "$(attempt inside user fd00:71:1::10)" = reached ]
	inside user ip neigh show 10.71.1.10 | grep -q 02:00:00:00:71:01
	"$KIST" rm -f one
	web one --network name=left,ip=10.71.1.10,ip6=fd00:71:1::10,mac-address=02:00:00:00:71:02
	[ "$(attempt inside user 10.71.1.10)" = reached ]
	[ "$(attempt inside user fd00:71:1::10)" = reached ]
	inside user ip neigh show 10.71.1.10 | grep -q 02:00:00:00:71:02
	"$KIST" rm -f one user
}
