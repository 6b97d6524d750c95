// The arithmetic of Swiftlet: plain C over raw memory, one table of functions a variant (instruction set).
//
// Every function is single-threaded and touches only what it is given; the callers split work over output rows, never over
// a sum, so results do not depend on the number of threads. Within one variant each output value is computed by one fixed
// order of operations, whatever the number of rows computed beside it.
#ifndef CSWIFTLET_KERNELS_H
#define CSWIFTLET_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// Element types, numbered as GGUF numbers them.
enum {
  SWIFTLET_F32 = 0,
  SWIFTLET_F16 = 1,
  SWIFTLET_Q4_0 = 2,
  SWIFTLET_Q4_1 = 3,
  SWIFTLET_Q5_0 = 6,
  SWIFTLET_Q5_1 = 7,
  SWIFTLET_Q8_0 = 8,
  SWIFTLET_Q2_K = 10,
  SWIFTLET_Q3_K = 11,
  SWIFTLET_Q4_K = 12,
  SWIFTLET_Q5_K = 13,
  SWIFTLET_Q6_K = 14,
  SWIFTLET_IQ4_NL = 20,
  SWIFTLET_IQ4_XS = 23,
  SWIFTLET_BF16 = 30,
  // Not GGUF's: FP8 of safetensors, four bits of exponent and three of mantissa, without its block scales.
  SWIFTLET_F8_E4M3 = 1000,
  // Only in strips: 16-bit integers with a scale for every 128 values of a row, what some variants expand quantised weights to.
  SWIFTLET_INT16 = 1001,
  // Only of input rows: BF16, for quantised strips as they are, and the sum of every 32 values.
  SWIFTLET_CODES = 1002,
};

// Rows of attention are padded with zeros to a multiple of this many values.
#define SWIFTLET_PADDING 16

// Rows of a strip, see swiftlet_pack_strip; and what input rows of the strips' float product are padded to with zeros.
#define SWIFTLET_STRIP_ROWS 16
#define SWIFTLET_STRIP_PADDING 32

// Values that share a scale in FP8 training: of a row, or of each row and column of a block of weights.
#define SWIFTLET_FLOAT8_TILE 128

// Activation rows quantised to int8 in blocks of 32. Row r starts at values + r * stride, scales + r * (length / 32), and so on.
struct swiftlet_int8_rows {
  const int8_t *values;       // [rows, stride], each in -127...127, the first `length` of a row being used
  const float *scales;        // [rows, length / 32]: value = scale * int8
  const float *scaled_sums;   // [rows, length / 32]: scale * sum of the block's int8 values
  const int16_t *half_sums;   // [rows, length / 16]: sums of the int8 values of each half block
  const int32_t *sums;        // [rows, length / 32]: sums of the int8 values of each block
  size_t length;              // a multiple of 32
  size_t stride;              // at least length
};

// Exponentials of logits are summed in blocks of so many.
#define SWIFTLET_SUM_BLOCK 256

// Positions of one block of the cache.
#define SWIFTLET_ATTENTION_BLOCK 64

// Query rows that attend to the same keys, and what they have gathered so far. Rows are [tokens, rows_per_token], tokens in
// ascending order of position. Memory is F32 where it is not said; what `attend` uses as scratch may hold anything.
struct swiftlet_attention_tile {
  size_t rows;
  size_t rows_per_token;
  size_t key_dimension;
  size_t value_dimension;
  int is_rounded;        // 1: queries are rows as prepare_input makes them for BF16, and weights of values are rounded to BF16, over keys
                         // and values of BF16 and where the variant `attends_bf16`
  const void *queries;   // [rows, query_bytes], times the scale of the scores; if not so, F32, with zeros from key_dimension on up to a
                         // multiple of SWIFTLET_PADDING
  size_t query_bytes;
  float *maximums;       // [rows]: the largest score so far; -infinity before the first block
  float *totals;         // [rows]: sum of exp(score - maximum); 0 before the first block
  float *sums;           // [rows, sum_stride]: sums of exp(score - maximum) * value; zeros before the first block
  size_t sum_stride;     // floats, value_dimension rounded up to a multiple of SWIFTLET_PADDING; the rest may hold anything
  float *scores;         // scratch [rows, SWIFTLET_ATTENTION_BLOCK]
  float *factors;        // scratch [rows]
  const void *next_keys;    // keys and values that are read next, in the layout of this block's: to be fetched meanwhile, or NULL
  const void *next_values;
  float *panel;          // scratch [max(4 * padded key_dimension, SWIFTLET_ATTENTION_BLOCK * 4 * SWIFTLET_PADDING)]
};

