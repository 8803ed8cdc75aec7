# Networks of the user's: subnets, fixed addresses, several per container, connect and disconnect while running, isolation, what a killed daemon leaves.
load ../lib/kist

setup_file() {
	kist_start
	export TAG=$$
}
teardown_file() {
	ip link del "ktr$TAG" 2>/dev/null || true
	ip netns del "kt-in-$TAG" 2>/dev/null || true
	kist_end
}
teardown() {
	left_nothing
	"$KIST" network prune --force >/dev/null
}

# An address family of our own for subnets that are named: beside the daemon's pool, in its own /16.
subnet() { echo "10.$((128 + TAG / 16 % 64)).$((TAG % 16 * 16 + $1)).0/24"; }
part() { subnet "$1" | sed "s,0/24,$2,"; }

address_on() { "$KIST" inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }
sees() { "$KIST" exec "$1" ping -c 1 -W 2 "$2" >/dev/null; }

@test "create, ls, inspect, rm: a bridge with a subnet comes and goes" {
	id=$("$KIST" network create --label colour=blue one)
	[ ${#id} -eq 64 ]
	[ "$("$KIST" network ls --format '{{.Name}}' | sort | tr '\n' ' ')" = "bridge host none one " ]
	[ "$("$KIST" network ls -q --filter name=one --filter type=custom)" = "${id:0:12}" ]
	[ "$("$KIST" network ls -q --filter label=colour=blue --filter type=custom)" = "${id:0:12}" ]
	[ -z "$("$KIST" network ls -q --filter label=colour=red)" ]
	[ "$("$KIST" network ls -q --filter dangling=true)" = "${id:0:12}" ]
	[ "$("$KIST" network inspect -f '{{.Driver}} {{.Internal}} {{.EnableIPv6}} {{.Labels.colour}}' one)" = "bridge false false blue" ]
	subnet=$("$KIST" network inspect one | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][0]["Subnet"])')
	gateway=$("$KIST" network inspect one | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][0]["Gateway"])')
	ip -o addr show "br-${id:0:12}" | grep -q "inet $gateway/${subnet#*/} "
	run -1 "$KIST" network create one
	[[ "$output" == *"network with name one already exists"* ]]
	[ "$("$KIST" network rm one)" = one ]
	run -1 ip link show "br-${id:0:12}"
	run -1 "$KIST" network inspect one
	[[ "$output" == *"network one not found"* ]]
}

@test "subnet, gateway, range, auxiliary and fixed addresses, MAC, MTU, name of the interface" {
	"$KIST" network create --subnet "$(subnet 1)" --gateway "$(part 1 254)" --ip-range "$(part 1 16/30)" --aux-address "router=$(part 1 17)" \
		-o com.docker.network.driver.mtu=1400 -o com.docker.network.bridge.name="ktr$TAG" two
	"$KIST" run -d --name two-a --network two $BUSYBOX sleep 60
	"$KIST" run -d --name two-b --network two $BUSYBOX sleep 60
	[ "$(address_on two-a two)" = "$(part 1 16)" ]
	[ "$(address_on two-b two)" = "$(part 1 18)" ]
	"$KIST" run -d --name two-c --network "name=two,ip=$(part 1 99),mac-address=02:00:5e:10:00:99,interface-name=lan0" $BUSYBOX sleep 60
	"$KIST" exec two-c ip -o addr show lan0 | grep -q "inet $(part 1 99)/24"
	"$KIST" exec two-c ip link show lan0 | grep -qi "02:00:5e:10:00:99"
	[ "$("$KIST" exec two-c cat /sys/class/net/lan0/mtu)" = 1400 ]
	"$KIST" exec two-c ip route | grep -q "default via $(part 1 254) dev lan0"
	ip -o link show "ktr$TAG" | grep -q "mtu 1400"
	sees two-c "$(part 1 16)"
	# Taken, outside, the gateway's, an auxiliary one.
	for bad in 99 17 254; do
		run -125 "$KIST" run --rm --network two --ip "$(part 1 $bad)" $BUSYBOX true
		[[ "$output" == *"$(part 1 $bad)"* ]]
	done
	run -125 "$KIST" run --rm --network two --ip 10.1.2.3 $BUSYBOX true
	run -125 "$KIST" run --rm --ip "$(part 1 5)" $BUSYBOX true
	[[ "$output" == *"user defined networks only"* ]]
	"$KIST" rm -f two-a two-b two-c
	# The address is free again for one of that name.
	"$KIST" run --rm --network two --ip "$(part 1 99)" $BUSYBOX ip -o addr show eth0 | grep -q "$(part 1 99)"
}

