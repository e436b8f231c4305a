#define _GNU_SOURCE
#include "simsan_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int simsan_is_remote_file_system(uint32_t type) {
  switch (type) {
  case 0x00006969: // NFS
  case 0x0000517B: // SMB
  case 0xFE534D42: // SMB 2 and 3
  case 0xFF534D42: // CIFS
  case 0x65735546: // FUSE, and virtiofs
  case 0x00C36400: // Ceph
  case 0x01021997: // 9P
  case 0x5346414F: // AFS
  case 0x73757245: // Coda
  case 0x0BD00BD0: // Lustre
  case 0x7461636F: // OCFS2
  case 0x01161970: return 1; // GFS2
  default: return 0;
  }
}

/// Who only reads shares a file with others who do, who writes has it alone. The lock is of this open of the file, and not of
/// the process, which may have it open a second time. A file system that has no locks serves without.
static int lock_file(int fd, int read_only) {
  struct flock whole = {.l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_SETLK, &whole) && (errno == EAGAIN || errno == EACCES) ? -EBUSY : 0;
}

int simsan_open_medium(const char *path, int read_only, int direct, int exclusive, struct simsan_medium *medium) {
  struct stat status;
  // O_EXCL means something for block devices only. O_NONBLOCK keeps the open of a FIFO from waiting for its other end.
  int excludes = exclusive && !read_only && !stat(path, &status) && S_ISBLK(status.st_mode);
  int flags = O_CLOEXEC | O_NONBLOCK | (excludes ? O_EXCL : 0) | (direct ? O_DIRECT : 0);
  int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | flags);
  if (fd < 0) return -errno;
  int error = 0;
  if (fcntl(fd, F_SETFL, direct ? O_DIRECT : 0) || fstat(fd, &status)) {
    error = -errno;
  } else if (S_ISREG(status.st_mode)) {
    struct statfs system;
    int is_known = !fstatfs(fd, &system);
    medium->is_memory = is_known && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
    medium->is_remote = is_known && simsan_is_remote_file_system((uint32_t)system.f_type);
    medium->size = (uint64_t)status.st_size;
    medium->alignment = direct ? 4096 : 1;
    medium->is_block_device = 0;
  } else if (S_ISBLK(status.st_mode)) {
    int block = 512, is_protected = 0;
    medium->is_memory = medium->is_remote = 0;
    medium->is_block_device = 1;
    if (ioctl(fd, BLKGETSIZE64, &medium->size) || ioctl(fd, BLKSSZGET, &block)) error = -errno;
    // It may be opened for writing, and refuses the first write.
    if (!error && !read_only && !ioctl(fd, BLKROGET, &is_protected) && is_protected) error = -EROFS;
    medium->alignment = direct ? (uint32_t)block : 1;
  } else {
    error = S_ISDIR(status.st_mode) ? -EISDIR : -ENODEV;
  }
  // QEMU locks block devices so as well, and opens none with O_EXCL.
  if (!error && exclusive) error = lock_file(fd, read_only);
#ifdef STATX_DIOALIGN
  struct statx extended;
  if (!error && direct && !medium->is_block_device &&
      !statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &extended) && (extended.stx_mask & STATX_DIOALIGN) &&
      extended.stx_dio_offset_align)
    medium->alignment = extended.stx_dio_offset_align;
#else
  // Headers before Linux 6.1 do not name it: 512 is what file systems on usual disks take.
  if (!error && direct && !medium->is_block_device) medium->alignment = 512;
#endif
  if (error) {
    close(fd);
    return error;
  }
  return fd;
}

int simsan_flush_data(int fd) { return fdatasync(fd) ? -errno : 0; }

int simsan_discard(int fd, uint32_t is_block_device, uint64_t offset, uint64_t length) {
  uint64_t range[2] = {offset, length};
  // A discarded block device need not read as zeroes; BLKZEROOUT gives storage back where the device can.
  if (is_block_device) return ioctl(fd, BLKZEROOUT, range) ? -errno : 0;
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) ? -errno : 0;
}

int simsan_write_zeroes(int fd, uint32_t is_block_device, uint64_t offset, uint64_t length) {
  uint64_t range[2] = {offset, length};
  if (is_block_device) return ioctl(fd, BLKZEROOUT, range) ? -errno : 0;
  return fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) ? -errno : 0;
}

int64_t simsan_seek(int fd, uint64_t offset, int hole) {
  off_t found = lseek(fd, (off_t)offset, hole ? SEEK_HOLE : SEEK_DATA);
  return found < 0 ? -errno : found;
}

long simsan_pwrite(int fd, const void *bytes, size_t length, uint64_t offset) {
  ssize_t n = pwrite(fd, bytes, length, (off_t)offset);
  return n < 0 ? -errno : n;
}
