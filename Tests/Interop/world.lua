-- What the interop tests serve. $TARGET, $PORT and $IMAGE are put in by harness/server.py, which also lists these units.
target {
  iqn = "$TARGET",
  portals = { "127.0.0.1:$PORT", "[::1]:$PORT" },
  shard = 1,
  luns = {
    { lun = 0, memory = true, size = "64MiB", thin = true },
    { lun = 1, file = "$IMAGE", thin = true },
    { lun = 2, null = true, size = "256MiB" },
    { lun = 3, memory = true, size = "16MiB", thin = true, read_only = true },
    { lun = 4, memory = true, size = "16MiB", thin = true, removable = true },
    { lun = 5, memory = true, size = "16MiB", thin = true, physical_block_size = 512 },
  },
}

-- A second target, on a thread of its own.
target {
  iqn = "$TARGET-too",
  portals = { "127.0.0.1:$PORT", "[::1]:$PORT" },
  shard = 0,
  luns = { { lun = 0, memory = true, size = "16MiB" } },
}
