/* States, actors, and the border to the host. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every so many VM instructions the budget is looked at. */
enum { HOOK_COUNT = 1000 };

/* So many bytes that are taken from the heap, and mostly filled, or that are handed to the host, count as an instruction; and
 * so many values that one copies. */
enum { BYTES_PER_INSTRUCTION = 64, VALUES_PER_INSTRUCTION = 64 };

actor *actor_of(lua_State *L) { return *(actor **)lua_getextraspace(L); }
simsan_lua *owner_of(lua_State *L) { return actor_of(L)->owner; }

static void *allocate(void *context, void *block, size_t old_size, size_t new_size) {
  simsan_lua *state = context;
  if (!block) old_size = 0; /* then it is a type, not a size */
  if (!new_size) {
    free(block);
    state->memory -= old_size;
    return NULL;
  }
  if (new_size > old_size && new_size - old_size > state->memory_max - state->memory) return NULL;
  void *made = realloc(block, new_size);
  if (!made) return NULL;
  state->memory = state->memory - old_size + new_size;
  /* An instruction that joins long strings works for as long as many others. Here no error may be raised; the hook will. */
  if (new_size > old_size) state->instructions -= (int64_t)((new_size - old_size) / BYTES_PER_INSTRUCTION);
  return made;
}

/* Finds the innermost frame with a line. */
static int where(lua_State *L, int level, lua_Debug *record) {
  for (; lua_getstack(L, level, record); level++) {
    if (lua_getinfo(L, "Sl", record) && record->currentline > 0) return 1;
  }
  return 0;
}

/* The whole name of the record's file; Lua's own short_src is cut off. */
static const char *file_of(const lua_Debug *record) {
  return record->source[0] == '@' || record->source[0] == '=' ? record->source + 1 : record->short_src;
}

void charge(lua_State *L, int64_t count) {
  simsan_lua *state = owner_of(L);
  state->instructions -= count;
  if (state->instructions < 0) {
    state->stopped = 1;
    /* luaL_error would name the caller of where it is. */
    lua_Debug record;
    if (where(L, 0, &record)) lua_pushfstring(L, "%s:%d: ", file_of(&record), record.currentline);
    else lua_pushliteral(L, "");
    lua_pushfstring(L, "the script runs on and on: more than %I instructions", (LUAI_UACINT)state->instructions_max);
    lua_concat(L, 2);
    lua_error(L);
  }
}

static void on_count(lua_State *L, lua_Debug *record) {
  /* Each `...` copies all that the function was given beyond its parameters. */
  int given = VALUES_PER_INSTRUCTION;
  while (lua_getlocal(L, record, -given)) {
    lua_pop(L, 1);
    given *= 2;
  }
  charge(L, (int64_t)HOOK_COUNT * (given / VALUES_PER_INSTRUCTION));
}

static int raise_reply(lua_State *L, simsan_lua *state) {
  lua_Debug record;
  int found = where(L, 1, &record);
  int count = decode_list(L, state->reply.bytes, state->reply.length);
  if (count < 1 || count > 2 || lua_type(L, -1) != LUA_TSTRING)
    return luaL_error(L, "the host raised an error without a message");
  if (count == 2)
    lua_insert(L, -2); /* the host knows the place better */
  else if (found)
    lua_pushfstring(L, "%s:%d", file_of(&record), record.currentline), lua_insert(L, -2);
  else
    return lua_error(L);
  lua_pushliteral(L, ": ");
  lua_insert(L, -2);
  lua_concat(L, 3);
  return lua_error(L);
}

static int continued(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  actor *self = actor_of(L);
  if (self->raise) {
    if (self->raise == SIMSAN_LUA_STOP) self->owner->stopped = 1;
    self->raise = 0;
    return raise_reply(L, self->owner);
  }
  return decode_list(L, self->owner->reply.bytes, self->owner->reply.length);
}