@test "networks do not reach each other; containers of one do" {
	"$KIST" network create left
	"$KIST" network create right
	"$KIST" run -d --name l1 --network left $BUSYBOX sh -c 'mkdir /www; echo left >/www/index.html; httpd -f -p 80 -h /www'
	"$KIST" run -d --name l2 --network left $BUSYBOX sleep 60
	"$KIST" run -d --name r1 --network right $BUSYBOX sleep 60
	l1=$(address_on l1 left)
	eventually sees l2 "$l1"
	eventually "$KIST" exec l2 wget -qO- "http://$l1/"
	run ! "$KIST" exec r1 ping -c 1 -W 1 "$l1"
	run ! "$KIST" exec r1 timeout 1 wget -qO- "http://$l1/"
	run ! "$KIST" run --rm $BUSYBOX ping -c 1 -W 1 "$l1"
	# It serves: the host reaches it.
	curl -sf "http://$l1/"
	# The members, and an attempt to remove what is in use.
	[ "$("$KIST" network inspect left | python3 -c 'import json,sys; print(sorted(c["Name"] for c in json.load(sys.stdin)[0]["Containers"].values()))')" = "['l1', 'l2']" ]
	run -1 "$KIST" network rm left
	[[ "$output" == *"has active endpoints"* ]]
	[ "$("$KIST" network prune --force)" = "" ]
	"$KIST" rm -f l1 l2 r1
}

@test "internal: neighbours and the gateway, and nothing else" {
	ip netns add "kt-in-$TAG"
	ip link add "ktr$TAG" type veth peer name eth0 netns "kt-in-$TAG"
	ip addr add "$(part 2 1)/24" dev "ktr$TAG"
	ip link set "ktr$TAG" up
	ip -n "kt-in-$TAG" addr add "$(part 2 2)/24" dev eth0
	ip -n "kt-in-$TAG" link set eth0 up
	"$KIST" run --rm $BUSYBOX ping -c 1 -W 2 "$(part 2 2)"
	"$KIST" network create --internal inside
	"$KIST" run -d --name i1 --network inside $BUSYBOX sleep 60
	"$KIST" run -d --name i2 --network inside $BUSYBOX sleep 60
	sees i1 "$(address_on i2 inside)"
	[ -z "$("$KIST" exec i1 ip route | grep default || true)" ]
	# Also when the container makes itself a route.
	run ! "$KIST" exec i1 ping -c 1 -W 1 "$(part 2 2)"
	gateway=$("$KIST" network inspect inside | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][0]["Gateway"])')
	sees i1 "$gateway"
	"$KIST" run --rm --cap-add NET_ADMIN --network inside $BUSYBOX sh -c "ip route add default via $gateway; ! ping -c 1 -W 1 $(part 2 2)"
	"$KIST" rm -f i1 i2
	ip netns del "kt-in-$TAG"
}

@test "enable_icc=false: the way out, but not to the neighbour" {
	"$KIST" network create -o com.docker.network.bridge.enable_icc=false apart
	"$KIST" run -d --name p1 --network apart $BUSYBOX sleep 60
	"$KIST" run -d --name p2 --network apart $BUSYBOX sleep 60
	gateway=$("$KIST" inspect -f '{{.NetworkSettings.Networks.apart.Gateway}}' p1)
	sees p1 "$gateway"
	run ! "$KIST" exec p1 ping -c 1 -W 1 "$(address_on p2 apart)"
	"$KIST" rm -f p1 p2
}

@test "several networks: eth0 and eth1, the gateway by priority or name, a way into both" {
	"$KIST" network create aa
	"$KIST" network create bb
	"$KIST" run -d --name ha --network aa $BUSYBOX sleep 60
	"$KIST" run -d --name hb --network bb $BUSYBOX sleep 60
	"$KIST" run -d --name both --network bb --network name=aa,alias=x $BUSYBOX sleep 60
	[ "$("$KIST" exec both ls /sys/class/net | tr '\n' ' ')" = "eth0 eth1 lo " ]
	"$KIST" exec both ip -o addr show eth0 | grep -q "$(address_on both bb)/"
	"$KIST" exec both ip route | grep -q "default via $("$KIST" inspect -f '{{.NetworkSettings.Networks.aa.Gateway}}' both) dev eth1"
	sees both "$(address_on ha aa)"
	sees both "$(address_on hb bb)"
	[ "$("$KIST" inspect both | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["NetworkSettings"]["Networks"]["aa"]["Aliases"])')" = "['x']" ]
	"$KIST" exec both grep -q "^$(address_on both aa)" /etc/hosts
	"$KIST" run --rm --network name=bb,gw-priority=1 --network aa $BUSYBOX ip route | grep -q "default via .* dev eth0"
	"$KIST" rm -f ha hb both
}

