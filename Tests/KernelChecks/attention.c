// Attention over one block of the cache, and merging two parts of a row.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"

// attend: size.rows query rows, size.columns of them a token; keys of size.length values. How many positions the first token sees, and
// how much longer than needed strides are, follow from size.gap. Values are the leading part of the keys where the length is even.

enum { POSITIONS = SWIFTLET_ATTENTION_BLOCK };

static const struct size attention_sizes[] = {{1, 1, 1, 3},   {1, 1, 16, 8},  {2, 1, 33, 0},  {3, 3, 64, 2},  {4, 1, 48, 7},   {7, 7, 72, 5},
                                              {12, 4, 24, 1}, {16, 16, 96, 4}, {33, 1, 20, 0}, {48, 16, 80, 6}, {64, 2, 192, 3}, {0, 0, 0, 0}};
static const int attention_types[] = {SWIFTLET_F32, SWIFTLET_BF16, -1};

static size_t rounded_up(size_t count) { return (count + SWIFTLET_PADDING - 1) / SWIFTLET_PADDING * SWIFTLET_PADDING; }
static size_t value_dimension(const struct trial *t) { return t->size.length % 2 ? t->size.length : (t->size.length + 1) / 2; }
static int are_shared(const struct trial *t) { return t->size.length % 2 == 0; }
static size_t key_stride(const struct trial *t) { return t->size.length + t->size.gap; }
static size_t value_stride(const struct trial *t) { return are_shared(t) ? key_stride(t) : value_dimension(t) + t->size.gap; }
static ptrdiff_t first_visible(const struct trial *t) { return (ptrdiff_t)t->size.gap * 9 - 1; }
static size_t seen_by(const struct trial *t, size_t row) {
  ptrdiff_t seen = first_visible(t) + (ptrdiff_t)(row / t->size.columns);
  return seen <= 0 ? 0 : seen < POSITIONS ? (size_t)seen : POSITIONS;
}

// Operands of `attend`.
enum { QUERIES, KEYS, VALUES, SCORES, FACTORS, PANEL, MAXIMUMS, TOTALS, SUMS };

// Cut to what BF16 holds.
static float upper_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits &= 0xFFFF0000;
  memcpy(&value, &bits, 4);
  return value;
}

// Values of one kind, where no row sees them no numbers.
static void fill_positions(struct trial *t, void *to, size_t stride, size_t count) {
  size_t seen = seen_by(t, t->size.rows - 1);
  for (size_t p = 0; p < POSITIONS; p++)
    for (size_t i = 0; i < count; i++) {
      float value;
      fill_floats(t, &value, 1);
      if (p >= seen) value = NAN;
      if (t->type == SWIFTLET_F32) {
        ((float *)to)[p * stride + i] = value;
      } else {
        uint32_t bits;
        memcpy(&bits, &value, 4);
        ((uint16_t *)to)[p * stride + i] = (uint16_t)(bits >> 16);
      }
    }
}

