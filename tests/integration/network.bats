# --network none|host|bridge: an address, a route, NAT out; nothing else is touched.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() {
	ip netns del "kt-out-$$" 2>/dev/null || true
	kist_end
}
teardown() { left_nothing; }

@test "none: loopback only, and it is up" {
	run -0 "$KIST" run --rm --network none $BUSYBOX ip -o link
	[ "${#lines[@]}" -eq 1 ]
	[[ "$output" == *"lo:"*UP* ]]
	"$KIST" run --rm --network none $BUSYBOX ping -c 1 -W 2 127.0.0.1
}

@test "host: the host's own interfaces" {
	[ "$("$KIST" run --rm --network host $BUSYBOX readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ]
}

@test "bridge: an address of the pool, a default route, the host answers and is answered" {
	id=$("$KIST" run -d --name web $BUSYBOX sh -c 'mkdir /www; echo from-the-container >/www/index.html; httpd -f -p 80 -h /www')
	address=$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' web)
	gateway=$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.Gateway}}' web)
	[[ "$address" == "${KT_POOL%%.*}".* ]]
	"$KIST" exec web ping -c 1 -W 2 "$gateway"
	eventually curl -sf "http://$address/"
	[ "$(curl -s "http://$address/")" = from-the-container ]
	[ "$("$KIST" exec web ip route | grep -c default)" = 1 ]
	# Another container reaches it, and not by an IPv6 router's grace.
	[ "$("$KIST" run --rm $BUSYBOX wget -qO- "http://$address/")" = from-the-container ]
	[ "$("$KIST" exec web cat /proc/sys/net/ipv6/conf/eth0/accept_ra 2>/dev/null || echo 0)" = 0 ]
	"$KIST" rm -f web
}

@test "NAT: what a container sends to another network comes from the host's address" {
	local net=10.255.$(($$ % 250))
	# A world outside: a namespace of its own behind a veth.
	ip netns add "kt-out-$$"
	ip link add "kto$$" type veth peer name eth0 netns "kt-out-$$"
	ip addr add $net.1/24 dev "kto$$"
	ip link set "kto$$" up
	ip -n "kt-out-$$" addr add $net.2/24 dev eth0
	ip -n "kt-out-$$" link set eth0 up
	ip netns exec "kt-out-$$" python3 -c '
import socket
s = socket.socket(); s.bind(("'$net'.2", 8080)); s.listen(1)
c, peer = s.accept(); c.sendall(peer[0].encode()); c.close()' 3>&- &
	eventually ip netns exec "kt-out-$$" sh -c 'grep -q ":1F90 " /proc/net/tcp'
	[ "$("$KIST" run --rm $BUSYBOX nc -w 3 $net.2 8080 </dev/null)" = "$net.1" ]
	wait
	ip netns del "kt-out-$$"
}

@test "addresses differ, and come back after their container" {
	for i in 1 2 3 4 5; do "$KIST" run -d --name "n$i" $BUSYBOX sleep 60; done
	[ "$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' n1 n2 n3 n4 n5 | sort -u | wc -l)" = 5 ]
	"$KIST" rm -f n1 n2 n3 n4 n5
	[ -z "$(ip -o link show master "$KT_NAME")" ]
}

@test "the host's own nftables tables are not touched, ours is one" {
	nft add table inet kist-test-mine
	"$KIST" run --rm $BUSYBOX true
	nft list table inet kist-test-mine
	nft delete table inet kist-test-mine
	[ "$(nft list tables | grep -c "kist-$KT_NAME")" = 1 ]
}

@test "unknown networks are refused in words" {
	run -125 "$KIST" run --rm --network nosuch $BUSYBOX true
	[[ "$output" == *nosuch* ]]
}
