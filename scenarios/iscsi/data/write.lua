-- Data-out: immediate, unsolicited and asked for (RFC 7143 §4.2.5.2, §11.3, §11.7, §11.8). The initiator watches the R2Ts.

scenario {
  title = "Unasked data may end early where all of them would fit into the first burst",
  covers = { "ISCSI-DATA-006", "ISCSI-CMD-008" },
  -- RFC 7143 §11.3.4 binds only who has more to send. Some targets refuse it all the same.
  needs = { "simulation" },
  matrix = { sent = { 512, 4608 } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "No" } }
    local data = random.bytes("data", 8192)
    expect(s:write { lba = 3, data = data, unsolicited_length = case.sent, segment_length = 512 }):good()
    expect(s:read { lba = 3, blocks = 16 }.data):equals(data)
  end,
}
