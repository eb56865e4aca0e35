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

#include "op.h"
#include "rows.h"
#include "vectors.h"

namespace {

using interhat::add_up;
using interhat::Arena;
using interhat::floats_of;
using interhat::kTogether;
using interhat::Normalized;
using interhat::OpKernel;
using interhat::OpKernelConstruction;
using interhat::OpKernelContext;
using interhat::Row;
using interhat::Rows;
using interhat::shape_of;
using interhat::sigmoid;
using interhat::TensorShape;
using interhat::Vector;

struct Problem {
  Rows rows;              // N, n, s and which rows count
  float epsilon;          // of the variance
  const float* alpha;     // (n,)
  const float* mean;      // (n,)
  const float* variance;  // (n,)
};

// What all rows have in common, in vectors.
template <int W>
class Units {
 public:
  explicit Units(const Problem& problem)
      : row(problem.rows.width), arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    std::vector<float> inverse(problem.rows.width);
    for (int n = 0; n < problem.rows.width; n++) {
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
    const int width = problem.rows.width;
    for (int64_t at = first * width; at < last * width; at += width) {
      for (int v = 0; v < of.row.vectors; v++) {
        const Vector<W> s = of.row.take(problem.rows.units + at, v);
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
          const int64_t at = n * problem.rows.width;
          const Vector<W> s = of.row.take(problem.rows.units + at, v);
          const Vector<W> g = of.row.take(gradient + at, v);
          const Vector<W> centred = s - of.mean[v], p = sigmoid<W>(centred * of.scale[v]);
          const Vector<W> of_row = g * s * (1.0f - p), moved = of_row * p;
          passed[v] += of_row;
          d[v] += moved;
          of_scale[v] += moved * centred;
        }
      }
      add_up<W>(of.row, passed, &to->passed);
      add_up<W>(of.row, d, &to->d);
      add_up<W>(of.row, of_scale, &to->of_scale);
    }
  }
};

// With both sums over all rows, times 1 / N and scale^2 / N, that go through mean and variance.
struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* gradient, const float* of_mean,
                         const float* of_variance, float* to, int64_t first, int64_t last) {
    const Units<W> of(problem);
    for (int64_t n = first; n < last; n++) {
      const int64_t at = n * problem.rows.width;
      const float counts = problem.rows.has(n) ? 1.0f : 0.0f;
      for (int v = 0; v < of.row.vectors; v++) {
        const Vector<W> s = of.row.take(problem.rows.units + at, v);
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
    *problem = {{units.dim_size(0), static_cast<int>(units.dim_size(1)),
                 floats_of(context, kUnits), context->input(kPresent).flat<bool>().data()},
                epsilon_,
                floats_of(context, kAlpha),
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
    Normalized to;
    OP_REQUIRES_OK(context, to.allocate(context));
    interhat::write_moments(context, problem.rows, to);
    problem.mean = to.mean, problem.variance = to.variance;
    interhat::for_parts(context, problem.rows, [&](int64_t first, int64_t last) {
      interhat::run<Forward>(problem, to.outputs, first, last);
    });
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
    const Rows& rows = problem.rows;
    const Sums sums =
        interhat::over_parts<Sums>(context, rows, [&](Sums* to, int64_t first, int64_t last) {
          interhat::run<SumUp>(problem, gradient, to, first, last);
        });
    const double found = std::count(rows.present, rows.present + rows.count, true);
    std::vector<float> of_mean(rows.width), of_variance(rows.width);
    for (int n = 0; n < rows.width; n++) {
      out[kAlpha][n] = sums.passed[n];
      of_mean[n] = sums.d[n] / std::max(found, 1.0);
      of_variance[n] = sums.of_scale[n] / std::max(found, 1.0) /
                       (static_cast<double>(problem.variance[n]) + problem.epsilon);
    }
    interhat::for_parts(context, rows, [&](int64_t first, int64_t last) {
      interhat::run<Backward>(problem, gradient, of_mean.data(), of_variance.data(), out[kUnits],
                              first, last);
    });
  }
};

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
    .SetShapeFn(Normalized::shapes);
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
