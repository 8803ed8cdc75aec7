#!/usr/bin/env bats
# What kistd.json says of new containers, as those see it; SIGHUP changes it for the next ones.

load ../lib/kist.bash

setup_file() {
	FILE=$(mktemp "${TMPDIR:-/tmp}/kist-test-defaults.XXXXXX")
	export FILE
	# A filter that allows all but mkdir(2), by either name.
	cat >"$FILE.seccomp" <<-'JSON'
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
	JSON
	cat >"$FILE" <<-JSON
		{"default-shm-size": "10m", "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 333, "Hard": 444}, "core": {"Soft": 0, "Hard": 0}},
		"default-ipc-mode": "shareable", "default-cgroupns-mode": "private", "init": true, "no-new-privileges": true, "seccomp-profile": "$FILE.seccomp",
		"dns": ["192.0.2.7"], "dns-opts": ["ndots:3"], "dns-search": ["kist.example"], "host-gateway-ip": "192.0.2.9",
		"log-driver": "local", "log-opts": {"max-size": "1m", "mode": "non-blocking"}, "labels": ["rack=7", "team=red"]}
	JSON
	kist_start --config "$FILE"
}
teardown_file() { kist_end; rm -f "$FILE" "$FILE.seccomp"; }
teardown() { left_nothing; }

validate() { echo "$1" >"$BATS_TEST_TMPDIR/kistd.json"; run "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/kistd.json" --validate; }

@test "defaults of containers are seen from inside: /dev/shm, limits, init, privileges, filter, names" {
	run -0 "$KIST" run --rm $BUSYBOX sh -c 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2; ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/1/comm
		grep NoNewPrivs /proc/self/status; mkdir /tmp/x 2>&1; cat /etc/resolv.conf'
	[ "${lines[0]}" = 10240 ]
	[ "${lines[1]}" = 333 ]
	[ "${lines[2]}" = 444 ]
	[ "${lines[3]}" = 0 ]
	[[ ${lines[4]} == *-init ]]
	[[ ${lines[5]} == *1 ]]
	[[ ${lines[6]} == *"Operation not permitted"* ]]
	[[ $output == *"nameserver 192.0.2.7"* && $output == *"options ndots:3"* && $output == *"search kist.example"* ]]
	run -0 "$KIST" run --rm --add-host up:host-gateway --add-host other:192.0.2.1 $BUSYBOX cat /etc/hosts
	[[ $output == *192.0.2.9*up* && $output == *192.0.2.1*other* ]]
}

@test "defaults of containers give way to what a container says, one by one" {
	run -0 "$KIST" run --rm --shm-size 20m --ulimit nofile=100:200 --init=false --security-opt no-new-privileges=false --security-opt seccomp=builtin --dns 192.0.2.8 \
		--dns-search . --add-host up:host-gateway $BUSYBOX sh -c 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2; ulimit -Sn; ulimit -c; cat /proc/1/comm
		grep NoNewPrivs /proc/self/status; mkdir /tmp/x && echo made; cat /etc/resolv.conf'
	[ "${lines[0]}" = 20480 ]
	[ "${lines[1]}" = 100 ]
	[ "${lines[2]}" = 0 ] # the other limit stays
	[ "${lines[3]}" = sh ]
	[[ ${lines[4]} == *0 ]]
	[ "${lines[5]}" = made ]
	[[ $output == *"nameserver 192.0.2.8"* && $output != *192.0.2.7* && $output != *kist.example* && $output == *ndots:3* ]]
	# A privileged container has no filter, and one on another's network that one's names.
	"$KIST" run --rm --privileged $BUSYBOX mkdir /tmp/x
	local id
	id=$("$KIST" run -d --dns 192.0.2.55 $BUSYBOX sleep 60)
	run -0 "$KIST" run --rm --network "container:$id" $BUSYBOX cat /etc/resolv.conf
	[[ $output == *192.0.2.55* && $output != *192.0.2.7* ]]
	"$KIST" rm -f "$id"
}

@test "the log's driver and its options are those of the file, for the same driver only" {
	local id
	id=$("$KIST" create $BUSYBOX true)
	[ "$("$KIST" inspect -f '{{json .HostConfig.LogConfig}} {{.HostConfig.IpcMode}} {{.HostConfig.CgroupnsMode}}' "$id")" = '{"Type":"local","Config":{"mode":"non-blocking"}} shareable private' ]
	"$KIST" rm "$id"
	id=$("$KIST" create --log-driver json-file $BUSYBOX true)
	[ "$("$KIST" inspect -f '{{json .HostConfig.LogConfig}}' "$id")" = '{"Type":"json-file","Config":{}}' ]
	"$KIST" rm "$id"
	id=$("$KIST" create --log-opt mode=blocking --log-opt max-file=2 $BUSYBOX true)
	[ "$("$KIST" inspect -f '{{json .HostConfig.LogConfig.Config}}' "$id" | jq -cS .)" = '{"max-file":"2","mode":"blocking"}' ]
	"$KIST" rm "$id"
	[ "$("$KIST" info -f '{{json .Labels}} {{.LoggingDriver}}')" = '["rack=7","team=red"] local' ]
}

