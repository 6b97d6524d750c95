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
                                         {17, 31, 3, 5}, {1, 67, 2, 0}, {8, 40, 9, 1}, {33, 40, 2, 0}, {13, 33, 3, 1}, {0, 0, 0, 0}};

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

// strips_product: weights [columns, length] of F32 or BF16, input rows [rows, length], result [rows, columns].

static const struct size float_sizes[] = {{1, 1, 1, 0},    {1, 16, 32, 0},  {2, 17, 33, 1},  {5, 7, 2, 3},     {6, 48, 64, 0}, {7, 32, 100, 2},
                                          {13, 129, 31, 0}, {12, 16, 576, 1}, {33, 20, 80, 0}, {1, 67, 1537, 0},
                                          {3, 110, 40, 0},  {4, 100, 34, 1},  {8, 70, 36, 0},  {9, 40, 18, 2},  {10, 47, 20, 0}, {11, 60, 64, 1},
                                          {0, 0, 0, 0}};

// Bytes of a value of an input row of F32 or BF16.
static size_t input_bytes(const struct trial *t) { return t->kernels->input_bytes(t->type, SWIFTLET_STRIP_PADDING) / SWIFTLET_STRIP_PADDING; }
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
  k->strips_product(t->type, strips_from(t, p.first_column), p.column_count, (uint8_t *)t->operands[2].data + p.first_row * row_stride,
                  row_stride, p.row_count, t->size.length, (float *)t->operands[3].data + p.first_row * stride + p.first_column, stride);
}
static void reference_float(const struct trial *t, double *expected, double *bound) {
  size_t length = t->size.length, stride = t->size.columns + t->size.gap, row_bytes = length * swiftlet_block_bytes(t->type);
  // BF16 instructions take subnormal numbers for zeros, and round sums to zero where these are subnormal.
  double tiny = t->type == SWIFTLET_BF16 && input_bytes(t) == 2 ? 0x1p-126 : 0;
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

// prepare_input for F32 and BF16: source, row [length padded].

static void prepare_rounding(struct trial *t) {
  fill_floats(t, add_operand(t, "source", FLOATS, READ, t->size.length, 4), t->size.length);
  size_t width = input_bytes(t);
  add_operand(t, "row", width == 4 ? FLOATS : BF16S, WRITE, padded(t->size.length), 4);
}
static void run_rounding(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->prepare_input(t->type, t->operands[0].data, t->size.length, t->operands[1].data);
}
static void reference_rounding(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < padded(t->size.length); i++) {
    double value = i < t->size.length ? floats(t, 0)[i] : 0;
    expected[i] = t->type == SWIFTLET_F32 ? value : as_bf16(value);
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

// Weights as the variant's prompts multiply them: a strip of `columns` rows, [columns, length blocks], expanded to panel_type and
// multiplied with input rows [rows, length]; result [rows, columns]. Types that are not packed go through make_strip.
//
// BF16 has 8 bits of each value; integers have a step for 128 values, which depends on the largest.

static const struct size panel_sizes[] = {{1, 1, 1, 0}, {3, 16, 2, 0}, {13, 17, 1, 2}, {1, 20, 5, 1}, {0, 0, 0, 0}};

static size_t panel_stride(const struct trial *t) {
  return (t->kernels->input_bytes(t->kernels->panel_type, length_of(t)) + 3) / 4 * 4 + 4 * t->size.gap;
}
// Operands 0: stored rows, 1: strips (empty without), 2: source [rows, length], 3: input rows, 4: panel, 5: result.
static void prepare_panel(struct trial *t) {
  const struct swiftlet_kernels *k = t->kernels;
  size_t length = length_of(t), columns = t->size.columns, panel_bytes = swiftlet_strip_bytes(k->panel_type, length);
  int is_packed = swiftlet_strip_bytes(t->type, length) > 0;
  if (is_packed)
    add_weights(t);
  else {
    size_t row_bytes = t->size.length * swiftlet_block_bytes(t->type);
    fill_blocks(t, t->type, add_operand(t, "stored rows", BYTES, READ, row_bytes * columns, 1), t->size.length * columns, 0);
    add_operand(t, "strips", BYTES, READ, 1, 1);
  }
  fill_floats(t, add_operand(t, "source", FLOATS, READ, t->size.rows * length, 4), t->size.rows * length);
  uint8_t *rows = add_operand(t, "input rows", BYTES, READ, t->size.rows * panel_stride(t), 4);
  memset(rows, 0, t->size.rows * panel_stride(t));
  for (size_t m = 0; m < t->size.rows; m++)
    k->prepare_input(k->panel_type, (float *)t->operands[2].data + m * length, length, rows + m * panel_stride(t));
  uint8_t *panel = add_operand(t, "panel", BYTES, READ, panel_bytes * strip_count(columns), 64);
  memset(panel, 0, panel_bytes * strip_count(columns));
  for (size_t n = 0; n < columns; n += SWIFTLET_STRIP_ROWS) {
    uint8_t *strip = panel + n / SWIFTLET_STRIP_ROWS * panel_bytes;
    if (is_packed) {
      k->expand_strip(t->type, strips_from(t, n), length, strip);
      continue;
    }
    size_t count = columns - n < SWIFTLET_STRIP_ROWS ? columns - n : SWIFTLET_STRIP_ROWS;
    float *values = malloc(count * length * 4);
    if (!values) exit(2);
    for (size_t r = 0; r < count; r++)
      k->expand(t->type, (uint8_t *)t->operands[0].data + (n + r) * t->size.length * swiftlet_block_bytes(t->type), length, values + r * length);
    k->make_strip(k->panel_type, values, length, count, length, strip);
    free(values);
  }
  add_operand(t, "result", FLOATS, WRITE, (t->size.rows - 1) * (columns + t->size.gap) + columns, 4);
}
static void run_panel(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t stride = t->size.columns + t->size.gap;
  k->strips_product(k->panel_type,
                    (uint8_t *)t->operands[4].data + p.first_column / SWIFTLET_STRIP_ROWS * swiftlet_strip_bytes(k->panel_type, length_of(t)),
                    p.column_count, (uint8_t *)t->operands[3].data + p.first_row * panel_stride(t), panel_stride(t), p.row_count,
                    length_of(t), (float *)t->operands[5].data + p.first_row * stride + p.first_column, stride);
}
static void reference_panel(const struct trial *t, double *expected, double *bound) {
  size_t length = length_of(t), stride = t->size.columns + t->size.gap, row_bytes = t->size.length * swiftlet_block_bytes(t->type);
  int is_bf16 = t->kernels->panel_type == SWIFTLET_BF16;
  for (size_t i = 0; i < t->operands[5].count; i++) bound[i] = -1;
  for (size_t m = 0; m < t->size.rows; m++)
    for (size_t n = 0; n < t->size.columns; n++) {
      double sum = 0, error = 0;
      for (size_t first = 0; first < length; first += 128) {
        size_t end = length - first < 128 ? length : first + 128;
        double largest_x = 1e-30, largest_w = 1e-30, magnitude = 0, total_x = 0, total_w = 0;
        for (size_t k = first; k < end; k++) {
          struct stored v = stored_value(t->type, bytes(t, 0) + n * row_bytes, k);
          double x = floats(t, 2)[m * length + k], w = (float)(v.scaled + v.offset);
          sum += x * w;
          magnitude += fabs(x * w);
          total_x += fabs(x);
          total_w += fabs(w);
          // Not fmax, which passes by what is no number.
          if (!(fabs(x) <= largest_x)) largest_x = fabs(x);
          if (!(fabs(w) <= largest_w)) largest_w = fabs(w);
        }
        error += ROUNDING * (2 * (double)length + 16) * magnitude;
        if (is_bf16) {
          // Where the hardware takes subnormal numbers for zeros, it does so with both and with the sum.
          error += 0x1.02p-7 * magnitude + 0x1p-126 * (total_x + total_w + 256);
        } else {
          // An input is rounded once. A weight's record has the step of the largest value that its groups' scales allow, which among 32
          // codes is at most half as large again as the largest there is; code and minimum are rounded apart, half a step each, and a
          // group's share of the scale adds up to an eighth.
          double step_x = largest_x / 16383 * 0.501, step_w = 1.5 * largest_w / 1023 * 1.126;
          error += step_x * total_w + step_w * total_x + 128 * step_x * step_w + 0x1p-110;
        }
        // All sums of the record have no number.
        if (!is_bf16 && !(isfinite(largest_x) && isfinite(largest_w))) sum = NAN;
      }
      expected[m * stride + n] = sum;
      bound[m * stride + n] = error;
    }
}
static struct work work_panel(const struct trial *t) {
  double m = (double)t->size.rows, n = (double)t->size.columns, k = (double)length_of(t);
  return (struct work){2 * m * n * k, (double)t->operands[4].bytes};
}

// Quantised strips as they are: [columns, length blocks], with rows for codes [rows, length]; result [rows, columns]. Inputs alone are
// rounded, to BF16.

static int are_codes_multiplied(const struct swiftlet_kernels *k) { return k->multiplies_codes; }
static size_t codes_stride(const struct trial *t) { return t->kernels->input_bytes(SWIFTLET_CODES, length_of(t)) + 4 * t->size.gap; }
// Operands 0: stored rows, 1: strips, 2: source [rows, length], 3: input rows, 4: result.
static void prepare_codes(struct trial *t) {
  size_t length = length_of(t), columns = t->size.columns;
  add_weights(t);
  fill_floats(t, add_operand(t, "source", FLOATS, READ, t->size.rows * length, 4), t->size.rows * length);
  uint8_t *rows = add_operand(t, "input rows", BYTES, READ, t->size.rows * codes_stride(t), 4);
  memset(rows, 0, t->size.rows * codes_stride(t));
  for (size_t m = 0; m < t->size.rows; m++)
    t->kernels->prepare_input(SWIFTLET_CODES, (float *)t->operands[2].data + m * length, length, rows + m * codes_stride(t));
  add_operand(t, "result", FLOATS, WRITE, (t->size.rows - 1) * (columns + t->size.gap) + columns, 4);
}
static void run_codes(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t stride = t->size.columns + t->size.gap;
  k->strips_product(t->type, strips_from(t, p.first_column), p.column_count,
                    (uint8_t *)t->operands[3].data + p.first_row * codes_stride(t), codes_stride(t), p.row_count, length_of(t),
                    (float *)t->operands[4].data + p.first_row * stride + p.first_column, stride);
}
static void reference_codes(const struct trial *t, double *expected, double *bound) {
  size_t length = length_of(t), stride = t->size.columns + t->size.gap, row_bytes = t->size.length * swiftlet_block_bytes(t->type);
  int has_minimums = t->type == SWIFTLET_Q4_1 || t->type == SWIFTLET_Q5_1 || t->type == SWIFTLET_Q4_K || t->type == SWIFTLET_Q5_K;
  for (size_t i = 0; i < t->operands[4].count; i++) bound[i] = -1;
  for (size_t m = 0; m < t->size.rows; m++)
    for (size_t n = 0; n < t->size.columns; n++) {
      double sum = 0, magnitude = 0, values = 0;
      for (size_t k = 0; k < length; k++) {
        struct stored v = stored_value(t->type, bytes(t, 0) + n * row_bytes, k);
        double x = floats(t, 2)[m * length + k], weight = fabs(v.scaled) + fabs(v.offset);
        sum += x * v.scaled;
        if (has_minimums) sum += x * v.offset;
        magnitude += fabs(x) * weight;
        values += fabs(x) + weight;
      }
      expected[m * stride + n] = sum;
      // Where the hardware takes subnormal numbers for zeros, it does so with inputs and with sums of codes times inputs.
      bound[m * stride + n] =
          (0x1.01p-8 + ROUNDING * (2 * (double)length + 16)) * magnitude + 0x1p-126 * (2 * values + 2 * (double)length);
    }
}

static const struct size no_sizes[] = {{0, 0, 0, 0}};

// expand_strip: only its speed; what it makes is checked above.

static void prepare_expand(struct trial *t) {
  add_weights(t);
  size_t count = swiftlet_strip_bytes(t->kernels->panel_type, length_of(t));
  memset(add_operand(t, "panel", BYTES, UPDATE, count, 64), 0, count);
}
static void run_expand(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->expand_strip(t->type, t->operands[1].data, length_of(t), t->operands[2].data);
}
static struct work work_expand(const struct trial *t) {
  return (struct work){0, (double)(t->operands[1].bytes + t->operands[2].bytes)};
}

const struct operation strip_operations[] = {
    {"strips_int8", 0, int8_sizes, {{1, 32768, 2048, 0}, {16, 2048, 2048, 0}}, ALL, 1, 16, 0, prepare_int8, run_int8, reference_int8, verify_int8, work_product, strip_types},
    {"strips_product", 0, float_sizes, {{1, 8192, 2048, 0}, {64, 1024, 2048, 0}}, ALL, 1, 16, 0, prepare_float, run_float, reference_float, NULL, work_product, float_types},
    {"prepare_input", 0, row_sizes, {{1, 1, 4096, 0}}, ALL, 0, 0, 0, prepare_rounding, run_rounding, reference_rounding, NULL, work_rounding, float_types},
    {"make_strip", 0, strip_sizes, {{16, 1, 2048, 0}}, ALL, 0, 0, 1, prepare_making, run_making, reference_making, NULL, work_making, float_types},
    {"panel_product", 0, panel_sizes, {{64, 64, 2048, 0}}, ALL, 1, 16, 0, prepare_panel, run_panel, reference_panel, NULL, work_panel, block_types},
    {"codes_product", 0, int8_sizes, {{12, 1408, 2048, 0}, {64, 64, 2048, 0}}, ALL, 1, 16, 0, prepare_codes, run_codes, reference_codes, NULL, work_product, strip_types, are_codes_multiplied},
    {"expand_strip", 0, no_sizes, {{1, 16, 2048, 0}}, NORMAL, 0, 0, 0, prepare_expand, run_expand, NULL, NULL, work_expand, strip_types},
    {0},
};
