# shellcheck shell=sh
# boot: cgroup1
# checkpoint and restore where all controllers are of cgroup v1.
. /tests/lib.sh
begin
# shellcheck source=tests/vm/guest/checkpoint.inc
. /tests/checkpoint.inc

paused() {
	config . sh -c "$teller"
	started
	rt pause box
	saved --leave-running
	is_state paused
	rt delete --force box
	restored
	asked
	ended
}
check "a paused container is saved and stays paused; restored, it runs" paused

all_done
