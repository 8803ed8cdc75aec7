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

@test "--device by name: files that others can write, links and what is no CDI are not read, and the line says so" {
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
	ln -s a.yaml "$CDI/etc/a.yaml"
	refused "a.yaml: it is a symbolic link" --device acme.com/thing=one
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
		hooks:_hookName_"onEnd" {"hooks":[{"hookName":"onEnd","path":"/bin/true"}]}
		hooks:_path:_an_absolute_path {"hooks":[{"hookName":"poststop","path":"bin/true"}]}
		hooks:_path:_an_absolute_path {"hooks":[{"hookName":"poststop","path":"/bin/../bin/true"}]}
		hooks:_path:_an_absolute_path {"hooks":[{"hookName":"startContainer"}]}
		hooks:_hookName {"hooks":[7]}
		hooks:_/nosuch:_No_such_file {"hooks":[{"hookName":"poststop","path":"/nosuch"}]}
		hooks:_/etc/passwd_is_not_a_program {"hooks":[{"hookName":"createRuntime","path":"/etc/passwd"}]}
		hooks:_/etc_is_not_a_program {"hooks":[{"hookName":"createRuntime","path":"/etc"}]}
		hooks:_timeout {"hooks":[{"hookName":"poststop","path":"/bin/true","timeout":0}]}
		hooks:_timeout {"hooks":[{"hookName":"poststop","path":"/bin/true","timeout":"x"}]}
		hooks:_timeout {"hooks":[{"hookName":"poststop","path":"/bin/true","timeout":99999}]}
		hooks:_args {"hooks":[{"hookName":"poststop","path":"/bin/true","args":"x"}]}
		hooks:_args {"hooks":[{"hookName":"poststop","path":"/bin/true","args":[1]}]}
		hooks:_env {"hooks":[{"hookName":"poststop","path":"/bin/true","env":["=x"]}]}
		hooks:_an_array {"hooks":{"hookName":"poststop","path":"/bin/true"}}
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

@test "--device by name: files in YAML, with all that JSON can say" {
	cat >"$CDI/etc/acme.yaml" <<-END
		# Written by hand.
		cdiVersion: 0.6.0
		kind: acme.com/thing
		devices:
		  - name: one
		    containerEdits: &edits
		      env: [ONE=1, "TEXT=a: b"]
		      deviceNodes:
		        - path: /dev/acme/hole
		          type: c
		          major: 1
		          minor: 0x3
		          fileMode: 0640
		          permissions: rw
		      mounts:
		        - hostPath: $CDI/library
		          containerPath: /usr/lib/acme
		          options: [ro, nosuid, nodev, bind]
		      additionalGIDs: [4242]
		  - {name: same, containerEdits: *edits}
	END
	for name in one same; do
		run -0 "$KIST" run --rm --device acme.com/thing=$name $BUSYBOX sh -c 'echo $ONE $TEXT; stat -c "%a %t %T" /dev/acme/hole; cat /usr/lib/acme/text; id -G'
		[ "${lines[0]}" = "1 a: b" ]
		[ "${lines[1]}" = "640 1 3" ]
		[ "${lines[2]}" = "text of the driver" ]
		[[ " ${lines[3]} " == *" 4242 "* ]]
	done
	mv "$CDI/etc/acme.yaml" "$CDI/run/acme.yml"
	[ "$("$KIST" run --rm --device acme.com/thing=one $BUSYBOX sh -c 'echo $ONE')" = 1 ]
	[ "$(curl -s --unix-socket "$KT_DIR/kist.sock" http://x/info | jq -c '.DiscoveredDevices')" = '[{"Source":"cdi","ID":"acme.com/thing=one"},{"Source":"cdi","ID":"acme.com/thing=same"}]' ]
}

@test "--device by name: hostile YAML is refused with its line, and in no time" {
	local began=$SECONDS
	head -c 1000000 /dev/zero | tr '\0' '[' >"$CDI/etc/a.yaml"
	refused "a.yaml: line 1: there are more than 32 levels" --device acme.com/thing=one
	{ echo 'a0: &a0 [x,x,x,x,x,x,x,x,x]'; for i in $(seq 11); do n=$((i - 1)); echo "a$i: &a$i [*a$n,*a$n,*a$n,*a$n,*a$n,*a$n,*a$n,*a$n,*a$n]"; done; } >"$CDI/etc/a.yaml"
	refused "a.yaml: line 5: there are more than 65536 values, with what anchors repeat" --device acme.com/thing=one
	echo 'cdiVersion: &x [*x]' >"$CDI/etc/a.yaml"
	refused "a.yaml: line 1: an anchor is not there, or stands for what it is in" --device acme.com/thing=one
	printf 'cdiVersion: !!python/object:os.system\n' >"$CDI/etc/a.yaml"
	refused "a.yaml: line 1: tags are not read" --device acme.com/thing=one
	printf 'cdiVersion: 0.6.0\nkind: acme.com/thing\ndevices: {name: one}\n' >"$CDI/etc/a.yaml"
	refused "a.yaml: devices: an array is expected" --device acme.com/thing=one
	printf 'cdiVersion: 0.6.0\nkind: acme.com/thing\ndevices: [[one], 5, {name: [one]}, {name: one, containerEdits: [x]}]\n' >"$CDI/etc/a.yaml"
	"$KIST" run --rm --device acme.com/thing=one $BUSYBOX true
	head -c 1100000 /dev/zero | tr '\0' ' ' >"$CDI/etc/a.yaml"
	refused "a.yaml: File too large" --device acme.com/thing=one
	head -c 300000 /dev/urandom >"$CDI/etc/a.yaml"
	refused "a.yaml: line" --device acme.com/thing=one
	[ $((SECONDS - began)) -lt 60 ]
	[ "$("$KIST" run --rm $BUSYBOX echo still)" = still ]
}

# A program that writes down what it is told, and where it runs.
hook_program() {
	mkdir -p "$CDI/log"
	cat >"$CDI/hook" <<-'END'
		#!/bin/sh
		cat >"$LOG/$1.state"
		bundle=$(jq -r .bundle "$LOG/$1.state")
		{
			echo "args $*"; echo "mnt $(readlink /proc/self/ns/mnt)"; echo "cwd $(pwd)"; env | grep -c .
			place=$(jq -r .root.path "$bundle/config.json")
			echo "place $place"
			[ -x "$place/bin/busybox" ] && echo "the root is there"
			[ "$1" != createContainer ] || echo "made by a hook" >"$place/made"
		} >"$LOG/$1"
	END
	chmod 755 "$CDI/hook"
	chmod 777 "$CDI/log"
	chmod 711 "$CDI" "$KT_DIR" # the container's root is to come through, as it does below /run/kist
}
all_hooks() {
	jq -nc --arg p "$CDI/hook" --arg log "$CDI/log" '{hooks: [("prestart", "createRuntime", "createContainer", "poststart", "poststop") | {hookName: ., path: $p, args: ["hook", ., "x y"], env: ["LOG=\($log)", "PATH=/usr/bin:/bin"]}]}'
}

@test "--device by name: hooks run when and where the runtime-spec says, with the state and a bundle" {
	hook_program
	device etc/a.json "$(all_hooks)"
	for userns in "" "--userns host"; do
		rm -f "$CDI"/log/*
		# shellcheck disable=SC2086  # none, or two words
		"$KIST" run -d --name box $userns --annotation a=b --device acme.com/thing=one $BUSYBOX sh -c 'cat /made; sleep 1000'
		eventually test -s "$CDI/log/poststart"
		id=$("$KIST" inspect -f '{{.Id}}' box) pid=$("$KIST" inspect -f '{{.State.Pid}}' box) bundle=$KT_DIR/run/containers/$id/bundle
		[ "$("$KIST" logs box)" = "made by a hook" ]
		host=$(readlink "/proc/$(kistd_pid)/ns/mnt")
		for list in prestart createRuntime createContainer poststart; do
			jq -e --arg id "$id" --arg b "$bundle" '.id == $id and .bundle == $b and .annotations.a == "b" and (.pid | type) == "number"' "$CDI/log/$list.state"
			grep -qx "args $list x y" "$CDI/log/$list"
			grep -qxF "place $bundle/rootfs" "$CDI/log/$list"
		done
		[ "$(jq -r .status "$CDI/log/createRuntime.state") $(jq -r .status "$CDI/log/createContainer.state") $(jq -r .status "$CDI/log/poststart.state")" = "creating creating running" ]
		[ "$(jq .pid "$CDI/log/poststart.state")" = "$pid" ]
		[ "$(jq .pid "$CDI/log/createRuntime.state")" = "$pid" ]
		grep -qxF "mnt $host" "$CDI/log/createRuntime"
		grep -qxF "mnt $host" "$CDI/log/poststart"
		run ! grep -qxF "mnt $host" "$CDI/log/createContainer"
		grep -qx "the root is there" "$CDI/log/createContainer"
		run ! grep -q "the root is there" "$CDI/log/poststart"
		# Nobody of the host's others reads what is in the configuration, and the container does not see it.
		[ "$(stat -c '%a %u' "$bundle") $(stat -c '%a %u' "$bundle/config.json")" = "750 0 640 0" ]
		[ "$(stat -c %a "$KT_DIR/run/containers/$id/monitor.sock")" = 600 ]
		run ! "$KIST" exec box ls "$bundle"
		[ ! -e "$CDI/log/poststop" ]
		"$KIST" restart -t 0 box
		eventually test -s "$CDI/log/poststop"
		rm "$CDI/log/poststop"
		"$KIST" rm -f box
		jq -e --arg id "$id" '.id == $id and .status == "stopped" and .pid == null' "$CDI/log/poststop.state"
		[ ! -e "$bundle" ]
	done
}

@test "--device by name: a startContainer hook is the container's own program; hooks have their own environment" {
	device etc/a.json '{"hooks":[{"hookName":"startContainer","path":"/bin/sh","args":["sh","-c","echo $MINE $OTHER >/said; cat /proc/self/uid_map >/map"],"env":["MINE=1"]}]}'
	[ "$("$KIST" run --rm -e OTHER=2 --device acme.com/thing=one $BUSYBOX sh -c 'cat /said; cmp /map /proc/self/uid_map && echo same')" = $'1\nsame' ]
	device etc/a.json '{"hooks":[{"hookName":"startContainer","path":"/nosuch"}]}'
	refused "hooks.startContainer[0]: /nosuch" --device acme.com/thing=one
}

@test "--device by name: a hook that fails or hangs: the container is not started, and nothing is left" {
	for list in prestart createRuntime createContainer; do
		device etc/a.json "{\"hooks\":[{\"hookName\":\"$list\",\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"echo no luck >&2; exit 3\"]}]}"
		refused "hooks.$list[0]: /bin/sh" --name box --device acme.com/thing=one
		[[ "$output" == *"no luck"* ]]
		device etc/a.json "{\"hooks\":[{\"hookName\":\"$list\",\"path\":\"/bin/sleep\",\"args\":[\"sleep\",\"1000\"],\"timeout\":1}]}"
		refused "hooks.$list[0]: /bin/sleep" --name box --device acme.com/thing=one
		nothing_left
	done
	# What fails after the start, or after the end, is a line of the log.
	device etc/a.json '{"hooks":[{"hookName":"poststart","path":"/bin/false"},{"hookName":"poststop","path":"/bin/false"}]}'
	[ "$("$KIST" run --rm --device acme.com/thing=one $BUSYBOX echo ran)" = ran ]
	eventually grep -q 'hooks.poststart\[0\].*/bin/false' "$KT_DIR/kistd.log"
	eventually grep -q 'hooks.poststop\[0\].*/bin/false' "$KT_DIR/kistd.log"
}

@test "--device by name: a hook is a program that root alone can write; links that go in circles are no program" {
	cp /bin/true "$CDI/program"
	device etc/a.json "{\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"$CDI/program\"}]}"
	"$KIST" run --rm --device acme.com/thing=one $BUSYBOX true
	chmod o+w "$CDI/program"
	refused "hooks: $CDI/program is not a file that root alone can write" --device acme.com/thing=one
	chmod o-w "$CDI/program"
	chown 1 "$CDI/program"
	refused "hooks: $CDI/program is not a file that root alone can write" --device acme.com/thing=one
	rm "$CDI/program"
	ln -s program "$CDI/program"
	refused "hooks: $CDI/program: Too many levels of symbolic links" --device acme.com/thing=one
	rm "$CDI/program"
}

@test "--device by name: poststop runs when the container ended while the daemon was away" {
	hook_program
	device etc/a.json "$(all_hooks)"
	rm -f "$CDI"/log/*
	"$KIST" run -d --name box --device acme.com/thing=one $BUSYBOX sleep 1000
	pid=$("$KIST" inspect -f '{{.State.Pid}}' box)
	kistd_kill9
	kill -9 "$pid"
	gone "$pid"
	rm "$CDI/etc/a.json" # what it is to run was decided at the start
	kistd_up --cdi-spec-dir "$CDI/etc" --cdi-spec-dir "$CDI/run"
	eventually test -s "$CDI/log/poststop"
	is_state box exited
	"$KIST" rm box
}

@test "--device by name: hooks with another runtime are its own to run" {
	command -v crun >/dev/null || skip "no crun"
	hook_program
	kistd_stop
	kistd_up --cdi-spec-dir "$CDI/etc" --cdi-spec-dir "$CDI/run" --add-runtime "crun=$(command -v crun)"
	device etc/a.json "$(all_hooks)"
	rm -f "$CDI"/log/*
	"$KIST" run --rm --runtime crun --device acme.com/thing=one $BUSYBOX true
	for list in createRuntime createContainer poststart poststop; do
		eventually test -s "$CDI/log/$list"
	done
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
