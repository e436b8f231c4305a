#ifndef SIMSAN_MEMORY_H
#define SIMSAN_MEMORY_H

#include <stddef.h>

/// Allocates `length` bytes that start at a multiple of `alignment`, a power of two: committed where they are touched. NULL
/// when the system does not give them.
void *simsan_memory_allocate(size_t length, size_t alignment);

/// Gives back what was allocated.
void simsan_memory_free(void *memory);

/// Reserves `length` bytes of address space that start at a large page: zeroes, committed where they are touched. NULL
/// when the system gives none.
void *simsan_memory_reserve(size_t length);

/// Gives back what was reserved.
void simsan_memory_release(void *memory, size_t length);

/// Makes whole pages of reserved memory zeroes again, and gives back what they were committed to.
void simsan_memory_discard(void *memory, size_t length);

/// Asks for large pages for memory that is aligned to them; a page size that the system has not is no error.
void simsan_memory_prefer_large_pages(void *memory, size_t length);

/// Fetches the first lines of `length` bytes that are read soon, but not at once; the processor finds out about the rest
/// by itself.
void simsan_memory_prefetch(const void *memory, size_t length);

/// Copies `length` bytes past the caches: for a destination that is not in them, and is not read soon. What it would
/// otherwise cost to fetch the destination first is saved.
void simsan_memory_stream(void *to, const void *from, size_t length);

#endif
