// The floor: an iSCSI target with nothing in it. It takes PDUs as the real one does and answers every command with canned
// bytes, so that what it reaches is what the system calls, the copies and the load generator leave: the limit for any
// target that makes the same calls. It is measured, not shipped, and believes its initiator more than a target may; but
// it writes nowhere outside its buffers, whatever comes in.
//
//   answer.c   bytes received -> bytes to send; no system call
//   spin.c     how long to look for work before sleeping
//   disk.c     reads and writes of a file in place of canned bytes: what a server gets out of a disk
//   hold.c     when answers wait in TCP for those before them: TCP_NODELAY, MSG_MORE
//   epoll.c    epoll_wait, recv, sendmsg
//   uring.c    io_uring_submit_and_wait with a recv and a sendmsg in flight
//   main.c     options, the listener
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
  CONNECTIONS_MAX = 1024,
  INPUT_LENGTH = 256 << 10,       // the receive buffer of a connection, as simsan's busy one
  STAGING_LENGTH = 128 << 10,     // where the headers and the small data of one send are put together
  PARTS_MAX = 1024,               // entries of one vectored send; not above IOV_MAX
  COPIED_LENGTH_MAX = 1024,       // data up to here are copied behind their header
  SEGMENT_LENGTH_MAX = 256 << 10, // of a data segment, either way
  SEGMENT_LENGTH_MIN = 8192,      // of data-in; an initiator that takes less is refused
  TRANSFER_LENGTH_MAX = 1 << 20,  // of one command
  BURST_LENGTH = 256 << 10,       // FirstBurstLength and MaxBurstLength
  WRITES_MAX = 256,               // writes in progress of one connection; also the command window
  PACED_DEPTH_MIN = 12,           // from so many outstanding commands on, half of them are taken at a time
  LUMP_DEPTH_MIN = 6,             // from so many on, the end of a lump is held back,
  LUMP_LENGTH_MIN = 128 << 10,    // of more than so many bytes,
  LUMP_END_LENGTH = 16 << 10,     // and so many of them
  HELD_LENGTH_MAX = 32 << 10,     // short answers that may be held back
  HOLD_ROUNDS_MAX = 64,           // times that the initiator goes on, until answers are no longer held back
  AHEAD_LENGTH_MAX = 768 << 10,   // unsolicited data on their way from an initiator that is paced,
  AHEAD_SHARE = 64,               // if a command has more than such a part of them
  LOCAL_SEND_BUFFER = 512 << 10,  // SO_SNDBUF: what stays in the cache until the peer copies it out
  BLOCK_LENGTH = 512,
  BLOCK_COUNT = 1 << 20,
  TRANSFERS_MAX = 512,            // reads and writes of the disk
  TRANSFERRED_LENGTH_MAX = 8192,  // of one of them: it is answered with one PDU
  DISK_BATCH = 4,                 // so many go to the kernel together
  DISK_LUN = 1,                   // commands to all other units have canned bytes
};

/// The block of a command that has nothing to do with the disk.
static const uint64_t canned = UINT64_MAX;

/// What one vectored send carries. `first` and the parts behind it have not been sent yet. `held` and those behind it are
/// sent by themselves, to wait in TCP; 0: none are.
struct batch {
  struct iovec parts[PARTS_MAX];
  int first, count, held;
  size_t staged;
  uint8_t staging[STAGING_LENGTH];
};

/// A write whose data have not all come.
struct write {
  bool used;
  uint32_t tag; // initiator task tag
  uint32_t expected, received;
  uint64_t block; // or `canned`
};

struct connection {
  int socket;
  bool login_done, logged_out;
  uint32_t expected_command, status_number, segment_max;
  // MaxCmdSN, which never goes back, and how far it is ahead of expected_command at most.
  uint32_t last_command, ahead_max;
  // The last command's ExpStatSN, the highest number of outstanding commands of late, and the mean length of a command in
  // the input (16 times), as simsan's ReceivePace has them.
  uint32_t acknowledged, depth, length_times_16;

