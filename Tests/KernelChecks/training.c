// Operations of training: gradients of row-wise operations, the optimizer's step, and operands that are the columns of a matrix.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"

// Where an operation has several results, `type` says which of them is checked: it is the last operand.

static struct work work_of(const struct trial *t, double flops, double bytes) {
  return (struct work){flops * (double)t->size.length, bytes * (double)t->size.length};
}
static const float *input(const struct trial *t, int operand) { return t->operands[operand].data; }
static void add_input(struct trial *t, const char *name, size_t count) { fill_floats(t, add_operand(t, name, FLOATS, READ, count, 4), count); }
// Results so far: added to.
static void add_update(struct trial *t, const char *name, size_t count) { fill_floats(t, add_operand(t, name, FLOATS, UPDATE, count, 4), count); }

// sum_of_products: x, y [length], result [1], rounded to F32.

static void prepare_sum(struct trial *t) {
  add_input(t, "x", t->size.length);
  add_input(t, "y", t->size.length);
  add_operand(t, "result", FLOATS, WRITE, 1, 4);
}
static void run_sum(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  *(float *)t->operands[2].data = (float)k->sum_of_products(input(t, 0), input(t, 1), t->size.length);
}
static void reference_sum(const struct trial *t, double *expected, double *bound) {
  double sum = 0, size = 0;
  for (size_t i = 0; i < t->size.length; i++) {
    double product = (double)floats(t, 0)[i] * floats(t, 1)[i];
    sum += product;
    size += fabs(product);
  }
  expected[0] = sum;
  bound[0] = 2 * ROUNDING * fabs(sum) + 1e-12 * size + SMALLEST;
}
static struct work work_sum(const struct trial *t) { return work_of(t, 2, 8); }

// rms_norm_gradient: x, weight, gradient [length]; x_gradient, weight_gradient [length].

static void prepare_norm(struct trial *t) {
  size_t n = t->size.length;
  add_input(t, "x", n);
  add_input(t, "weight", n);
  add_input(t, "gradient", n);
  float *other = add_operand(t, "other gradient", FLOATS, SCRATCH, n, 4);
  memset(other, 0, 4 * n);
  add_update(t, t->type == 0 ? "x gradient" : "weight gradient", n);
  t->scalar = 1e-5f;
}
static void run_norm(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  float *x = t->operands[t->type == 0 ? 4 : 3].data, *weight = t->operands[t->type == 0 ? 3 : 4].data;
  k->rms_norm_gradient(input(t, 0), input(t, 1), t->scalar, input(t, 2), t->size.length, x, weight);
}
static void reference_norm(const struct trial *t, double *expected, double *bound) {
  const float *x = floats(t, 0), *weight = floats(t, 1), *gradient = floats(t, 2), *before = floats(t, 4);
  double squares = 0, products = 0, sizes = 0, n = (double)t->size.length;
  for (size_t i = 0; i < t->size.length; i++) {
    squares += (double)x[i] * x[i];
    products += (double)weight[i] * gradient[i] * x[i];
    sizes += fabs((double)weight[i] * gradient[i] * x[i]);
  }
  double scale = 1 / sqrt(squares / n + (double)t->scalar);
  for (size_t i = 0; i < t->size.length; i++) {
    double change = gradient[i] * (x[i] * scale), size = fabs(change);
    if (t->type == 0) {
      double own = (double)weight[i] * gradient[i], share = scale * scale * x[i] * products / n;
      change = scale * (own - share);
      size = scale * (fabs(own) + scale * scale * fabs((double)x[i]) * sizes / n);
    }
    expected[i] = before[i] + change;
    bound[i] = 8 * ROUNDING * (size + fabs((double)before[i])) + SMALLEST * (4 + scale * (4 + fabs((double)x[i])) + fabs((double)gradient[i]));
  }
}
static struct work work_norm(const struct trial *t) { return work_of(t, 10, 28); }

// swiglu_gradient: gate, up, gradient [length]; of gate, of up, and the activation [length].

