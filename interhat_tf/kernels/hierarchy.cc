// The orders of InterHAt's hierarchy, u_1 ... u_k, in one operation, and its gradient.
//
//     alpha_i = softmax_j(c_i . act(W_i^T x_i[j] + b_i)),  u_i = sum_j alpha_i[j] x_i[j]
//     x_{i+1}[j] = u_i * x_1[j] + x_i[j]
//
// An order's features are those of the first order, x_i[j] = z_i * x_1[j] with
// z_i = 1 + u_1 + ... + u_{i-1}, so that they need not be there at all: a record's z_i goes into
// W_i, and what is pooled into y_i = sum_j alpha_i[j] x_1[j], of which u_i = z_i * y_i. A vector
// register holds the same number of several records, one to a lane.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "hierarchy_op.h"
#include "interleaved.h"
#include "vectors.h"

namespace {

using interhat::Arena;
using interhat::exp2;
using interhat::floats_of;
using interhat::interleave_records;
using interhat::kLog2E;
using interhat::kTileRows;
using interhat::LaneMatrix;
using interhat::multiply;
using interhat::OpKernelContext;
using interhat::separate_records;
using interhat::shape_of;
using interhat::Slab;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;

struct Problem : interhat::HierarchyInputs {
  // Numbers of the gradients of an order's weights: W, b and c.
  int of_weights() const { return of_kernel() + 2 * size; }
  Slab features_slab(int count) const { return {fields, dim, 1, 1, count}; }
  Slab orders_slab(int count) const { return {orders, dim, 1, 1, count}; }
  Slab weights_slab(int count) const { return {orders, fields, 1, 1, count}; }
};

// Vectors as the one row, or the one column, of a matrix.
template <int W>
INLINE LaneMatrix<W> row_of(Vector<W>* data) {
  return {data, 0, 1};
}
template <int W>
INLINE LaneMatrix<W> column_of(Vector<W>* data) {
  return {data, 1, 0};
}

// The arrays of a block of records, and the pass forward, which the gradient takes again.
template <int W>
class Block {
 public:
  explicit Block(const Problem& problem)
      : problem(problem), arena_([&](Arena<W>& arena) { lay_out(arena); }) {}

  INLINE void take(int64_t record, int count) {
    const Slab slab = problem.features_slab(count);
    interleave_records<W>(problem.features + record * slab.record, slab, 1.0f, features_);
  }

  INLINE void pool() {
    std::fill(z(0), z(1), Vector<W>{} + 1.0f);
    for (int i = 0; i < problem.orders; i++) {
      scale_kernel(i);
      weigh(i);
      multiply<W, false>(row_of<W>(alpha(i)), x(), row_of<W>(y(i)), 1, problem.dim, problem.fields);
      for (int c = 0; c < problem.dim; c++) {
        u(i)[c] = z(i)[c] * y(i)[c];
        z(i + 1)[c] = z(i)[c] + u(i)[c];
      }
    }
  }

  // W_i for the features of the first order: each record has its own.
  INLINE void scale_kernel(int i) {
    const float* kernel = problem.kernels + i * problem.of_kernel();
    for (int c = 0; c < problem.dim; c++) {
      for (int n = 0; n < problem.size; n++) {
        scaled_[c * problem.size + n] = z(i)[c] * kernel[c * problem.size + n];
      }
    }
  }

  // act(W_i^T x_i[j] + b_i) of some fields j from the first one on.
  INLINE void project(int i, int first, int rows) {
    multiply<W, false>(x().from(first, 0), scaled(), projected(), rows, problem.size, problem.dim);
    const float* bias = problem.biases + i * problem.size;
    for (int r = 0; r < rows; r++) {
      for (int n = 0; n < problem.size; n++) {
        Vector<W>& value = projected()(r, n);
        if (problem.biased) value += bias[n];
        value = value < problem.lowest ? Vector<W>{} + problem.lowest : value;
      }
    }
  }

  INLINE LaneMatrix<W> x() const { return {features_, problem.dim, 1}; }
  INLINE LaneMatrix<W> scaled() const { return {scaled_, problem.size, 1}; }
  INLINE LaneMatrix<W> projected() const { return {projected_, problem.size, 1}; }
  INLINE Vector<W>* z(int i) const { return z_ + i * problem.dim; }
  INLINE Vector<W>* y(int i) const { return y_ + i * problem.dim; }
  INLINE Vector<W>* u(int i) const { return u_ + i * problem.dim; }
  INLINE Vector<W>* alpha(int i) const { return alpha_ + i * problem.fields; }

