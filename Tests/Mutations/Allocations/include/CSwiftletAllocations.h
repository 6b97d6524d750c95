// Counts the memory that a program takes from malloc, in builds with AddressSanitizer, whose hooks tell of it.
#ifndef CSWIFTLET_ALLOCATIONS_H
#define CSWIFTLET_ALLOCATIONS_H

#include <stddef.h>

// Whether allocations are counted in this build.
int allocations_are_counted(void);

// Begins anew: what is in use now counts as nothing.
void allocations_begin(void);

// The most bytes in use at once since then, over those in use at the beginning.
size_t allocations_peak(void);

#endif
