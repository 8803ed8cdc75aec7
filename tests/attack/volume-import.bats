# Archives that want to leave the volume that is made of them (CVE-2021-29136, CVE-2026-28406, CVE-2025-47290 for layers).
load attack

setup_file() { kist_start; }
teardown_file() { kist_end; }
setup() {
	mkdir -p "$BATS_TEST_TMPDIR/host/dir"
	echo "of the host" >"$BATS_TEST_TMPDIR/host/file"
}
teardown() {
	[ "$(cat "$BATS_TEST_TMPDIR/host/file")" = "of the host" ] && [ "$(stat -c %h:%u:%a "$BATS_TEST_TMPDIR/host/file")" = 1:0:644 ] && [ -z "$(ls "$BATS_TEST_TMPDIR/host/dir")" ]
	[ -z "$(ls -A "$KT_DIR/root/volumes" 2>/dev/null)" ]
	left_nothing
}

# Members, one per line: NAME TYPE [TARGET]. Types: file, dir, sym, hard, chr, blk, fifo.
hostile() { # FILE MEMBER...
	python3 - "$@" <<-'PY'
		import io, sys, tarfile
		kinds = {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "chr": tarfile.CHRTYPE, "blk": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE, "dir": tarfile.DIRTYPE}
		with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as out:
		    for member in sys.argv[2:]:
		        name, kind, target = (member.split(" ") + [""])[:3]
		        info = tarfile.TarInfo(name)
		        info.mode = 0o777
		        info.uid = 3000000000 if kind == "owner" else 0
		        if kind in kinds:
		            info.type, info.linkname = kinds[kind], target
		        if kind in ("chr", "blk"):
		            info.devmajor, info.devminor = 1, 5
		        if kind == "xattr":
		            info.pax_headers = {"SCHILY.xattr." + target: "y"}
		        info.size = 4 if kind in ("file", "owner", "xattr") else 0
		        out.addfile(info, io.BytesIO(b"bad\n") if info.size else None)
	PY
}
refused() { # WORDS-OF-THE-MESSAGE MEMBER...
	local words=$1
	shift
	hostile "$BATS_TEST_TMPDIR/a.tar" "first file" "$@"
	echo "== $*"
	run -1 "$KIST" volume import bad "$BATS_TEST_TMPDIR/a.tar"
	[[ "$output" == *"$words"* ]] || { echo "$output"; return 1; }
	[ -z "$("$KIST" volume ls -q)" ]
	[ -z "$(ls -A "$KT_DIR/root/volumes")" ]
}

@test "attack: members with \"..\", parents that are links, hard links to what is outside" {
	local host=$BATS_TEST_TMPDIR/host
	refused "leaves the directory" "../../../../../../../../../..$host/dir/x file"
	refused "leaves the directory" "a/../../b file"
	refused "symbolic link" "out sym $host/dir" "out/x file"
	refused "symbolic link" "out sym ../../../../../../../../../..$host/dir" "out/x file"
	refused "symbolic link" "deep dir" "deep/out sym $host" "deep/out/dir dir" "deep/out/dir/x file"
	refused "hard link" "name hard ../../../../../../../../../..$host/file"
	refused "hard link" "out sym $host" "name hard out/file"
	refused "hard link" "name hard $host/file"
}

@test "attack: device nodes, owners beyond a container's, attributes of overlayfs" {
	refused "device node" "null chr"
	refused "device node" "disk blk"
	refused "beyond the" "x owner"
	refused "overlayfs" "x xattr user.overlay.opaque"
	refused "overlayfs" "x xattr trusted.overlay.redirect"
}

@test "attack: a link takes a member's place, and an absolute name: inside of the volume" {
	local host=$BATS_TEST_TMPDIR/host
	hostile "$BATS_TEST_TMPDIR/a.tar" "out sym $host/file" "out file" "$host/dir/x file" "self sym self" "self file"
	"$KIST" volume import kept "$BATS_TEST_TMPDIR/a.tar"
	[ "$(cat "$KT_DIR/root/volumes/kept/_data/out")" = bad ] && [ ! -L "$KT_DIR/root/volumes/kept/_data/out" ]
	[ -f "$KT_DIR/root/volumes/kept/_data$host/dir/x" ]
	"$KIST" volume rm kept
}

@test "attack: a bomb, and an archive whose size is a lie" {
	hostile "$BATS_TEST_TMPDIR/a.tar" "first file"
	truncate -s 700 "$BATS_TEST_TMPDIR/a.tar"
	run -1 "$KIST" volume import bad "$BATS_TEST_TMPDIR/a.tar"
	# 400 MiB in some 12 KiB.
	truncate -s 400M "$BATS_TEST_TMPDIR/zeros"
	tar -C "$BATS_TEST_TMPDIR" -cf - zeros | zstd -q -19 -T1 >"$BATS_TEST_TMPDIR/bomb.zst"
	run -1 "$KIST" volume import bad "$BATS_TEST_TMPDIR/bomb.zst"
	[[ "$output" == *"ratio"* || "$output" == *"times"* ]] || { echo "$output"; return 1; }
	[ -z "$("$KIST" volume ls -q)" ]
}
