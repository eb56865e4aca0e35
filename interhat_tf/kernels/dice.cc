// Dice with a batch's mean and variance, and its gradient through both; see `ops/dice.py`.
//
//     f(s) = s (alpha + (1 - alpha) p),  p = 1 / (1 + exp(-(s - mean) / sqrt(variance + epsilon)))
//
// A pass over the rows takes the moments, another one writes f. The gradient has two as well: one
// for its sums over the rows, one for the units. Vectors lie along the units of a row.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "moments.h"
#include "op.h"
#include "vectors.h"

namespace {

constexpr int64_t kTogether = 256;  // rows whose sums need no more than single precision

using interhat::Arena;
using interhat::floats_of;
using interhat::load;
using interhat::Moments;
using interhat::OpKernel;
using interhat::OpKernelConstruction;
using interhat::OpKernelContext;
using interhat::shape_of;
using interhat::sigmoid;
using interhat::store;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;

struct Problem {
  int64_t rows;           // N
  int width;              // n
  float epsilon;          // of the variance
  const float* units;     // s, (N, n)
  const float* alpha;     // (n,)
  const bool* present;    // (N,)
  const float* mean;      // (n,)
  const float* variance;  // (n,)
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

struct TakeMoments {
  template <int W>
  static INLINE void run(const Problem& problem, Moments* to, int64_t first, int64_t last) {
    const Row<W> row(problem.width);
    Vector<W>*mean, *deviations;
    Arena<W> arena([&](Arena<W>& arena) {
      for (Vector<W>** array : {&mean, &deviations}) *array = arena.take(row.vectors);
    });
    std::vector<float> of_mean(problem.width), of_deviations(problem.width);
    for (; first < last; first += kTogether) {
      arena.fill_with_zeros();
      int64_t records = 0;
      for (int64_t n = first; n < std::min(first + kTogether, last); n++) {
        if (!problem.present[n]) continue;
        const float share = 1.0f / ++records;
        for (int v = 0; v < row.vectors; v++) {  // Welford's update
          const Vector<W> s = row.take(problem.units + n * problem.width, v);
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

// What all rows have in common, in vectors.
template <int W>
class Units {
 public:
  explicit Units(const Problem& problem)
      : row(problem.width), arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    std::vector<float> inverse(problem.width);
    for (int n = 0; n < problem.width; n++) {
      inverse[n] = 1.0f / std::sqrt(problem.variance[n] + problem.epsilon);
    }
    for (int v = 0; v < row.vectors; v++) {
      alpha[v] = row.take(problem.alpha, v);
      mean[v] = row.take(problem.mean, v);
      scale[v] = row.take(inverse.data(), v);
    }
  }

  const Row<W> row;
  Vector<W>*alpha, *mean, *scale;

 private:
  void lay_out(Arena<W>& arena) {
    for (Vector<W>** array : {&alpha, &mean, &scale}) *array = arena.take(row.vectors);
  }

  Arena<W> arena_;
};

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, float* to, int64_t first, int64_t last) {
    const Units<W> of(problem);
    for (int64_t at = first * problem.width; at < last * problem.width; at += problem.width) {
      for (int v = 0; v < of.row.vectors; v++) {
        const Vector<W> s = of.row.take(problem.units + at, v);
        const Vector<W> p = sigmoid<W>((s - of.mean[v]) * of.scale[v]);
        of.row.put(s * (of.alpha[v] + (1.0f - of.alpha[v]) * p), to + at, v);
      }
    }
  }
};

// Sums over rows of what the gradient is made of, with g that of f and d = g s p (1 - p): of
// g s (1 - p), of d, and of d (s - mean).
struct Sums {
  std::vector<double> passed, d, of_scale;

  explicit Sums(int width) : passed(width), d(width), of_scale(width) {}

  void add(const Sums& other) {
    for (size_t n = 0; n < d.size(); n++) {
      passed[n] += other.passed[n];
      d[n] += other.d[n];
      of_scale[n] += other.of_scale[n];
    }
  }
};

struct SumUp {
  template <int W>
  static INLINE void run(const Problem& problem, const float* gradient, Sums* to, int64_t first,
                         int64_t last) {
    const Units<W> of(problem);
    Vector<W>*passed, *d, *of_scale;
    Arena<W> arena([&](Arena<W>& arena) {
      for (Vector<W>** array : {&passed, &d, &of_scale}) *array = arena.take(of.row.vectors);
    });
    for (; first < last; first += kTogether) {
      arena.fill_with_zeros();
      for (int64_t n = first; n < std::min(first + kTogether, last); n++) {
        for (int v = 0; v < of.row.vectors; v++) {
          const Vector<W> s = of.row.take(problem.units + n * problem.width, v);
          const Vector<W> g = of.row.take(gradient + n * problem.width, v);
          const Vector<W> centred = s - of.mean[v], p = sigmoid<W>(centred * of.scale[v]);
          const Vector<W> of_row = g * s * (1.0f - p), moved = of_row * p;
          passed[v] += of_row;
          d[v] += moved;
          of_scale[v] += moved * centred;
        }
      }
      add<W>(of.row, passed, problem.width, &to->passed);
      add<W>(of.row, d, problem.width, &to->d);
      add<W>(of.row, of_scale, problem.width, &to->of_scale);
    }
  }

 private:
  template <int W>
  static INLINE void add(const Row<W>& row, const Vector<W>* from, int width,
                         std::vector<double>* to) {
    std::vector<float> sums(width);
    for (int v = 0; v < row.vectors; v++) row.put(from[v], sums.data(), v);
    for (int n = 0; n < width; n++) (*to)[n] += sums[n];
  }
};

// With both sums over all rows, times 1 / N and scale^2 / N, that go through mean and variance.
struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* gradient, const float* of_mean,
                         const float* of_variance, float* to, int64_t first, int64_t last) {
    const Units<W> of(problem);
    for (int64_t n = first; n < last; n++) {
      const int64_t at = n * problem.width;
      const float counts = problem.present[n] ? 1.0f : 0.0f;
      for (int v = 0; v < of.row.vectors; v++) {
        const Vector<W> s = of.row.take(problem.units + at, v);
        const Vector<W> g = of.row.take(gradient + at, v);
        const Vector<W> centred = s - of.mean[v], p = sigmoid<W>(centred * of.scale[v]);
        const Vector<W> shared = of.row.take(of_mean, v) + centred * of.row.take(of_variance, v);
        const Vector<W> through = g * s * (p * (1.0f - p)) - counts * shared;
        const Vector<W> rest = 1.0f - of.alpha[v];
        of.row.put(g * (of.alpha[v] + rest * p) + rest * of.scale[v] * through, to + at, v);
      }
    }
  }
};

enum Input { kUnits, kAlpha, kPresent, kMean, kVariance, kGradient };

class DiceOp : public OpKernel {
 public:
  explicit DiceOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }

