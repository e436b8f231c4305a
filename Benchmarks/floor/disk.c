#include "floor.h"

int disk = -1;

static struct transfer transfers[TRANSFERS_MAX];
// For O_DIRECT. What an answer is sent from is overwritten TRANSFERS_MAX commands later: the initiator, which has at most
// WRITES_MAX of them outstanding, has it by then.
static _Alignas(4096) uint8_t buffers[TRANSFERS_MAX][TRANSFERRED_LENGTH_MAX];
// How many have been begun, and how many of these the kernel has been given.
static uint64_t begun, handed;

bool begin_transfer(struct connection *connection, bool writes, uint32_t tag, uint64_t block, uint32_t length) {
  struct transfer *transfer = &transfers[begun % TRANSFERS_MAX];
  if (length > TRANSFERRED_LENGTH_MAX) return refuse("a command that is too long for the disk");
  if (transfer->used) return refuse("more commands than the disk takes");
  uint8_t *buffer = buffers[begun % TRANSFERS_MAX];
  *transfer = (struct transfer){true, writes, connection, tag, length, block * BLOCK_LENGTH, buffer};
  begun++;
  connection->transfers_in_use++;
  return true;
}

struct transfer *next_transfer(void) { return handed == begun ? NULL : &transfers[handed++ % TRANSFERS_MAX]; }

void forget_transfers(struct connection *connection) {
  for (int index = 0; index < TRANSFERS_MAX; index++) {
    if (transfers[index].connection == connection) transfers[index].connection = NULL;
  }
}