static void prepare_swiglu(struct trial *t) {
  size_t n = t->size.length;
  add_input(t, "gate", n);
  add_input(t, "up", n);
  add_input(t, "gradient", n);
  add_operand(t, "other", FLOATS, SCRATCH, n, 4);
  add_operand(t, "another", FLOATS, SCRATCH, n, 4);
  add_operand(t, "result", FLOATS, WRITE, n, 4);
  t->scalar = 0.7f;
}
static void run_swiglu(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  float *results[3];
  int rest = 3;
  size_t at = p.first_column;
  for (int i = 0; i < 3; i++) results[i] = (float *)t->operands[i == t->type ? 5 : rest++].data + at;
  k->swiglu_gradient(input(t, 0) + at, input(t, 1) + at, input(t, 2) + at, t->scalar, p.column_count, results[0], results[1], results[2]);
}
static void reference_swiglu(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < t->size.length; i++) {
    double gate = floats(t, 0)[i], up = floats(t, 1)[i], gradient = (double)floats(t, 2)[i] * t->scalar;
    double sigmoid = 1 / (1 + exp(-gate)), silu = gate * sigmoid, slope = sigmoid + silu * (1 - sigmoid);
    double size = sigmoid + fabs(silu);
    expected[i] = t->type == 0 ? gradient * up * slope : t->type == 1 ? gradient * silu : silu * up * t->scalar;
    double factor = t->type == 0 ? fabs(gradient * up) : t->type == 1 ? fabs(gradient) : fabs(up);
    bound[i] = 12 * ROUNDING * factor * (t->type == 0 ? size : fabs(silu)) + factor * 3e-37 + SMALLEST * (4 + fabs(up) + factor);
  }
}
static struct work work_swiglu(const struct trial *t) { return work_of(t, 26, 24); }

// cross_entropy: logits [length], in place, the target in the middle.

static void prepare_entropy(struct trial *t) {
  add_operand(t, "margin and total", FLOATS, SCRATCH, 2, 4);
  add_update(t, "logits", t->size.length);
  t->scalar = 0.3f;
}
static void run_entropy(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  float *facts = t->operands[0].data;
  k->cross_entropy(t->operands[1].data, t->size.length, t->size.length / 2, t->scalar, facts, facts + 1);
}
static void reference_entropy(const struct trial *t, double *expected, double *bound) {
  const float *logits = floats(t, 1);
  double largest = -INFINITY, sum = 0, n = (double)t->size.length;
  for (size_t i = 0; i < t->size.length; i++) largest = logits[i] > largest ? logits[i] : largest;
  for (size_t i = 0; i < t->size.length; i++) sum += exp(logits[i] - largest);
  for (size_t i = 0; i < t->size.length; i++) {
    double share = exp(logits[i] - largest) / sum;
    expected[i] = t->scalar * (share - (i == t->size.length / 2));
    bound[i] = ROUNDING * (16 + n / 16 + fabs(logits[i] - largest)) * t->scalar * share + 1.3e-38 + ROUNDING * fabs(expected[i]);
  }
}
static void verify_entropy(struct trial *t) {
  const float *logits = floats(t, 1), *facts = t->operands[0].data;
  double sum = 0;
  for (size_t i = 0; i < t->size.length; i++) sum += exp((double)logits[i] - logits[t->size.length / 2]);
  double loss = log(facts[1]) + facts[0];
  if (!(fabs(loss - log(sum)) <= 1e-5 * (1 + fabs(log(sum))))) fail(t, "the loss is %g, expected %g", loss, log(sum));
}
static struct work work_entropy(const struct trial *t) { return work_of(t, 20, 12); }

// attention_weights: maximum and total, scores [length], of which two thirds are seen; type 1: a chunk after another.

