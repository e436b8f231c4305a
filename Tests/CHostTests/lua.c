// The sandboxed Lua: what crosses the border, and that nothing gets out of its bounds. What a script sees is tested in
// Tests/ConformanceTests/SandboxTests.swift.
#include "tests.h"

#include <simsan_lua.h>
#include <string.h>

enum { ECHO_FUNCTION = 1, FAIL_FUNCTION, STOP_FUNCTION, WAIT_FUNCTION, GARBAGE_FUNCTION };

static simsan_lua *state;
static simsan_lua_call last;
static char last_source[64];

static int host(void *context, const simsan_lua_call *call) {
  static const uint8_t message[] = {1, 0, 0, 0, 'S', 2, 0, 0, 0, 'n', 'o'};
  static const uint8_t garbage[] = {1, 0, 0, 0, 'S', 255, 255, 255, 255, 'x'};
  (void)context;
  last = *call;
  strncpy(last_source, call->source, sizeof last_source - 1);
  switch (call->function) {
  case ECHO_FUNCTION: simsan_lua_reply(state, call->arguments, call->length); return SIMSAN_LUA_RETURN;
  case WAIT_FUNCTION: return SIMSAN_LUA_YIELD;
  case GARBAGE_FUNCTION: simsan_lua_reply(state, garbage, sizeof garbage); return SIMSAN_LUA_RETURN;
  default:
    simsan_lua_reply(state, message, sizeof message);
    return call->function == FAIL_FUNCTION ? SIMSAN_LUA_RAISE : SIMSAN_LUA_STOP;
  }
}