static void prepare_attend(struct trial *t) {
  size_t rows = t->size.rows, query_stride = rounded_up(t->size.length), sum_stride = rounded_up(value_dimension(t));
  int is_bf16 = t->type == SWIFTLET_BF16;
  float *queries = add_operand(t, "queries", FLOATS, READ, rows * query_stride, 4);
  memset(queries, 0, rows * query_stride * 4);
  for (size_t m = 0; m < rows; m++) {
    fill_floats(t, queries + m * query_stride, t->size.length);
    // Scores of some ten, as of trained models.
    for (size_t k = 0; k < t->size.length; k++) {
      float *query = &queries[m * query_stride + k];
      *query /= sqrtf((float)t->size.length);
      // Rounded tiles take them so; how they are rounded, prepare_input's checks tell.
      if (is_bf16) *query = upper_half(*query);
    }
  }
  size_t key_count = (POSITIONS - 1) * key_stride(t) + t->size.length;
  void *keys = add_operand(t, "keys", is_bf16 ? BF16S : FLOATS, READ, key_count, is_bf16 ? 2 : 4);
  memset(keys, 0, key_count * (is_bf16 ? 2 : 4));
  fill_positions(t, keys, key_stride(t), t->size.length);
  size_t value_count = are_shared(t) ? 1 : (POSITIONS - 1) * value_stride(t) + value_dimension(t);
  void *values = add_operand(t, "values", is_bf16 ? BF16S : FLOATS, READ, value_count, is_bf16 ? 2 : 4);
  memset(values, 0, value_count * (is_bf16 ? 2 : 4));
  if (!are_shared(t)) fill_positions(t, values, value_stride(t), value_dimension(t));
  add_operand(t, "scores", FLOATS, SCRATCH, rows * POSITIONS, 4);
  add_operand(t, "factors", FLOATS, SCRATCH, rows, 4);
  size_t panel = 4 * query_stride > POSITIONS * 4 * SWIFTLET_PADDING ? 4 * query_stride : POSITIONS * 4 * SWIFTLET_PADDING;
  add_operand(t, "panel", FLOATS, SCRATCH, panel, 4);
  float *maximums = add_operand(t, "maximums", FLOATS, UPDATE, rows, 4), *totals = add_operand(t, "totals", FLOATS, UPDATE, rows, 4);
  float *sums = add_operand(t, "sums", FLOATS, UPDATE, rows * sum_stride, 4);
  memset(sums, 0, rows * sum_stride * 4);
  // Every third row has seen nothing yet.
  for (size_t m = 0; m < rows; m++) {
    maximums[m] = m % 3 == 0 ? -INFINITY : (float)(3 * uniform(t));
    totals[m] = m % 3 == 0 ? 0 : 1 + (float)uniform(t);
    for (size_t d = 0; m % 3 && d < value_dimension(t); d++) sums[m * sum_stride + d] = (float)(2 * uniform(t) - 1);
  }
}

static void run_tile(const struct swiftlet_kernels *k, struct trial *t, struct part p, int is_rounded) {
  size_t query_stride = rounded_up(t->size.length), sum_stride = rounded_up(value_dimension(t));
  float *data[9], *queries = NULL;
  for (int i = 0; i < 9; i++) data[i] = t->operands[i].data;
  if (is_rounded) {
    queries = malloc(p.row_count * query_stride * 4);
    for (size_t m = 0; m < p.row_count; m++)
      k->prepare_input(SWIFTLET_BF16, data[QUERIES] + (p.first_row + m) * query_stride, t->size.length, queries + m * query_stride);
  }
  struct swiftlet_attention_tile tile = {
      .rows = p.row_count, .rows_per_token = t->size.columns, .key_dimension = t->size.length, .value_dimension = value_dimension(t),
      .is_rounded = is_rounded, .queries = queries ? queries : data[QUERIES] + p.first_row * query_stride, .query_bytes = query_stride * 4, .maximums = data[MAXIMUMS] + p.first_row,
      .totals = data[TOTALS] + p.first_row, .sums = data[SUMS] + p.first_row * sum_stride, .sum_stride = sum_stride,
      .scores = data[SCORES] + p.first_row * POSITIONS, .factors = data[FACTORS] + p.first_row, .panel = data[PANEL]};
  k->attend(&tile, t->type, data[KEYS], key_stride(t), are_shared(t) ? data[KEYS] : data[VALUES], value_stride(t),
            first_visible(t) + (ptrdiff_t)(p.first_row / t->size.columns));
  free(queries);
}

static void run_attend(const struct swiftlet_kernels *k, struct trial *t, struct part p) { run_tile(k, t, p, 0); }
static void run_attend_rounded(const struct swiftlet_kernels *k, struct trial *t, struct part p) { run_tile(k, t, p, 1); }
static int attends_rounded(const struct swiftlet_kernels *k) { return k->attends_bf16; }

