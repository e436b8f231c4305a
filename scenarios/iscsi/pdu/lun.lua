scenario {
  title = "A LUN that is not there is answered by the device server, for every form of a LUN",
  covers = { "ISCSI-PDU-016", "IOP-43" },
  matrix = { lun = { 100, 255, 256, 16383 } },
  play = function(t, case)
    local s = t:login {}
    expect(s:test_unit_ready { lun = case.lun }):check_condition("ILLEGAL REQUEST", "LOGICAL UNIT NOT SUPPORTED")
    expect(s:read { lun = case.lun, lba = 0, blocks = 1 }):check_condition("ILLEGAL REQUEST", "LOGICAL UNIT NOT SUPPORTED")
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A logical unit is the same in peripheral and in flat space addressing",
  covers = { "ISCSI-PDU-016" },
  play = function(t)
    local s = t:login {}
    local block = s:capacity().block_size
    local data = random.bytes("block", block)
    expect(s:write { lba = 3, blocks = 1, data = data }):good()
    if s.lun > 255 then skip("the LUN is too large for peripheral device addressing") end
    -- A target that has no more than 256 units need not know flat space addressing. Ours does.
    local flat = s:test_unit_ready { lun_raw = (0x4000 | s.lun) << 48 }
    if flat.sense and flat.sense.asc == 0x25 and not t.simulated then skip("the target has no flat space addressing") end
    for _, raw in ipairs { s.lun << 48, (0x4000 | s.lun) << 48 } do
      s:send(pdu.scsi_command {
        lun_raw = raw, read = true, expected_data_transfer_length = block, cdb = cdb.read10 { lba = 3, blocks = 1 },
      })
      expect(expect(s:receive { opcode = "data-in" }):pdu { status = 0 }.data):equals(data)
    end
  end,
}

scenario {
  title = "Units of any number have their data to themselves, and an R2T has the LUN of its command",
  covers = { "ISCSI-PDU-016", "ISCSI-DATA-013", "IOP-17" },
  world = {
    target {
      luns = { { size = "1MiB" }, { lun = 255, size = "1MiB" }, { lun = 256, size = "1MiB" }, { lun = 16383, size = "1MiB" } },
    },
  },
  play = function(t)
    -- The initiator watches the LUN of what comes.
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local luns, data = { 0, 255, 256, 16383 }, {}
    for _, lun in ipairs(luns) do
      s:test_unit_ready { lun = lun } -- takes the unit attention of a new nexus
      data[lun] = random.bytes("block", 512)
      expect(s:write { lun = lun, lba = 3, data = data[lun] }):good()
    end
    for _, lun in ipairs(luns) do expect(s:read { lun = lun, lba = 3, blocks = 1 }.data):equals(data[lun]) end
  end,
}
