// Runs the table of operations through the variants of the kernels: is every result right, and how fast is it?
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"

static const char *const value_names[] = {"normal", "zeros", "denormal", "wide", "special"};
static const char *const placement_names[] = {"before a guard page", "behind a guard page", "unaligned"};

// Whether all variants of the architecture sum in lanes of one width, and so give the same bits.
#if defined(__aarch64__)
#define ONE_ARITHMETIC 1
#else
#define ONE_ARITHMETIC 0
#endif

static int quick;
static int passed, failed;

// What is expected of the result, for the sizes of checks.
enum { MAXIMUM_RESULTS = 1 << 18 };
static double expected[MAXIMUM_RESULTS], bound[MAXIMUM_RESULTS];
// Results of the variant, all computed at once; and the generic variant's.
static uint8_t whole[8 * MAXIMUM_RESULTS];

static struct part everything(const struct trial *t) {
  // Operations on single rows split their length: into values, or into blocks where the length counts these.
  size_t columns = t->size.columns > 1 || t->operation->row_grain ? t->size.columns : t->size.length;
  return (struct part){0, t->size.rows, 0, columns};
}

static void begin(struct trial *t, const struct swiftlet_kernels *kernels, const struct operation *operation, int type, struct size size, enum values values,
                  enum placement placement, uint64_t seed) {
  *t = (struct trial){.operation = operation, .kernels = kernels, .size = size, .type = type, .values = values, .placement = placement};
  t->random = (seed + 1) * 0x9E3779B97F4A7C15ull;
  for (int i = 0; i < 4; i++) next_random(t);
  operation->prepare(t);
  keep_operands(t);
}

// Compares the last operand with the reference. Returns the largest error as a share of its bound.
static double compare(struct trial *t) {
  const struct operand *result = &t->operands[t->operand_count - 1];
  double worst = 0;
  if (result->count > MAXIMUM_RESULTS) {
    fail(t, "the result is larger than this program's tables");
    return 0;
  }
  t->operation->reference(t, expected, bound);
  for (size_t i = 0; i < result->count; i++) {
    double found = element(result, i, 0), error = fabs(found - expected[i]);
    if (bound[i] < 0) {
      size_t width = result->bytes / result->count;
      if (memcmp((uint8_t *)result->data + i * width, (uint8_t *)result->before + i * width, width))
        fail(t, "element %zu, between rows, was written to", i);
    } else if (isnan(expected[i]) || isnan(bound[i])) {
      if (!isnan(found)) fail(t, "element %zu: found %g, expected NaN", i, found);
    } else if (isinf(expected[i])) {
      if (found != expected[i]) fail(t, "element %zu: found %g, expected %g", i, found, expected[i]);
    } else if (!(error <= bound[i])) {
      fail(t, "element %zu: found %.9g, expected %.9g within %.3g", i, found, expected[i], bound[i]);
    } else if (bound[i] > 0 && error / bound[i] > worst) {
      worst = error / bound[i];
    }
  }
  return worst;
}

// The outputs' bytes, one after the other, and the number that was returned. Returns how many bytes these are.
static size_t outputs(const struct trial *t, uint8_t *to) {
  size_t size = 0;
  for (int i = 0; i < t->operand_count; i++) {
    if (t->operands[i].access == READ || t->operands[i].access == SCRATCH) continue;
    if (size + t->operands[i].bytes > sizeof whole) break;
    memcpy(to + size, t->operands[i].data, t->operands[i].bytes);
    size += t->operands[i].bytes;
  }
  return size;
}

// Bit for bit; but any NaN is as good as another: which of two is passed on depends on the order of an instruction's operands.
static int same_outputs(const struct trial *t, const uint8_t *as) {
  for (int i = 0; i < t->operand_count; i++) {
    const struct operand *operand = &t->operands[i];
    if (operand->access == READ || operand->access == SCRATCH) continue;
    size_t width = operand->kind == FLOATS ? 4 : operand->kind == BF16S ? 2 : operand->bytes;
    for (size_t at = 0; at < operand->bytes; at += width) {
      if (!memcmp(as + at, (const uint8_t *)operand->data + at, width)) continue;
      if (operand->kind != FLOATS && operand->kind != BF16S) return 0;
      // BF16 are the upper halves of floats.
      float floats[2] = {0};
      memcpy((uint8_t *)&floats[0] + 4 - width, as + at, width);
      memcpy((uint8_t *)&floats[1] + 4 - width, (const uint8_t *)operand->data + at, width);
      if (!isnan(floats[0]) || !isnan(floats[1])) return 0;
    }
    as += operand->bytes;
  }
  return 1;
}

