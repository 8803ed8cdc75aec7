# More endpoints than a bridge has ports: further bridges join it, and nobody notices. Here a bridge takes five (KIST_TEST_BRIDGE_PORTS). The host of this
# file is a network namespace of its own.
load ../lib/kist

setup_file() {
	export HOST=kt-ch-$$
	ip netns add "$HOST"
	ip -n "$HOST" link set lo up
	export KISTD_WITHIN="nsenter --net=/run/netns/$HOST" KISTD=kistd-faults KIST_TEST_BRIDGE_PORTS=5
	kist_start
	"$KIST" network create --ipv6 --subnet 10.68.2.0/24 --subnet fd00:79:2::/64 -o "com.docker.network.bridge.name=ktc$$" front
	export BRIDGE=ktc$$
}
teardown_file() {
	kist_end
	ip netns del "$HOST" 2>/dev/null || true
}
teardown() { remove_all; }

host() { nsenter --net="/run/netns/$HOST" "$@"; }
remove_all() {
	local ids
	ids=$("$KIST" ps -aq)
	# shellcheck disable=SC2086  # a list of words on purpose
	[ -z "$ids" ] || "$KIST" rm -f $ids >/dev/null
}
joined() { host ip -o link show type bridge | sed -n 's/^[0-9]*: \(kb[^:@]*\).*/\1/p'; }
has_joined() { [ "$(joined | wc -l)" = "$1" ]; }
on_bridge() { host ip -o link show master "$1" | grep -c ': kv'; }

make() { # NETWORK PREFIX N: PREFIX1 … PREFIXN, several at once
	local i
	for i in $(seq "$3"); do
		"$KIST" run -d --name "$2$i" --network "$1" --stop-timeout 0 $BUSYBOX sleep 900 >/dev/null &
		[ $((i % 4)) -ne 0 ] || wait
	done
	wait
	[ "$("$KIST" ps -q --filter "name=$2" | wc -l)" = "$3" ]
}
address() { "$KIST" inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }
reaches() { "$KIST" exec "$1" ping -c 1 -W 10 "$2" >/dev/null || { echo "$1 does not reach $2"; return 1; }; }
reaches_not() { ! "$KIST" exec "$1" ping -c 1 -W 1 "$2" >/dev/null || { echo "$1 reaches $2"; return 1; }; }
bridge_of() { # CONTAINER NETWORK: the bridge that its link is a port of
	local inside
	inside=$("$KIST" exec "$1" cat /sys/class/net/eth0/iflink)
	host ip -o link | sed -n "s/^$inside: .* master \([^ ]*\) .*/\1/p"
}
clean() { [ -z "$("$KIST" network audit)" ]; }

