# Networks that are children of a link of the host's: macvlan, and ipvlan where the kernel has it. The host of this file is a network namespace of its own, with one link to
# a peer in another: the world beside it.
load ../lib/kist
load ../lib/hosts

setup_file() {
	host_begin mv
	export PEER=kt-mvp-$$
	ip netns add "$PEER"
	ip -n "$HOST" link add lan0 type veth peer name lan0 netns "$PEER"
	ip -n "$HOST" link set lan0 up
	ip -n "$HOST" addr add 10.66.1.2/24 dev lan0
	ip -n "$PEER" link set lan0 up
	ip -n "$PEER" addr add 10.66.1.1/24 dev lan0
	ip -n "$PEER" addr add fd00:66:1::1/64 dev lan0 nodad
	kist_start
}
teardown_file() {
	kist_end
	hosts_end
	ip netns del "$PEER" 2>/dev/null || true
}
teardown() {
	left_nothing
	"$KIST" network prune --force >/dev/null
}

peer() { nsenter --net="/run/netns/$PEER" "$@"; }
address_on() { "$KIST" inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }
sees() { "$KIST" exec "$1" ping -c 1 -W 2 "$2" >/dev/null; }
has() { host ip link add kt-probe link lan0 type "$1" 2>/dev/null && host ip link del kt-probe; }
lan() { "$KIST" network create -d macvlan --subnet 10.66.1.0/24 --gateway 10.66.1.1 --ip-range 10.66.1.64/26 -o parent=lan0 "$@"; }
links_inside() { nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' "$1")" -n ip -o link show type macvlan | wc -l; }

@test "macvlan: containers, the peer outside, the way out by its gateway; not the host" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	[ "$("$KIST" network inspect -f '{{.Driver}} {{.Internal}} {{.Options.parent}}' lan)" = "macvlan false lan0" ]
	[ "$("$KIST" network ls -q --filter driver=macvlan)" = "$("$KIST" network inspect -f '{{slice .Id 0 12}}' lan)" ]
	"$KIST" run -d --name one --network lan $BUSYBOX sleep 600
	"$KIST" run -d --name two --network name=lan,ip=10.66.1.99,mac-address=02:00:5e:10:66:99 $BUSYBOX sleep 600
	[ "$(address_on one lan)" = 10.66.1.64 ]
	sees one 10.66.1.99
	sees one 10.66.1.1
	peer ping -c 1 -W 5 10.66.1.64
	peer ping -c 1 -W 5 10.66.1.99
	peer ip neigh show 10.66.1.99 | grep -qi 02:00:5e:10:66:99
	run ! "$KIST" exec one ping -c 1 -W 1 10.66.1.2
	"$KIST" exec one ip route | grep -q "default via 10.66.1.1 dev eth0"
	# Nothing of it passes the host: no rule and no bridge is there for it.
	[ "$("$KIST" network inspect -f '{{len .Containers}}' lan)" = 2 ]
	stats=$("$KIST" stats --no-stream --format '{{.NetIO}}' one)
	[[ "$stats" != "0B / 0B" ]]
	run -1 "$KIST" network rm lan
	[[ "$output" == *"has active endpoints"* ]]
	"$KIST" restart -t 0 one
	sees one 10.66.1.1
	"$KIST" rm -f one two
	"$KIST" network rm lan
	# The parent is the host's own: it stays.
	host ip link show lan0
}

@test "macvlan: by Docker's own command" {
	has macvlan || skip "this kernel has no macvlan"
	docker network create -d macvlan --subnet 10.66.1.0/24 --gateway 10.66.1.1 --ip-range 10.66.1.128/26 --aux-address host=10.66.1.128 -o parent=lan0 -o macvlan_mode=bridge lan
	docker run -d --name one --network lan $BUSYBOX sleep 600
	[ "$(docker inspect -f '{{.NetworkSettings.Networks.lan.IPAddress}} {{.NetworkSettings.Networks.lan.Gateway}}' one)" = "10.66.1.129 10.66.1.1" ]
	peer ping -c 1 -W 5 10.66.1.129
	docker rm -f one
	docker network rm lan
}

