# Shared by the bats files: a private kistd, a private registry, both clients.
#
#   setup_file()    { kist_start; }          a daemon with its own root, sockets, bridge, addresses and cgroups
#   teardown_file() { kist_end; }            containers, daemon, bridge, table, cgroups and files are gone after it
#
# Everything that is made has a name that begins with "kist-test" or "kt", so that the leak check of tests/run can see it.

BUILD=${KIST_BUILD:?run the tests with tests/run}
KIST=$BUILD/bin/kist
BUSYBOX=kist.local/busybox

bats_require_minimum_version 1.5.0

# --- the daemon ---

kist_start() { # [OPTION...] of kistd
	KT_DIR=$(mktemp -d "${TMPDIR:-/tmp}/kist-test.XXXXXX")
	KT_NAME=kt$$
	# One /20 of 10.192.0.0/10 per daemon, by its process id.
	KT_POOL=10.$((192 + $$ / 16 % 64)).$(($$ % 16 * 16)).0/20
	export KT_DIR KT_NAME KT_POOL
	KIST_HOST=unix://$KT_DIR/kist.sock
	DOCKER_HOST=$KIST_HOST
	export KIST_HOST DOCKER_HOST DOCKER_CONFIG=$KT_DIR/docker
	kistd_up "$@"
}

kistd_up() { # start (again) what kist_start described
	# shellcheck disable=SC2086  # a command with its arguments
	${KISTD_WITHIN:-} "$BUILD/bin/${KISTD:-kistd}" --root "$KT_DIR/root" --run-root "$KT_DIR/run" --host "$KIST_HOST" --bridge "$KT_NAME" \
		--address-pool "$KT_POOL" --cgroup-parent "kist-test-$KT_NAME" "$@" >>"$KT_DIR/kistd.log" 2>&1 3>&- &
	KT_PID=$!
	disown
	echo "$KT_PID" >"$KT_DIR/pid"
	local i
	for i in $(seq 200); do
		curl -sf --unix-socket "$KT_DIR/kist.sock" http://kist/_ping >/dev/null 2>&1 && return 0
		kill -0 "$KT_PID" 2>/dev/null || break
		sleep 0.05
	done
	echo "kistd did not start:" >&2
	cat "$KT_DIR/kistd.log" >&2
	return 1
}

kistd_pid() { cat "$KT_DIR/pid"; }

# Wait until a process is gone; it may be nobody's child here, and whoever is to reap it may take its time.
gone() { # PID
	local i
	for i in $(seq 400); do
		! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null || { sleep 0.025; continue; }
		return 0
	done
	return 1
}

kistd_kill9() { kill -9 "$(kistd_pid)" && gone "$(kistd_pid)"; }
kistd_stop() { kill -TERM "$(kistd_pid)" 2>/dev/null; gone "$(kistd_pid)"; }

kist_end() {
	[ -n "${KT_DIR:-}" ] || return 0
	local ids
	ids=$("$KIST" ps -aq 2>/dev/null)
	# shellcheck disable=SC2086  # a list of words on purpose
	[ -z "$ids" ] || "$KIST" rm -f $ids >/dev/null 2>&1
	"$KIST" network prune --force >/dev/null 2>&1
	kistd_stop
	ip link del "$KT_NAME" 2>/dev/null
	nft delete table inet "kist-$KT_NAME" 2>/dev/null
	find /sys/fs/cgroup -depth -type d -path "*/kist-test-$KT_NAME*" -exec rmdir {} + 2>/dev/null
	registry_stop
	[ -z "${KIST_TEST_KEEP:-}" ] || { echo "kept: $KT_DIR" >&2; return 0; }
	rm -rf --one-file-system "$KT_DIR"
}

# Run the rest as a client: kist, or a stock docker.  client docker run …
client() { # kist|docker|docker-new ARG...
	local which=$1
	shift
	case $which in
	kist) "$KIST" "$@" ;;
	docker) /usr/bin/docker "$@" ;;
	docker-new) "$(newer_docker)" "$@" ;;
	esac
}

# A docker client that is newer than Debian's, when there is one.
newer_docker() {
	local d
	for d in /usr/local/bin/docker /opt/docker/docker; do
		[ -x "$d" ] && echo "$d" && return 0
	done
	return 1
}

clients() {
	echo kist docker
	newer_docker >/dev/null && echo docker-new
}

# Wait for a command to succeed, up to twenty seconds: the machine may be busy.
eventually() {
	local i
	for i in $(seq 400); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "never came true: $*" >&2
	return 1
}

state_of() { "$KIST" inspect -f '{{.State.Status}}' "$1"; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }

# For teardown(): what a test left is a failure of that test, and not of all that follow it.
left_nothing() {
	local status=0 ids
	nothing_left || status=1
	ids=$("$KIST" ps -aq)
	# shellcheck disable=SC2086  # a list of words on purpose
	[ -z "$ids" ] || "$KIST" rm -f $ids >/dev/null
	return $status
}

# No container, monitor, mount, veth or directory of a container is left of this daemon.
nothing_left() {
	[ -z "$("$KIST" ps -aq)" ] || { echo "containers are left: $("$KIST" ps -a)" >&2; return 1; }
	[ -z "$(ls "$KT_DIR/root/containers" 2>/dev/null)" ] || { echo "directories are left: $(ls "$KT_DIR/root/containers")" >&2; return 1; }
	[ -z "$(ls "$KT_DIR/run/containers" 2>/dev/null)" ] || { echo "run directories are left: $(ls "$KT_DIR/run/containers")" >&2; return 1; }
	[ -z "$(find /sys/fs/cgroup -type d -path "*/kist-test-$KT_NAME/?*" 2>/dev/null)" ] || { echo "cgroups are left" >&2; return 1; }
	[ -z "$(ip -o link show master "$KT_NAME" 2>/dev/null)" ] || { echo "links are left" >&2; return 1; }
	! grep -q "$KT_DIR/root" /proc/self/mountinfo || { echo "mounts are left" >&2; return 1; }
}

# --- a registry on loopback ---

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

registry_start() {
	REGISTRY_PORT=$(free_port)
	REGISTRY=localhost:$REGISTRY_PORT
	export REGISTRY REGISTRY_PORT
	mkdir -p "$KT_DIR/registry"
	cat >"$KT_DIR/registry.yml" <<-YML
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $KT_DIR/registry}, delete: {enabled: true}}
		http: {addr: "127.0.0.1:$REGISTRY_PORT"}
	YML
	docker-registry serve "$KT_DIR/registry.yml" >"$KT_DIR/registry.log" 2>&1 3>&- &
	echo $! >"$KT_DIR/registry.pid"
	disown
	eventually curl -sf "http://127.0.0.1:$REGISTRY_PORT/v2/"
}

registry_stop() {
	[ -f "$KT_DIR/registry.pid" ] || return 0
	kill "$(cat "$KT_DIR/registry.pid")" 2>/dev/null
	gone "$(cat "$KT_DIR/registry.pid")"
	rm -f "$KT_DIR/registry.pid"
}

registry_push() { # OCI-LAYOUT-DIR NAME:TAG
	skopeo copy -q --dest-tls-verify=false "oci:$1" "docker://127.0.0.1:$REGISTRY_PORT/$2"
}
