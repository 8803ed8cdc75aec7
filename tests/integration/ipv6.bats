# IPv6 beside IPv4: addresses, names, ports, the way out and isolation. The host of this file is a network namespace, so that its switches and fixed subnets are its
# own; the world outside is another one.
load ../lib/kist
load ../lib/hosts

setup_file() {
	host_begin v6
	outside_begin v6 10.66.0 fd00:66
	bridge_filter 0
	kist_start --ipv6 --fixed-cidr-v6 fd00:77:1::/64
	"$KIST" network create --ipv6 --subnet 10.66.2.0/24 --subnet fd00:77:2::/64 front
}
teardown_file() {
	kist_end
	hosts_end
}
teardown() { left_nothing; }

# A connection that has ended has the port's number, too.
listens() { [ -n "$(outside ss -Hltn "sport = :$1")" ]; }
address6() { "$KIST" inspect -f "{{(index .NetworkSettings.Networks \"$2\").GlobalIPv6Address}}" "$1"; }

plain() { sed 's/\[\([0-9a-f:]*\)\].*/\1/'; }
who() { "$1" curl -gsf --max-time 15 "http://$2/cgi-bin/who" | plain; } # host|outside ADDRESS:PORT
no_answer() { ! "$1" curl -gsf --max-time 2 "http://$2/cgi-bin/who" >/dev/null; }

@test "ipv6: a network of both kinds: subnets, addresses, routes, /etc/hosts, names both ways" {
	[ "$("$KIST" network inspect -f '{{.EnableIPv6}}' front)" = true ]
	[ "$("$KIST" network inspect front | python3 -c 'import json,sys; print(*(c["Subnet"] + " " + c["Gateway"] for c in json.load(sys.stdin)[0]["IPAM"]["Config"]))')" = "10.66.2.0/24 10.66.2.1 fd00:77:2::/64 fd00:77:2::1" ]
	id=$("$KIST" run -d --name web --network name=front,alias=api $BUSYBOX sleep 600)
	"$KIST" run -d --name user --network front $BUSYBOX sleep 600
	web=$(address6 web front)
	[ "$web" = fd00:77:2::2 ]
	[ "$("$KIST" inspect -f '{{.NetworkSettings.Networks.front.IPv6Gateway}} {{.NetworkSettings.Networks.front.GlobalIPv6PrefixLen}}' web)" = "fd00:77:2::1 64" ]
	[ "$("$KIST" network inspect front | python3 -c 'import json,sys; print(sorted(c["IPv6Address"] for c in json.load(sys.stdin)[0]["Containers"].values()))')" = "['fd00:77:2::2/64', 'fd00:77:2::3/64']" ]
	# Usable at once: nothing is tentative.
	inside web ip -6 -o addr show dev eth0 | grep -q "inet6 $web/64"
	[ -z "$(inside web ip -6 -o addr show dev eth0 tentative)" ]
	inside web ip -6 route | grep -q "^default via fd00:77:2::1 dev eth0"
	"$KIST" exec web grep -q "^$web.${id:0:12}$" /etc/hosts
	"$KIST" exec user ping -6 -c 1 -W 10 "$web"
	"$KIST" exec user ping -6 -c 1 -W 10 fd00:77:2::1
	for name in web api "${id:0:12}" web.front; do
		"$KIST" exec user nslookup "$name" | grep -q "^Address.*$web$" || { "$KIST" exec user nslookup "$name"; false; }
	done
	"$KIST" exec user nslookup "$web" | grep -q "name = web.front"
	# Nobody's: said by the network's own server.
	[[ "$("$KIST" exec user nslookup fd00:77:2::77 2>&1)" == *NXDOMAIN* ]]
	"$KIST" exec user ping -6 -c 1 -W 10 api
	"$KIST" rm -f web user
}

