#include "tests.h"

const char *test_folder = "/tmp";

int main(int argc, char **argv) {
  if (argc > 1) test_folder = argv[1];
  if (CU_initialize_registry() != CUE_SUCCESS) return CU_get_error();
  add_digest_tests();
  add_socket_tests();
  add_event_tests();
  add_media_tests();
  add_uring_tests();
  add_lua_tests();
  add_memory_tests();
  CU_basic_set_mode(CU_BRM_VERBOSE);
  CU_basic_run_tests();
  unsigned failures = CU_get_number_of_failures();
  unsigned run = CU_get_number_of_tests_run();
  CU_cleanup_registry();
  return failures || !run;
}
