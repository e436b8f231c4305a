#include "simsan_lua.h"
