#define _GNU_SOURCE
#include "simsan_host.h"

#include <sched.h>
#include <unistd.h>

int simsan_usable_cores(void) {
  cpu_set_t set;
  // A mask of more than 1024 cores does not fit: then all that are there.
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? count : 1;
}