@test "macvlan: modes: private ones do not see each other, a second one of passthru is refused" {
	has macvlan || skip "this kernel has no macvlan"
	lan -o macvlan_mode=private apart
	"$KIST" run -d --name one --network apart $BUSYBOX sleep 600
	"$KIST" run -d --name two --network apart $BUSYBOX sleep 600
	sees one 10.66.1.1
	sees two 10.66.1.1
	run ! "$KIST" exec one ping -c 1 -W 1 "$(address_on two apart)"
	"$KIST" rm -f one two
	"$KIST" network rm apart
	lan -o macvlan_mode=passthru through
	"$KIST" run -d --name one --network through $BUSYBOX sleep 600
	mac=$(host ip -o link show lan0 | sed "s/.*ether \([^ ]*\).*/\1/")
	[ "$("$KIST" exec one cat /sys/class/net/eth0/address)" = "$mac" ]
	[ "$("$KIST" inspect -f '{{.NetworkSettings.Networks.through.MacAddress}}' one)" = "$mac" ]
	sees one 10.66.1.1
	run -125 "$KIST" run --name two --network through $BUSYBOX true
	[[ "$output" == *"parent lan0"* ]]
	"$KIST" rm -f one two
}

@test "macvlan: IPv6, and no router advertisement is believed" {
	has macvlan || skip "this kernel has no macvlan"
	"$KIST" network create -d macvlan --ipv6 --subnet 10.66.1.0/24 --gateway 10.66.1.1 --subnet fd00:66:1::/64 --gateway fd00:66:1::1 -o parent=lan0 lan
	"$KIST" run -d --name six --network name=lan,ip6=fd00:66:1::77 $BUSYBOX sleep 600
	"$KIST" exec six ping -6 -c 1 -W 5 fd00:66:1::1
	peer ping -6 -c 1 -W 5 fd00:66:1::77
	"$KIST" exec six ip -6 route | grep -q "default via fd00:66:1::1"
	[ "$("$KIST" exec six cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" = 0 ]
	"$KIST" rm -f six
	"$KIST" network rm lan
	lan four
	"$KIST" run -d --name four --network four $BUSYBOX sleep 600
	[ -z "$("$KIST" exec four ip -6 -o addr show dev eth0)" ]
}

@test "macvlan and bridge: connect and disconnect of one that runs, renamed links and all" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	"$KIST" network create inner >/dev/null
	"$KIST" run -d --name both --cap-add NET_ADMIN --network inner $BUSYBOX sleep 600
	"$KIST" network connect --ip 10.66.1.80 lan both
	[ "$(links_inside both)" = 1 ]
	peer ping -c 1 -W 5 10.66.1.80
	"$KIST" network disconnect lan both
	[ "$(links_inside both)" = 0 ]
	run ! peer ping -c 1 -W 1 10.66.1.80
	# Root of the container gives it another name, and a link of no worth the old one.
	"$KIST" network connect lan both
	pid=$("$KIST" inspect -f '{{.State.Pid}}' both)
	nsenter -t "$pid" -U -n ip link set eth1 down
	nsenter -t "$pid" -U -n ip link set eth1 name mine
	nsenter -t "$pid" -U -n ip link set mine up
	nsenter -t "$pid" -U -n ip link add more link mine type macvlan mode bridge || true
	"$KIST" network disconnect lan both
	[ "$(links_inside both)" = 0 ]
	"$KIST" exec both ping -c 1 -W 5 "$("$KIST" inspect -f '{{.NetworkSettings.Networks.inner.Gateway}}' both)"
}

@test "what cannot be is refused in one line, and leaves nothing" {
	before=$(host ip -o link | wc -l)
	refused() { # WORDS ARG...
		local words=$1
		shift
		run -1 "$KIST" network create "$@" no
		[[ "$output" == *"$words"* && "${#lines[@]}" = 1 ]] || { echo "$*: $output"; return 1; }
	}
	refused 'network driver "vxlan" is not supported' -d vxlan
	refused "network driver bridge has no such option" -o parent=lan0
	refused "network driver bridge has no such option" -o macvlan_mode=bridge
	refused "network driver macvlan has no such option" -d macvlan -o ipvlan_mode=l2 -o parent=lan0
	refused "network driver macvlan has no such option" -d macvlan -o com.docker.network.bridge.name=x -o parent=lan0
	refused 'invalid value for driver option macvlan_mode: "fast"' -d macvlan -o macvlan_mode=fast -o parent=lan0
	refused 'invalid value for driver option ipvlan_flag: ""' -d ipvlan -o ipvlan_flag= -o parent=lan0
	refused "an internal network has no parent" -d macvlan --internal -o parent=lan0
	for parent in lo a/b ../../x '..' 'a b' a:b; do refused "invalid parent" -d macvlan -o "parent=$parent"; done
	refused "invalid value for driver option parent" -d macvlan -o parent=0123456789abcdef
	if has macvlan; then
		refused "parent nosuch0: this host has no such link" -d macvlan -o parent=nosuch0
		refused "this host has no link nosuch0 whose VLAN it could be" -d macvlan -o parent=nosuch0.5
		refused "parent lan0.5000: this host has no such link" -d macvlan -o parent=lan0.5000
		refused "that of parent lan0 is 1500" -d macvlan -o parent=lan0 -o com.docker.network.driver.mtu=9000
		lan lan
		refused "is already using parent interface lan0" -d macvlan -o parent=lan0
		run -125 "$KIST" run --network lan --network-opt kist.egress-rate=1mbit $BUSYBOX true
		[[ "$output" == *"bandwidth cannot be limited"* ]]
		run "$KIST" create --network lan -p 8080:80 $BUSYBOX true
		[[ "$output" == *"WARNING: Published ports are discarded on network lan of driver macvlan"* ]]
		"$KIST" rm -f "$("$KIST" ps -lq)" >/dev/null
		"$KIST" network rm lan
	fi
	# Of what this kernel has not, the name.
	has ipvlan || refused "network driver ipvlan: this kernel has no such links" -d ipvlan -o parent=lan0
	if ! host ip link add kt-probe type dummy 2>/dev/null; then
		refused "making a dummy link" -d macvlan
	else
		host ip link del kt-probe
	fi
	[ -z "$("$KIST" network ls -q --filter name=no --filter type=custom)" ]
	[ "$(host ip -o link | wc -l)" = "$before" ]
}

