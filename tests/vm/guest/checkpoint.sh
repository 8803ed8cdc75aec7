# shellcheck shell=sh
# checkpoint and restore with Debian's criu, which runs on this kernel: what counted goes on counting.
# boot: checkpoint
. /tests/lib.sh
begin
# shellcheck source=tests/vm/guest/checkpoint.inc
. /tests/checkpoint.inc

counter='i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; echo line $i; sleep 0.1; done'
counts_on() {
	config '.linux.resources = {memory: {limit: 67108864}}' sh -c "$counter"
	started
	eventually above 5
	rt checkpoint --image-path /tmp/images box
	! rt state box 2>/dev/null
	[ ! -e $cgroup ]
	n=$(count)
	lines=$(wc -l </tmp/lines)
	sleep 0.5
	is "$(count)" "$n" # it has ended
	restored --pid-file /tmp/pid.box
	is "$(cat /tmp/pid.box)" "$(rt state box | jq .pid)"
	rm /tmp/pid.box
	is_state running
	eventually above $((n + 3))
	[ "$(count)" -lt $((n + 1000)) ]
	# It writes to what is our standard output now, has the limits of the config, and is in no other cgroup.
	more() { [ "$(wc -l </tmp/lines)" -gt "$lines" ]; }
	eventually more
	is "$(cat $cgroup/memory.max)" 67108864
	is "$(cat "/proc/$(rt state box | jq .pid)/cgroup")" 0::/vm/box
	is "$(rt exec box /bin/cat /proc/1/comm)" sh
	rt kill box KILL
	eventually is_state stopped
	ended
}
check "a counter goes on counting after checkpoint and restore" counts_on

leaves_running() {
	# No file may be open that grows meanwhile: criu looks at the size.
	config . sh -c "$teller"
	started
	eventually told_above 3
	rt checkpoint --leave-running --image-path /tmp/images --work-path /tmp/kept box
	is_state running
	[ -s /tmp/kept/criu.log ]
	n=$(count)
	eventually told_above "$n"
	n=$(count)
	rt delete --force box
	restored
	eventually told_above $((n / 2))
	ended
}
check "--leave-running: it goes on, and the images are good; --work-path keeps the log" leaves_running

in_the_foreground() {
	config . sh -c 'i=0; while [ $i -lt 40 ]; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done; exit 7'
	started
	eventually above 3
	rt checkpoint --image-path /tmp/images box
	status=0
	rt restore --bundle $bundle --image-path /tmp/images box </dev/null >>/tmp/lines 2>&1 || status=$?
	is $status 7
	is "$(count)" 40
	! rt state box 2>/dev/null
	afresh
}
check "restore waits, and its exit status is the container's" in_the_foreground

a_network_of_its_own() {
	config . sh -c "$counter"
	started
	eventually above 1
	pid=$(rt state box | jq .pid)
	nsenter -t "$pid" -n ip link set lo up
	nsenter -t "$pid" -n ip addr add 10.9.8.7/24 dev lo
	nsenter -t "$pid" -n ip -6 addr add fd00::7/64 dev lo
	nsenter -t "$pid" -n ip route add 10.99.0.0/16 via 10.9.8.1
	rt checkpoint --image-path /tmp/images box
	restored
	pid=$(rt state box | jq .pid)
	[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	nsenter -t "$pid" -n ip addr >/tmp/lines
	has "10.9.8.7/24" /tmp/lines
	has "fd00::7/64" /tmp/lines
	nsenter -t "$pid" -n ip route >/tmp/lines
	has "10.99.0.0/16 via 10.9.8.1" /tmp/lines
	nsenter -t "$pid" -n ping -c 1 -W 30 10.9.8.7
	ended
}
check "a network namespace of its own: addresses, routes and a lo that is up" a_network_of_its_own

binds() {
	mkdir -p /tmp/outside
	config '.linux.namespaces |= map(select(.type != "network")) |
		.mounts += [{destination: "/tmp/in", type: "bind", source: "/tmp/outside", options: ["bind"]}]' \
		sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/in/count; sleep 0.1; done'
	started
	eventually test -s /tmp/outside/count
	rt checkpoint --image-path /tmp/images box
	n=$(cat /tmp/outside/count)
	restored
	counts() { [ "$(cat /tmp/outside/count)" -gt $((n + 2)) ]; }
	eventually counts
	ended
}
check "what was mounted from outside is again; in the host's network" binds

refusals() {
	config . sh -c "$counter"
	started
	eventually above 1
	rt checkpoint --image-path /tmp/images box
	cp $bundle/config.json /tmp/good.json
	mv /tmp/images/pstree.img /tmp/pstree.img
	if restored; then echo "taken"; return 1; fi
	is "$(wc -l </tmp/err.box)" 1
	has "cannot restore container box: criu: " /tmp/err.box
	[ ! -e $cgroup ]
	! rt state box 2>/dev/null
	ln -s /tmp/pstree.img /tmp/images/pstree.img
	if restored; then echo "taken"; return 1; fi
	has "images /tmp/images/pstree.img: not a regular file" /tmp/err.box
	rm -f /tmp/images/pstree.img /tmp/pstree.img /tmp/good.json
	afresh
}
check "images that lack one, or have a link, are refused, and nothing is left" refusals

all_done
