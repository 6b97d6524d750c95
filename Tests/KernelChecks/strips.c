// Weights in strips of sixteen interleaved rows: packing, expanding, and products.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"

static const int strip_types[] = {SWIFTLET_Q4_0, SWIFTLET_Q4_1, SWIFTLET_Q5_0, SWIFTLET_Q5_1,   SWIFTLET_Q8_0,  SWIFTLET_Q4_K,
                                  SWIFTLET_Q5_K, SWIFTLET_Q6_K, SWIFTLET_IQ4_NL, SWIFTLET_IQ4_XS, -1};
static const int float_types[] = {SWIFTLET_F32, SWIFTLET_BF16, -1};

static size_t length_of(const struct trial *t) { return t->size.length * swiftlet_block_length(t->type); }
static size_t padded(size_t length) { return (length + SWIFTLET_STRIP_PADDING - 1) / SWIFTLET_STRIP_PADDING * SWIFTLET_STRIP_PADDING; }
static size_t strip_count(size_t rows) { return (rows + SWIFTLET_STRIP_ROWS - 1) / SWIFTLET_STRIP_ROWS; }

// Where value k of row r stands in a strip of F32 or BF16, in values.
static size_t place(int type, size_t r, size_t k) {
  return type == SWIFTLET_F32 ? SWIFTLET_STRIP_ROWS * k + r : 2 * SWIFTLET_STRIP_ROWS * (k / 2) + 2 * r + k % 2;
}
static double as_bf16(double value) {
  value = round_to(value, 7, -126);
  return fabs(value) > FLT_MAX ? copysign(INFINITY, value) : value;
}
static uint16_t bf16_bits(float value) {
  float rounded = (float)as_bf16(value);
  uint32_t bits;
  memcpy(&bits, &rounded, 4);
  return (uint16_t)(bits >> 16 | (isnan(rounded) ? 0x40 : 0));
}

// Operands 0 and 1: rows as a file has them, and the same in strips.
static void add_weights(struct trial *t) {
  size_t row_bytes = t->size.length * swiftlet_block_bytes(t->type), count = t->size.columns;
  uint8_t *stored = add_operand(t, "stored rows", BYTES, READ, row_bytes * count, 1);
  fill_blocks(t, t->type, stored, t->size.length * count, 0);
  size_t strip_bytes = swiftlet_strip_bytes(t->type, length_of(t));
  uint8_t *strips = add_operand(t, "strips", BYTES, READ, strip_bytes * strip_count(count), 64);
  for (size_t n = 0; n < count; n += SWIFTLET_STRIP_ROWS)
    swiftlet_pack_strip(t->type, stored + n * row_bytes, row_bytes, count - n < SWIFTLET_STRIP_ROWS ? count - n : SWIFTLET_STRIP_ROWS,
                        length_of(t), strips + n / SWIFTLET_STRIP_ROWS * strip_bytes);
}
static const uint8_t *strips_from(const struct trial *t, size_t column) {
  return (uint8_t *)t->operands[1].data + column / SWIFTLET_STRIP_ROWS * swiftlet_strip_bytes(t->type, length_of(t));
}
static struct work work_product(const struct trial *t) {
  double m = (double)t->size.rows, n = (double)t->size.columns, k = (double)length_of(t);
  return (struct work){2 * m * n * k, (double)t->operands[1].bytes};
}

// strips_int8: weights [columns, length blocks], activations [rows, length blocks], result [rows, columns].

static const struct size int8_sizes[] = {{1, 1, 1, 0},  {1, 16, 1, 0}, {2, 15, 2, 1}, {3, 33, 3, 2}, {5, 48, 4, 0},
                                         {17, 31, 3, 5}, {1, 67, 2, 0}, {8, 40, 9, 1}, {33, 16, 2, 0}, {0, 0, 0, 0}};

