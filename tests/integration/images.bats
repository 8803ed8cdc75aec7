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
