#!/usr/bin/env bash
# Builds the C shims and their CUnit tests without Swift, with warnings as errors, and runs them.
# Prints CUnit's summary; the status is 1 when anything failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The sanitizer finds what a shim does beyond its buffers; leaks are not looked for, as CUnit keeps its registry, and
# allocations may fail, as they may elsewhere.
"${CC:-cc}" -std=gnu11 -O1 -g -Wall -Wextra -Werror -fsanitize=undefined,address -fno-sanitize-recover=undefined \
  -I Sources/CHost/include -I Sources/CDigest/include -I Sources/CMemory/include -I Sources/CLua/include \
  Sources/CHost/*.c Sources/CDigest/*.c Sources/CMemory/*.c Sources/CLua/*.c Tests/CHostTests/*.c -lcunit -luring -laio -llua5.4 -lm -lpthread -o "$folder/shims"
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 "$folder/shims" "$folder"
