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
  matrix = { count = { 2, 16, 32 } },
  play = function(t, case)
    local s = t:login {}
    local tasks = {}
    for number = 1, case.count do
      tasks[number] = s:ping { data = "ping " .. number, async = true }
    end
    local last = 0
    for number = 1, case.count do
      local r = tasks[number]:wait {}
      expect(r.data):equals("ping " .. number)
      expect(r.cmdsn):at_least(last)
      last = r.cmdsn
    end
  end,
}
