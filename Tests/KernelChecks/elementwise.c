// Operations on single rows of floats: norms, softmax, SwiGLU, rotation, rounding.
#include <float.h>
#include <math.h>
#include <string.h>

#include "entries.h"

static const struct operand *result(const struct trial *trial) { return &trial->operands[trial->operand_count - 1]; }

static struct work work_of(const struct trial *trial, double flops, double bytes) {
  double count = (double)trial->size.length;
  return (struct work){flops * count, bytes * count};
}

const struct size row_sizes[] = {{1, 1, 1, 0},   {1, 1, 2, 0},   {1, 1, 3, 0},   {1, 1, 5, 0},   {1, 1, 7, 0},    {1, 1, 8, 0},   {1, 1, 15, 0},
                                 {1, 1, 16, 0},  {1, 1, 17, 0},  {1, 1, 31, 0},  {1, 1, 33, 0},  {1, 1, 64, 0},   {1, 1, 65, 0},  {1, 1, 100, 0},
                                 {1, 1, 127, 0}, {1, 1, 129, 0}, {1, 1, 256, 0}, {1, 1, 577, 0}, {1, 1, 1000, 0}, {0, 0, 0, 0}};
static const struct size pair_sizes[] = {{1, 1, 2, 0},  {1, 1, 4, 0},   {1, 1, 6, 0},   {1, 1, 14, 0},  {1, 1, 16, 0}, {1, 1, 32, 0},
                                         {1, 1, 34, 0}, {1, 1, 64, 0}, {1, 1, 128, 0}, {1, 1, 130, 0}, {0, 0, 0, 0}};

// scale_blocks: values [length], scales [length / 128, rounded up].

static void prepare_scale_blocks(struct trial *t) {
  size_t blocks = (t->size.length + 127) / 128;
  fill_floats(t, add_operand(t, "scales", FLOATS, READ, blocks, 4), blocks);
  fill_floats(t, add_operand(t, "values", FLOATS, UPDATE, t->size.length, 4), t->size.length);
}
static void run_scale_blocks(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  k->scale_blocks((float *)t->operands[1].data + p.first_column, p.column_count, (float *)t->operands[0].data + p.first_column / 128);
}
static void reference_scale_blocks(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < t->size.length; i++) {
    expected[i] = (float)((double)floats(t, 1)[i] * (double)floats(t, 0)[i / 128]);
    bound[i] = 0;
  }
}
static struct work work_scale_blocks(const struct trial *t) { return work_of(t, 1, 8); }

// round_to_bf16 and store_bf16: source, result [length]. type 1: in place.

static void prepare_rounding(struct trial *t) {
  size_t n = t->size.length;
  if (t->type == 1) {
    fill_floats(t, add_operand(t, "values", FLOATS, UPDATE, n, 4), n);
    return;
  }
  float *source = add_operand(t, "source", FLOATS, READ, n, 4);
  fill_floats(t, source, n);
  // Halfway between two BF16: to the even one. And the largest floats, which become infinite.
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, source + i, 4);
    if (t->values == NORMAL && i % 5 == 0) bits = (bits & 0xFFFF0000) | 0x8000;
    if (t->values == WIDE && i % 5 == 0) bits |= 0x7F7F0000;
    memcpy(source + i, &bits, 4);
  }
  add_operand(t, "result", t->type == 2 ? BF16S : FLOATS, WRITE, n, t->type == 2 ? 2 : 4);
}
static void run_rounding(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  const float *source = (const float *)t->operands[0].data + p.first_column;
  void *data = result(t)->data;
  if (t->type == 2)
    k->store_bf16(source, p.column_count, (uint16_t *)data + p.first_column);
  else
    k->round_to_bf16(source, p.column_count, (float *)data + p.first_column);
}
static void reference_rounding(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < t->size.length; i++) {
    expected[i] = round_to(floats(t, 0)[i], 7, -126);
    if (fabs(expected[i]) > FLT_MAX) expected[i] = copysign(INFINITY, expected[i]);
    bound[i] = 0;
  }
}
static struct work work_rounding(const struct trial *t) { return work_of(t, 0, t->type == 2 ? 6 : 8); }