 protected:
  absl::Status find_problem(OpKernelContext* context, Problem* problem) const {
    const TensorShape &units = shape_of(context, kUnits), &present = shape_of(context, kPresent);
    bool fit = units.dims() == 2 && present == TensorShape({units.dim_size(0)});
    for (const int input : {kAlpha, kMean, kVariance}) {
      fit = fit && shape_of(context, input) == TensorShape({units.dim_size(1)});
    }
    if (!fit) {
      return absl::InvalidArgumentError(absl::StrCat(
          "units must be (N, n), what is present (N,), alpha, mean and variance (n,), got ",
          units.DebugString(), ", ", present.DebugString(), ", ",
          shape_of(context, kAlpha).DebugString(), ", ", shape_of(context, kMean).DebugString(),
          " and ", shape_of(context, kVariance).DebugString()));
    }
    *problem = {units.dim_size(0),
                static_cast<int>(units.dim_size(1)),
                epsilon_,
                floats_of(context, kUnits),
                floats_of(context, kAlpha),
                context->input(kPresent).flat<bool>().data(),
                floats_of(context, kMean),
                floats_of(context, kVariance)};
    return absl::OkStatus();
  }

 private:
  float epsilon_;
};

class Dice : public DiceOp {
 public:
  using DiceOp::DiceOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor *outputs, *means, *variances;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape_of(context, kUnits), &outputs));
    OP_REQUIRES_OK(context, context->allocate_output(1, shape_of(context, kMean), &means));
    OP_REQUIRES_OK(context, context->allocate_output(2, shape_of(context, kMean), &variances));
    const Moments moments = moments_of(context, problem);
    float *mean = means->flat<float>().data(), *variance = variances->flat<float>().data();
    for (int n = 0; n < problem.width; n++) {  // of no row the moving ones
      mean[n] = moments.records ? moments.mean[n] : problem.mean[n];
      variance[n] = moments.records ? moments.deviations[n] / moments.records : problem.variance[n];
    }
    problem.mean = mean, problem.variance = variance;
    float* const to = outputs->flat<float>().data();
    interhat::shard_parts(context, problem.rows, interhat::parts_of(context, problem.rows),
                          [&](int64_t, int64_t first, int64_t last) {
                            interhat::run<Forward>(problem, to, first, last);
                          });
  }

 private:
  static Moments moments_of(OpKernelContext* context, const Problem& problem) {
    const int64_t parts = interhat::parts_of(context, problem.rows);
    std::vector<Moments> of_parts(parts, Moments(problem.width));
    interhat::shard_parts(context, problem.rows, parts,
                          [&](int64_t part, int64_t first, int64_t last) {
                            interhat::run<TakeMoments>(problem, &of_parts[part], first, last);
                          });
    Moments all(problem.width);
    for (const Moments& of_part : of_parts) all.add(of_part);
    return all;
  }
};

