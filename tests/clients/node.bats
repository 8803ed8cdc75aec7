# npm's dockerode and testcontainers, installed as the lock file says: npm/dockerode.js and npm/testcontainers.js have the statements.
load ../lib/kist

setup_file() {
	kist_start
	NODE_HOME=$BUILD/clients-npm
	export NODE_HOME
	mkdir -p "$NODE_HOME"
	# Once per build directory and lock file.
	if command -v npm >/dev/null && ! cmp -s tests/clients/npm/package-lock.json "$NODE_HOME/installed"; then
		cp tests/clients/npm/package.json tests/clients/npm/package-lock.json tests/clients/npm/.npmrc "$NODE_HOME"
		if (cd "$NODE_HOME" && HOME=$NODE_HOME timeout 200 npm ci --ignore-scripts >npm.log 2>&1); then
			cp "$NODE_HOME/package-lock.json" "$NODE_HOME/installed"
		else
			tail -n 5 "$NODE_HOME/npm.log" >&2
		fi
	fi
}
teardown_file() { kist_end; }
teardown() { left_nothing; }

try() { # FILE NAME
	command -v node >/dev/null && command -v npm >/dev/null || skip "nodejs or npm is not installed"
	[ -e "$NODE_HOME/installed" ] || skip "the npm registry is not reachable"
	# Found beside node_modules, as every program of npm is.
	cp "tests/clients/npm/$1.js" "$NODE_HOME"
	# ryuk, which removes what a dead test left, is an image of a registry.
	TESTCONTAINERS_RYUK_DISABLED=true timeout 120 node "$NODE_HOME/$1.js" "$2"
}

@test "dockerode: system, versions" { try dockerode system; }
@test "dockerode: run" { try dockerode run; }
@test "dockerode: create, start, pause, rename, update, restart, stop, wait, remove" { try dockerode life; }
@test "dockerode: exec" { try dockerode exec; }
@test "dockerode: logs" { try dockerode logs; }
@test "dockerode: attach" { try dockerode attach; }
@test "dockerode: archives" { try dockerode files; }
@test "dockerode: events and stats" { try dockerode events; }
@test "dockerode: volumes, networks, images" { try dockerode others; }
@test "testcontainers: files, environment, exec, restart, stop" { try testcontainers life; }
@test "testcontainers: logs" { try testcontainers logs; }
@test "testcontainers: waits for health" { try testcontainers health; }
@test "testcontainers: waits for a command" { try testcontainers command; }
@test "testcontainers: a network" { try testcontainers network; }
@test "testcontainers: a missing image" { try testcontainers missing; }
