# Devices by name: files of the Container Device Interface, and what a container gets of them.
load ../lib/kist

setup_file() {
	CDI=$(mktemp -d "${TMPDIR:-/tmp}/kist-test-cdi.XXXXXX")
	export CDI
	mkdir "$CDI/etc" "$CDI/run" "$CDI/library"
	echo "text of the driver" >"$CDI/library/text"
	kist_start --cdi-spec-dir "$CDI/etc" --cdi-spec-dir "$CDI/run"
}
teardown_file() {
	kist_end
	rm -rf "${CDI:?}"
}
setup() { rm -f "$CDI"/etc/* "$CDI"/run/*; }
teardown() { left_nothing; }

refused() { # WORDS ARG...: 125 and one line that has the words
	local words=$1; shift
	run -125 "$KIST" run --rm "$@" $BUSYBOX true
	[ "${#lines[@]}" -eq 1 ] || { echo "not one line: $output" >&2; return 1; }
	[[ "$output" == *"$words"* ]] || { echo "\"$words\" expected: $output" >&2; return 1; }
}
device() { # FILE EDITS [VERSION]: acme.com/thing=one with these edits
	printf '{"cdiVersion":"%s","kind":"acme.com/thing","devices":[{"name":"one","containerEdits":%s}]}' "${3:-0.6.0}" "$2" >"$CDI/$1"
}

@test "info names the devices that are described, each once" {
	device etc/acme.json '{}'
	device run/acme.json '{}'
	printf '{"cdiVersion":"0.6.0","kind":"acme.com/other","devices":[{"name":"two"},{"name":"../odd"},{"name":5},7]}' >"$CDI/etc/other.json"
	devices() { curl -s --unix-socket "$KT_DIR/kist.sock" "http://x/v1.$1/info" | jq -c '.DiscoveredDevices'; }
	[ "$(devices 50 | jq -c 'sort_by(.ID)')" = '[{"Source":"cdi","ID":"acme.com/other=two"},{"Source":"cdi","ID":"acme.com/thing=one"}]' ]
	[ "$(devices 49)" = null ]
}

@test "--device by name: nodes, mounts, variables and groups, of the device and of its kind" {
	cat >"$CDI/etc/acme.json" <<-END
		{"cdiVersion": "0.6.0", "kind": "acme.com/thing", "annotations": {"a": "b"},
		 "containerEdits": {"env": ["KIND=thing"]},
		 "devices": [
		   {"name": "one", "containerEdits": {
		      "env": ["ONE=1"],
		      "deviceNodes": [{"path": "/dev/acme/nought", "hostPath": "/dev/zero"},
		                      {"path": "/dev/acme/hole", "type": "c", "major": 1, "minor": 3, "fileMode": 416, "uid": 5, "gid": 6, "permissions": "rw"}],
		      "mounts": [{"hostPath": "$CDI/library", "containerPath": "/usr/lib/acme", "options": ["ro", "nosuid", "nodev", "bind"]}],
		      "additionalGIDs": [4242]}},
		   {"name": "two", "containerEdits": {"env": ["TWO=2"], "mounts": [{"hostPath": "$CDI/library", "containerPath": "/usr/lib/acme"}]}}]}
	END
	"$KIST" run -d --name box --env MINE=0 --device acme.com/thing=one --device acme.com/thing=two $BUSYBOX sh -c 'env; id -G; touch /ready; sleep 1000'
	eventually "$KIST" exec box test -e /ready
	log=$("$KIST" logs box)
	for word in MINE=0 KIND=thing ONE=1 TWO=2; do
		[ "$(grep -cx "$word" <<<"$log")" = 1 ]
	done
	[[ " $(tail -n 1 <<<"$log") " == *" 4242 "* ]]
	[ "$("$KIST" exec box sh -c 'head -c 3 /dev/acme/nought | wc -c')" = 3 ]
	"$KIST" exec box sh -c 'echo gone >/dev/acme/hole; test -c /dev/acme/hole'
	[ "$("$KIST" exec box stat -c '%a %u %g %t %T' /dev/acme/hole)" = "640 5 6 1 3" ]
	[ "$("$KIST" exec box cat /usr/lib/acme/text)" = "text of the driver" ]
	run ! "$KIST" exec box sh -c 'echo more >/usr/lib/acme/text'
	[[ "$("$KIST" exec box grep ' /usr/lib/acme ' /proc/self/mountinfo)" == *ro,nosuid,nodev* ]]
	[ "$("$KIST" inspect -f '{{json .HostConfig.DeviceRequests}}' box)" = '[{"Driver":"cdi","Count":0,"DeviceIDs":["acme.com/thing=one","acme.com/thing=two"],"Capabilities":[],"Options":{}}]' ]
	# What is not theirs to say stays as it was asked for.
	[ "$("$KIST" inspect -f '{{json .Mounts}}' box)" = '[]' ]
	"$KIST" rm -f box
	# With the host's ids, where nodes are made and not mounted.
	[ "$("$KIST" run --rm --userns host --device acme.com/thing=one $BUSYBOX sh -c 'stat -c "%a %u %g" /dev/acme/hole; head -c 2 /dev/acme/nought | wc -c')" = $'640 5 6\n2' ]
	# Who did not ask has none of it.
	[ -z "$("$KIST" run --rm $BUSYBOX sh -c 'ls /dev/acme /usr/lib/acme 2>/dev/null; env | grep KIND')" ]
	[ "$(curl -s --unix-socket "$KT_DIR/kist.sock" http://kist/info | grep -o '"CDISpecDirs":[^]]*]')" = "\"CDISpecDirs\":[\"$CDI/etc\",\"$CDI/run\"]" ]
}

@test "--device by name: the last directory counts most; a name that is not there, or twice" {
	device etc/a.json '{"env":["FROM=etc"]}'
	device run/b.json '{"env":["FROM=run"]}'
	[ "$("$KIST" run --rm --device acme.com/thing=one $BUSYBOX sh -c 'echo $FROM')" = run ]
	rm "$CDI/run/b.json"
	[ "$("$KIST" run --rm --device acme.com/thing=one $BUSYBOX sh -c 'echo $FROM')" = etc ]
	refused "unresolvable CDI devices acme.com/thing=none" --device acme.com/thing=none
	refused "unresolvable CDI devices other.com/thing=one" --device other.com/thing=one
	device etc/c.json '{"env":["FROM=etc"]}'
	refused "unresolvable CDI devices acme.com/thing=one (two files of one directory have it)" --device acme.com/thing=one
	refused 'is not the name of a device: vendor.com/class=name' --device 'acme.com/../x=one'
}

@test "--device by name: files that others can write, links, YAML and what is no CDI are not read, and the line says so" {
	device etc/a.json '{"env":["A=b"]}'
	chmod o+w "$CDI/etc/a.json"
	refused "a.json: it is not a file that root alone can write" --device acme.com/thing=one
	chmod 644 "$CDI/etc/a.json"
	chown 1:1 "$CDI/etc/a.json"
	refused "a.json: it is not a file that root alone can write" --device acme.com/thing=one
	chown 0:0 "$CDI/etc/a.json"
	chmod 777 "$CDI/etc"
	refused "etc: it is not a directory that root alone can write" --device acme.com/thing=one
	chmod 755 "$CDI/etc"
	mv "$CDI/etc/a.json" "$CDI/real"
	ln -s "$CDI/real" "$CDI/etc/a.json"
	refused "a.json: it is a symbolic link" --device acme.com/thing=one
	rm "$CDI/etc/a.json" "$CDI/real"
	mkfifo "$CDI/etc/a.json"
	refused "a.json: it is not a file" --device acme.com/thing=one
	rm "$CDI/etc/a.json"
	echo "cdiVersion: 0.6.0" >"$CDI/etc/a.yaml"
	refused "a.yaml: YAML is not read: it has to be JSON" --device acme.com/thing=one
	rm "$CDI/etc/a.yaml"
	echo "{" >"$CDI/etc/a.json"
	refused "a.json" --device acme.com/thing=one
	head -c 1100000 /dev/zero | tr '\0' ' ' >"$CDI/etc/a.json"
	refused "a.json: File too large" --device acme.com/thing=one
	device etc/a.json '{}' 9.9.9
	refused "cdiVersion: one of 0.3.0 to 0.8.0 is read" --device acme.com/thing=one
	# One that is broken does no harm to the others.
	device etc/b.json '{"env":["A=b"]}'
	[ "$("$KIST" run --rm --device acme.com/thing=one $BUSYBOX sh -c 'echo $A')" = b ]
}

@test "--device by name: what a file asks for and cannot get" {
	while read -r words edits; do
		device etc/a.json "$edits"
		refused "CDI device acme.com/thing=one: ${words//_/ }" --device acme.com/thing=one
	done <<-'END'
		its_file_has_hooks {"hooks":[{"hookName":"createContainer","path":"/bin/true"}]}
		intelRdt {"intelRdt":{"closID":"a"}}
		env: {"env":["=x"]}
		env: {"env":"A=b"}
		additionalGIDs: {"additionalGIDs":[-1]}
		deviceNodes:_an_absolute_path {"deviceNodes":[{"path":"dev/x"}]}
		deviceNodes:_an_absolute_path {"deviceNodes":[{"path":"/dev/../x"}]}
		deviceNodes:_permissions {"deviceNodes":[{"path":"/dev/zero","permissions":"rx"}]}
		deviceNodes:_type_"p" {"deviceNodes":[{"path":"/dev/x","type":"p"}]}
		/dev/zero_is_a_device_of_the_other_type {"deviceNodes":[{"path":"/dev/zero","type":"b"}]}
		/etc/passwd_is_not_a_device {"deviceNodes":[{"path":"/dev/x","hostPath":"/etc/passwd"}]}
		deviceNodes:_major:_out_of_range {"deviceNodes":[{"path":"/dev/x","type":"c","major":-1}]}
		mounts:_a_bind_mount {"mounts":[{"hostPath":"x","containerPath":"/x"}]}
		mounts:_/x:_option_"suid=1" {"mounts":[{"hostPath":"/etc","containerPath":"/x","options":["suid=1"]}]}
		HostConfig.Mounts:_invalid_mount_path {"mounts":[{"hostPath":"/etc","containerPath":"/x/../y"}]}
	END
	device etc/a.json '{"mounts":[{"hostPath":"/nosuch","containerPath":"/x"}]}'
	refused "bind source path does not exist: /nosuch" --device acme.com/thing=one
	device etc/a.json '{"mounts":[{"hostPath":"/etc","containerPath":"/x"}]}'
	refused "Duplicate mount point: /x" --device acme.com/thing=one --tmpfs /x
}

@test "--gpus: those that are described, by number and name; refused where there are none" {
	for C in $(clients); do
		run -125 client "$C" run --rm --gpus all $BUSYBOX true
		[[ "$output" == *'could not select device driver "" with capabilities: [[gpu]]'* ]]
	done
	refused "no CDI file describes nvidia.com/gpu or amd.com/gpu" --gpus 1
	refused "all, a number, device=NAME or driver=NAME is wanted" --gpus many
	refused 'could not select device driver "acme"' --gpus all,driver=acme
	cat >"$CDI/etc/gpu.json" <<-END
		{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [
		   {"name": "0", "containerEdits": {"env": ["GPU0=yes"], "deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/null"}]}},
		   {"name": "1", "containerEdits": {"env": ["GPU1=yes"], "deviceNodes": [{"path": "/dev/nvidia1", "hostPath": "/dev/null"}]}},
		   {"name": "all", "containerEdits": {"env": ["GPU0=yes", "GPU1=yes"]}}]}
	END
	for C in $(clients); do
		[ "$(client "$C" run --rm --gpus all $BUSYBOX sh -c 'env | grep -c GPU')" = 2 ]
		[ "$(client "$C" run --rm --gpus 1 $BUSYBOX sh -c 'env | grep GPU; ls /dev | grep nvidia')" = $'GPU0=yes\nnvidia0' ]
		[ "$(client "$C" run --rm --gpus device=1 $BUSYBOX sh -c 'env | grep GPU; ls /dev | grep nvidia')" = $'GPU1=yes\nnvidia1' ]
	done
	refused "unresolvable CDI devices nvidia.com/gpu=2" --gpus 3
}
