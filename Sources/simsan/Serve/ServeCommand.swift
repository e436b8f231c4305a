let serveCommand = Command(
  name: "serve", summary: "deploy the targets of a world file on real sockets and disks", operands: "WORLD.lua",
  options: [],
  discussion: ""
) { arguments in
  throw UsageError("simsan serve: not there yet")
}
