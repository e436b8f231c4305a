/* A sandboxed Lua 5.4 for scenarios.
 *
 * Lua raises errors and yields coroutines with longjmp, which must never cross a frame of Swift. So Swift never sees
 * a lua_State: values cross the border as bytes, a host function answers with a code, and everything that raises or
 * yields does so in C.
 *
 * The encoding of a value, numbers little-endian:
 *   'N' nil   'T' true   'F' false   'I' int64   'D' double
 *   'S' uint32 length, bytes
 *   '{' uint32 kind (0: plain, else a record), uint32 count, then count pairs of key and value, keys in order
 *   '@' uint32 kind, int64 id           a handle: an object that the host keeps
 *   'f' int32 reference                 a function; the reference is the receiver's to release
 *   '?' uint32 length, bytes            anything else: its type's name
 * A list of values is a uint32 count and then the values.
 *
 * What the sandbox changes, against standard Lua:
 *   - os, io, package, debug, coroutine, load, dofile, require, collectgarbage, string.dump are absent; so are the
 *     parts of math that draw random numbers or differ from one C library to another.
 *   - pairs and next visit keys in order: numbers ascending, then strings by their bytes, then false, true, then
 *     handles. pairs visits the keys that were there when it was called and are still there. Any other key (a table, a
 *     function) is an error.
 *   - tostring and string.format never show an address; %p is an error.
 *   - table.sort is a stable merge sort. What a call of a library function goes through, elements of a table, bytes of a
 *     string or a pattern in it, counts in the instruction budget.
 *   - setmetatable refuses __gc and __mode; the host's objects keep their metatables, and getmetatable hides them.
 *   - pcall does not catch what ends a scenario: its limits, and what the host stops it for.
 *
 * What is not in the sandbox's hands, because the virtual machine does it by itself: where # finds the border of a table
 * with holes follows from the hash seed, which Lua makes of addresses and the time; ^ rounds as the C library's pow does
 * on this processor; the sign of 0/0 is the processor's.
 */
#ifndef SIMSAN_LUA_H
#define SIMSAN_LUA_H

#include <stddef.h>
#include <stdint.h>

typedef struct simsan_lua simsan_lua;

/* What a host function answers. */
enum {
  SIMSAN_LUA_RETURN = 0, /* the reply is a list of values: the results */
  SIMSAN_LUA_YIELD = 1,  /* the actor waits until simsan_lua_resume */
  SIMSAN_LUA_RAISE = 2,  /* the reply is a list of an error's message and, if it is not the caller's, its file:line */
  SIMSAN_LUA_STOP = 3,   /* the same, and pcall does not catch it */
};

/* How an actor's resumption ended. */
enum {
  SIMSAN_LUA_FINISHED = 0, /* the output is a list of values: its results */
  SIMSAN_LUA_WAITING = 1,
  SIMSAN_LUA_FAILED = 2, /* the output is a list of two strings: the message and the traceback */
};

/* One call of a host function. Valid until the function returns. */
typedef struct {
  int32_t function;    /* the number that it was defined with */
  int32_t actor;       /* who calls */
  int32_t line;        /* the caller's line; 0 when it has none */
  int32_t yieldable;   /* whether SIMSAN_LUA_YIELD is possible here */
  const char *source;  /* the caller's file, "" when it has none */
  const uint8_t *arguments; /* a list of values */
  size_t length;
} simsan_lua_call;

typedef int (*simsan_lua_host)(void *context, const simsan_lua_call *call);

/* A fresh state; NULL when there is no memory for it. `memory_max` in bytes, `instructions_max` in VM instructions. */
simsan_lua *simsan_lua_open(size_t memory_max, int64_t instructions_max, simsan_lua_host host, void *context);
void simsan_lua_close(simsan_lua *state);

/* Defines host function `function` as global `name`, or as `table.name`, where the table may be dotted; "" is the
 * global table. 0, or -1 when there is no memory. */
int simsan_lua_define(simsan_lua *state, const char *table, const char *name, int32_t function);

/* Has the reading of a name that the dotted table `table` does not have call host function `function` with the name. */
int simsan_lua_define_missing(simsan_lua *state, const char *table, int32_t function);

/* Defines a kind of handles and records, named for messages; `kind` from 1. Reading a field that is no method calls the
 * host function `getter` with the object and the key; for a record, only where it has no such field. */
int simsan_lua_define_kind(simsan_lua *state, int32_t kind, const char *name, int32_t getter);

/* Defines a method of a kind. */
int simsan_lua_define_method(simsan_lua *state, int32_t kind, const char *name, int32_t function);

/* Compiles `text` and makes an actor that would run it. The actor's number, or -1 with a message in the output. */
int32_t simsan_lua_load(simsan_lua *state, const char *file, const char *text, size_t length);

/* Makes an actor that would run a function with the encoded arguments. The actor's number, or -1 with a message in the
 * output. Not to be called from a host function. */
int32_t simsan_lua_start(simsan_lua *state, int32_t reference, const uint8_t *arguments, size_t length);

/* Runs an actor until it ends or waits. For one that waits, the encoded list is what its host function returns, or with
 * `raise` the error that it raises. Not to be called from a host function. */
int simsan_lua_resume(simsan_lua *state, int32_t actor, const uint8_t *values, size_t length, int raise);

/* Where the actor stands: the innermost line of a file; "" and 0 when there is none. */
const char *simsan_lua_where(simsan_lua *state, int32_t actor, int32_t *line);

/* Gives back a function's reference. */
void simsan_lua_release(simsan_lua *state, int32_t reference);

/* Sets the reply of the host function that is being called; the bytes are copied. */
void simsan_lua_reply(simsan_lua *state, const uint8_t *bytes, size_t length);

/* The output of the last load, start or resume. */
const uint8_t *simsan_lua_output(simsan_lua *state, size_t *length);

/* Bytes in use now, and the VM instructions that are left. */
size_t simsan_lua_memory(simsan_lua *state);
int64_t simsan_lua_instructions_left(simsan_lua *state);

#endif
