#!/bin/sh
# What has to be there before anything of ours can be built. What the cluster
# needs beyond it, the harness installs itself.
set -eu
if ! command -v cargo >/dev/null; then
	echo "cargo is missing: install Rust from https://rustup.rs (the toolchain in rust-toolchain.toml is then fetched by itself)" >&2
	exit 1
fi
if ! command -v cc >/dev/null; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "a C compiler is missing: install gcc and the C library's headers (Debian: gcc libc6-dev)" >&2
		exit 1
	fi
	echo "installing gcc" >&2
	apt-get update -q >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends gcc libc6-dev >&2
fi
