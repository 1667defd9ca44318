#!/bin/sh
# Builds the targets and runs each for so many seconds:
#   fuzz/run.sh SECONDS [TARGET...]
# What it learns is kept in fuzz/corpus; what fails is in fuzz/artifacts.
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
[ $# -gt 0 ] || set -- head body exchange target

# Not --locked: the product may have come to depend on more since this lock
# file was written; what is in it stays as it is.
cargo build --release
programs=target/$(rustc --version --verbose | sed -n 's/^host: //p')/release

# One line a quarter of a minute, and all of what a failure has to say.
one() {
	mkdir -p "corpus/$1" "artifacts/$1"
	dictionary=http1.dict
	[ "$1" != target ] || dictionary=target.dict
	log=artifacts/$1/log
	"$programs/$1" "corpus/$1" "seeds/$1" -dict=$dictionary -max_len=1024 -timeout=20 \
		-max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="artifacts/$1/" >"$log" 2>&1 &
	running=$!
	trap 'kill $running 2>/dev/null' EXIT INT TERM
	while kill -0 $running 2>/dev/null; do
		sleep 1
		clock=$((${clock:-0} + 1))
		[ $((clock % 15)) != 0 ] || echo "fuzz $1: $(grep -a '^#' "$log" | tail -n 1)"
	done
	trap - EXIT INT TERM
	if ! wait $running; then
		tail -n 200 "$log"
		echo "fuzz $1 FAILED; once more with: (cd fuzz && $programs/$1 artifacts/$1/FILE)"
		return 1
	fi
	echo "fuzz $1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
}

for target in "$@"; do
	one "$target"
done