int thunk(lua_State *L) {
  actor *self = actor_of(L);
  simsan_lua *state = self->owner;
  encode_list(L, 1, &state->arguments);
  charge(L, (int64_t)(state->arguments.length / BYTES_PER_INSTRUCTION));
  lua_Debug record;
  int found = where(L, 1, &record);
  simsan_lua_call call = {
    .function = (int32_t)lua_tointeger(L, lua_upvalueindex(1)),
    .actor = self->number,
    .line = found ? record.currentline : 0,
    .yieldable = lua_isyieldable(L),
    .source = found ? file_of(&record) : "",
    .arguments = state->arguments.bytes,
    .length = state->arguments.length,
  };
  state->reply.length = 0;
  switch (state->host(state->context, &call)) {
  case SIMSAN_LUA_RETURN: return decode_list(L, state->reply.bytes, state->reply.length);
  case SIMSAN_LUA_YIELD: return lua_yieldk(L, 0, 0, continued);
  case SIMSAN_LUA_STOP: state->stopped = 1; /* fall through */
  default: return raise_reply(L, state);
  }
}

static int initialise(lua_State *L) {
  open_sandbox(L);
  return 0;
}

simsan_lua *simsan_lua_open(size_t memory_max, int64_t instructions_max, simsan_lua_host host, void *context) {
  simsan_lua *state = calloc(1, sizeof *state);
  if (!state) return NULL;
  state->memory_max = memory_max;
  state->instructions = state->instructions_max = instructions_max;
  state->host = host;
  state->context = context;
  state->main = lua_newstate(allocate, state);
  if (!state->main) {
    free(state);
    return NULL;
  }
  state->self.owner = state;
  state->self.thread = state->main;
  state->self.number = -1;
  *(actor **)lua_getextraspace(state->main) = &state->self;
  lua_pushcfunction(state->main, initialise);
  if (lua_pcall(state->main, 0, 0, 0)) {
    simsan_lua_close(state);
    return NULL;
  }
  /* Threads inherit it. */
  lua_sethook(state->main, on_count, LUA_MASKCOUNT, HOOK_COUNT);
  return state;
}

void simsan_lua_close(simsan_lua *state) {
  if (!state) return;
  lua_sethook(state->main, NULL, 0, 0);
  lua_close(state->main);
  for (int32_t i = 0; i < state->actor_count; i++) free(state->actors[i]);
  free(state->actors);
  free(state->arguments.bytes);
  free(state->reply.bytes);
  free(state->output.bytes);
  free(state);
}

/* What the protected functions below are asked to do. */
typedef struct {
  const char *table, *name;
  int32_t function, kind;
  const char *text;
  size_t length;
  const uint8_t *bytes;
  actor *actor;
} request;

/* Says that a script has no memory left, and on which line it ran out, without asking the heap for more. */
static void tell_shortage(simsan_lua *state, lua_State *thread) {
  char text[1024];
  lua_Debug record;
  int length = 0;
  if (where(thread, 0, &record))
    length = snprintf(text, sizeof text, "%.800s:%d: ", file_of(&record), record.currentline);
  length += snprintf(text + length, sizeof text - (size_t)length,
                     "the script needs more than the %zu MiB of memory that it may have", state->memory_max >> 20);
  const char *string = text;
  size_t size = (size_t)length;
  encode_strings(&state->output, &string, &size, 1);
}

static int report(simsan_lua *state) {
  size_t length = 0;
  const char *text = lua_tolstring(state->main, -1, &length);
  if (!text) {
    text = "an error without a message";
    length = strlen(text);
  }
  encode_strings(&state->output, &text, &length, 1);
  lua_settop(state->main, 0);
  return -1;
}

static int protected(simsan_lua *state, lua_CFunction function, request *asked) {
  lua_State *L = state->main;
  lua_settop(L, 0);
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, asked);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_ERRMEM) return status ? report(state) : 0;
  lua_settop(L, 0);
  tell_shortage(state, L);
  return -1;
}

static void push_thunk(lua_State *L, int32_t function) {
  lua_pushinteger(L, function);
  lua_pushcclosure(L, thunk, 1);
}

/* Pushes the table of that dotted name, which is made where it is not there; "" is the global table. */
static void push_named_table(lua_State *L, const char *at) {
  lua_pushglobaltable(L);
  while (*at) {
    const char *dot = strchr(at, '.');
    size_t length = dot ? (size_t)(dot - at) : strlen(at);
    lua_pushlstring(L, at, length);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TTABLE) {
      lua_pop(L, 1);
      lua_newtable(L);
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, -5);
    }
    lua_remove(L, -2);
    at += length + (dot ? 1 : 0);
  }
}

static int do_define(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  push_named_table(L, asked->table);
  lua_pushstring(L, asked->name);
  push_thunk(L, asked->function);
  lua_rawset(L, -3);
  return 0;
}

