-- A write of eight blocks, for which the target has sent an R2T that nobody has answered yet.
local function write_with_open_r2t(s)
  local write = s:write { lba = 0, blocks = 8, hold_r2ts = true, async = true }
  s:ping {} -- is answered after the R2T
  return write
end

local solicited = { InitialR2T = "Yes", ImmediateData = "No" }

-- That a target does not have a function that it has to have is told by task-management/answers.lua.
local function must_be_supported(t, result)
  if result.response == 5 and not t.simulated then skip("the target does not have the function") end
  return result
end

scenario {
  title = "A function about several tasks is answered when the data have come that R2Ts had asked for",
  covers = { "ISCSI-TMF-019", "ISCSI-TMF-020" },
  matrix = { ["function"] = { "abort task set", "clear task set", "logical unit reset" } },
  play = function(t, case)
    local s = t:login { keys = solicited }
    local write = write_with_open_r2t(s)
    local abort = s:task_management { ["function"] = case["function"], async = true }
    sleep "500ms"
    if abort.ended then
      expect(false):holds("no answer before the data have come that R2Ts had asked for", must_be_supported(t, abort:wait()))
    end
    write:answer_r2ts()
    expect(abort:wait()):response(0)
    expect(write:wait()):aborted()
    s:ping {} -- no Reject came for them
  end,
}

scenario {
  title = "A function is answered though an initiator never sends the data that R2Ts have asked for",
  covers = { "ISCSI-TMF-021" },
  matrix = { ["function"] = { "abort task set", "clear task set", "logical unit reset" }, whose = { "its own", "another's" } },
  play = function(t, case)
    local s = t:login { keys = solicited }
    local other = t:login { name = "iqn.2026-11.example:other", keys = solicited }
    write_with_open_r2t(case.whose == "its own" and s or other)
    local abort = s:task_management { ["function"] = case["function"], within = "60s" }
    expect(must_be_supported(t, abort)):response(0)
    s:ping {}
    other:ping {}
  end,
}