@test "a killed daemon: containers stay connected, addresses taken; fsck makes a lost link again; audit names a parent that is gone" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	"$KIST" run -d --name stays --network lan $BUSYBOX sleep 600
	kistd_kill9
	peer ping -c 1 -W 5 10.66.1.64
	kistd_up
	run -125 "$KIST" run --name other --network name=lan,ip=10.66.1.64 $BUSYBOX true
	[[ "$output" == *"Address already in use"* ]]
	"$KIST" rm -f other
	peer ping -c 1 -W 5 10.66.1.64
	nsenter -t "$("$KIST" inspect -f '{{.State.Pid}}' stays)" -n ip link del eth0
	run -1 "$KIST" system fsck
	[[ "$output" == *"link eth0: a running container's, and gone"* ]]
	mended() { "$KIST" system fsck --fix; "$KIST" system fsck; }
	eventually mended
	peer ping -c 1 -W 5 10.66.1.64
	host ip link set lan0 down
	run -1 "$KIST" network audit
	[[ "$output" == *"lan0: the parent of a network is switched off"* ]]
	"$KIST" network audit --fix || true
	host ip -o link show lan0 | grep -q 'UP'
}

# --- names: asked on the container's own loopback, answered by kist-dns ---

inside() { # CONTAINER COMMAND...
	local pid
	pid=$("$KIST" inspect -f '{{.State.Pid}}' "$1")
	nsenter -t "$pid" -n "${@:2}"
}
ask() { inside "$1" "$BATS_TEST_DIRNAME/../lib/name-query" ${HOW:-} 127.0.0.11 "${@:2}"; } # CONTAINER NAME [TYPE]
says() { [ "$(ask "${@:2}")" = "$1" ] || { echo "${*:2}: $(ask "${@:2}")"; return 1; }; }
resolver_of() { "$KIST" exec "$1" sed -n 's/^nameserver //p' /etc/resolv.conf | tr '\n' ' '; }
# Who listens in there, on a port that the kernel chose.
dns_pid() { inside two ss -Hlunp src 127.0.0.11 | grep -o 'pid=[0-9]*' | cut -d= -f2; }

@test "names: by name, alias and backwards, over UDP and TCP; what nobody here knows is asked outside; not of an internal network" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	nsenter --net="/run/netns/$HOST" "$BATS_TEST_DIRNAME/../lib/name-server" 127.9.9.9 >"$KT_DIR/name-server.log" 2>&1 3>&- &
	server=$!
	eventually grep -q ready "$KT_DIR/name-server.log"
	"$KIST" run -d --name one --network name=lan,alias=api $BUSYBOX sleep 600
	"$KIST" run -d --name two --network lan --dns 127.9.9.9 $BUSYBOX sleep 600
	[ "$(resolver_of two)" = "127.0.0.11 " ]
	for name in one api one.lan "$("$KIST" inspect -f '{{slice .Id 0 12}}' one)"; do
		says "NOERROR 10.66.1.64" two "$name"
		HOW=tcp says "NOERROR 10.66.1.64" two "$name"
	done
	"$KIST" exec two ping -c 1 -W 5 api
	"$KIST" exec two nslookup 10.66.1.64 | grep -q "one.lan"
	says NOERROR two api AAAA
	says "NOERROR 192.0.2.1" two some.test
	[[ "$(HOW=tcp ask two long.test)" == "NOERROR 192."* ]]
	# The subnet is not ours alone: who is in it and no container is for others to know.
	says NXDOMAIN two 10.66.1.1 PTR
	"$KIST" rename one uno
	says "NOERROR 10.66.1.64" two uno
	says NXDOMAIN two one
	# Whoever serves names itself has port 53 of all addresses.
	inside two timeout 20 python3 -c 'import socket; [socket.socket(socket.AF_INET, kind).bind(("0.0.0.0", 53)) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]'
	kill $server
	"$KIST" rm -f uno
	says SERVFAIL two some.test
	"$KIST" rm -f two
	"$KIST" network rm lan
	if host ip link add kt-probe type dummy 2>/dev/null; then
		host ip link del kt-probe
		"$KIST" network create -d macvlan --internal --subnet 10.66.9.0/24 shut
		"$KIST" run -d --name one --network shut $BUSYBOX sleep 600
		"$KIST" run -d --name two --network shut --dns 127.9.9.9 $BUSYBOX sleep 600
		says "NOERROR $(address_on one shut)" two one
		says REFUSED two some.test
		"$KIST" rm -f one two
	fi
}

