/* Values across the border: encoding and decoding, the order of keys, text without addresses. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

char key_kinds, key_handles;

int buffer_append(buffer *b, const void *bytes, size_t length) {
  if (length > MESSAGE_MAX - b->length) return -1;
  if (b->length + length > b->capacity) {
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < b->length + length) capacity *= 2;
    uint8_t *grown = realloc(b->bytes, capacity);
    if (!grown) return -1;
    b->bytes = grown;
    b->capacity = capacity;
  }
  if (length) memcpy(b->bytes + b->length, bytes, length);
  b->length += length;
  return 0;
}

static void append(lua_State *L, buffer *to, const void *bytes, size_t length) {
  if (buffer_append(to, bytes, length)) luaL_error(L, "a value is too long to hand over (more than 256 MiB)");
}

static void append_tag(lua_State *L, buffer *to, char tag, const void *bytes, size_t length) {
  append(L, to, &tag, 1);
  append(L, to, bytes, length);
}

static void append_string(lua_State *L, buffer *to, char tag, const char *text, size_t length) {
  uint32_t count = (uint32_t)length;
  if (length > MESSAGE_MAX) luaL_error(L, "a string is too long to hand over (more than 256 MiB)");
  append_tag(L, to, tag, &count, 4);
  append(L, to, text, length);
}

int32_t kind_of(lua_State *L, int index) {
  int type = lua_type(L, index);
  if ((type != LUA_TTABLE && type != LUA_TUSERDATA) || !lua_getmetatable(L, index)) return 0;
  lua_rawgetp(L, -1, &key_kinds);
  int32_t kind = (int32_t)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return kind;
}

void push_kind_name(lua_State *L, int32_t kind) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_kinds);
  if (lua_rawgeti(L, -1, kind) == LUA_TTABLE) {
    lua_getfield(L, -1, "__name");
    lua_replace(L, -3);
    lua_pop(L, 1);
  } else {
    lua_pop(L, 2);
    lua_pushliteral(L, "object");
  }
}

/* What orders keys. */
typedef struct {
  int rank; /* 0 integer, 1 float, 2 string, 3 boolean, 4 handle */
  lua_Integer integer;
  lua_Number number;
  const char *text;
  size_t length;
  int32_t kind;
} key;

static int compare(const void *left, const void *right) {
  const key *a = left, *b = right;
  int ga = a->rank <= 1 ? 0 : a->rank, gb = b->rank <= 1 ? 0 : b->rank;
  if (ga != gb) return ga < gb ? -1 : 1;
  if (ga == 0) {
    if (a->rank == 0 && b->rank == 0) return a->integer < b->integer ? -1 : a->integer > b->integer;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return a->rank - b->rank;
  }
  if (ga == 2) {
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, shorter);
    if (order) return order;
    return a->length < b->length ? -1 : a->length > b->length;
  }
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  return a->integer < b->integer ? -1 : a->integer > b->integer;
}

static void push_handle(lua_State *L, int32_t kind, int64_t id) {
  char name[40];
  int length = snprintf(name, sizeof name, "%d:%lld", kind, (long long)id);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key_handles);
  lua_pushlstring(L, name, (size_t)length);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    handle *made = lua_newuserdatauv(L, sizeof *made, 0);
    made->kind = kind;
    made->id = id;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_kinds);
    if (lua_rawgeti(L, -1, kind) != LUA_TTABLE) luaL_error(L, "the host handed over an object of an unknown kind");
    lua_setmetatable(L, -3);
    lua_pop(L, 1);
    lua_pushlstring(L, name, (size_t)length);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

