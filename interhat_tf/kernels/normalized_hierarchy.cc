// The orders of InterHAt's hierarchy with scores of batch-normalised features, and the gradient.
//
//     n_i[j] = gamma_i[j] * (x_i[j] - mean_i[j]) / sqrt(variance_i[j] + epsilon) + beta_i[j]
//     alpha_i = softmax_j(c_i . act(W_i^T n_i[j] + b_i))
//     t_i[j] = alpha_i[j] x_i[j],  u_i = sum_j t_i[j],  x_{i+1}[j] = u_i * x_1[j] + x_i[j]
//
// As in `hierarchy.cc`, x_i[j] = z_i * x_1[j] with z_i = 1 + u_1 + ... + u_{i-1} need not be there.
// In training, mean and variance are those of all records, which therefore go through the orders
// side by side: a pass over the records pools one order and takes the moments of the next. Vectors
// lie along the features of a record, which stays in the core's first cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gemm.h"
#include "moments.h"
#include "op.h"
#include "order_gradient.h"
#include "order_workspace.h"
#include "vectors.h"

namespace {

using interhat::Arena;
using interhat::floats_of;
using interhat::Matrix;
using interhat::Moments;
using interhat::OpKernelConstruction;
using interhat::OpKernelContext;
using interhat::shape_of;
using interhat::take_matrix;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;
using Given = interhat::OrderGradients;
using Line = interhat::LineOfFields;
using Problem = interhat::OrdersProblem;
using Sums = interhat::OrderSums;
template <int W>
using Workspace = interhat::OrderWorkspace<W>;

// Takes the moments of the features of an order, record by record.
template <int W>
class MomentsOfOrder {
 public:
  explicit MomentsOfOrder(const Workspace<W>& space)
      : space_(space), arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    arena_.fill_with_zeros();
  }

  INLINE void add_record() {
    const float share = 1.0f / ++records_;
    for (int j = 0; j < space_.problem.fields; j++) {
      for (int v = 0; v < space_.dim / W; v++) {  // Welford's update
        const Vector<W> x = space_.z(0, v) * space_.x(j, v), difference = x - mean_(j, v);
        mean_(j, v) += difference * share;
        deviations_(j, v) += difference * (x - mean_(j, v));
      }
    }
  }

  INLINE void put(Moments* to) const {
    std::vector<float> mean(to->mean.size()), deviations(mean.size());
    space_.put_rows(mean_, mean.data());
    space_.put_rows(deviations_, deviations.data());
    to->add(mean, deviations, records_);
  }

 private:
  void lay_out(Arena<W>& arena) {
    for (Matrix<W>* of_fields : {&mean_, &deviations_}) {
      *of_fields = take_matrix<W>(arena, space_.problem.fields, space_.dim);
    }
  }

  const Workspace<W>& space_;
  int64_t records_ = 0;
  Matrix<W> mean_, deviations_;
  Arena<W> arena_;
};

// Where the results of an order go.
struct Results {
  float* pooled;   // u, (B, k, d)
  float* weights;  // alpha, (B, k, m)
  float* terms;    // t_i, (B, m, d)
};

// One pass: pools an order, if there is one yet, and takes the moments of the next, if asked for.
struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, int order, Results to, Moments* next,
                         int64_t first, int64_t last) {
    Workspace<W> space(problem);
    MomentsOfOrder<W> moments(space);
    if (order >= 0) space.take_order(order);
    for (int64_t record = first; record < last; record++) {
      space.take_record(record);
      if (order >= 0) {
        space.take_factor(record, order);
        space.weigh();
        space.pool();
        const int64_t row = record * problem.orders + order;
        std::copy_n(space.sum.data, problem.dim, to.pooled + row * problem.dim);
        std::copy_n(space.weights.data, problem.fields, to.weights + row * problem.fields);
        space.put_rows(space.normalized, to.terms + record * problem.of_record());
      }
      if (next) {
        space.take_factor(record, order + 1);
        moments.add_record();
      }
    }
    if (next) moments.put(next);
  }
};

// One pass: through the moments of the order above, of which `line` is, if there is one, and then
// through an order, if there is one left.
struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, int order, const Line* line, Given given,
                         Sums* sums, int64_t first, int64_t last) {
    interhat::OrderGradient<W> gradient(problem);
    const bool is_highest = order == problem.orders - 1;
    if (line) gradient.take_line(*line);
    if (order >= 0) gradient.take_order(order);
    for (int64_t record = first; record < last; record++) {
      gradient.take_gradients(given, record, !is_highest);
      gradient.space.take_record(record);
      if (line) {
        gradient.space.take_factor(record, order + 1);
        gradient.pull_back_line();
      }
      if (order >= 0) {
        gradient.space.take_factor(record, order);
        gradient.pull_back(given, record, order);
      }
      gradient.put_gradients(given, record);
    }
    gradient.put_sums(sums);
  }
};

class NormalizedHierarchyOp : public interhat::HierarchyOpBase {
 public:
  explicit NormalizedHierarchyOp(OpKernelConstruction* context) : HierarchyOpBase(context) {
    OP_REQUIRES_OK(context, context->GetAttr("training", &training_));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
    OP_REQUIRES_OK(context, context->GetAttr("k", &orders_));
  }

