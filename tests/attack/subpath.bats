# Sub-paths of volumes while a container that has the volume works against it (CVE-2017-1002101, CVE-2021-25741): the path is a directory at one moment,
# and a symlink to the host's files at the next.
load attack

setup_file() {
	kist_start
	helpers_folder
}
teardown_file() { kist_end; }
setup() {
	H=$BATS_TEST_TMPDIR/host
	mkdir -p "$H/dir"
	echo "of the host" >"$H/dir/file"
}
teardown() {
	"$KIST" ps -aq | xargs -r "$KIST" rm -f >/dev/null
	[ "$(cat "$H/dir/file")" = "of the host" ] && [ "$(ls "$H/dir")" = file ]
	left_nothing
}

@test "attack: the sub-path of a volume is swapped for a symlink (CVE-2017-1002101, CVE-2021-25741)" {
	"$KIST" run -d --name box -v raced:/w -v "$KT_DIR/h:/h" $BUSYBOX sleep 300
	# As deep as it goes, by an absolute path and by one that climbs.
	"$KIST" exec box sh -c "mkdir -p /w/t/sub /w/u && echo 'of the container' >/w/t/file && ln -s '$H/dir' /w/link && ln -s ../../../../../../../../../..$H/dir /w/u/link"
	"$KIST" exec -d box /h/swap 120 /w/t /w/link
	local i out seen=0 refused=0
	for i in $(seq 200); do
		[ "$i" -le 20 ] || [ "$seen" -eq 0 ] || [ "$refused" -eq 0 ] || break
		if out=$("$KIST" run --rm --mount type=volume,source=raced,target=/x,volume-subpath=t $BUSYBOX sh -c 'cat /x/file; touch /x/mark' 2>&1); then
			[ "$out" = "of the container" ] || { echo "round $i: \"$out\"" >&2; return 1; }
			seen=$((seen + 1))
		else
			[[ "$out" == *"cannot access the sub-path t of raced"* ]] || { echo "round $i: \"$out\"" >&2; return 1; }
			refused=$((refused + 1))
		fi
		run "$KIST" run --rm --mount type=volume,source=raced,target=/x,volume-subpath=t/sub $BUSYBOX ls /x
		[[ "$output" != *host* ]]
	done
	[ "$seen" -gt 0 ]
	run -125 "$KIST" run --rm --mount type=volume,source=raced,target=/x,volume-subpath=u/link $BUSYBOX true
	# The magic links of procfs lead nowhere either, were there any.
	"$KIST" exec box ln -s /proc/1/root /w/magic
	run -125 "$KIST" run --rm --mount type=volume,source=raced,target=/x,volume-subpath=magic $BUSYBOX true
}