// What one step of AdamW does to every value.
struct swiftlet_adamw {
  float gradient_scale;  // gradients are multiplied with it first
  float rate, beta1, beta2, epsilon, decay;
  float correction1, correction2;  // 1 - beta^step
};

struct swiftlet_kernels {
  const char *name;

  // Expands `count` values (a multiple of the type's block) to F32, exactly as the format defines them.
  void (*expand)(int type, const void *source, size_t count, float *destination);

  // In place: values[i] *= scales[i / 128].
  void (*scale_blocks)(float *values, size_t count, const float *scales);

  // Stores `count` F32 values (a multiple of the type's block) as F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K,
  // for the least squared error. All variants write the same bytes. Returns 0 when a value is not finite or too large for the type:
  // F32, F16 and BF16 are then stored as IEEE 754 rounds them, blocks all as zeros.
  int (*quantize)(int type, const float *source, size_t count, void *destination);

  // destination[i] = source[i] rounded to the nearest BF16 (ties to even), still as F32. May be in place.
  void (*round_to_bf16)(const float *source, size_t count, float *destination);

  // destination[i] = source[i] as BF16 bits.
  void (*store_bf16)(const float *source, size_t count, uint16_t *destination);

  // One block's part of softmax(queries * keys) * values, for F32 or BF16. Position p has its keys at keys + p * key_stride and its
  // values at values + p * value_stride, strides in values; the values may be the leading part of the keys. All 64 positions can be
  // read. The rows of token t see the first visible + t positions of the block, none when that is not above 0: such a row's state stays
  // as it is, and what a row does not see has no influence. A row's bits depend on its query, what it sees, and its state alone.
  void (*attend)(const struct swiftlet_attention_tile *tile, int type, const void *keys, size_t key_stride, const void *values,
                 size_t value_stride, ptrdiff_t visible);

  // Whether `attend` takes tiles that are rounded, which are faster.
  int attends_bf16;

  // Adds the state of a row over later positions to its state so far; `dimension` sums.
  void (*merge_attention)(float *maximum, float *total, float *sums, float later_maximum, float later_total,
                          const float *later_sums, size_t dimension);

  // Quantises one row of `length` values (a multiple of 32) to int8; the outputs are as in swiftlet_int8_rows.
  void (*quantize_int8)(const float *source, size_t length, int8_t *values, float *scales, float *scaled_sums, int16_t *half_sums,
                        int32_t *sums);

  // result[m, n] = activation row m times weight row n, for block-quantised weights. Inside a block the sum is exact
  // in int32; across blocks F32, in ascending order. weight_stride in bytes, result_stride in floats.
  void (*product_int8)(int type, const void *weights, size_t weight_stride, size_t weight_count,
                       const struct swiftlet_int8_rows *rows, size_t first_row, size_t row_count, float *result,
                       size_t result_stride);

  // The same product for weights in strips, the first of which begins at `strips` (aligned to 64 bytes): `column_count` weight rows,
  // the last strip's others being left out. The bits are those of product_int8.
  void (*strips_int8)(int type, const void *strips, size_t column_count, const struct swiftlet_int8_rows *rows, size_t first_row,
                      size_t row_count, float *result, size_t result_stride);

  // Whether strips_int8 multiplies many rows faster than strips_product of panel_type does.
  int int8_is_fastest;

  // What expand_strip makes: SWIFTLET_BF16, or SWIFTLET_INT16 where 16-bit integers are multiplied faster than floats.
  int panel_type;

  // Whether strips_product takes strips of quantised types as they are, with rows for SWIFTLET_CODES: faster than by panels where a weight
  // meets few rows, which do not pay for expanding it, and slower where it meets many.
  int multiplies_codes;

