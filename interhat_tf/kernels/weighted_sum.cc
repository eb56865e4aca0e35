// A sum of tensors, each times a weight of every record, and its gradient.
//
//     y_b = sum over i of w_bi x_ib
//
// Plain operations write each product before they add them up, and again for the gradient of the
// weights. Here each number is read and written once. Vectors lie along the numbers of a record.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "op.h"
#include "vectors.h"

namespace {

using interhat::floats_of;
using interhat::load;
using interhat::OpKernel;
using interhat::OpKernelContext;
using interhat::shape_of;
using interhat::store;
using interhat::sum_of;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;

enum Input { kWeights, kTerms };

struct Problem {
  int64_t records;                  // B
  int64_t width;                    // numbers of a record
  int64_t count;                    // k
  const float* weights;             // w, (B, k)
  std::vector<const float*> terms;  // x_1 to x_k, (B, ...) each
};

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, float* to, int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      const float* const weights = problem.weights + b * problem.count;
      const int64_t begin = b * problem.width, end = begin + problem.width;
      int64_t n = begin;
      for (; n + W <= end; n += W) {
        Vector<W> sum = load<W>(problem.terms[0] + n) * weights[0];
        for (int64_t i = 1; i < problem.count; i++) {
          sum += load<W>(problem.terms[i] + n) * weights[i];
        }
        store<W>(sum, to + n);
      }
      for (; n < end; n++) {
        to[n] = problem.terms[0][n] * weights[0];
        for (int64_t i = 1; i < problem.count; i++) to[n] += problem.terms[i][n] * weights[i];
      }
    }
  }
};

struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* gradient, float* const* to,
                         int64_t first, int64_t last) {
    for (int64_t b = first; b < last; b++) {
      for (int64_t i = 0; i < problem.count; i++) {
        const int64_t weight = b * problem.count + i;
        to[kWeights][weight] = of_term<W>(problem.weights[weight], gradient, problem.terms[i],
                                          to[kTerms + i], b * problem.width, problem.width);
      }
    }
  }

 private:
  // Writes a term's gradient, and returns that of its weight.
  template <int W>
  static INLINE float of_term(float weight, const float* gradient, const float* term, float* to,
                              int64_t begin, int64_t width) {
    const int64_t end = begin + width;
    Vector<W> sums = {};
    int64_t n = begin;
    for (; n + W <= end; n += W) {
      const Vector<W> g = load<W>(gradient + n);
      sums += g * load<W>(term + n);
      store<W>(g * weight, to + n);
    }
    float sum = sum_of<W>(sums);
    for (; n < end; n++) {
      sum += gradient[n] * term[n];
      to[n] = gradient[n] * weight;
    }
    return sum;
  }
};

class WeightedSumOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

 protected:
  // The inputs are the weights, k terms, and what else there is.
  absl::Status find_problem(OpKernelContext* context, int64_t count, Problem* problem) const {
    const TensorShape &weights = shape_of(context, kWeights), &term = shape_of(context, kTerms);
    bool fit = term.dims() > 0 && weights == TensorShape({term.dim_size(0), count});
    for (int i = kTerms; i < context->num_inputs(); i++) fit = fit && shape_of(context, i) == term;
    if (!fit) {
      return absl::InvalidArgumentError(
          absl::StrCat("weights must be (B, k), and k terms (B, ...) of one shape, got ",
                       weights.DebugString(), " and ", count, ", the first ", term.DebugString()));
    }
    const int64_t records = term.dim_size(0);
    *problem = {records, term.num_elements() / std::max<int64_t>(records, 1), count,
                floats_of(context, kWeights), {}};
    for (int64_t i = 0; i < count; i++) problem->terms.push_back(floats_of(context, kTerms + i));
    return absl::OkStatus();
  }
};

class WeightedSum : public WeightedSumOp {
 public:
  using WeightedSumOp::WeightedSumOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, context->num_inputs() - 1, &problem));
    Tensor* sum;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape_of(context, kTerms), &sum));
    float* const to = sum->flat<float>().data();
    interhat::shard(context, problem.records, problem.width * problem.count,
                    [&](int64_t first, int64_t last) {
                      interhat::run<Forward>(problem, to, first, last);
                    });
  }
};

class WeightedSumGradient : public WeightedSumOp {
 public:
  using WeightedSumOp::WeightedSumOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, context->num_inputs() - 2, &problem));
    std::vector<float*> to(context->num_outputs());
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, to.data()));
    const float* const gradient = floats_of(context, context->num_inputs() - 1);
    interhat::shard(context, problem.records, 2 * problem.width * problem.count,
                    [&](int64_t first, int64_t last) {
                      interhat::run<Backward>(problem, gradient, to.data(), first, last);
                    });
  }
};

absl::Status sum_shape(tensorflow::shape_inference::InferenceContext* context) {
  context->set_output(0, context->input(kTerms));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("InterhatWeightedSum")
    .Input("weights: float")
    .Input("terms: k * float")
    .Attr("k: int >= 1")
    .Output("sum: float")
    .SetShapeFn(sum_shape);
REGISTER_KERNEL_BUILDER(Name("InterhatWeightedSum").Device(tensorflow::DEVICE_CPU), WeightedSum);

REGISTER_OP("InterhatWeightedSumGradient")
    .Input("weights: float")
    .Input("terms: k * float")
    .Input("gradient: float")
    .Attr("k: int >= 1")
    .Output("weights_gradient: float")
    .Output("terms_gradient: k * float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatWeightedSumGradient").Device(tensorflow::DEVICE_CPU),
                        WeightedSumGradient);
