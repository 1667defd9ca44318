#!/bin/sh
# The proxies that the bench compares with. Their services are not started: the
# bench runs them itself.
set -eu
PATH="$PATH:/usr/sbin"
missing=""
for program in nginx haproxy; do
	command -v "$program" >/dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "please install:$missing" >&2
	exit 1
fi
echo "installing$missing" >&2
apt-get update -q >&2
# RUNLEVEL=1 keeps the packages from starting their services.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
