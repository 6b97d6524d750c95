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

// Five operands: activations as quantize_int8 leaves them, rows `stride` values apart; and what the kernels get of these.
void add_activations(struct trial *trial, size_t rows, size_t length, size_t stride);
struct swiftlet_int8_rows activations(const struct trial *trial, int first, size_t length, size_t stride);
// Operand 0, stored weights, times the activations that begin with operand `first`.
void int8_reference(const struct trial *trial, int first, size_t weight_stride, double *expected, double *bound);

extern const struct operation elementwise_operations[], storing_operations[], int8_operations[], strip_operations[], attention_operations[],
    training_operations[];

#endif