  const Problem& problem;

 private:
  void lay_out(Arena<W>& arena) {
    features_ = arena.take(problem.fields * problem.dim);
    scaled_ = arena.take(problem.of_kernel());
    projected_ = arena.take(kTileRows * problem.size);
    z_ = arena.take((problem.orders + 1) * problem.dim);
    for (Vector<W>** array : {&y_, &u_}) *array = arena.take(problem.orders * problem.dim);
    alpha_ = arena.take(problem.orders * problem.fields);
  }

  INLINE void weigh(int i) {
    const float* context = problem.contexts + i * problem.size;
    Vector<W>* const weights = alpha(i);
    Vector<W> highest = Vector<W>{} - std::numeric_limits<float>::infinity();
    for (int first = 0; first < problem.fields; first += kTileRows) {
      const int rows = std::min(kTileRows, problem.fields - first);
      project(i, first, rows);
      for (int r = 0; r < rows; r++) {
        Vector<W> score = {};
        for (int n = 0; n < problem.size; n++) score += projected()(r, n) * context[n];
        score *= kLog2E;
        weights[first + r] = score;
        highest = score > highest ? score : highest;
      }
    }
    Vector<W> sum = {};
    for (int j = 0; j < problem.fields; j++) {
      weights[j] = exp2<W>(weights[j] - highest);
      sum += weights[j];
    }
    const Vector<W> inverse_sum = 1.0f / sum;
    for (int j = 0; j < problem.fields; j++) weights[j] *= inverse_sum;
  }

  Vector<W>*features_, *scaled_, *projected_, *z_, *y_, *u_, *alpha_;
  const Arena<W> arena_;
};

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, float* orders, float* weights, int64_t first,
                         int64_t last) {
    Block<W> block(problem);
    for (int64_t record = first; record < last; record += W) {
      const int count = std::min<int64_t>(W, last - record);
      block.take(record, count);
      block.pool();
      const Slab of_orders = problem.orders_slab(count), of_weights = problem.weights_slab(count);
      separate_records<W>(block.u(0), of_orders, 1.0f, orders + record * of_orders.record);
      separate_records<W>(block.alpha(0), of_weights, 1.0f, weights + record * of_weights.record);
    }
  }
};

