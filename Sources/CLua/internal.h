/* What the files of the shim share. */
#ifndef SIMSAN_LUA_INTERNAL_H
#define SIMSAN_LUA_INTERNAL_H

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>

#include "simsan_lua.h"

/* A growing run of bytes outside Lua's heap. */
typedef struct {
  uint8_t *bytes;
  size_t length, capacity;
} buffer;

/* One coroutine. A thread's extra space points to its actor; the main thread's to an actor without a number. */
typedef struct {
  struct simsan_lua *owner;
  lua_State *thread;
  int32_t number;
  int reference; /* keeps the thread alive */
  int started;
  int raise; /* what it waits for has failed: the continuation raises the reply */
} actor;

struct simsan_lua {
  lua_State *main;
  simsan_lua_host host;
  void *context;
  size_t memory, memory_max;
  int64_t instructions, instructions_max;
  int stopped; /* an error that pcall lets through is on its way */
  int starved; /* it is that there is no memory left */
  actor self;  /* the main thread's */
  actor **actors;
  int32_t actor_count, actor_capacity;
  buffer arguments, reply, output;
};

/* The longest message that crosses the border, and the deepest nesting of tables. */
enum { MESSAGE_MAX = 256u << 20, DEPTH_MAX = 32 };

/* Registry keys, by their addresses. */
extern char key_kinds, key_handles;

simsan_lua *owner_of(lua_State *L);
actor *actor_of(lua_State *L);

/* buffer: 0, or -1 when there is no memory or it grows beyond MESSAGE_MAX. */
int buffer_append(buffer *b, const void *bytes, size_t length);

/* Appends the value at `index`; raises what cannot be encoded. */
void encode(lua_State *L, int index, buffer *to, int depth);
/* Appends the list of the values from `first` to the top. */
void encode_list(lua_State *L, int first, buffer *to);
/* Appends a list of strings; does not raise. */
void encode_strings(buffer *to, const char *const *strings, const size_t *lengths, uint32_t count);
/* Pushes the values of an encoded list and answers how many; raises when it is malformed or too long. */
int decode_list(lua_State *L, const uint8_t *bytes, size_t length);

/* The kind of the record or handle at `index`; 0 for none. */
int32_t kind_of(lua_State *L, int index);
/* Pushes the name of a kind, or "object". */
void push_kind_name(lua_State *L, int32_t kind);
/* Pushes a new array of the keys of the table at `index`, in order, and answers how many. */
lua_Integer push_sorted_keys(lua_State *L, int index);
/* Pushes the plain text of the value at `index`: like tostring, without addresses. */
const char *push_text(lua_State *L, int index, size_t *length);

/* Takes `count` from the instruction budget; raises at its end. */
void charge(lua_State *L, int64_t count);

int thunk(lua_State *L);
void open_sandbox(lua_State *L);
void open_patterns(lua_State *L); /* find, match, gmatch, gsub into the table on top */

/* A handle, as Lua's heap holds it. */
typedef struct {
  int32_t kind;
  int64_t id;
} handle;

#endif
