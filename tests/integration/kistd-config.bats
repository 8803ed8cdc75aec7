#!/usr/bin/env bats
# kistd.json: what is wrong in it, and what changes under a running daemon.

load ../lib/kist.bash

setup_file() {
	FILE=$(mktemp "${TMPDIR:-/tmp}/kist-test-config.XXXXXX")
	export FILE
	echo '{}' >"$FILE"
	kist_start --config "$FILE"
}
teardown_file() { kist_end; rm -f "$FILE"; }

validate() { "$BUILD/bin/kistd" --config "$BATS_TEST_TMPDIR/kistd.json" --validate "$@"; }

@test "--validate names every field that is wrong, each in a line, with the file" {
	cat >"$BATS_TEST_TMPDIR/kistd.json" <<-'JSON'
		{"bridge": 1, "debug": "yes", "live-restore": true, "nonsense": 1, "hosts": "x", "log-opts": {"max-size": "1x", "tag": 1}, "group": "root"}
	JSON
	run validate
	[ "$status" -eq 2 ]
	for key in bridge debug live-restore nonsense hosts log-opts.max-size log-opts.tag; do
		[ "$(grep -c "kistd.json: key \"$key\"" <<<"$output")" -eq 1 ]
	done
	[[ $output != *'"group"'* && $output == *"7 problems"* ]]
	echo '{"debug": true, "hosts": ["unix:///x"], "tlsverify": true}' >"$BATS_TEST_TMPDIR/kistd.json"
	run validate
	[[ $status -eq 0 && $output == "configuration OK" ]]
	# The same thing in both places is an error, as it is at a start.
	run validate --debug
	[[ $status -eq 2 && $output == *'"debug" is given on the command line too'* ]]
}

@test "SIGHUP changes the level of the log, and says what takes a restart" {
	echo '{"debug": true, "group": "0", "log-opts": {"max-file": 7}}' >"$FILE"
	kill -HUP "$(kistd_pid)"
	eventually grep -q 'configuration reread' "$KT_DIR/kistd.log"
	grep -q '"group" has changed: that takes a restart' "$KT_DIR/kistd.log"
	grep -q '"log-opts.max-file" has changed' "$KT_DIR/kistd.log"
	run "$KIST" inspect nobody
	grep -q ' debug .*No such' "$KT_DIR/kistd.log"
	echo '{"debug": 5}' >"$FILE"
	kill -HUP "$(kistd_pid)"
	eventually grep -q 'not reread, nothing is changed: .*"debug" is neither true nor false' "$KT_DIR/kistd.log"
	"$KIST" version
}

@test "the manual of kistd.json has every name, with the reason of those that are refused" {
	run -0 "$BUILD/bin/kistd" --man kistd.json
	local page=$output key
	for key in data-root log-opts.max-size default-ulimits dns seccomp-profile live-restore storage-driver; do
		grep -qF "\\fB$(sed 's/-/\\-/g' <<<"$key")\\fR" <<<"$page" || { echo "$key is missing"; false; }
	done
	[[ $page == *"containers always live on without the daemon"* ]]
	run -2 "$BUILD/bin/kistd" --man nothing
	[ -z "$output" ]
}