lua_Integer push_sorted_keys(lua_State *L, int index) {
  index = lua_absindex(L, index);
  size_t count = 0, capacity = 16;
  luaL_checkstack(L, 8, "too many nested tables");
  key *keys = lua_newuserdatauv(L, capacity * sizeof *keys, 0);
  int store = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    if (count == capacity) {
      key *grown = lua_newuserdatauv(L, 2 * capacity * sizeof *keys, 0);
      memcpy(grown, keys, capacity * sizeof *keys);
      keys = grown;
      capacity *= 2;
      lua_replace(L, store);
    }
    key *k = &keys[count++];
    memset(k, 0, sizeof *k);
    switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
      k->rank = lua_isinteger(L, -1) ? 0 : 1;
      k->integer = lua_tointeger(L, -1);
      k->number = lua_tonumber(L, -1);
      break;
    case LUA_TSTRING:
      k->rank = 2;
      k->text = lua_tolstring(L, -1, &k->length);
      break;
    case LUA_TBOOLEAN:
      k->rank = 3;
      k->integer = lua_toboolean(L, -1);
      break;
    case LUA_TUSERDATA:
      if (kind_of(L, -1)) {
        handle *h = lua_touserdata(L, -1);
        k->rank = 4;
        k->kind = h->kind;
        k->integer = h->id;
        break;
      } /* fall through */
    default:
      luaL_error(L, "a table with a %s as a key has no order that is the same in every run; use strings or numbers",
                 luaL_typename(L, -1));
    }
  }
  qsort(keys, count, sizeof *keys, compare);
  charge(L, 1 + (int64_t)count / 4);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    switch (keys[i].rank) {
    case 0: lua_pushinteger(L, keys[i].integer); break;
    case 1: lua_pushnumber(L, keys[i].number); break;
    case 2: lua_pushlstring(L, keys[i].text, keys[i].length); break;
    case 3: lua_pushboolean(L, (int)keys[i].integer); break;
    default: push_handle(L, keys[i].kind, keys[i].integer); break;
    }
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_replace(L, store);
  return (lua_Integer)count;
}

void encode(lua_State *L, int index, buffer *to, int depth) {
  index = lua_absindex(L, index);
  if (depth > DEPTH_MAX) luaL_error(L, "a table is nested more than %d deep (does it hold itself?)", DEPTH_MAX);
  luaL_checkstack(L, 8, "too many nested tables");
  switch (lua_type(L, index)) {
  case LUA_TNIL: append(L, to, "N", 1); return;
  case LUA_TBOOLEAN: append(L, to, lua_toboolean(L, index) ? "T" : "F", 1); return;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) {
      int64_t value = lua_tointeger(L, index);
      append_tag(L, to, 'I', &value, 8);
    } else {
      double value = lua_tonumber(L, index);
      append_tag(L, to, 'D', &value, 8);
    }
    return;
  case LUA_TSTRING: {
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    append_string(L, to, 'S', text, length);
    return;
  }
  case LUA_TTABLE: {
    uint32_t header[2] = {(uint32_t)kind_of(L, index), 0};
    lua_Integer count = push_sorted_keys(L, index);
    header[1] = (uint32_t)count;
    append_tag(L, to, '{', header, 8);
    for (lua_Integer i = 1; i <= count; i++) {
      lua_rawgeti(L, -1, i);
      encode(L, -1, to, depth + 1);
      lua_rawget(L, index);
      encode(L, -1, to, depth + 1);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return;
  }
  case LUA_TFUNCTION: {
    lua_pushvalue(L, index);
    int32_t reference = luaL_ref(L, LUA_REGISTRYINDEX);
    append_tag(L, to, 'f', &reference, 4);
    return;
  }
  case LUA_TUSERDATA:
    if (kind_of(L, index)) {
      handle *h = lua_touserdata(L, index);
      append_tag(L, to, '@', &h->kind, 4);
      append(L, to, &h->id, 8);
      return;
    } /* fall through */
  default: {
    const char *name = luaL_typename(L, index);
    append_string(L, to, '?', name, strlen(name));
  }
  }
}

void encode_list(lua_State *L, int first, buffer *to) {
  int top = lua_gettop(L);
  uint32_t count = top >= first ? (uint32_t)(top - first + 1) : 0;
  to->length = 0;
  append(L, to, &count, 4);
  for (int i = first; i <= top; i++) encode(L, i, to, 0);
}

