#!/bin/sh
# Builds the targets and runs each for so many seconds, as many at a time as
# there are processors, or FUZZ_JOBS:
#   fuzz/run.sh SECONDS [TARGET...]
# What it learns is kept in fuzz/corpus; what fails is in fuzz/artifacts.
set -eu
cd "$(dirname "$0")"
host=$(rustc --version --verbose | sed -n 's/^host: //p')
programs=target/$host/release

# One line a quarter of a minute, and all of what a failure has to say.
run() {
	log=artifacts/$1/log
	mkdir -p "corpus/$1" "artifacts/$1"
	dictionary=http1.dict
	[ "$1" != target ] || dictionary=target.dict
	"$programs/$1" "corpus/$1" "seeds/$1" -dict=$dictionary -max_len=1024 -timeout=20 \
		-max_total_time="$2" -print_final_stats=1 -artifact_prefix="artifacts/$1/" \
		>"$log" 2>&1 &
	running=$!
	trap 'kill $running 2>/dev/null' EXIT
	trap 'exit 130' INT TERM
	clock=0
	while kill -0 $running 2>/dev/null; do
		sleep 1
		clock=$((clock + 1))
		[ $((clock % 15)) != 0 ] || echo "fuzz $1: ${clock} s, $(grep -a '^#[0-9]' "$log" | tail -n 1)"
	done
	trap - EXIT INT TERM
	if ! wait $running; then
		tail -n 300 "$log"
		input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
		echo "fuzz $1 FAILED. Once more: (cd fuzz && $programs/$1 $input)"
		return 1
	fi
	count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	echo "fuzz $1: $count inputs in $2 s, nothing found"
}

if [ "$1" = --one ]; then
	run "$3" "$2"
	exit
fi
seconds=$1
shift
[ $# -gt 0 ] || set -- head body exchange target
# Not --locked: the product may have come to depend on more since this lock
# file was written; what is in it stays as it is.
cargo build --release
printf '%s\n' "$@" | xargs -n 1 -P "${FUZZ_JOBS:-$(nproc)}" ./run.sh --one "$seconds"
