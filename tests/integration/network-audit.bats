# What a hand changed in bridges, addresses, links, switches and the table is found and mended. The host of this file is a network namespace of its own.
load ../lib/kist

setup_file() {
	export HOST=kt-au-$$
	ip netns add "$HOST"
	ip -n "$HOST" link set lo up
	export KISTD_WITHIN="nsenter --net=/run/netns/$HOST"
	kist_start
	"$KIST" network create --ipv6 --subnet 10.67.2.0/24 --subnet fd00:78:2::/64 -o "com.docker.network.bridge.name=kta$$" front
	export BRIDGE=kta$$
	"$KIST" run -d --name web --network front -p 8080:80 $BUSYBOX sleep 600
	"$KIST" run -d --name peer --network front $BUSYBOX sleep 600
}
teardown_file() {
	kist_end
	ip netns del "$HOST" 2>/dev/null || true
}

host() { nsenter --net="/run/netns/$HOST" "$@"; }
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
