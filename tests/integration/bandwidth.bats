# Limits of bandwidth of endpoints, by how long it takes to send. The host of this file is a network namespace of its own. Times have a lower bound that the rate dictates;
# what is not limited has only to be faster than that.
load ../lib/kist
load ../lib/hosts

setup_file() {
	host_begin bw
	kist_start
	"$KIST" network create net >/dev/null
}
teardown_file() {
	kist_end
	hosts_end
}
teardown() {
	left_nothing
	# An ifb goes with its endpoint.
	eventually no_ifbs
}

no_ifbs() { [ -z "$(host ip -o link show type ifb)" ]; }
address_on() { "$KIST" inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }
gateway_on() { "$KIST" inspect -f "{{.NetworkSettings.Networks.$2.Gateway}}" "$1"; }
link_of() { "$KIST" exec "$1" cat /sys/class/net/eth0/iflink | xargs -I{} sh -c "nsenter --net=/run/netns/$HOST ip -o link | sed -n 's/^{}: \([^@:]*\).*/\1/p'"; }

BYTES=1500000 # 3 s at 4 Mbit/s, less what may go at once

# How many milliseconds from the first byte that arrives to the last.
takes_out() { # CONTAINER NETWORK
	host python3 -c '
import socket, subprocess, sys, time
kist, name, gateway, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
s = socket.create_server((gateway, 0))
s.settimeout(60)
sender = subprocess.Popen([kist, "exec", name, "sh", "-c", "head -c %d /dev/zero | nc %s %d" % (size, gateway, s.getsockname()[1])], stdin=subprocess.DEVNULL)
c, _ = s.accept()
c.settimeout(60)
got = len(c.recv(1))
start = time.monotonic()
while got < size:
    n = len(c.recv(1 << 16))
    if not n: sys.exit("%d bytes of %d" % (got, size))
    got += n
print(int((time.monotonic() - start) * 1000))
c.close()
sender.wait()' "$KIST" "$1" "$(gateway_on "$1" "$2")" "$BYTES"
}

