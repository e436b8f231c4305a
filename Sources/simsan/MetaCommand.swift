import Conformance

let metaCommand = Command(
  name: "meta", summary: "print the scenario language's annotations for editors (scenarios/simsan.meta.lua)",
  operands: "",
  options: [], discussion: ""
) { _ in
  try say(String(EditorAnnotations.text.dropLast()))
  return 0
}
