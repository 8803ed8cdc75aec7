# shellcheck shell=sh
# boot: cgroup1
# The class of cgroup v1's net_cls: what a container sends has it.
. /tests/lib.sh
begin
export KIST_HOST=unix:///run/kist/kist.sock
image=kist.local/busybox

start_daemon() {
	kistd --root /var/lib/kist --run-root /run/kist --host $KIST_HOST >/tmp/kistd.log 2>&1 &
	eventually curl -sf --unix-socket /run/kist/kist.sock http://kist/_ping || { cat /tmp/kistd.log; return 1; }
}
check "kistd starts" start_daemon
afresh() { for id in $(kist ps -aq); do kist rm -f "$id"; done; }

# The kernel counts, by the class of the socket, what leaves by the loopback of this network namespace.
counted() { nft list table inet classes | sed -n 's/.*packets \([0-9]*\) bytes.*/\1/p'; }
sends() {
	nft add table inet classes
	nft add chain inet classes out '{ type filter hook output priority 0; }'
	nft add rule inet classes out meta cgroup 0x100001 counter
	kist run --rm --network host $image ping -c 2 127.0.0.1
	is "$(counted)" 0
	kist run --rm --network host --network-opt kist.classid=0x100001 $image ping -c 2 127.0.0.1
	[ "$(counted)" -ge 2 ]
	# tc's way to write it, and a network of the container's own: in that network namespace.
	kist run -d --name box --network-opt kist.classid=10:1 $image sleep 100
	is "$(cat /sys/fs/cgroup/net_cls/kist/*/net_cls.classid)" "$((0x100001))"
	kist rm -f box
	nft delete table inet classes
}
check "kist.classid: the kernel knows by it what the container sends" sends

update_keeps() {
	kist run -d --name box --network-opt kist.classid=0x20003 $image sleep 100
	kist update --pids-limit 50 box
	is "$(cat /sys/fs/cgroup/net_cls/kist/*/net_cls.classid)" "$((0x20003))"
	kist restart -t 0 box
	is "$(cat /sys/fs/cgroup/net_cls/kist/*/net_cls.classid)" "$((0x20003))"
	kist rm -f box
}
check "kist.classid stays with update and restart" update_keeps

end_daemon() {
	kill %1 2>/dev/null || kill "$(pidof kistd)"
	eventually sh -c '! pidof kistd'
	ip link del kist0
	nft delete table inet kist
	rm -rf /var/lib/kist /run/kist /tmp/kistd.log
	find /sys/fs/cgroup -depth -type d -name kist -exec rmdir {} +
}
check "the daemon ends" end_daemon
finish