// rms_norm: x, weight, result [length].

static void prepare_rms_norm(struct trial *t) {
  size_t n = t->size.length;
  fill_floats(t, add_operand(t, "x", FLOATS, READ, n, 4), n);
  fill_floats(t, add_operand(t, "weight", FLOATS, READ, n, 4), n);
  add_operand(t, "result", FLOATS, WRITE, n, 4);
  t->scalar = 1e-5f;
}
static void run_rms_norm(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->rms_norm(t->operands[0].data, t->operands[1].data, t->scalar, t->size.length, t->operands[2].data);
}
static void reference_rms_norm(const struct trial *t, double *expected, double *bound) {
  const float *x = floats(t, 0), *weight = floats(t, 1);
  double sum = 0;
  for (size_t i = 0; i < t->size.length; i++) sum += (double)x[i] * x[i];
  double scale = 1 / sqrt(sum / (double)t->size.length + (double)t->scalar);
  for (size_t i = 0; i < t->size.length; i++) {
    expected[i] = x[i] * scale * weight[i];
    // Three roundings; the first product may be subnormal.
    bound[i] = 4 * ROUNDING * fabs(expected[i]) + SMALLEST * (1 + fabs((double)weight[i]));
  }
}
static struct work work_rms_norm(const struct trial *t) { return work_of(t, 4, 12); }

// softmax_weights: logits [length]; of type 1 the sums of their blocks, rounded to F32.

static const float LARGEST = 3, SCALE = 0.7f;
static size_t blocks_of(const struct trial *t) { return (t->size.length + SWIFTLET_SUM_BLOCK - 1) / SWIFTLET_SUM_BLOCK; }
static void prepare_softmax_weights(struct trial *t) {
  size_t n = t->size.length;
  float *logits = add_operand(t, "logits", FLOATS, t->type ? SCRATCH : UPDATE, n, 4);
  fill_floats(t, logits, n);
  if (t->values == NORMAL)
    for (size_t i = 0; i < n; i++) logits[i] *= (t->random & 1) ? 30 : 3;
  // As masks have it: some minus infinities.
  if (t->values == SPECIAL && t->random & 1)
    for (size_t i = 0; i < n; i += 2) logits[i] = -INFINITY;
  if (t->type) add_operand(t, "sums", FLOATS, WRITE, blocks_of(t), 4);
}
static void run_softmax_weights(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  double sums[1024];
  k->softmax_weights(t->operands[0].data, t->size.length, LARGEST, SCALE, sums);
  for (size_t b = 0; t->type && b < blocks_of(t); b++) ((float *)t->operands[1].data)[b] = (float)sums[b];
}
static void reference_softmax_weights(const struct trial *t, double *expected, double *bound) {
  const float *logits = floats(t, 0);
  for (size_t b = 0; t->type && b < blocks_of(t); b++) expected[b] = bound[b] = 0;
  for (size_t i = 0; i < t->size.length; i++) {
    double scaled = ((double)logits[i] - LARGEST) * SCALE, value = isnan(scaled) ? 0 : exp(scaled);
    // Difference and product are rounded, the exponential has two units; below exp(-87.3) it is zero, above 88.7 infinite in F32.
    double error = ROUNDING * (6 + (isfinite(scaled) ? 2 * fabs(scaled) : 0)) * value + 1.3e-38;
    size_t at = t->type ? i / SWIFTLET_SUM_BLOCK : i;
    expected[at] = t->type ? expected[at] + value : value;
    bound[at] = t->type ? bound[at] + error + 1e-6 * value : error;
  }
  for (size_t i = 0; i < (t->type ? blocks_of(t) : t->size.length); i++)
    if (expected[i] > FLT_MAX) expected[i] = INFINITY;
}
static struct work work_softmax_weights(const struct trial *t) { return work_of(t, 20, 8); }