static size_t seen(const struct trial *t) { return (2 * t->size.length + 2) / 3; }
static void prepare_weights(struct trial *t) {
  float *state = add_operand(t, "maximum and total", FLOATS, SCRATCH, 2, 4);
  state[0] = t->type == 0 ? -INFINITY : 1.5f;
  state[1] = t->type == 0 ? 0 : 2.5f;
  add_update(t, "scores", t->size.length);
}
static void run_weights(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  float *state = t->operands[0].data;
  k->attention_weights(t->operands[1].data, seen(t), t->size.length, state, state + 1);
}
static void reference_weights(const struct trial *t, double *expected, double *bound) {
  const float *scores = floats(t, 1);
  double largest = t->type == 0 ? -INFINITY : 1.5;
  for (size_t i = 0; i < seen(t); i++) largest = scores[i] > largest ? scores[i] : largest;
  for (size_t i = 0; i < t->size.length; i++) {
    double difference = scores[i] - largest;
    expected[i] = i < seen(t) ? exp(difference) : 0;
    bound[i] = i < seen(t) ? ROUNDING * (8 + fabs(difference)) * expected[i] + 1.3e-38 : 0;
  }
}
static struct work work_weights(const struct trial *t) { return work_of(t, 18, 8); }

// attention_gradient: log_sums, shares [length]; scores and gradients [length], type 0: scores last.

static void prepare_attention(struct trial *t) {
  size_t n = t->size.length;
  add_input(t, "log sums", n);
  add_input(t, "shares", n);
  add_update(t, t->type == 0 ? "gradients" : "scores", n);
  add_update(t, t->type == 0 ? "scores" : "gradients", n);
}
static void run_attention(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->attention_gradient(t->operands[t->type == 0 ? 3 : 2].data, t->operands[t->type == 0 ? 2 : 3].data, input(t, 0), input(t, 1),
                        t->size.length / 3, t->size.length);
}
static void reference_attention(const struct trial *t, double *expected, double *bound) {
  const float *sums = floats(t, 0), *shares = floats(t, 1), *scores = floats(t, t->type == 0 ? 3 : 2);
  const float *gradients = floats(t, t->type == 0 ? 2 : 3);
  for (size_t i = 0; i < t->size.length; i++) {
    double difference = (double)scores[i] - sums[i], weight = difference > 88.72283 ? INFINITY : exp(difference);
    double rest = (float)(gradients[i] - shares[i]);
    int is_seen = i >= t->size.length / 3;
    expected[i] = !is_seen ? 0 : t->type == 0 ? weight : weight * rest;
    double error = (8 + fabs((double)scores[i]) + fabs((double)sums[i])) * ROUNDING;
    bound[i] = !is_seen ? 0 : fabs(expected[i]) * (error + 4 * ROUNDING) + 1.3e-38 * (t->type == 0 ? 1 : 1 + fabs(rest)) + SMALLEST;
  }
}
static struct work work_attention(const struct trial *t) { return work_of(t, 18, 24); }

// adamw: gradients, means, squares, values [length].

static const struct swiftlet_adamw adamw_step = {
    .gradient_scale = 0.5f, .rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .decay = 0.1f, .correction1 = 0.19f, .correction2 = 0.0975f};
static void prepare_adamw(struct trial *t) {
  size_t n = t->size.length;
  add_input(t, "gradients", n);
  add_update(t, "means", n);
  float *squares = add_operand(t, "squares", FLOATS, UPDATE, n, 4);
  fill_floats(t, squares, n);
  for (size_t i = 0; i < n; i++) squares[i] = fabsf(squares[i]);
  add_update(t, "values", n);
}
static void run_adamw(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t at = p.first_column;
  k->adamw((float *)t->operands[3].data + at, input(t, 0) + at, (float *)t->operands[1].data + at, (float *)t->operands[2].data + at,
           p.column_count, &adamw_step);
}
static void reference_adamw(const struct trial *t, double *expected, double *bound) {
  const struct swiftlet_adamw *s = &adamw_step;
  for (size_t i = 0; i < t->size.length; i++) {
    double g = (double)floats(t, 0)[i] * s->gradient_scale, mean = floats(t, 1)[i], square = floats(t, 2)[i], value = floats(t, 3)[i];
    double kept = s->beta1 * mean, added = (1 - (double)s->beta1) * g;
    double root = sqrt((s->beta2 * square + (1 - (double)s->beta2) * g * g) / s->correction2) + s->epsilon;
    double rate = s->rate / s->correction1, change = rate * (kept + added) / root;
    expected[i] = value * (1 - (double)s->rate * s->decay) - change;
    bound[i] = 16 * ROUNDING * (fabs(value) + rate * (fabs(kept) + fabs(added)) / root + fabs(change)) + 1e-30 * rate / root + SMALLEST;
  }
}
static struct work work_adamw(const struct trial *t) { return work_of(t, 14, 28); }

