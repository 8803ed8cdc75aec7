# checkpoint and restore where they cannot be: flags, images and hosts. That they work is shown in the virtual machine (tests/vm/guest/checkpoint.sh).
load ../lib/runtime

setup_file() { bundle_make; }
teardown_file() { bundle_remove; }
setup() { bundle_fresh; }
teardown() { runtime_left_nothing; }

images() { # good ones as far as we can tell
	rm -rf "$RT_DIR/images"
	mkdir -m 700 "$RT_DIR/images"
	echo '{"stdio": ["", "", ""]}' >"$RT_DIR/images/kist-note.json"
	: >"$RT_DIR/images/inventory.img"
}
restore() { rt restore -d -b "$RT_DIR/bundle" --image-path "$RT_DIR/images" "$@" "$ID"; }

@test "no criu, or one that fails: its own reason in one line, the container goes on, no images are left" {
	started
	refused "cannot checkpoint container $ID: there is no program /no/such/criu (package criu)" \
		rt --criu /no/such/criu checkpoint --image-path "$RT_DIR/images" "$ID"
	[ ! -e "$RT_DIR/images" ]
	# One that says in its log what this machine's would say, or another's.
	cat >"$RT_DIR/criu" <<-'SH'
		#!/bin/sh
		for arg; do case $arg in --work-dir=*) cd "${arg#*=}" ;; esac; done
		printf '(00.1) Error (criu/util.c:1): exited, status=1\n(00.2) Error (criu/vdso.c:381): vdso: Unexpected\001bounds\n(00.3) Error (x.c:1): later\n' >criu.log
		exit 1
	SH
	chmod +x "$RT_DIR/criu"
	refused "cannot checkpoint container $ID: criu: vdso: Unexpected bounds" rt --criu "$RT_DIR/criu" checkpoint --image-path "$RT_DIR/images" "$ID"
	[ ! -e "$RT_DIR/images" ]
	[ "$(rt state "$ID" | jq -r .status)" = running ]
	[ ! -e "$RT_DIR/state/$ID/criu" ]
	refused "criu: it ended with status 1" rt --criu /bin/false checkpoint --image-path "$RT_DIR/images" "$ID"
	# The real one, where it cannot: on a kernel that is newer than it knows.
	if command -v criu >/dev/null && ! criu check >/dev/null 2>&1; then
		refused "cannot checkpoint container $ID: criu: " rt checkpoint --image-path "$RT_DIR/images" "$ID"
		[ ! -e "$RT_DIR/images" ]
	fi
	rt delete --force "$ID"
	images
	refused "cannot restore container $ID: criu: vdso: Unexpected bounds" rt --criu "$RT_DIR/criu" restore -b "$RT_DIR/bundle" --image-path "$RT_DIR/images" "$ID"
	refused "there is no program /no/such/criu" rt --criu /no/such/criu restore -b "$RT_DIR/bundle" --image-path "$RT_DIR/images" "$ID"
}

@test "checkpoint: containers that cannot be, and flags" {
	rm -rf "$RT_DIR/images"
	sleeper
	refused "does not exist" rt checkpoint "$ID"
	create "$ID"
	refused "cannot checkpoint a created container" rt checkpoint --image-path "$RT_DIR/images" "$ID"
	rt start "$ID"
	rt pause "$ID"
	refused "cannot checkpoint a paused container" rt checkpoint --image-path "$RT_DIR/images" "$ID"
	rt resume "$ID"
	local flag
	for flag in --pre-dump --lazy-pages --parent-path=../x --page-server=localhost:1 --status-fd=3; do
		refused "${flag%=*} is not supported" rt checkpoint --image-path "$RT_DIR/images" "$flag" "$ID"
	done
	refused "--manage-cgroups-mode odd: not soft" rt checkpoint --manage-cgroups-mode odd "$ID"
	refused "--empty-ns user: only network" rt checkpoint --empty-ns user "$ID"
	refused "images /no/such/images: No such file" rt checkpoint --image-path /no/such/images "$ID"
	[ ! -e "$RT_DIR/images" ]
	rt delete --force "$ID"
}

@test "attack: images with links, devices, foreign owners and notes that are options (CVE-2024-8676)" {
	images
	ln -s /etc/shadow "$RT_DIR/images/pages-1.img"
	refused "images $RT_DIR/images/pages-1.img: not a regular file" restore
	images
	mkfifo "$RT_DIR/images/core-1.img"
	refused "images $RT_DIR/images/core-1.img: not a regular file" restore
	images
	mknod "$RT_DIR/images/core-1.img" b 1 1
	refused "images $RT_DIR/images/core-1.img: not a regular file" restore
	images
	mkdir "$RT_DIR/images/more"
	refused "images $RT_DIR/images/more: not a regular file" restore
	images
	chmod 777 "$RT_DIR/images"
	refused "images $RT_DIR/images: others may write to it" restore
	images
	chown 1000 "$RT_DIR/images"
	refused "images $RT_DIR/images: others may write to it" restore
	images
	mv "$RT_DIR/images" "$RT_DIR/elsewhere" && ln -s elsewhere "$RT_DIR/images"
	refused "images $RT_DIR/images: " restore
	rm -r "$RT_DIR/images" "$RT_DIR/elsewhere"
	local note
	for note in '[]' '{}' '{"stdio": ["", ""]}' '{"stdio": ["file[1:2", "", ""]}' '{"stdio": ["pipe:[1] --exec-cmd", "", ""]}' '{"stdio": ["file[1:2]]", "", ""]}' \
		'{"stdio": ["tty[1:2]", "", ""]}' '{"stdio": [1, 2, 3]}' '{"stdio": ["", "", ""], "masked": ["/etc"]}' '{"stdio": ["", "", ""], "masked": [7]}'; do
		images
		echo "$note" >"$RT_DIR/images/kist-note.json"
		refused "kist-note.json" restore
	done
}

@test "restore: configs that cannot be, and flags" {
	images
	config '.process.terminal = true'
	refused "process.terminal: a container with a terminal cannot be checkpointed or restored" restore
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	config '.hooks.prestart = [{path: "/bin/true"}]'
	refused "hooks.prestart: a container with such hooks cannot be restored" restore
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	config '.root.path = "nosuch"'
	refused "root.path: $RT_DIR/bundle/nosuch: No such file" restore
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	config '.mounts += [{destination: "/a]:b", type: "bind", source: "/etc", options: ["bind"]}]'
	refused "mounts[7]: criu cannot be told of a place called /a]:b" restore
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	refused "--lazy-pages is not supported" restore --lazy-pages
	refused "--console-socket: the process has no terminal" restore --console-socket "$RT_DIR/none"
	refused "images /no/such: No such file" rt restore -b "$RT_DIR/bundle" --image-path /no/such "$ID"
	started
	refused "already exists" restore
	rt delete --force "$ID"
}
