# What a hand changed in bridges, addresses, links, switches and the table is found and mended. The host of this file is a network namespace of its own.
load ../lib/kist
load ../lib/hosts

setup_file() {
	host_begin au
	kist_start
	"$KIST" network create --ipv6 --subnet 10.67.2.0/24 --subnet fd00:78:2::/64 -o "com.docker.network.bridge.name=kta$$" front
	export BRIDGE=kta$$
	"$KIST" run -d --name web --network front -p 8080:80 $BUSYBOX sleep 600
	"$KIST" run -d --name peer --network front $BUSYBOX sleep 600
}
teardown_file() {
	kist_end
	hosts_end
}

clean() { [ -z "$("$KIST" network audit)" ]; }

# Says it by these words, mends it, says nothing then.
mends() { # WORDS
	run -1 "$KIST" network audit
	[[ "$output" == *"$1"* ]] || { echo "$1: $output"; return 1; }
	run -0 "$KIST" network audit --fix
	[[ "$output" == *"$1"* ]]
	clean
}

@test "audit: each thing changed by hand is named, mended, and found no more" {
	eventually clean
	host ip addr del 10.67.2.1/24 dev "$BRIDGE"
	mends "network $BRIDGE: its address 10.67.2.1/24 is gone"
	host ip addr del fd00:78:2::1/64 dev "$BRIDGE"
	mends "network $BRIDGE: its address fd00:78:2::1/64 is gone"
	host ip link set "$BRIDGE" down
	run -1 "$KIST" network audit
	[[ "$output" == *"network $BRIDGE: the bridge is switched off"* ]]
	run -0 "$KIST" network audit --fix
	clean
	host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	mends "/proc/sys/net/ipv4/ip_forward is 0"
	host sh -c 'echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
	mends "/proc/sys/net/ipv6/conf/all/forwarding is 0"
	host sh -c "echo 1 >/proc/sys/net/ipv6/conf/$BRIDGE/accept_ra"
	mends "/proc/sys/net/ipv6/conf/$BRIDGE/accept_ra is 1"
	host sh -c "echo 0 >/proc/sys/net/ipv4/conf/$BRIDGE/route_localnet"
	mends "/proc/sys/net/ipv4/conf/$BRIDGE/route_localnet is 0"
	host nft flush chain inet "kist-$KT_NAME" forward
	mends "firewall"
	host nft delete element inet "kist-$KT_NAME" ports '{ tcp . 8080 }'
	mends "published ports are missing"
	"$KIST" exec peer ping -c 1 -W 10 10.67.2.2
	"$KIST" exec peer ping -6 -c 1 -W 10 fd00:78:2::2
}

@test "audit: routes to the networks, and the MTU of bridges and links" {
	eventually clean
	for subnet in 10.67.2.0/24 fd00:78:2::/64; do
		kind=$([[ $subnet == *:* ]] && echo -6 || echo -4)
		before=$(host ip "$kind" route show "$subnet" dev "$BRIDGE")
		[ -n "$before" ]
		host ip "$kind" route del "$subnet" dev "$BRIDGE"
		mends "network $BRIDGE: the route to $subnet is gone"
		[ "$(host ip "$kind" route show "$subnet" dev "$BRIDGE")" = "$before" ]
	done
	port=$(host ip -o link show master "$BRIDGE" | sed 's/^[0-9]*: \(kv[0-9a-f]*\).*/\1/' | head -n 1)
	for link in "$BRIDGE" "$port"; do
		host ip link set "$link" mtu 1300
		mends "network $BRIDGE: the MTU of $link is 1300 instead of 1500"
		host ip -o link show "$link" | grep -q "mtu 1500"
	done
	# A network with an MTU of its own.
	"$KIST" network create --subnet 10.67.3.0/24 -o com.docker.network.driver.mtu=1400 -o "com.docker.network.bridge.name=ktm$$" small
	clean
	# Its own, and not that of whatever ports it has, or 1500 without any.
	"$KIST" run --rm --network small $BUSYBOX true
	no_ports() { [ -z "$(host ip -o link show master "ktm$$")" ]; }
	eventually no_ports
	clean
	host ip link set "ktm$$" mtu 1500
	mends "the MTU of ktm$$ is 1500 instead of 1400"
	"$KIST" network rm small
}

@test "audit: a route of others to a part of a network is named, and left to them" {
	host ip link add vpn0 type bridge
	host ip link set vpn0 up
	host ip route add 10.67.2.128/25 dev vpn0
	host ip -6 route add fd00:78:2:0:8000::/65 dev vpn0
	host ip route add 10.67.0.0/16 dev vpn0
	for fix in "" --fix; do
		# shellcheck disable=SC2086  # a word or none
		run -1 "$KIST" network audit $fix
		[[ "$output" == *"network $BRIDGE: a route to 10.67.2.128/25 by vpn0 takes addresses of it"* ]]
		[[ "$output" == *"a route to fd00:78:2:0:8000::/65 by vpn0"* ]]
		[[ "$output" != *"10.67.0.0/16"* ]]
	done
	[ "$(host ip -o route show dev vpn0 | wc -l)" = 2 ]
	host ip link del vpn0
	clean
}

@test "audit: others' tables, addresses and links stay" {
	host nft add table inet others
	host nft add chain inet others mine
	host ip addr add 10.99.99.1/32 dev lo
	host ip addr add 10.99.98.1/32 dev "$BRIDGE"
	host ip addr del 10.67.2.1/24 dev "$BRIDGE"
	run -0 "$KIST" network audit --fix
	clean
	host nft list table inet others | grep -q "chain mine"
	host ip -o addr show dev lo | grep -q 10.99.99.1
	host ip -o addr show dev "$BRIDGE" | grep -q 10.99.98.1
}

@test "audit: a bridge that was deleted is made again, and its containers are plugged in" {
	host ip link del "$BRIDGE"
	run -1 "$KIST" network audit
	[[ "$output" == *"network $BRIDGE: the bridge is gone"* ]]
	# One that is busy is looked at the next time.
	mended() { "$KIST" network audit --fix; clean; }
	eventually mended
	"$KIST" exec peer ping -c 1 -W 10 10.67.2.2
}
