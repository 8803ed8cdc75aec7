# shellcheck shell=sh
# The daemon and kist on this kernel: limits as they are seen from inside, networks, and nothing left behind.
. /tests/lib.sh
begin
export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox

start_daemon() {
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST >/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
}
check "kistd starts" start_daemon

brings_an_image() { is "$(kist images -q | wc -l)" 1; }
check "an empty daemon brings one image" brings_an_image

hello() { is "$(kist run --rm $image echo hello)" hello; }
check "a first container" hello

root_is_nobody() {
	kist run -d --name box $image sleep 100
	[ "$(stat -c %u "/proc/$(kist inspect -f '{{.State.Pid}}' box)")" -ge 65536 ]
	is "$(kist exec box id -u)" 0
	kist rm -f box
}
check "root in a container is nobody outside" root_is_nobody

files_are_writable_and_kept() {
	kist run --name box $image sh -c 'echo one >/file; rm /etc/passwd; ln -s x /link; chown 7:8 /file'
	kist start box
	kist wait box
	is "$(stat -c %u:%g /var/lib/kist/containers/*/upper/file)" 7:8
	kist rm box
}
check "what a container writes is its own, with plain ids on disk" files_are_writable_and_kept

memory() { is "$(kist run --rm --memory 32m $image cat /sys/fs/cgroup/memory.max)" 33554432; }
check "--memory is seen from inside" memory

other_limits() {
	kist run --rm --pids-limit 30 --cpus 0.5 --cpuset-cpus 0 $image sh -c 'cd /sys/fs/cgroup; cat pids.max cpu.max cpuset.cpus' >/tmp/seen
	is "$(tr '\n' ' ' </tmp/seen)" "30 50000 100000 0 "
	rm /tmp/seen
}
check "--pids-limit, --cpus and --cpuset-cpus are seen from inside" other_limits

oom() {
	kist run --name box --memory 16m $image sh -c 'tail -c 100000000 /dev/zero' && return 1
	is "$(kist inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' box)" "true 137"
	kist rm box
}
check "who wants more memory than allowed is killed, and it is said" oom

reopen() { is "$(kist run --rm --user 65534 $image sh -c 'echo again >/proc/self/fd/1')" again; }
check "another user of a container can open the output again" reopen

no_network() { is "$(kist run --rm --network none $image ls /sys/class/net)" lo; }
check "--network none has only loopback" no_network

bridge() {
	kist run -d --name web $image httpd -f -h /etc
	address=$(kist inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' web)
	eventually curl -sf "http://$address/hostname"
	kist run --rm $image wget -q -O - "http://$address/hostname"
	kist rm -f web
}
check "containers reach each other, and the host them, over the bridge" bridge

pause() {
	kist run -d --name box $image sleep 100
	kist pause box
	is "$(kist inspect -f '{{.State.Status}}' box)" paused
	kist unpause box
	is "$(kist exec box echo runs)" runs
	kist rm -f box
}
check "pause and unpause" pause

death() {
	kist run -d --name box $image sh -c 'sleep 1; exit 5'
	kill -9 "$(pidof kistd)"
	sleep 1
	start_daemon
	is "$(kist wait box)" 5
	kist rm box
}
check "a container outlives the daemon, and its exit status is kept" death

many() {
	for i in 1 2 3 4 5 6; do kist run --rm $image echo $i & done
	wait
	is "$(kist ps -aq)" ""
}
check "several at once" many

info() { kist info; }
check "kist info" info

mounts() { ! grep -e overlay -e /var/lib/kist /proc/self/mountinfo; }
check "the host's mount table has nothing of it" mounts

stop_daemon() {
	kill "$(pidof kistd)"
	gone() { ! pidof kistd; }
	eventually gone
	[ -z "$(ls /var/lib/kist/containers)" ]
}
check "kistd ends" stop_daemon

ip link del kist0
nft delete table inet kist
rm -rf /run/kist /var/lib/kist /tmp/kistd.log
rmdir /sys/fs/cgroup/kist
finish
