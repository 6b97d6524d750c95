// Float products.
#include <math.h>

#include "entries.h"

// product: rows [rows, length], panel [columns, length], result [rows, columns]; strides longer by the gap.

static const struct size product_sizes[] = {{1, 1, 16, 0},  {1, 7, 48, 3},   {3, 5, 16, 1},   {4, 2, 32, 0},   {5, 4, 64, 5},   {6, 9, 576, 16},
                                            {7, 17, 48, 1}, {13, 11, 112, 2}, {16, 16, 64, 0}, {33, 20, 80, 0}, {1, 67, 1536, 0}, {0, 0, 0, 0}};

static void prepare_product(struct trial *t) {
  struct size s = t->size;
  size_t rows = (s.rows - 1) * (s.length + s.gap) + s.length, panel = (s.columns - 1) * (s.length + s.gap) + s.length;
  fill_floats(t, add_operand(t, "rows", FLOATS, READ, rows, 4), rows);
  fill_floats(t, add_operand(t, "panel", FLOATS, READ, panel, 4), panel);
  add_operand(t, "result", FLOATS, WRITE, (s.rows - 1) * (s.columns + s.gap) + s.columns, 4);
}
static void run_product(const struct swiftlet_kernels *k, struct trial *t, struct part p) {
  size_t stride = t->size.length + t->size.gap, result_stride = t->size.columns + t->size.gap;
  k->product((float *)t->operands[0].data + p.first_row * stride, stride, p.row_count, (float *)t->operands[1].data + p.first_column * stride,
             stride, p.column_count, t->size.length, (float *)t->operands[2].data + p.first_row * result_stride + p.first_column, result_stride);
}
static void reference_product(const struct trial *t, double *expected, double *bound) {
  struct size s = t->size;
  size_t stride = s.length + s.gap, result_stride = s.columns + s.gap;
  for (size_t i = 0; i < t->operands[2].count; i++) bound[i] = -1;
  for (size_t m = 0; m < s.rows; m++)
    for (size_t n = 0; n < s.columns; n++) {
      double sum = 0, magnitude = 0;
      for (size_t k = 0; k < s.length; k++) {
        double product = (double)floats(t, 0)[m * stride + k] * floats(t, 1)[n * stride + k];
        sum += product;
        magnitude += fabs(product);
      }
      // Four lanes or more, whose sums have a rounding for each product and each addition.
      expected[m * result_stride + n] = sum;
      bound[m * result_stride + n] = ROUNDING * ((double)s.length / 2 + 4) * magnitude + SMALLEST * (double)s.length;
    }
}
static struct work work_product(const struct trial *t) {
  double m = (double)t->size.rows, n = (double)t->size.columns, k = (double)t->size.length;
  return (struct work){2 * m * n * k, 4 * (m * k + n * k + m * n)};
}

const struct operation product_operations[] = {
    {"product", 0, product_sizes, {{64, 64, 1536, 0}, {1, 8192, 2048, 0}}, ALL, 1, 1, 0, prepare_product, run_product, reference_product, NULL, work_product, NULL},
    {0},
};
