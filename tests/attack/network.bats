# What a container can send to whom, and in whose name.
load attack
load ../lib/hosts

setup_file() {
	kist_start
	helpers_folder
	# A world outside: a namespace of its own behind a veth.
	ip netns add "kt-at-$$"
	ip link add "kta$$" type veth peer name eth0 netns "kt-at-$$"
	ip addr add 10.255.78.1/24 dev "kta$$"
	ip link set "kta$$" up
	ip -n "kt-at-$$" addr add 10.255.78.2/24 dev eth0
	ip -n "kt-at-$$" link set eth0 up
	ip -n "kt-at-$$" route add default via 10.255.78.1
	export OUTSIDE=kt-at-$$
	"$KIST" run -d --name victim $BUSYBOX sleep 600
	"$KIST" run -d --name evil -v "$KT_DIR/h:/h:ro" $BUSYBOX sleep 600
}
teardown_file() {
	ip netns del "$OUTSIDE" 2>/dev/null || true
	kist_end
}

address_of() { "$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' "$1"; }

# Waits for the datagrams of raw-packet, for six seconds; prints who they say they are from.
listen() { # COMMAND-PREFIX...
	"$@" timeout 6 python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
print("ready", flush=True)
while True:
    p = s.recv(2048)
    if b"spoofed" in p: print(".".join(str(b) for b in p[12:16]), flush=True)'
}

@test "attack: IPv6 is off in a network of IPv4, for what exists and what is made later (CVE-2024-32473)" {
	[ -z "$("$KIST" exec victim ip -6 -o addr show dev eth0)" ]
	[ "$("$KIST" exec victim cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 /proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null | sort -u)" = 1 ]
	[ "$(cat "/proc/sys/net/ipv6/conf/$KT_NAME/disable_ipv6" 2>/dev/null || echo 1)" = 1 ] || [ "$(cat "/proc/sys/net/ipv6/conf/$KT_NAME/accept_ra")" = 0 ]
	[ -z "$(ip -6 -o addr show "$KT_NAME")" ]
	run "$KIST" exec victim sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
	[ "$status" -ne 0 ]
	[ "$("$KIST" run --rm --cap-add NET_ADMIN $BUSYBOX ip -6 -o addr show dev eth0)" = "" ]
}

@test "attack: a router advertisement of a container is believed by none (CVE-2020-10749, CVE-2020-13401)" {
	local before port
	# What the host has by such advertisements: its own bridges and those of other tests come and go meanwhile.
	believed() { ip -6 route show proto ra; ip -6 -o addr | grep 2001:db8 || true; }
	before=$(believed)
	# Without the raw capability it cannot even be sent; with it, nobody listens.
	run "$KIST" run --rm --cap-drop NET_RAW -v "$KT_DIR/h:/h:ro" $BUSYBOX /h/raw-packet ra eth0
	[ "$status" -ne 0 ]
	for i in 1 2 3; do "$KIST" exec evil /h/raw-packet ra eth0; done
	sleep 0.5
	[ -z "$("$KIST" exec victim ip -6 -o addr show dev eth0)" ]
	[ -z "$("$KIST" exec victim ip -6 route 2>/dev/null | grep -E 'default|2001:db8')" ]
	[ "$(believed)" = "$before" ]
	# The host's own side of it: no port of the bridge takes them, either.
	for port in "$KT_NAME" $(ls "/sys/class/net/$KT_NAME/brif"); do
		[ "$(cat "/proc/sys/net/ipv6/conf/$port/disable_ipv6" 2>/dev/null || echo 1)" = 1 ] || [ "$(cat "/proc/sys/net/ipv6/conf/$port/accept_ra")" = 0 ] || { echo "$port accepts"; false; }
	done
}

@test "attack: a container sends to the outside in another's name" {
	local mac source out=$BATS_TEST_TMPDIR/out
	mac=$(cat "/sys/class/net/$KT_NAME/address")
	listen ip netns exec "$OUTSIDE" >"$out" 2>&1 3>&- &
	eventually grep -q ready "$out"
	for source in 8.8.8.8 10.255.78.99 127.0.0.1 255.255.255.255 0.0.0.0; do
		"$KIST" exec evil /h/raw-packet udp eth0 "$mac" "$source" 10.255.78.2
	done
	# Its own does arrive, translated: the listener works.
	"$KIST" exec evil /h/raw-packet udp eth0 "$mac" "$(address_of evil)" 10.255.78.2
	wait
	cat "$out"
	[ "$(grep -v ready "$out" | sort -u)" = 10.255.78.1 ]
}

@test "attack: a neighbour of the host reaches into the network by a route of its own" {
	local out=$BATS_TEST_TMPDIR/out
	listen nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' victim)" -n >"$out" 2>&1 3>&- &
	eventually grep -q ready "$out"
	for source in 10.255.78.2 "$(address_of evil)" 127.0.0.1; do
		ip netns exec "$OUTSIDE" "$KT_DIR/h/raw-packet" udp eth0 "$(cat "/sys/class/net/$(ip -o route get 10.255.78.2 | sed 's/.* dev \([^ ]*\).*/\1/')/address")" "$source" "$(address_of victim)"
	done
	# The host's own reaches it: the listener works.
	python3 -c 'import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"spoofed", (sys.argv[1], 9999))' "$(address_of victim)"
	wait
	cat "$out"
	[ "$(grep -v ready "$out" | sort -u)" = "$(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}')" ]
}

@test "attack: the host's loopback and its link-local services are not the container's" {
	local port pid
	port=$(free_port)
	python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(5); time.sleep(6)' "$port" 3>&- &
	pid=$!
	eventually sh -c "grep -qi ':$(printf %04X "$port") ' /proc/net/tcp"
	[ "$(cat "/proc/sys/net/ipv4/conf/$KT_NAME/route_localnet")" = 0 ]
	run "$KIST" exec evil nc -w 1 127.0.0.1 "$port" </dev/null
	[ "$status" -ne 0 ]
	"$KIST" run --rm --cap-add NET_ADMIN $BUSYBOX sh -c "ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via $(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}'); nc -w 1 127.0.0.1 $port </dev/null && echo reached; true" >"$BATS_TEST_TMPDIR/out" 2>&1
	! grep -q reached "$BATS_TEST_TMPDIR/out"
	kill $pid
}

@test "attack: a container changes the firewall, the links or the routes of the host" {
	local before after
	# What is ours: other tests may come and go on this host.
	state() { nft list table inet "kist-$KT_NAME"; ip -o link show "$KT_NAME" | sed 's/ state .*//'; ip -o link show master "$KT_NAME"; ip route show dev "$KT_NAME"; ip route show default; ip rule; }
	before=$(state)
	run "$KIST" exec evil sh -c 'ip link add x type dummy || ip route add 9.9.9.0/24 dev eth0 || ip link set eth0 down'
	[ "$status" -ne 0 ]
	# On the host's network, and with the capability: only in a user namespace that does not own it.
	run "$KIST" run --rm --network host --cap-add NET_ADMIN $BUSYBOX ip link add kist-attack type dummy
	[ "$status" -ne 0 ] || ip link del kist-attack
	after=$(state)
	[ "$before" = "$after" ]
}

@test "attack: the table's isolation was removed by somebody: it is put back (CVE-2025-54388, CVE-2025-54410)" {
	nft flush chain inet "kist-$KT_NAME" forward
	"$KIST" run --rm $BUSYBOX true
	[ "$(nft list chain inet "kist-$KT_NAME" forward | grep -c jump)" = 2 ]
	nft flush chain inet "kist-$KT_NAME" incoming
	"$KIST" run --rm $BUSYBOX true
	[ "$(nft list table inet "kist-$KT_NAME" | grep -c drop)" -ge 4 ]
	nft delete table inet "kist-$KT_NAME"
	"$KIST" run --rm $BUSYBOX true
	[ "$(nft list table inet "kist-$KT_NAME" | grep -c drop)" -ge 4 ]
}

@test "attack: a published port opens the host's loopback to a container or a neighbour (CVE-2020-8558)" {
	local port=$((20000 + $$ % 10000)) pid
	"$KIST" run -d --name opener -p 80 --cap-add NET_ADMIN --cap-add NET_RAW $BUSYBOX sleep 60
	[ "$(cat "/proc/sys/net/ipv4/conf/$KT_NAME/route_localnet")" = 1 ]
	python3 -c "
import socket
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1',$port)); s.listen(5)
while True:
    c,a=s.accept(); c.sendall(b'reached'); c.close()" 3>&- &
	pid=$!
	eventually sh -c "grep -qi ':$(printf %04X "$port") ' /proc/net/tcp"
	run inside opener sh -c "ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via $("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.Gateway}}' opener); timeout 3 bash -c 'cat </dev/tcp/127.0.0.1/$port'"
	echo "$output"
	[[ "$output" != *reached* ]]
	run ip netns exec "$OUTSIDE" sh -c "ip route add 127.0.0.1 via 10.255.78.1 dev eth0; timeout 3 bash -c 'cat </dev/tcp/127.0.0.1/$port'"
	[[ "$output" != *reached* ]]
	kill $pid
	"$KIST" rm -f opener
}