static void prepare_int8(struct trial *t) {
  add_weights(t);
  add_activations(t, t->size.rows, length_of(t), length_of(t) + t->size.gap);
  add_operand(t, "result", FLOATS, WRITE, (t->size.rows - 1) * (t->size.columns + t->size.gap) + t->size.columns, 4);
}
static void run_int8(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  struct swiftlet_int8_rows rows = activations(t, 2, length_of(t), length_of(t) + t->size.gap);
  size_t stride = t->size.columns + t->size.gap;
  k->strips_int8(t->type, strips_from(t, p.first_column), p.column_count, &rows, p.first_row, p.row_count,
                 (float *)t->operands[7].data + p.first_row * stride + p.first_column, stride);
}
static void reference_int8(const struct trial *t, double *expected, double *bound) {
  int8_reference(t, 2, t->size.length * swiftlet_block_bytes(t->type), expected, bound);
}
// The bits of product_int8.
static void verify_int8(struct trial *t) {
  struct swiftlet_int8_rows rows = activations(t, 2, length_of(t), length_of(t) + t->size.gap);
  size_t stride = t->size.columns + t->size.gap;
  float *plain = malloc(t->size.rows * stride * 4), *found = t->operands[7].data;
  if (!plain) exit(2);
  t->kernels->product_int8(t->type, t->operands[0].data, t->size.length * swiftlet_block_bytes(t->type), t->size.columns, &rows, 0,
                           t->size.rows, plain, stride);
  for (size_t m = 0; m < t->size.rows; m++)
    for (size_t n = 0; n < t->size.columns; n++) {
      float a = plain[m * stride + n], b = found[m * stride + n];
      if (memcmp(&a, &b, 4) && !(isnan(a) && isnan(b)))
        fail(t, "row %zu, column %zu: %.9g, but %.9g from product_int8", m, n, (double)b, (double)a);
    }
  free(plain);
}

// strips_float: weights [columns, length] of F32 or BF16, input rows [rows, length], result [rows, columns].

static const struct size float_sizes[] = {{1, 1, 1, 0},    {1, 16, 32, 0},  {2, 17, 33, 1},  {5, 7, 2, 3},     {6, 48, 64, 0}, {7, 32, 100, 2},
                                          {13, 129, 31, 0}, {12, 16, 576, 1}, {33, 20, 80, 0}, {1, 67, 1537, 0}, {0, 0, 0, 0}};

static size_t input_bytes(const struct trial *t) { return t->type == SWIFTLET_F32 ? 4 : t->kernels->bf16_input_bytes; }
static size_t input_stride(const struct trial *t) { return padded(t->size.length) + t->size.gap; }

static void prepare_float(struct trial *t) {
  add_weights(t);
  size_t count = (t->size.rows - 1) * input_stride(t) + padded(t->size.length), width = input_bytes(t);
  void *rows = add_operand(t, "rows", width == 4 ? FLOATS : BF16S, READ, count, width);
  memset(rows, 0, count * width);
  for (size_t m = 0; m < t->size.rows; m++)
    for (size_t k = 0; k < t->size.length; k++) {
      float value;
      fill_floats(t, &value, 1);
      if (t->type == SWIFTLET_BF16) value = (float)as_bf16(value);
      if (width == 4)
        ((float *)rows)[m * input_stride(t) + k] = value;
      else
        ((uint16_t *)rows)[m * input_stride(t) + k] = bf16_bits(value);
    }
  add_operand(t, "result", FLOATS, WRITE, (t->size.rows - 1) * (t->size.columns + t->size.gap) + t->size.columns, 4);
}
static void run_float(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t stride = t->size.columns + t->size.gap, row_stride = input_stride(t) * input_bytes(t);
  k->strips_float(t->type, strips_from(t, p.first_column), p.column_count, (uint8_t *)t->operands[2].data + p.first_row * row_stride,
                  row_stride, p.row_count, t->size.length, (float *)t->operands[3].data + p.first_row * stride + p.first_column, stride);
}
static void reference_float(const struct trial *t, double *expected, double *bound) {
  size_t length = t->size.length, stride = t->size.columns + t->size.gap, row_bytes = length * swiftlet_block_bytes(t->type);
  // BF16 instructions take subnormal numbers for zeros, and round sums to zero where these are subnormal.
  double tiny = t->type == SWIFTLET_BF16 && t->kernels->bf16_input_bytes == 2 ? 0x1p-126 : 0;
  for (size_t i = 0; i < t->operands[3].count; i++) bound[i] = -1;
  for (size_t m = 0; m < t->size.rows; m++)
    for (size_t n = 0; n < t->size.columns; n++) {
      double sum = 0, magnitude = 0, values = 0;
      for (size_t k = 0; k < length; k++) {
        double x = element(&t->operands[2], m * input_stride(t) + k, 1), w = stored_value(t->type, bytes(t, 0) + n * row_bytes, k).scaled;
        sum += x * w;
        magnitude += fabs(x * w);
        values += fabs(x) + fabs(w);
      }
      expected[m * stride + n] = sum;
      // One sum after the other.
      bound[m * stride + n] = ROUNDING * (2 * (double)length + 4) * magnitude + SMALLEST * (double)length;
      if (tiny > 0) bound[m * stride + n] += tiny * (values + (double)length);
    }
}

// prepare_bf16: source, row [length].

