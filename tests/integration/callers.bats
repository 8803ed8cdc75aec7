# The programs that call an OCI runtime, all from Debian, with kist-runtime in place of theirs.
load ../lib/callers.bash

setup_file() {
	callers_up || return 1
	if command -v podman >/dev/null; then
		podman load -q -i "$BUILD/data/busybox.oci.tar" >"$CALLER_DIR/podman.load" 2>&1 || cat "$CALLER_DIR/podman.load" >&2
	fi
	containerd_up
	dockerd_up
}

teardown_file() { callers_down; }

# The lines of the last `run`, as one.
lines_are() { [ "${lines[*]}" = "$1" ] || { echo "not \"$1\": $output" >&2; return 1; }; }
has() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# --- Podman ---

podman_words() {
	echo podman --root "$CALLER_DIR/podman" --runroot /run/podman-run --cgroup-manager cgroupfs --events-backend none --runtime "$RUNTIME"
}
podman() { # shellcheck disable=SC2046  # words on purpose
	if [ "$1" = --tty ]; then shift; on_terminal $(podman_words) "$@"; else inside $(podman_words) "$@"; fi
}

@test "podman: run, output, input and exit status" {
	has podman
	[ "$(podman run --rm --network none $IMAGE echo through)" = through ]
	[ "$(echo through | podman run -i --rm --network none $IMAGE cat)" = through ]
	run -7 podman run --rm --network none $IMAGE sh -c 'exit 7'
	run -127 podman run --rm --network none $IMAGE nosuch
	run -126 podman run --rm --network none $IMAGE /etc
	run -137 podman run --rm --network none --pid host $IMAGE sh -c 'kill -9 $$'
}

@test "podman: limits" {
	has podman
	run -0 podman run --rm --network none --memory 64m --memory-swap 64m --cpus 0.5 --cpu-shares 77 --cpuset-cpus 0 --pids-limit 33 $IMAGE sh -c \
		'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares cpuset/cpuset.cpus pids/pids.max'
	lines_are "67108864 50000 77 0 33"
	run -137 podman run --rm --network none --memory 16m --memory-swap 16m $IMAGE sh -c 'x=a; while :; do x=$x$x; done'
}

@test "podman: exec, pause, stats, update, kill, rm" {
	has podman
	podman run -d --name life --network none $IMAGE sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	[ "$(podman exec life echo in)" = in ]
	run -9 podman exec life sh -c 'exit 9'
	run -127 podman exec life nosuch
	run -126 podman exec life /etc
	[ "$(podman exec -e A=1 -u 5:6 -w /tmp life sh -c 'echo $A $(id -u) $(id -g) $PWD')" = "1 5 6 /tmp" ]
	[ "$(echo through | podman exec -i life cat)" = through ]
	podman exec -d life sleep 321
	eventually sh -c "sh $CALLER_DIR/enter $(podman_words) top life | grep -q 'sleep 321'"
	podman pause life
	[ "$(podman inspect -f '{{.State.Status}}' life)" = paused ]
	run -255 --separate-stderr podman exec life true
	podman unpause life
	podman stats --no-stream --no-reset life | grep -q life
	podman update --memory 32m --memory-swap 32m life
	[ "$(podman exec life cat /sys/fs/cgroup/memory/memory.limit_in_bytes)" = 33554432 ]
	podman stop life
	[ "$(podman inspect -f '{{.State.ExitCode}}' life)" = 3 ]
	podman start life
	podman kill life
	[ "$(podman wait life)" = 137 ]
	podman rm life
	run -1 podman container exists life
}

@test "podman: a terminal" {
	has podman
	run -5 podman --tty run -it --rm --network none $IMAGE sh -c 'sleep 0.5; tty; stty size; exit 5'
	[[ "$output" == *"/dev/pts/0"*"33 77"* ]]
	podman run -d --name term --network none $IMAGE sleep 300
	run -6 podman --tty exec -it term sh -c 'sleep 0.5; tty; stty size; exit 6'
	[[ "$output" == *"/dev/pts/0"*"33 77"* ]]
	podman rm -f -t 0 term
}

@test "podman: a health check" {
	has podman
	podman run -d --name health --network none --health-cmd 'test -e /tmp/well' --health-interval disable $IMAGE sleep 300
	run -1 podman healthcheck run health
	podman exec health touch /tmp/well
	run -0 podman healthcheck run health
	podman rm -f -t 0 health
}