// swiglu: gate, up, result [length].

static void prepare_swiglu(struct trial *t) {
  size_t n = t->size.length;
  float *gate = add_operand(t, "gate", FLOATS, READ, n, 4);
  fill_floats(t, gate, n);
  // The whole range of the exponential.
  if (t->values == NORMAL)
    for (size_t i = 0; i < n; i += 2) gate[i] *= 40;
  fill_floats(t, add_operand(t, "up", FLOATS, READ, n, 4), n);
  add_operand(t, "result", FLOATS, WRITE, n, 4);
}
static void run_swiglu(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t at = p.first_column;
  k->swiglu((float *)t->operands[0].data + at, (float *)t->operands[1].data + at, p.column_count, (float *)t->operands[2].data + at);
}
static void reference_swiglu(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < t->size.length; i++) {
    double gate = floats(t, 0)[i], up = floats(t, 1)[i];
    // The definition as it stands: minus infinity gives NaN. In F32 the exponential is infinite from 88.7 on.
    expected[i] = gate / (1 + exp(-gate)) * up;
    if (isfinite(gate) && gate < -88.72284) expected[i] = gate / INFINITY * up;
    bound[i] = 8 * ROUNDING * fabs(expected[i]) + (isfinite(up) ? 3e-37 * fabs(up) : 0) + SMALLEST;
  }
}
static struct work work_swiglu(const struct trial *t) { return work_of(t, 18, 12); }

// add_scaled: x, result [length].

static void prepare_add_scaled(struct trial *t) {
  size_t n = t->size.length;
  fill_floats(t, add_operand(t, "x", FLOATS, READ, n, 4), n);
  fill_floats(t, add_operand(t, "result", FLOATS, UPDATE, n, 4), n);
  t->scalar = 0.7f;
}
static void run_add_scaled(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  k->add_scaled((float *)t->operands[0].data + p.first_column, t->scalar, p.column_count, (float *)t->operands[1].data + p.first_column);
}
static void reference_add_scaled(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < t->size.length; i++) {
    double product = (double)floats(t, 0)[i] * t->scalar, sum = floats(t, 1)[i];
    expected[i] = product + sum;
    bound[i] = 2 * ROUNDING * (fabs(product) + fabs(sum)) + SMALLEST;
  }
}
static struct work work_add_scaled(const struct trial *t) { return work_of(t, 2, 12); }

// rotate: cosines, sines [length / 2], x [length]. type: interleaved.

static void prepare_rotate(struct trial *t) {
  size_t half = t->size.length / 2;
  float *cosines = add_operand(t, "cosines", FLOATS, READ, half, 4), *sines = add_operand(t, "sines", FLOATS, READ, half, 4);
  for (size_t i = 0; i < half; i++) {
    double angle = uniform(t) * 100;
    cosines[i] = (float)cos(angle);
    sines[i] = (float)sin(angle);
  }
  fill_floats(t, add_operand(t, "x", FLOATS, UPDATE, t->size.length, 4), t->size.length);
}
static void run_rotate(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  k->rotate(t->operands[2].data, t->operands[0].data, t->operands[1].data, t->size.length, t->type);
}
static void reference_rotate(const struct trial *t, double *expected, double *bound) {
  size_t half = t->size.length / 2;
  for (size_t i = 0; i < half; i++) {
    size_t first = t->type ? 2 * i : i, second = t->type ? 2 * i + 1 : i + half;
    double a = floats(t, 2)[first], b = floats(t, 2)[second], c = floats(t, 0)[i], s = floats(t, 1)[i];
    expected[first] = a * c - b * s;
    expected[second] = b * c + a * s;
    bound[first] = 2 * ROUNDING * (fabs(a * c) + fabs(b * s)) + 2 * SMALLEST;
    bound[second] = 2 * ROUNDING * (fabs(b * c) + fabs(a * s)) + 2 * SMALLEST;
  }
}
static struct work work_rotate(const struct trial *t) { return work_of(t, 3, 12); }

