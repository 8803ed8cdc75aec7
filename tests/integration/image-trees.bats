# A tree of files that goes through an archive and Kist's unpacking is the one that GNU tar makes of it; what is in the store is what other tools of the field read.
load ../lib/kist

setup_file() {
	kist_start
	registry_start
	make_nasty "$KT_DIR/nasty"
	mkdir -p "$KT_DIR/shell/bin"
	cp "$(command -v busybox)" "$KT_DIR/shell/bin/busybox"
	tar -C "$KT_DIR/shell" -cf "$KT_DIR/shell.tar" .
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

# Everything that an archive can hold and is easily lost, but for what docs/internals/images.md says is not kept.
make_nasty() { # DIR
	python3 - "$1" <<-'PY'
		import os, struct, sys
		root = os.fsencode(sys.argv[1])
		os.makedirs(root)
		os.chdir(root)
		umask = os.umask(0)
		def put(name, data=b"x", mode=0o644, ids=(0, 0)):
		    with open(name, "wb") as f:
		        f.write(data)
		    os.chown(name, *ids)
		    os.chmod(name, mode)
		for mode in (0o0, 0o400, 0o755, 0o1644, 0o2755, 0o4755, 0o6711, 0o7777):
		    put(b"mode-%04o" % mode, mode=mode)
		    os.mkdir(b"dir-%04o" % mode)
		    put(b"dir-%04o/inside" % mode)
		    os.chmod(b"dir-%04o" % mode, mode)
		for ids in ((1, 2), (1000, 1000), (65534, 65535), (0, 65535)):
		    put(b"ids-%d-%d" % ids, mode=0o6755, ids=ids)
		    os.mkdir(b"own-%d-%d" % ids); os.chown(b"own-%d-%d" % ids, *ids)
		    os.symlink("nowhere", b"link-%d-%d" % ids); os.chown(b"link-%d-%d" % ids, *ids, follow_symlinks=False)
		put("long" + "n" * 240)
		deep = "d"
		for i in range(30):
		    deep += "/" + "p" * 20
		os.makedirs(deep); put(deep + "/leaf")
		put(b"bytes \xff\xfe \n\t\\ '\"", b"odd name"); put("grüße-Σ-日本")
		put(b"-rf"); put(b" "); put(b".hidden"); put(b"...")
		for target in ("/etc/passwd", "../../outside", "self", "t" * 4000, "a\nb"):
		    os.symlink(target, "sym%d" % abs(hash(target) % 10**6) if target == "self" else "sym-%d" % len(target))
		put("hard-1", b"linked", ids=(7, 8)); os.link("hard-1", "hard-2"); os.makedirs("z/y"); os.link("hard-1", "z/y/hard-3")
		os.mkfifo("fifo", 0o640); os.chown("fifo", 3, 4); os.chmod("fifo", 0o640)
		os.link("fifo", "fifo-2")
		for i, mode in enumerate((0o0, 0o1600, 0o2640, 0o4755, 0o6711, 0o7777)):
		    for ids in ((0, 0), (3 + i, 4)):
		        name = "fifo-%04o-%d" % (mode, ids[0])
		        os.mkfifo(name); os.chown(name, *ids); os.chmod(name, mode)
		put("empty", b"")
		def sparse(name, pieces, size):
		    with open(name, "wb") as f:
		        for at, data in pieces:
		            f.seek(at); f.write(data)
		        f.truncate(size)
		sparse("sparse-middle", [(0, b"a" * 65536), (40 << 20, b"b" * 65536)], (40 << 20) + 65536)
		sparse("sparse-end", [(0, b"c" * 65536)], 30 << 20)
		sparse("sparse-all", [], 20 << 20)
		sparse("sparse-many", [(i << 20, b"%d" % i * 4096) for i in range(1, 60, 3)], 64 << 20)
		put("xattr"); os.setxattr("xattr", "user.text", b"value"); os.setxattr("xattr", "user.binary", bytes(range(256))); os.setxattr("xattr", "user.empty", b"")
		os.mkdir("xattr-dir"); os.setxattr("xattr-dir", "user.on", b"a directory")
		put("capable", mode=0o755); os.setxattr("capable", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
		put("capable-owned", mode=0o4755, ids=(5, 5)); os.setxattr("capable-owned", "security.capability", struct.pack("<IIIII", 0x02000000, 1 << 13, 0, 0, 0))
		# Numbers that no host has names for: tar writes names where it knows them.
		USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER, NOBODY = 1, 2, 4, 8, 16, 32, 0xffffffff
		def acl(name, *entries, kind="access"):
		    os.setxattr(name, "system.posix_acl_" + kind, struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries))
		def list_of(*more):
		    return sorted([(USER_OBJ, 7, NOBODY), (GROUP_OBJ, 4, NOBODY), (OTHER, 0, NOBODY), (MASK, 6, NOBODY), *more], key=lambda e: (e[0], e[2]))
		put("acl", mode=0o640); acl("acl", *list_of((USER, 6, 31000), (USER, 0, 3007), (GROUP, 4, 65535)))
		put("acl-set-id", mode=0o6750, ids=(8, 9)); acl("acl-set-id", *list_of((GROUP, 5, 3003)))
		put("acl-many"); acl("acl-many", *list_of(*[(USER, i % 8, 3100 + i) for i in range(200)]))
		# What was made in it before the list came must not get one here, what was made after that has its own.
		os.mkdir("acl-dir"); put("acl-dir/plain"); os.mkdir("acl-dir/plain-dir"); put("acl-dir/plain-dir/x")
		acl("acl-dir", *list_of((USER, 5, 3012)), kind="default"); acl("acl-dir", *list_of((USER, 7, 3013)))
		put("acl-dir/inherits"); os.mkdir("acl-dir/inherits-dir"); put("acl-dir/inherits-dir/x", ids=(1, 1))
		os.umask(umask)
		times = (1, 999_999_999, 1_700_000_000_123_456_789, 4_000_000_000_000_000_001, -86_400_000_000_000)
		n = 0
		for directory, names, files in os.walk(b".", topdown=False):
		    for name in sorted(files + names) + [b"."]:
		        n += 1
		        when = times[n % len(times)]
		        os.utime(os.path.join(directory, name), ns=(when, when), follow_symlinks=False)
	PY
}

# The layer that an import of this archive makes, and what GNU tar makes of it, have the same listing.
same_as_tar() { # ARCHIVE OPTION...
	local archive=$1 id
	shift
	mkdir "$BATS_TEST_TMPDIR/tar"
	tar -C "$BATS_TEST_TMPDIR/tar" --numeric-owner --same-owner -p --xattrs --xattrs-include='*' --acls "$@" --warning=no-timestamp -xf "$archive"
	"$BATS_TEST_DIRNAME/../lib/tree-listing" "$BATS_TEST_TMPDIR/tar" >"$BATS_TEST_TMPDIR/wanted"
	"$KIST" import "$archive" nasty:1 >/dev/null
	id=$("$KIST" inspect --type image -f '{{index .RootFS.Layers 0}}' nasty:1)
	"$BATS_TEST_DIRNAME/../lib/tree-listing" "$KT_DIR/root/layers/sha256/${id#sha256:}" >"$BATS_TEST_TMPDIR/have"
	"$KIST" rmi nasty:1
	chmod -R u+rwX "$BATS_TEST_TMPDIR/tar"
	rm -rf "$BATS_TEST_TMPDIR/tar"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/have")" -gt 80 ]
	diff "$BATS_TEST_TMPDIR/wanted" "$BATS_TEST_TMPDIR/have"
}

