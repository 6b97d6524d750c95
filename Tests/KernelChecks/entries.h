// What the files of the table share.
#ifndef SWIFTLET_ENTRIES_H
#define SWIFTLET_ENTRIES_H

#include "checks.h"

// The relative error of one rounding to F32, and the distance of the smallest floats.
#define ROUNDING 0x1p-24
#define SMALLEST 0x1p-149

#define ALL (NORMAL | ZEROS | DENORMAL | WIDE | SPECIAL)

// Types of blocks with scales.
extern const int block_types[];
// Lengths of single rows.
extern const struct size row_sizes[];

extern const struct operation elementwise_operations[], storing_operations[], product_operations[], int8_operations[];

#endif