@test "ipv6: fixed addresses, ranges, auxiliary addresses; what cannot be is refused in words" {
	"$KIST" network create --ipv6 --subnet 10.66.3.0/24 --subnet fd00:77:3::/64 --gateway fd00:77:3::ff --ip-range fd00:77:3::1:0/112 --aux-address router=fd00:77:3::1:2 two
	"$KIST" run -d --name one --network two $BUSYBOX sleep 600
	[ "$(address6 one two)" = fd00:77:3::1:3 ]
	"$KIST" run -d --name fixed --network "name=two,ip6=fd00:77:3::99" $BUSYBOX sleep 600
	[ "$(address6 fixed two)" = fd00:77:3::99 ]
	inside fixed ip -6 route | grep -q "^default via fd00:77:3::ff "
	for bad in fd00:77:3::99 fd00:77:3::ff fd00:77:3::1:2 fd00:77:3:: fd00:88::1 10.66.3.9; do
		run -125 "$KIST" run --rm --network two --ip6 "$bad" $BUSYBOX true
		[[ "$output" == *"$bad"* ]]
	done
	"$KIST" network create --subnet 10.66.4.0/24 four
	run -125 "$KIST" run --rm --network four --ip6 fd00:77:3::5 $BUSYBOX true
	[[ "$output" == *"the network has no IPv6"* ]]
	"$KIST" rm -f one fixed
	# Free again.
	"$KIST" run --rm --network two --ip6 fd00:77:3::99 $BUSYBOX ip -6 -o addr show eth0 | grep -q fd00:77:3::99
	"$KIST" network rm two four
	for bad in "--subnet fd00:77:3::1/64" "--subnet fe80::/64" "--subnet ff02::/64" "--subnet fd00:77:2::/72" "--subnet fd00:66::/64" "--subnet fd00:77:9::/126" \
		"--subnet fd00:77:9::/64 --gateway fd00:77:8::1" "--subnet fd00:77:9::/64 --ip-range fd00:77:8::/80" "--subnet fd00:77:9::/64 --subnet fd00:77:a::/64" \
		"--subnet fd00:77:9::/64 --aux-address a=fd00:77:8::1"; do
		# shellcheck disable=SC2086  # a list of words
		run -1 "$KIST" network create --ipv6 $bad bad
		[ "${#lines[@]}" -eq 1 ]
		run -1 "$KIST" network inspect bad
	done
	run -1 "$KIST" network create --subnet fd00:77:9::/64 bad
	[[ "$output" == *"IPv6 is not enabled"* ]]
	run -1 "$KIST" network create --ipv6 -o com.docker.network.driver.mtu=1000 bad
	[[ "$output" == *"1280"* ]]
	[ "$("$KIST" network ls -q --filter type=custom | wc -l)" = 1 ]
}

@test "ipv6: without a subnet a prefix of this host's own is carved" {
	"$KIST" network create --ipv6 own1
	"$KIST" network create --ipv6 -o com.docker.network.enable_ipv6=true own2
	a=$("$KIST" network inspect own1 | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][1]["Subnet"])')
	b=$("$KIST" network inspect own2 | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["IPAM"]["Config"][1]["Subnet"])')
	[[ "$a" =~ ^fd[0-9a-f]{2}:.*/64$ ]]
	[[ "$b" =~ ^fd[0-9a-f]{2}:.*/64$ ]]
	[ "$a" != "$b" ]
	"$KIST" network rm own1 own2
}

