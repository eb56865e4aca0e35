// Batch normalisation with a batch's mean and variance, and its gradient through both.
//
//     f(s) = gamma (s - mean) / sqrt(variance + epsilon) + beta
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
using interhat::TensorShape;
using interhat::Vector;

struct Forward {
  template <int W>
  static INLINE void run(const Rows& rows, const float* mean, const float* scale,
                         const float* beta, float* to, int64_t first, int64_t last) {
    const Row<W> row(rows.width);
    for (int64_t at = first * rows.width; at < last * rows.width; at += rows.width) {
      for (int v = 0; v < row.vectors; v++) {
        const Vector<W> centred = row.take(rows.units + at, v) - row.take(mean, v);
        row.put(centred * row.take(scale, v) + row.take(beta, v), to + at, v);
      }
    }
  }
};

// Sums over rows, with g the gradient of f: of g, and of g (s - mean).
struct Sums {
  std::vector<double> of_beta, of_scale;

  explicit Sums(int width) : of_beta(width), of_scale(width) {}

  void add(const Sums& other) {
    for (size_t n = 0; n < of_beta.size(); n++) {
      of_beta[n] += other.of_beta[n];
      of_scale[n] += other.of_scale[n];
    }
  }
};

struct SumUp {
  template <int W>
  static INLINE void run(const Rows& rows, const float* mean, const float* gradient, Sums* to,
                         int64_t first, int64_t last) {
    const Row<W> row(rows.width);
    Vector<W>*of_beta, *of_scale;
    Arena<W> arena([&](Arena<W>& arena) {
      for (Vector<W>** array : {&of_beta, &of_scale}) *array = arena.take(row.vectors);
    });
    for (; first < last; first += kTogether) {
      arena.fill_with_zeros();
      for (int64_t n = first; n < std::min(first + kTogether, last); n++) {
        const int64_t at = n * rows.width;
        for (int v = 0; v < row.vectors; v++) {
          const Vector<W> g = row.take(gradient + at, v);
          of_beta[v] += g;
          of_scale[v] += g * (row.take(rows.units + at, v) - row.take(mean, v));
        }
      }
      add_up<W>(row, of_beta, &to->of_beta);
      add_up<W>(row, of_scale, &to->of_scale);
    }
  }
};

// With what goes through mean and variance: the sums times 1 / N, and 1 / (N (variance + epsilon)).
struct Backward {
  template <int W>
  static INLINE void run(const Rows& rows, const float* mean, const float* scale,
                         const float* of_mean, const float* of_variance, const float* gradient,
                         float* to, int64_t first, int64_t last) {
    const Row<W> row(rows.width);
    for (int64_t at = first * rows.width; at < last * rows.width; at += rows.width) {
      for (int v = 0; v < row.vectors; v++) {
        const Vector<W> centred = row.take(rows.units + at, v) - row.take(mean, v);
        const Vector<W> shared = row.take(of_mean, v) + centred * row.take(of_variance, v);
        row.put(row.take(scale, v) * (row.take(gradient + at, v) - shared), to + at, v);
      }
    }
  }
};

enum Input { kUnits, kGamma, kBeta, kMean, kVariance, kGradient };

class BatchNormOp : public OpKernel {
 public:
  explicit BatchNormOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }

 protected:
  absl::Status find_rows(OpKernelContext* context, Rows* rows) const {
    const TensorShape& units = shape_of(context, kUnits);
    bool fit = units.dims() == 2;
    for (const int input : {kGamma, kBeta, kMean, kVariance}) {
      fit = fit && shape_of(context, input) == TensorShape({units.dim_size(1)});
    }
    if (!fit) {
      return absl::InvalidArgumentError(absl::StrCat(
          "units must be (N, n), gamma, beta, mean and variance (n,), got ", units.DebugString(),
          ", ", shape_of(context, kGamma).DebugString(), ", ",
          shape_of(context, kBeta).DebugString(), ", ", shape_of(context, kMean).DebugString(),
          " and ", shape_of(context, kVariance).DebugString()));
    }
    *rows = {units.dim_size(0), static_cast<int>(units.dim_size(1)), floats_of(context, kUnits),
             nullptr};
    return absl::OkStatus();
  }

  // gamma / sqrt(variance + epsilon), (n,)
  std::vector<float> scale_of(OpKernelContext* context, const float* variance) const {
    const float* const gamma = floats_of(context, kGamma);
    std::vector<float> scale(shape_of(context, kGamma).num_elements());
    for (size_t n = 0; n < scale.size(); n++) {
      scale[n] = gamma[n] / std::sqrt(variance[n] + epsilon_);
    }
    return scale;
  }

  float epsilon_;
};