void encode_strings(buffer *to, const char *const *strings, const size_t *lengths, uint32_t count) {
  to->length = 0;
  if (buffer_append(to, &count, 4)) return;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length = lengths[i] < 65536 ? (uint32_t)lengths[i] : 65536;
    if (buffer_append(to, "S", 1) || buffer_append(to, &length, 4) || buffer_append(to, strings[i], length)) {
      to->length = 0;
      return;
    }
  }
}

/* A cursor over encoded bytes. The host wrote them; a malformed value is its defect, and an error all the same. */
typedef struct {
  const uint8_t *at, *end;
} cursor;

static void take(lua_State *L, cursor *c, void *to, size_t length) {
  if ((size_t)(c->end - c->at) < length) luaL_error(L, "the host handed over a malformed value");
  memcpy(to, c->at, length);
  c->at += length;
}

static void decode(lua_State *L, cursor *c, int depth) {
  char tag;
  take(L, c, &tag, 1);
  luaL_checkstack(L, 8, "too many values");
  if (depth > DEPTH_MAX) luaL_error(L, "the host handed over a malformed value");
  switch (tag) {
  case 'N': lua_pushnil(L); return;
  case 'T': lua_pushboolean(L, 1); return;
  case 'F': lua_pushboolean(L, 0); return;
  case 'I': {
    int64_t value;
    take(L, c, &value, 8);
    lua_pushinteger(L, value);
    return;
  }
  case 'D': {
    double value;
    take(L, c, &value, 8);
    lua_pushnumber(L, value);
    return;
  }
  case 'S': {
    uint32_t length;
    take(L, c, &length, 4);
    if ((size_t)(c->end - c->at) < length) luaL_error(L, "the host handed over a malformed value");
    lua_pushlstring(L, (const char *)c->at, length);
    c->at += length;
    return;
  }
  case '{': {
    uint32_t header[2];
    take(L, c, header, 8);
    lua_newtable(L);
    for (uint32_t i = 0; i < header[1]; i++) {
      decode(L, c, depth + 1);
      if (lua_isnil(L, -1)) luaL_error(L, "the host handed over a malformed value");
      decode(L, c, depth + 1);
      lua_rawset(L, -3);
    }
    if (header[0]) {
      lua_rawgetp(L, LUA_REGISTRYINDEX, &key_kinds);
      if (lua_rawgeti(L, -1, (lua_Integer)header[0]) != LUA_TTABLE)
        luaL_error(L, "the host handed over a record of an unknown kind");
      lua_setmetatable(L, -3);
      lua_pop(L, 1);
    }
    return;
  }
  case '@': {
    int32_t kind;
    int64_t id;
    take(L, c, &kind, 4);
    take(L, c, &id, 8);
    push_handle(L, kind, id);
    return;
  }
  case 'f': {
    int32_t reference;
    take(L, c, &reference, 4);
    lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
    return;
  }
  default: luaL_error(L, "the host handed over a malformed value");
  }
}

int decode_list(lua_State *L, const uint8_t *bytes, size_t length) {
  if (!length) return 0;
  cursor c = {bytes, bytes + length};
  uint32_t count;
  take(L, &c, &count, 4);
  if (count > 10000) luaL_error(L, "the host handed over too many values");
  luaL_checkstack(L, (int)count + 8, "too many values");
  for (uint32_t i = 0; i < count; i++) decode(L, &c, 0);
  return (int)count;
}

const char *push_text(lua_State *L, int index, size_t *length) {
  index = lua_absindex(L, index);
  int type = lua_type(L, index);
  int32_t kind = kind_of(L, index);
  if (kind) {
    push_kind_name(L, kind);
    if (type == LUA_TUSERDATA) {
      handle *h = lua_touserdata(L, index);
      lua_pushfstring(L, "%s %d", lua_tostring(L, -1), (int)h->id);
      lua_remove(L, -2);
    }
    return lua_tolstring(L, -1, length);
  }
  if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA && type != LUA_TLIGHTUSERDATA &&
      type != LUA_TTHREAD)
    return luaL_tolstring(L, index, length);
  if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
    lua_pop(L, 1);
    return luaL_tolstring(L, index, length);
  }
  lua_pushstring(L, lua_typename(L, type));
  return lua_tolstring(L, -1, length);
}