int simsan_lua_define(simsan_lua *state, const char *table, const char *name, int32_t function) {
  request asked = {.table = table, .name = name, .function = function};
  return protected(state, do_define, &asked);
}

/* What the host says of a name that a table does not have. Upvalue: its function. */
static int index_missing(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_replace(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static int do_define_missing(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  push_named_table(L, asked->table);
  lua_newtable(L);
  push_thunk(L, asked->function);
  lua_pushcclosure(L, index_missing, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  return 0;
}

int simsan_lua_define_missing(simsan_lua *state, const char *table, int32_t function) {
  request asked = {.table = table, .function = function};
  return protected(state, do_define_missing, &asked);
}

/* A method, else what the host's getter says. Upvalues: the methods, the getter. */
static int index_object(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

static int refuse_assignment(lua_State *L) {
  size_t length;
  const char *name = push_text(L, 1, &length);
  return luaL_error(L, "a %s cannot be changed (field '%s')", name, push_text(L, 2, &length));
}

static int object_text(lua_State *L) {
  size_t length;
  push_text(L, 1, &length);
  return 1;
}

static int do_define_kind(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_kinds);
  lua_newtable(L); /* the metatable */
  lua_pushinteger(L, asked->kind);
  lua_rawsetp(L, -2, &key_kinds);
  lua_pushstring(L, asked->name);
  lua_setfield(L, -2, "__name");
  lua_newtable(L); /* the methods */
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__methods");
  push_thunk(L, asked->function);
  lua_pushcclosure(L, index_object, 2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, refuse_assignment);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, object_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushstring(L, asked->name);
  lua_setfield(L, -2, "__metatable");
  lua_rawseti(L, -2, asked->kind);
  return 0;
}

int simsan_lua_define_kind(simsan_lua *state, int32_t kind, const char *name, int32_t getter) {
  request asked = {.name = name, .function = getter, .kind = kind};
  return protected(state, do_define_kind, &asked);
}

static int do_define_method(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_kinds);
  if (lua_rawgeti(L, -1, asked->kind) != LUA_TTABLE) return luaL_error(L, "no kind %d", (int)asked->kind);
  lua_getfield(L, -1, "__methods");
  lua_pushstring(L, asked->name);
  push_thunk(L, asked->function);
  lua_rawset(L, -3);
  return 0;
}

int simsan_lua_define_method(simsan_lua *state, int32_t kind, const char *name, int32_t function) {
  request asked = {.name = name, .function = function, .kind = kind};
  return protected(state, do_define_method, &asked);
}

/* Makes room for one more actor outside Lua's heap. */
static actor *new_actor(simsan_lua *state) {
  if (state->actor_count == state->actor_capacity) {
    int32_t capacity = state->actor_capacity ? state->actor_capacity * 2 : 16;
    actor **grown = realloc(state->actors, (size_t)capacity * sizeof *grown);
    if (!grown) return NULL;
    state->actors = grown;
    state->actor_capacity = capacity;
  }
  actor *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  made->owner = state;
  made->number = state->actor_count;
  made->reference = LUA_NOREF;
  return made;
}

static int do_start(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  actor *made = asked->actor;
  lua_State *thread = lua_newthread(L);
  *(actor **)lua_getextraspace(thread) = made;
  made->thread = thread;
  if (asked->text) {
    /* "@" makes it a file name in messages. */
    lua_pushfstring(L, "@%s", asked->name);
    if (luaL_loadbufferx(L, asked->text, asked->length, lua_tostring(L, -1), "t")) return lua_error(L);
    lua_remove(L, -2);
  } else if (lua_rawgeti(L, LUA_REGISTRYINDEX, asked->function) != LUA_TFUNCTION) {
    return luaL_error(L, "what should run is no function");
  }
  int count = decode_list(L, asked->bytes, asked->length * (asked->bytes != NULL));
  if (!lua_checkstack(thread, count + 8)) return luaL_error(L, "too many arguments");
  lua_xmove(L, thread, count + 1);
  lua_pushvalue(L, 2);
  made->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int32_t begin(simsan_lua *state, request *asked) {
  actor *made = new_actor(state);
  if (!made) return -1;
  asked->actor = made;
  if (protected(state, do_start, asked)) {
    /* The thread may live until it is collected, and nobody resumes it; but its extra space must point somewhere. */
    if (made->thread) *(actor **)lua_getextraspace(made->thread) = &state->self;
    free(made);
    return -1;
  }
  state->actors[state->actor_count++] = made;
  return made->number;
}

int32_t simsan_lua_load(simsan_lua *state, const char *file, const char *text, size_t length) {
  request asked = {.name = file, .text = text, .length = length};
  return begin(state, &asked);
}

int32_t simsan_lua_start(simsan_lua *state, int32_t reference, const uint8_t *arguments, size_t length) {
  request asked = {.function = reference, .bytes = arguments, .length = length};
  return begin(state, &asked);
}

static int do_results(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  lua_State *thread = asked->actor->thread;
  int count = lua_gettop(thread);
  luaL_checkstack(L, count + 8, "too many results");
  lua_xmove(thread, L, count);
  encode_list(L, 2, &asked->actor->owner->output);
  return 0;
}

static int do_failure(lua_State *L) {
  request *asked = lua_touserdata(L, 1);
  lua_State *thread = asked->actor->thread;
  const char *strings[2];
  size_t lengths[2];
  if (lua_type(thread, -1) == LUA_TSTRING) {
    strings[0] = lua_tolstring(thread, -1, &lengths[0]);
  } else {
    /* error({…}): its text, if it has one. */
    lua_xmove(thread, L, 1);
    if (kind_of(L, -1) || luaL_getmetafield(L, -1, "__tostring") == LUA_TNIL)
      lua_pushfstring(L, "the script raised a %s as an error", luaL_typename(L, -1));
    else
      push_text(L, -2, &lengths[0]);
    strings[0] = lua_tolstring(L, -1, &lengths[0]);
  }
  luaL_traceback(L, thread, NULL, 0);
  strings[1] = lua_tolstring(L, -1, &lengths[1]);
  encode_strings(&asked->actor->owner->output, strings, lengths, 2);
  return 0;
}

static actor *find(simsan_lua *state, int32_t number) {
  if (number < 0 || number >= state->actor_count || !state->actors[number]->thread) return NULL;
  return state->actors[number];
}

int simsan_lua_resume(simsan_lua *state, int32_t number, const uint8_t *values, size_t length, int raise) {
  actor *self = find(state, number);
  if (!self) {
    const char *text = "the actor has ended";
    size_t text_length = strlen(text);
    encode_strings(&state->output, &text, &text_length, 1);
    return SIMSAN_LUA_FAILED;
  }
  int arguments = self->started ? 0 : lua_gettop(self->thread) - 1;
  self->started = 1;
  self->raise = raise;
  simsan_lua_reply(state, values, length);
  int count = 0;
  state->output.length = 0;
  int status = lua_resume(self->thread, state->main, arguments, &count);
  if (status == LUA_YIELD) {
    lua_pop(self->thread, count);
    return SIMSAN_LUA_WAITING;
  }
  request asked = {.actor = self};
  int outcome = status == LUA_OK ? SIMSAN_LUA_FINISHED : SIMSAN_LUA_FAILED;
  if (status == LUA_ERRMEM || state->starved)
    tell_shortage(state, self->thread);
  else if (protected(state, status == LUA_OK ? do_results : do_failure, &asked))
    outcome = SIMSAN_LUA_FAILED;
  /* It has ended: nobody resumes it. */
  luaL_unref(state->main, LUA_REGISTRYINDEX, self->reference);
  self->thread = NULL;
  return outcome;
}

const char *simsan_lua_where(simsan_lua *state, int32_t number, int32_t *line) {
  /* The record outlives the call: the caller copies it at once. */
  static _Thread_local lua_Debug record;
  actor *self = find(state, number);
  *line = 0;
  if (!self || !where(self->thread, 0, &record)) return "";
  *line = record.currentline;
  return file_of(&record);
}

void simsan_lua_release(simsan_lua *state, int32_t reference) {
  luaL_unref(state->main, LUA_REGISTRYINDEX, reference);
}

void simsan_lua_reply(simsan_lua *state, const uint8_t *bytes, size_t length) {
  state->reply.length = 0;
  if (length && buffer_append(&state->reply, bytes, length)) state->reply.length = 0;
}

const uint8_t *simsan_lua_output(simsan_lua *state, size_t *length) {
  *length = state->output.length;
  return state->output.bytes;
}

size_t simsan_lua_memory(simsan_lua *state) { return state->memory; }
int64_t simsan_lua_instructions_left(simsan_lua *state) { return state->instructions; }
