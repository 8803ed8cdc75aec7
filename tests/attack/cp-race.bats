# Copying files while the container works against it: paths that become symlinks to the host's files and back (CVE-2018-15664, CVE-2026-41567,
# CVE-2026-41568), code of the container that a helper would load or run (CVE-2019-14271), and archives that want to lie elsewhere.
load attack

setup_file() {
	kist_start
	helpers_folder
}
teardown_file() { kist_end; }
setup() {
	H=$BATS_TEST_TMPDIR/host
	mkdir -p "$H/dir"
	echo "of the host" >"$H/file" && echo "of the host" >"$H/dir/file"
	before=$(host_state)
}
teardown() {
	local status=0
	[ -z "${SWAPS:-}" ] || { for pid in $SWAPS; do kill "$pid" 2>/dev/null; done; }
	[ "$(host_state)" = "$before" ] || { echo "the host has changed:"; diff <(echo "$before") <(host_state); status=1; }
	left_nothing || status=1
	return $status
}

host_state() {
	find "$H" /etc/passwd /etc/hosts -printf '%p %M %u %g %s %T@\n' | sort
	cat "$H/file" "$H/dir/file"
	find / -maxdepth 1 -printf '%P %y\n' | sort
}

# A container in which /w/t is a directory at one moment, and a symlink to $1 at the next. The same path exists in the container.
racing_box() { # TARGET [OPTION...]
	local target=$1
	shift
	"$KIST" run -d --name box -v "$KT_DIR/h:/h" "$@" $BUSYBOX sleep 300 >/dev/null
	"$KIST" exec box sh -c "mkdir -p /w/t /w/t2 '$H/dir' && echo 'of the container' >/w/t/file && echo 'of the container' >'$H/file' && cp '$H/file' '$H/dir/file' && ln -s '$target' /w/link"
	"$KIST" exec -d box /h/swap 60 /w/t /w/link
}

# Each answer is the container's own, or an error. N rounds, and more until the directory was there at the right moment: then the race was on.
copy_rounds() { # N
	local i in=$BATS_TEST_TMPDIR/in out copied=0
	mkdir -p "$in/payload"
	echo "from outside" >"$in/payload/$MARK"
	for i in $(seq 300); do
		[ "$i" -le "$1" ] || [ "$copied" -eq 0 ] || break
		out=$("$KIST" cp box:/w/t/file - 2>/dev/null | tar xO 2>/dev/null || true)
		[ -z "$out" ] || copied=$((copied + 1))
		[ -z "$out" ] || [ "$out" = "of the container" ] || { echo "round $i: \"$out\" came out"; return 1; }
		out=$("$KIST" cp -L box:/w/t - 2>/dev/null | tar xO 2>/dev/null || true)
		[[ "$out" != *"of the host"* ]] || { echo "round $i: \"$out\" came out"; return 1; }
		"$KIST" cp "$in/payload" box:/w/t/ 2>/dev/null || true
		"$KIST" cp "$in/payload/$MARK" box:/w/t/other 2>/dev/null || true
		[ ! -e "$H/payload" ] && [ ! -e "$H/dir/payload" ] && [ ! -e "$H/$MARK" ] && [ ! -e "$H/dir/other" ] || { echo "round $i: the host was written to"; return 1; }
		[ "$(cat "$H/file")" = "of the host" ] || return 1
	done
	[ "$copied" -gt 0 ]
}

@test "attack: cp follows a symlink that is swapped in, to an absolute path (CVE-2018-15664)" {
	racing_box "$H/dir"
	copy_rounds 40
	"$KIST" rm -f box
}

@test "attack: cp follows a symlink that is swapped in, up and out (CVE-2018-15664)" {
	racing_box "../../../../../../..$H/dir"
	copy_rounds 40
	"$KIST" rm -f box
}

@test "attack: cp follows a symlink that is swapped in, through /proc (CVE-2026-41567)" {
	for target in /proc/1/root /proc/self/root /proc/1/cwd /proc/self/fd/3; do
		racing_box "$target$H"
		copy_rounds 10
		"$KIST" rm -f box
	done
}

@test "attack: the same in a container with the host's ids, and a privileged one (CVE-2026-41568)" {
	for option in --userns=host --privileged; do
		racing_box "$H/dir" "$option"
		copy_rounds 15
		"$KIST" rm -f box
	done
}

