// Keeps the process alive when a mapped file is cut while it is read.
//
// Touching a page behind the new end of such a file raises SIGBUS, as does a page that the disk cannot deliver. For addresses in
// guarded mappings, and for no others, the handler puts zeros in place of the rest of the mapping and counts the fault, so that
// the reader goes on and learns of it afterwards. Any other SIGBUS goes to the handler that was there before, or ends the process.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "CSwiftletKernels.h"

// The handler may interrupt any thread anywhere, so it takes no lock: elements join the list at its head, never leave it, and
// are used again.
struct swiftlet_mapping {
  struct swiftlet_mapping *next;  // fixed before the element is in the list
  atomic_int is_taken;
  atomic_uintptr_t start, end;  // end is 0 while nothing is guarded
  atomic_size_t faults;
};

static _Atomic(struct swiftlet_mapping *) first_mapping;
static struct sigaction previous;
static uintptr_t page_size;
// Every fault makes the rest of its mapping readable, so there are few. Only writing to the read-only memory, a mistake of the
// program's own, would fault for ever on systems that raise SIGBUS for that too.
static const size_t maximum_faults = 1 << 20;

static int put_zeros(uintptr_t address) {
  for (struct swiftlet_mapping *mapping = atomic_load(&first_mapping); mapping; mapping = mapping->next) {
    // The start twice: an element that is being used again must not show the start of one range and the end of another.
    uintptr_t start = atomic_load(&mapping->start), end = atomic_load(&mapping->end);
    if (start != atomic_load(&mapping->start) || address < start || address >= end) continue;
    if (atomic_fetch_add(&mapping->faults, 1) > maximum_faults) return 0;
    uintptr_t page = address / page_size * page_size;
    // A system call and nothing else, so it may be made here.
    return mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
  }
  return 0;
}

static void on_bus_error(int number, siginfo_t *information, void *context) {
  int saved = errno;
  // Signals sent by a process (kill) have codes from 0 down and no address.
  int is_fault = information->si_code > 0;
  if (is_fault && put_zeros((uintptr_t)information->si_addr)) {
    errno = saved;
    return;
  }
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(number, information, context);
  } else if (previous.sa_handler == SIG_DFL || (previous.sa_handler == SIG_IGN && is_fault)) {
    // Takes effect when this handler has returned.
    signal(number, SIG_DFL);
    raise(number);
  } else if (previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  }
  errno = saved;
}

static void install(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {0};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, NULL, &previous);
  sigaction(SIGBUS, &action, NULL);
}

struct swiftlet_mapping *swiftlet_guard_mapping(const void *address, size_t size) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  struct swiftlet_mapping *mapping = atomic_load(&first_mapping);
  for (; mapping; mapping = mapping->next) {
    int is_taken = 0;
    if (atomic_compare_exchange_strong(&mapping->is_taken, &is_taken, 1)) break;
  }
  if (!mapping) {
    mapping = calloc(1, sizeof *mapping);
    if (!mapping) return NULL;
    atomic_store(&mapping->is_taken, 1);
    struct swiftlet_mapping *head = atomic_load(&first_mapping);
    do mapping->next = head;
    while (!atomic_compare_exchange_weak(&first_mapping, &head, mapping));
  }
  atomic_store(&mapping->faults, 0);
  atomic_store(&mapping->start, (uintptr_t)address);
  atomic_store(&mapping->end, (uintptr_t)address + size);
  return mapping;
}

size_t swiftlet_mapping_faults(const struct swiftlet_mapping *mapping) { return atomic_load(&mapping->faults); }

void swiftlet_release_mapping(struct swiftlet_mapping *mapping) {
  atomic_store(&mapping->end, 0);
  atomic_store(&mapping->is_taken, 0);
}
