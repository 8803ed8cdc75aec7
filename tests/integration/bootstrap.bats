# Images of a distribution's own packages. What mmdebstrap is asked for, and what becomes of its answer, is shown with one of cardboard; one test asks the
# real one, of the mirror that KIST_TEST_MIRROR names.
load ../lib/kist

setup_file() {
	kist_start
	mkdir -p "$KT_DIR/tree/bin" "$KT_DIR/tree/dev" "$KT_DIR/bin" "$KT_DIR/spool"
	cp "$(command -v busybox)" "$KT_DIR/tree/bin/busybox"
	ln -s busybox "$KT_DIR/tree/bin/cat"
	echo packages >"$KT_DIR/tree/mark"
	mknod "$KT_DIR/tree/dev/null" c 1 3
	# Writes its words to a file, and an archive; "fails" after half of it when the suite says so.
	cat >"$KT_DIR/bin/mmdebstrap" <<-SH
		#!/bin/sh
		for word; do echo "\$word"; done >"$KT_DIR/asked"
		case " \$* " in *" broken "*) tar -C "$KT_DIR/tree" -cf - . | head -c 20000; echo "E: no such suite" >&2; exit 25 ;; esac
		tar -C "$KT_DIR/tree" --sort=name --mtime="@\${SOURCE_DATE_EPOCH:-1}" --numeric-owner -cf - .
	SH
	chmod +x "$KT_DIR/bin/mmdebstrap"
	export TMPDIR_OF_TEST=$KT_DIR/spool
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

bootstrap() { PATH="$KT_DIR/bin:$PATH" TMPDIR=$TMPDIR_OF_TEST "$KIST" image bootstrap "$@"; }
asked_for() { grep -qxF -- "$1" "$KT_DIR/asked"; }
about() { "$KIST" inspect --type image -f "$2" "$1"; }

@test "bootstrap: the words for mmdebstrap, and an image of its archive, named after what it is of" {
	bootstrap debian:bookworm
	asked_for bookworm && asked_for --variant=minbase && asked_for -
	run ! asked_for --include=systemd-sysv,dbus,udev
	[ "$("$KIST" run --rm debian:bookworm /bin/cat /mark)" = packages ]
	[ "$(about debian:bookworm '{{index .Config.Cmd 0}} {{.Comment}}')" = "/bin/bash bootstrapped from the packages of debian bookworm" ]
	bootstrap --mirror http://192.0.2.1/debian --include curl --include git,make debian:trixie localhost:5000/tools:1
	asked_for trixie && asked_for http://192.0.2.1/debian && asked_for curl && asked_for git,make
	[ "$("$KIST" run --rm localhost:5000/tools:1 /bin/cat /mark)" = packages ]
	"$KIST" rmi debian:bookworm localhost:5000/tools:1
	[ -z "$(ls -A "$TMPDIR_OF_TEST")" ]
}

@test "bootstrap --os: systemd is its first process, and it stops by systemd's signal" {
	bootstrap --os debian:bookworm machine:1
	asked_for --include=systemd-sysv,dbus,udev
	[ "$(about machine:1 '{{index .Config.Cmd 0}} {{.Config.StopSignal}} {{index .Config.Env 1}}')" = "/sbin/init SIGRTMIN+3 container=oci" ]
	"$KIST" rmi machine:1
}

@test "bootstrap: with SOURCE_DATE_EPOCH the same packages are the same image" {
	export SOURCE_DATE_EPOCH=1700000000
	first=$(bootstrap debian:bookworm same:1)
	[[ $(about same:1 '{{.Created}}') == 2023-11-14T22:13:20*Z ]]
	"$KIST" rmi same:1
	[ "$(bootstrap debian:bookworm same:2)" = "$first" ]
	[ "$(SOURCE_DATE_EPOCH=1700000001 bootstrap debian:bookworm same:3)" != "$first" ]
	[ "$(bootstrap --os debian:bookworm same:4)" != "$first" ]
	"$KIST" rmi same:2 same:3 same:4
}

@test "bootstrap refuses in one line, and half an archive becomes no image" {
	for bad in debian debian: :bookworm --os=x 'debian:a b' 'debian:-x' 'Debian:x' 'debian:../x'; do
		run ! bootstrap "$bad"
	done
	run -1 bootstrap debian:broken never:1
	[[ "${lines[-1]}" == *"mmdebstrap has failed for debian:broken, with exit status 25"* ]]
	run -1 "$KIST" inspect --type image never:1
	run -1 bootstrap --include 'a;b' debian:bookworm never:1
	[[ "${#lines[@]}" = 1 && "$output" == *"not names of packages"* ]]
	run -1 bootstrap --mirror --hook-dir=/x debian:bookworm never:1
	[[ "${#lines[@]}" = 1 && "$output" == *"not the place of packages"* ]]
	SOURCE_DATE_EPOCH=yesterday run -1 bootstrap debian:bookworm never:1
	[[ "${#lines[@]}" = 1 && "$output" == *SOURCE_DATE_EPOCH* ]]
	PATH=$KT_DIR/spool TMPDIR=$TMPDIR_OF_TEST run -1 "$KIST" image bootstrap debian:bookworm never:1
	[[ "${#lines[@]}" = 1 && "$output" == *"mmdebstrap is not installed"* ]]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -X POST 'http://kist/images/create?fromSrc=-&created=-5')" = 400 ]
	[ -z "$(ls -A "$TMPDIR_OF_TEST")" ]
}

@test "bootstrap debian:bookworm of the real packages runs" {
	# It takes a minute of a quiet machine, and three of a busy one: only who asks for it.
	[ -n "${KIST_TEST_MIRROR:-}" ] || skip "KIST_TEST_MIRROR names no mirror of Debian's packages"
	curl -sf --max-time 5 -o /dev/null "$KIST_TEST_MIRROR/dists/bookworm/InRelease" || skip "$KIST_TEST_MIRROR cannot be reached"
	"$KIST" image bootstrap --mirror "$KIST_TEST_MIRROR" debian:bookworm real:1
	[[ "$("$KIST" run --rm real:1 cat /etc/os-release)" == *bookworm* ]]
	"$KIST" run --rm real:1 dpkg --audit
	"$KIST" rmi real:1
}
