# shellcheck shell=sh
# For the tests in the virtual machine, by busybox's sh.   begin; check "what is true" FUNCTION; … finish
# A function fails by its first failing command. `skip REASON` in it ends it; `is A B` and `has TEXT FILE` say what they found.
# After a failure afresh() is called, if there is one, so that what is left is not in the way of the next.
tests=0

# One cgroup for the test itself: the root may have processes only while no controller below it is bothered by them.
begin() {
	if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
		snapshot >/tmp/before
		return
	fi
	mkdir -p /sys/fs/cgroup/tests
	echo $$ >/sys/fs/cgroup/tests/cgroup.procs
	# shellcheck disable=SC2046  # one word each
	printf '+%s ' $(cat /sys/fs/cgroup/cgroup.controllers) >/sys/fs/cgroup/cgroup.subtree_control
	snapshot >/tmp/before
}

check() { # NAME FUNCTION
	tests=$((tests + 1))
	# Not as a condition: there `set -e` has no effect.
	(set -e; "$2") >/tmp/out 2>&1
	case $? in
	0) echo "ok $tests $1" ;;
	77) echo "ok $tests $1 # skip $(tail -n 1 /tmp/out)" ;;
	*)
		echo "not ok $tests $1"
		sed 's/^/# /' /tmp/out
		! type afresh >/dev/null 2>&1 || afresh >/dev/null 2>&1
		;;
	esac
}

finish() {
	check "nothing is left" nothing_left
	echo "1..$tests"
}

skip() { echo "$*"; exit 77; }
is() { [ "$1" = "$2" ] || { echo "\"$1\", not \"$2\""; return 1; }; }
has() { grep -q -- "$1" "$2" || { echo "no \"$1\" in:"; cat "$2"; return 1; }; }
eventually() { # COMMAND...
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	echo "never came true: $*"
	return 1
}

snapshot() {
	awk '{ print "mount", $5, $9 }' /proc/self/mountinfo
	find /sys/fs/cgroup -type d | sed 's/^/cgroup /'
	for link in /sys/class/net/*; do echo "link ${link##*/}"; done
	for file in /tmp/*; do echo "file $file"; done | grep -v -e '/before$' -e '/out$'
	cat /proc/[0-9]*/comm 2>/dev/null | grep '^kist' | sed 's/^/process /'
	nft list tables | sed 's/^/nft /'
}

nothing_left() {
	for _ in $(seq 30); do
		snapshot | cmp -s - /tmp/before && return 0
		sleep 0.1
	done
	snapshot | diff /tmp/before -
}