class BatchNorm : public BatchNormOp {
 public:
  using BatchNormOp::BatchNormOp;

  void Compute(OpKernelContext* context) override {
    Rows rows;
    OP_REQUIRES_OK(context, find_rows(context, &rows));
    Normalized to;
    OP_REQUIRES_OK(context, to.allocate(context));
    interhat::write_moments(context, rows, to);
    const std::vector<float> scale = scale_of(context, to.variance);
    const float* const beta = floats_of(context, kBeta);
    interhat::for_parts(context, rows, [&](int64_t first, int64_t last) {
      interhat::run<Forward>(rows, to.mean, scale.data(), beta, to.outputs, first, last);
    });
  }
};

class BatchNormGradient : public BatchNormOp {
 public:
  using BatchNormOp::BatchNormOp;

  void Compute(OpKernelContext* context) override {
    Rows rows;
    OP_REQUIRES_OK(context, find_rows(context, &rows));
    OP_REQUIRES(context, shape_of(context, kGradient) == shape_of(context, kUnits),
                absl::InvalidArgumentError("the gradient must have the units' shape"));
    float* out[3];  // of the units, of gamma and of beta
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    const float *const gradient = floats_of(context, kGradient),
                *const mean = floats_of(context, kMean),
                *const variance = floats_of(context, kVariance);
    const Sums sums =
        interhat::over_parts<Sums>(context, rows, [&](Sums* to, int64_t first, int64_t last) {
          interhat::run<SumUp>(rows, mean, gradient, to, first, last);
        });
    std::vector<float> of_mean(rows.width), of_variance(rows.width);
    const double count = std::max<int64_t>(rows.count, 1);
    for (int n = 0; n < rows.width; n++) {
      const double with_epsilon = static_cast<double>(variance[n]) + epsilon_;
      out[kBeta][n] = sums.of_beta[n];
      out[kGamma][n] = sums.of_scale[n] / std::sqrt(with_epsilon);
      of_mean[n] = sums.of_beta[n] / count;
      of_variance[n] = sums.of_scale[n] / count / with_epsilon;
    }
    const std::vector<float> scale = scale_of(context, variance);
    interhat::for_parts(context, rows, [&](int64_t first, int64_t last) {
      interhat::run<Backward>(rows, mean, scale.data(), of_mean.data(), of_variance.data(),
                              gradient, out[kUnits], first, last);
    });
  }
};

}  // namespace

REGISTER_OP("InterhatBatchNorm")
    .Input("units: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("moving_mean: float")
    .Input("moving_variance: float")
    .Attr("epsilon: float")
    .Output("outputs: float")
    .Output("mean: float")
    .Output("variance: float")
    .SetShapeFn(Normalized::shapes);
REGISTER_KERNEL_BUILDER(Name("InterhatBatchNorm").Device(tensorflow::DEVICE_CPU), BatchNorm);

REGISTER_OP("InterhatBatchNormGradient")
    .Input("units: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("mean: float")
    .Input("variance: float")
    .Input("gradient: float")
    .Attr("epsilon: float")
    .Output("units_gradient: float")
    .Output("gamma_gradient: float")
    .Output("beta_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatBatchNormGradient").Device(tensorflow::DEVICE_CPU),
                        BatchNormGradient);