 protected:
  enum Input { kGammas = kHierarchyInputs, kBetas, kMeans, kVariances, kInputs };

  absl::Status find_problem(OpKernelContext* context, Problem* problem) const {
    TF_RETURN_IF_ERROR(find_inputs(context, problem));
    const TensorShape of_fields = {orders_, problem->of_record()};
    for (const int input : {kGammas, kBetas, kMeans, kVariances}) {
      if (problem->orders != orders_ || shape_of(context, input) != of_fields) {
        return absl::InvalidArgumentError(absl::StrCat(
            "what normalises ", orders_, " orders must be (k, m * d), got ",
            shape_of(context, input).DebugString(), " beside features ",
            shape_of(context, kFeatures).DebugString(), " and kernels ",
            shape_of(context, kKernels).DebugString()));
      }
    }
    problem->epsilon = epsilon_;
    problem->gammas = floats_of(context, kGammas);
    problem->betas = floats_of(context, kBetas);
    problem->means = floats_of(context, kMeans);
    problem->variances = floats_of(context, kVariances);
    return absl::OkStatus();
  }

  bool training_;
  int orders_;

 private:
  float epsilon_;
};

class NormalizedHierarchy : public NormalizedHierarchyOp {
 public:
  using NormalizedHierarchyOp::NormalizedHierarchyOp;

  void Compute(OpKernelContext* context) override {
    Problem problem = {};
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor *pooled, *weights, *means, *variances;
    OP_REQUIRES_OK(context, context->allocate_output(0, problem.pooled_shape(), &pooled));
    OP_REQUIRES_OK(context, context->allocate_output(1, problem.weights_shape(), &weights));
    OP_REQUIRES_OK(context, context->allocate_output(2, shape_of(context, kMeans), &means));
    OP_REQUIRES_OK(context, context->allocate_output(3, shape_of(context, kMeans), &variances));
    float* const to_pooled = pooled->flat<float>().data();
    float* const to_weights = weights->flat<float>().data();
    float* const to_means = means->flat<float>().data();
    float* const to_variances = variances->flat<float>().data();
    std::copy_n(problem.means, means->NumElements(), to_means);
    std::copy_n(problem.variances, means->NumElements(), to_variances);
    problem.means = to_means, problem.variances = to_variances, problem.pooled = to_pooled;
    Results results = {to_pooled, to_weights, nullptr};
    for (int i = training_ ? -1 : 0; i < problem.orders; i++) {
      if (i >= 0) {
        Tensor* terms;
        OP_REQUIRES_OK(context,
                       context->allocate_output(4 + i, shape_of(context, kFeatures), &terms));
        results.terms = terms->flat<float>().data();
      }
      const Moments next = pass(context, problem, i, results, training_ && i + 1 < problem.orders);
      const int64_t at = static_cast<int64_t>(i + 1) * problem.of_record();
      for (int n = 0; next.records && n < problem.of_record(); n++) {
        to_means[at + n] = next.mean[n];
        to_variances[at + n] = next.deviations[n] / next.records;
      }
    }
  }

 private:
  // Pools an order, and returns the moments of the next; none unless asked for.
  static Moments pass(OpKernelContext* context, const Problem& problem, int order, Results to,
                      bool with_moments) {
    const int64_t parts = interhat::parts_of(context, problem.records);
    std::vector<Moments> of_parts(parts, Moments(problem.of_record()));
    interhat::shard_parts(context, problem.records, parts,
                          [&](int64_t part, int64_t first, int64_t last) {
                            interhat::run<Forward>(problem, order, to,
                                                   with_moments ? &of_parts[part] : nullptr, first,
                                                   last);
                          });
    Moments all(problem.of_record());
    for (const Moments& of_part : of_parts) all.add(of_part);
    return all;
  }
};

class NormalizedHierarchyGradient : public NormalizedHierarchyOp {
 public:
  using NormalizedHierarchyOp::NormalizedHierarchyOp;

  void Compute(OpKernelContext* context) override {
    Problem problem = {};
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    OP_REQUIRES_OK(context, check_gradients(context, problem));
    problem.pooled = floats_of(context, kPooled);
    float* out[kMeans];  // those of the inputs before
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    std::vector<float> to_z(problem.records * problem.dim);
    Given given = {floats_of(context, kWeights), floats_of(context, kOfPooled),
                   floats_of(context, kOfWeights), nullptr, out[kFeatures], to_z.data()};
    Line line;
    for (int i = problem.orders - 1; i >= 0; i--) {
      given.of_terms = floats_of(context, kOfTerms + i);
      const bool has_line = training_ && i < problem.orders - 1;
      const Sums sums = pull_back(context, problem, i, has_line ? &line : nullptr, given);
      put_order(problem, i, sums, out);
      if (training_) line = line_of(problem, i, sums);
    }
    if (training_) pull_back(context, problem, -1, &line, given);
  }

