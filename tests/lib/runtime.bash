# Shared by the bats files of kist-runtime: a bundle from busybox, the program's command line, and what must not be left behind.
#
#   setup_file()    { bundle_make; }     $RT_DIR/bundle, its config in $RT_DIR/base.json, cgroups below $RT_CGROUP
#   teardown_file() { bundle_remove; }
#   setup()         { bundle_fresh; }    $ID, and the config as it was made
#   teardown()      { runtime_left_nothing; }

bats_require_minimum_version 1.5.0

RUNTIME=${KIST_RUNTIME:-${KIST_BUILD:?run the tests with tests/run}/bin/kist-runtime}

bundle_make() {
	RT_DIR=$(mktemp -d "${TMPDIR:-/tmp}/kist-test.XXXXXX")
	RT_CGROUP=kist-test-rt$$
	export RT_DIR RT_CGROUP
	mkdir -p "$RT_DIR/bundle/rootfs/bin" "$RT_DIR/bundle/rootfs/tmp"
	cp "$(command -v busybox)" "$RT_DIR/bundle/rootfs/bin/busybox"
	local name
	for name in sh true false echo cat sleep ls id mount env ps kill readlink head grep stat tr dd; do
		ln -sf busybox "$RT_DIR/bundle/rootfs/bin/$name"
	done
	(cd "$RT_DIR/bundle" && "$RUNTIME" spec)
	jq --arg cg "$RT_CGROUP" '.process.terminal = false | .process.args = ["/bin/true"] | .linux.cgroupsPath = "/" + $cg + "/box"' \
		"$RT_DIR/bundle/config.json" >"$RT_DIR/base.json"
}

bundle_remove() {
	find /sys/fs/cgroup -depth -type d -path "*/$RT_CGROUP*" -exec rmdir {} + 2>/dev/null
	rm -rf --one-file-system "$RT_DIR"
}

bundle_fresh() {
	ID=kist-test-$$-$BATS_TEST_NUMBER
	cp "$RT_DIR/base.json" "$RT_DIR/bundle/config.json"
	mounts_before=$(wc -l </proc/self/mountinfo)
}

left() { find "$RT_DIR/state" -mindepth 1 -maxdepth 1 ! -name '~~filters' 2>/dev/null; } # the memory of compiled filters may stay

# No state, cgroup, mount or process. What is left is removed, so that the next test does not fail by it.
runtime_left_nothing() {
	local what=''
	[ -z "$(left)" ] || what="state is left: $(left)"
	[ -z "$(find /sys/fs/cgroup -type d -path "*/$RT_CGROUP/*" 2>/dev/null)" ] || what="$what; cgroups are left"
	[ "$(wc -l </proc/self/mountinfo)" = "$mounts_before" ] || what="$what; mounts are left"
	[ -z "$(grep -ls "kist-test-mark-$$" /proc/[0-9]*/cmdline)" ] || what="$what; processes are left"
	[ -n "$what" ] || return 0
	echo "$what" >&2
	rt delete --force "$ID"
	return 1
}

rt() { "$RUNTIME" --root "$RT_DIR/state" "$@"; }

config() { # JQ-FILTER [JQ-OPTION...]
	local filter=$1
	shift
	jq "$filter" "$RT_DIR/bundle/config.json" "$@" >"$RT_DIR/new.json" && mv "$RT_DIR/new.json" "$RT_DIR/bundle/config.json"
}
args() { # what the container is to run
	config '.process.args = $ARGS.positional' --args -- "$@"
}
sleeper() { args /bin/sh -c "sleep 300; : kist-test-mark-$$"; }

create() { rt create --bundle "$RT_DIR/bundle" "$@" </dev/null >"$RT_DIR/out" 2>"$RT_DIR/err" 3>&-; }
run_it() { rt run --bundle "$RT_DIR/bundle" "$ID" </dev/null; }
started() { # a container that does nothing
	sleeper
	create "$ID" || { cat "$RT_DIR/err" >&2; return 1; }
	rt start "$ID"
}

eventually() {
	local i
	for i in $(seq 400); do
		"$@" && return 0
		sleep 0.05
	done
	echo "never came true: $*" >&2
	return 1
}

# One line on standard error that has the words; exit status 1, or 255 of exec.
refused() { # PATTERN COMMAND...
	local pattern=$1 status=0 wanted=1
	shift
	[ "$2" != exec ] || wanted=255
	"$@" </dev/null >"$RT_DIR/out" 2>"$RT_DIR/err" 3>&- || status=$?
	[ "$status" -eq "$wanted" ] || { echo "exit status $status: $(cat "$RT_DIR/err")" >&2; return 1; }
	[ "$(wc -l <"$RT_DIR/err")" -eq 1 ] || { echo "not one line: $(cat "$RT_DIR/err")" >&2; return 1; }
	grep -qF -- "$pattern" "$RT_DIR/err" || { echo "no \"$pattern\" in: $(cat "$RT_DIR/err")" >&2; return 1; }
	grep -q '^kist-runtime: ' "$RT_DIR/err"
}
refuses() { refused "$1" run_it; } # PATTERN: of a run of the config as it is
