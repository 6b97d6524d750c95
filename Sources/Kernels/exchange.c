// Two names of files or folders changed for each other in one step, of which there is always the one or the other.
#ifdef __linux__
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <stdio.h>
#endif
#include <errno.h>

#include "CSwiftletKernels.h"

int swiftlet_exchange(const char *first, const char *second) {
#if defined(__linux__) && defined(SYS_renameat2)
  // RENAME_EXCHANGE is 2. By its number, since older C libraries have no function for it.
  return (int)syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, 2u);
#elif defined(__APPLE__)
  return renamex_np(first, second, RENAME_SWAP);
#else
  (void)first, (void)second;
  errno = ENOSYS;
  return -1;
#endif
}