archive_of() { tar -C "$KT_DIR/nasty" --sort=name --numeric-owner "$@" . ; }

@test "unpacked as tar does it: the pax format, with fractions of seconds, attributes and holes" {
	archive_of --format=posix --sparse --xattrs --xattrs-include='*' --acls -cf "$BATS_TEST_TMPDIR/a.tar"
	same_as_tar "$BATS_TEST_TMPDIR/a.tar"
}

listing_of() { "$BATS_TEST_DIRNAME/../lib/tree-listing" "$KT_DIR/root/layers/sha256/$("$KIST" inspect --type image -f '{{index .RootFS.Layers 0}}' "$1" | cut -d : -f 2)"; }

@test "access control lists as a container's tools set them come through commit, and as extended attributes; one of names only is left out, and opens nothing" {
	"$KIST" import "$KT_DIR/shell.tar" shell:1
	"$KIST" create --name lists shell:1 true
	tar -C "$KT_DIR/nasty" --numeric-owner --xattrs --xattrs-include='*' --acls -cf - acl acl-set-id acl-dir | "$KIST" cp - lists:/
	"$KIST" commit lists lists:1
	"$KIST" run --name filled -d lists:1 /bin/busybox sleep 1000
	for place in filled:/acl filled:/acl-dir; do "$KIST" cp "$place" - | tar -C "$BATS_TEST_TMPDIR" --xattrs --xattrs-include='*' -xf -; done
	for name in acl acl-dir acl-dir/plain acl-dir/inherits acl-dir/inherits-dir; do
		diff <(cd "$KT_DIR/nasty" && getfacl -n "$name") <(cd "$BATS_TEST_TMPDIR" && getfacl -n "$name")
	done
	"$KIST" rm -f filled lists
	"$KIST" rmi lists:1 shell:1
	mkdir "$BATS_TEST_TMPDIR/names"
	echo x >"$BATS_TEST_TMPDIR/names/file"
	chmod 600 "$BATS_TEST_TMPDIR/names/file"
	setfacl -m u:nobody:rw "$BATS_TEST_TMPDIR/names/file"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/names/file")" = 660 ]
	tar -C "$BATS_TEST_TMPDIR/names" --format=posix --acls -cf "$BATS_TEST_TMPDIR/names.tar" .
	grep -aq 'user:nobody:rw' "$BATS_TEST_TMPDIR/names.tar"
	"$KIST" import "$BATS_TEST_TMPDIR/names.tar" names:1
	listing_of names:1 | grep -F "b'file' file 0600"
	run ! grep posix_acl <(listing_of names:1)
	"$KIST" rmi names:1
}

