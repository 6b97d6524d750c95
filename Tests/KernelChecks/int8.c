// Activations quantised to int8, and products of block-quantised weights with them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"

// quantize_int8: source [length], values [length], scales, scaled_sums, sums [length / 32], half_sums [length / 16].

static const struct size quantize_sizes[] = {{1, 1, 32, 0}, {1, 1, 64, 0}, {1, 1, 96, 0}, {1, 1, 256, 0}, {1, 1, 576, 0}, {1, 1, 1536, 0}, {0, 0, 0, 0}};

static void prepare_quantize(struct trial *t) {
  size_t n = t->size.length;
  float *source = add_operand(t, "source", FLOATS, READ, n, 4);
  fill_floats(t, source, n);
  add_operand(t, "values", INT8S, WRITE, n, 1);
  add_operand(t, "scales", FLOATS, WRITE, n / 32, 4);
  add_operand(t, "scaled_sums", FLOATS, WRITE, n / 32, 4);
  add_operand(t, "half_sums", INT16S, WRITE, n / 16, 2);
  add_operand(t, "sums", INT32S, WRITE, n / 32, 4);
}
static void run_quantize(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t at = p.first_column;
  k->quantize_int8((float *)t->operands[0].data + at, p.column_count, (int8_t *)t->operands[1].data + at,
                   (float *)t->operands[2].data + at / 32, (float *)t->operands[3].data + at / 32, (int16_t *)t->operands[4].data + at / 16,
                   (int32_t *)t->operands[5].data + at / 32);
}
static void verify_quantize(struct trial *t) {
  const int8_t *values = t->operands[1].data;
  const float *scales = t->operands[2].data, *scaled_sums = t->operands[3].data;
  const int16_t *half_sums = t->operands[4].data;
  const int32_t *block_sums = t->operands[5].data;
  for (size_t b = 0; b < t->size.length / 32; b++) {
    const float *x = floats(t, 0) + 32 * b;
    double largest = 0;
    int sums[2] = {0, 0}, has_nan = 0;
    for (int i = 0; i < 32; i++) {
      largest = fmax(largest, fabs((double)x[i]));
      has_nan |= isnan(x[i]);
      sums[i / 16] += values[32 * b + i];
      if (values[32 * b + i] == -128) fail(t, "value %zu is -128", 32 * b + i);
    }
    if (half_sums[2 * b] != sums[0] || half_sums[2 * b + 1] != sums[1]) fail(t, "half sums of block %zu", b);
    if (block_sums[b] != sums[0] + sums[1]) fail(t, "sum of block %zu", b);
    if (has_nan || isinf(largest)) {
      // The result of a product must not look like a number.
      if (isfinite(scales[b])) fail(t, "block %zu has a value that is not finite, and the scale %g", b, (double)scales[b]);
      if (has_nan && !isnan(scales[b])) fail(t, "block %zu has a NaN, and the scale %g", b, (double)scales[b]);
      continue;
    }
    if (fabs(scales[b] - largest / 127) > 2 * ROUNDING * largest / 127 + SMALLEST)
      fail(t, "scale of block %zu: found %g, expected %g", b, (double)scales[b], largest / 127);
    double sum = (double)scales[b] * (sums[0] + sums[1]);
    if (fabs(scaled_sums[b] - sum) > ROUNDING * fabs(sum) + SMALLEST)
      fail(t, "scaled sum of block %zu: found %g, expected %g", b, (double)scaled_sums[b], sum);
    for (int i = 0; i < 32; i++) {
      double exact = largest > 0 ? x[i] * 127 / largest : 0;
      // 127 / largest is infinite for the smallest floats; their rows are as good as zero.
      if (largest > 0x1p-120 && fabs(values[32 * b + i] - exact) > 0.5 + 1e-4)
        fail(t, "value %zu: found %d, expected %g", 32 * b + i, values[32 * b + i], exact);
      if (largest == 0 && values[32 * b + i]) fail(t, "value %zu of zeros is %d", 32 * b + i, values[32 * b + i]);
    }
  }
}
static struct work work_quantize(const struct trial *t) { return (struct work){3 * (double)t->size.length, 5.375 * (double)t->size.length}; }

// product_int8: weights [columns, length blocks], activations [rows, length blocks], result [rows, columns].
// The gap is bytes between rows of weights, and values between those of the activations and of the result.

static const struct size product_sizes[] = {{1, 1, 1, 0}, {1, 4, 1, 0}, {1, 3, 2, 1},  {2, 5, 2, 3},  {3, 9, 3, 2},
                                            {5, 8, 4, 0}, {17, 12, 3, 5}, {1, 67, 2, 0}, {4, 33, 9, 1}, {0, 0, 0, 0}};

// After the weights, which take `first` operands, come those of add_activations and the result.
enum { WEIGHTS, ACTIVATIONS };

static size_t length_of(const struct trial *t) { return t->size.length * swiftlet_block_length(t->type); }
static size_t stride_of(const struct trial *t) { return t->size.length * swiftlet_block_bytes(t->type) + t->size.gap; }

