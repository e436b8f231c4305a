/* What a script finds in its global table. */
#include "internal.h"

#include <string.h>

static int sorted_step(lua_State *L) {
  /* Upvalues: the table, its keys, the position. A key that has gone meanwhile is passed over. */
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
  for (;;) {
    at++;
    if (lua_rawgeti(L, lua_upvalueindex(2), at) == LUA_TNIL) return 1;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) break;
    lua_pop(L, 2);
  }
  lua_pushinteger(L, at);
  lua_replace(L, lua_upvalueindex(3));
  return 2;
}

static int sandbox_pairs(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  push_sorted_keys(L, 1);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, sorted_step, 3);
  return 1;
}

static int sandbox_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_Integer count = push_sorted_keys(L, 1);
  lua_Integer at = 1;
  if (!lua_isnil(L, 2)) {
    for (; at <= count; at++) {
      lua_rawgeti(L, 3, at);
      int same = lua_rawequal(L, -1, 2);
      lua_pop(L, 1);
      if (same) break;
    }
    if (at > count) return luaL_error(L, "next: the table has no such key");
    at++;
  }
  if (at > count) {
    lua_pushnil(L);
    return 1;
  }
  lua_rawgeti(L, 3, at);
  lua_pushvalue(L, -1);
  lua_rawget(L, 1);
  return 2;
}

static int sandbox_tostring(lua_State *L) {
  size_t length;
  luaL_checkany(L, 1);
  push_text(L, 1, &length);
  return 1;
}

static int sandbox_setmetatable(lua_State *L) {
  static const char *const refused[] = {"__gc", "__mode"};
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
  if (kind_of(L, 1)) return luaL_error(L, "an object of the host keeps its metatable");
  if (lua_istable(L, 2)) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
      lua_pushstring(L, refused[i]);
      if (lua_rawget(L, 2) != LUA_TNIL)
        return luaL_error(L, "'%s' is not allowed: when it takes effect differs from run to run", refused[i]);
      lua_pop(L, 1);
    }
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

static int sandbox_getmetatable(lua_State *L) {
  luaL_checkany(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE || kind_of(L, 1) || !lua_getmetatable(L, 1)) lua_pushnil(L);
  return 1;
}

/* rawset would get past the guard of a record. */
static int sandbox_rawset(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  if (kind_of(L, 1)) return luaL_error(L, "an object of the host cannot be changed");
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 1;
}

static int finish_pcall(lua_State *L, int status, lua_KContext extra) {
  (void)extra;
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L);
  simsan_lua *state = owner_of(L);
  if (status == LUA_ERRMEM) state->stopped = state->starved = 1;
  if (state->stopped) return lua_error(L);
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

static int sandbox_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return finish_pcall(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_pcall), 0);
}

static int sandbox_assert(lua_State *L) {
  luaL_checkany(L, 1);
  if (lua_toboolean(L, 1)) return lua_gettop(L);
  if (lua_gettop(L) < 2) return luaL_error(L, "the assertion does not hold");
  size_t length;
  return luaL_error(L, "%s", push_text(L, 2, &length));
}

/* Lua's own function, the upvalue, with the same arguments and in this one's place: what it refuses has the caller's line.
 * None of them has upvalues of its own. */
static int call_own(lua_State *L) { return lua_tocfunction(L, lua_upvalueindex(1))(L); }

/* string.format after every argument that would show an address has become its text. Upvalue: Lua's own. */
static int sandbox_format(lua_State *L) {
  size_t length;
  const char *format = luaL_checklstring(L, 1, &length);
  for (size_t i = 0; i + 1 < length; i++) {
    if (format[i] != '%') continue;
    i++;
    while (i < length && format[i] && strchr("-+ #0123456789.", format[i])) i++;
    if (i < length && format[i] == 'p') return luaL_error(L, "string.format: '%%p' would show an address");
  }
  int top = lua_gettop(L);
  for (int i = 2; i <= top; i++) {
    int type = lua_type(L, i);
    if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD) {
      push_text(L, i, &length);
      lua_replace(L, i);
    }
  }
  return call_own(L);
}

/* Charges what the copy costs, so that a loop of large ones ends. */
static int sandbox_rep(lua_State *L) {
  size_t length, separator;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_Integer count = luaL_checkinteger(L, 2);
  luaL_optlstring(L, 3, "", &separator);
  (void)text;
  simsan_lua *state = owner_of(L);
  if (count > 0 && length + separator == 0) {
    /* Lua's own would make its empty copies one by one. */
    lua_pushliteral(L, "");
    return 1;
  }
  if (count > 0) {
    size_t room = state->memory_max / (length + separator);
    if ((size_t)count > room) {
      state->stopped = 1;
      return luaL_error(L, "string.rep: the result is larger than a script's memory (%I bytes)",
                        (LUAI_UACINT)state->memory_max);
    }
    charge(L, (int64_t)((size_t)count * (length + separator) / 64));
  }
  return call_own(L);
}

