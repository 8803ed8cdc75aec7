# Layers, manifests, archives and registries that lie: nothing leaves the image's root, nothing is left behind, credentials stay with their origin.
load attack

setup_file() {
	kist_start
	bundle_start
	"$KIST" run --rm $BUSYBOX true # the bridge, and its address, are there from now on
	BAD=localhost:$(free_port)
	GATEWAY=$(ip -o -4 addr show "$KT_NAME" | awk '{sub("/.*", "", $4); print $4}')
	# Somebody else: another port of this host, and another host.
	OTHERS="127.0.0.1:$(free_port) $GATEWAY:$(free_port)"
	RECORD=$KT_DIR/record
	export BAD OTHERS RECORD
	touch "$RECORD" /tmp/kist-precious
	# shellcheck disable=SC2086  # a list of words on purpose
	"$BATS_TEST_DIRNAME/../lib/bad-registry" "${BAD#*:}" "$RECORD" $OTHERS >"$KT_DIR/bad.log" 2>&1 3>&- &
	echo $! >"$KT_DIR/bad.pid"
	for _ in 1 2 3; do eventually curl -sf "http://$BAD/v2/" && break; done
}
teardown_file() {
	kill "$(cat "$KT_DIR/bad.pid")"
	rm -f /tmp/kist-precious
	kist_end
}
setup() { tree >"$BATS_TEST_TMPDIR/before"; }
teardown() {
	[ -e /tmp/kist-precious ]
	[ ! -e /tmp/kist-escaped ]
	[ -z "$(find "$KT_DIR" /tmp -maxdepth 2 -name '*escaped*')" ]
	tree | diff "$BATS_TEST_TMPDIR/before" -
	left_nothing
}

api() { curl -s --max-time 20 --unix-socket "$KT_DIR/kist.sock" "$@"; }
tree() { find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort; }
refused_pull() { # REPOSITORY
	run timeout 30 "$KIST" pull -q "$BAD/$1"
	[ "$status" -eq 1 ] || { echo "$1: $status $output"; return 1; }
	[ "${#lines[@]}" -eq 1 ] || { echo "$1: $output"; return 1; }
}
# One that may be pulled or refused, but does no harm; then a command in it.
pull_and() { # REPOSITORY COMMAND...
	local image=$BAD/$1
	shift
	run timeout 30 "$KIST" pull -q "$image"
	[ "$status" -eq 0 ] || return 0
	# Nothing to run in it but what is bound into it.
	run timeout 20 "$KIST" run --rm -v "$KT_DIR/plain/rootfs/bin:/bin:ro" "$image" "$@"
	"$KIST" rmi "$image" >/dev/null
}

@test "attack: hard links, symlinks and parents that lead out of the layer (CVE-2021-29136, CVE-2026-28406, CVE-2025-47290)" {
	for kind in hard-up hard-absolute hard-through parent-up parent-twice swapped hard-of-symlink proc; do
		# "pulled" is fine where the entry came to lie in the layer itself: then it holds nothing of the host.
		pull_and "link-$kind" /bin/sh -c 'cat /stolen 2>/dev/null; ls -A /tmp 2>/dev/null'
		[[ "$output" != *root:* && "$output" != *kist-precious* ]] || { echo "$kind: $output"; false; }
	done
	for kind in hard-up hard-absolute hard-through parent-up; do refused_pull "link-$kind"; done
	pull_and link-file /bin/sh -c 'cat /f'
	[[ "$status" -ne 0 || "$output" = out ]]
}

@test "attack: whiteouts of \"..\", of \".\", of nothing, and through a symlink" {
	for kind in up dots dot empty through opaque; do
		pull_and "whiteout-$kind" /bin/true
		[ -d "$KT_DIR/root/layers/sha256" ]
		[ -e /tmp/kist-precious ]
	done
	refused_pull whiteout-up
	refused_pull whiteout-through
}

@test "attack: device nodes and extended attributes in a layer" {
	refused_pull device-overlay
	pull_and device-disk /bin/sh -c 'head -c 1 /disk || head -c 1 /mem'
	[ "$status" -ne 0 ]
	for kind in redirect user-overlay metacopy ids; do
		refused_pull "xattr-$kind"
	done
}

@test "attack: file capabilities and set-id bits of an image do not reach the host" {
	local top=$BATS_TEST_TMPDIR/top
	mkdir "$top"
	cp /bin/true "$top/setuid"; chmod 4755 "$top/setuid"
	image_load attack/setuid "$top"
	# Whoever comes by it on the host has a file of an id that is nobody's there, behind directories that are closed.
	file=$(find "$KT_DIR/root/layers" -name setuid | head -n 1)
	run setpriv --reuid 65534 --clear-groups --regid 65534 test -x "$file"
	[ "$status" -ne 0 ]
	"$KIST" rmi attack/setuid
}

@test "attack: absurd sizes, and a bomb of 7 GB in 7 MB (CVE-2026-32288)" {
	local before
	for kind in huge negative octal; do refused_pull "size-$kind"; done
	before=$(df --output=used -k "$KT_DIR" | tail -n 1)
	refused_pull bomb
	[[ "$output" == *"1000 times"* ]]
	[ "$(awk '/VmHWM/{print $2}' "/proc/$(kistd_pid)/status")" -lt 60000 ]
	[ "$(($(df --output=used -k "$KT_DIR" | tail -n 1) - before))" -lt 500000 ]
}

