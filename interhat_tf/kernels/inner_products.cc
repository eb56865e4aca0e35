// The inner products of all pairs of a record's fields, and their gradient.
//
//     p_jl = (alpha_j + alpha_l) <x_j, x_l>,  j < l;  without weights, p_jl = <x_j, x_l>
//
// Plain operations multiply two small matrices for each record, and gather what stands above the
// diagonal; the gradient scatters it again. Here a vector register holds the same number of
// several records, one to a lane.

#include <algorithm>
#include <cstdint>

#include "interleaved.h"
#include "op.h"
#include "vectors.h"

namespace {

using interhat::Arena;
using interhat::floats_of;
using interhat::interleave_records;
using interhat::kTileRows;
using interhat::LaneMatrix;
using interhat::multiply;
using interhat::OpKernel;
using interhat::OpKernelContext;
using interhat::separate_records;
using interhat::shape_of;
using interhat::Slab;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;

enum Input { kFields, kWeights, kOfPairs };

struct Problem {
  int64_t records;       // B
  int fields;            // m
  int dim;               // d
  const float* vectors;  // x, (B, m, d)
  const float* weights;  // alpha, (B, m), or null: there are none

  int pairs() const { return fields * (fields - 1) / 2; }
  Slab fields_slab(int count) const { return {fields, dim, 1, 1, count}; }
  Slab weights_slab(int count) const { return {1, fields, 1, 1, count}; }
  Slab pairs_slab(int count) const { return {1, pairs(), 1, 1, count}; }
};

// The arrays of a block of records.
template <int W>
class Block {
 public:
  explicit Block(const Problem& problem)
      : problem_(problem), arena_([&](Arena<W>& arena) { lay_out(arena); }) {}

  INLINE void take(int64_t record, int count) {
    const Slab fields = problem_.fields_slab(count);
    interleave_records<W>(problem_.vectors + record * fields.record, fields, 1.0f, x_);
    if (!problem_.weights) return;
    const Slab weights = problem_.weights_slab(count);
    interleave_records<W>(problem_.weights + record * weights.record, weights, 1.0f, alpha_);
  }

  INLINE void find_pairs() {
    find_products();
    Vector<W>* pair = pairs;
    for (int j = 0; j < problem_.fields; j++) {
      for (int l = j + 1; l < problem_.fields; l++) *pair++ = weighted(matrix()(j, l), j, l);
    }
  }

  // From `pairs`, which are gradients, those of the fields and of the weights.
  INLINE void find_gradients() {
    if (problem_.weights) find_products();
    std::fill_n(of_alpha, problem_.fields, Vector<W>{});
    const Vector<W>* pair = pairs;
    for (int j = 0; j < problem_.fields; j++) {
      matrix()(j, j) = Vector<W>{};
      for (int l = j + 1; l < problem_.fields; l++, pair++) {
        if (problem_.weights) {
          const Vector<W> share = *pair * matrix()(j, l);
          of_alpha[j] += share;
          of_alpha[l] += share;
        }
        matrix()(j, l) = matrix()(l, j) = weighted(*pair, j, l);
      }
    }
    const LaneMatrix<W> to = {of_x, problem_.dim, 1};
    multiply<W, false>(matrix(), x(), to, problem_.fields, problem_.dim, problem_.fields);
  }

  Vector<W>*pairs, *of_x, *of_alpha;

 private:
  void lay_out(Arena<W>& arena) {
    for (Vector<W>** array : {&x_, &of_x}) *array = arena.take(problem_.fields * problem_.dim);
    for (Vector<W>** array : {&alpha_, &of_alpha}) *array = arena.take(problem_.fields);
    matrix_ = arena.take(problem_.fields * problem_.fields);
    pairs = arena.take(problem_.pairs());
  }

  INLINE LaneMatrix<W> x() const { return {x_, problem_.dim, 1}; }
  INLINE LaneMatrix<W> matrix() const { return {matrix_, problem_.fields, 1}; }

  // <x_j, x_l> of all pairs, and some of those that stand below the diagonal.
  INLINE void find_products() {
    for (int j = 0; j < problem_.fields; j += kTileRows) {
      const int others = problem_.fields - j;
      multiply<W, false>(x().from(j, 0), x().transposed().from(0, j), matrix().from(j, j),
                         std::min(kTileRows, others), others, problem_.dim);
    }
  }

  INLINE Vector<W> weighted(Vector<W> product, int j, int l) const {
    return problem_.weights ? product * (alpha_[j] + alpha_[l]) : product;
  }