@test "connect and disconnect while it runs: links, routes, addresses, and after a restart" {
	"$KIST" network create early
	"$KIST" network create zlate
	"$KIST" run -d --name peer --network early $BUSYBOX sleep 60
	"$KIST" run -d --name mover --network zlate $BUSYBOX sleep 60
	run ! "$KIST" exec mover ping -c 1 -W 1 "$(address_on peer early)"
	"$KIST" network connect --alias m early mover
	sees mover "$(address_on peer early)"
	sees peer "$(address_on mover early)"
	# "early" is before "zlate": it is the gateway now.
	"$KIST" exec mover ip route | grep -q "default via .* dev eth1"
	run -1 "$KIST" network connect early mover
	[[ "$output" == *"already exists in network early"* ]]
	"$KIST" network disconnect early mover
	eventually sh -c "! $KIST exec mover ls /sys/class/net | grep eth1"
	"$KIST" exec mover ip route | grep -q "default via .* dev eth0"
	run -1 "$KIST" network disconnect early mover
	run -1 "$KIST" network connect --ip 10.1.2.3 bridge mover
	"$KIST" network connect bridge mover
	"$KIST" restart -t 0 mover
	[ "$("$KIST" exec mover ls /sys/class/net | tr '\n' ' ')" = "eth0 eth1 lo " ]
	"$KIST" rm -f peer mover
	for wrong in host none; do
		"$KIST" create --name "w$wrong" --network "$wrong" $BUSYBOX true
		run -1 "$KIST" network connect early "w$wrong"
		run -1 "$KIST" network connect "$wrong" "w$wrong"
		"$KIST" rm "w$wrong"
	done
}

@test "disconnect and connect again at once: the link is gone when it is said to be, and its name is free" {
	"$KIST" network create again
	"$KIST" run -d --name quick $BUSYBOX sleep 60
	for _ in $(seq 8); do
		"$KIST" network connect again quick
		"$KIST" network disconnect again quick
		[ "$("$KIST" exec quick ls /sys/class/net | grep -c eth)" = 1 ]
	done
	"$KIST" rm -f quick
}

@test "disconnect from the only network, and connect again: running, stopped, the default one" {
	local net started
	"$KIST" network create lone
	for net in lone bridge; do
		for started in yes no; do
			"$KIST" run -d --name solo --network $net $BUSYBOX sleep 60
			[ $started = yes ] || "$KIST" stop -t 0 solo
			"$KIST" network disconnect $net solo
			[ "$("$KIST" inspect -f '{{len .NetworkSettings.Networks}}' solo)" = 0 ]
			[ -z "$("$KIST" ps -aq --filter network=$net)" ]
			run -1 "$KIST" network disconnect $net solo
			[[ "$output" == *"is not connected to network $net"* ]]
			# On no network it starts, too, with nothing but lo.
			"$KIST" restart -t 0 solo
			[ "$("$KIST" exec solo ls /sys/class/net)" = lo ]
			[ $started = yes ] || "$KIST" stop -t 0 solo
			"$KIST" network connect $net solo
			[ $started = yes ] || "$KIST" start solo
			[ "$("$KIST" exec solo ls /sys/class/net | tr '\n' ' ')" = "eth0 lo " ]
			"$KIST" exec solo ip -o addr show eth0 | grep -q "$(address_on solo $net)/"
			run -1 "$KIST" network connect $net solo
			[[ "$output" == *"already exists in network $net"* ]]
			"$KIST" rm -f solo
		done
	done
	"$KIST" network rm lone
}