@test "SIGHUP changes what the next containers get, all of it or nothing" {
	local id old=$BATS_TEST_TMPDIR/old
	cp "$FILE" "$old"
	id=$("$KIST" run -d $BUSYBOX sleep 60)
	echo '{"default-shm-size": "12m", "labels": ["rack=8"], "dns": ["192.0.2.77"]}' >"$FILE"
	kill -HUP "$(kistd_pid)"
	eventually sh -c "$KIST info -f '{{.Labels}}' | grep -q rack=8"
	run -0 "$KIST" run --rm $BUSYBOX sh -c 'df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2; ulimit -Hn; cat /proc/1/comm /etc/resolv.conf; mkdir /tmp/x'
	[ "${lines[0]}" = 12288 ]
	[ "${lines[1]}" != 444 ]
	[ "${lines[2]}" = sh ]
	[[ $output == *"nameserver 192.0.2.77"* && $output != *192.0.2.7$'\n'* ]]
	# Who was there keeps what it had, over a restart, too.
	"$KIST" restart -t 0 "$id"
	[ "$("$KIST" exec "$id" df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2)" = 10240 ]
	echo '{"default-shm-size": "13m", "dns": ["nowhere"], "labels": ["rack=9"]}' >"$FILE"
	kill -HUP "$(kistd_pid)"
	eventually grep -q 'nothing is changed: .*nowhere' "$KT_DIR/kistd.log"
	[ "$("$KIST" info -f '{{.Labels}}')" = '[rack=8]' ]
	"$KIST" rm -f "$id"
	cp "$old" "$FILE"
	kill -HUP "$(kistd_pid)"
	eventually sh -c "$KIST info -f '{{.Labels}}' | grep -q rack=7"
}

@test "--validate looks into the defaults, too" {
	validate '{"dns": ["1.2.3"]}'
	[[ $status -eq 2 && $output == *1.2.3* && ${#lines[@]} -eq 1 ]]
	validate '{"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 5, "Hard": 4}}}'
	[[ $status -eq 2 && $output == *nofile* ]]
	validate '{"default-ulimits": {"files": {"Name": "files", "Soft": 5, "Hard": 9}}}'
	[[ $status -eq 2 && $output == *files* ]]
	validate '{"default-ulimits": {"nofile": {"Soft": "many", "Hard": 4}}}'
	[[ $status -eq 2 && $output == *'"default-ulimits"'* ]]
	validate '{"default-ipc-mode": "host"}'
	[[ $status -eq 2 && $output == *'neither private nor shareable'* ]]
	validate '{"seccomp-profile": "/nowhere/profile.json"}'
	[[ $status -eq 2 && $output == *"/nowhere/profile.json: No such file"* ]]
	validate '{"log-driver": "local", "log-opts": {"syslog-address": "udp://127.0.0.1:1"}}'
	[[ $status -eq 2 && $output == *"unknown log opt 'syslog-address' for local"* ]]
	validate '{"log-driver": "gelf"}'
	[[ $status -eq 2 && $output == *gelf* ]]
	validate '{"host-gateway-ip": "gateway"}'
	[[ $status -eq 2 && $output == *'host-gateway-ip: "gateway" is not an address'* ]]
	validate "$(cat "$FILE")"
	[ "$output" = "configuration OK" ]
}

@test "exec-opts: native.cgroupdriver is cgroupfs or systemd, and with systemd cgroup-parent is a slice" {
	[ "$("$KIST" info -f '{{.CgroupDriver}}')" = cgroupfs ]
	validate '{"exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": "any/path"}'
	[ "$output" = "configuration OK" ]
	validate '{"exec-opts": ["native.cgroupdriver=systemd"]}'
	[ "$output" = "configuration OK" ]
	validate '{"exec-opts": ["native.cgroupdriver=systemd"], "cgroup-parent": "machine-kist.slice"}'
	[ "$output" = "configuration OK" ]
	validate '{"exec-opts": ["native.cgroupdriver=systemd"], "cgroup-parent": "kist"}'
	[[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == *'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice", not "kist"'* ]]
	validate '{"exec-opts": ["native.cgroupdriver=none"]}'
	[[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == *'native.cgroupdriver: "none" is neither cgroupfs nor systemd'* ]]
	validate '{"exec-opts": ["native.umask=normal"]}'
	[[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == *'"native.umask=normal" is unknown'* ]]
	validate '{"exec-opts": "native.cgroupdriver=systemd"}'
	[[ $status -eq 2 && $output == *'key "exec-opts" is not a list'* ]]
}

# With a systemd it is tested in the virtual machine: tests/vm/guest/systemd-engine.sh.
@test "native.cgroupdriver=systemd where systemd does not run: the daemon says so, and does not start" {
	[ ! -d /run/systemd/system ] || skip "systemd runs here"
	run timeout 60 "$BUILD/bin/kistd" --root "$BATS_TEST_TMPDIR/r" --run-root "$BATS_TEST_TMPDIR/run" --host "unix://$BATS_TEST_TMPDIR/s" --bridge "${KT_NAME}y" \
		--exec-opt native.cgroupdriver=systemd
	[ "$status" -eq 1 ]
	[[ ${#lines[@]} -eq 1 && $output == *"cannot start: native.cgroupdriver=systemd: systemd does not run here" ]]
	[ ! -e "$BATS_TEST_TMPDIR/s" ]
	[ ! -e "/sys/class/net/${KT_NAME}y" ]
}
