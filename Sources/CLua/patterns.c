/* Lua's patterns, with every step charged to the instruction budget: Lua's own matcher can run for years between two of
 * the count hook's calls. The language is that of the Lua 5.4 reference manual, §6.4.1. */
#include "internal.h"

#include <ctype.h>
#include <string.h>

enum { CAPTURE_MAX = 32, NESTING_MAX = 200, OPEN = -1, POSITION = -2, STEPS_PER_CHARGE = 256 };

typedef struct {
  lua_State *L;
  const char *subject, *subject_end, *pattern_end;
  int nesting, captures, steps;
  struct {
    const char *start;
    ptrdiff_t length; /* or OPEN, POSITION */
  } capture[CAPTURE_MAX];
} matcher;

static const char *match(matcher *m, const char *s, const char *p);

static void steps(matcher *m, ptrdiff_t count) {
  m->steps += (int)count;
  if (m->steps >= STEPS_PER_CHARGE) {
    charge(m->L, m->steps);
    m->steps = 0;
  }
}

static void step(matcher *m) { steps(m, 1); }

/* A set of so many bytes is looked through. */
static void step_set(matcher *m, ptrdiff_t length) { steps(m, 1 + length / 8); }

/* The end of the single-character class at `p`. */
static const char *class_end(matcher *m, const char *p) {
  char first = *p++;
  if (first == '%') {
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 1;
  }
  if (first != '[') return p;
  const char *start = p;
  if (p < m->pattern_end && *p == '^') p++;
  do { /* a first ']' stands for itself */
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*p++ == '%') {
      if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
      p++;
    }
  } while (p == m->pattern_end || *p != ']');
  step_set(m, p - start);
  return p + 1;
}

/* ASCII only: the result must not depend on a locale. */
static int in_class(int c, int class) {
  int found;
  int ascii = c < 128;
  switch (class | 32) {
  case 'a': found = ascii && isalpha(c); break;
  case 'c': found = ascii && iscntrl(c); break;
  case 'd': found = ascii && isdigit(c); break;
  case 'g': found = ascii && isgraph(c); break;
  case 'l': found = ascii && islower(c); break;
  case 'p': found = ascii && ispunct(c); break;
  case 's': found = ascii && isspace(c); break;
  case 'u': found = ascii && isupper(c); break;
  case 'w': found = ascii && isalnum(c); break;
  case 'x': found = ascii && isxdigit(c); break;
  default: return class == c;
  }
  return class < 'a' ? !found : found; /* an upper-case letter is the complement */
}

/* Whether `c` is in the set between `p`, at its '[', and `end`, after its ']'. */
static int in_set(int c, const char *p, const char *end) {
  const char *last = end - 1;
  int wanted = 1;
  p++;
  if (*p == '^') {
    wanted = 0;
    p++;
  }
  while (p < last) {
    if (*p == '%') {
      if (in_class(c, (unsigned char)p[1])) return wanted;
      p += 2;
    } else if (p + 2 < last && p[1] == '-') {
      if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return wanted;
      p += 3;
    } else {
      if ((unsigned char)*p == c) return wanted;
      p++;
    }
  }
  return !wanted;
}

static int single(matcher *m, const char *s, const char *p, const char *end) {
  step_set(m, end - p);
  if (s >= m->subject_end) return 0;
  int c = (unsigned char)*s;
  switch (*p) {
  case '.': return 1;
  case '%': return in_class(c, (unsigned char)p[1]);
  case '[': return in_set(c, p, end);
  default: return (unsigned char)*p == c;
  }
}

static const char *balanced(matcher *m, const char *s, const char *p) {
  if (m->pattern_end - p < 2) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (s >= m->subject_end || *s != *p) return NULL;
  int depth = 1;
  while (++s < m->subject_end) {
    step(m);
    if (*s == p[1]) {
      if (--depth == 0) return s + 1;
    } else if (*s == *p) {
      depth++;
    }
  }
  return NULL;
}

static const char *greedy(matcher *m, const char *s, const char *p, const char *end, ptrdiff_t least) {
  ptrdiff_t count = 0;
  while (single(m, s + count, p, end)) count++;
  for (; count >= least; count--) {
    const char *found = match(m, s + count, end + 1);
    if (found) return found;
  }
  return NULL;
}

static const char *lazy(matcher *m, const char *s, const char *p, const char *end) {
  for (;;) {
    const char *found = match(m, s, end + 1);
    if (found) return found;
    if (!single(m, s, p, end)) return NULL;
    s++;
  }
}

static const char *capture_begin(matcher *m, const char *s, const char *p, ptrdiff_t kind) {
  if (m->captures >= CAPTURE_MAX) luaL_error(m->L, "too many captures");
  m->capture[m->captures].start = s;
  m->capture[m->captures].length = kind;
  m->captures++;
  const char *found = match(m, s, p);
  if (!found) m->captures--;
  return found;
}