// Computes the result in parts of some rows and columns; its bits must be those of `whole`.
static void check_parts(const struct swiftlet_kernels *kernels, struct trial *t) {
  static const size_t row_counts[] = {1, 2, 3, 7, 1000}, column_counts[] = {1, 3, 4, 1000};
  const struct operation *o = t->operation;
  struct part all = everything(t);
  for (size_t r = 0; r < 5; r++)
    for (size_t c = 0; c < 4; c++) {
      size_t rows = o->row_grain ? row_counts[r] * o->row_grain : all.row_count;
      size_t columns = o->column_grain ? column_counts[c] * o->column_grain : all.column_count;
      if ((r && !o->row_grain) || (c && !o->column_grain) || (quick && r % 3 && c % 2)) continue;
      reset_operands(t);
      for (size_t m = 0; m < all.row_count; m += rows)
        for (size_t n = 0; n < all.column_count; n += columns) {
          size_t height = rows < all.row_count - m ? rows : all.row_count - m;
          size_t width = columns < all.column_count - n ? columns : all.column_count - n;
          if (!guarded(t, kernels, (struct part){m, height, n, width}, o->run)) return;
        }
      if (!same_outputs(t, whole)) fail(t, "other bits when computed %zu rows and %zu columns at a time", rows, columns);
      check_operands(t);
    }
}

static const struct swiftlet_kernels *generic_kernels(void) {
  const struct swiftlet_kernels *kernels, *last = NULL;
  for (size_t i = 0; (kernels = swiftlet_kernels_variant(i)); i++) last = kernels;
  return last;
}

static void check(const struct swiftlet_kernels *kernels, const struct operation *o, int type) {
  struct trial t;
  double worst = 0;
  size_t trials = 0;
  const char *type_text = o->types ? type_name(type) : "";
  for (size_t s = 0; o->sizes[s].length; s++)
    for (int v = 0; v < 5; v++) {
      if (!(o->values & (1u << v))) continue;
      for (int placement = 0; placement < 3; placement++) {
        // Two of three, when time matters: every place and every kind still come together.
        if (quick && (s + (size_t)v + (size_t)placement) % 3 == 0) continue;
        begin(&t, kernels, o, type, o->sizes[s], (enum values)(1 << v), (enum placement)placement, 1000 * s + 10 * (size_t)v + (size_t)placement);
        trials++;
        int ran = guarded(&t, kernels, everything(&t), o->run);
        if (ran) {
          check_operands(&t);
          if (o->reference) {
            double error = compare(&t);
            worst = error > worst ? error : worst;
          }
          if (o->verify) o->verify(&t);
          outputs(&t, whole);
        }
        if (ran && v % 4 == 0 && (o->row_grain || o->column_grain)) check_parts(kernels, &t);
        if (ran && (o->is_same_in_all_variants || ONE_ARITHMETIC) && kernels != generic_kernels()) {
          reset_operands(&t);
          o->run(generic_kernels(), &t, everything(&t));
          if (!same_outputs(&t, whole)) fail(&t, "other bits than the generic variant's");
        }
        if (t.failure[0]) {
          printf("%-10s %-24s %-8s FAILED  size %zu x %zu x %zu (gap %zu), %s values, %s: %s\n", kernels->name, o->name, type_text,
                 t.size.rows, t.size.columns, t.size.length, t.size.gap, value_names[v], placement_names[placement], t.failure);
          failed++;
          return;
        }
      }
    }
  passed++;
  printf("%-10s %-24s %-8s ok  %4zu trials", kernels->name, o->name, type_text, trials);
  if (worst > 0) printf(", at most %.0f %% of the bound", 100 * worst);
  printf("\n");
}