  // Bytes of an input row of `length` values for strips of F32, BF16 or panel_type, and how such a row is made, aligned to 4: as it is,
  // rounded to BF16 (to the nearest, ties to even), or as integers. Zeros follow up to a multiple of SWIFTLET_STRIP_PADDING. Where
  // multiplies_codes, SWIFTLET_CODES is such a type too.
  size_t (*input_bytes)(int type, size_t length);
  void (*prepare_input)(int type, const float *source, size_t length, void *row);

  // result[m, n] = sum over k of rows[m, k] * weight row n, for strips of F32, BF16 or panel_type, or quantised ones where
  // multiplies_codes. The variant fixes the order of the sum, which depends on nothing but `length`. Rows are as prepare_input makes
  // them; row_stride in bytes, result_stride in floats.
  void (*strips_product)(int type, const void *strips, size_t column_count, const void *rows, size_t row_stride, size_t row_count,
                         size_t length, float *result, size_t result_stride);

  // A strip of F32, BF16 or panel_type of up to sixteen F32 rows, row_stride floats apart; rows that are missing are zeros.
  void (*make_strip)(int type, const float *rows, size_t row_stride, size_t row_count, size_t length, void *strip);

  // The same for operands that are the columns of a matrix as it lies, of F32 or BF16. Row k of the source is at
  // source + indices[k] * row_stride, or source + k * row_stride when `indices` is NULL; its first `column_count` values are used.
  // What rounds to a BF16 below the normal numbers may become zero, where products take it as that.
  // A strip of up to sixteen rows of `length` values: value k of row r is source[row k][r].
  void (*make_strip_transposed)(int type, const float *source, size_t row_stride, const uint32_t *indices, size_t column_count,
                                size_t length, void *strip);
  // `column_count` input rows of `length` values, row_bytes apart (at least input_bytes(type, length), a multiple of 4), as
  // prepare_input makes them.
  void (*prepare_transposed)(int type, const float *source, size_t row_stride, const uint32_t *indices, size_t column_count,
                             size_t length, void *rows, size_t row_bytes);

  // A strip of a quantised type as a strip of panel_type: the values of `expand`, rounded.
  void (*expand_strip)(int type, const void *source, size_t length, void *strip);

  // result = x / sqrt(mean(x^2) + epsilon) * weight
  void (*rms_norm)(const float *x, const float *weight, float epsilon, size_t count, float *result);

  // In place: logits become exp(scale * (logit - largest)), 0 where that is no number. sums[b]: the sum of block b of SWIFTLET_SUM_BLOCK
  // of them; the last block may be shorter.
  void (*softmax_weights)(float *logits, size_t count, float largest, float scale, double *sums);

  // result = gate / (1 + exp(-gate)) * up
  void (*swiglu)(const float *gate, const float *up, size_t count, float *result);

  // result += scale * x
  void (*add_scaled)(const float *x, float scale, size_t count, float *result);

  // Rotates `dimension` values in place. cosines and sines: [dimension / 2]. Pair i is (2i, 2i + 1) when interleaved,
  // else (i, i + dimension / 2).
  void (*rotate)(float *x, const float *cosines, const float *sines, size_t dimension, int interleaved);

  // The largest value's index; the first of equal ones; NaN never wins.
  size_t (*argmax)(const float *x, size_t count);

  // Of training.

  // Sum of x[i] * y[i], in double.
  double (*sum_of_products)(const float *x, const float *y, size_t count);

  // Adds to x_gradient and weight_gradient what `gradient`, that of rms_norm's result, means for them.
  void (*rms_norm_gradient)(const float *x, const float *weight, float epsilon, const float *gradient, size_t count, float *x_gradient,
                            float *weight_gradient);

  // The gradients of swiglu's operands, from `scale` times that of its result; and that result, times `scale`. Returns the sum of
  // gradient * result, without `scale`. Results may be in place of operands at the same index.
  float (*swiglu_gradient)(const float *gate, const float *up, const float *gradient, float scale, size_t count, float *gate_gradient,
                           float *up_gradient, float *activation);