// Gradients of what a block was made of, and of the weights, which are sums over its lanes.
template <int W>
class BlockGradient {
 public:
  explicit BlockGradient(Block<W>& block)
      : block_(block), problem_(block.problem), arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    arena_.fill_with_zeros();
  }

  // Takes the gradients of u and alpha. Lanes without a record have none.
  INLINE void take(const float* of_orders, const float* of_weights, int64_t record, int count) {
    const Slab orders = problem_.orders_slab(count), weights = problem_.weights_slab(count);
    interleave_records<W>(of_orders + record * orders.record, orders, 1.0f, du_);
    interleave_records<W>(of_weights + record * weights.record, weights, 1.0f, dalpha_);
    for (int lane = count; lane < W; lane++) {
      for (int n = 0; n < orders.width; n++) du_[n][lane] = 0.0f;
      for (int n = 0; n < weights.width; n++) dalpha_[n][lane] = 0.0f;
    }
  }

  INLINE void pull_back() {
    std::fill(dx_, dx_ + problem_.fields * problem_.dim, Vector<W>{});
    std::fill(dz_, dz_ + problem_.dim, Vector<W>{});
    for (int i = problem_.orders - 1; i >= 0; i--) {
      for (int c = 0; c < problem_.dim; c++) {
        // u_i is in z of all higher orders, whose gradients dz holds by now.
        const Vector<W> du = du_[i * problem_.dim + c] + dz_[c];
        dz_[c] += du * block_.y(i)[c];
        dy_[c] = du * block_.z(i)[c];
      }
      pull_back_scores(i);
      multiply<W, true>(column_of<W>(block_.alpha(i)), row_of<W>(dy_), dx(), problem_.fields,
                        problem_.dim, 1);
      block_.scale_kernel(i);
      pull_back_projections(i);
      pull_back_kernel(i);
    }
  }

  INLINE void put_features(int64_t record, int count, float* to) const {
    const Slab slab = problem_.features_slab(count);
    separate_records<W>(dx_, slab, 1.0f, to + record * slab.record);
  }

  // The gradients of the weights, order by order, W, b and c of each.
  INLINE void put_weights(float* to) const {
    for (int n = 0; n < problem_.orders * problem_.of_weights(); n++) {
      to[n] = 0.0f;
      for (int lane = 0; lane < W; lane++) to[n] += sums_[n][lane];
    }
  }

 private:
  void lay_out(Arena<W>& arena) {
    dx_ = arena.take(problem_.fields * problem_.dim);
    du_ = arena.take(problem_.orders * problem_.dim);
    dalpha_ = arena.take(problem_.orders * problem_.fields);
    for (Vector<W>** array : {&dz_, &dy_}) *array = arena.take(problem_.dim);
    d_scores_ = arena.take(problem_.fields);
    d_projected_ = arena.take(kTileRows * problem_.size);
    d_scaled_ = arena.take(problem_.of_kernel());
    sums_ = arena.take(problem_.orders * problem_.of_weights());
  }

  INLINE void pull_back_scores(int i) {
    const Vector<W>* const alpha = block_.alpha(i);
    std::copy(dalpha_ + i * problem_.fields, dalpha_ + (i + 1) * problem_.fields, d_scores_);
    multiply<W, true>(block_.x(), column_of<W>(dy_), column_of<W>(d_scores_), problem_.fields, 1,
                      problem_.dim);
    Vector<W> mean = {};
    for (int j = 0; j < problem_.fields; j++) mean += alpha[j] * d_scores_[j];
    for (int j = 0; j < problem_.fields; j++) d_scores_[j] = alpha[j] * (d_scores_[j] - mean);
  }

  INLINE void pull_back_projections(int i) {
    const float* context = problem_.contexts + i * problem_.size;
    Vector<W>* const db = sums_ + i * problem_.of_weights() + problem_.of_kernel();
    Vector<W>* const dc = db + problem_.size;
    const LaneMatrix<W> d_projected = {d_projected_, problem_.size, 1};
    const LaneMatrix<W> d_scaled = {d_scaled_, problem_.size, 1};
    std::fill(d_scaled_, d_scaled_ + problem_.of_kernel(), Vector<W>{});
    for (int first = 0; first < problem_.fields; first += kTileRows) {
      const int rows = std::min(kTileRows, problem_.fields - first);
      block_.project(i, first, rows);
      for (int r = 0; r < rows; r++) {
        for (int n = 0; n < problem_.size; n++) {
          const Vector<W> value = block_.projected()(r, n);
          const Vector<W> gradient = d_scores_[first + r] * context[n];
          d_projected(r, n) = value > problem_.lowest ? gradient : Vector<W>{};
          db[n] += d_projected(r, n);
          dc[n] += d_scores_[first + r] * value;
        }
      }
      multiply<W, true>(block_.x().from(first, 0).transposed(), d_projected, d_scaled,
                        problem_.dim, problem_.size, rows);
      multiply<W, true>(d_projected, block_.scaled().transposed(), dx().from(first, 0), rows,
                        problem_.dim, problem_.size);
    }
  }

  INLINE void pull_back_kernel(int i) {
    const float* kernel = problem_.kernels + i * problem_.of_kernel();
    Vector<W>* const d_kernel = sums_ + i * problem_.of_weights();
    for (int c = 0; c < problem_.dim; c++) {
      for (int n = 0; n < problem_.size; n++) {
        const int at = c * problem_.size + n;
        d_kernel[at] += block_.z(i)[c] * d_scaled_[at];
        dz_[c] += d_scaled_[at] * kernel[at];
      }
    }
  }

  INLINE LaneMatrix<W> dx() const { return {dx_, problem_.dim, 1}; }

  Block<W>& block_;
  const Problem& problem_;
  Vector<W>*dx_, *du_, *dalpha_, *dz_, *dy_, *d_scores_, *d_projected_, *d_scaled_, *sums_;
  Arena<W> arena_;
};

struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* of_orders, const float* of_weights,
                         float* to_features, float* to_weights, int64_t first, int64_t last) {
    Block<W> block(problem);
    BlockGradient<W> gradient(block);
    for (int64_t record = first; record < last; record += W) {
      const int count = std::min<int64_t>(W, last - record);
      block.take(record, count);
      block.pool();
      gradient.take(of_orders, of_weights, record, count);
      gradient.pull_back();
      gradient.put_features(record, count, to_features);
    }
    gradient.put_weights(to_weights);
  }
};

class HierarchyOp : public interhat::HierarchyOpBase {
 public:
  using HierarchyOpBase::HierarchyOpBase;

