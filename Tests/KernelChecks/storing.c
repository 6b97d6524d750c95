// Stored types: expanding to F32 and quantising from it.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "entries.h"

static const int all_types[] = {SWIFTLET_F32,  SWIFTLET_F16,  SWIFTLET_BF16, SWIFTLET_F8_E4M3, SWIFTLET_Q4_0,   SWIFTLET_Q4_1,
                                SWIFTLET_Q5_0, SWIFTLET_Q5_1, SWIFTLET_Q8_0, SWIFTLET_Q2_K,    SWIFTLET_Q3_K,   SWIFTLET_Q4_K,
                                SWIFTLET_Q5_K, SWIFTLET_Q6_K, SWIFTLET_IQ4_NL, SWIFTLET_IQ4_XS, -1};
static const int float_types[] = {SWIFTLET_F32, SWIFTLET_F16, SWIFTLET_BF16, -1};
static const int written_types[] = {SWIFTLET_Q4_0, SWIFTLET_Q4_1, SWIFTLET_Q5_0, SWIFTLET_Q5_1, SWIFTLET_Q8_0,
                                    SWIFTLET_Q4_K, SWIFTLET_Q5_K, SWIFTLET_Q6_K, -1};

// Lengths in blocks; types without blocks take them as they are.
static const struct size block_sizes[] = {{1, 1, 1, 0}, {1, 1, 2, 0}, {1, 1, 3, 0}, {1, 1, 7, 0}, {1, 1, 8, 0}, {1, 1, 9, 0}, {1, 1, 17, 0}, {0, 0, 0, 0}};

static size_t values_of(const struct trial *t) { return t->size.length * swiftlet_block_length(t->type); }

// expand: stored [length blocks], result [values]. Columns are blocks.

static void prepare_expand(struct trial *t) {
  uint8_t *stored = add_operand(t, "stored", BYTES, READ, t->size.length * swiftlet_block_bytes(t->type), 1);
  fill_blocks(t, t->type, stored, t->size.length, 1);
  add_operand(t, "result", FLOATS, WRITE, values_of(t), 4);
}
static void run_expand(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t length = swiftlet_block_length(t->type);
  k->expand(t->type, (uint8_t *)t->operands[0].data + p.first_column * swiftlet_block_bytes(t->type), p.column_count * length,
            (float *)t->operands[1].data + p.first_column * length);
}
static void reference_expand(const struct trial *t, double *expected, double *bound) {
  for (size_t i = 0; i < values_of(t); i++) {
    // The parts are exact in F32, so the definition's arithmetic rounds once, when they are added.
    struct stored v = stored_value(t->type, bytes(t, 0), i);
    expected[i] = (float)(v.scaled + v.offset);
    bound[i] = 0;
  }
}
static struct work work_expand(const struct trial *t) {
  return (struct work){(double)values_of(t), (double)(t->operands[0].bytes + t->operands[1].bytes)};
}

// quantize: source [values], stored [length blocks]. `index` is what it returns.

static void prepare_quantize(struct trial *t) {
  float *source = add_operand(t, "source", FLOATS, READ, values_of(t), 4);
  fill_floats(t, source, values_of(t));
  // Weights differ in size from block to block, and some blocks are all zeros or all the same.
  size_t length = swiftlet_block_length(t->type);
  if (t->values == NORMAL && length > 1)
    for (size_t b = 0; b < t->size.length; b++)
      for (size_t i = b * length; i < (b + 1) * length; i++)
        source[i] = b % 7 == 5 ? 0 : b % 7 == 6 ? 0.25f : source[i] * (b % 2 ? 0.02f : 1.0f);
  add_operand(t, "stored", BYTES, WRITE, t->size.length * swiftlet_block_bytes(t->type), 1);
}
static void run_quantize(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t length = swiftlet_block_length(t->type);
  t->index = (size_t)k->quantize(t->type, (float *)t->operands[0].data + p.first_column * length, p.column_count * length,
                                 (uint8_t *)t->operands[1].data + p.first_column * swiftlet_block_bytes(t->type));
}
static struct work work_quantize(const struct trial *t) {
  return (struct work){0, (double)(t->operands[0].bytes + t->operands[1].bytes)};
}

