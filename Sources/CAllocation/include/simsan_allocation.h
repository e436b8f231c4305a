// Counts what is asked of the C allocator, which Swift's own allocations go through as well: whoever links this module has
// its malloc, calloc, realloc and aligned allocations counted, in its libraries too, at the price of an addition each.
#pragma once
#include <stdint.h>

/// The calls that the calling thread has made since it began. Always zero where nothing is counted.
uint64_t simsan_allocation_count(void);

/// Whether calls are counted: not under a sanitizer, which has an allocator of its own.
int simsan_allocations_are_counted(void);