@test "thirteen on bridges of five: three bridges, all reach all by address and by name, the host and the way out; then one is left" {
	has_joined 0
	make front c 13
	has_joined 2
	for bridge in "$BRIDGE" $(joined); do [ "$(on_bridge "$bridge")" -le 5 ]; done
	for a in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
		reaches c$a "c$((a % 13 + 1))"
		reaches c$a "c$(((a + 5) % 13 + 1))"
		reaches c$a "$(address "c$(((a + 8) % 13 + 1))" front)"
		reaches c$a 10.68.2.1
		host ping -q -c 1 -W 10 "$(address c$a front)" >/dev/null
		"$KIST" exec c$a ping -6 -q -c 1 -W 10 "$("$KIST" inspect -f '{{.NetworkSettings.Networks.front.GlobalIPv6Address}}' "c$(((a + 3) % 13 + 1))")" >/dev/null
	done
	# They have no address, and no container has one of them as its gateway.
	for bridge in $(joined); do
		[ -z "$(host ip -o -4 addr show dev "$bridge" | grep -v 'scope host')" ]
		[ -z "$(host ip -o -6 addr show dev "$bridge")" ]
		mac=$(host ip -o link show "$bridge" | sed 's/.*link.ether \([^ ]*\) .*/\1/')
		for a in 1 13; do [[ "$(nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' c$a)" -n ip neigh)" != *"$mac"* ]]; done
	done
	clean
	for i in 2 3 4 5 6 7 8 9 10 11 12 13; do "$KIST" rm -f c$i >/dev/null; done
	eventually has_joined 0
	[ -z "$(host ip -o link | grep -e ': kt[0-9a-f]*-' -e ': ku')" ]
	clean
}

@test "published ports: from the host and from every bridge, the own one too, with br_netfilter or without, whatever rp_filter says" {
	make front c 12
	"$KIST" run -d --name web --network front -p 8080:80 $BUSYBOX sh -c 'echo hello >/index.html; httpd -f -h /'
	[ "$(bridge_of web front)" != "$BRIDGE" ]
	host ip addr add 192.0.2.1/32 dev lo
	host ip addr add 2001:db8::1/128 dev lo nodad
	for way in 1/0 1/1 1/2 0/0; do
		for table in iptables ip6tables; do
			[ ! -e /proc/sys/net/bridge/bridge-nf-call-$table ] || host sh -c "echo ${way%/*} >/proc/sys/net/bridge/bridge-nf-call-$table"
		done
		host sh -c "echo ${way#*/} >/proc/sys/net/ipv4/conf/all/rp_filter"
		eventually host curl -sf -m 5 http://127.0.0.1:8080/
		[ "$(host curl -sf -m 10 http://192.0.2.1:8080/)" = hello ]
		for name in c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 web; do
			for to in 192.0.2.1 '[2001:db8::1]'; do
				[ "$("$KIST" exec $name timeout 10 wget -qO- "http://$to:8080/")" = hello ] ||
					{ echo "$name, on $(bridge_of $name front), to $to, br_netfilter/rp_filter $way"; return 1; }
			done
			[ "$("$KIST" exec $name timeout 10 wget -qO- http://web/)" = hello ]
		done
	done
	host ip addr del 192.0.2.1/32 dev lo
	host ip addr del 2001:db8::1/128 dev lo
	host sh -c "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter"
}

@test "enable_icc=false: none reaches another, on whichever bridge; the gateway answers all" {
	"$KIST" network create --subnet 10.68.3.0/24 -o com.docker.network.bridge.enable_icc=false apart
	make apart d 12
	has_joined 2
	for a in 1 2 3 4 5 6 7 8 9 10 11 12; do
		for b in $((a % 12 + 1)) $(((a + 5) % 12 + 1)); do reaches_not d$a "$(address d$b apart)"; done
		reaches d$a 10.68.3.1
	done
	remove_all
	"$KIST" network rm apart
	has_joined 0
}

@test "attack: a container on a joined bridge sends to the outside in another's name" {
	make front c 7
	"$KIST" run -d --name bad --network front --cap-add NET_ADMIN --cap-add NET_RAW $BUSYBOX sleep 900
	[ "$(bridge_of bad front)" != "$BRIDGE" ]
	host ip link add out type veth peer name beyond
	host ip link set beyond up
	host ip addr add 192.0.2.9/24 dev out
	host ip link set out up
	host nft add table inet watch
	host nft add chain inet watch post '{ type filter hook postrouting priority 300; }'
	host nft add rule inet watch post oifname out ip protocol icmp counter
	sent() { host nft list chain inet watch post | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
	"$KIST" exec bad ping -c 1 -W 1 192.0.2.77 || true
	before=$(sent)
	[ "$before" -gt 0 ]
	"$KIST" exec bad ip addr add 203.0.113.5/32 dev eth0
	"$KIST" exec bad ping -c 2 -W 1 -I 203.0.113.5 192.0.2.77 || true
	[ "$(sent)" = "$before" ]
	host nft delete table inet watch
	host ip link del out
}

@test "a daemon that is killed: all still reach each other, new ones join, and what is empty goes" {
	make front c 8
	kistd_kill9
	reached() { nsenter --net="/run/netns/$HOST" ping -c 1 -W 10 "$1" >/dev/null; }
	kistd_up
	has_joined 1
	reaches c1 c8
	reaches c8 c2
	make front e 4
	has_joined 2
	reaches e4 c1
	kistd_kill9
	kistd_up
	for i in 1 2 3 4; do "$KIST" rm -f e$i >/dev/null; done
	eventually has_joined 1
	for i in 3 4 5 6 7 8; do "$KIST" rm -f c$i >/dev/null; done
	eventually has_joined 0
	reaches c1 c2
	clean
}

@test "a daemon that is killed while a bridge joins or goes: the next one does what was left" {
	make front c 4
	for point in $(grep -rhoE 'fault_point\("chain", "[a-z]+"\)' "$BATS_TEST_DIRNAME/../../src" | sed -E 's/.*\("([a-z]+)", "([a-z]+)"\)/\1.\2/'); do
		echo "== $point"
		make front d 1
		kistd_stop
		KIST_FAULT=$point kistd_up
		timeout 30 "$KIST" run -d --name more --network front $BUSYBOX sleep 900 || true
		timeout 30 "$KIST" rm -f d1 more || true
		gone "$(kistd_pid)"
		kistd_up
		"$KIST" rm -f d1 more 2>/dev/null || true
		eventually clean
		make front d 1
		"$KIST" run -d --name more --network front $BUSYBOX sleep 900
		has_joined 1
		reaches c1 more
		reaches more c4
		"$KIST" rm -f d1 more
		eventually has_joined 0
	done
}

@test "audit: a joined bridge that is gone, off, or joined no more is named and mended" {
	make front c 8
	bridge=$(joined)
	clean
	host ip link set "$bridge" down
	run -1 "$KIST" network audit
	[[ "$output" == *"network $BRIDGE: a bridge that is joined to it is switched off"* ]]
	run -0 "$KIST" network audit --fix
	clean
	reaches c1 c8
	host ip link set "kt${bridge#kb}" nomaster
	run -1 "$KIST" network audit
	[[ "$output" == *"network $BRIDGE: a bridge that was joined to it is so no more"* ]]
	run -0 "$KIST" network audit --fix
	clean
	reaches c8 c1
	host ip link del "$bridge"
	run -1 "$KIST" network audit
	[[ "$output" == *"network $BRIDGE: a bridge that is joined to it is gone"* ]]
	run "$KIST" network audit --fix
	echo "$output"
	[ "$status" = 0 ]
	clean
	reaches c1 c8
	reaches c7 c6
	# It need not be asked: the next endpoint finds out.
	host ip link del "$(joined)"
	"$KIST" run -d --name next --network front $BUSYBOX sleep 900
	reaches next c1
}

@test "the last network's removal takes its joined bridges along" {
	"$KIST" network create --subnet 10.68.4.0/24 brief
	make brief b 12
	has_joined 2
	remove_all
	"$KIST" network rm brief
	has_joined 0
	[ -z "$(host ip -o link | grep -e ': kt[0-9a-f]*-' -e ': ku' -e ': kb')" ]
}