@test "names: connect and disconnect while it runs; a bridge and a parent at once; a restart" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	"$KIST" network create inner >/dev/null
	"$KIST" run -d --name both --network inner $BUSYBOX sleep 600
	"$KIST" run -d --name peer --network lan $BUSYBOX sleep 600
	gateway=$(resolver_of both)
	[[ "$gateway" != *127.0.0.11* ]]
	run -1 "$KIST" exec both nslookup peer
	"$KIST" network connect lan both
	[ "$(resolver_of both)" = "${gateway}127.0.0.11 " ] || [ "$(resolver_of both)" = "127.0.0.11 $gateway" ]
	says "NOERROR 10.66.1.64" both peer
	"$KIST" exec both nslookup peer
	"$KIST" exec peer nslookup both
	"$KIST" network disconnect lan both
	[ "$(resolver_of both)" = "$gateway" ]
	run -1 "$KIST" exec peer nslookup both
	"$KIST" restart -t 0 peer
	"$KIST" network connect lan both
	says "NOERROR $(address_on both lan)" peer both
	"$KIST" rm -f both peer
}

@test "names: kist-dns dies, kistd dies, a container dies while it is away: asked on, asked again, and its network namespace is gone" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	"$KIST" run -d --name one --network lan $BUSYBOX sleep 600
	"$KIST" run -d --name two --network lan $BUSYBOX sleep 600
	says "NOERROR 10.66.1.64" two one
	old=$(dns_pid)
	kill -9 "$old"
	again() { [ -n "$(dns_pid)" ] && [ "$(dns_pid)" != "$old" ] && says "NOERROR 10.66.1.64" two one; }
	eventually again
	first=$("$KIST" inspect -f '{{.State.Pid}}' one)
	second=$("$KIST" inspect -f '{{.State.Pid}}' two)
	kistd_kill9
	[ "$(nsenter -t "$second" -n "$BATS_TEST_DIRNAME/../lib/name-query" 127.0.0.11 one)" = "NOERROR 10.66.1.64" ]
	# Its sockets would keep its network namespace alive, and its address taken.
	peer ping -c 1 -W 5 10.66.1.64
	kill -9 "$first"
	silent() { ! peer ping -c 1 -W 1 10.66.1.64; }
	eventually silent
	kistd_up
	says NXDOMAIN two one.lan || says SERVFAIL two one.lan
	"$KIST" rm -f one
	"$KIST" run -d --name one --network name=lan,ip=10.66.1.64 $BUSYBOX sleep 600
	says "NOERROR 10.66.1.64" two one
	"$KIST" rm -f one two
}

@test "names: root of a container ends its sockets: it has no names, others have, and kist-dns is idle" {
	has macvlan || skip "this kernel has no macvlan"
	lan lan
	"$KIST" run -d --name bad --network lan --cap-add NET_ADMIN $BUSYBOX sleep 600
	"$KIST" run -d --name two --network lan $BUSYBOX sleep 600
	says "NOERROR 10.66.1.64" two bad
	inside bad ss -K src 127.0.0.11 >/dev/null
	[ -z "$(inside bad ss -Hlun src 127.0.0.11)" ] || skip "this kernel ends no sockets for others"
	says "NOERROR 10.66.1.64" two bad
	ticks() { awk '{ print $14 + $15 }' "/proc/$(dns_pid)/stat"; }
	before=$(ticks)
	for i in 1 2 3 4 5; do says "NOERROR 10.66.1.64" two bad; done
	[ $(($(ticks) - before)) -lt 50 ]
	"$KIST" restart -t 0 bad
	says "NOERROR $(address_on bad lan)" bad bad
	"$KIST" rm -f bad two
}
