#include "simsan_digest.h"
