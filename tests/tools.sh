#!/bin/sh
# What has to be there before anything of ours can be built: tests/tools.sh, or
# with `fuzz` what the fuzz targets need beside it. What the cluster needs beyond
# it, the harness installs itself.
set -eu
if ! command -v cargo >/dev/null; then
	echo "cargo is missing: install Rust from https://rustup.rs (the toolchain in rust-toolchain.toml is then fetched by itself)" >&2
	exit 1
fi
packages=
command -v cc >/dev/null || packages="gcc libc6-dev"
# libFuzzer is written in C++, and comes as source.
[ "${1-}" != fuzz ] || command -v c++ >/dev/null || packages="$packages g++"
if [ -n "$packages" ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "a compiler is missing: install what Debian calls" $packages >&2
		exit 1
	fi
	echo "installing" $packages >&2
	apt-get update -q >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages >&2
fi