@test "podman: what a container may be told" {
	has podman
	run -0 podman run --rm --network none --read-only --tmpfs /x:size=1m --shm-size 3m -v "$BUILD/data:/data:ro" --user 5:6 --cap-drop all --ulimit nofile=55:55 \
		--security-opt no-new-privileges --hostname named --sysctl kernel.msgmax=8193 --device /dev/zero:/dev/zero2:r --annotation a=b --umask 027 $IMAGE \
		sh -c 'touch /y 2>/dev/null || echo read-only; df -k /x /dev/shm | tail -n 2 | tr -s " " | cut -d" " -f2; ls /data; touch /data/x 2>/dev/null || echo ro;
			id -u; grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status | tr -d "\t"; ulimit -n; hostname; cat /proc/sys/kernel/msgmax; test -c /dev/zero2 && echo node; umask'
	lines_are "read-only 1024 3072 busybox.oci.tar ro 5 CapBnd:0000000000000000 NoNewPrivs:1 55 named 8193 node 0027"
	run -0 podman run --rm --network none --privileged $IMAGE sh -c 'mkdir /m && mount -t tmpfs none /m && echo mounted; ls /dev | wc -l'
	[ "${lines[0]}" = mounted ]
	# A user namespace of its own.
	run -0 podman run --rm --network none --uidmap 0:100000:1000 --gidmap 0:100000:1000 $IMAGE sh -c 'id -u; tr -s " " </proc/self/uid_map; touch /made && ls -ln /made | tr -s " " | cut -d" " -f3'
	lines_are "0  0 100000 1000 0"
}

@test "podman: files that are handed on" {
	has podman
	echo three >"$CALLER_DIR/three"
	[ "$(podman run --rm --network none --preserve-fds 1 $IMAGE cat /proc/self/fd/3 3<"$CALLER_DIR/three")" = three ]
}

@test "podman: namespaces of another container" {
	has podman
	podman run -d --name first --network none --ipc shareable $IMAGE sleep 300
	run -0 podman run --rm --pid container:first --network container:first --ipc container:first --uts container:first $IMAGE sh -c 'ps | grep -c "sleep 300"; hostname'
	[ "${lines[0]}" -ge 1 ]
	[ "${lines[1]}" = "$(podman exec first hostname)" ]
	podman rm -f -t 0 first
}

@test "podman: a bridge" {
	has podman
	[ -x /usr/lib/podman/netavark ] || [ -d /usr/lib/cni ] || skip "neither netavark nor CNI plugins are installed"
	run -0 podman run --rm $IMAGE ip -o -4 addr show dev eth0
	[[ "$output" == *"inet 10.88."* ]]
}

# As an ordinary user, whose ids the small machine alone knows.
as_user() { # COMMAND [ARG...]
	chmod 755 "$CALLER_DIR" # what it works with is below it
	inside sh -c '[ -e /run/tester ] || {
		echo "tester:x:4242:4242::/run/tester:/bin/sh" | cat /etc/passwd - >/run/passwd
		echo "tester:x:4242:" | cat /etc/group - >/run/group
		echo "tester:300000:65536" >/run/subid
		for file in passwd group; do mount --bind /run/$file /etc/$file; done
		for file in subuid subgid; do mount --bind /run/subid /etc/$file; done
		mkdir -p /run/tester/run && chown -R 4242:4242 /run/tester
	}'
	inside setpriv --reuid 4242 --regid 4242 --clear-groups --reset-env env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/run/tester XDG_RUNTIME_DIR=/run/tester/run "$@"
}
user_podman() { as_user podman --cgroup-manager cgroupfs --events-backend none --storage-driver vfs --runtime "$RUNTIME" "$@"; }