// make_strip_transposed and prepare_transposed give the same as make_strip and prepare_input of a transposed copy: source
// [length, columns] with rows in the order of `indices` where gap is odd. Not so numbers below the normal ones, see the header.

static const int float_types[] = {SWIFTLET_F32, SWIFTLET_BF16, -1};
static const struct size transposed_sizes[] = {{1, 1, 1, 0},   {1, 16, 2, 1},  {1, 3, 31, 2},  {1, 16, 32, 3}, {1, 15, 33, 1},
                                               {1, 16, 64, 0}, {1, 7, 100, 5}, {1, 16, 515, 1}, {0, 0, 0, 0}};
static const struct size wide_sizes[] = {{1, 1, 1, 0},   {1, 17, 2, 1},  {1, 33, 31, 2}, {1, 16, 32, 3},
                                         {1, 132, 33, 1}, {1, 40, 65, 0}, {1, 96, 130, 5}, {0, 0, 0, 0}};
static size_t source_stride(const struct trial *t) { return t->size.columns + t->size.gap; }
static size_t source_row(const struct trial *t, size_t k) { return t->size.gap % 2 ? (k * 7 + 3) % t->size.length : k; }
static void add_source(struct trial *t) {
  size_t count = (t->size.length - 1) * source_stride(t) + t->size.columns;
  add_input(t, "source", count);
  int32_t *indices = add_operand(t, "indices", INT32S, READ, t->size.length, 4);
  for (size_t k = 0; k < t->size.length; k++) indices[k] = (int32_t)source_row(t, k);
}
static const uint32_t *indices_of(const struct trial *t) { return t->size.gap % 2 ? t->operands[1].data : NULL; }
static float source_value(const struct trial *t, size_t k, size_t column) {
  return floats(t, 0)[source_row(t, k) * source_stride(t) + column];
}
// The columns as rows, without gaps.
static float *columns_as_rows(const struct trial *t) {
  float *rows = malloc(t->size.columns * t->size.length * 4);
  if (!rows) exit(2);
  for (size_t c = 0; c < t->size.columns; c++)
    for (size_t k = 0; k < t->size.length; k++) rows[c * t->size.length + k] = source_value(t, k, c);
  return rows;
}

static void prepare_transposed_strip(struct trial *t) {
  add_source(t);
  add_operand(t, "strip", BYTES, WRITE, swiftlet_strip_bytes(t->type, t->size.length), 64);
}
static void run_transposed_strip(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->make_strip_transposed(t->type, input(t, 0), source_stride(t), indices_of(t), t->size.columns, t->size.length, t->operands[2].data);
}
static void verify_transposed_strip(struct trial *t) {
  float *rows = columns_as_rows(t);
  size_t size = swiftlet_strip_bytes(t->type, t->size.length);
  uint8_t *expected = malloc(size);
  if (!expected) exit(2);
  t->kernels->make_strip(t->type, rows, t->size.length, t->size.columns, t->size.length, expected);
  for (size_t i = 0; i < size; i++)
    if (expected[i] != ((uint8_t *)t->operands[2].data)[i]) {
      fail(t, "byte %zu of the strip is not that of make_strip", i);
      break;
    }
  free(expected);
  free(rows);
}

static size_t prepared_stride(const struct trial *t) { return t->kernels->input_bytes(t->type, t->size.length) + 4 * t->size.gap; }
static void prepare_transposed_rows(struct trial *t) {
  add_source(t);
  size_t bytes = (t->size.columns - 1) * prepared_stride(t) + t->kernels->input_bytes(t->type, t->size.length);
  add_operand(t, "rows", BYTES, SCRATCH, bytes, 4);
}
static void run_transposed_rows(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->prepare_transposed(t->type, input(t, 0), source_stride(t), indices_of(t), t->size.columns, t->size.length, t->operands[2].data,
                        prepared_stride(t));
}
static void verify_transposed_rows(struct trial *t) {
  float *rows = columns_as_rows(t);
  size_t size = t->kernels->input_bytes(t->type, t->size.length);
  uint8_t *expected = malloc(size + 4);
  if (!expected) exit(2);
  for (size_t c = 0; c < t->size.columns; c++) {
    t->kernels->prepare_input(t->type, rows + c * t->size.length, t->size.length, expected);
    if (memcmp(expected, (uint8_t *)t->operands[2].data + c * prepared_stride(t), size) != 0) {
      fail(t, "row %zu is not that of prepare_input", c);
      break;
    }
  }
  free(expected);
  free(rows);
}
static struct work work_transposed(const struct trial *t) {
  return (struct work){0, (double)(t->size.columns * t->size.length) * 6};
}