@test "attack: the root of a stopped container leads out by symlinks" {
	"$KIST" run --name box $BUSYBOX sh -c "ln -s '$H' /abs; ln -s '../../../..$H' /up; ln -s /proc/1/root$H /magic; mkdir -p '$H'; ln -s '$H/file' /leaf"
	for link in abs up magic; do
		run ! sh -c "\"$KIST\" cp box:/$link/file - | tar xO"
		echo evil >"$BATS_TEST_TMPDIR/evil"
		"$KIST" cp "$BATS_TEST_TMPDIR/evil" "box:/$link/" 2>/dev/null || true
	done
	run "$KIST" cp -L box:/leaf -
	[[ "$output" != *"of the host"* ]]
	"$KIST" export box | tar xO 2>/dev/null | { run ! grep -q "of the host"; }
	"$KIST" rm box
}

@test "attack: an archive whose members lie elsewhere (CVE-2021-29136)" {
	python3 - "$BATS_TEST_TMPDIR" "$H" <<-'PY'
		import io, sys, tarfile
		folder, host = sys.argv[1:]
		def member(name, kind=tarfile.REGTYPE, link="", data=b"evil\n"):
		    m = tarfile.TarInfo(name); m.type = kind; m.linkname = link
		    m.size = len(data) if kind == tarfile.REGTYPE else 0
		    return m, io.BytesIO(data)
		cases = {
		    "dotdot": [member("../../../../../.." + host + "/file")],
		    "absolute": [member(host + "/file")],
		    "through": [member("esc", tarfile.SYMTYPE, "../../../../../../.." + host), member("esc/file")],
		    "through-absolute": [member("esc", tarfile.SYMTYPE, host), member("esc/new")],
		    "hard": [member("h", tarfile.LNKTYPE, "../../../../.." + host + "/file"), member("h")],
		    "hard-absolute": [member("h", tarfile.LNKTYPE, host + "/file"), member("h")],
		    "magic": [member("esc", tarfile.SYMTYPE, "/proc/1/root" + host), member("esc/file")],
		    "device": [member("dev", tarfile.BLKTYPE)],
		}
		for name, members in cases.items():
		    with tarfile.open(f"{folder}/{name}.tar", "w", format=tarfile.GNU_FORMAT) as t:
		        for m, data in members:
		            t.addfile(m, data if m.size else None)
	PY
	"$KIST" run -d --name box $BUSYBOX sleep 300
	for state in running stopped; do
		for archive in "$BATS_TEST_TMPDIR"/*.tar; do
			"$KIST" cp - box:/tmp <"$archive" 2>/dev/null || true
			[ "$(cat "$H/file")" = "of the host" ] && [ ! -e "$H/new" ]
		done
		run ! "$KIST" cp - box:/tmp <"$BATS_TEST_TMPDIR/device.tar"
		run ! "$KIST" cp - box:/tmp <"$BATS_TEST_TMPDIR/dotdot.tar"
		"$KIST" stop -t 0 box
	done
	"$KIST" rm box
}

@test "attack: cp loads a library or runs a program of the container (CVE-2019-14271)" {
	"$KIST" run -d --name box $BUSYBOX sleep 300
	# Whatever is opened as code there would block for ever, or leave a mark.
	"$KIST" exec box sh -c '
		for d in /lib /lib64 /usr/lib /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu; do mkdir -p $d; for l in libnss_files.so.2 libc.so.6 libnss_compat.so.2; do mkfifo $d/$l; done; done
		for p in tar xz gzip unpigz zstd; do printf "#!/bin/sh\ntouch /ran\n" >/bin/$p.new; chmod +x /bin/$p.new; mv /bin/$p.new /bin/$p; done
		rm -f /etc/passwd; mkfifo /etc/passwd; mkfifo /etc/group; mkfifo /etc/localtime; mkfifo /etc/nsswitch.conf' || true
	echo x >"$BATS_TEST_TMPDIR/x"
	timeout 20 "$KIST" cp "$BATS_TEST_TMPDIR/x" box:/tmp/x
	tar cz -C "$BATS_TEST_TMPDIR" x | timeout 20 "$KIST" cp - box:/tmp
	[ "$(timeout 20 "$KIST" cp box:/tmp/x - | tar xO)" = x ]
	timeout 20 "$KIST" export box | tar t >/dev/null
	timeout 20 "$KIST" diff box | grep -q '^A /tmp/x$'
	run ! "$KIST" exec box test -e /ran
	"$KIST" rm -f box
}

@test "attack: the archive of a hostile container is laid down here" {
	"$KIST" run -d --name box -v "$KT_DIR/h:/h" $BUSYBOX sleep 300
	"$KIST" exec box sh -c "mkdir -p /d/t && echo evil >/d/t/file && ln -s '$H' /d/link"
	"$KIST" exec -d box /h/swap 30 /d/t /d/link
	mkdir "$BATS_TEST_TMPDIR/here"
	for _ in $(seq 25); do
		"$KIST" cp box:/d "$BATS_TEST_TMPDIR/here/" 2>/dev/null || true
		[ "$(cat "$H/file")" = "of the host" ]
	done
	"$KIST" rm -f box
}
