#include "simsan_host.h"