  // What simsan's AnswerHold has: whether the end of a lump is held back, ExpStatSN of the last commands, and chances to
  // pass over.
  bool holds_end;
  uint32_t hold_acknowledged, hold_rounds, hold_failures;
  uint64_t hold_passes;

  // Received and not consumed: input[start..<end]. `swallow` bytes of the data segment of `header` are still to come.
  size_t start, end, swallow;
  uint8_t header[48];
  uint8_t input[INPUT_LENGTH];

  // One batch is filled while the other one is on its way.
  struct batch batches[2];
  int filling;
  bool sending, receiving, closing;

  int writes_in_use, transfers_in_use;
  struct write writes[WRITES_MAX];
};

/// Says why a connection is closed, and is false.
bool refuse(const char *why);

/// A read or a write of the disk, for one command.
struct transfer {
  bool used; // until the kernel is done with it
  bool writes;
  struct connection *connection; // NULL when that has been closed meanwhile
  uint32_t tag, length;
  uint64_t offset;
  uint8_t *buffer;
};

/// A file that is read and written, opened with O_DIRECT; -1: there is none.
extern int disk;

/// Begins a transfer, of canned bytes if it writes. False when there is no room for it: the connection must be closed.
bool begin_transfer(struct connection *, bool writes, uint32_t tag, uint64_t block, uint32_t length);

/// The next transfer to be handed to the kernel; NULL when all have been.
struct transfer *next_transfer(void);

/// Answers a command of which the kernel has transferred so many bytes, or a negative errno. False when the connection must
/// be closed.
bool end_transfer(struct transfer *, int result);

/// The transfers of a connection that is being closed are nobody's.
void forget_transfers(struct connection *);

/// Whether TCP paces what initiators send (BBR): they have the machine's usual congestion control.
extern bool initiators_are_paced;

/// A connection on `socket`, with all else at its beginning; NULL when CONNECTIONS_MAX of them are there.
struct connection *connection_open(int socket);

/// Closes the socket and gives the connection back.
void connection_close(struct connection *);

/// Consumes what is in the input and answers it. Stops early when the batch is full. False when the connection must be
/// closed, with the reason on standard error.
bool answer(struct connection *);

/// Where the next bytes may be received; empty when the input is full because the batch is. Moves what is there to the
/// front: not to be called while bytes are being received.
struct iovec input_space(struct connection *);

/// The most that is to be received at once: half of what is outstanding.
size_t receive_limit(struct connection *);

/// Notes that `count` bytes with so many commands in them have been answered.
void note_pace(struct connection *, size_t count, uint32_t commands);

/// The bytes that the next batch has so far.
size_t batch_length(struct connection *);

/// Decides whether answers are to be held back (Nagle's algorithm), when `count` bytes with so many commands in them have
/// been answered and the answers not sent yet. `status_number`: that of the connection before.
void hold_answers(struct connection *, size_t count, uint32_t commands, uint32_t status_number);

/// When what is held back has to go at the latest, by now_ns(); UINT64_MAX if nothing is.
uint64_t hold_deadline(void);

/// Sends what is held back.
void hold_end(void);

/// Nothing of this connection is held back: it is being closed.
void hold_forget(struct connection *);

uint64_t now_ns(void);

/// Notes `count` more bytes of input.
void input_received(struct connection *, size_t count);

/// The batch to send: the one on its way, or if there is none, the filled one, which thereby is on its way. NULL when there
/// is nothing to send.
struct batch *batch_to_send(struct connection *);

/// The message that sends what is next of a batch, and its flags.
struct msghdr batch_message(struct batch *, int *flags);

/// Has the last `count` bytes of the batch wait in TCP, if nothing is added to it.
void batch_hold(struct connection *, size_t count);

/// Notes that `count` bytes of the batch on its way have been taken. True when it has gone completely.
bool batch_sent(struct connection *, size_t count);

/// Asks again and again whether something has come, as long as simsan's rings would. False: sleep, and then call woke().
bool look_on(bool (*ask)(void *), void *context);
void woke(void);

/// Serve connections of the listener for ever. They return only when the kernel refuses.
int serve_epoll(int listener);
int serve_uring(int listener);
