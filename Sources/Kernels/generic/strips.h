// Strips: sixteen weight rows interleaved, in the order in which products read them.
//
// A strip is a run of records of `values` consecutive values of each of its rows. What a record holds for a group of 32 values:
//   codes         nibbles: four runs of 64 bytes; byte 4r + j of run v has in its low half the code of value 4v + j of row r, in
//                 its high half that of value 16 + 4v + j. Eight bits: eight runs, byte 4r + j of run v is value 4v + j of row r.
//   high          one bit a value: 64 bytes; bit v of byte 4r + j is the fifth bit of value 4v + j of row r.
//                 Two bits: two runs of 64 bytes; bits 2p and 2p + 1 of byte 4r + j of run h are those of value 16h + 4p + j.
//   scales        F16, one a row; of types with groups of 32 or 16 within 256, one a row and record
//   minimums      F16, likewise
//   group_scales  one byte a row; two runs for types with groups of 16
//   group_minimums
// Not of files:
//   F32           sixteen floats a value
//   BF16          bytes 4r ..< 4r + 4 of run v of 64 are values 2v and 2v + 1 of row r
//   INT16         sixteen F32 scales, one a row and record; then runs as of BF16: values divided by their scale, integers of at most
//                 INT16_WEIGHT_MAXIMUM
// Every record is a multiple of 64 bytes. A length that ends within a record leaves the rest of it zero.
#ifndef SWIFTLET_STRIPS_H
#define SWIFTLET_STRIPS_H

#include <stddef.h>
#include <stdint.h>

#include "CSwiftletKernels.h"

// Values of a record of INT16, and the largest integers: their products' sum over a record fits 32 bits. Eleven bits of weights and
// fifteen of inputs, for 128 values each, are finer than what BF16 has for one.
#define INT16_VALUES 128
#define INT16_WEIGHT_MAXIMUM 1023
#define INT16_INPUT_MAXIMUM 16383
_Static_assert((int64_t)INT16_VALUES * INT16_WEIGHT_MAXIMUM * INT16_INPUT_MAXIMUM <= INT32_MAX, "sums overflow");

// Where a record's parts begin; 0 for a part that the type does not have, except for scales, which come first.
struct strip_format {
  uint16_t values, bytes;
  uint16_t minimums, group_scales, group_minimums, high, codes;
};

static inline __attribute__((always_inline)) struct strip_format strip_format(int type) {
  switch (type) {
    case SWIFTLET_Q4_0:
    case SWIFTLET_IQ4_NL: return (struct strip_format){.values = 64, .bytes = 576, .codes = 64};
    case SWIFTLET_Q4_1: return (struct strip_format){.values = 64, .bytes = 640, .minimums = 64, .codes = 128};
    case SWIFTLET_Q5_0: return (struct strip_format){.values = 64, .bytes = 704, .high = 64, .codes = 192};
    case SWIFTLET_Q5_1: return (struct strip_format){.values = 64, .bytes = 768, .minimums = 64, .high = 128, .codes = 256};
    case SWIFTLET_Q8_0: return (struct strip_format){.values = 64, .bytes = 1088, .codes = 64};
    case SWIFTLET_Q4_K:
      return (struct strip_format){
          .values = 256, .bytes = 2368, .minimums = 32, .group_scales = 64, .group_minimums = 192, .codes = 320};
    case SWIFTLET_Q5_K:
      return (struct strip_format){
          .values = 256, .bytes = 2880, .minimums = 32, .group_scales = 64, .group_minimums = 192, .high = 320, .codes = 832};
    case SWIFTLET_Q6_K:
      return (struct strip_format){.values = 256, .bytes = 3392, .group_scales = 64, .high = 320, .codes = 1344};
    case SWIFTLET_IQ4_XS: return (struct strip_format){.values = 256, .bytes = 2240, .group_scales = 64, .codes = 192};
    case SWIFTLET_F32: return (struct strip_format){.values = SWIFTLET_STRIP_PADDING, .bytes = 64 * SWIFTLET_STRIP_PADDING};
    case SWIFTLET_BF16: return (struct strip_format){.values = SWIFTLET_STRIP_PADDING, .bytes = 32 * SWIFTLET_STRIP_PADDING};
    case SWIFTLET_INT16: return (struct strip_format){.values = INT16_VALUES, .bytes = 64 + 32 * INT16_VALUES, .codes = 64};
    default: return (struct strip_format){0};
  }
}

#endif