static const char *capture_finish(matcher *m, const char *s, const char *p) {
  int at = m->captures - 1;
  while (at >= 0 && m->capture[at].length != OPEN) at--;
  if (at < 0) luaL_error(m->L, "invalid pattern capture");
  m->capture[at].length = s - m->capture[at].start;
  const char *found = match(m, s, p);
  if (!found) m->capture[at].length = OPEN;
  return found;
}

/* Whether `length` bytes are the same. Charges them, as they may be many. */
static int same(matcher *m, const char *a, const char *b, size_t length) {
  if (length && *a != *b) return 0;
  if (length >= 64) charge(m->L, (int64_t)(length / 64));
  return !memcmp(a, b, length);
}

static const char *back_reference(matcher *m, const char *s, int digit) {
  int at = digit - '1';
  if (at < 0 || at >= m->captures || m->capture[at].length < 0)
    luaL_error(m->L, "invalid capture index %%%d in pattern", at + 1);
  size_t length = (size_t)m->capture[at].length;
  if ((size_t)(m->subject_end - s) < length || !same(m, m->capture[at].start, s, length)) return NULL;
  return s + length;
}

static int frontier(matcher *m, const char *s, const char *p, const char *end) {
  int before = s == m->subject ? 0 : (unsigned char)s[-1];
  int here = s < m->subject_end ? (unsigned char)*s : 0;
  return !in_set(before, p, end) && in_set(here, p, end);
}

/* The end of the match of the pattern from `p` at `s`, or NULL. Recurses once for each item that can backtrack. */
static const char *match(matcher *m, const char *s, const char *p) {
  if (++m->nesting > NESTING_MAX) luaL_error(m->L, "pattern too complex");
  const char *result = NULL;
  while (p < m->pattern_end) {
    step(m);
    if (*p == '(') {
      int position = p + 1 < m->pattern_end && p[1] == ')';
      result = capture_begin(m, s, p + 1 + position, position ? POSITION : OPEN);
      goto done;
    }
    if (*p == ')') {
      result = capture_finish(m, s, p + 1);
      goto done;
    }
    if (*p == '$' && p + 1 == m->pattern_end) {
      if (s == m->subject_end) result = s;
      goto done;
    }
    if (*p == '%' && p + 1 < m->pattern_end) {
      if (p[1] == 'b') {
        s = balanced(m, s, p + 2);
        if (!s) goto done;
        p += 4;
        continue;
      }
      if (p[1] == 'f') {
        p += 2;
        if (p >= m->pattern_end || *p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
        const char *end = class_end(m, p);
        if (!frontier(m, s, p, end)) goto done;
        p = end;
        continue;
      }
      if (p[1] >= '0' && p[1] <= '9') {
        s = back_reference(m, s, p[1]);
        if (!s) goto done;
        p += 2;
        continue;
      }
    }
    const char *end = class_end(m, p);
    char suffix = end < m->pattern_end ? *end : '\0';
    if (suffix == '*' || suffix == '+') {
      result = greedy(m, s, p, end, suffix == '+');
      goto done;
    }
    if (suffix == '-') {
      result = lazy(m, s, p, end);
      goto done;
    }
    if (suffix == '?') {
      if (single(m, s, p, end)) {
        result = match(m, s + 1, end + 1);
        if (result) goto done;
      }
      p = end + 1;
      continue;
    }
    if (!single(m, s, p, end)) goto done;
    s++;
    p = end;
  }
  result = s;
done:
  m->nesting--;
  return result;
}

static const char *attempt(matcher *m, const char *s, const char *p) {
  m->nesting = 0;
  m->captures = 0;
  return match(m, s, p);
}

static void push_capture(matcher *m, int at, const char *start, const char *end) {
  if (at >= m->captures) {
    if (at) luaL_error(m->L, "invalid capture index %%%d", at + 1);
    lua_pushlstring(m->L, start, (size_t)(end - start));
  } else if (m->capture[at].length == POSITION) {
    lua_pushinteger(m->L, m->capture[at].start - m->subject + 1);
  } else {
    if (m->capture[at].length == OPEN) luaL_error(m->L, "unfinished capture");
    lua_pushlstring(m->L, m->capture[at].start, (size_t)m->capture[at].length);
  }
}

/* Pushes all captures; the whole match when there are none and `whole`. */
static int push_captures(matcher *m, const char *start, const char *end, int whole) {
  int count = m->captures ? m->captures : whole;
  luaL_checkstack(m->L, count, "too many captures");
  for (int i = 0; i < count; i++) push_capture(m, i, start, end);
  return count;
}

static void prepare(matcher *m, lua_State *L, const char *subject, size_t length, const char *pattern_end) {
  m->L = L;
  m->subject = subject;
  m->subject_end = subject + length;
  m->pattern_end = pattern_end;
  m->steps = 0;
}

static const char *plain_find(matcher *m, const char *from, const char *what, size_t length) {
  for (const char *s = from; (size_t)(m->subject_end - s) >= length; s++) {
    step(m);
    if (same(m, s, what, length)) return s;
  }
  return NULL;
}

static int find_or_match(lua_State *L, int find) {
  size_t length, pattern_length;
  const char *subject = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &pattern_length);
  lua_Integer from = luaL_optinteger(L, 3, 1);
  if (from < 0) from = (size_t)-from > length ? 1 : (lua_Integer)length + from + 1;
  if (from == 0) from = 1;
  if ((size_t)from > length + 1) {
    lua_pushnil(L);
    return 1;
  }
  matcher m;
  prepare(&m, L, subject, length, pattern + pattern_length);
  const char *s = subject + from - 1;
  if (find && lua_toboolean(L, 4)) {
    s = plain_find(&m, s, pattern, pattern_length);
    if (s) {
      lua_pushinteger(L, s - subject + 1);
      lua_pushinteger(L, s - subject + (lua_Integer)pattern_length);
      return 2;
    }
    lua_pushnil(L);
    return 1;
  }
  int anchored = pattern_length && *pattern == '^';
  if (anchored) pattern++;
  do {
    const char *end = attempt(&m, s, pattern);
    if (!end) continue;
    if (!find) return push_captures(&m, s, end, 1);
    lua_pushinteger(L, s - subject + 1);
    lua_pushinteger(L, end - subject);
    return push_captures(&m, s, end, 0) + 2;
  } while (s++ < m.subject_end && !anchored);
  lua_pushnil(L);
  return 1;
}

