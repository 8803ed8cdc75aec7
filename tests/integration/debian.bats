# A real distribution from a real registry, through both clients: python3, nginx, apt, a shell on a terminal, many at once.
load ../lib/kist

setup_file() {
	"$BATS_TEST_DIRNAME/../lib/debian-image" "$BUILD/fixtures/debian"
	kist_start
	registry_start
	skopeo copy -q --all --dest-tls-verify=false "oci:$BUILD/fixtures/debian" "docker://127.0.0.1:$REGISTRY_PORT/debian:bookworm"
	export IMAGE=$REGISTRY/debian:bookworm
	"$KIST" pull -q "$IMAGE"
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

@test "python3 -c with an exit code" {
	for C in $(clients); do
		run -42 client "$C" run --rm "$IMAGE" python3 -c 'import sys, os; print(os.getuid(), sys.version_info.major); sys.exit(42)'
		[ "$output" = "0 3" ]
	done
}

@test "nginx answers on the container's address from the host" {
	for C in $(clients); do
		client "$C" run -d --name "ng-$C" "$IMAGE" nginx -g 'daemon off;'
		address=$(client "$C" inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' "ng-$C")
		eventually curl -sf "http://$address/"
		[ "$(curl -s "http://$address/")" = "<h1>hello from a kist</h1>" ]
		# Its workers run as www-data of the image.
		client "$C" exec "ng-$C" sh -c 'for s in /proc/[0-9]*/status; do grep -q "^Uid:.33" "$s" && exit 0; done; exit 1'
		client "$C" stop -t 5 "ng-$C"
		client "$C" rm "ng-$C"
	done
}

@test "apt-get --version, dpkg, and a package database that is whole" {
	for C in $(clients); do
		client "$C" run --rm "$IMAGE" apt-get --version | grep -q '^apt 2'
		[ -z "$(client "$C" run --rm "$IMAGE" dpkg --audit)" ]
		client "$C" run --rm "$IMAGE" dpkg --verify base-files
	done
}

@test "bash on a terminal" {
	for C in $(clients); do
		program=$KIST
		[ "$C" = docker ] && program=/usr/bin/docker
		[ "$C" = docker-new ] && program=$(newer_docker)
		run -9 script -qec "$program run --rm -it $IMAGE bash -c 'tty; exit 9'" /dev/null </dev/null
		[[ "$output" == *"/dev/pts/0"* || "$output" == *"/dev/console"* ]]
	done
}

@test "50 at once" {
	for i in $(seq 50); do
		"$KIST" run --rm "$IMAGE" python3 -c "print($i * $i)" >"$BATS_TEST_TMPDIR/$i" 2>&1 3>&- &
	done
	wait
	for i in $(seq 50); do
		[ "$(cat "$BATS_TEST_TMPDIR/$i")" = $((i * i)) ] || { cat "$BATS_TEST_TMPDIR/$i"; false; }
	done
}

@test "the tree is what the archives say: modes, owners, times" {
	# The base layer, unpacked by tar, against the same layer in the store.
	layer=$(jq -r '.manifests[0].digest' "$BUILD/fixtures/debian/index.json" | cut -d: -f2)
	manifest=$(jq -r '.manifests[] | select(.platform.os == "linux") | .digest' "$BUILD/fixtures/debian/blobs/sha256/$layer" | cut -d: -f2)
	blob=$(jq -r '.layers[0].digest' "$BUILD/fixtures/debian/blobs/sha256/$manifest" | cut -d: -f2)
	config=$(jq -r '.config.digest' "$BUILD/fixtures/debian/blobs/sha256/$manifest" | cut -d: -f2)
	diff_id=$(jq -r '.rootfs.diff_ids[0]' "$BUILD/fixtures/debian/blobs/sha256/$config" | cut -d: -f2)
	mkdir "$BATS_TEST_TMPDIR/tar"
	tar -xpf "$BUILD/fixtures/debian/blobs/sha256/$blob" --numeric-owner --xattrs -C "$BATS_TEST_TMPDIR/tar"
	list() { (cd "$1" && find . -mindepth 1 ! -type c -printf '%P %y %m %U:%G %l %n ' \( -type d -printf '\n' -o -printf '%s %T@\n' \) | sort); }
	list "$BATS_TEST_TMPDIR/tar" >"$BATS_TEST_TMPDIR/a"
	list "$KT_DIR/root/layers/sha256/$diff_id" >"$BATS_TEST_TMPDIR/b"
	diff "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
	(cd "$BATS_TEST_TMPDIR/tar" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum) >"$BATS_TEST_TMPDIR/c"
	(cd "$KT_DIR/root/layers/sha256/$diff_id" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum) >"$BATS_TEST_TMPDIR/d"
	diff "$BATS_TEST_TMPDIR/c" "$BATS_TEST_TMPDIR/d"
	rm -rf "$BATS_TEST_TMPDIR/tar"
}
