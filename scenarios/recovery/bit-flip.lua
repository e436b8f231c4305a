-- Bits that flip on their way, which TCP does not notice.

scenario {
  title = "A digest finds a bit that flips on the way to the initiator, and a relogin goes on",
  covers = { "ISCSI-DIG-001" },
  needs = { "sim-net" },
  -- With less than a block the rest of a header whose TotalAHSLength was hit would not come.
  matrix = { blocks = { 1, 128 }, count = { 1, 2 } },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = "CRC32C", DataDigest = "CRC32C" } }
    local data = random.bytes("data", 512 * case.blocks)
    expect(s:write { lba = 0, data = data }):good()
    for _ = 1, case.count do
      fault.network.bit_flip { between = { "target", "initiator" }, next = 1, one_way = true }
      expect(s:read { lba = 0, blocks = case.blocks }):lost()
      s:relogin {}
    end
    expect(s:read { lba = 0, blocks = case.blocks }.data):equals(data)
  end,
}
