#include "tests.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "simsan_memory.h"

// Every alignment of both ends, and lengths around the edges of a line: the same bytes as memcpy, and none beside them.
static void streams_what_memcpy_copies(void) {
  enum { ROOM = 1024 };
  static const size_t lengths[] = {0, 1, 15, 63, 64, 65, 127, 128, 129, 512, 700};
  unsigned char from[ROOM], expected[ROOM];
  unsigned char *to = aligned_alloc(64, ROOM);
  for (size_t index = 0; index < ROOM; index++) from[index] = (unsigned char)(index * 131 >> 3);
  int differences = 0;
  for (size_t out = 0; out < 80; out++)
    for (size_t in = 0; in < 80; in += 7)
      for (size_t index = 0; index < sizeof lengths / sizeof *lengths; index++) {
        memset(to, 0xEE, ROOM);
        memset(expected, 0xEE, ROOM);
        memcpy(expected + out, from + in, lengths[index]);
        simsan_memory_stream(to + out, from + in, lengths[index]);
        differences += memcmp(to, expected, ROOM) != 0;
      }
  CU_ASSERT_EQUAL(differences, 0);
  free(to);
}

static void large_pages_are_a_wish(void) {
  enum { LENGTH = 4 << 20 };
  unsigned char *memory = aligned_alloc(2 << 20, LENGTH);
  simsan_memory_prefer_large_pages(memory, LENGTH);
  memset(memory, 7, LENGTH);
  CU_ASSERT_EQUAL(memory[0] + memory[LENGTH - 1], 14);
  free(memory);
  // Not memory at all: refused, and no more than that.
  simsan_memory_prefer_large_pages((void *)(uintptr_t)4096, 1);
}

static void what_is_not_given_is_null(void) {
  unsigned char *memory = simsan_memory_allocate(3 << 20, 4096);
  CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
  CU_ASSERT_EQUAL((uintptr_t)memory % 4096, 0);
  memory[0] = memory[(3 << 20) - 1] = 7;
  simsan_memory_free(memory);
  CU_ASSERT_PTR_NULL(simsan_memory_allocate((size_t)1 << 47, 4096));
  CU_ASSERT_PTR_NULL(simsan_memory_reserve((size_t)1 << 47));
}

void add_memory_tests(void) {
  CU_pSuite suite = CU_add_suite("memory", NULL, NULL);
  CU_add_test(suite, "what the system does not give is told", what_is_not_given_is_null);
  CU_add_test(suite, "streams what memcpy copies, whatever the alignment", streams_what_memcpy_copies);
  CU_add_test(suite, "large pages are a wish", large_pages_are_a_wish);
}