@test "attack: digests of another grammar, used as paths (CVE-2024-3727)" {
	local i where
	for where in layer config index; do
		for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
			refused_pull "digest-$where-$i"
			[[ "$output" != *root:x* ]]
		done
	done
	for i in 'sha256:../../../../../../etc/passwd' 'sha256:%2e%2e' "sha256:$(printf 'A%.0s' {1..64})" 'sha256:' '@' '../../x' 'a//b' 'a/../b:x'; do
		run timeout 20 "$KIST" pull -q "$BAD/good@$i"
		[ "$status" -ne 0 ]
		run timeout 20 "$KIST" rmi "$i"
		[ "$status" -ne 0 ]
	done
}

@test "attack: a manifest that is an index as well, and one of another type than it says (CVE-2021-41190)" {
	refused_pull both
	refused_pull schema1
}

@test "attack: credentials follow a redirect, a realm or a foreign URL to another host (CVE-2019-10214, CVE-2020-15157, CVE-2024-3727, CVE-2026-33540)" {
	local auth kind n i
	auth=$(printf '{"username": "user", "password": "kist-secret", "serveraddress": "%s"}' "$BAD" | base64 -w 0 | tr '+/' '-_')
	for kind in redirect realm foreign; do
		for n in 0 1; do
			api -X POST -H "X-Registry-Auth: $auth" "http://kist/images/create?fromImage=$BAD/auth-$kind-$n&tag=latest" >"$BATS_TEST_TMPDIR/out" || true
			"$KIST" rmi "$BAD/auth-$kind-$n" >/dev/null 2>&1 || true
		done
	done
	cat "$RECORD"
	# The blobs were asked for there, without a secret; or else nothing was tried at all.
	[ "$(grep -c "GET /sha256:.* nothing$" "$RECORD")" -ge 1 ]
	[ "$(grep -v ' /token' "$RECORD" | grep -cv ' nothing$')" = 0 ]
	# A realm over plain HTTP is asked on loopback only, where the registry itself is.
	[ "$(grep -c "^${OTHERS#* } GET /token" "$RECORD")" = 0 ]
	# Without credentials given nothing is told, either; and those of one registry are not another's.
	: >"$RECORD"
	auth=$(printf '{"username": "user", "password": "kist-secret", "serveraddress": "registry.example"}' | base64 -w 0 | tr '+/' '-_')
	api -X POST "http://kist/images/create?fromImage=$BAD/auth-realm-0&tag=latest" >/dev/null || true
	[ "$(grep -cv ' nothing$' "$RECORD")" = 0 ]
	# No secret stays in what can be read afterwards.
	! grep -rq kist-secret "$KT_DIR/root" "$KT_DIR/run" "$KT_DIR/kistd.log"
}

@test "attack: load: blobs and indexes that are symlinks, hard links, or have other names" {
	local work=$BATS_TEST_TMPDIR/work kind blob
	mkdir "$work"
	tar -C "$KT_DIR/plain/rootfs" -cf "$work/l.tar" etc
	for kind in symlink hardlink index layout traversal dir fifo device twice extra; do
		rm -rf "$work/layout"; mkdir -p "$work/layout"
		"$BATS_TEST_DIRNAME/../lib/oci-image" "$work/layout" "$work/l.tar"
		blob=$(jq -r '.manifests[0].digest' "$work/layout/index.json"); blob=$work/layout/blobs/sha256/${blob#*:}
		case $kind in
		symlink) ln -sf /etc/passwd "$blob" ;;
		hardlink) : ;;
		index) ln -sf /etc/passwd "$work/layout/index.json" ;;
		layout) ln -sfn /etc "$work/layout/blobs-link"; rm -rf "$work/layout/blobs"; ln -s /etc "$work/layout/blobs" ;;
		dir) rm "$blob"; mkdir "$blob" ;;
		fifo) rm "$blob"; mkfifo "$blob" ;;
		device) rm "$blob"; mknod "$blob" c 1 5 ;;
		extra) echo x >"$work/layout/kist-escaped-not" ;;
		esac
		tar -C "$work/layout" -cf "$work/a.tar" .
		python3 - "$kind" "$work/a.tar" <<-'PY'
			import io, sys, tarfile
			kind, path = sys.argv[1:]
			with tarfile.open(path, "a") as t:
			    def add(name, type_=tarfile.REGTYPE, link="", data=b"out"):
			        i = tarfile.TarInfo(name); i.type = type_; i.linkname = link; i.size = len(data) if type_ == tarfile.REGTYPE else 0
			        t.addfile(i, io.BytesIO(data))
			    if kind == "hardlink": add("blobs/sha256/" + "a" * 64, tarfile.LNKTYPE, "/etc/passwd")
			    if kind == "traversal": add("blobs/sha256/../../../../../../../tmp/kist-escaped")
			    if kind == "twice": add("index.json", data=b'{"schemaVersion": 2, "manifests": [{"digest": "sha256:../../x"}]}')
		PY
		run timeout 20 "$KIST" load -q -i "$work/a.tar"
		[ "$status" -eq 1 ] || { echo "$kind: $output"; false; }
		[[ "$output" != *root:* ]]
	done
}