 private:
  enum More { kPooled = kInputs, kWeights, kOfPooled, kOfWeights, kOfTerms };

  absl::Status check_gradients(OpKernelContext* context, const Problem& problem) const {
    bool fit = true;
    for (const int input : {kPooled, kOfPooled}) {
      fit &= shape_of(context, input) == problem.pooled_shape();
    }
    for (const int input : {kWeights, kOfWeights}) {
      fit &= shape_of(context, input) == problem.weights_shape();
    }
    for (int i = 0; i < problem.orders; i++) {
      fit &= shape_of(context, kOfTerms + i) == shape_of(context, kFeatures);
    }
    return fit ? absl::OkStatus()
               : absl::InvalidArgumentError("results and their gradients must have their shapes");
  }

  // Each part has its own sums, which are added up in order: results can be repeated.
  static Sums pull_back(OpKernelContext* context, const Problem& problem, int order,
                        const Line* line, const Given& given) {
    const int64_t parts = interhat::parts_of(context, problem.records);
    std::vector<Sums> of_parts(parts, Sums(problem));
    interhat::shard_parts(context, problem.records, parts,
                          [&](int64_t part, int64_t first, int64_t last) {
                            interhat::run<Backward>(problem, order, line, given, &of_parts[part],
                                                    first, last);
                          });
    for (int64_t part = 1; part < parts; part++) of_parts[0].add(of_parts[part]);
    return of_parts[0];
  }

  static void put_order(const Problem& problem, int i, const Sums& sums, float* const* out) {
    std::copy(sums.kernel.begin(), sums.kernel.end(), out[kKernels] + i * problem.of_kernel());
    if (problem.biased) {
      std::copy(sums.bias.begin(), sums.bias.end(), out[kBiases] + i * problem.size);
    }
    std::copy(sums.context.begin(), sums.context.end(), out[kContexts] + i * problem.size);
    for (int n = 0; n < problem.of_record(); n++) {
      const int at = i * problem.of_record() + n;
      const float inverse = 1.0f / std::sqrt(problem.variances[at] + problem.epsilon);
      out[kGammas][at] = (sums.scale[n] - problem.means[at] * sums.shift[n]) * inverse;
      out[kBetas][at] = sums.shift[n];
    }
  }

  // The scale is gamma / sqrt(variance + epsilon), the shift beta - mean * scale.
  static Line line_of(const Problem& problem, int i, const Sums& sums) {
    Line line = {std::vector<float>(problem.of_record()), std::vector<float>(problem.of_record())};
    for (int n = 0; n < problem.of_record(); n++) {
      const int at = i * problem.of_record() + n;
      const float mean = problem.means[at], variance = problem.variances[at] + problem.epsilon;
      const float scale = problem.gammas[at] / std::sqrt(variance);
      const float of_scale = sums.scale[n] - mean * sums.shift[n];
      line.slope[n] = -of_scale * scale / variance / problem.records;
      line.constant[n] = -sums.shift[n] * scale / problem.records - line.slope[n] * mean;
    }
    return line;
  }
};

absl::Status result_shapes(tensorflow::shape_inference::InferenceContext* context) {
  TF_RETURN_IF_ERROR(interhat::pooled_shapes(context));
  context->set_output(2, context->input(6));  // the means
  context->set_output(3, context->input(7));
  for (int i = 4; i < context->num_outputs(); i++) context->set_output(i, context->input(0));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("InterhatNormalizedHierarchy")
    .Input("features: float")
    .Input("kernels: float")
    .Input("biases: float")
    .Input("contexts: float")
    .Input("gammas: float")
    .Input("betas: float")
    .Input("means: float")
    .Input("variances: float")
    .Attr("k: int >= 1")
    .Attr("relu: bool")
    .Attr("training: bool")
    .Attr("epsilon: float")
    .Output("pooled: float")
    .Output("weights: float")
    .Output("means_used: float")
    .Output("variances_used: float")
    .Output("terms: k * float")
    .SetShapeFn(result_shapes);
REGISTER_KERNEL_BUILDER(Name("InterhatNormalizedHierarchy").Device(tensorflow::DEVICE_CPU),
                        NormalizedHierarchy);

REGISTER_OP("InterhatNormalizedHierarchyGradient")
    .Input("features: float")
    .Input("kernels: float")
    .Input("biases: float")
    .Input("contexts: float")
    .Input("gammas: float")
    .Input("betas: float")
    .Input("means_used: float")
    .Input("variances_used: float")
    .Input("pooled: float")
    .Input("weights: float")
    .Input("pooled_gradient: float")
    .Input("weights_gradient: float")
    .Input("terms_gradient: k * float")
    .Attr("k: int >= 1")
    .Attr("relu: bool")
    .Attr("training: bool")
    .Attr("epsilon: float")
    .Output("features_gradient: float")
    .Output("kernels_gradient: float")
    .Output("biases_gradient: float")
    .Output("contexts_gradient: float")
    .Output("gammas_gradient: float")
    .Output("betas_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatNormalizedHierarchyGradient").Device(tensorflow::DEVICE_CPU),
                        NormalizedHierarchyGradient);
