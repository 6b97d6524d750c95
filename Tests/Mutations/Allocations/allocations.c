#include "CSwiftletAllocations.h"

#include <stdatomic.h>

// Signed: memory taken before the beginning may be given back after it.
static atomic_long in_use, peak;
static atomic_int is_counted;

// Declared by sanitizer/allocator_interface.h; absent in other builds.
size_t __sanitizer_get_allocated_size(const volatile void *address) __attribute__((weak));

// Called by AddressSanitizer after every allocation and before every release.
void __sanitizer_malloc_hook(const volatile void *address, size_t size) {
  (void)address;
  atomic_store_explicit(&is_counted, 1, memory_order_relaxed);
  long now = atomic_fetch_add_explicit(&in_use, (long)size, memory_order_relaxed) + (long)size;
  long before = atomic_load_explicit(&peak, memory_order_relaxed);
  while (now > before && !atomic_compare_exchange_weak_explicit(&peak, &before, now, memory_order_relaxed, memory_order_relaxed));
}

void __sanitizer_free_hook(const volatile void *address) {
  if (address && __sanitizer_get_allocated_size)
    atomic_fetch_sub_explicit(&in_use, (long)__sanitizer_get_allocated_size(address), memory_order_relaxed);
}

int allocations_are_counted(void) { return atomic_load(&is_counted); }

void allocations_begin(void) {
  atomic_store(&in_use, 0);
  atomic_store(&peak, 0);
}

size_t allocations_peak(void) {
  long result = atomic_load(&peak);
  return result > 0 ? (size_t)result : 0;
}