  // In place: logits become scale * (softmax(logits) - one at `target`). The loss is log(total) + margin: margin is the largest logit
  // less the target's, total the sum of exp(logit - largest). count >= 1, target < count.
  void (*cross_entropy)(float *logits, size_t count, size_t target, float scale, float *margin, float *total);

  // One row's step through a chunk of its scores: the first `seen` become exp(score - maximum), the others up to `count` zero. `maximum`
  // (minus infinity before the first chunk) and `total` (0) are brought up to date; returns what sums so far are to be multiplied with.
  float (*attention_weights)(float *scores, size_t seen, size_t count, float *maximum, float *total);

  // One key against queries first ..< count: scores[i] becomes p = exp(scores[i] - log_sums[i]), gradients[i], that of the weight,
  // becomes that of the score: p * (gradients[i] - shares[i]). Both become zero below `first`.
  void (*attention_gradient)(float *scores, float *gradients, const float *log_sums, const float *shares, size_t first, size_t count);

  // One step of AdamW (Loshchilov & Hutter 2019): value = value * (1 - rate * decay) - rate * mean' / (sqrt(square') + epsilon).
  void (*adamw)(float *values, const float *gradients, float *means, float *squares, size_t count, const struct swiftlet_adamw *step);

  // FP8 emulated: values become the nearest E4M3 (ties to even) times a scale, as F32. A tile or block with a value that is not finite
  // becomes NaN. All variants give the same bits.
  // In place: each tile of a row has the smallest power of two that takes its largest magnitude to at most 448. The last may be shorter.
  void (*round_tiles_to_e4m3)(float *values, size_t count);
  // The same for the sixteen rows of a strip of F32.
  void (*round_strip_to_e4m3)(float *strip, size_t length);
  // One block of at most SWIFTLET_FLOAT8_TILE rows and columns: its scale is its largest magnitude / 448. May be in place.
  void (*round_block_to_e4m3)(const float *source, size_t row_stride, size_t row_count, size_t column_count, float *destination);
};

// Bytes of one block and values in it; 0 for a type that is not known.
size_t swiftlet_block_bytes(int type);
size_t swiftlet_block_length(int type);

// Bytes of a strip of sixteen weight rows of `length` values, SWIFTLET_INT16 among the types; 0 for types that are not kept in strips (Q2_K, Q3_K, F16, FP8) and for
// a length that is no multiple of the type's block.
size_t swiftlet_strip_bytes(int type, size_t length);

// Interleaves up to sixteen rows, `row_stride` bytes apart, into a strip (layout: generic/strips.h); rows that are missing are zeros.
void swiftlet_pack_strip(int type, const void *rows, size_t row_stride, size_t row_count, size_t length, void *strip);

// The variants compiled in, the most capable first; `index` from 0; NULL past the last.
const struct swiftlet_kernels *swiftlet_kernels_variant(size_t index);

// Whether this CPU can run the variant.
int swiftlet_kernels_supported(const struct swiftlet_kernels *kernels);

// Whether a variant that this CPU can run is also faster there than those behind it.
int swiftlet_kernels_worthwhile(const struct swiftlet_kernels *kernels);

// A hint to the CPU that a thread spins.
static inline void swiftlet_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Mapped files, in mapped_files.c.

struct swiftlet_mapping;

// From here on pages of the mapped file at `address` that cannot be read (it was cut meanwhile, or the disk failed) read as zeros.
// NULL when there is no memory. The first call sets the process's handler of SIGBUS, which passes on what is not of such a mapping.
struct swiftlet_mapping *swiftlet_guard_mapping(const void *address, size_t size);

// How often reading failed; from then on the memory is not the file any more.
size_t swiftlet_mapping_faults(const struct swiftlet_mapping *mapping);

// Before the memory is unmapped; `mapping` must not be used afterwards.
void swiftlet_release_mapping(struct swiftlet_mapping *mapping);

// In exchange.c.

// Gives two files or folders each other's names in one step. 0, or -1 with the reason in `errno`: EINVAL or the like where the file
// system or the kernel cannot.
int swiftlet_exchange(const char *first, const char *second);

#endif
