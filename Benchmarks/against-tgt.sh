#!/usr/bin/env bash
# Benchmarks/against-tgt.sh: commands a second of the null device, simsan with either ring against tgt, on loopback.
#
# The three servers are measured in turn, ROUNDS times, each pinned to core 0 with the load generator on core 1: machines
# drift, and a ratio of neighbours drifts less. Prints each cell's medians, the ratio to tgt, and the spread of the rounds
# in per cent of the median, which is the noise: believe no difference that is smaller.
#
# TOOLS    where bench.sh, tgt.sh and lgenraw.c stand       ../shared/tools/bench
# PROGRAM  the server                                       .build/release/simsan
# ROUNDS   runs of each server in each cell                 3
# SECS     length of a run in seconds                       3
# CELLS    lines of "operation bytes depth"; operations: randread randwrite seqread seqwrite
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${TOOLS:-../shared/tools/bench} program=${PROGRAM:-.build/release/simsan} rounds=${ROUNDS:-3}
export SECS=${SECS:-3} RUNS=1 MAXTRY=${MAXTRY:-3} NOHEAD=1
cells=${CELLS:-"randread 4096 32
randread 4096 1
randread 512 32
randwrite 4096 32
seqread 262144 8
seqwrite 262144 8"}

[[ -f $tools/bench.sh ]] || { echo "$0: no load generator in $tools; set TOOLS" >&2; exit 2; }
[[ -x $program ]] || { echo "$0: $program does not exist: make release" >&2; exit 2; }
folder=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  DIR=$folder/tgt bash "$tools/tgt.sh" stop >/dev/null 2>&1 || true
  wait
  rm -rf "$folder"
}
trap finish EXIT
cc -O2 -o "$folder/lgenraw" "$tools/lgenraw.c"
export GEN=$folder/lgenraw

declare -A url pid
tgt_pid=$(DIR=$folder/tgt bash "$tools/tgt.sh" start 3290 | tail -n 1)
url[tgt]=iscsi://127.0.0.1:3290/iqn.2026-01.peer.tgt:t1/2 pid[tgt]=$tgt_pid
port=3291
for ring in uring epoll; do
  sed "s/\$PORT/$port/" Benchmarks/null.lua >"$folder/$ring.lua"
  "$program" serve --ring "$ring" "$folder/$ring.lua" >"$folder/$ring.log" 2>&1 &
  pids+=($!)
  pid[$ring]=$! url[$ring]=iscsi://127.0.0.1:$port/iqn.2026-11.example:null/0
  port=$((port + 1))
done
sleep 1
for ring in uring epoll; do
  kill -0 "${pid[$ring]}" 2>/dev/null || { cat "$folder/$ring.log" >&2; exit 1; }
done

while read -r operation bytes depth; do
  for ((round = 1; round <= rounds; round++)); do
    for server in tgt uring epoll; do
      CELLS="$operation $bytes $depth" bash "$tools/bench.sh" "$server" "${url[$server]}" "${pid[$server]}"
    done
  done
done <<<"$cells" | tee "$folder/runs.tsv" >&2

python3 - "$folder/runs.tsv" <<'PYTHON'
import collections, statistics, sys

runs = collections.defaultdict(lambda: collections.defaultdict(list))
for line in open(sys.argv[1]):
    server, operation, size, depth, rate = line.split("\t")[:5]
    runs[operation, size, depth][server].append(float(rate))
print(f"{'cell':<24}{'tgt':>10}{'uring':>10}{'epoll':>10}{'uring/tgt':>11}{'epoll/tgt':>11}{'noise':>8}")
for cell, servers in runs.items():
    medians = {server: statistics.median(rates) for server, rates in servers.items()}
    noise = max((max(rates) - min(rates)) / medians[server] for server, rates in servers.items())
    name = f"{cell[0]} {cell[1]} B, depth {cell[2]}"
    rates = "".join(f"{medians.get(server, 0):>10.0f}" for server in ("tgt", "uring", "epoll"))
    ratios = "".join(f"{medians.get(server, 0) / medians['tgt']:>11.2f}" for server in ("uring", "epoll"))
    print(f"{name:<28}"[:28] + rates[4:] + ratios + f"{noise:>7.0%}")
PYTHON