// argmax: x [length]; the result is a number.

static void prepare_argmax(struct trial *t) {
  size_t n = t->size.length;
  float *x = add_operand(t, "x", FLOATS, READ, n, 4);
  fill_floats(t, x, n);
  // The largest twice.
  if (t->values == NORMAL) x[n / 3] = x[n - 1] = 7;
  if (t->values == SPECIAL && t->random & 1)
    for (size_t i = 0; i < n; i++) x[i] = i == 0 ? NAN : -INFINITY;
}
static void run_argmax(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  t->index = k->argmax(t->operands[0].data, t->size.length);
}
static void verify_argmax(struct trial *t) {
  const float *x = floats(t, 0);
  size_t best = t->size.length;
  for (size_t i = 0; i < t->size.length; i++)
    if (!isnan(x[i]) && (best == t->size.length || x[i] > x[best])) best = i;
  if (best == t->size.length) best = 0;
  if (t->index != best) fail(t, "found %zu, expected %zu", t->index, best);
}
static struct work work_argmax(const struct trial *t) { return work_of(t, 0, 4); }

#define SPEED {1, 1, 4096, 0}

const struct operation elementwise_operations[] = {
    {"scale_blocks", 0, row_sizes, {SPEED}, ALL, 0, 128, 1, prepare_scale_blocks, run_scale_blocks, reference_scale_blocks, NULL, work_scale_blocks, NULL},
    {"round_to_bf16", 0, row_sizes, {SPEED}, ALL, 0, 1, 1, prepare_rounding, run_rounding, reference_rounding, NULL, work_rounding, NULL},
    {"round_to_bf16 in place", 1, row_sizes, {{0}}, ALL, 0, 1, 1, prepare_rounding, run_rounding, reference_rounding, NULL, work_rounding, NULL},
    {"store_bf16", 2, row_sizes, {SPEED}, ALL, 0, 1, 1, prepare_rounding, run_rounding, reference_rounding, NULL, work_rounding, NULL},
    {"rms_norm", 0, row_sizes, {SPEED}, ALL, 0, 0, 0, prepare_rms_norm, run_rms_norm, reference_rms_norm, NULL, work_rms_norm, NULL},
    {"softmax_weights", 0, row_sizes, {{1, 1, 131072, 0}}, ALL, 0, 0, 0, prepare_softmax_weights, run_softmax_weights, reference_softmax_weights, NULL, work_softmax_weights, NULL},
    {"softmax_weights, sums", 1, row_sizes, {{0}}, ALL, 0, 0, 0, prepare_softmax_weights, run_softmax_weights, reference_softmax_weights, NULL, work_softmax_weights, NULL},
    {"swiglu", 0, row_sizes, {SPEED}, ALL, 0, 1, 0, prepare_swiglu, run_swiglu, reference_swiglu, NULL, work_swiglu, NULL},
    {"add_scaled", 0, row_sizes, {SPEED}, ALL, 0, 1, 0, prepare_add_scaled, run_add_scaled, reference_add_scaled, NULL, work_add_scaled, NULL},
    {"rotate pairs apart", 0, pair_sizes, {{1, 1, 128, 0}}, ALL, 0, 0, 1, prepare_rotate, run_rotate, reference_rotate, NULL, work_rotate, NULL},
    {"rotate interleaved", 1, pair_sizes, {{1, 1, 128, 0}}, ALL, 0, 0, 1, prepare_rotate, run_rotate, reference_rotate, NULL, work_rotate, NULL},
    {"argmax", 0, row_sizes, {{1, 1, 131072, 0}}, ALL, 0, 0, 1, prepare_argmax, run_argmax, NULL, verify_argmax, work_argmax, NULL},
    {0},
};
