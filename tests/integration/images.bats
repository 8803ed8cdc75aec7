# Images that come from elsewhere than a registry, and go there: import, save and load of several.
load ../lib/kist

setup_file() {
	kist_start
	TREE=$KT_DIR/tree
	export TREE
	mkdir -p "$TREE/bin" "$TREE/etc"
	cp "$(command -v busybox)" "$TREE/bin/busybox"
	ln -s busybox "$TREE/bin/sh"
	ln -s busybox "$TREE/bin/cat"
	echo imported >"$TREE/etc/mark"
	chown 12:34 "$TREE/etc/mark"
	tar -C "$TREE" --sort=name --mtime=@1700000000 --numeric-owner -cf "$KT_DIR/plain.tar" .
	gzip -nc "$KT_DIR/plain.tar" >"$KT_DIR/packed.tar.gz"
	zstd -qc "$KT_DIR/plain.tar" >"$KT_DIR/packed.tar.zst"
}

teardown_file() { kist_end; }
teardown() { left_nothing; }

store_files() { find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort; }

# Nothing of an attempt that fails is left: no image, no layer, no scratch directory.
made_nothing() { # COMMAND...
	store_files >"$BATS_TEST_TMPDIR/before"
	run -1 "$@"
	[ "${#lines[@]}" -eq 1 ] || { echo "not one line: $output" >&2; return 1; }
	store_files >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "import: a plain, a gzip and a zstd archive, from a file and from standard input, make images that run" {
	for C in $(clients); do
		for file in plain.tar packed.tar.gz packed.tar.zst; do
			id=$(client "$C" import --message "from a test" --change 'CMD ["/bin/cat","/etc/mark"]' --change 'ENV A=b' "$KT_DIR/$file" imported:1)
			[[ $id == sha256:* ]]
			[ "$(client "$C" run --rm imported:1)" = imported ]
			[ "$(client "$C" run --rm imported:1 /bin/busybox stat -c '%u:%g %Y' /etc/mark)" = "12:34 1700000000" ]
			[ "$("$KIST" inspect --type image -f '{{.Id}} {{.Comment}} {{index .Config.Env 0}} {{.Os}}' imported:1)" = "$id from a test A=b linux" ]
			[[ "$(client "$C" history imported:1)" == *"from a test"* ]]
			client "$C" rmi imported:1
		done
		id=$(client "$C" import - <"$KT_DIR/plain.tar")
		[ "$(client "$C" run --rm "$id" /bin/cat /etc/mark)" = imported ]
		[[ "$(client "$C" history "$id")" == *"Imported from -"* ]]
		client "$C" rmi "$id"
	done
}

@test "import keeps the archive as it came: its bytes are the layer's blob, its content the diff id" {
	"$KIST" import "$KT_DIR/packed.tar.gz" kept:1
	sum=$(sha256sum <"$KT_DIR/packed.tar.gz" | cut -d ' ' -f 1)
	cmp "$KT_DIR/packed.tar.gz" "$KT_DIR/root/oci/blobs/sha256/$sum"
	[ "$("$KIST" inspect --type image -f '{{index .RootFS.Layers 0}}' kept:1)" = "sha256:$(sha256sum <"$KT_DIR/plain.tar" | cut -d ' ' -f 1)" ]
	skopeo inspect --raw "oci:$KT_DIR/root/oci:docker.io/library/kept:1" | jq -e '.layers[0].mediaType == "application/vnd.oci.image.layer.v1.tar+gzip"'
	# The same once more under another name: one layer for both.
	"$KIST" import "$KT_DIR/packed.tar.gz" kept:2
	"$KIST" rmi kept:1
	[ "$("$KIST" run --rm kept:2 /bin/cat /etc/mark)" = imported ]
	"$KIST" rmi kept:2
	[ ! -e "$KT_DIR/root/oci/blobs/sha256/$sum" ]
}

@test "import --platform; an empty file system is one, too" {
	"$KIST" import --platform linux/arm/v7 "$KT_DIR/plain.tar" other:1
	[ "$("$KIST" inspect --type image -f '{{.Os}}/{{.Architecture}}/{{.Variant}}' other:1)" = linux/arm/v7 ]
	tar -cf "$BATS_TEST_TMPDIR/empty.tar" -T /dev/null
	"$KIST" import "$BATS_TEST_TMPDIR/empty.tar" void:1
	"$KIST" rmi other:1 void:1
}

@test "import refuses in one line, and leaves nothing: URL, no archive, wrong compression, cut, empty, bad names and changes" {
	made_nothing "$KIST" import https://192.0.2.1/a.tar
	[[ $output == *"URL is not fetched"* ]]
	run -0 curl -s --unix-socket "$KT_DIR/kist.sock" -X POST 'http://kist/images/create?fromSrc=http://192.0.2.1/a.tar'
	[[ $output == *"the daemon fetches no URLs"* ]]
	made_nothing "$KIST" import "$KT_DIR/nosuch.tar"
	[[ $output == *"nosuch.tar: No such file"* ]]
	made_nothing "$KIST" import /etc/services
	[[ $output == *"tar archive"* ]]
	xz -c "$KT_DIR/plain.tar" >"$BATS_TEST_TMPDIR/a.tar.xz"
	made_nothing "$KIST" import "$BATS_TEST_TMPDIR/a.tar.xz"
	[[ $output == *"compressed by xz"* ]]
	head -c 5000 "$KT_DIR/packed.tar.gz" >"$BATS_TEST_TMPDIR/cut.tar.gz"
	made_nothing "$KIST" import "$BATS_TEST_TMPDIR/cut.tar.gz"
	[[ $output == *"cut short"* ]]
	head -c 5000 "$KT_DIR/plain.tar" >"$BATS_TEST_TMPDIR/cut.tar"
	made_nothing "$KIST" import "$BATS_TEST_TMPDIR/cut.tar"
	made_nothing "$KIST" import - </dev/null
	[[ $output == *"is empty"* ]]
	made_nothing "$KIST" import "$KT_DIR/plain.tar" case/UPPER:1
	[[ $output == *"invalid reference format"* ]]
	made_nothing "$KIST" import --change 'RUN true' "$KT_DIR/plain.tar"
	[[ $output == *"RUN is not a valid change command"* ]]
	made_nothing "$KIST" import --platform windows/amd64 "$KT_DIR/plain.tar"
	[[ $output == *"windows"* ]]
}

@test "attack: an archive that leaves its root, by name or by link, becomes no image" {
	python3 - "$BATS_TEST_TMPDIR" <<-'PY'
		import io, sys, tarfile
		def make(name, members):
		    with tarfile.open(f"{sys.argv[1]}/{name}.tar", "w") as t:
		        for m, data in members:
		            t.addfile(m, io.BytesIO(data) if data is not None else None)
		def file(name, data=b"evil"):
		    i = tarfile.TarInfo(name); i.size = len(data); return i, data
		def link(name, target, kind):
		    i = tarfile.TarInfo(name); i.type = kind; i.linkname = target; return i, None
		make("dots", [file("a/../../evil")])
		make("symlink", [link("out", "/tmp", tarfile.SYMTYPE), file("out/evil")])
		make("hardlink", [link("passwd", "../../etc/passwd", tarfile.LNKTYPE)])
		whiteout = tarfile.TarInfo("dev"); whiteout.type = tarfile.CHRTYPE
		make("whiteout", [(whiteout, None)])
		ids = tarfile.TarInfo("big"); ids.uid = 70000
		make("ids", [(ids, None)])
	PY
	for name in dots symlink hardlink whiteout ids; do
		made_nothing "$KIST" import "$BATS_TEST_TMPDIR/$name.tar" evil:1
		[[ $output == *entry* ]]
	done
}

@test "an import whose client goes away in the middle makes no image, though the archive looks whole" {
	store_files >"$BATS_TEST_TMPDIR/before"
	python3 - "$KT_DIR/kist.sock" "$KT_DIR/plain.tar" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
		data = open(sys.argv[2], "rb").read()
		s.sendall(b"POST /images/create?fromSrc=-&repo=torn HTTP/1.1\r\nHost: kist\r\nContent-Length: %d\r\n\r\n" % (len(data) + 10))
		s.sendall(data)
		s.close()
	PY
	eventually sh -c "find '$KT_DIR/root/oci' '$KT_DIR/root/layers' '$KT_DIR/root/tmp' | sort | cmp - '$BATS_TEST_TMPDIR/before'"
	run ! "$KIST" inspect --type image torn:latest
}

# --- several images in one archive ---

# Two images of one lower layer, and a second name for one of them.
make_pair() {
	"$KIST" import -c 'CMD ["/bin/cat","/etc/mark"]' "$KT_DIR/packed.tar.gz" pair/base:1
	local box
	box=$("$KIST" create pair/base:1)
	echo upper >"$BATS_TEST_TMPDIR/mark"
	"$KIST" cp "$BATS_TEST_TMPDIR/mark" "$box:/etc/mark"
	"$KIST" commit "$box" pair/upper:1 >/dev/null
	"$KIST" rm "$box"
	"$KIST" tag pair/upper:1 pair/upper:again
}
drop_pair() { "$KIST" rmi -f pair/base:1 pair/upper:1 pair/upper:again >/dev/null; }
pair_runs() {
	[ "$("$KIST" run --rm pair/base:1)" = imported ]
	[ "$("$KIST" run --rm pair/upper:1)" = upper ]
	[ "$("$KIST" run --rm pair/upper:again)" = upper ]
}
names_loaded() { grep -o 'Loaded image.*' "$1" | sort; }

@test "save of several images has what they share once; load says each name, from plain, gzip and zstd" {
	make_pair
	for C in $(clients); do
		client "$C" save pair/base:1 pair/upper:1 pair/upper:again >"$BATS_TEST_TMPDIR/pair.tar"
		tar tf "$BATS_TEST_TMPDIR/pair.tar" | sort | uniq -d | diff /dev/null -
		# Two manifests, two configs, and two layers: the lower one is there once.
		[ "$(tar tf "$BATS_TEST_TMPDIR/pair.tar" | grep -c 'blobs/sha256/.')" = 6 ]
		tar xOf "$BATS_TEST_TMPDIR/pair.tar" manifest.json | jq -e 'map(.RepoTags) == [["pair/base:1"], ["pair/upper:1", "pair/upper:again"]]'
		tar xOf "$BATS_TEST_TMPDIR/pair.tar" index.json | jq -e '.manifests | length == 3'
		gzip -kf "$BATS_TEST_TMPDIR/pair.tar"
		zstd -qf "$BATS_TEST_TMPDIR/pair.tar"
		for file in pair.tar pair.tar.gz pair.tar.zst; do
			drop_pair
			client "$C" load <"$BATS_TEST_TMPDIR/$file" >"$BATS_TEST_TMPDIR/out"
			[ "$(names_loaded "$BATS_TEST_TMPDIR/out" | tr '\n' ' ')" = "Loaded image: pair/base:1 Loaded image: pair/upper:1 Loaded image: pair/upper:again " ]
			pair_runs
		done
	done
	drop_pair
}

@test "what is odd is refused in one line by each client: filters, names like ids, directories for archives" {
	for C in $(clients); do
		run -1 client "$C" images --filter dangling=maybe
		[[ "$output" == *"invalid filter 'dangling=maybe'" ]]
		run -1 client "$C" tag "$BUSYBOX" sha256:aaa
		[[ "$output" == *"refusing to create an ambiguous tag using digest algorithm as name: "*"sha256:aaa" ]]
		client "$C" tag "$BUSYBOX" my/sha256:aaa # is no id's beginning
		client "$C" images -q --filter dangling=0 | grep -q .
		client "$C" rmi my/sha256:aaa
		run -1 client "$C" load -q -i "$KT_DIR"
		[[ "${#lines[@]}" = 1 && "$output" == *"$KT_DIR"*[Ii]"s a directory"* ]]
	done
	run -1 "$KIST" import "$KT_DIR"
	[ "$output" = "kist: import: $KT_DIR: Is a directory" ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" 'http://kist/images/json?filters=%7B%22dangling%22%3A%5B%22maybe%22%5D%7D')" = 400 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST "http://kist/images/$BUSYBOX/tag?repo=sha256&tag=aaa")" = 400 ]
}

@test "save: by id there is no name; nothing for a terminal; load refuses what is no archive of images" {
	make_pair
	id=$("$KIST" inspect --type image -f '{{.Id}}' pair/base:1)
	"$KIST" save "$id" >"$BATS_TEST_TMPDIR/id.tar"
	tar xOf "$BATS_TEST_TMPDIR/id.tar" manifest.json | jq -e '.[0].RepoTags == null'
	drop_pair
	[ "$("$KIST" load -i "$BATS_TEST_TMPDIR/id.tar" | tail -n 1)" = "Loaded image ID: $id" ]
	"$KIST" rmi "$id"
	run ! script -qec "$KIST save $BUSYBOX" /dev/null
	[[ $output == *"not for a terminal"* ]]
	made_nothing "$KIST" load -q -i "$KT_DIR/plain.tar"
	made_nothing "$KIST" load -q -i /etc/services
	xz -kc "$BATS_TEST_TMPDIR/id.tar" >"$BATS_TEST_TMPDIR/id.tar.xz"
	made_nothing "$KIST" load -q -i "$BATS_TEST_TMPDIR/id.tar.xz"
	head -c 20000 "$BATS_TEST_TMPDIR/id.tar" >"$BATS_TEST_TMPDIR/cut.tar"
	made_nothing "$KIST" load -q -i "$BATS_TEST_TMPDIR/cut.tar"
}

@test "several images through skopeo and podman, there and back, the same ids" {
	command -v podman >/dev/null && command -v skopeo >/dev/null || skip "no podman or skopeo here"
	make_pair
	"$KIST" save pair/base:1 pair/upper:1 pair/upper:again >"$BATS_TEST_TMPDIR/pair.tar"
	ids=$("$KIST" images -q --no-trunc pair/upper; "$KIST" images -q --no-trunc pair/base)
	podman_() { env -u DOCKER_CONFIG podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman.run" --storage-driver vfs --events-backend none "$@"; }
	run -0 podman_ load -i "$BATS_TEST_TMPDIR/pair.tar"
	[[ $output == *pair/base:1* && $output == *pair/upper:again* ]]
	[ "$(podman_ images -q --no-trunc | sort -u)" = "$(echo "$ids" | sort -u)" ]
	podman_ save -q -m -o "$BATS_TEST_TMPDIR/podman.tar" pair/base:1 pair/upper:1 pair/upper:again
	drop_pair
	"$KIST" load -i "$BATS_TEST_TMPDIR/podman.tar" >"$BATS_TEST_TMPDIR/out"
	[ "$(names_loaded "$BATS_TEST_TMPDIR/out" | wc -l)" = 3 ]
	for name in base:1 upper:1 upper:again; do
		"$KIST" tag "localhost/pair/$name" "pair/$name" 2>/dev/null || true # as podman calls them
		"$KIST" rmi "localhost/pair/$name" 2>/dev/null || true
	done
	pair_runs
	[ "$("$KIST" images -q --no-trunc pair/upper; "$KIST" images -q --no-trunc pair/base)" = "$ids" ]
	# One image of the archive, by its name, for skopeo; and its own archive of both kinds.
	skopeo copy -q "docker-archive:$BATS_TEST_TMPDIR/pair.tar:docker.io/pair/upper:1" "docker-archive:$BATS_TEST_TMPDIR/skopeo.tar:pair/upper:skopeo"
	skopeo copy -q "oci-archive:$BATS_TEST_TMPDIR/pair.tar:again" "oci-archive:$BATS_TEST_TMPDIR/skopeo-oci.tar:pair/upper:oci"
	for form in skopeo oci; do
		"$KIST" load -q -i "$BATS_TEST_TMPDIR/skopeo${form#skopeo}.tar" 2>/dev/null || "$KIST" load -q -i "$BATS_TEST_TMPDIR/skopeo-$form.tar"
		[ "$("$KIST" run --rm "pair/upper:$form")" = upper ]
		"$KIST" rmi "pair/upper:$form"
	done
	drop_pair
	podman_ system reset -f >/dev/null 2>&1 || true
}