// Rounding to E4M3: values [length] of a row, of a strip [length, 16], or of a block [rows, length]. All is exact but a block's scale.

static double e4m3(double value, double scale) {
  double rounded = round_to(value / scale, 3, -6);
  return (rounded > 448 ? 448 : rounded < -448 ? -448 : rounded) * scale;
}
// What value i of `count` values `stride` apart becomes that share a power of two.
static void round_tile_in_double(const float *values, size_t count, size_t stride, double *expected) {
  double largest = 0;
  int is_finite = 1, exponent;
  for (size_t i = 0; i < count; i++) {
    double size = fabs((double)values[i * stride]);
    is_finite &= isfinite(size) != 0;
    largest = size > largest ? size : largest;
  }
  // largest = fraction * 2^exponent, and 448 = 0.875 * 2^9.
  double fraction = frexp(largest, &exponent);
  exponent += fraction > 0.875 ? -8 : -9;
  double scale = ldexp(1, largest == 0 || exponent < -126 ? -126 : exponent);
  for (size_t i = 0; i < count; i++) expected[i * stride] = is_finite ? e4m3(values[i * stride], scale) : NAN;
}
static void prepare_tiles(struct trial *t) { add_update(t, "values", t->size.length * (t->type ? SWIFTLET_STRIP_ROWS : 1)); }
static void run_tiles(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  if (t->type) k->round_strip_to_e4m3(t->operands[0].data, t->size.length);
  else k->round_tiles_to_e4m3(t->operands[0].data, t->size.length);
}
static void reference_tiles(const struct trial *t, double *expected, double *bound) {
  size_t lanes = t->type ? SWIFTLET_STRIP_ROWS : 1;
  for (size_t start = 0; start < t->size.length; start += 128)
    for (size_t lane = 0; lane < lanes; lane++) {
      size_t count = t->size.length - start < 128 ? t->size.length - start : 128, at = start * lanes + lane;
      round_tile_in_double(floats(t, 0) + at, count, lanes, expected + at);
    }
  for (size_t i = 0; i < t->size.length * lanes; i++) bound[i] = 0;
}
static struct work work_tiles(const struct trial *t) { return work_of(t, 4.0 * (t->type ? 16 : 1), 8.0 * (t->type ? 16 : 1)); }

static const struct size block_sizes[] = {{1, 1, 1, 0},   {2, 1, 3, 1},   {7, 1, 31, 5},
                                          {16, 1, 32, 0}, {5, 1, 128, 2}, {128, 1, 128, 0}, {0, 0, 0, 0}};
static size_t block_count(const struct trial *t) { return (t->size.rows - 1) * (t->size.length + t->size.gap) + t->size.length; }
static void prepare_block(struct trial *t) {
  add_input(t, "source", block_count(t));
  add_operand(t, "result", FLOATS, WRITE, block_count(t), 4);
}
static void run_block(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->round_block_to_e4m3(input(t, 0), t->size.length + t->size.gap, t->size.rows, t->size.length, t->operands[1].data);
}
static void reference_block(const struct trial *t, double *expected, double *bound) {
  const float *source = floats(t, 0);
  float largest = 0;
  int is_finite = 1;
  size_t stride = t->size.length + t->size.gap;
  for (size_t i = 0; i < block_count(t); i++) {
    if (i % stride >= t->size.length) continue;
    is_finite &= isfinite(source[i]) != 0;
    largest = fabsf(source[i]) > largest ? fabsf(source[i]) : largest;
  }
  float scale = largest / 448;
  if (scale == 0) scale = 1;
  for (size_t i = 0; i < block_count(t); i++) {
    bound[i] = i % stride < t->size.length ? 0 : -1;
    // The quotient is rounded to F32 first, the product last.
    expected[i] = is_finite ? (double)(float)(round_to((double)(source[i] / scale), 3, -6) * scale) : NAN;
  }
}
static struct work work_block(const struct trial *t) {
  return (struct work){4.0 * (double)(t->size.rows * t->size.length), 8.0 * (double)(t->size.rows * t->size.length)};
}