void add_activations(struct trial *t, size_t rows, size_t length, size_t stride) {
  size_t blocks = rows * length / 32;
  int8_t *values = add_operand(t, "activations", INT8S, READ, (rows - 1) * stride + length, 1);
  float *scales = add_operand(t, "scales", FLOATS, READ, blocks, 4);
  float *scaled_sums = add_operand(t, "scaled sums", FLOATS, READ, blocks, 4);
  int16_t *half_sums = add_operand(t, "half sums", INT16S, READ, 2 * blocks, 2);
  int32_t *block_sums = add_operand(t, "sums", INT32S, READ, blocks, 4);
  for (size_t b = 0; b < blocks; b++) {
    float scale = (float)ldexp(0.5 + uniform(t), -7);
    if (t->values == ZEROS) scale = 0;
    if (t->values == DENORMAL) scale = (float)ldexp(scale, -110);
    if (t->values == SPECIAL && (next_random(t) >> 40) % 5 == 0) scale = NAN;
    int sums[2] = {0, 0};
    int8_t *block = values + 32 * b / length * stride + 32 * b % length;
    for (int i = 0; i < 32; i++) {
      int q = t->values == ZEROS ? 0 : (int)(next_random(t) >> 33) % 255 - 127;
      if (t->values == WIDE) q = q < 0 ? -127 : 127;
      block[i] = (int8_t)q;
      sums[i / 16] += q;
    }
    scales[b] = scale;
    scaled_sums[b] = scale * (float)(sums[0] + sums[1]);
    half_sums[2 * b] = (int16_t)sums[0];
    half_sums[2 * b + 1] = (int16_t)sums[1];
    block_sums[b] = sums[0] + sums[1];
  }
}
struct swiftlet_int8_rows activations(const struct trial *t, int first, size_t length, size_t stride) {
  const struct operand *o = t->operands + first;
  return (struct swiftlet_int8_rows){o[0].data, o[1].data, o[2].data, o[3].data, o[4].data, length, stride};
}

static void prepare_product(struct trial *t) {
  size_t weights = (t->size.columns - 1) * stride_of(t) + t->size.length * swiftlet_block_bytes(t->type);
  uint8_t *stored = add_operand(t, "weights", BYTES, READ, weights, 1);
  for (size_t n = 0; n < t->size.columns; n++) fill_blocks(t, t->type, stored + n * stride_of(t), t->size.length, 0);
  add_activations(t, t->size.rows, length_of(t), length_of(t) + t->size.gap);
  size_t stride = t->size.columns + t->size.gap;
  add_operand(t, "result", FLOATS, WRITE, (t->size.rows - 1) * stride + t->size.columns, 4);
}
static void run_product(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  struct swiftlet_int8_rows rows = activations(t, ACTIVATIONS, length_of(t), length_of(t) + t->size.gap);
  size_t stride = t->size.columns + t->size.gap;
  float *result = t->operands[t->operand_count - 1].data;
  k->product_int8(t->type, (uint8_t *)t->operands[WEIGHTS].data + p.first_column * stride_of(t), stride_of(t), p.column_count, &rows, p.first_row,
                  p.row_count, result + p.first_row * stride + p.first_column, stride);
}

// One row of weights times one of activations: the sum, and a bound for F32 sums over blocks of 32.
static void row_product(int type, const struct stored *weights, const int8_t *values, const float *scales, const float *scaled_sums,
                        size_t length, double *sum, double *bound) {
  double total = 0, magnitude = 0;
  for (size_t b = 0; b < length / 32; b++) {
    double scaled = 0;
    for (size_t i = 32 * b; i < 32 * b + 32; i++) {
      struct stored v = weights[i];
      scaled += v.scaled * values[i];
      magnitude += (fabs(v.scaled) + fabs(v.offset)) * abs(values[i]) * (double)scales[b];
      // The type whose offsets change within the block.
      if (type == SWIFTLET_Q2_K) scaled += v.offset * values[i];
    }
    total += scaled * scales[b];
    if (type != SWIFTLET_Q2_K) total += weights[32 * b].offset * scaled_sums[b];
  }
  *sum = total;
  // At most two additions a block, each after two products that round.
  *bound = ROUNDING * (2 * (double)length / 32 + 8) * magnitude + SMALLEST * (double)length;
}
void int8_reference(const struct trial *t, int first, size_t weight_stride, double *expected, double *bound) {
  size_t length = length_of(t), stride = t->size.columns + t->size.gap;
  const struct operand *o = t->operands + first;
  struct stored *weights = malloc(length * sizeof *weights);
  if (!weights) exit(2);
  for (size_t i = 0; i < t->operands[t->operand_count - 1].count; i++) bound[i] = -1;
  for (size_t n = 0; n < t->size.columns; n++) {
    for (size_t i = 0; i < length; i++) weights[i] = stored_value(t->type, bytes(t, WEIGHTS) + n * weight_stride, i);
    for (size_t m = 0; m < t->size.rows; m++)
      row_product(t->type, weights, (const int8_t *)o[0].before + m * (length + t->size.gap), (const float *)o[1].before + m * length / 32,
                  (const float *)o[2].before + m * length / 32, length, &expected[m * stride + n], &bound[m * stride + n]);
  }
  free(weights);
}
static void reference_product(const struct trial *t, double *expected, double *bound) {
  int8_reference(t, ACTIVATIONS, stride_of(t), expected, bound);
}
static struct work work_product(const struct trial *t) {
  double m = (double)t->size.rows, n = (double)t->size.columns, k = (double)length_of(t);
  return (struct work){2 * m * n * k, (double)t->operands[WEIGHTS].bytes};
}

const struct operation int8_operations[] = {
    {"quantize_int8", 0, quantize_sizes, {{1, 1, 4096, 0}}, ALL, 0, 32, 0, prepare_quantize, run_quantize, NULL, verify_quantize, work_quantize, NULL},
    {"product_int8", 0, product_sizes, {{1, 32768, 2048, 0}, {16, 2048, 2048, 0}}, ALL, 1, 1, 0, prepare_product, run_product, reference_product, NULL, work_product, block_types},
    {0},
};