static int pattern_find(lua_State *L) { return find_or_match(L, 1); }
static int pattern_match(lua_State *L) { return find_or_match(L, 0); }

/* Upvalues: subject, pattern, the next position, the end of the last match (from 0). */
static int gmatch_step(lua_State *L) {
  size_t length, pattern_length;
  const char *subject = lua_tolstring(L, lua_upvalueindex(1), &length);
  const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
  lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
  matcher m;
  prepare(&m, L, subject, length, pattern + pattern_length);
  for (; (size_t)at <= length; at++) {
    const char *end = attempt(&m, subject + at, pattern);
    if (!end || end - subject == last) continue;
    lua_pushinteger(L, end - subject);
    lua_pushvalue(L, -1);
    lua_replace(L, lua_upvalueindex(3));
    lua_replace(L, lua_upvalueindex(4));
    return push_captures(&m, subject + at, end, 1);
  }
  return 0;
}

static int pattern_gmatch(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushinteger(L, -1);
  lua_pushcclosure(L, gmatch_step, 4);
  return 1;
}

/* Appends what replaces the match; the replacement is at index 3. */
static void replace(matcher *m, luaL_Buffer *to, const char *start, const char *end) {
  lua_State *L = m->L;
  switch (lua_type(L, 3)) {
  case LUA_TFUNCTION:
    lua_pushvalue(L, 3);
    lua_call(L, push_captures(m, start, end, 1), 1);
    break;
  case LUA_TTABLE:
    push_capture(m, 0, start, end);
    lua_gettable(L, 3);
    break;
  default: {
    size_t length;
    const char *text = lua_tolstring(L, 3, &length);
    for (size_t i = 0; i < length; i++) {
      if (text[i] != '%') {
        luaL_addchar(to, text[i]);
        continue;
      }
      i++;
      if (i < length && text[i] == '%') {
        luaL_addchar(to, '%');
      } else if (i < length && text[i] == '0') {
        luaL_addlstring(to, start, (size_t)(end - start));
      } else if (i < length && text[i] > '0' && text[i] <= '9') {
        push_capture(m, text[i] - '1', start, end);
        luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
        luaL_addvalue(to);
      } else {
        luaL_error(L, "invalid use of '%%' in replacement string");
      }
    }
    return;
  }
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(to, start, (size_t)(end - start));
  } else if (lua_isstring(L, -1)) {
    luaL_addvalue(to);
  } else {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
}

static int pattern_gsub(lua_State *L) {
  size_t length, pattern_length;
  const char *subject = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &pattern_length);
  int type = lua_type(L, 3);
  luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                   "string/function/table");
  lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1);
  matcher m;
  prepare(&m, L, subject, length, pattern + pattern_length);
  int anchored = pattern_length && *pattern == '^';
  if (anchored) pattern++;
  const char *s = subject, *last = NULL;
  lua_Integer count = 0;
  luaL_Buffer result;
  luaL_buffinit(L, &result);
  while (count < most) {
    const char *end = attempt(&m, s, pattern);
    if (end && end != last) {
      count++;
      replace(&m, &result, s, end);
      s = last = end;
    } else if (s < m.subject_end) {
      luaL_addchar(&result, *s);
      s++;
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&result, s, (size_t)(m.subject_end - s));
  luaL_pushresult(&result);
  lua_pushinteger(L, count);
  return 2;
}

void open_patterns(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"find", pattern_find}, {"match", pattern_match}, {"gmatch", pattern_gmatch}, {"gsub", pattern_gsub}, {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