@test "podman: as an ordinary user" {
	has podman
	has newuidmap
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "no /etc/subuid"
	as_user test -x "$RUNTIME" || skip "the build directory is closed to ordinary users"
	user_podman load -q -i "$BUILD/data/busybox.oci.tar"
	[ "$(user_podman run --rm --network none $IMAGE id -u)" = 0 ]
	[ "$(user_podman run --rm --network none $IMAGE cat /proc/self/uid_map | head -n 1 | tr -s ' ')" = " 0 4242 1" ]
	run -7 user_podman run --rm --network none $IMAGE sh -c 'exit 7'
	run -127 user_podman run --rm --network none $IMAGE nosuch
	[ "$(user_podman run --rm --network none --userns keep-id $IMAGE id -u)" = 4242 ]
	[ "$(user_podman run --rm --network none --uidmap 0:1:1000 $IMAGE cat /proc/self/uid_map | tr -s ' ')" = " 0 1 1000" ]
	user_podman run -d --name mine --network none $IMAGE sleep 300
	run -4 user_podman exec mine sh -c 'exit 4'
	user_podman kill mine
	[ "$(user_podman wait mine)" = 137 ]
	user_podman rm mine
}

@test "no caller: an ordinary user at the command line" {
	has newuidmap
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "no /etc/subuid"
	as_user test -x "$RUNTIME" || skip "the build directory is closed to ordinary users"
	local b=$CALLER_DIR/user-bundle
	mkdir -p "$b/rootfs/bin" "$b/rootfs/proc" "$b/rootfs/sys" "$b/rootfs/dev"
	cp "$(command -v busybox)" "$b/rootfs/bin/busybox"
	ln -sf busybox "$b/rootfs/bin/sh"
	change() { jq "$1" "$b/config.json" >"$b/new" && mv "$b/new" "$b/config.json"; }
	chown 4242:4242 "$b"
	as_user sh -c "cd $b && $RUNTIME spec --rootless"
	change '.process.terminal = false | .process.args = ["/bin/sh", "-c", "busybox cat /proc/self/uid_map; exit 6"]'
	run -6 as_user "$RUNTIME" run -b "$b" one
	[ "$(tr -s ' ' <<<"$output")" = " 0 4242 1" ]
	# With the ids that /etc/subuid gives; its own file in the root is root's.
	change '.linux.uidMappings += [{containerID: 1, hostID: 300000, size: 1000}] | .linux.gidMappings = .linux.uidMappings | .process.args = ["/bin/busybox", "sleep", "300"]'
	as_user "$RUNTIME" create -b "$b" life </dev/null >/dev/null 2>&1
	as_user "$RUNTIME" start life
	run -3 as_user "$RUNTIME" exec life /bin/sh -c 'busybox id -u; exit 3'
	[ "$output" = 0 ]
	run -1 as_user "$RUNTIME" pause life
	[[ "$output" == *"it has no cgroup"* ]]
	run -1 as_user "$RUNTIME" delete life
	as_user "$RUNTIME" delete --force life
	[ "$(as_user "$RUNTIME" list -q)" = "" ]
	# What cannot be given is said.
	change '.linux.resources.memory = {limit: 67108864}'
	run -1 as_user "$RUNTIME" run -b "$b" bad
	[[ "$output" == *"linux.resources.memory"* ]]
	change 'del(.linux.resources) | .linux.uidMappings[1].hostID = 100'
	run -1 as_user "$RUNTIME" run -b "$b" bad
	[[ "$output" == *"linux.uidMappings: refused by newuidmap"* ]]
	change '.linux.namespaces |= map(select(.type != "user"))'
	run -1 as_user "$RUNTIME" run -b "$b" bad
	[[ "$output" == *"an ordinary user needs a user namespace"* ]]
	[ "$(as_user "$RUNTIME" list -q)" = "" ]
}

# --- Buildah ---

buildah_words() { echo buildah --root "$CALLER_DIR/buildah" --runroot /run/buildah-run; }
buildah() { inside $(buildah_words) "$@"; }

@test "buildah: run and build" {
	has buildah
	local base
	base=$(buildah from -q "oci-archive:$BUILD/data/busybox.oci.tar")
	[ "$(buildah run --runtime "$RUNTIME" --isolation oci --network none "$base" echo through)" = through ]
	run -4 buildah run --runtime "$RUNTIME" --isolation oci --network none "$base" sh -c 'exit 4'
	run buildah run --runtime "$RUNTIME" --isolation oci --network none "$base" nosuch
	[ "$status" -ne 0 ]
	[[ "$output" == *"executable file not found in \$PATH"* ]]
	run -0 on_terminal $(buildah_words) run --runtime "$RUNTIME" --isolation oci --network none -t "$base" tty
	[[ "$output" == *"/dev/pts/0"* ]]
	mkdir -p "$CALLER_DIR/context"
	printf 'FROM oci-archive:%s\nRUN echo built >/made\nENV A=1\nRUN ["sh", "-c", "echo $A >>/made"]\n' "$BUILD/data/busybox.oci.tar" >"$CALLER_DIR/context/Containerfile"
	buildah bud --runtime "$RUNTIME" --isolation oci --network none -t made "$CALLER_DIR/context"
	base=$(buildah from --pull-never -q localhost/made)
	[ "$(buildah run --runtime "$RUNTIME" --isolation oci --network none "$base" cat /made | tr '\n' ' ')" = "built 1 " ]
	printf 'FROM oci-archive:%s\nRUN exit 9\n' "$BUILD/data/busybox.oci.tar" >"$CALLER_DIR/context/Containerfile"
	run ! buildah bud --runtime "$RUNTIME" --isolation oci --network none "$CALLER_DIR/context"
	[[ "$output" == *"exit status 9"* ]]
}

