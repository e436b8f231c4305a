// distance CORE CORE MILLISECONDS: every so many milliseconds, how long a message takes from one core to the other and back.
//
// A line each: the time of CLOCK_MONOTONIC and the shortest of some round trips, both in nanoseconds. The host of a virtual
// machine moves its cores about: to cores that share a cache, and to others, from which everything that one writes and the
// other reads comes several times as slowly.
//
// Before all else on both cores where it may be (SCHED_FIFO), and for some 20 microseconds each time.

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  ROUND_TRIPS = 10,
  PRIORITY = 10,           // above servers and generator with Benchmarks/run --realtime
  PATIENCE = 300 * 1000,   // ns for the other core to come: it may have halted, or be the host's
  IN_A_TURN = 1000,        // messages of a turn are numbered from so many times its own number
};

static _Alignas(64) atomic_long message;
static _Alignas(64) atomic_long answering;  // the turn for which the other core is there
static long begin, interval;                // ns

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void sleep_until(long when) {
  struct timespec time = {.tv_sec = when / 1000000000L, .tv_nsec = when % 1000000000L};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {
  }
}

// Looks at `place` until it holds at least `wanted`; false when that takes too long.
static bool wait_for(atomic_long *place, long wanted, long until) {
  while (atomic_load(place) < wanted) {
    if (now() > until) return false;
  }
  return true;
}

static void move_to(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
    fprintf(stderr, "distance: core %d: %s\n", core, strerror(errno));
    exit(1);
  }
  struct sched_param first = {.sched_priority = PRIORITY};
  if (sched_setscheduler(0, SCHED_FIFO, &first) != 0) fprintf(stderr, "distance: SCHED_FIFO: %s\n", strerror(errno));
}

static void *answer(void *core) {
  move_to(*(int *)core);
  for (long turn = 1;; turn++) {
    sleep_until(begin + turn * interval);
    long until = now() + PATIENCE;
    atomic_store(&answering, turn);
    for (int trip = 0; trip < ROUND_TRIPS; trip++) {
      long wanted = turn * IN_A_TURN + 2 * trip + 1;
      if (!wait_for(&message, wanted, until)) break;
      // The other one may have given this turn up meanwhile, and be in a later one.
      if (!atomic_compare_exchange_strong(&message, &wanted, wanted + 1)) break;
    }
  }
  return NULL;
}

int main(int count, char **arguments) {
  if (count != 4 || atol(arguments[3]) <= 0) {
    fprintf(stderr, "usage: distance CORE CORE MILLISECONDS\n");
    return 2;
  }
  int here = atoi(arguments[1]), there = atoi(arguments[2]);
  interval = atol(arguments[3]) * 1000000L;
  begin = now();
  pthread_t other;
  if (pthread_create(&other, NULL, answer, &there) != 0) return 1;
  move_to(here);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (long turn = 1;; turn++) {
    sleep_until(begin + turn * interval);
    long until = now() + PATIENCE, shortest = -1;
    if (!wait_for(&answering, turn, until)) continue;
    for (int trip = 0; trip < ROUND_TRIPS; trip++) {
      long number = turn * IN_A_TURN + 2 * trip + 1, sent = now();
      atomic_store(&message, number);
      if (!wait_for(&message, number + 1, until)) break;
      long taken = now() - sent;
      if (shortest < 0 || taken < shortest) shortest = taken;
    }
    if (shortest >= 0) printf("%ld %ld\n", begin + turn * interval, shortest);
  }
}