#define SPEED {1, 1, 4096, 0}
#define FINITE (NORMAL | ZEROS | DENORMAL)

const struct operation training_operations[] = {
    {"sum_of_products", 0, row_sizes, {SPEED}, FINITE, 0, 0, 0, prepare_sum, run_sum, reference_sum, NULL, work_sum, NULL},
    {"rms_norm_gradient of x", 0, row_sizes, {SPEED}, FINITE, 0, 0, 0, prepare_norm, run_norm, reference_norm, NULL, work_norm, NULL},
    {"rms_norm_gradient of weight", 1, row_sizes, {{0}}, FINITE, 0, 0, 0, prepare_norm, run_norm, reference_norm, NULL, work_norm, NULL},
    {"swiglu_gradient of gate", 0, row_sizes, {SPEED}, FINITE, 0, 1, 0, prepare_swiglu, run_swiglu, reference_swiglu, NULL, work_swiglu, NULL},
    {"swiglu_gradient of up", 1, row_sizes, {{0}}, FINITE, 0, 1, 0, prepare_swiglu, run_swiglu, reference_swiglu, NULL, work_swiglu, NULL},
    {"swiglu_gradient, activation", 2, row_sizes, {{0}}, FINITE, 0, 1, 0, prepare_swiglu, run_swiglu, reference_swiglu, NULL, work_swiglu, NULL},
    {"cross_entropy", 0, row_sizes, {SPEED}, FINITE, 0, 0, 0, prepare_entropy, run_entropy, reference_entropy, verify_entropy, work_entropy, NULL},
    {"attention_weights", 0, row_sizes, {SPEED}, FINITE, 0, 0, 0, prepare_weights, run_weights, reference_weights, NULL, work_weights, NULL},
    {"attention_weights, later chunk", 1, row_sizes, {{0}}, FINITE, 0, 0, 0, prepare_weights, run_weights, reference_weights, NULL, work_weights, NULL},
    {"attention_gradient, weights", 0, row_sizes, {SPEED}, FINITE, 0, 0, 0, prepare_attention, run_attention, reference_attention, NULL, work_attention, NULL},
    {"attention_gradient, scores", 1, row_sizes, {{0}}, FINITE, 0, 0, 0, prepare_attention, run_attention, reference_attention, NULL, work_attention, NULL},
    {"adamw", 0, row_sizes, {SPEED}, NORMAL | ZEROS, 0, 1, 0, prepare_adamw, run_adamw, reference_adamw, NULL, work_adamw, NULL},
    {"round_tiles_to_e4m3", 0, row_sizes, {SPEED}, ALL, 0, 0, 1, prepare_tiles, run_tiles, reference_tiles, NULL, work_tiles, NULL},
    {"round_strip_to_e4m3", 1, row_sizes, {{1, 1, 512, 0}}, ALL, 0, 0, 1, prepare_tiles, run_tiles, reference_tiles, NULL, work_tiles, NULL},
    {"round_block_to_e4m3", 0, block_sizes, {{128, 1, 128, 0}}, ALL, 0, 0, 1, prepare_block, run_block, reference_block, NULL, work_block, NULL},
    {"make_strip_transposed", 0, transposed_sizes, {{1, 16, 512, 0}}, ALL & ~DENORMAL, 0, 0, 1, prepare_transposed_strip, run_transposed_strip, NULL, verify_transposed_strip, work_transposed, float_types},
    {"prepare_transposed", 0, wide_sizes, {{1, 192, 512, 0}}, ALL & ~DENORMAL, 0, 0, 0, prepare_transposed_rows, run_transposed_rows, NULL, verify_transposed_rows, work_transposed, float_types},
    {0},
};
