# What Debian's docker client prints through Kist and through Debian's dockerd, side by side: compare-dockerd, and its list of what is done.
# To write the table of docs/internals/engine-callers.md anew: KIST_COMPARE=--into bats …
load ../lib/callers
load ../lib/kist

setup_file() {
	[ -x /usr/bin/docker ] && command -v dockerd >/dev/null && command -v skopeo >/dev/null || return 0
	kist_start
	callers_up && dockerd_start || return 1
}
teardown_file() {
	callers_down
	kist_end
}

@test "docker through kistd and through dockerd: the same but for what the table says" {
	[ -n "${CALLER_DIR:-}" ] || skip "docker, dockerd and skopeo of Debian are not installed"
	"$BATS_TEST_DIRNAME/compare-dockerd" "$KT_DIR/kist.sock" "$CALLER_DIR/docker.sock" "$CALLER_DIR/busybox.docker.tar" "${KIST_COMPARE:---check}" docs/internals/engine-callers.md
}
