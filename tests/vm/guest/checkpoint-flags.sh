# shellcheck shell=sh
# boot: checkpoint
# What a process has beside memory, and what is to become of it: the flags of checkpoint and restore, each by what it does.
. /tests/lib.sh
begin
# shellcheck source=tests/vm/guest/checkpoint.inc
. /tests/checkpoint.inc

locks() {
	config . hold lock /tmp/locked
	started
	eventually has ready /tmp/lines
	not_saved "criu: Some file locks are hold by dumping tasks"
	saved --file-locks
	hold lock $bundle/rootfs/tmp/locked >/tmp/outside & # it is free now
	pid=$!
	eventually has ready /tmp/outside
	kill $pid
	wait $pid || :
	restored --file-locks
	if hold lock $bundle/rootfs/tmp/locked 2>/dev/null; then return 1; fi
	rt kill box KILL
	eventually is_state stopped
	ended
}
check "--file-locks: a lock that was held is held" locks

# A network with lo up: not before that is the container told to go on.
started_with_network() {
	started
	nsenter -t "$(rt state box | jq .pid)" -n ip link set lo up
	touch $bundle/rootfs/tmp/go
}
waits='while [ ! -e /tmp/go ]; do sleep 0.1; done'

connections() {
	config . sh -c "$waits"'; sleep 10000 | nc -l -p 5000 >/tmp/got & while [ -z "$(netstat -lnt | grep :5000)" ]; do sleep 0.1; done
		i=0; while :; do i=$((i + 1)); echo $i; sleep 0.1; done | nc 127.0.0.1 5000'
	started_with_network
	got() { [ "$(wc -l <$bundle/rootfs/tmp/got)" -gt "$1" ]; }
	eventually got 3
	not_saved "criu: .*tcp-established"
	saved --tcp-established
	n=$(wc -l <$bundle/rootfs/tmp/got)
	restored --tcp-established
	eventually got $((n + 5))
	# Nothing is lost in between: the numbers are all there.
	seq 1 $((n + 5)) >/tmp/outside
	head -n $((n + 5)) $bundle/rootfs/tmp/got | cmp - /tmp/outside
	ended
}
check "--tcp-established: a connection goes on, and loses nothing" connections

in_flight() {
	config . sh -c "$waits; hold listen 5000 >/tmp/listens & while [ ! -s /tmp/listens ]; do sleep 0.1; done; hold connect 5000"
	started_with_network
	eventually has ready /tmp/lines
	not_saved "criu: inet: In-flight connection" --tcp-established
	saved --tcp-established --tcp-skip-in-flight
	restored --tcp-established
	pid=$(rt state box | jq .pid)
	nsenter -t "$pid" -n netstat -lnt >/tmp/lines
	has 127.0.0.1:5000 /tmp/lines
	ended
}
check "--tcp-skip-in-flight: who listens does so again, and what was not accepted is gone" in_flight

outside_sockets() {
	mkdir /tmp/outside
	hold hear /tmp/outside/socket /tmp/outside/heard &
	server=$!
	eventually [ -S /tmp/outside/socket ]
	# criu looks for the other end in the container's network namespace, and for its name in the container's root.
	config '.linux.namespaces |= map(select(.type != "network")) |
		.mounts += [{destination: "/tmp/outside", type: "bind", source: "/tmp/outside", options: ["bind"]}]' hold say /tmp/outside/socket
	started
	eventually [ -s /tmp/outside/heard ]
	not_saved "criu: unix: External socket is used"
	saved --ext-unix-sk
	: >/tmp/outside/heard
	sleep 0.5
	[ ! -s /tmp/outside/heard ]
	restored --ext-unix-sk
	eventually [ -s /tmp/outside/heard ]
	kill $server
	ended
}
check "--ext-unix-sk: a socket outside hears again from who had it" outside_sockets

empty_network() {
	config . sh -c "$teller"
	started
	pid=$(rt state box | jq .pid)
	nsenter -t "$pid" -n ip link set lo up
	nsenter -t "$pid" -n ip addr add 10.9.8.7/24 dev lo
	saved --empty-ns network
	restored --empty-ns network
	pid=$(rt state box | jq .pid)
	[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	nsenter -t "$pid" -n ip addr >/tmp/lines
	has "lo: <LOOPBACK>" /tmp/lines
	if has 10.9.8.7 /tmp/lines; then return 1; fi
	asked
	ended
}
check "--empty-ns network: a new network namespace, with nothing in it" empty_network

shared_namespaces() {
	unshare -n -i -u sh -c 'ip link set lo up; ip addr add 10.7.7.7/24 dev lo; hostname others; echo $$ >/tmp/pid.others; exec sleep 1000' &
	eventually [ -s /tmp/pid.others ]
	others=$(cat /tmp/pid.others)
	eventually [ "$(cat "/proc/$others/comm")" = sleep ]
	config '.linux.namespaces |= map(if .type == "network" or .type == "ipc" or .type == "uts" then
		.path = "/proc/'"$others"'/ns/" + ({network: "net"}[.type] // .type) else . end) | del(.hostname)' sh -c "$teller"
	started
	same() { for ns in net ipc uts; do is "$(readlink "/proc/$(rt state box | jq .pid)/ns/$ns")" "$(readlink "/proc/$others/ns/$ns")"; done; }
	same
	saved
	# It is not locked for those who are still in it.
	nsenter -t "$others" -n ping -c 1 -W 30 10.7.7.7
	restored
	same
	asked
	nsenter -t "$others" -n ping -c 1 -W 30 10.7.7.7
	kill "$others"
	rm /tmp/pid.others
	ended
}
check "namespaces of others are joined again" shared_namespaces

# Its own cgroup is below that of the container.
writable='.mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)'
below="mkdir /sys/fs/cgroup/below; echo \$\$ >/sys/fs/cgroup/below/cgroup.procs; $teller"
is_in() { is "$(cat "/proc/$(rt state box | jq .pid)/cgroup")" "0::/vm/box$1"; }

modes() {
	config "$writable" sh -c "$below"
	started
	asked
	is_in /below
	saved --manage-cgroups-mode soft
	restored --manage-cgroups-mode soft
	is_in /below
	asked
	ended
	for mode in ignore none; do
		config "$writable" sh -c "$below"
		started
		asked
		saved --manage-cgroups-mode $mode
		if [ $mode = none ]; then
			if restored --manage-cgroups-mode none; then return 1; fi
			has "criu: cg: Cgroup dir .* doesn't exist" /tmp/err.box
		else
			restored --manage-cgroups-mode ignore
			is_in ""
			asked
		fi
		ended
	done
}
check "--manage-cgroups-mode: a cgroup below is made again, or not, or is missed" modes

shell_jobs() {
	config . sh -c "$teller"
	mkfifo /tmp/outside
	script -qec "kist-runtime --root /tmp/state run --bundle $bundle box" /dev/null </tmp/outside >/tmp/lines 2>&1 &
	exec 5>/tmp/outside
	eventually is_state running
	not_saved "criu: .*"
	saved --shell-job
	exec 5>&-
	wait
	script -qec "kist-runtime --root /tmp/state restore --shell-job --image-path /tmp/images --bundle $bundle box" /dev/null </tmp/outside >>/tmp/lines 2>&1 &
	exec 5>/tmp/outside
	eventually is_state running || { cat /tmp/lines; return 1; }
	asked
	rt kill box KILL
	wait
	exec 5>&-
	ended
}
check "--shell-job: on another terminal than before" shell_jobs

all_done
