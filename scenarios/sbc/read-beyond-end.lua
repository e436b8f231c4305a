scenario {
  title  = "READ past the last block is refused",
  covers = { "SCSI-READ-002" },
  matrix = { cdb = { 10, 12, 16 }, past = { 1, 2, 255 } },
  play   = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    if case.cdb < 16 and last + case.past > 0xFFFFFFFF then skip("the unit is too large for the CDB") end
    local r = s:read { cdb = case.cdb, lba = last + case.past, blocks = 1 }
    expect(r):check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
  end,
}
