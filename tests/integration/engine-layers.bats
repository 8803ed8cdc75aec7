# Pulls that come half-way: no layer of them stays.
load ../lib/kist

setup_file() {
	kist_start
	BAD_PORT=$(free_port)
	export BAD_PORT
	"$BATS_TEST_DIRNAME/../lib/bad-registry" "$BAD_PORT" 3>&- &
	echo $! >"$KT_DIR/bad.pid"
	eventually curl -sf "http://127.0.0.1:$BAD_PORT/v2/"
}

teardown_file() {
	kill "$(cat "$KT_DIR/bad.pid")"
	kist_end
}

content() { find "$KT_DIR/root/oci" "$KT_DIR/root/layers" "$KT_DIR/root/tmp" | sort; }
has_layers() { [ "$(ls "$KT_DIR/root/layers/sha256" | wc -l)" -eq "$1" ]; }

@test "the good layer of a pull that failed is given back" {
	content >"$BATS_TEST_TMPDIR/before"
	run -1 "$KIST" pull "localhost:$BAD_PORT/second-truncated"
	content | diff "$BATS_TEST_TMPDIR/before" -
}

@test "kill -9 while the second layer is on its way: after the restart nothing of it is left, and it can be pulled" {
	content >"$BATS_TEST_TMPDIR/before"
	"$KIST" pull "localhost:$BAD_PORT/second-stuck" >/dev/null 2>&1 3>&- &
	client=$!
	eventually has_layers 2
	kistd_kill9
	wait "$client" || true
	kistd_up
	content | diff "$BATS_TEST_TMPDIR/before" -
	"$KIST" pull -q "localhost:$BAD_PORT/good"
	"$KIST" rmi "localhost:$BAD_PORT/good"
	content | diff "$BATS_TEST_TMPDIR/before" -
}