@test "ipv6: the way out has the host's address; nobody comes in who was not asked; other networks and internal ones are apart" {
	"$KIST" network create --ipv6 --subnet 10.66.5.0/24 --subnet fd00:77:5::/64 --internal shut
	web left --network front
	web closed --network shut
	"$KIST" run -d --name right $BUSYBOX sleep 600
	left=$(address6 left front) closed=$(address6 closed shut)
	[[ "$(address6 right bridge)" == fd00:77:1::* ]]
	"$KIST" run -d --name seen --network front --cap-add NET_ADMIN $BUSYBOX sleep 600
	outside python3 -c '
import socket
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("::", 8080)); s.listen(8)
for i in range(2):
    c, peer = s.accept(); c.sendall(peer[0].encode() + b"\n"); c.close()' 3>&- &
	server=$!
	eventually listens 8080
	for who in seen right; do
		[ "$("$KIST" exec "$who" nc -w 15 fd00:66::2 8080 </dev/null)" = fd00:66::1 ]
	done
	wait "$server"
	# From outside to what is not published; from another network; into and out of an internal one.
	eventually who host "[$left]"
	no_answer outside "[$left]"
	run ! "$KIST" exec right ping -6 -c 1 -W 1 "$left"
	run ! "$KIST" exec right ping -6 -c 1 -W 1 "$closed"
	run ! "$KIST" exec closed ping -6 -c 1 -W 1 fd00:66::2
	[ -z "$(inside closed ip -6 route show default)" ]
	# In another's name nothing leaves.
	"$KIST" exec seen ping -6 -c 1 -W 10 fd00:66::2
	inside seen ip addr add fd00:99::9/128 dev eth0 nodad
	host ip -6 route add fd00:99::9/128 via "$(address6 seen front)"
	run ! "$KIST" exec seen ping -6 -c 1 -W 1 -I fd00:99::9 fd00:66::2
	host ip -6 route del fd00:99::9/128
	"$KIST" rm -f left closed right seen
	"$KIST" network rm shut
}

@test "ipv6: ports from outside, from the host by its address and ::1, from containers; with the client's address; on a chosen address only" {
	web both --network front -p 8080:80 -p '[fd00:66::1]:8081:80' -p '[::1]:8082:80' -p '[::]:8083:80' -p 127.0.0.1:8084:80
	"$KIST" port both 80 | grep -qx '\[::\]:8080'
	[ "$(who outside '[fd00:66::1]:8080')" = "both fd00:66::2" ]
	[[ "$(who outside '10.66.0.1:8080')" == "both "*10.66.0.2* ]]
	[[ "$(who host '[fd00:66::1]:8080')" == "both "* ]]
	[[ "$(who host '[::1]:8080')" == "both "* ]]
	[[ "$(who host '127.0.0.1:8080')" == "both "* ]]
	[[ "$("$KIST" exec both timeout 15 wget -qO- 'http://[fd00:66::1]:8080/cgi-bin/who')" == "both "* ]]
	[[ "$("$KIST" run --rm --network front $BUSYBOX timeout 15 wget -qO- 'http://[fd00:66::1]:8080/cgi-bin/who')" == "both "* ]]
	[[ "$("$KIST" run --rm $BUSYBOX timeout 15 wget -qO- 'http://[fd00:66::1]:8080/cgi-bin/who')" == "both "* ]]
	# The chosen address.
	[ "$(who outside '[fd00:66::1]:8081')" = "both fd00:66::2" ]
	no_answer host '[::1]:8081'
	no_answer host '[fd00:77:2::1]:8081'
	[[ "$(who host '[::1]:8082')" == "both "* ]]
	no_answer outside '[fd00:66::1]:8082'
	[ "$(who outside '[fd00:66::1]:8083')" = "both fd00:66::2" ]
	no_answer outside '10.66.0.1:8083'
	no_answer host '[::1]:8084'
	# Another host's port of that number is not ours.
	outside python3 -c 'import socket
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("::", 8080)); s.listen(8)
c, _ = s.accept(); c.sendall(b"the other host"); c.close()' 3>&- &
	server=$!
	eventually listens 8080
	[ "$("$KIST" exec both nc -w 15 fd00:66::2 8080 </dev/null)" = "the other host" ]
	wait "$server"
	# Conflicts are by address; what cannot be is said.
	run -125 "$KIST" run --rm -p '[::]:8081:80' --network front $BUSYBOX true
	[[ "$output" == *"8081"*"already allocated"*both* ]]
	"$KIST" network create --subnet 10.66.6.0/24 only4
	run -125 "$KIST" run --rm -p '[::1]:8090:80' --network only4 $BUSYBOX true
	[[ "$output" == *"no IPv6"* ]]
	run -125 "$KIST" run --rm -p '[fd00:66::77]:8090:80' --network front $BUSYBOX true
	[[ "$output" == *"no such address"* ]]
	"$KIST" network rm only4
	# The next daemon has them all, and the addresses.
	before=$("$KIST" port both) six=$(address6 both front)
	kistd_kill9
	[ "$(who outside '[fd00:66::1]:8080')" = "both fd00:66::2" ]
	kistd_up --ipv6 --fixed-cidr-v6 fd00:77:1::/64
	[ "$("$KIST" port both)" = "$before" ]
	[ "$(address6 both front)" = "$six" ]
	run -125 "$KIST" run --rm --network front --ip6 "$six" $BUSYBOX true
	[[ "$output" == *"already in use"* ]]
	[ "$(who outside '[fd00:66::1]:8080')" = "both fd00:66::2" ]
	run "$KIST" system fsck
	[ "$status" -eq 0 ]
	"$KIST" rm -f both
	no_answer outside '[fd00:66::1]:8080'
	[ -z "$(host nft list map inet "kist-$KT_NAME" ports6 | grep elements || true)" ]
}

