#!/bin/sh
# Licences, origins and duplicates of everything we depend on, and known
# advisories where their database can be reached.
set -eu
cd "$(dirname "$0")/.."
version=0.20.2
root="${XDG_CACHE_HOME:-$HOME/.cache}/credence/cargo-deny-$version"
deny="$root/bin/cargo-deny"
if [ ! -x "$deny" ]; then
	echo "building cargo-deny $version, about 5 minutes the first time" >&2
	cargo install --quiet --locked --version "$version" --root "$root" cargo-deny
fi
"$deny" --log-level error check licenses bans sources
if advisories=$("$deny" --log-level error check advisories 2>&1); then
	echo "$advisories"
else
	case "$advisories" in
	*"failed to fetch advisory database"*)
		echo "advisories not checked: their database cannot be reached from here" >&2
		;;
	*)
		echo "$advisories" >&2
		exit 1
		;;
	esac
fi
