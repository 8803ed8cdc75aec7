# Containers, networks and ports that come and go at random, while kistd is killed: no address twice, none lost; links, table and database agree. The host of this file
# is a network namespace of its own. KIST_TEST_SEED repeats a run.
load ../lib/kist
load ../lib/hosts

setup_file() {
	host_begin st
	kist_start
	"$KIST" network create --subnet 10.73.1.0/29 tiny
	"$KIST" network create --subnet 10.73.2.0/24 --ip-range 10.73.2.0/28 wide
	"$KIST" network create --ipv6 --subnet 10.73.3.0/28 --subnet fd00:73:3::/64 both
	"$KIST" run --rm $BUSYBOX true # the default network is made at its first use
}
teardown_file() {
	kist_end
	hosts_end
}

storm() { "$BATS_TEST_DIRNAME/../lib/network-storm" "$1" "$KT_DIR/kist.sock" "${@:2}"; }
agrees() { storm check "$KT_DIR/root/kist.db" "$KT_NAME" "$HOST" >"$BATS_TEST_TMPDIR/left" 2>&1; }
# How many networks the address pool has room for.
room() {
	local n=0
	while "$KIST" network create "room$n" >/dev/null 2>&1; do n=$((n + 1)); done
	for i in $(seq 0 $((n - 1))); do echo "room$i"; done | xargs -r "$KIST" network rm >/dev/null
	echo "$n"
}

@test "random creates, connects, ends and kills of kistd: no address is used twice or lost, and all agree" {
	seed=${KIST_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
	echo "# seed $seed (KIST_TEST_SEED=$seed repeats it)" >&3
	echo "seed $seed"
	before=$(room)
	[ "$before" -gt 4 ]
	for round in 1 2 3 4 5; do
		storm storm "$seed $round" 4 >"$BATS_TEST_TMPDIR/odd" 3>&- &
		storm=$!
		for kill in 1 2; do
			sleep "$(((seed / round + kill) % 2)).$((seed * round * kill % 10))"
			kistd_kill9
			kistd_up
		done
		wait "$storm" || { echo "round $round:"; cat "$BATS_TEST_TMPDIR/odd"; false; }
		eventually agrees || { echo "round $round:"; cat "$BATS_TEST_TMPDIR/left"; false; }
		run -0 "$KIST" network audit
		[ -z "$output" ]
	done
	storm clear
	eventually agrees || { cat "$BATS_TEST_TMPDIR/left"; false; }
	nothing_left
	# But for the links of sandboxes made ahead.
	[ "$(ip -n "$HOST" -o link show type veth | wc -l)" -le 2 ]
	# All that there was is there again.
	storm fill tiny 5
	storm fill wide 14
	storm fill both 13
	[ "$(room)" = "$before" ]
}
