scenario {
  title = "Pad bytes are not data, whatever they hold",
  covers = { "ISCSI-PDU-002", "ISCSI-PDU-004" },
  matrix = { length = { 1, 2, 3, 4, 5, 4095 }, pad_byte = { 0, 0xFF } },
  play = function(t, case)
    local s = t:login {}
    if case.length > s.parameters.TargetMaxRecvDataSegmentLength then skip("the target takes no PDUs so long") end
    local data = random.bytes("ping", case.length)
    expect(s:ping { data = data, pad_byte = case.pad_byte }.data):equals(data)
    -- The next PDU is found where it begins.
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "With a data digest, the pad bytes are part of what it covers",
  covers = { "ISCSI-PDU-002", "ISCSI-PDU-020" },
  matrix = { length = { 1, 2, 3, 4 }, pad_byte = { 0, 0xFF } },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = "CRC32C", DataDigest = "CRC32C" } }
    local data = random.bytes("ping", case.length)
    expect(s:ping { data = data, pad_byte = case.pad_byte }.data):equals(data)
    expect(s:test_unit_ready()):good()
  end,
}