// What a row is after the block, and how far from it may be what was computed, relative to the sum of magnitudes.
struct row_state {
  double maximum, total, total_error, error;
  double weights[POSITIONS], factor;
};
static struct row_state row_after(const struct trial *t, size_t m) {
  size_t seen = seen_by(t, m), query_stride = rounded_up(t->size.length);
  double scores[POSITIONS], worst = 0;
  float before = floats(t, MAXIMUMS)[m];
  struct row_state state = {.maximum = before};
  for (size_t p = 0; p < seen; p++) {
    double magnitude = 0;
    scores[p] = 0;
    for (size_t k = 0; k < t->size.length; k++) {
      double product = (double)floats(t, QUERIES)[m * query_stride + k] * element(&t->operands[KEYS], p * key_stride(t) + k, 1);
      scores[p] += product;
      magnitude += fabs(product);
    }
    worst = fmax(worst, magnitude);
    state.maximum = fmax(state.maximum, scores[p]);
  }
  double shift = isinf(state.maximum) ? 0 : state.maximum;
  state.factor = exp(before - shift);
  state.total = floats(t, TOTALS)[m] * state.factor;
  for (size_t p = 0; p < seen; p++) state.total += state.weights[p] = exp(scores[p] - shift);
  // A score's and the maximum's error, their difference's rounding, two units of the exponential, and the roundings of a sum.
  state.error = 2 * ROUNDING * ((double)t->size.length + 4) * worst + ROUNDING * (2 * fabs(shift) + worst + 16 + POSITIONS);
  // Below exp(-87.3) is zero.
  state.total_error = state.error * state.total + 2e-38 * POSITIONS;
  return state;
}

// `rounding`: of the weights of values, relative.
static void expect_sums(const struct trial *t, double rounding, double *expected, double *bound) {
  size_t sum_stride = rounded_up(value_dimension(t));
  for (size_t m = 0; m < t->size.rows; m++) {
    struct row_state state = row_after(t, m);
    for (size_t d = 0; d < sum_stride; d++) {
      size_t at = m * sum_stride + d;
      // The rest of a row may hold anything.
      bound[at] = INFINITY;
      expected[at] = 0;
      if (d >= value_dimension(t)) continue;
      double sum = floats(t, SUMS)[at] * state.factor, magnitude = fabs(sum);
      for (size_t p = 0; p < seen_by(t, m); p++) {
        double value = element(&t->operands[are_shared(t) ? KEYS : VALUES], p * value_stride(t) + d, 1) * state.weights[p];
        sum += value;
        magnitude += fabs(value);
      }
      expected[at] = sum;
      bound[at] = (state.error + rounding) * magnitude + 2e-38 * POSITIONS * 4;
    }
  }
}
static void reference_attend(const struct trial *t, double *expected, double *bound) { expect_sums(t, 0, expected, bound); }
static void reference_attend_rounded(const struct trial *t, double *expected, double *bound) { expect_sums(t, 0x1p-8, expected, bound); }

static void verify_attend(struct trial *t) {
  for (size_t m = 0; m < t->size.rows; m++) {
    struct row_state state = row_after(t, m);
    float maximum = ((float *)t->operands[MAXIMUMS].data)[m], total = ((float *)t->operands[TOTALS].data)[m];
    if (seen_by(t, m) == 0 && (memcmp(&maximum, floats(t, MAXIMUMS) + m, 4) || memcmp(&total, floats(t, TOTALS) + m, 4)))
      fail(t, "row %zu sees nothing, but its state changed", m);
    if (isinf(state.maximum) ? (double)maximum != state.maximum : !(fabs(maximum - state.maximum) <= state.error))
      fail(t, "row %zu: maximum %.9g, expected %.9g", m, (double)maximum, state.maximum);
    if (!(fabs(total - state.total) <= state.total_error)) fail(t, "row %zu: total %.9g, expected %.9g", m, (double)total, state.total);
  }
}

