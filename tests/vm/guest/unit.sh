# shellcheck shell=sh
# The unit tests that talk to the kernel, on this one. The names are read by make-disk, too:
# unit: base-fd runtime-cgroup runtime-exec runtime-exec-hooks runtime-namespaces
# unit: storage-layer storage-rootfs monitor-container monitor-monitor network-host oci-container worker-confine worker-unpack
. /tests/lib.sh
begin

run_one() {
	timeout 60 env CMOCKA_MESSAGE_OUTPUT=TAP "/kist/unit/$one" >/tmp/tap 2>&1 && status=0 || status=$?
	if [ $status -ne 0 ]; then
		grep -v '^ok' /tmp/tap
		rm /tmp/tap
		return $status
	fi
	grep -q SKIP /tmp/tap && grep SKIP /tmp/tap
	rm /tmp/tap
}
for one in $(sed -n 's/^# unit://p' /tests/unit.sh); do
	check "unit/$one" run_one
done
finish
