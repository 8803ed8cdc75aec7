# Bad input: one line that names the object and the reason, the right status, nothing half-made left behind.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

api() { curl -s --unix-socket "$KT_DIR/kist.sock" "$@"; }
status() { api -o /dev/null -w '%{http_code}' "$@"; }
message() { api "$@" | jq -r .message; }

@test "malformed JSON, wrong types, wrong content type, unknown routes" {
	[ "$(status -X POST -H 'Content-Type: application/json' -d '{"Image":' http://kist/containers/create)" = 400 ]
	[[ "$(message -X POST -H 'Content-Type: application/json' -d '{"Image":' http://kist/containers/create)" == *JSON* ]]
	[ "$(status -X POST -H 'Content-Type: application/json' -d '{"Image": 5}' http://kist/containers/create)" = 400 ]
	[[ "$(message -X POST -H 'Content-Type: application/json' -d "{\"Image\": \"$BUSYBOX\", \"HostConfig\": {\"Memory\": \"much\"}}" http://kist/containers/create)" == *Memory* ]]
	[ "$(status -X POST -d '[]' -H 'Content-Type: application/json' http://kist/containers/create)" = 400 ]
	[ "$(status -X POST -d 'x' -H 'Content-Type: text/plain' http://kist/containers/create)" = 400 ]
	[ "$(status http://kist/no/such/route)" = 404 ]
	[ "$(status -X PATCH http://kist/containers/json)" -ge 404 ]
	[ "$(status http://kist/containers/nosuch/json)" = 404 ]
	[ "$(status -X POST http://kist/swarm/init)" = 503 ]
}

@test "fields of a wrong type are refused by name, and nothing is made of the others" {
	send() { status -X POST -H 'Content-Type: application/json' -d "$2" "http://kist/$1"; }
	said() { message -X POST -H 'Content-Type: application/json' -d "$2" "http://kist/$1"; }
	"$KIST" run -d --name types --network none $BUSYBOX sleep 1000
	before=$(api 'http://kist/containers/json?all=1' | jq length)$("$KIST" network ls -q | wc -l)$("$KIST" volume ls -q | wc -l)
	wrong() { # ROUTE FIELD BODY
		[ "$(send "$1" "$3")" = 400 ] || { echo "$1 takes $3"; return 1; }
		[[ "$(said "$1" "$3")" == "$2: "*expected ]] || { echo "$1 $3: $(said "$1" "$3")"; return 1; }
	}
	# Next to an image, whose configuration has fields of the same names.
	for row in 'Env "x"' 'Cmd {}' 'Labels "x"' 'Tty "true"' 'OnBuild "x"' 'Healthcheck.Test {"Healthcheck":{"Test":"x"}}' 'Healthcheck.Interval {"Healthcheck":{"Interval":"1s"}}' \
		'Volumes{} {"Volumes":{"/a":1}}' 'NetworkingConfig 1' 'NetworkingConfig.EndpointsConfig{} {"NetworkingConfig":{"EndpointsConfig":{"bridge":1}}}'; do
		field=${row%% *} value=${row#* }
		[[ "$value" == '{"'* ]] || value="{\"$field\":$value}"
		wrong containers/create "$field" "$(jq -c ". + {Image: \"$BUSYBOX\"}" <<<"$value")"
	done
	for row in 'NetworkMode 1' 'SecurityOpt "no-new-privileges"' 'Ulimits "x"' 'Runtime 1' 'Privileged "false"' 'ConsoleSize "x"' 'LogConfig.Type {"LogConfig":{"Type":1}}' \
		'PortBindings{}[].HostPort {"PortBindings":{"80/tcp":[{"HostPort":1}]}}' 'RestartPolicy.Name {"RestartPolicy":{"Name":1}}' 'Ulimits[].Soft {"Ulimits":[{"Name":"nofile","Soft":"x","Hard":1}]}' \
		'RestartPolicy.MaximumRetryCount {"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":"3"}}' 'Mounts[].ReadOnly {"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x","ReadOnly":"true"}]}' \
		'Mounts[].BindOptions {"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x","BindOptions":1}]}' 'Mounts[].TmpfsOptions.Mode {"Mounts":[{"Type":"tmpfs","Target":"/x","TmpfsOptions":{"Mode":"0700"}}]}'; do
		field=${row%% *} value=${row#* }
		[[ "$value" == '{"'* ]] || value="{\"$field\":$value}"
		wrong containers/create "HostConfig.$field" "{\"Image\": \"$BUSYBOX\", \"HostConfig\": $value}"
	done
	wrong containers/create HostConfig "{\"Image\": \"$BUSYBOX\", \"HostConfig\": 1}"
	for row in 'Env 1' 'User 0' 'WorkingDir 1' 'Tty "true"' 'Privileged "false"' 'AttachStdin 1' 'Cmd "true"'; do
		wrong containers/types/exec "${row%% *}" "$(jq -c '{Cmd: ["true"]} + .' <<<"{\"${row%% *}\":${row#* }}")"
	done
	for row in 'Internal "true"' 'EnableIPv6 "x"' 'Driver 1' 'IPAM 1' 'Attachable 1' 'IPAM.Config[].Subnet {"IPAM":{"Config":[{"Subnet":1}]}}' 'IPAM.Config {"IPAM":{"Config":{}}}'; do
		field=${row%% *} value=${row#* }
		[[ "$value" == '{"'* ]] || value="{\"$field\":$value}"
		wrong networks/create "$field" "$(jq -c '. + {Name: "types"}' <<<"$value")"
	done
	for row in 'Name 1' 'DriverOpts 1' 'Labels 1'; do
		wrong volumes/create "${row%% *}" "{\"${row%% *}\": ${row#* }}"
	done
	wrong networks/bridge/connect Container '{"Container": 1}'
	wrong networks/bridge/connect EndpointConfig '{"Container": "types", "EndpointConfig": 1}'
	wrong networks/bridge/disconnect Force '{"Container": "types", "Force": "true"}'
	wrong containers/types/update RestartPolicy.Name '{"RestartPolicy": {"Name": 1}}'
	id=$(api -X POST -H 'Content-Type: application/json' -d '{"Cmd": ["true"]}' http://kist/containers/types/exec | jq -r .Id)
	wrong "exec/$id/start" Detach '{"Detach": 1}'
	[ "$(api "http://kist/exec/$id/json" | jq .Running,.ExitCode | tr '\n' ' ')" = "false null " ]
	[ "$before" = "$(api 'http://kist/containers/json?all=1' | jq length)$("$KIST" network ls -q | wc -l)$("$KIST" volume ls -q | wc -l)" ]
	"$KIST" rm -f types
}

@test "what Docker refuses of mounts, modes, filters, states: 400, 404, 409, and its words" {
	said() { # STATUS WORDS METHOD PATH [BODY]
		got=$(status -X "$3" ${5+-H 'Content-Type: application/json' -d "$5"} "http://kist/$4") words=$(message -X "$3" ${5+-H 'Content-Type: application/json' -d "$5"} "http://kist/$4")
		[[ "$got" == "$1" && "$words" == *"$2"* && "$words" != *$'\n'* ]] || { echo "$3 $4 ${5-}: $got $words"; return 1; }
	}
	create() { said 400 "$1" POST containers/create "{\"Image\": \"$BUSYBOX\", \"HostConfig\": $2}"; }
	create 'invalid mount config for type "bind": field Source must not be empty' '{"Mounts": [{"Type": "bind", "Target": "/x"}]}'
	create 'invalid mount config for type "volume": field Target must not be empty' '{"Mounts": [{"Type": "volume", "Source": "vol"}]}'
	create 'volume name is too short, names should be at least two alphanumeric characters' '{"Mounts": [{"Type": "volume", "Source": "v", "Target": "/x"}]}'
	create 'invalid network mode: invalid container format container:<name|id>' '{"NetworkMode": "container:"}'
	said 400 'create v: volume name is too short' POST volumes/create '{"Name": "v"}'
	said 400 'invalid name or ID supplied: ""' POST networks/bridge/connect '{"Container": ""}'
	said 400 'invalid name or ID supplied: ""' POST networks/bridge/disconnect
	said 400 "invalid filter 'dangling=maybe'" GET 'volumes?filters=%7B%22dangling%22%3A%5B%22maybe%22%5D%7D'
	said 400 "invalid filter 'dangling=maybe'" GET 'images/json?filters=%7B%22dangling%22%3A%5B%22maybe%22%5D%7D'
	said 400 "invalid filter 'is-task=x'" GET 'containers/json?filters=%7B%22is-task%22%3A%5B%22x%22%5D%7D'
	said 400 "invalid filter: 'type'='x'" GET 'networks?filters=%7B%22type%22%3A%5B%22x%22%5D%7D'
	said 400 verbose GET 'networks/bridge?verbose=x'
	said 400 '`since` time (2) cannot be after `until` time (1)' GET 'events?since=2&until=1'
	"$KIST" create --name still $BUSYBOX sleep 1000
	said 409 'container still is not paused' POST containers/still/unpause
	said 409 'container still is not running' POST containers/still/pause
	"$KIST" start still
	said 409 'container still is not paused' POST containers/still/unpause
	said 400 'Invalid detach keys (zz-zz)' POST containers/still/exec '{"Cmd": ["true"], "DetachKeys": "zz-zz"}'
	id=$(api -X POST -H 'Content-Type: application/json' -d '{"Cmd": ["true"], "WorkingDir": "/nosuch"}' http://kist/containers/still/exec | jq -r .Id)
	run api -w ' %{http_code}' -X POST -H 'Content-Type: application/json' -d '{"Detach": true}' "http://kist/exec/$id/start"
	[[ "$output" == *"OCI runtime exec failed: exec failed: unable to start container process: process.cwd: /nosuch: "*" 400" ]]
	"$KIST" rm -f still
}

@test "a huge body is refused, not kept" {
	head -c 40000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/huge"
	[ "$(status -X POST -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/huge" http://kist/containers/create)" = 413 ]
	[ "$(api http://kist/_ping)" = OK ]
	[ "$(awk '/VmRSS/{print $2}' "/proc/$(kistd_pid)/status")" -lt 60000 ]
}

@test "refusals of create: exit status 125, one line" {
	refused() { # PATTERN OPTION...
		local pattern=$1
		shift
		run -125 "$KIST" run --rm "$@"
		[ "${#lines[@]}" -eq 1 ] || { echo "more than a line: $output"; return 1; }
		[[ "${output,,}" == *"${pattern,,}"* ]] || { echo "no $pattern in: $output"; return 1; }
	}
	refused "6MB" -m 5m $BUSYBOX true
	refused "range of CPUs" --cpus 10000 $BUSYBOX true
	refused "CPUs" --cpuset-cpus 4096 $BUSYBOX true
	refused "NOSUCHCAP" --cap-add NOSUCHCAP $BUSYBOX true
	refused "nosuchlimit" --ulimit nosuchlimit=5 $BUSYBOX true
	refused "volume name" -v rela/tive:/x $BUSYBOX true
	refused "container path" -v /tmp:relative $BUSYBOX true || refused "relative" -v /tmp:relative $BUSYBOX true
	refused "name" --name 'bad name!' $BUSYBOX true
	refused "nosuchmode" --ipc nosuchmode $BUSYBOX true
	refused "nosuchsignal" --stop-signal nosuchsignal $BUSYBOX true
	echo '{"defaultAction":' >"$BATS_TEST_TMPDIR/profile"
	refused "seccomp" --security-opt "seccomp=$BATS_TEST_TMPDIR/profile" $BUSYBOX true
	refused "apparmor" --security-opt apparmor= $BUSYBOX true
	# Where there is AppArmor, its profiles are tested in the virtual machine: tests/vm/guest/apparmor.sh.
	[ -e /sys/module/apparmor ] || refused "this host has no AppArmor" --security-opt apparmor=strict $BUSYBOX true
	refused "nosuchopt" --security-opt nosuchopt=1 $BUSYBOX true
}

@test "attack: newlines in names, hosts and variables do not forge lines (CVE-2022-4318)" {
	run ! "$KIST" run --rm --add-host $'evil:1.2.3.4\n6.6.6.6 bank' $BUSYBOX cat /etc/hosts
	run ! "$KIST" run --rm -h $'a\nb' $BUSYBOX cat /etc/hostname
	[ "$("$KIST" run --rm -e $'A=one\ntwo' $BUSYBOX sh -c 'echo "$A"')" = $'one\ntwo' ]
}

@test "attack: --user that is no user (CVE-2024-40635, CVE-2026-30892)" {
	for user in -1 4294967296 2147483648 "0x0" "1 2" "root;id" "1:2:3"; do
		run ! "$KIST" run --rm -u "$user" $BUSYBOX id
	done
}

@test "disk full: a clear line, and the daemon goes on" {
	# In a mount namespace of its own: the daemon of this test has a small tmpfs as its root.
	unshare -m bash -c '
		set -eu
		mkdir -p "$1/small"
		mount -t tmpfs -o size=3m,mode=711 kist-test-small "$1/small"
		"$2/bin/kistd" --root "$1/small" --run-root "$1/small-run" --host "unix://$1/small.sock" --bridge "${3}s" --cgroup-parent "kist-test-${3}s" \
			--address-pool 10.254.240.0/24 >"$1/small.log" 2>&1 3>&- &
		pid=$!
		for i in $(seq 100); do curl -sf --unix-socket "$1/small.sock" http://kist/_ping >/dev/null && break; sleep 0.05; done
		export KIST_HOST=unix://$1/small.sock
		"$2/bin/kist" images || true
		dd if=/dev/zero of="$1/small/filler" bs=64k 2>/dev/null || true
		status=0
		"$2/bin/kist" load -q -i "$2/data/busybox.oci.tar" 2>"$1/small.err" || status=$?
		cat "$1/small.err"
		[ "$status" -eq 1 ]
		grep -qi "space" "$1/small.err"
		[ "$(wc -l <"$1/small.err")" -eq 1 ]
		rm "$1/small/filler"
		[ "$(curl -s --unix-socket "$1/small.sock" http://kist/_ping)" = OK ]
		kill "$pid"; wait "$pid" || true
	' bash "$KT_DIR" "$BUILD" "$KT_NAME"
	find /sys/fs/cgroup -depth -type d -path "*/kist-test-${KT_NAME}s*" -exec rmdir {} + 2>/dev/null || true
}

@test "kistd refuses what it cannot do: bad options, a second daemon on the same root, a bad configuration" {
	run ! "$BUILD/bin/kistd" --no-such-option
	[[ "$output" == *no-such-option* ]]
	run ! "$BUILD/bin/kistd" --root "$KT_DIR/root" --run-root "$KT_DIR/run2" --host "unix://$KT_DIR/second.sock"
	[[ "$output" == *"$(kistd_pid)"* || "$output" == *"in use"* ]]
	echo '{"no-such-key": 1}' >"$BATS_TEST_TMPDIR/bad.json"
	run ! "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/bad.json" --validate
	[[ "$output" == *no-such-key* ]]
	run ! "$BUILD/bin/kistd" --address-pool 10.0.0.0/99 --validate
	[[ "$output" == *10.0.0.0/99* ]]
}

@test "kist says what is wrong with its own command line" {
	run -1 "$KIST" pss
	[[ "$output" == *"did you mean ps"* ]]
	run -1 "$KIST" ps --al
	[[ "$output" == *"did you mean --all"* ]]
	run -1 "$KIST" rm
	[[ "$output" == *"at least 1 argument"* ]]
	run -1 "$KIST" -H unix:///nowhere/kist.sock ps
	[[ "$output" == *"/nowhere/kist.sock"*"is it running?"* ]]
	run -1 "$KIST" inspect -f '{{.Foo' x
	run -0 "$KIST" run --help
	[[ "$output" == *"--memory"* && "$output" == *"Examples:"* ]]
}
