# What people, programs and images write into fields: nothing of it becomes another line, another field, or configuration.
load attack

setup_file() {
	kist_start
	bundle_start
}
teardown_file() {
	bundle_end
	kist_end
}
setup() { bundle_new; }
teardown() {
	bundle_gone
	left_nothing
}

api() { curl -s --max-time 10 --unix-socket "$KT_DIR/kist.sock" "$@"; }
create() { # JSON → status and body
	api -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' -H 'Content-Type: application/json' -d "$1" "http://kist/containers/create${2:-}"
}

@test "attack: newlines in host names, hosts, name servers and names (CVE-2022-4318, CVE-2026-23953)" {
	local field nl='\n' bad
	for field in \
		'"Hostname": "a\nb"' '"Hostname": "a b"' '"Hostname": "a\u0000b"' '"Hostname": "a/../b"' '"Domainname": "a\n6.6.6.6 bank"' \
		'"HostConfig": {"ExtraHosts": ["a:1.2.3.4\n6.6.6.6 bank"]}' '"HostConfig": {"ExtraHosts": ["a\n6.6.6.6 bank:1.2.3.4"]}' \
		'"HostConfig": {"ExtraHosts": ["a:1.2.3.4\r6.6.6.6 bank"]}' '"HostConfig": {"ExtraHosts": ["a b:1.2.3.4"]}' \
		'"HostConfig": {"Dns": ["1.1.1.1\nnameserver 6.6.6.6"]}' '"HostConfig": {"DnsSearch": ["x\nnameserver 6.6.6.6"]}' \
		'"HostConfig": {"DnsOptions": ["ndots:1\nnameserver 6.6.6.6"]}' '"Env": ["A=b\u0000LD_PRELOAD=/x"]' '"Env": ["=x"]' \
		'"Cmd": ["a\u0000b"]' '"WorkingDir": "/a\u0000b"' '"WorkingDir": "relative"'; do
		[ "$(create "{\"Image\": \"$BUSYBOX\", $field}")" = 400 ] || { echo "$field: $(cat "$BATS_TEST_TMPDIR/body")"; false; }
	done
	for bad in 'a%0Ab' '..' '../x' '%2e%2e%2fx' 'a%00b' '-x' 'a/b' '' "$(printf 'a%.0s' {1..300})"; do
		[ "$(create "{\"Image\": \"$BUSYBOX\"}" "?name=$bad")" = 400 ] || [ -z "$bad" ] || { echo "name $bad: $(cat "$BATS_TEST_TMPDIR/body")"; false; }
	done
	api -X POST "http://kist/containers/create" -H 'Content-Type: application/json' -d "{\"Image\": \"$BUSYBOX\"}" >/dev/null
	id=$("$KIST" ps -alq 2>/dev/null || "$KIST" ps -aq | head -n 1)
	[ "$(api -o /dev/null -w '%{http_code}' -X POST "http://kist/containers/$id/rename?name=a%0Ab")" = 400 ]
	"$KIST" rm $("$KIST" ps -aq)
	# What has more than a line of its own stays in its place: variables and labels.
	[ "$("$KIST" run --rm -e $'A=one\nB=two' $BUSYBOX sh -c 'echo "$A/$B"')" = $'one\nB=two/' ]
	id=$("$KIST" create -l $'a=b\nc=d' $BUSYBOX true)
	[ "$("$KIST" inspect "$id" | jq -r '.[0].Config.Labels.a')" = $'b\nc=d' ]
	[ "$("$KIST" inspect "$id" | jq -r '.[0].Config.Labels | length')" = 1 ]
	"$KIST" rm "$id"
	# The files hold exactly what was asked for.
	run -0 "$KIST" run --rm -h box --add-host bank:1.2.3.4 $BUSYBOX sh -c 'cat /etc/hosts | grep -c bank; cat /etc/hostname'
	[ "$output" = 1$'\n'box ]
}

@test "attack: the same fields in a bundle's config" {
	local filter
	for filter in '.hostname = "a\u0000b"' '.process.args = ["/bin/true\u0000x"]' '.process.env += ["A=b\u0000c"]' '.process.cwd = "tmp"' '.process.cwd = "/tmp\u0000x"' \
		'.root.path = "rootfs\u0000/etc"' '.mounts[0].destination = "/pr\u0000oc"' '.mounts[0].options += ["ro\u0000"]' '.linux.cgroupsPath = "/../../etc"' \
		'.linux.cgroupsPath = "/a/../../../b"' '.process.env += [5]' '.linux.maskedPaths += ["relative"]'; do
		cp "$KT_DIR/plain/config.json" "$B/config.json"
		args /bin/true
		config "$filter"
		run rt_run
		[ "$status" -ne 0 ] || { echo "$filter: ran"; false; }
		[ "${#lines[@]}" -eq 1 ] || { echo "$filter: $output"; false; }
	done
	cp "$KT_DIR/plain/config.json" "$B/config.json"
	args /bin/true
	for ID in ../x x/../y . .. a/b "" $'a\nb' "$(printf 'a%.0s' {1..5000})"; do
		run rt_run
		[ "$status" -ne 0 ] || { echo "id $ID"; false; }
	done
	[ ! -e "$KT_DIR/x" ]
}

@test "attack: a sysctl smuggles another, or reaches the host (CVE-2022-0811, CVE-2022-0532)" {
	local key before
	before=$(cat /proc/sys/kernel/core_pattern /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/hostname)
	for key in 'kernel.core_pattern=|/evil' 'kernel.shm_rmid_forced=1+kernel.core_pattern=|/evil' 'net.ipv4.ip_forward=1+kernel.core_pattern=x' \
		$'kernel.shm_rmid_forced=1\nkernel.core_pattern=x' $'kernel.shm_rmid_forced\n=1' 'net/../kernel/core_pattern=x' 'net.ipv4/../../kernel/core_pattern=x' \
		'net...kernel.core_pattern=x' 'kernel/core_pattern=x' '/proc/sys/kernel/core_pattern=x' 'kernel.sem_next_idx=1' 'net.=1' 'fs.mqueue.=1' 'vm.overcommit_memory=1' \
		'kernel.hostname=x' 'kernel.modprobe=/evil' 'user.max_user_namespaces=1' 'dev.tty.legacy_tiocsti=1' '=1' 'net.ipv4.ip_forward\0x=1'; do
		run "$KIST" run --rm --sysctl "$key" $BUSYBOX true
		[ "$status" -ne 0 ] || { echo "kist: $key"; false; }
		args /bin/true
		config '.linux.sysctl = {($ARGS.positional[0]): $ARGS.positional[1]}' --args "${key%%=*}" "${key#*=}"
		run rt_run
		[ "$status" -ne 0 ] || { echo "runtime: $key"; false; }
		cp "$KT_DIR/plain/config.json" "$B/config.json"
	done
	# Those of a namespace that is the host's.
	run -125 "$KIST" run --rm --network host --sysctl net.ipv4.ip_forward=0 $BUSYBOX true
	run -125 "$KIST" run --rm --ipc host --sysctl kernel.shm_rmid_forced=1 $BUSYBOX true
	run -125 "$KIST" run --rm --uts host --sysctl kernel.domainname=x $BUSYBOX true
	args /bin/true
	config '.linux.namespaces |= map(select(.type != "network")) | .linux.sysctl = {"net.ipv4.ip_forward": "0"}'
	rt_refused
	# What is allowed is written, and in the container only.
	[ "$("$KIST" run --rm --sysctl kernel.shm_rmid_forced=1 --sysctl net.ipv4.ip_default_ttl=33 $BUSYBOX cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_default_ttl)" = 1$'\n'33 ]
	[ "$(cat /proc/sys/kernel/core_pattern /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/hostname)" = "$before" ]
}

@test "attack: labels and annotations that are words of other engines' configuration (CVE-2024-3154, CVE-2026-53488)" {
	local labels='{"io.kist.privileged": "true", "kist.privileged": "true", "io.kist.seccomp": "unconfined", "io.podman.annotations.seccomp": "unconfined",
		"io.podman.annotations.privileged": "TRUE", "io.containers.capabilities": "ALL", "run.oci.keep_original_groups": "1", "run.oci.mount_context_type": "x",
		"org.systemd.property.ExecStartPre": "[(\"/bin/touch\", [\"/bin/touch\", \"/kist-attack\"], false)]", "org.systemd.property.DeviceAllow": "[(\"/dev/sda\", \"rwm\")]",
		"io.kubernetes.cri.untrusted-workload": "x", "com.docker.logging.driver": "binary:///bin/touch?/kist-attack", "nerdctl/log-uri": "binary:///bin/touch",
		"containerd.io/restart.loguri": "binary:///bin/touch?/kist-attack", "run.oci.hooks.stdout": "/kist-attack", "run.oci.handler": "wasm", "run.oci.systemd.subgroup": "x"}'
	mkdir -p "$BATS_TEST_TMPDIR/top"
	image_load attack/labels "$BATS_TEST_TMPDIR/top" "{\"Labels\": $labels, \"User\": \"\", \"Shell\": [\"/x\"], \"OnBuild\": [\"RUN touch /kist-attack\"], \"ArgsEscaped\": true}"
	wanted=$("$KIST" run --rm $BUSYBOX grep -E '^(Cap|Seccomp|Groups|NoNewPrivs|Uid)' /proc/self/status)
	[ "$("$KIST" run --rm attack/labels /bin/busybox grep -E '^(Cap|Seccomp|Groups|NoNewPrivs|Uid)' /proc/self/status)" = "$wanted" ]
	[ "$("$KIST" run --rm -l io.kist.privileged=true -l nerdctl/log-uri=binary:///bin/touch $BUSYBOX grep -E '^(Cap|Seccomp|Groups|NoNewPrivs|Uid)' /proc/self/status)" = "$wanted" ]
	"$KIST" rmi attack/labels
	args /bin/sh -c 'grep -E "^(Cap|Seccomp|Groups|NoNewPrivs|Uid)" /proc/self/status'
	wanted=$(rt_run)
	config '.annotations = ($ARGS.positional[0] | fromjson)' --args "$labels"
	[ "$(setpriv --groups 4,20 "$RUNTIME" --root "$KT_DIR/state" run -b "$B" "$ID" </dev/null)" = "$wanted" ]
	[ ! -e /kist-attack ]
}

@test "attack: an image's config is of the wrong types, or asks for what only its user may" {
	local json
	mkdir -p "$BATS_TEST_TMPDIR/top"
	for json in '{"Env": "A=b"}' '{"Env": [5]}' '{"Env": ["A\u0000=b"]}' '{"Cmd": {"a": 1}}' '{"Entrypoint": [["x"]]}' '{"WorkingDir": 5}' '{"User": {"uid": 0}}' '{"Volumes": ["/x"]}' \
		'{"StopSignal": "KILL; reboot"}' '{"ExposedPorts": 5}' '{"Labels": [1]}' '{"User": "-1"}' '{"User": "4294967296"}' '{"WorkingDir": "../../.."}'; do
		image_load attack/odd "$BATS_TEST_TMPDIR/top" "$json" || continue # refused right there
		run timeout 10 "$KIST" run --rm --network none attack/odd /bin/true
		[ "$status" -eq 125 ] || [[ "$status" -eq 0 && "$json" != *User* ]] || { echo "$json: $status $output"; false; }
		[ "$(api http://kist/_ping)" = OK ]
		"$KIST" rmi attack/odd
	done
	image_load attack/asks "$BATS_TEST_TMPDIR/top" '{"Privileged": true, "HostConfig": {"Privileged": true, "Binds": ["/:/host"]}, "CapAdd": ["ALL"], "SecurityOpt": ["seccomp=unconfined"], "Memory": -1, "Hostname": "evil", "Tty": true, "MacAddress": "02:00:00:00:00:01"}'
	[ "$("$KIST" run --rm --network none attack/asks /bin/sh -c 'test -e /host && echo host; grep -E "CapBnd|^Seccomp:" /proc/self/status | cut -f 2')" = 00000000a80425fb$'\n'2 ]
	"$KIST" rmi attack/asks
}

@test "attack: top, stats and inspect run nothing of the container (CVE-2022-1227)" {
	local id
	mkdir -p "$BATS_TEST_TMPDIR/top/bin"
	printf '#!/bin/sh\necho ran >>/ran\n' >"$BATS_TEST_TMPDIR/top/bin/ps"
	chmod 755 "$BATS_TEST_TMPDIR/top/bin/ps"
	image_load attack/ps "$BATS_TEST_TMPDIR/top"
	id=$("$KIST" run -d attack/ps sh -c 'exec sleep 60')
	"$KIST" top "$id" | grep -q sleep
	api "http://kist/containers/$id/stats?stream=false" >/dev/null
	run "$KIST" exec "$id" cat /ran
	[ "$status" -ne 0 ]
	"$KIST" rm -f "$id"
	# A program's own name is shown as text.
	id=$("$KIST" run -d attack/ps sh -c 'cp /bin/busybox "/tmp/a
b	c"; exec "/tmp/a
b	c" sleep 60') || true
	run "$KIST" top "$id"
	[ "${#lines[@]}" -le 3 ]
	"$KIST" rm -f "$id"
	"$KIST" rmi attack/ps
}

@test "attack: the text of containers cannot drive the terminal of who lists them" {
	local id
	id=$("$KIST" create --name esc -l $'x=\e[2J' $BUSYBOX sh -c $'echo \e]0;evil\a')
	run -0 "$KIST" ps -a
	[[ "$output" != *$'\e'* ]]
	"$KIST" rm "$id"
}