@test "a daemon that is killed: networks, addresses, links and tables are what they were" {
	"$KIST" network create --subnet "$(subnet 3)" keep
	"$KIST" run -d --name k1 --network keep $BUSYBOX sleep 300
	"$KIST" run -d --name k2 --network keep --network bridge $BUSYBOX sleep 300
	k1=$(address_on k1 keep)
	kistd_kill9
	nft delete table inet "kist-$KT_NAME"
	kistd_up
	[ "$(address_on k1 keep)" = "$k1" ]
	sees k2 "$k1"
	"$KIST" run -d --name k3 --network keep $BUSYBOX sleep 60
	[ "$(address_on k3 keep)" != "$k1" ]
	[ "$(address_on k3 keep)" != "$(address_on k2 keep)" ]
	nft list table inet "kist-$KT_NAME" | grep -q "$(subnet 3)"
	run -1 "$KIST" network rm keep
	"$KIST" rm -f k1 k2 k3
	"$KIST" network rm keep
	run ! sh -c "nft list table inet kist-$KT_NAME | grep -q '$(subnet 3)'"
}

@test "killed in the middle of connects: what is left agrees with what is said" {
	"$KIST" network create churn
	"$KIST" run -d --name spun $BUSYBOX sleep 300
	for round in 1 2 3 4 5 6; do
		(for _ in 1 2 3 4 5 6 7 8; do
			"$KIST" network connect churn spun
			"$KIST" network disconnect churn spun
		done) >/dev/null 2>&1 3>&- &
		sleep "0.0$((round * 13 % 9))"
		kistd_kill9
		wait
		kistd_up
		said=$("$KIST" inspect spun | python3 -c 'import json,sys; print(len(json.load(sys.stdin)[0]["NetworkSettings"]["Networks"]))')
		eventually sh -c "[ \$($KIST exec spun ls /sys/class/net | grep -c eth) = $said ]"
		"$KIST" network disconnect churn spun 2>/dev/null || true
	done
	"$KIST" rm -f spun
	"$KIST" network rm churn
}

@test "what cannot be is refused in words, and leaves nothing" {
	"$KIST" network create --subnet "$(subnet 4)" there
	while IFS='|' read -r words message; do
		# shellcheck disable=SC2086  # words on purpose
		run -1 "$KIST" network create $words
		echo "$words: $output"
		[[ "$output" == *"$message"* ]]
	done <<-END
		--subnet $(subnet 4) x|overlaps
		--subnet 10.5.0.1/16 x|invalid subnet
		--subnet 10.5.0.0/31 x|invalid subnet
		--subnet fd00::/64 x|IPv6
		--gateway 10.5.0.1 x|need a subnet
		--subnet $(subnet 5) --gateway 10.5.0.1 x|invalid gateway
		--subnet $(subnet 5) --ip-range 10.6.0.0/24 x|invalid ip-range
		--subnet $(subnet 5) --aux-address a=10.6.0.1 x|auxiliary
		--driver overlay x|driver
		-o com.docker.network.driver.mtu=1 x|mtu
		-o no.such.option=1 x|no.such.option
		-o com.docker.network.bridge.name=../../x x|invalid value
		-o com.docker.network.bridge.name=lo x|invalid value
		host|predefined
		../x|invalid network name
		a;b|invalid network name
	END
	[ "$("$KIST" network ls -q --filter type=custom | wc -l)" = 1 ]
	run -125 "$KIST" run --rm --network nosuch $BUSYBOX true
	[[ "$output" == *"network nosuch not found"* ]]
	run -125 "$KIST" run --rm --network there --mac-address 01:00:5e:00:00:01 $BUSYBOX true
	run -125 "$KIST" run --rm --network-alias x $BUSYBOX true
	run -125 "$KIST" run --rm --network there --network-alias 'a b' $BUSYBOX true
	run -1 "$KIST" network rm bridge
	[[ "$output" == *"pre-defined"* ]]
	"$KIST" network rm there
}

@test "the pool is carved, and a subnet that the host has a route to is passed over" {
	first=$("$KIST" network create n1 >/dev/null && "$KIST" network inspect n1 | sed -n 's/.*"Subnet": "\(.*\)".*/\1/p')
	"$KIST" network rm n1
	ip link add "ktr$TAG" type bridge
	ip link set "ktr$TAG" up
	ip route add "$first" dev "ktr$TAG"
	second=$("$KIST" network create n2 >/dev/null && "$KIST" network inspect n2 | sed -n 's/.*"Subnet": "\(.*\)".*/\1/p')
	ip link del "ktr$TAG"
	[ "$first" != "$second" ]
	"$KIST" network rm n2
}