/* Charges what moving `count` elements costs; Lua's own functions do it without a look at the budget. */
static void charge_moves(lua_State *L, lua_Unsigned count) {
  simsan_lua *state = owner_of(L);
  lua_Unsigned most = (lua_Unsigned)state->instructions_max + 1;
  charge(L, (int64_t)(count / 4 < most ? count / 4 : most));
}

static int sandbox_move(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
  luaL_checkinteger(L, 4);
  if (!lua_isnoneornil(L, 5)) luaL_checktype(L, 5, LUA_TTABLE);
  if (last >= first) charge_moves(L, (lua_Unsigned)last - (lua_Unsigned)first);
  return call_own(L);
}

/* Lua's own function for the elements of a table from that which argument `from` names to that which the next one does, or to
 * the last: that is looked up here, and not once more. Of `most` or more it refuses to have any. */
static int through_elements(lua_State *L, int from, lua_Unsigned most) {
  lua_settop(L, from + 1);
  if (lua_isnil(L, from + 1)) {
    lua_pushinteger(L, luaL_len(L, 1));
    lua_replace(L, from + 1);
  }
  lua_Integer first = luaL_optinteger(L, from, 1), last = luaL_checkinteger(L, from + 1);
  lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
  if (last >= first && count < most) charge_moves(L, count);
  return call_own(L);
}

static int sandbox_concat(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return through_elements(L, 3, LUA_MAXUNSIGNED);
}

static int sandbox_unpack(lua_State *L) { return through_elements(L, 2, LUAI_MAXSTACK); }

/* The position that an argument names, as string.byte counts: from the end if it is negative. Within the string or beside it. */
static lua_Integer position(lua_State *L, int argument, lua_Integer usual, size_t length) {
  lua_Integer at = luaL_optinteger(L, argument, usual), end = (lua_Integer)length + 1;
  if (at < 0) at += end;
  return at < 0 ? 0 : at > end ? end : at;
}

/* Lua's own function for the part of a string between the positions that the second and the third argument name. */
static int through_part(lua_State *L, int is_usually_whole) {
  size_t length;
  luaL_checklstring(L, 1, &length);
  lua_Integer first = position(L, 2, 1, length), last = position(L, 3, is_usually_whole ? -1 : first, length);
  if (last > first) charge_moves(L, (lua_Unsigned)(last - first));
  return call_own(L);
}

/* string.byte, utf8.codepoint. */
static int sandbox_codes(lua_State *L) { return through_part(L, 0); }

static int sandbox_utf8_len(lua_State *L) { return through_part(L, 1); }

/* Only where it has come to tells how far it was. */
static int sandbox_utf8_offset(lua_State *L) {
  size_t length;
  luaL_checklstring(L, 1, &length);
  lua_Integer from = position(L, 3, luaL_checkinteger(L, 2) > 0 ? 1 : -1, length);
  int count = call_own(L);
  lua_Integer to = lua_isnil(L, -1) ? from + (lua_Integer)length : lua_tointeger(L, -1);
  charge_moves(L, (lua_Unsigned)(to > from ? to - from : from - to));
  return count;
}

/* Lua's own function, which may look at all of a string: a number, a format. */
static int through_all(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING) charge_moves(L, lua_rawlen(L, 1));
  return call_own(L);
}

/* Whether the second argument is a position in a table of `count` elements, or behind them. */
static int is_position(lua_State *L, lua_Integer count) {
  return (lua_Unsigned)luaL_checkinteger(L, 2) - 1 <= (lua_Unsigned)count;
}

/* Charges for what is behind that position, and has to make way or to close up. */
static void charge_behind(lua_State *L, lua_Integer count) {
  lua_Integer at = lua_tointeger(L, 2);
  if (at < count) charge_moves(L, (lua_Unsigned)count - (lua_Unsigned)at);
}

static int sandbox_insert(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int top = lua_gettop(L);
  if (top < 2 || top > 3) return luaL_error(L, "wrong number of arguments to 'insert'");
  if (top == 3) {
    lua_Integer count = luaL_len(L, 1);
    luaL_argcheck(L, is_position(L, count), 2, "position out of bounds");
    charge_behind(L, count);
  }
  return call_own(L);
}

static int sandbox_remove(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_gettop(L) > 1) {
    lua_Integer count = luaL_len(L, 1);
    luaL_argcheck(L, is_position(L, count) || lua_tointeger(L, 2) == count, 2, "position out of bounds");
    charge_behind(L, count);
  }
  return call_own(L);
}

