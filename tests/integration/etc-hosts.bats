# /etc/hosts of a container that runs, when its networks change.
load ../lib/kist

setup_file() { kist_start; }
teardown_file() { kist_end; }
teardown() {
	left_nothing
	"$KIST" network prune --force >/dev/null
}

own() { "$KIST" exec "$1" awk -v n="$2" '$2 == n { print $1 }' /etc/hosts; }
address_on() { "$KIST" inspect "$1" | jq -r --arg n "$2" '.[0].NetworkSettings.Networks[$n].IPAddress'; }

@test "lines of a network come and go with it; those of the user and of the container stay" {
	local id
	"$KIST" network create side
	for i in 1 2; do
		id=$("$KIST" run -d --name changing --hostname me --add-host asked:192.0.2.1 --add-host me:192.0.2.2 $BUSYBOX sleep 600)
		first=$(address_on changing bridge)
		"$KIST" exec changing sh -c 'echo "192.0.2.3 written" >>/etc/hosts; printf "192.0.2.4\tme" >>/etc/hosts'
		"$KIST" exec changing cat /etc/hosts >"$BATS_TEST_TMPDIR/before"
		"$KIST" network connect side changing
		second=$(address_on changing side)
		[ "$(own changing me | sort)" = "$(printf '%s\n' 192.0.2.2 192.0.2.4 "$first" "$second" | sort)" ]
		# What is mounted is the file, not a copy of it that nobody sees.
		[ "$(cat "$KT_DIR/root/containers/$id/hosts")" = "$("$KIST" exec changing cat /etc/hosts)" ]
		"$KIST" network disconnect side changing
		"$KIST" exec changing cat /etc/hosts >"$BATS_TEST_TMPDIR/after"
		diff <(cat "$BATS_TEST_TMPDIR/before"; echo) "$BATS_TEST_TMPDIR/after"
		"$KIST" network disconnect bridge changing
		[ "$(own changing me | paste -sd ' ')" = "192.0.2.2 192.0.2.4" ]
		[ "$(own changing asked) $(own changing written) $(own changing localhost | head -n 1)" = "192.0.2.1 192.0.2.3 127.0.0.1" ]
		"$KIST" network connect side changing
		[ "$(own changing me | tail -n 1)" = "$(address_on changing side)" ]
		"$KIST" rm -f changing
	done
	# With a domain, and with one who shares its network.
	"$KIST" run -d --name changing --hostname me --domainname example.com $BUSYBOX sleep 600
	"$KIST" run -d --name shares --network container:changing $BUSYBOX sleep 600
	"$KIST" network connect side changing
	"$KIST" exec shares grep -q "^$(address_on changing side).me.example.com me$" /etc/hosts
	"$KIST" rm -f shares changing
}

@test "attack: a link in the place of the file is not followed, inside or outside" {
	local id dir
	"$KIST" network create side
	echo precious >"$BATS_TEST_TMPDIR/precious"
	id=$("$KIST" run -d --name linked --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined $BUSYBOX sleep 600)
	dir=$KT_DIR/root/containers/$id
	# Its own mount undone, a link to a file of its own: only our file is written.
	"$KIST" exec linked sh -c 'umount /etc/hosts && rm -f /etc/hosts && echo own >/target && ln -s /target /etc/hosts'
	"$KIST" network connect side linked
	[ "$("$KIST" exec linked cat /target)" = own ]
	grep -q "$(address_on linked side)" "$dir/hosts"
	# Ours replaced: by a symlink, a hard link, a fifo, a directory.
	for kind in "ln -s" ln; do
		rm -rf "$dir/hosts"
		$kind "$BATS_TEST_TMPDIR/precious" "$dir/hosts"
		"$KIST" network disconnect side linked
		"$KIST" network connect side linked
		[ "$(cat "$BATS_TEST_TMPDIR/precious")" = precious ]
	done
	for kind in mkfifo mkdir; do
		rm -rf "$dir/hosts"
		$kind "$dir/hosts"
		"$KIST" network disconnect side linked
		"$KIST" network connect side linked
	done
	grep -q "its hosts is not changed with its networks" "$KT_DIR/kistd.log"
	# More than anybody would read is left as it is.
	rm -rf "$dir/hosts"
	head -c 3000000 /dev/zero | tr '\0' '\n' >"$dir/hosts"
	"$KIST" network disconnect side linked
	[ "$(stat -c %s "$dir/hosts")" = 3000000 ]
	"$KIST" rm -f linked
}
