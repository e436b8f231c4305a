#include "floor.h"

#include <time.h>

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t busy_since, credit, passes;
static unsigned failures;

bool look_on(bool (*ask)(void *), void *context) {
  enum { RATIO = 2, LIMIT = 400000, FAILURES_MAX = 6 };
  if (passes > 0) {
    passes--;
    hold_end();
    return false;
  }
  if (ask(context)) return true;
  uint64_t idle = now_ns(), time = idle, earned = (idle - busy_since) * RATIO;
  credit = credit + earned < LIMIT ? credit + earned : LIMIT;
  uint64_t end = idle + credit;
  while (time < end) {
    if (ask(context)) {
      failures = 0;
      credit -= time - idle;
      busy_since = time;
      return true;
    }
    time = now_ns();
    if (time >= hold_deadline()) hold_end();
  }
  credit = 0;
  passes = (uint64_t)1 << failures;
  if (failures < FAILURES_MAX) failures++;
  hold_end();
  return false;
}

void woke(void) { busy_since = now_ns(); }