static struct work work_attend(const struct trial *t) {
  double positions = 0;
  for (size_t m = 0; m < t->size.rows; m++) positions += (double)seen_by(t, m);
  return (struct work){2 * positions * (double)(t->size.length + value_dimension(t)), (double)t->operands[KEYS].bytes};
}

// merge_attention: later sums and sums, [length]; maximum and total. `columns` 2: nothing was seen before; 3: nothing later.

static const struct size merge_sizes[] = {{1, 1, 1, 0}, {1, 2, 17, 0}, {1, 3, 32, 0}, {1, 1, 100, 0}, {1, 3, 5, 0}, {1, 1, 512, 0}, {0, 0, 0, 0}};

static void prepare_merge(struct trial *t) {
  float *state = add_operand(t, "later maximum and total", FLOATS, READ, 2, 4);
  state[0] = t->size.columns == 3 ? -INFINITY : (float)(4 * uniform(t));
  state[1] = t->size.columns == 3 ? 0 : 1;
  fill_floats(t, add_operand(t, "later sums", FLOATS, READ, t->size.length, 4), t->size.length);
  float *before = add_operand(t, "maximum and total", FLOATS, UPDATE, 2, 4);
  before[0] = t->size.columns == 2 ? -INFINITY : (float)(4 * uniform(t));
  before[1] = t->size.columns == 2 ? 0 : 2;
  fill_floats(t, add_operand(t, "sums", FLOATS, UPDATE, t->size.length, 4), t->size.length);
}
static void run_merge(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  (void)p;
  float *later = t->operands[0].data, *state = t->operands[2].data;
  k->merge_attention(&state[0], &state[1], t->operands[3].data, later[0], later[1], t->operands[1].data, t->size.length);
}
static void reference_merge(const struct trial *t, double *expected, double *bound) {
  double later = floats(t, 0)[0], before = floats(t, 2)[0], largest = fmax(later, before);
  for (size_t i = 0; i < t->size.length; i++) {
    double a = floats(t, 3)[i] * exp(before - largest), b = floats(t, 1)[i] * exp(later - largest);
    expected[i] = a + b;
    bound[i] = 12 * ROUNDING * (fabs(a) + fabs(b)) + 4 * SMALLEST;
  }
}
static void verify_merge(struct trial *t) {
  double later = floats(t, 0)[0], before = floats(t, 2)[0], largest = fmax(later, before);
  double total = floats(t, 2)[1] * exp(before - largest) + floats(t, 0)[1] * exp(later - largest);
  const float *state = t->operands[2].data;
  if ((double)state[0] != largest) fail(t, "maximum %.9g, expected %.9g", (double)state[0], largest);
  if (!(fabs(state[1] - total) <= 12 * ROUNDING * total)) fail(t, "total %.9g, expected %.9g", (double)state[1], total);
}
static struct work work_merge(const struct trial *t) { return (struct work){3 * (double)t->size.length, 12 * (double)t->size.length}; }

const struct operation attention_operations[] = {
    {"attend", 0, attention_sizes, {{16, 16, 576, 8}, {64, 2, 128, 8}}, NORMAL | ZEROS | DENORMAL, 16, 0, 0, prepare_attend, run_attend, reference_attend, verify_attend, work_attend, attention_types},
    {"attend_rounded", SWIFTLET_BF16, attention_sizes, {{16, 16, 576, 8}, {64, 2, 128, 8}}, NORMAL | ZEROS | DENORMAL, 16, 0, 0, prepare_attend, run_attend_rounded, reference_attend_rounded, verify_attend, work_attend, NULL, attends_rounded},
    {"merge_attention", 0, merge_sizes, {{1, 1, 512, 0}}, NORMAL | ZEROS | DENORMAL | SPECIAL, 0, 0, 0, prepare_merge, run_merge, reference_merge, verify_merge, work_merge, NULL},
    {0},
};