static void measure(const struct swiftlet_kernels *kernels, const struct operation *o, int type) {
  for (int s = 0; s < 2; s++) {
    struct size size = o->speed_sizes[s];
    if (!size.length) continue;
    if (o->types) size.length /= swiftlet_block_length(type);
    struct trial t;
    begin(&t, kernels, o, type, size, NORMAL, BEHIND_GUARD, 1);
    struct part all = everything(&t);
    // The best of runs of a tenth of a second: as often as that takes, then four times more.
    double best = INFINITY;
    size_t count = 1;
    for (int round = 0; round < 5;) {
      double start = seconds();
      for (size_t i = 0; i < count; i++) o->run(kernels, &t, all);
      double time = seconds() - start;
      if (time < 0.1 && round == 0 && count < 1u << 30) {
        count *= time < 0.01 ? 10 : 2;
        continue;
      }
      round++;
      best = time / (double)count < best ? time / (double)count : best;
    }
    struct work work = o->work(&t);
    printf("%-10s %-24s %-8s %5zu x %5zu x %6zu  %9.2f us  %7.2f GB/s  %7.2f GFLOP/s\n", kernels->name, o->name,
           o->types ? type_name(type) : "", size.rows, size.columns, o->types ? size.length * swiftlet_block_length(type) : size.length,
           best * 1e6, work.bytes / best / 1e9, work.flops / best / 1e9);
  }
}

static void usage(void) {
  fprintf(stderr,
          "kernel-checks [--quick] [--speed] [--force] [--list] [--slack] [--only TEXT] [VARIANT...]\n"
          "  VARIANT       a variant of the kernels; without one, all that this CPU can run\n"
          "  --quick       two of three trials, for emulators\n"
          "  --speed       measures instead of checking\n"
          "  --only TEXT   operations whose name begins with TEXT\n"
          "  --force       runs variants though this CPU is said not to have their instructions\n"
          "  --slack       64 bytes between operands and guard pages, for emulators that read more than an instruction does\n"
          "  --list        only lists the variants\n");
  exit(2);
}

int main(int count, char **arguments) {
  const char *only = "", *names[16];
  int name_count = 0, speed = 0, force = 0, only_list = 0, found = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < count; i++) {
    if (!strcmp(arguments[i], "--quick")) quick = 1;
    else if (!strcmp(arguments[i], "--speed")) speed = 1;
    else if (!strcmp(arguments[i], "--force")) force = 1;
    else if (!strcmp(arguments[i], "--list")) only_list = 1;
    else if (!strcmp(arguments[i], "--slack")) slack = 64;
    else if (!strcmp(arguments[i], "--only") && i + 1 < count) only = arguments[++i];
    else if (arguments[i][0] == '-' || name_count == 16) usage();
    else names[name_count++] = arguments[i];
  }
  const struct swiftlet_kernels *kernels;
  for (size_t i = 0; (kernels = swiftlet_kernels_variant(i)); i++)
    printf("variant %-10s %s\n", kernels->name, swiftlet_kernels_supported(kernels) ? "runs on this CPU" : "is not for this CPU");
  if (only_list) return 0;
  if (speed) printf("limits of one thread: reads %.1f GB/s, multiplies and adds %.1f GFLOP/s\n", limit_read() / 1e9, limit_fma() / 1e9);
  for (size_t i = 0; (kernels = swiftlet_kernels_variant(i)); i++) {
    int is_wanted = !name_count;
    for (int n = 0; n < name_count; n++) is_wanted |= !strcmp(names[n], kernels->name);
    if (!is_wanted) continue;
    found++;
    if (!swiftlet_kernels_supported(kernels) && !force) {
      if (name_count) {
        printf("%s FAILED: this CPU does not have its instructions\n", kernels->name);
        failed++;
      }
      continue;
    }
    for (const struct operation *const *list = table; *list; list++)
      for (const struct operation *operation = *list; operation->name; operation++) {
        if (strncmp(operation->name, only, strlen(only)) || (operation->is_there && !operation->is_there(kernels))) continue;
        const int one[] = {operation->type, -1}, *types = operation->types ? operation->types : one;
        for (; *types >= 0; types++) {
          if (speed) measure(kernels, operation, *types);
          else check(kernels, operation, *types);
        }
      }
  }
  if (found < name_count) {
    printf("no such variant\n");
    failed++;
  }
  if (speed) printf("limits of one thread: reads %.1f GB/s, multiplies and adds %.1f GFLOP/s\n", limit_read() / 1e9, limit_fma() / 1e9);
  else printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
