# What the engine refuses, in Docker's words; networks; layers that nothing needs.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() { left_nothing; }

@test "more CPUs than the host has are refused, at create" {
	n=$(nproc --all)
	for C in $(clients); do
		run ! client "$C" create --cpus $((n + 1)) $BUSYBOX true
		[[ "$output" == *"range of CPUs is from 0.01 to $n.00, as there are only $n CPUs available"* ]]
		run ! client "$C" create --cpuset-cpus "0-$n" $BUSYBOX true
		[[ "$output" == *"Requested CPUs are not available - requested 0-$n, available: "* ]]
		run ! client "$C" create --cpuset-mems 4000 $BUSYBOX true
		[[ "$output" == *"Requested memory nodes are not available"* ]]
	done
}

@test "a platform that the image does not have" {
	run ! "$KIST" create --pull never --platform linux/riscv64 $BUSYBOX true
	[[ "$output" == *"was found but its platform (linux/"*") does not match the specified platform (linux/riscv64)"* ]]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -d "{\"Image\":\"$BUSYBOX\"}" \
		"http://kist/containers/create?platform=linux/riscv64")" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$KT_DIR/kist.sock" -H 'Content-Type: application/json' -d "{\"Image\":\"$BUSYBOX\"}" \
		"http://kist/containers/create?platform=what")" = 400 ]
	id=$("$KIST" create --platform "linux/$(dpkg --print-architecture)" $BUSYBOX true)
	"$KIST" rm "$id"
}

@test "networks: their ids, the bridge's addresses, who is on it" {
	"$KIST" run -d --name net $BUSYBOX sleep 100
	id=$(docker network ls --no-trunc --filter name=bridge -q)
	[ "$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.NetworkID}}' net)" = "$id" ]
	[ "$(docker network inspect -f '{{.Id}}' bridge)" = "$id" ]
	[ "$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "${id:0:12}")" = "${KT_POOL%/*}/22" ] # the first quarter of the only pool
	gateway=$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)
	[ "$("$KIST" inspect -f '{{.NetworkSettings.Networks.bridge.Gateway}}' net)" = "$gateway" ]
	[[ "$(docker network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' bridge)" == "net ${gateway%.*}."*/22 ]]
	run ! docker network inspect 6b
	[[ "$output" == *ambiguous* ]]
	run ! docker network inspect nosuch
	"$KIST" rm -f net
}

@test "a layer that nothing needs is gone after a restart; one under a container is not" {
	before=$(ls "$KT_DIR/root/layers/sha256")
	id=$("$KIST" create $BUSYBOX true)
	# What a pull leaves that was killed between its layers and its image.
	mkdir "$KT_DIR/root/layers/sha256/$(printf 'ab%.0s' $(seq 32))"
	kistd_kill9
	kistd_up
	[ "$(ls "$KT_DIR/root/layers/sha256")" = "$before" ]
	"$KIST" start -a "$id"
	"$KIST" rm "$id"
}

@test "a missing command: each message says it once, and as the shell would exit" {
	run -127 "$KIST" run --rm $BUSYBOX /nosuch/x
	[[ "$output" == *"/nosuch/x"*"no such file or directory"* && "$output" != *"executable file not found"* ]]
	"$KIST" run -d --name ex $BUSYBOX sleep 100
	for C in $(clients); do
		run -127 client "$C" exec ex /nosuch/x
		[[ "$output" == *"/nosuch/x"*"no such file or directory"* && "$output" != *"executable file not found"* ]]
		run -127 client "$C" exec ex nosuch
		[[ "$output" == *"executable file not found"* && "$output" != *"no such file"* ]]
	done
	"$KIST" rm -f ex
}