static void open_state(size_t memory, int64_t instructions) {
  state = simsan_lua_open(memory, instructions, host, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(state);
  CU_ASSERT_EQUAL(simsan_lua_define(state, "", "echo", ECHO_FUNCTION), 0);
  CU_ASSERT_EQUAL(simsan_lua_define(state, "", "fail", FAIL_FUNCTION), 0);
  CU_ASSERT_EQUAL(simsan_lua_define(state, "", "stop", STOP_FUNCTION), 0);
  CU_ASSERT_EQUAL(simsan_lua_define(state, "deep.er", "wait", WAIT_FUNCTION), 0);
  CU_ASSERT_EQUAL(simsan_lua_define(state, "deep", "garbage", GARBAGE_FUNCTION), 0);
}

static int32_t load(const char *text) { return simsan_lua_load(state, "t.lua", text, strlen(text)); }

// Runs a text to its end or first wait.
static int run(const char *text) {
  int32_t actor = load(text);
  CU_ASSERT_FATAL(actor >= 0);
  return simsan_lua_resume(state, actor, NULL, 0, 0);
}

static int output_contains(const char *part) {
  size_t length, size = strlen(part);
  const uint8_t *bytes = simsan_lua_output(state, &length);
  for (size_t i = 0; i + size <= length; i++)
    if (!memcmp(bytes + i, part, size)) return 1;
  return 0;
}

static void values_come_back_as_they_went(void) {
  open_state(8 << 20, 1000000);
  CU_ASSERT_EQUAL(run("local a, b, c = echo(7, 'x\\0y', { 2, k = true })\n"
                      "return a == 7 and b == 'x\\0y' and c[1] == 2 and c.k == true"),
                  SIMSAN_LUA_FINISHED);
  size_t length;
  const uint8_t *bytes = simsan_lua_output(state, &length);
  CU_ASSERT_EQUAL(length, 5);
  CU_ASSERT_EQUAL(bytes[4], 'T');
  CU_ASSERT_EQUAL(last.line, 1);
  CU_ASSERT_STRING_EQUAL(last_source, "t.lua");
  simsan_lua_close(state);
}

static void errors_have_the_callers_line(void) {
  open_state(8 << 20, 1000000);
  CU_ASSERT_EQUAL(run("\nfail()"), SIMSAN_LUA_FAILED);
  CU_ASSERT(output_contains("t.lua:2: no"));
  CU_ASSERT_EQUAL(run("return pcall(fail)"), SIMSAN_LUA_FINISHED);
  CU_ASSERT_EQUAL(run("return pcall(stop)"), SIMSAN_LUA_FAILED);
  simsan_lua_close(state);
}

static void an_actor_waits_and_is_resumed(void) {
  static const uint8_t five[] = {1, 0, 0, 0, 'I', 5, 0, 0, 0, 0, 0, 0, 0};
  open_state(8 << 20, 1000000);
  int32_t actor = load("return deep.er.wait() == 5");
  CU_ASSERT_EQUAL(simsan_lua_resume(state, actor, NULL, 0, 0), SIMSAN_LUA_WAITING);
  int32_t line;
  CU_ASSERT_STRING_EQUAL(simsan_lua_where(state, actor, &line), "t.lua");
  CU_ASSERT_EQUAL(line, 1);
  CU_ASSERT_EQUAL(simsan_lua_resume(state, actor, five, sizeof five, 0), SIMSAN_LUA_FINISHED);
  CU_ASSERT(output_contains("T"));
  CU_ASSERT_EQUAL(simsan_lua_resume(state, actor, NULL, 0, 0), SIMSAN_LUA_FAILED);
  CU_ASSERT_EQUAL(simsan_lua_resume(state, 1000, NULL, 0, 0), SIMSAN_LUA_FAILED);
  simsan_lua_close(state);
}

static void a_state_is_closed_while_actors_wait(void) {
  open_state(8 << 20, 1000000);
  for (int i = 0; i < 100; i++) CU_ASSERT_EQUAL(run("deep.er.wait()"), SIMSAN_LUA_WAITING);
  simsan_lua_close(state);
}

static void malformed_values_of_the_host_are_errors(void) {
  open_state(8 << 20, 1000000);
  CU_ASSERT_EQUAL(run("deep.garbage()"), SIMSAN_LUA_FAILED);
  CU_ASSERT(output_contains("malformed"));
  int32_t actor = load("return deep.er.wait()");
  CU_ASSERT_EQUAL(simsan_lua_resume(state, actor, NULL, 0, 0), SIMSAN_LUA_WAITING);
  static const uint8_t cut[] = {2, 0, 0, 0, '{', 0, 0, 0, 0, 9, 0, 0, 0};
  CU_ASSERT_EQUAL(simsan_lua_resume(state, actor, cut, sizeof cut, 0), SIMSAN_LUA_FAILED);
  simsan_lua_close(state);
}

static void memory_and_instructions_are_bounded(void) {
  open_state(2 << 20, 1000000);
  CU_ASSERT_EQUAL(run("local t = {} while true do t[#t + 1] = {} end"), SIMSAN_LUA_FAILED);
  CU_ASSERT(output_contains("memory"));
  CU_ASSERT(simsan_lua_memory(state) <= 2 << 20);
  simsan_lua_close(state);
  open_state(2 << 20, 100000);
  CU_ASSERT_EQUAL(run("while true do pcall(function() while true do end end) end"), SIMSAN_LUA_FAILED);
  CU_ASSERT(output_contains("on and on"));
  CU_ASSERT(simsan_lua_instructions_left(state) <= 0);
  simsan_lua_close(state);
  CU_ASSERT_PTR_NULL(simsan_lua_open(1024, 1000, host, NULL));
}

static void functions_are_kept_until_they_are_released(void) {
  open_state(8 << 20, 1000000);
  CU_ASSERT_EQUAL(run("kept = function(x) return x end return kept"), SIMSAN_LUA_FINISHED);
  size_t length;
  const uint8_t *bytes = simsan_lua_output(state, &length);
  CU_ASSERT_EQUAL_FATAL(bytes[4], 'f');
  int32_t reference;
  memcpy(&reference, bytes + 5, 4);
  static const uint8_t yes[] = {1, 0, 0, 0, 'T'};
  int32_t actor = simsan_lua_start(state, reference, yes, sizeof yes);
  CU_ASSERT_EQUAL(simsan_lua_resume(state, actor, NULL, 0, 0), SIMSAN_LUA_FINISHED);
  CU_ASSERT(output_contains("T"));
  simsan_lua_release(state, reference);
  CU_ASSERT(simsan_lua_start(state, reference, NULL, 0) < 0);
  simsan_lua_close(state);
}

static void patterns_stay_within_their_strings(void) {
  static const char *const wrong[] = {"('x'):find('[')",     "('x'):find('[^')",     "('x'):find('%')",
                                      "('x'):find('[%')",    "('x'):find('%b')",     "('x'):find('%bx')",
                                      "('x'):find('(')",     "('x'):find(')')",      "('x'):find('%f')",
                                      "('x'):find('%1')",    "('x'):gsub('x', '%')", "('x'):gsub('x', '%9')",
                                      "('x'):gsub('x', {}, 1, 2) error('end')"};
  open_state(8 << 20, 10000000);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) CU_ASSERT_EQUAL(run(wrong[i]), SIMSAN_LUA_FAILED);
  CU_ASSERT_EQUAL(run("for s in ('a,b,,c'):gmatch('([^,]*)') do echo(s) end"), SIMSAN_LUA_FINISHED);
  CU_ASSERT_EQUAL(run("return (('x'):rep(100000)):gsub('.', '%0%0')"), SIMSAN_LUA_FINISHED);
  simsan_lua_close(state);
}

void add_lua_tests(void) {
  CU_pSuite suite = CU_add_suite("Lua in its sandbox", NULL, NULL);
  CU_add_test(suite, "values come back as they went", values_come_back_as_they_went);
  CU_add_test(suite, "errors have the caller's line", errors_have_the_callers_line);
  CU_add_test(suite, "an actor waits and is resumed", an_actor_waits_and_is_resumed);
  CU_add_test(suite, "a state is closed while actors wait", a_state_is_closed_while_actors_wait);
  CU_add_test(suite, "malformed values of the host are errors", malformed_values_of_the_host_are_errors);
  CU_add_test(suite, "memory and instructions are bounded", memory_and_instructions_are_bounded);
  CU_add_test(suite, "functions are kept until they are released", functions_are_kept_until_they_are_released);
  CU_add_test(suite, "patterns stay within their strings", patterns_stay_within_their_strings);
}
