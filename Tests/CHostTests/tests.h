// The suites of the C shims' tests; each file adds one.
#ifndef SIMSAN_SHIM_TESTS_H
#define SIMSAN_SHIM_TESTS_H

#include <CUnit/Basic.h>

void add_digest_tests(void);
void add_socket_tests(void);
void add_event_tests(void);
void add_media_tests(void);
void add_uring_tests(void);
void add_lua_tests(void);
void add_memory_tests(void);

/// A folder for files of the tests.
extern const char *test_folder;

#endif