@test "unpacked as tar does it: GNU's format with its own long names and holes" {
	archive_of --format=gnu --sparse -cf "$BATS_TEST_TMPDIR/a.tar"
	same_as_tar "$BATS_TEST_TMPDIR/a.tar"
}

@test "unpacked as tar does it: access control lists as texts, without extended attributes" {
	archive_of --format=posix --sparse --acls -cf "$BATS_TEST_TMPDIR/a.tar"
	run ! grep -aq 'xattr.system.posix_acl' "$BATS_TEST_TMPDIR/a.tar"
	same_as_tar "$BATS_TEST_TMPDIR/a.tar"
	[ "$(grep -c 'posix_acl_access=' "$BATS_TEST_TMPDIR/have")" = 7 ]
	[ "$(grep -c 'posix_acl_default=' "$BATS_TEST_TMPDIR/have")" = 2 ]
}

@test "unpacked as tar does it: compressed by gzip in several members, and by zstd" {
	archive_of --format=posix --sparse --xattrs --xattrs-include='*' --acls -cf "$BATS_TEST_TMPDIR/a.tar"
	head -c 100000 "$BATS_TEST_TMPDIR/a.tar" | gzip -c >"$BATS_TEST_TMPDIR/a.tar.gz"
	tail -c +100001 "$BATS_TEST_TMPDIR/a.tar" | gzip -c >>"$BATS_TEST_TMPDIR/a.tar.gz"
	same_as_tar "$BATS_TEST_TMPDIR/a.tar.gz"
	zstd -q "$BATS_TEST_TMPDIR/a.tar"
	same_as_tar "$BATS_TEST_TMPDIR/a.tar.zst"
}

@test "unpacked as tar does it: members twice, a file in a directory's place, and directories that come after their content" {
	mkdir -p "$BATS_TEST_TMPDIR/src/a/b" && echo 1 >"$BATS_TEST_TMPDIR/src/a/b/c" && chmod 700 "$BATS_TEST_TMPDIR/src/a/b"
	cd "$BATS_TEST_TMPDIR/src"
	tar --no-recursion --mtime=@1600000000 -cf ../a.tar a/b/c a/b a .
	echo second >a/b/c && chown 9:9 a/b/c && chmod 4711 a/b/c
	tar --no-recursion --mtime=@1600000001 -rf ../a.tar a/b/c a/b
	seq 200 | while read -r n; do echo "$n" >"more-$n"; done
	tar --mtime=@1600000002 -rf ../a.tar more-*
	same_as_tar ../a.tar
}

@test "a device node in an archive is left out, and the rest is there" {
	mkdir "$BATS_TEST_TMPDIR/dev" && mknod "$BATS_TEST_TMPDIR/dev/null" c 1 3 && mknod "$BATS_TEST_TMPDIR/dev/disk" b 8 0 && echo there >"$BATS_TEST_TMPDIR/dev/file"
	tar -C "$BATS_TEST_TMPDIR" -cf "$BATS_TEST_TMPDIR/a.tar" dev
	"$KIST" import "$BATS_TEST_TMPDIR/a.tar" devices:1
	id=$("$KIST" inspect --type image -f '{{index .RootFS.Layers 0}}' devices:1)
	[ "$(ls "$KT_DIR/root/layers/sha256/${id#sha256:}/dev")" = file ]
	"$KIST" rmi devices:1
}