 protected:
  // Whole vectors of records.
  // What a block costs, in products.
  static int64_t cost_of(const Problem& problem) {
    return static_cast<int64_t>(problem.orders) * problem.fields * problem.of_kernel();
  }
};

class Hierarchy : public HierarchyOp {
 public:
  using HierarchyOp::HierarchyOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_inputs(context, &problem));
    Tensor *orders, *weights;
    OP_REQUIRES_OK(context, context->allocate_output(0, problem.pooled_shape(), &orders));
    OP_REQUIRES_OK(context, context->allocate_output(1, problem.weights_shape(), &weights));
    float* const to_orders = orders->flat<float>().data();
    float* const to_weights = weights->flat<float>().data();
    interhat::shard_blocks(context, problem.records, cost_of(problem),
                           [&](int64_t first, int64_t last) {
                             interhat::run<Forward>(problem, to_orders, to_weights, first, last);
                           });
  }
};

class HierarchyGradient : public HierarchyOp {
 public:
  using HierarchyOp::HierarchyOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_inputs(context, &problem));
    const TensorShape& of_orders = shape_of(context, kOfOrders);
    const TensorShape& of_weights = shape_of(context, kOfWeights);
    OP_REQUIRES(context,
                of_orders == problem.pooled_shape() && of_weights == problem.weights_shape(),
                absl::InvalidArgumentError(absl::StrCat(
                    "gradients must have the results' shapes, got ", of_orders.DebugString(),
                    " and ", of_weights.DebugString())));
    float* out[kOfOrders];
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    // Each part has its own sums, which are added up in order: results can be repeated.
    const int64_t blocks = interhat::blocks_of(problem.records), together = interhat::lanes();
    const int threads = interhat::threads_of(context);
    const int64_t parts = std::min<int64_t>(blocks, threads > 1 ? 4 * threads : 1);
    const int64_t of_part = problem.orders * problem.of_weights();
    std::vector<float> sums(parts * of_part);
    constexpr int64_t kMuch = 1 << 20;  // so that a part is not put together with others
    interhat::shard(context, parts, kMuch, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; part++) {
        interhat::run<Backward>(problem, floats_of(context, kOfOrders),
                                floats_of(context, kOfWeights), out[kFeatures],
                                sums.data() + part * of_part, part * blocks / parts * together,
                                std::min((part + 1) * blocks / parts * together, problem.records));
      }
    });
    add_up(problem, sums, out);
  }

 private:
  enum More { kOfOrders = kHierarchyInputs, kOfWeights };

  // Adds the parts' gradients of the weights up.
  static void add_up(const Problem& problem, const std::vector<float>& sums, float* const* out) {
    const int64_t of_kernel = problem.of_kernel(), size = problem.size;
    std::fill_n(out[kKernels], problem.orders * of_kernel, 0.0f);
    std::fill_n(out[kBiases], problem.biased ? problem.orders * size : 0, 0.0f);
    std::fill_n(out[kContexts], problem.orders * size, 0.0f);
    for (auto sum = sums.begin(); sum != sums.end();) {
      for (int i = 0; i < problem.orders; i++) {
        for (int64_t n = 0; n < of_kernel; n++) out[kKernels][i * of_kernel + n] += *sum++;
        for (int64_t n = 0; n < size; n++, sum++) {
          if (problem.biased) out[kBiases][i * size + n] += *sum;
        }
        for (int64_t n = 0; n < size; n++) out[kContexts][i * size + n] += *sum++;
      }
    }
  }
};

}  // namespace

REGISTER_OP("InterhatHierarchy")
    .Input("features: float")
    .Input("kernels: float")
    .Input("biases: float")
    .Input("contexts: float")
    .Attr("relu: bool")
    .Output("orders: float")
    .Output("weights: float")
    .SetShapeFn(interhat::pooled_shapes);
REGISTER_KERNEL_BUILDER(Name("InterhatHierarchy").Device(tensorflow::DEVICE_CPU), Hierarchy);

REGISTER_OP("InterhatHierarchyGradient")
    .Input("features: float")
    .Input("kernels: float")
    .Input("biases: float")
    .Input("contexts: float")
    .Input("orders_gradient: float")
    .Input("weights_gradient: float")
    .Attr("relu: bool")
    .Output("features_gradient: float")
    .Output("kernels_gradient: float")
    .Output("biases_gradient: float")
    .Output("contexts_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatHierarchyGradient").Device(tensorflow::DEVICE_CPU),
                        HierarchyGradient);