# The same into it: until the container says that it has read them all.
takes_in() { # CONTAINER NETWORK
	host python3 -c '
import socket, subprocess, sys, time
kist, name, address, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
reader = subprocess.Popen([kist, "exec", name, "nc", "-l", "-p", "7000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
for i in range(400):
    try:
        c = socket.create_connection((address, 7000), 10)
        break
    except OSError: time.sleep(0.05)
start = time.monotonic()
def send():
    c.settimeout(60)
    c.sendall(bytes(size))
    c.shutdown(socket.SHUT_WR)
import threading
t = threading.Thread(target=send); t.start()
got = 0
while got < size:
    n = len(reader.stdout.read1(1 << 16))
    if not n: sys.exit("%d bytes of %d" % (got, size))
    got += n
print(int((time.monotonic() - start) * 1000))
t.join()
c.close()
reader.wait()' "$KIST" "$1" "$(address_on "$1" "$2")" "$BYTES"
}

slow() { local ms; ms=$("$@"); echo "$*: $ms ms" >&2; [ "$ms" -ge 2500 ]; }
fast() { local ms; ms=$("$@"); echo "$*: $ms ms" >&2; [ "$ms" -lt 2500 ]; }

@test "a rate in each direction, by its own name, and inspect shows it" {
	"$KIST" run -d --name out --network net --network-opt kist.egress-rate=4mbit $BUSYBOX sleep 600
	slow takes_out out net
	eventually fast takes_in out net
	[ "$("$KIST" inspect -f '{{index .NetworkSettings.Networks.net.DriverOpts "kist.egress-rate"}}' out)" = 4mbit ]
	"$KIST" run -d --name in --network name=net,driver-opt=kist.ingress-rate=4000kbit,driver-opt=kist.ingress-burst=32k $BUSYBOX sleep 600
	slow takes_in in net
	eventually fast takes_out in net
	# CNI's names, in bits.
	"$KIST" run -d --name cni --network-opt egressRate=4000000 --network-opt egressBurst=524288 $BUSYBOX sleep 600
	slow takes_out cni bridge
	host tc qdisc show | grep -q "tbf 1: dev ki[0-9a-f]* root .*rate 4Mbit burst 64Kb"
	"$KIST" run -d --name free --network net $BUSYBOX sleep 600
	eventually fast takes_out free net
	eventually fast takes_in free net
}

@test "root of a container with NET_ADMIN cannot take its limits away" {
	"$KIST" run -d --name root --cap-add NET_ADMIN --network net --network-opt kist.egress-rate=4mbit --network-opt kist.ingress-rate=4mbit $BUSYBOX sleep 600
	pid=$("$KIST" inspect -f '{{.State.Pid}}' root)
	[ "$(nsenter -t "$pid" -U -n tc qdisc show dev eth0 | grep -c 'tbf\|ingress')" = 0 ]
	nsenter -t "$pid" -U -n tc qdisc del dev eth0 root || true
	nsenter -t "$pid" -U -n ip link set eth0 down
	nsenter -t "$pid" -U -n ip link set eth0 up
	slow takes_out root net
	slow takes_in root net
}

@test "wrong rates are refused, and nothing is left" {
	for wrong in kist.egress-rate=fast kist.egress-rate=1 kist.egress-rate=4mbps kist.egress-rate=-1 kist.egress-rate= kist.egress-rate=99999999999999999999 kist.egress-burst=64k \
		kist.ingress-burst=0 egressRate=4mbit ingressRate=1e6; do
		run -125 "$KIST" run --name no --network net --network-opt "$wrong" $BUSYBOX true
		[[ "$output" == *"network net: "* ]] || { echo "$wrong: $output"; return 1; }
	done
	run -125 "$KIST" run --network net --network-opt kist.egress-rate=1mbit --network-opt egressRate=1000000 $BUSYBOX true
	[[ "$output" == *"said twice"* ]]
	run -125 "$KIST" run --network host --network-opt kist.egress-rate=1mbit $BUSYBOX true
	[[ "$output" == *"network mode host has no endpoint"* ]]
	run -125 "$KIST" run --network net --network-opt kist.speed=1mbit $BUSYBOX true
	[[ "$output" == *"kist.egress-rate"* ]]
	"$KIST" run -d --name plain --network net $BUSYBOX sleep 600
	run -1 "$KIST" update --network-opt nosuch:kist.egress-rate=1mbit plain
	[[ "$output" == *"not on network nosuch"* ]]
	run -1 "$KIST" update --network-opt com.docker.network.endpoint.ifname=lan0 plain
	[[ "$output" == *"only rates"* ]]
	run -1 "$KIST" update --network-opt kist.egress-rate=x plain
	[[ "$output" == *'"x" is not bits per second'* ]]
	no_ifbs
}

@test "kist.classid: a class of cgroup v1's net_cls, or refused by name" {
	for wrong in 0 0x0 1 x 10:10000 0x123456789 1:2:3 -1:1; do
		run -125 "$KIST" run --network net --network-opt "kist.classid=$wrong" $BUSYBOX true
		[[ "$output" == *"network net: kist.classid: "* ]] || { echo "$wrong: $output"; return 1; }
	done
	"$KIST" network create second >/dev/null
	run -125 "$KIST" run --network name=net,driver-opt=kist.classid=1:1 --network name=second,driver-opt=kist.classid=1:2 $BUSYBOX true
	[[ "$output" == *"another network has another one"* ]]
	"$KIST" network rm second
	for mode in net host none; do
		run "$KIST" run --rm --network "$mode" --network-opt kist.classid=10:1 $BUSYBOX true
		if grep -q ' cgroup .*net_cls' /proc/mounts; then
			[ "$status" -eq 0 ]
		else
			[ "$status" -ne 0 ]
			[[ "$output" == *"this host has no net_cls cgroup controller"* ]]
			"$KIST" rm -f "$("$KIST" ps -lq)" >/dev/null 2>&1 || true
		fi
	done
}

@test "update changes the rates of one that runs; they outlive its restart and the daemon's death" {
	"$KIST" run -d --name box --network net --network-opt kist.egress-rate=100mbit $BUSYBOX sleep 600
	eventually fast takes_out box net
	"$KIST" update --network-opt kist.egress-rate=4mbit --network-opt net:kist.ingress-rate=4mbit box
	slow takes_out box net
	slow takes_in box net
	"$KIST" restart -t 0 box
	slow takes_out box net
	kistd_kill9
	kistd_up
	slow takes_in box net
	"$KIST" update --network-opt kist.egress-rate= box
	eventually no_ifbs
	eventually fast takes_out box net
	slow takes_in box net
	"$KIST" update --network-opt kist.ingress-rate= box
	eventually fast takes_in box net
	! host tc qdisc show | grep -q tbf
	[ "$("$KIST" inspect -f '{{len .NetworkSettings.Networks.net.DriverOpts}}' box)" = 0 ]
}

@test "connect and disconnect of one that runs, also by docker" {
	"$KIST" run -d --name box $BUSYBOX sleep 600
	"$KIST" network connect --driver-opt kist.ingress-rate=4mbit --driver-opt kist.egress-rate=4mbit net box
	slow takes_out box net
	slow takes_in box net
	eventually fast takes_out box bridge
	"$KIST" network disconnect net box
	eventually no_ifbs
	docker network connect --driver-opt kist.egress-rate=4mbit net box
	slow takes_out box net
}

@test "what a killed daemon leaves: the limits of one that ended meanwhile go; fsck makes a lost link again with them" {
	"$KIST" run -d --name gone --network net --network-opt kist.egress-rate=4mbit $BUSYBOX sleep 600
	"$KIST" run -d --name stays --network net --network-opt kist.egress-rate=4mbit --network-opt kist.ingress-rate=4mbit $BUSYBOX sleep 600
	pid=$("$KIST" inspect -f '{{.State.Pid}}' gone)
	kistd_kill9
	kill -9 "$pid"
	gone "$pid"
	host ip link add ki0123456789abc type ifb
	kistd_up
	one_ifb() { [ "$(host ip -o link show type ifb | wc -l)" = 1 ]; }
	eventually one_ifb
	host ip link add ki0123456789abc type ifb
	run -1 "$KIST" system fsck
	[[ "$output" == *"ki0123456789abc"* ]]
	host ip link del "$(link_of stays)"
	mended() { "$KIST" system fsck --fix; "$KIST" system fsck; }
	eventually mended
	eventually one_ifb
	slow takes_out stays net
	slow takes_in stays net
}
