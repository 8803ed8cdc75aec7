# A small machine inside of this one, for the programs that call an OCI runtime: mount, network, process and cgroup namespaces of their own, without
# the v2 tree of a hybrid host (which Debian's Podman and crun do not like beside v1), and with /run and the like in memory. When its first process
# is killed, all that they have started and mounted is gone with it.
#
#   callers_up, callers_down          for setup_file() and teardown_file()
#   inside COMMAND [ARG...]           run something there; it has $CALLER_SECONDS (60)
#   dockerd_start [OPTION...]         Debian's dockerd there, with busybox; its socket, $CALLER_DIR/docker.sock, is reached from everywhere

bats_require_minimum_version 1.5.0

BUILD=${KIST_BUILD:?run the tests with tests/run}
RUNTIME=${KIST_RUNTIME:-$BUILD/bin/kist-runtime}
IMAGE=kist.local/busybox:latest

callers_up() {
	CALLER_DIR=$(mktemp -d "${TMPDIR:-/tmp}/kist-test.XXXXXX")
	CALLER_CGROUP=kist-test-callers$$
	export CALLER_DIR CALLER_CGROUP
	local dir
	# Its cgroup namespace is rooted in a cgroup of ours in every hierarchy.
	: >"$CALLER_DIR/cgroups"
	for dir in /sys/fs/cgroup/*/; do
		dir=${dir%/}
		[ -e "$dir/cgroup.procs" ] && [ ! -L "$dir" ] || continue
		mkdir "$dir/$CALLER_CGROUP"
		if [ -e "$dir/cpuset.cpus" ]; then
			cat "$dir/cpuset.cpus" >"$dir/$CALLER_CGROUP/cpuset.cpus"
			cat "$dir/cpuset.mems" >"$dir/$CALLER_CGROUP/cpuset.mems"
		fi
		echo "$dir/$CALLER_CGROUP/cgroup.procs" >>"$CALLER_DIR/cgroups"
	done
	cat >"$CALLER_DIR/first" <<-'SH'
		mount --make-rprivate /
		for dir in /sys/fs/cgroup/*/; do
			dir=${dir%/}
			[ ! -L "$dir" ] && mountpoint -q "$dir" || continue
			case $dir in
			*/unified) umount "$dir" && mount -t tmpfs none "$dir" ;;
			*/systemd) umount "$dir" && mount -t cgroup -o none,name=systemd cgroup "$dir" ;;
			*) umount "$dir" && mount -t cgroup -o "${dir##*/}" cgroup "$dir" ;;
			esac
		done
		for dir in /run /var/lib/containers /var/lib/cni /var/cache/containers /etc/cni /etc/containers/networks; do
			[ ! -d "$dir" ] || mount -t tmpfs -o mode=755 none "$dir"
		done
		mkdir -p /run/lock
		ip link set lo up
		echo ready >"$1/ready"
		exec sleep 3600
	SH
	cat >"$CALLER_DIR/enter" <<-'SH'
		while read -r procs; do echo 0 >"$procs"; done <"$CALLER_DIR/cgroups"
		exec nsenter -t "$(cat "$CALLER_DIR/pid")" -m -n -p -C -- "$@"
	SH
	# The shell that moves itself there first is the one whose cgroups become the roots.
	sh -c 'while read -r procs; do echo 0 >"$procs"; done <"$1/cgroups"; exec unshare -m -n -C -p -f --mount-proc sh "$1/first" "$1"' \
		sh "$CALLER_DIR" </dev/null >"$CALLER_DIR/log" 2>&1 3>&- &
	local outer=$! i
	disown
	for i in $(seq 200); do
		[ -e "$CALLER_DIR/ready" ] && break
		sleep 0.02
	done
	[ -e "$CALLER_DIR/ready" ] || { cat "$CALLER_DIR/log" >&2; return 1; }
	pgrep -P "$outer" >"$CALLER_DIR/pid"
}

inside() { timeout -k 5 "${CALLER_SECONDS:-60}" sh "$CALLER_DIR/enter" "$@"; }

# In the background, for as long as the small machine runs.
inside_daemon() { # LOG COMMAND [ARG...]
	local log=$1
	shift
	sh "$CALLER_DIR/enter" "$@" </dev/null >"$log" 2>&1 3>&- &
	disown
}

dockerd_start() {
	printf '{}' >"$CALLER_DIR/daemon.json"
	inside_daemon "$CALLER_DIR/dockerd.log" dockerd --config-file "$CALLER_DIR/daemon.json" --data-root "$CALLER_DIR/docker" --exec-root /run/kist-docker -p /run/kist-docker.pid \
		-H "unix://$CALLER_DIR/docker.sock" "$@"
	skopeo copy -q "oci-archive:$BUILD/data/busybox.oci.tar" "docker-archive:$CALLER_DIR/busybox.docker.tar:$IMAGE"
	local i
	for i in $(seq 600); do
		/usr/bin/docker -H "unix://$CALLER_DIR/docker.sock" info >/dev/null 2>&1 && break
		sleep 0.1
	done
	/usr/bin/docker -H "unix://$CALLER_DIR/docker.sock" load -q -i "$CALLER_DIR/busybox.docker.tar" >/dev/null || { cat "$CALLER_DIR/dockerd.log" >&2; return 1; }
}

callers_down() {
	[ -n "${CALLER_DIR:-}" ] || return 0
	[ ! -s "$CALLER_DIR/pid" ] || kill -9 "$(cat "$CALLER_DIR/pid")" 2>/dev/null
	local i
	for i in $(seq 100); do
		find /sys/fs/cgroup -depth -type d -path "*/$CALLER_CGROUP*" -exec rmdir {} + 2>/dev/null
		[ -n "$(find /sys/fs/cgroup -type d -path "*/$CALLER_CGROUP*")" ] || break
		sleep 0.05
	done
	[ -z "${KIST_TEST_KEEP:-}" ] || { echo "kept: $CALLER_DIR" >&2; return 0; }
	rm -rf --one-file-system "$CALLER_DIR"
}

# On a terminal of 33 lines and 77 columns.
on_terminal() { # COMMAND [ARG...]
	local words
	printf -v words '%q ' "$@"
	timeout -k 5 "${CALLER_SECONDS:-60}" script -qec "stty rows 33 cols 77; sh $CALLER_DIR/enter $words" /dev/null </dev/null | tr -d '\r'
	return "${PIPESTATUS[0]}"
}

eventually() {
	local i
	for i in $(seq 400); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "never came true: $*" >&2
	return 1
}
