# shellcheck shell=sh
# boot: systemd-hybrid
# As systemd-v1.sh: here v2 is mounted as well, without controllers, and systemd counts processes there.
. /tests/systemd-v1.sh