# --- containerd ---

containerd_up() {
	command -v containerd >/dev/null || return 0
	printf 'version = 2\nroot = "%s/containerd"\nstate = "/run/kist-containerd"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "/run/kist-containerd.sock"\n' \
		"$CALLER_DIR" >"$CALLER_DIR/containerd.toml"
	inside_daemon "$CALLER_DIR/containerd.log" containerd -c "$CALLER_DIR/containerd.toml"
	eventually ctr version || { cat "$CALLER_DIR/containerd.log" >&2; return 1; }
	ctr image import "$BUILD/data/busybox.oci.tar" >/dev/null
}
ctr() { inside ctr -a /run/kist-containerd.sock "$@"; }

@test "containerd: run, exec, pause, figures, kill" {
	has containerd
	[ "$(ctr run --rm --runc-binary "$RUNTIME" $IMAGE once echo through)" = through ]
	run -6 ctr run --rm --runc-binary "$RUNTIME" $IMAGE once sh -c 'exit 6'
	run ctr run --rm --runc-binary "$RUNTIME" $IMAGE once nosuch
	[[ "$output" == *'exec: "nosuch": executable file not found in $PATH'* ]]
	ctr run -d --runc-binary "$RUNTIME" --memory-limit 33554432 $IMAGE life sleep 300
	[[ "$(ctr task ls)" == *life*RUNNING* ]]
	[ "$(ctr task exec --exec-id e1 life echo in)" = in ]
	run -3 ctr task exec --exec-id e2 life sh -c 'exit 3'
	run ctr task exec --exec-id e3 life nosuch
	[[ "$output" == *'executable file not found in $PATH'* ]]
	ctr task pause life
	[[ "$(ctr task ls)" == *life*PAUSED* ]]
	ctr task resume life
	[[ "$(ctr task ls)" == *life*RUNNING* ]]
	[ "$(ctr task ps life | wc -l)" = 2 ]
	[[ "$(ctr task metrics life)" == *memory.limit_in_bytes*33554432* ]]
	ctr task kill -s KILL life
	eventually sh -c "sh $CALLER_DIR/enter ctr -a /run/kist-containerd.sock task ls | grep -q 'life.*STOPPED'"
	run ctr task kill -s KILL life # said as containerd knows it
	run ctr task delete life
	ctr container delete life
}

@test "containerd: a terminal" {
	has containerd
	run on_terminal ctr -a /run/kist-containerd.sock run --rm -t --runc-binary "$RUNTIME" $IMAGE term sh -c 'sleep 0.5; tty; stty size; exit 5'
	[[ "$output" == *"/dev/pts/0"*"33 77"* ]]
}

# --- dockerd ---