@test "ipv6: where the bridge's own filter would lose the answers to ::1, it is refused, or said at once" {
	switch=/proc/sys/net/bridge/bridge-nf-call-ip6tables
	host test -e $switch || skip "this kernel has no br_netfilter"
	host sh -c "echo 1 >$switch"
	"$KIST" network create --ipv6 --subnet 10.66.7.0/24 --subnet fd00:77:7::/64 late
	run -125 "$KIST" run --rm --network late -p '[::1]:8090:80' $BUSYBOX true
	[[ "$output" == *bridge-nf-call-ip6tables* ]]
	web late --network late -p 8091:80
	[[ "$(who host 'localhost:8091')" == "late "* ]]
	[ "$(who outside '[fd00:66::1]:8091')" = "late fd00:66::2" ]
	run -7 host curl -gs --max-time 15 'http://[::1]:8091/'
	"$KIST" rm -f late
	"$KIST" network rm late
	host sh -c "echo 0 >$switch"
}

@test "ipv6: router advertisements of a container are believed by none, and the host keeps believing its own" {
	[ "$(host cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ]
	[ "$(host cat /proc/sys/net/ipv6/conf/up0/accept_ra)" = 2 ]
	"$KIST" run -d --name calm --network front $BUSYBOX sleep 600
	"$KIST" run -d --name evil --network front $BUSYBOX sleep 600
	bridge=br-$("$KIST" network inspect -f '{{.Id}}' front | cut -c 1-12)
	[ "$(host cat "/proc/sys/net/ipv6/conf/$bridge/accept_ra")" = 0 ]
	[ "$("$KIST" exec calm cat /proc/sys/net/ipv6/conf/eth0/accept_ra /proc/sys/net/ipv6/conf/eth0/autoconf /proc/sys/net/ipv6/conf/default/accept_ra | sort -u)" = 0 ]
	# An advertisement of a default router and a prefix, to all.
	inside evil python3 - <<-PY
		import socket, struct
		s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
		s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
		prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 3600, 0, socket.inet_pton(socket.AF_INET6, "2001:db8:66::"))
		for i in range(3):
		    s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ("ff02::1%eth0", 0))
	PY
	"$KIST" exec evil ping -6 -c 1 -W 10 "$(address6 calm front)" # what came before it has been looked at
	[ -z "$(inside calm ip -6 -o addr show to 2001:db8:66::/64)" ]
	[ "$(inside calm ip -6 route show default | wc -l)" = 1 ]
	[ -z "$(host ip -6 -o addr show to 2001:db8:66::/64)" ]
	[ -z "$(host ip -6 route show default)" ]
	"$KIST" rm -f calm evil
}

@test "ipv6: connect and disconnect while it runs" {
	"$KIST" run -d --name mover $BUSYBOX sleep 600
	"$KIST" network connect --ip6 fd00:77:2::55 front mover
	inside mover ip -6 -o addr show dev eth1 | grep -q fd00:77:2::55
	host ping -6 -c 1 -W 10 fd00:77:2::55
	"$KIST" network disconnect bridge mover
	inside mover ip -6 route | grep -q "^default via fd00:77:2::1 dev eth1"
	"$KIST" network disconnect front mover
	"$KIST" rm -f mover
}