// F32, F16 and BF16 are rounded as IEEE 754 says.
static void verify_floats(struct trial *t) {
  int is_finite = 1;
  for (size_t i = 0; i < values_of(t); i++) {
    double expected = floats(t, 0)[i];
    if (t->type == SWIFTLET_F16) {
      expected = round_to(expected, 10, -14);
      if (fabs(expected) > 65504) expected = copysign(INFINITY, expected);
    }
    if (t->type == SWIFTLET_BF16) {
      expected = round_to(expected, 7, -126);
      if (fabs(expected) > FLT_MAX) expected = copysign(INFINITY, expected);
    }
    is_finite &= isfinite(expected);
    double found = stored_value(t->type, t->operands[1].data, i).scaled;
    if (isnan(expected) ? !isnan(found) : found != expected || signbit(found) != signbit(expected))
      fail(t, "value %zu: found %g, expected %g", i, found, expected);
  }
  if ((int)t->index != is_finite) fail(t, "returned %zu, expected %d", t->index, is_finite);
}

// The squared error of a group when a line through its range, of as many steps as the type has, is rounded to.
static double plain_error(int type, const float *x, size_t count) {
  double low = 0, high = 0, extreme = 0, error = 0;
  if (type == SWIFTLET_Q4_1 || type == SWIFTLET_Q5_1) low = high = x[0];
  for (size_t i = 0; i < count; i++) {
    low = fmin(low, x[i]);
    high = fmax(high, x[i]);
    if (fabs(x[i]) > fabs(extreme)) extreme = x[i];
  }
  double first = 0, last = 0, scale = 0, offset = 0;
  switch (type) {
    case SWIFTLET_Q4_0: first = -8, last = 7, scale = extreme / -8; break;
    case SWIFTLET_Q5_0: first = -16, last = 15, scale = extreme / -16; break;
    case SWIFTLET_Q6_K: first = -32, last = 31, scale = extreme / -32; break;
    case SWIFTLET_Q8_0: first = -127, last = 127, scale = extreme / 127; break;
    case SWIFTLET_Q4_1:
    case SWIFTLET_Q4_K: last = 15, scale = (high - low) / 15, offset = low; break;
    case SWIFTLET_Q5_1:
    case SWIFTLET_Q5_K: last = 31, scale = (high - low) / 31, offset = low; break;
  }
  for (size_t i = 0; i < count; i++) {
    double q = scale == 0 ? 0 : fmin(fmax(nearbyint((x[i] - offset) / scale), first), last), rest = x[i] - (q * scale + offset);
    error += rest * rest;
  }
  return error;
}

// A block may have, beside the error of plain rounding with exact scales, what scales of F16 (and of six bits, or eight) cost.
static void verify_blocks(struct trial *t) {
  size_t length = swiftlet_block_length(t->type), group = t->type == SWIFTLET_Q6_K ? 16 : 32;
  const float *x = floats(t, 0);
  int should_store = 1;
  for (size_t i = 0; i < values_of(t); i++) should_store &= isfinite(x[i]);
  if (!should_store || !t->index) {
    const uint8_t *stored = t->operands[1].data;
    for (size_t i = 0; i < t->operands[1].bytes; i++)
      if (stored[i]) fail(t, "what cannot be stored gave the byte %d, not zeros", stored[i]);
    if (t->values == WIDE ? 0 : (int)t->index != should_store) fail(t, "returned %zu, expected %d", t->index, should_store);
    return;
  }
  for (size_t b = 0; b < t->size.length; b++) {
    double plain = 0, error = 0, squares = 0;
    for (size_t g = 0; g < length; g += group) plain += plain_error(t->type, x + b * length + g, group);
    for (size_t i = b * length; i < (b + 1) * length; i++) {
      struct stored v = stored_value(t->type, t->operands[1].data, i);
      double rest = x[i] - (float)(v.scaled + v.offset);
      if (!isfinite(v.scaled + v.offset)) fail(t, "value %zu is %g", i, v.scaled + v.offset);
      error += rest * rest;
      squares += (double)x[i] * x[i];
    }
    if (t->values == ZEROS && error != 0) fail(t, "zeros became %g", sqrt(error));
    if (t->values == NORMAL && error > 1.1 * plain + 1e-6 * squares)
      fail(t, "block %zu has the squared error %g, with plain rounding %g", b, error, plain);
  }
}

const struct operation storing_operations[] = {
    {"expand", 0, block_sizes, {{1, 1, 1 << 14, 0}}, ALL, 0, 1, 1, prepare_expand, run_expand, reference_expand, NULL, work_expand, all_types},
    {"quantize", 0, row_sizes, {{1, 1, 1 << 12, 0}}, ALL, 0, 0, 1, prepare_quantize, run_quantize, NULL, verify_floats, work_quantize, float_types},
    {"quantize", 0, block_sizes, {{1, 1, 1 << 12, 0}}, ALL, 0, 0, 1, prepare_quantize, run_quantize, NULL, verify_blocks, work_quantize, written_types},
    {0},
};