dockerd_up() {
	command -v dockerd >/dev/null && command -v skopeo >/dev/null || return 0
	dockerd_start --add-runtime "kist=$RUNTIME" --default-runtime kist
}
docker() { inside /usr/bin/docker -H unix://$CALLER_DIR/docker.sock "$@"; }
has_docker() {
	has dockerd
	has skopeo
	[ -x /usr/bin/docker ] || skip "Debian's docker client is not installed"
}

@test "dockerd: run, networks, exit status" {
	has_docker
	[ "$(docker info -f '{{.DefaultRuntime}}')" = kist ]
	[ "$(docker run --rm --network none $IMAGE echo through)" = through ]
	[ "$(docker run --rm --network host $IMAGE echo through)" = through ]
	run -0 docker run --rm $IMAGE ip -o -4 addr show dev eth0 # the hooks of its network library
	[[ "$output" == *"inet 172."* ]]
	[ "$(echo through | docker run -i --rm $IMAGE cat)" = through ]
	run -7 docker run --rm $IMAGE sh -c 'exit 7'
	run -127 docker run --rm $IMAGE nosuch
	run -126 docker run --rm $IMAGE /etc
}

@test "dockerd: limits, exec, pause, health, stop, kill" {
	has_docker
	docker run -d --name life --memory 64m --memory-swap 64m --cpus 0.5 --pids-limit 55 --health-cmd true --health-interval 500ms $IMAGE \
		sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	run -0 docker exec life sh -c 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max'
	lines_are "67108864 50000 55"
	run -9 docker exec life sh -c 'exit 9'
	run docker exec life nosuch
	[[ "$output" == *"executable file not found"* ]]
	[ "$(docker exec -e A=1 -u 5:6 -w /tmp life sh -c 'echo $A $(id -u) $(id -g) $PWD')" = "1 5 6 /tmp" ]
	docker pause life
	[ "$(docker inspect -f '{{.State.Status}}' life)" = paused ]
	docker unpause life
	docker top life | grep -q trap
	docker stats --no-stream life | grep -q '64MiB'
	docker update --memory 32m --memory-swap 32m life
	[ "$(docker exec life cat /sys/fs/cgroup/memory/memory.limit_in_bytes)" = 33554432 ]
	eventually sh -c "sh $CALLER_DIR/enter /usr/bin/docker -H unix://$CALLER_DIR/docker.sock inspect -f '{{.State.Health.Status}}' life | grep -q ^healthy"
	docker stop life
	[ "$(docker inspect -f '{{.State.ExitCode}}' life)" = 3 ]
	docker start life
	docker restart -t 0 life
	docker kill life
	[ "$(docker wait life)" = 137 ]
	docker rm life
	run -137 docker run --name full -m 16m --memory-swap 16m $IMAGE sh -c 'x=a; while :; do x=$x$x; done'
	[ "$(docker inspect -f '{{.State.OOMKilled}}' full)" = true ]
	docker rm full
}

@test "dockerd: a terminal" {
	has_docker
	run -5 on_terminal /usr/bin/docker -H unix://$CALLER_DIR/docker.sock run -it --rm $IMAGE sh -c 'sleep 0.5; tty; stty size; exit 5'
	[[ "$output" == *"/dev/pts/0"*"33 77"* ]]
}

@test "dockerd: privileged, and the opposite" {
	has_docker
	run -0 docker run --rm --privileged $IMAGE sh -c 'mkdir /m && mount -t tmpfs none /m && echo mounted'
	[ "$output" = mounted ]
	run -0 docker run --rm --read-only --tmpfs /x --shm-size 3m -v "$BUILD/data:/data:ro" -u 5:6 --cap-drop ALL --security-opt no-new-privileges --init --ulimit nofile=55 \
		--sysctl net.ipv4.ip_forward=1 --hostname named $IMAGE sh -c 'ls /data; id -u; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\t"; ulimit -n; hostname;
			cat /proc/sys/net/ipv4/ip_forward; cut -d" " -f2 /proc/1/stat'
	lines_are "busybox.oci.tar 5 CapBnd:0000000000000000 NoNewPrivs:1 Seccomp:2 55 named 1 (docker-init)"
}

@test "dockerd: a build" {
	has_docker
	mkdir -p "$CALLER_DIR/context2"
	printf 'FROM %s\nRUN echo built >/made\nENV A=1\nRUN ["sh", "-c", "echo $A >>/made"]\n' "$IMAGE" >"$CALLER_DIR/context2/Dockerfile"
	inside env DOCKER_BUILDKIT=0 /usr/bin/docker -H unix://$CALLER_DIR/docker.sock build -q -t made "$CALLER_DIR/context2"
	[ "$(docker run --rm --network none made cat /made | tr '\n' ' ')" = "built 1 " ]
}

@test "nothing of them is left in the runtime's keeping" {
	# Each caller has its own state directory; what is running now are no containers of these tests.
	has_docker
	[ -z "$(docker ps -aq)" ]
	[ -z "$(inside ls -A /run/kist-docker/runtime-kist/moby 2>/dev/null)" ]
	[ -z "$(podman ps -aq)" ]
}
