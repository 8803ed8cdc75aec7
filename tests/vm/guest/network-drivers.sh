# shellcheck shell=sh
# macvlan and ipvlan over a link, a VLAN and a dummy, with a peer in a network namespace of its own; limits of bandwidth by this kernel's modules.
. /tests/lib.sh
begin
export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox

start_daemon() {
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST >/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
}
check "kistd starts" start_daemon
afresh() {
	for id in $(kist ps -aq); do kist rm -f "$id"; done
	kist network prune --force
}

# busybox's sh takes its own ip otherwise, which knows less.
ip() { /bin/ip "$@"; }
ip netns add peer
ip link add lan0 type veth peer name lan0 netns peer
ip addr add 10.66.1.2/24 dev lan0
ip link set lan0 up
ip -n peer link set lo up
ip -n peer addr add 10.66.1.1/24 dev lan0
ip -n peer link set lan0 up

peer() { ip netns exec peer "$@"; }
net() { kist network create --subnet "$@" >/dev/null; }
box() { # NETWORK NAME [OPTION...]
	network=$1 name=$2
	shift 2
	kist run -d --name "$name" --network "$network" "$@" $image sleep 1000 >/dev/null
}
on() { kist inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }
sees() { kist exec "$1" ping -c 1 -W 10 "$2"; }
not() { if "$@"; then echo "true: $*"; return 1; fi; }
sees_not() { not kist exec "$1" ping -c 1 -W 2 "$2"; }
lan() { net 10.66.1.0/24 --gateway 10.66.1.1 --ip-range 10.66.1.64/26 -o parent=lan0 "$@"; }
end() { # NETWORK BOX...
	network=$1
	shift
	kist rm -f "$@" >/dev/null
	kist network rm "$network" >/dev/null
}

macvlan() {
	lan -d macvlan lan
	box lan one
	box lan two
	sees one "$(on two lan)"
	sees one 10.66.1.1
	peer ping -c 1 -W 10 "$(on two lan)"
	sees_not one 10.66.1.2
	end lan one two
}
check "macvlan: neighbours and the peer, not the host" macvlan

vlan() {
	net 10.66.5.0/24 --gateway 10.66.5.1 -d macvlan -o parent=lan0.5 tagged
	ip -d link show lan0.5 | grep -q 'vlan protocol 802.1Q id 5'
	ip -n peer addr add 10.66.5.1/24 dev lan0
	box tagged one
	# Without the tag the peer is not there; with another neither; with this it is.
	sees_not one 10.66.5.1
	ip -n peer addr del 10.66.5.1/24 dev lan0
	ip -n peer link add link lan0 name v6 type vlan id 6
	ip -n peer addr add 10.66.5.1/24 dev v6
	ip -n peer link set v6 up
	sees_not one 10.66.5.1
	ip -n peer link del v6
	ip -n peer link add link lan0 name v5 type vlan id 5
	ip -n peer addr add 10.66.5.1/24 dev v5
	ip -n peer link set v5 up
	sees one 10.66.5.1
	ip -n peer link del v5
	end tagged one
	not ip link show lan0.5
	# One that somebody else made stays.
	ip link add link lan0 name lan0.7 type vlan id 7
	net 10.66.7.0/24 -d macvlan -o parent=lan0.7 others
	kist network rm others
	ip link show lan0.7
	ip link del lan0.7
}
check "macvlan over a VLAN: made, tagged, removed; another's VLAN stays" vlan

dummies() { ip -o link show type dummy | grep ' dm-'; }
dummy() {
	net 10.66.8.0/24 -d macvlan alone
	is "$(kist network inspect -f '{{.Internal}}' alone)" true
	dummies
	box alone one
	box alone two
	sees one "$(on two alone)"
	kist exec one ip route >/tmp/routes
	not grep default /tmp/routes
	rm /tmp/routes
	end alone one two
	not dummies
	net 10.66.8.0/24 -d ipvlan --internal closed
	box closed one
	box closed two
	sees one "$(on two closed)"
	end closed one two
}
check "no parent, or internal: a dummy of its own, and no way out" dummy

