-- A PDU may come in any pieces: TCP keeps the order of bytes, and nothing else.

local function every_byte(count)
  local cuts = {}
  for offset = 1, count - 1 do cuts[offset] = offset end
  return cuts
end

scenario {
  title = "A login and a command that come byte by byte are served",
  covers = { "ISCSI-PDU-001", "ISCSI-PDU-023" },
  play = function(t)
    local s = t:login { requests = { [1] = { split_at = every_byte(200), pause = "10us" } } }
    expect(s:test_unit_ready { split_at = every_byte(48), pause = "10us" }):good()
    local block = s:capacity().block_size
    expect(s:write { lba = 0, blocks = 1, split_at = every_byte(48 + block), pause = "1us" }):good()
    expect(s:read { lba = 0, blocks = 1, split_at = every_byte(48), pause = "1us" }):good()
  end,
}

scenario {
  title = "A write cut into two at any byte does the same",
  covers = { "ISCSI-PDU-023", "ISCSI-PDU-020" },
  matrix = { digest = { "None", "CRC32C" }, pause = { "0us", "500us" } },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = case.digest, DataDigest = case.digest } }
    local block = s:capacity().block_size
    local length = 48 + block + (case.digest == "None" and 0 or 8)
    for cut = 1, length - 1 do
      local data = string.rep(string.char(cut % 256), block)
      expect(s:write { lba = cut, blocks = 1, data = data, split_at = cut, pause = case.pause }):good()
      expect(s:read { lba = cut, blocks = 1 }.data):equals(data)
    end
  end,
}

scenario {
  title = "A read whose header is cut anywhere does the same",
  covers = { "ISCSI-PDU-023" },
  matrix = { digest = { "None", "CRC32C" } },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = case.digest } }
    for cut = 1, 51 do
      expect(s:read { lba = 0, blocks = 8, split_at = cut, pause = "200us" }):good()
    end
  end,
}

scenario {
  title = "Many requests in one segment are all answered, in order",
  covers = { "ISCSI-PDU-022" },
  matrix = { count = { 2, 16, 64 } },
  play = function(t, case)
    local s = t:login {}
    local count = math.min(case.count, (s.maxcmdsn - s.expcmdsn + 1) % 0x100000000)
    for number = 1, count do s:send(pdu.nop_out { itt = number, data = "ping " .. number }) end
    for number = 1, count do
      expect(s:receive { opcode = "nop-in" }):pdu { itt = number, data = "ping " .. number }
    end
  end,
}

scenario {
  title = "The digest of a long data segment may come in pieces",
  covers = { "ISCSI-DIG-016", "IOP-12" },
  needs = { "sim-net", "dataloss" },
  matrix = { cut = { 0, 1, 2, 3 }, data = { "immediate", "asked for" } },
  play = function(t, case)
    local is_immediate = case.data == "immediate"
    local s = t:login {
      keys = {
        HeaderDigest = "CRC32C", DataDigest = "CRC32C", InitialR2T = "Yes", ImmediateData = is_immediate and "Yes" or "No",
        FirstBurstLength = 65536, MaxBurstLength = 65536,
      },
    }
    local data = random.bytes("data", 65536)
    -- Behind the header, its digest, and the data.
    local wire = { split_at = 48 + 4 + #data + case.cut, pause = "500us" }
    local write = { lba = 3, data = data }
    if is_immediate then
      write.split_at, write.pause = wire.split_at, wire.pause
    else
      wire.burst, wire.index = 1, 0
      write.data_out, write.segment_length = { wire }, 65536
    end
    expect(expect(s:write(write)):good()):residual(0)
    expect(s:read { lba = 3, blocks = #data // s:capacity().block_size }.data):equals(data)
  end,
}

scenario {
  title = "However the stream is cut and put together, everything is done as without a cut",
  covers = { "ISCSI-ROB-008", "ISCSI-PDU-022", "ISCSI-PDU-023" },
  needs = { "simulation" },
  matrix = { digest = { "None", "CRC32C" }, initial_r2t = { "Yes", "No" }, cut = { "drawn", 1, 47, 512 } },
  world = function(case)
    return {
      target { luns = { { size = "1MiB" } } },
      link { between = { "a", "target" }, segmentation = case.cut, short_receive = "1/2" },
    }
  end,
  play = function(t, case)
    local s = t:login {
      host = "a",
      keys = {
        HeaderDigest = case.digest, DataDigest = case.digest, InitialR2T = case.initial_r2t, MaxBurstLength = 8192,
        FirstBurstLength = 4096,
      },
    }
    local done = workload {
      on = s, ops = case.cut == 1 and 40 or 300, depth = 8, mix = { write = 50, read = 50 },
      blocks = { 1, case.cut == 1 and 8 or 64 },
    }
    expect(done.errors + done.lost):equals(0)
    for lba = 0, 2047, 128 do expect(s:read { lba = lba, blocks = case.cut == 1 and 4 or 128 }):good() end
    expect(s:logout {}):response(0)
  end,
}
