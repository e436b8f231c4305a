-- The null device that Benchmarks/against-tgt.sh measures: writes go nowhere, reads are zeroes. $PORT is put in there.
target {
  iqn = "iqn.2026-11.example:null",
  portals = { "127.0.0.1:$PORT" },
  luns = { { null = true, size = "256MiB" } },
}