ipvlan_l2() {
	lan -d ipvlan flat
	box flat one
	box flat two
	sees one "$(on two flat)"
	sees one 10.66.1.1
	peer ping -c 1 -W 10 "$(on one flat)"
	is "$(kist exec one cat /sys/class/net/eth0/address)" "$(cat /sys/class/net/lan0/address)"
	is "$(kist inspect -f '{{.NetworkSettings.Networks.flat.MacAddress}}' one)" "$(cat /sys/class/net/lan0/address)"
	not kist run --network flat --mac-address 02:00:00:00:00:01 $image true 2>/tmp/why
	has "have the parent's in this mode" /tmp/why
	rm /tmp/why
	kist restart -t 0 one
	sees one 10.66.1.1
	end flat one two
	for id in $(kist ps -aq); do kist rm "$id"; done
	lan -d ipvlan -o ipvlan_flag=private apart
	box apart one
	box apart two
	sees one 10.66.1.1
	sees_not one "$(on two apart)"
	end apart one two
}
check "ipvlan l2: the parent's MAC address, neighbours, the peer; flag private" ipvlan_l2

ipvlan_l3() {
	ip -n peer route add 10.66.9.0/24 via 10.66.1.2
	for mode in l3 l3s; do
		net 10.66.9.0/24 -d ipvlan -o parent=lan0 -o ipvlan_mode=$mode routed
		box routed one
		box routed two
		sees one "$(on two routed)"
		sees one 10.66.1.1
		peer ping -c 1 -W 10 "$(on one routed)"
		kist exec one ip route | grep -q 'default dev eth0'
		is "$(kist inspect -f '{{.NetworkSettings.Networks.routed.Gateway}}' one)" ""
		end routed one two
	done
	ip -n peer route del 10.66.9.0/24
}
check "ipvlan l3 and l3s: routed by the kernel, without a gateway" ipvlan_l3

both_kinds() {
	net 10.66.5.0/24 -d macvlan -o parent=lan0.5 tagged
	lan -d ipvlan flat
	kist run -d --name one --network tagged $image sleep 1000
	kist network connect flat one
	sees one 10.66.1.1
	kist network disconnect flat one
	sees_not one 10.66.1.1
	kill -9 "$(pidof kistd)"
	start_daemon
	ip link show lan0.5
	end tagged one
	not ip link show lan0.5
	kist network rm flat
}
check "two networks of one container, and a killed daemon: its VLAN is removed by the next" both_kinds

bandwidth() {
	box bridge slow --network-opt kist.egress-rate=800kbit --network-opt kist.egress-burst=16k --network-opt kist.ingress-rate=800kbit --network-opt kist.ingress-burst=16k
	gateway=$(kist inspect -f '{{.NetworkSettings.Networks.bridge.Gateway}}' slow)
	# Its input is never at its end: else it goes before all has come.
	mkfifo /tmp/never
	nc -l -p 7000 <>/tmp/never >/tmp/got &
	eventually sh -c 'netstat -ltn | grep -q 7000'
	start=$(date +%s)
	kist exec slow sh -c "head -c 400000 /dev/zero | nc $gateway 7000"
	# shellcheck disable=SC2016  # the inner one's
	eventually sh -c '[ "$(wc -c </tmp/got)" = 400000 ]'
	[ $(($(date +%s) - start)) -ge 3 ]
	kist exec slow sh -c 'mkfifo /never; nc -l -p 7001 <>/never | wc -c >/got' &
	eventually kist exec slow sh -c 'netstat -ltn | grep -q 7001'
	start=$(date +%s)
	head -c 400000 /dev/zero | nc "$(on slow bridge)" 7001
	got_all() { is "$(kist exec slow cat /got)" 400000; }
	eventually got_all
	[ $(($(date +%s) - start)) -ge 3 ]
	kist rm -f slow
	rm /tmp/got /tmp/never
	eventually sh -c '! /bin/ip -o link show type ifb | grep " ki"'
}
check "limits of bandwidth, both ways" bandwidth

stop_daemon() {
	kill "$(pidof kistd)"
	gone() { ! pidof kistd; }
	eventually gone
	[ -z "$(ls /var/lib/kist/containers)" ]
}
check "kistd ends" stop_daemon

ip netns del peer
umount /run/netns # ip-netns(8) made it a mount of its own
rm -f /tmp/got /tmp/never
ip link del lan0 2>/dev/null
ip link del kist0
nft delete table inet kist
rm -rf /run/kist /var/lib/kist /tmp/kistd.log
rmdir /sys/fs/cgroup/kist
finish
