# shellcheck shell=sh
# The unit tests that talk to the kernel, on this one. The names are read by make-disk, too:
# unit: runtime-cgroup runtime-exec runtime-namespaces storage-rootfs
# unit: monitor-container oci-container worker-confine
# unit: runtime-exec-hooks runtime-exec-tuning runtime-exec-notify runtime-exec-filter
# Not here: runtime-exec-mounts (a tmpfs has mapped mounts since 6.3 only), runtime-exec-net-devices (its links are beyond busybox's ip).
. /tests/lib.sh
begin

run_one() {
	timeout 120 env CMOCKA_MESSAGE_OUTPUT=TAP "/kist/unit/$one" >/tmp/tap 2>&1 && status=0 || status=$?
	if [ $status -ne 0 ]; then
		grep -v '^ok' /tmp/tap
		rm /tmp/tap
		return $status
	fi
	grep -q SKIP /tmp/tap && grep SKIP /tmp/tap
	rm /tmp/tap
}
for one in $(sed -n 's/^# unit://p' /tests/unit.sh); do
	case ${only:-unit} in unit | "unit/$one") check "unit/$one" run_one ;; esac
done
finish