/* Stable, and without Lua's own choice of a pivot by the clock. */
static const char sort_source[] =
  "local error, type = error, type\n"
  "return function(t, less)\n"
  "  if type(t) ~= 'table' then error('table.sort: a table was expected', 2) end\n"
  "  less = less or function(a, b) return a < b end\n"
  "  local n, from, to, width = #t, t, {}, 1\n"
  "  while width < n do\n"
  "    for low = 1, n, 2 * width do\n"
  "      local i, i_end, j, j_end = low, low + width, low + width, low + 2 * width\n"
  "      if i_end > n + 1 then i_end = n + 1 end\n"
  "      if j_end > n + 1 then j_end = n + 1 end\n"
  "      for k = low, j_end - 1 do\n"
  "        if i < i_end and (j >= j_end or not less(from[j], from[i])) then\n"
  "          to[k] = from[i]; i = i + 1\n"
  "        else\n"
  "          to[k] = from[j]; j = j + 1\n"
  "        end\n"
  "      end\n"
  "    end\n"
  "    if from == t then from, to = to, {} else from, to = to, from end\n"
  "    width = 2 * width\n"
  "  end\n"
  "  if from ~= t then for k = 1, n do t[k] = from[k] end end\n"
  "end\n";

/* Keeps only the named fields of the library on top. */
static void keep(lua_State *L, const char *const *names) {
  lua_newtable(L);
  for (; *names; names++) {
    lua_getfield(L, -2, *names);
    lua_setfield(L, -2, *names);
  }
  lua_remove(L, -2);
}

/* Puts `function` in the place of a field of the table on top, with what stood there as its upvalue. */
static void replace(lua_State *L, const char *name, lua_CFunction function) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

static void library(lua_State *L, lua_CFunction open, const char *const *names) {
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
  keep(L, names);
}

static const char *const base_names[] = {"_VERSION", "error",    "ipairs", "rawequal", "rawget",
                                         "rawlen",   "select",   "tonumber", "type",   NULL};
static const char *const string_names[] = {"byte", "char",     "format", "len",   "lower",  "pack", "packsize",
                                           "rep",  "reverse",  "sub",    "unpack", "upper", NULL};
static const char *const table_names[] = {"concat", "insert", "move", "pack", "remove", "unpack", NULL};
static const char *const math_names[] = {"abs", "ceil", "floor",      "fmod",       "huge", "max", "maxinteger",
                                         "min", "mininteger", "modf", "sqrt", "tointeger", "type", "ult", NULL};
static const char *const utf8_names[] = {"char", "charpattern", "codepoint", "codes", "len", "offset", NULL};

void open_sandbox(lua_State *L) {
  static const luaL_Reg replaced[] = {
    {"pairs", sandbox_pairs},   {"next", sandbox_next},     {"tostring", sandbox_tostring},
    {"pcall", sandbox_pcall},   {"assert", sandbox_assert}, {"setmetatable", sandbox_setmetatable},
    {"rawset", sandbox_rawset}, {"getmetatable", sandbox_getmetatable}, {NULL, NULL},
  };
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_kinds);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key_handles);

  /* Lua's base library opens into the global table itself: take what is kept, and put a clean table in its place. */
  library(L, luaopen_base, base_names);
  luaL_setfuncs(L, replaced, 0);
  replace(L, "tonumber", through_all);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);

  library(L, luaopen_string, string_names);
  replace(L, "format", sandbox_format);
  replace(L, "rep", sandbox_rep);
  replace(L, "byte", sandbox_codes);
  replace(L, "pack", through_all);
  replace(L, "packsize", through_all);
  replace(L, "unpack", through_all);
  open_patterns(L);
  /* ("x"):upper() looks here. */
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
  lua_setfield(L, -2, "string");

  library(L, luaopen_math, math_names);
  lua_setfield(L, -2, "math");
  library(L, luaopen_utf8, utf8_names);
  replace(L, "codepoint", sandbox_codes);
  replace(L, "codes", through_all);
  replace(L, "len", sandbox_utf8_len);
  replace(L, "offset", sandbox_utf8_offset);
  lua_setfield(L, -2, "utf8");
  library(L, luaopen_table, table_names);
  replace(L, "concat", sandbox_concat);
  replace(L, "unpack", sandbox_unpack);
  replace(L, "move", sandbox_move);
  replace(L, "insert", sandbox_insert);
  replace(L, "remove", sandbox_remove);
  lua_setfield(L, -2, "table");
  lua_getfield(L, -1, "table");
  if (luaL_loadbufferx(L, sort_source, sizeof sort_source - 1, "=table.sort", "t")) lua_error(L);
  lua_call(L, 0, 1);
  lua_setfield(L, -2, "sort");
  lua_settop(L, 0);
}
