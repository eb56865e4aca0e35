// Rows of units as vectors, the units' means and variances, and sums over rows.

#ifndef INTERHAT_TF_KERNELS_ROWS_H_
#define INTERHAT_TF_KERNELS_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "moments.h"
#include "op.h"
#include "vectors.h"

namespace interhat {

constexpr int64_t kTogether = 256;  // rows whose sums need no more than single precision

struct Rows {
  int64_t count;        // N
  int width;            // n
  const float* units;   // s, (N, n)
  const bool* present;  // (N,), or null: all are

  bool has(int64_t row) const { return !present || present[row]; }
};

// The vectors of a row: the last one overlaps with the one before, or is not full.
template <int W>
class Row {
 public:
  explicit Row(int width)
      : vectors((width + W - 1) / W), size(std::min(W, width)), width_(width) {}

  INLINE Vector<W> take(const float* row, int v) const {
    const float* const from = row + column(v);
    if (size == W) return load<W>(from);
    Vector<W> vector = {};
    for (int lane = 0; lane < size; lane++) vector[lane] = from[lane];
    return vector;
  }
  INLINE void put(Vector<W> vector, float* row, int v) const {
    float* const to = row + column(v);
    if (size == W) return store<W>(vector, to);
    for (int lane = 0; lane < size; lane++) to[lane] = vector[lane];
  }

  const int vectors;
  const int size;  // numbers in a vector

 private:
  INLINE int column(int v) const { return std::min(v * W, width_ - size); }

  const int width_;
};

// Adds sums of units, in vectors, to those in double precision.
template <int W>
INLINE void add_up(const Row<W>& row, const Vector<W>* sums, std::vector<double>* to) {
  std::vector<float> numbers(to->size());
  for (int v = 0; v < row.vectors; v++) row.put(sums[v], numbers.data(), v);
  for (size_t n = 0; n < to->size(); n++) (*to)[n] += numbers[n];
}

struct TakeMoments {
  template <int W>
  static INLINE void run(const Rows& rows, Moments* to, int64_t first, int64_t last) {
    const Row<W> row(rows.width);
    Vector<W>*mean, *deviations;
    Arena<W> arena([&](Arena<W>& arena) {
      for (Vector<W>** array : {&mean, &deviations}) *array = arena.take(row.vectors);
    });
    std::vector<float> of_mean(rows.width), of_deviations(rows.width);
    for (; first < last; first += kTogether) {
      arena.fill_with_zeros();
      int64_t records = 0;
      for (int64_t n = first; n < std::min(first + kTogether, last); n++) {
        if (!rows.has(n)) continue;
        const float share = 1.0f / ++records;
        for (int v = 0; v < row.vectors; v++) {  // Welford's update
          const Vector<W> s = row.take(rows.units + n * rows.width, v);
          const Vector<W> difference = s - mean[v];
          mean[v] += difference * share;
          deviations[v] += difference * (s - mean[v]);
        }
      }
      for (int v = 0; v < row.vectors; v++) {
        row.put(mean[v], of_mean.data(), v);
        row.put(deviations[v], of_deviations.data(), v);
      }
      to->add(of_mean, of_deviations, records);
    }
  }
};

// Runs `work` for parts of the rows, given their first and the one after the last.
template <typename Work>
void for_parts(OpKernelContext* context, const Rows& rows, const Work& work) {
  shard_parts(context, rows.count, parts_of(context, rows.count),
              [&](int64_t, int64_t first, int64_t last) { work(first, last); });
}

// Runs `work` for each part of the rows, and adds up what the parts have found: in order, so that
// results can be repeated. What is found has the width of a row, and `add`.
template <typename Found, typename Work>
Found over_parts(OpKernelContext* context, const Rows& rows, const Work& work) {
  const int64_t parts = parts_of(context, rows.count);
  std::vector<Found> of_parts(parts, Found(rows.width));
  shard_parts(context, rows.count, parts, [&](int64_t part, int64_t first, int64_t last) {
    work(&of_parts[part], first, last);
  });
  Found all(rows.width);
  for (const Found& of_part : of_parts) all.add(of_part);
  return all;
}

// Of an operation whose first input are the rows, and whose fourth and fifth are moving means and
// variances: its results, of the shapes of the rows, of means and of variances.
struct Normalized {
  float *outputs, *mean, *variance;

  absl::Status allocate(OpKernelContext* context) {
    float** const arrays[] = {&outputs, &mean, &variance};
    for (int i = 0; i < 3; i++) {
      Tensor* output;
      TF_RETURN_IF_ERROR(context->allocate_output(i, shape_of(context, i ? 3 : 0), &output));
      *arrays[i] = output->flat<float>().data();
    }
    return absl::OkStatus();
  }

  static absl::Status shapes(tensorflow::shape_inference::InferenceContext* context) {
    for (int i = 0; i < 3; i++) context->set_output(i, context->input(i ? 3 : 0));
    return absl::OkStatus();
  }
};

// Writes the means and variances, (n,) each, of the rows that are present; without any, the
// moving ones.
inline void write_moments(OpKernelContext* context, const Rows& rows, const Normalized& to) {
  const Moments moments =
      over_parts<Moments>(context, rows, [&](Moments* to, int64_t first, int64_t last) {
        run<TakeMoments>(rows, to, first, last);
      });
  const float *const mean = floats_of(context, 3), *const variance = floats_of(context, 4);
  for (int n = 0; n < rows.width; n++) {
    const bool found = moments.records > 0;
    to.mean[n] = found ? moments.mean[n] : mean[n];
    to.variance[n] = found ? moments.deviations[n] / moments.records : variance[n];
  }
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_ROWS_H_
