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
	refuses() { refused "$1" rt checkpoint --image-path "$RT_DIR/images" "${@:2}" "$ID"; }
	refuses "--lazy-pages: needs a --page-server" --lazy-pages
	refuses "--lazy-pages: not with --pre-dump" --lazy-pages --pre-dump --page-server 127.0.0.1:1
	refuses "--status-fd: says when the page server of --lazy-pages listens" --status-fd 1
	refuses "--status-fd 77: not an open file" --status-fd 77 --lazy-pages --page-server 127.0.0.1:1
	refuses "--parent-path: is relative to --image-path" --parent-path /tmp
	refuses "--parent-path ../none: No such file" --parent-path ../none
	local address
	for address in localhost 127.0.0.1: 127.0.0.1:0 127.0.0.1:70000 127.0.0.1:http; do
		refuses "--page-server $address: not ADDRESS:PORT" --page-server "$address"
	done
	for address in :1 0.0.0.0:1 192.0.2.1:1 '[::]:1' 127.0.0.1.example:1; do
		refuses "$address: memory is sent in the clear, and so to addresses of the loopback only" --page-server "$address"
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
	# Images that these build on are looked at in the same way, and are not far away.
	images
	ln -s /tmp "$RT_DIR/images/parent"
	refused "images $RT_DIR/images/parent: not a relative link" restore
	images
	ln -s ../none "$RT_DIR/images/parent"
	refused "images $RT_DIR/images/parent: No such file" restore
	images
	mkdir -m 777 "$RT_DIR/first"
	ln -s ../first "$RT_DIR/images/parent"
	refused "images $RT_DIR/images/parent: others may write to it" restore
	chmod 700 "$RT_DIR/first"
	mkfifo "$RT_DIR/first/pages-1.img"
	refused "pages-1.img: not a regular file" restore
	rm "$RT_DIR/first/pages-1.img"
	ln -s ../images "$RT_DIR/first/parent"
	refused "images $RT_DIR/images: more than 64 that build on each other" restore
	rm -r "$RT_DIR/first"
	local note
	for note in '[]' '{}' '{"stdio": ["", ""]}' '{"stdio": ["file[1:2", "", ""]}' '{"stdio": ["pipe:[1] --exec-cmd", "", ""]}' '{"stdio": ["file[1:2]]", "", ""]}' \
		'{"stdio": ["tty[1:2]", "", ""]}' '{"stdio": [1, 2, 3]}' '{"stdio": ["", "", ""], "masked": ["/etc"]}' '{"stdio": ["", "", ""], "masked": [7]}' \
		'{"stdio": ["", "", ""], "lock": "kist"}' '{"stdio": ["", "", ""], "lock": "CRIU-1; delete"}'; do
		images
		echo "$note" >"$RT_DIR/images/kist-note.json"
		refused "kist-note.json" restore
	done
}

@test "restore: configs that cannot be, and flags" {
	images
	config '.process.terminal = true'
	refused "process.terminal: nobody would hold the terminal" restore
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
	refused "--lazy-pages: needs the --work-path" restore --lazy-pages
	refused "--manage-cgroups-mode strict: the container's cgroup is there already" restore --manage-cgroups-mode strict
	config '.linux.namespaces += [{type: "user", path: "/proc/self/ns/user"}]'
	refused "linux.namespaces[6].path: criu cannot restore into a user namespace of others" restore
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	refused "--console-socket: the process has no terminal" restore --console-socket "$RT_DIR/none"
	refused "images /no/such: No such file" rt restore -b "$RT_DIR/bundle" --image-path /no/such "$ID"
	started
	refused "already exists" restore
	rt delete --force "$ID"
}
