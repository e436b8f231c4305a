#ifndef SIMSAN_LUA_H
#define SIMSAN_LUA_H
#endif