  const Problem& problem_;
  Vector<W>*x_, *alpha_, *matrix_;
  Arena<W> arena_;
};

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, float* to, int64_t first, int64_t last) {
    Block<W> block(problem);
    for (int64_t record = first; record < last; record += W) {
      const int count = std::min<int64_t>(W, last - record);
      block.take(record, count);
      block.find_pairs();
      const Slab slab = problem.pairs_slab(count);
      separate_records<W>(block.pairs, slab, 1.0f, to + record * slab.record);
    }
  }
};

struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* of_pairs, float* of_fields,
                         float* of_weights, int64_t first, int64_t last) {
    Block<W> block(problem);
    for (int64_t record = first; record < last; record += W) {
      const int count = std::min<int64_t>(W, last - record);
      block.take(record, count);
      const Slab pairs = problem.pairs_slab(count), fields = problem.fields_slab(count);
      interleave_records<W>(of_pairs + record * pairs.record, pairs, 1.0f, block.pairs);
      block.find_gradients();
      separate_records<W>(block.of_x, fields, 1.0f, of_fields + record * fields.record);
      if (!problem.weights) continue;
      const Slab weights = problem.weights_slab(count);
      separate_records<W>(block.of_alpha, weights, 1.0f, of_weights + record * weights.record);
    }
  }
};

class InnerProductsOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

 protected:
  absl::Status find_problem(OpKernelContext* context, Problem* to) const {
    const TensorShape &fields = shape_of(context, kFields), &weights = shape_of(context, kWeights);
    const bool weighted = weights != TensorShape({0, 0});
    if (fields.dims() != 3 ||
        (weighted && weights != TensorShape({fields.dim_size(0), fields.dim_size(1)}))) {
      return absl::InvalidArgumentError(
          absl::StrCat("fields must be (B, m, d) and weights (B, m), or (0, 0) for none, got ",
                       fields.DebugString(), " and ", weights.DebugString()));
    }
    *to = {fields.dim_size(0), static_cast<int>(fields.dim_size(1)),
           static_cast<int>(fields.dim_size(2)), floats_of(context, kFields),
           weighted ? floats_of(context, kWeights) : nullptr};
    return absl::OkStatus();
  }

  // What a block costs, in products.
  static int64_t cost_of(const Problem& problem) {
    return int64_t{problem.fields} * problem.fields * problem.dim;
  }
};

class InnerProducts : public InnerProductsOp {
 public:
  using InnerProductsOp::InnerProductsOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor* pairs;
    const TensorShape shape({problem.records, problem.pairs()});
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &pairs));
    float* const to = pairs->flat<float>().data();
    interhat::shard_blocks(context, problem.records, cost_of(problem),
                           [&](int64_t first, int64_t last) {
                             interhat::run<Forward>(problem, to, first, last);
                           });
  }
};

class InnerProductsGradient : public InnerProductsOp {
 public:
  using InnerProductsOp::InnerProductsOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    const TensorShape& of_pairs = shape_of(context, kOfPairs);
    OP_REQUIRES(context, of_pairs == TensorShape({problem.records, problem.pairs()}),
                absl::InvalidArgumentError(absl::StrCat(
                    "the gradient must have the result's shape, got ", of_pairs.DebugString())));
    float* to[kOfPairs];
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, to));
    const float* const gradient = floats_of(context, kOfPairs);
    interhat::shard_blocks(context, problem.records, cost_of(problem),
                           [&](int64_t first, int64_t last) {
                             interhat::run<Backward>(problem, gradient, to[kFields], to[kWeights],
                                                     first, last);
                           });
  }
};

absl::Status pairs_shape(tensorflow::shape_inference::InferenceContext* context) {
  tensorflow::shape_inference::ShapeHandle fields;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(kFields), 3, &fields));
  const auto count = context->Dim(fields, 1);
  const int64_t m = context->Value(count);
  const auto pairs =
      context->ValueKnown(count) ? context->MakeDim(m * (m - 1) / 2) : context->UnknownDim();
  context->set_output(0, context->MakeShape({context->Dim(fields, 0), pairs}));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("InterhatInnerProducts")
    .Input("fields: float")
    .Input("weights: float")
    .Output("pairs: float")
    .SetShapeFn(pairs_shape);
REGISTER_KERNEL_BUILDER(Name("InterhatInnerProducts").Device(tensorflow::DEVICE_CPU),
                        InnerProducts);

REGISTER_OP("InterhatInnerProductsGradient")
    .Input("fields: float")
    .Input("weights: float")
    .Input("pairs_gradient: float")
    .Output("fields_gradient: float")
    .Output("weights_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatInnerProductsGradient").Device(tensorflow::DEVICE_CPU),
                        InnerProductsGradient);
