# Debian's python3-docker, as its users write it: python-docker.py has the statements.
load ../lib/kist

setup_file() {
	kist_start
	mkdir -p "$KT_DIR/shared"
	echo shared >"$KT_DIR/shared/f"
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

try() {
	[ -d /usr/lib/python3/dist-packages/docker ] || skip "python3-docker is not installed"
	timeout 120 /usr/bin/python3 tests/clients/python-docker.py "$1"
}

@test "python: system, versions, swarm" { try system; }
@test "python: run with its options; errors are its own exceptions" { try run; }
@test "python: create, start, pause, rename, update, restart, stop, kill, wait, remove, prune" { try life; }
@test "python: logs" { try logs; }
@test "python: exec" { try exec; }
@test "python: attach" { try attach; }
@test "python: archives, diff, export, commit" { try files; }
@test "python: images" { try images; }
@test "python: volumes" { try volumes; }
@test "python: networks" { try networks; }
@test "python: events and stats" { try events_stats; }
@test "python: health" { try health; }