class DiceGradient : public DiceOp {
 public:
  using DiceOp::DiceOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    OP_REQUIRES(context, shape_of(context, kGradient) == shape_of(context, kUnits),
                absl::InvalidArgumentError("the gradient must have the units' shape"));
    float* out[2];  // of the units and of alpha
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    const float* const gradient = floats_of(context, kGradient);
    // Each part has its own sums, which are added up in order: results can be repeated.
    const int64_t parts = interhat::parts_of(context, problem.rows);
    std::vector<Sums> sums(parts, Sums(problem.width));
    interhat::shard_parts(context, problem.rows, parts,
                          [&](int64_t part, int64_t first, int64_t last) {
                            interhat::run<SumUp>(problem, gradient, &sums[part], first, last);
                          });
    for (int64_t part = 1; part < parts; part++) sums[0].add(sums[part]);
    const double found = std::count(problem.present, problem.present + problem.rows, true);
    std::vector<float> of_mean(problem.width), of_variance(problem.width);
    for (int n = 0; n < problem.width; n++) {
      out[kAlpha][n] = sums[0].passed[n];
      of_mean[n] = sums[0].d[n] / std::max(found, 1.0);
      of_variance[n] = sums[0].of_scale[n] / std::max(found, 1.0) /
                       (static_cast<double>(problem.variance[n]) + problem.epsilon);
    }
    interhat::shard_parts(context, problem.rows, parts,
                          [&](int64_t, int64_t first, int64_t last) {
                            interhat::run<Backward>(problem, gradient, of_mean.data(),
                                                    of_variance.data(), out[kUnits], first, last);
                          });
  }
};

absl::Status result_shapes(tensorflow::shape_inference::InferenceContext* context) {
  context->set_output(0, context->input(kUnits));
  context->set_output(1, context->input(kMean));
  context->set_output(2, context->input(kVariance));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("InterhatDice")
    .Input("units: float")
    .Input("alpha: float")
    .Input("present: bool")
    .Input("moving_mean: float")
    .Input("moving_variance: float")
    .Attr("epsilon: float")
    .Output("outputs: float")
    .Output("mean: float")
    .Output("variance: float")
    .SetShapeFn(result_shapes);
REGISTER_KERNEL_BUILDER(Name("InterhatDice").Device(tensorflow::DEVICE_CPU), Dice);

REGISTER_OP("InterhatDiceGradient")
    .Input("units: float")
    .Input("alpha: float")
    .Input("present: bool")
    .Input("mean: float")
    .Input("variance: float")
    .Input("gradient: float")
    .Attr("epsilon: float")
    .Output("units_gradient: float")
    .Output("alpha_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatDiceGradient").Device(tensorflow::DEVICE_CPU),
                        DiceGradient);