static void prepare_rounding(struct trial *t) {
  fill_floats(t, add_operand(t, "source", FLOATS, READ, t->size.length, 4), t->size.length);
  size_t width = t->kernels->bf16_input_bytes;
  add_operand(t, "row", width == 4 ? FLOATS : BF16S, WRITE, t->size.length, width);
}
static void run_rounding(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  k->prepare_bf16((float *)t->operands[0].data + p.first_column, p.column_count,
                  (uint8_t *)t->operands[1].data + p.first_column * t->kernels->bf16_input_bytes);
}
static void reference_rounding(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < t->size.length; i++) {
    expected[i] = as_bf16(floats(t, 0)[i]);
    bound[i] = 0;
  }
}
static struct work work_rounding(const struct trial *t) { return (struct work){0, 8 * (double)t->size.length}; }

// make_strip: F32 rows [rows, length] to a strip of F32 or BF16, [length padded, 16].

static const struct size strip_sizes[] = {{1, 1, 1, 0}, {16, 1, 2, 0}, {15, 1, 31, 1}, {16, 1, 64, 0}, {3, 1, 100, 3}, {7, 1, 129, 2}, {0, 0, 0, 0}};

static void prepare_making(struct trial *t) {
  size_t count = (t->size.rows - 1) * (t->size.length + t->size.gap) + t->size.length;
  fill_floats(t, add_operand(t, "rows", FLOATS, READ, count, 4), count);
  add_operand(t, "strip", t->type == SWIFTLET_F32 ? FLOATS : BF16S, WRITE, padded(t->size.length) * SWIFTLET_STRIP_ROWS, 64);
}
static void run_making(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->make_strip(t->type, t->operands[0].data, t->size.length + t->size.gap, t->size.rows, t->size.length, t->operands[1].data);
}
static void reference_making(const struct trial *t, double *expected, double *bound) {
  memset(expected, 0, t->operands[1].count * sizeof *expected);
  memset(bound, 0, t->operands[1].count * sizeof *bound);
  for (size_t r = 0; r < t->size.rows; r++)
    for (size_t k = 0; k < t->size.length; k++) {
      double value = floats(t, 0)[r * (t->size.length + t->size.gap) + k];
      expected[place(t->type, r, k)] = t->type == SWIFTLET_F32 ? value : as_bf16(value);
    }
}
static struct work work_making(const struct trial *t) {
  return (struct work){0, (double)(t->operands[0].bytes + t->operands[1].bytes)};
}

// expand_strip: a strip of `columns` rows of a quantised type, [columns, length blocks], to one of BF16.
// Values are exact; the sign of a zero is left to the variant.

static const struct size expand_sizes[] = {{1, 1, 1, 0}, {1, 16, 2, 0}, {1, 15, 3, 0}, {1, 16, 9, 0}, {0, 0, 0, 0}};

static void prepare_expand(struct trial *t) {
  add_weights(t);
  add_operand(t, "strip of BF16", BF16S, WRITE, padded(length_of(t)) * SWIFTLET_STRIP_ROWS, 64);
}
static void run_expand(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->expand_strip(t->type, t->operands[1].data, length_of(t), t->operands[2].data);
}
static void reference_expand(const struct trial *t, double *expected, double *bound) {
  size_t row_bytes = t->size.length * swiftlet_block_bytes(t->type);
  memset(expected, 0, t->operands[2].count * sizeof *expected);
  memset(bound, 0, t->operands[2].count * sizeof *bound);
  for (size_t r = 0; r < t->size.columns; r++)
    for (size_t k = 0; k < length_of(t); k++) {
      struct stored v = stored_value(t->type, bytes(t, 0) + r * row_bytes, k);
      expected[place(SWIFTLET_BF16, r, k)] = as_bf16((float)(v.scaled + v.offset));
    }
}
static struct work work_expand(const struct trial *t) {
  return (struct work){0, (double)(t->operands[1].bytes + t->operands[2].bytes)};
}

const struct operation strip_operations[] = {
    {"strips_int8", 0, int8_sizes, {{1, 32768, 2048, 0}, {16, 2048, 2048, 0}}, ALL, 1, 16, 0, prepare_int8, run_int8, reference_int8, verify_int8, work_product, strip_types},
    {"strips_float", 0, float_sizes, {{1, 8192, 2048, 0}, {64, 1024, 2048, 0}}, ALL, 1, 16, 0, prepare_float, run_float, reference_float, NULL, work_product, float_types},
    {"prepare_bf16", 0, row_sizes, {{1, 1, 4096, 0}}, ALL, 0, 1, 0, prepare_rounding, run_rounding, reference_rounding, NULL, work_rounding, NULL},
    {"make_strip", 0, strip_sizes, {{16, 1, 2048, 0}}, ALL, 0, 0, 1, prepare_making, run_making, reference_making, NULL, work_making, float_types},
    {"expand_strip", 0, expand_sizes, {{1, 16, 2048, 0}}, ALL, 0, 0, 0, prepare_expand, run_expand, reference_expand, NULL, work_expand, strip_types},
    {0},
};
