#define _GNU_SOURCE
#include "simsan_host.h"

#include <pthread.h>
#include <time.h>

int simsan_join(unsigned long thread, uint64_t nanoseconds) {
  uint64_t end = simsan_monotonic_nanoseconds() + nanoseconds;
  struct timespec limit = {.tv_sec = (time_t)(end / 1000000000), .tv_nsec = (long)(end % 1000000000)};
  return -pthread_clockjoin_np((pthread_t)thread, NULL, CLOCK_MONOTONIC, &limit);
}
