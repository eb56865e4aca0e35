// The gradient of an order that is pooled by scores of batch-normalised features: what a thread
// takes back to the features of the first order, record by record, and sums up over its records.

#ifndef INTERHAT_TF_KERNELS_ORDER_GRADIENT_H_
#define INTERHAT_TF_KERNELS_ORDER_GRADIENT_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gemm.h"
#include "order_workspace.h"
#include "vectors.h"

namespace interhat {

// What the gradients of an order's results are, and where those of the features go.
struct OrderGradients {
  const float* weights;     // alpha, (B, k, m)
  const float* of_pooled;   // (B, k, d)
  const float* of_weights;  // (B, k, m)
  const float* of_terms;    // (B, m, d) of the order
  float* to_features;       // (B, m, d)
  float* to_z;              // (B, d), of z_{i+1} before, of z_i afterwards
};

// Sums over records: what the gradients of an order's weights are made of.
struct OrderSums {
  std::vector<float> kernel, bias, context, scale, shift;

  explicit OrderSums(const OrdersProblem& problem)
      : kernel(problem.of_kernel()),
        bias(problem.size),
        context(problem.size),
        scale(problem.of_record()),
        shift(problem.of_record()) {}

  void add(const OrderSums& other) {
    const auto add_to = [](std::vector<float>& to, const std::vector<float>& from) {
      for (size_t n = 0; n < to.size(); n++) to[n] += from[n];
    };
    add_to(kernel, other.kernel);
    add_to(bias, other.bias);
    add_to(context, other.context);
    add_to(scale, other.scale);
    add_to(shift, other.shift);
  }
};

// The gradient of an order's features through mean and variance: constant + slope * x_i, (m, d).
struct LineOfFields {
  std::vector<float> constant, slope;
};

// Takes the gradients of an order back to the features of the first one, record by record.
template <int W>
class OrderGradient {
 public:
  explicit OrderGradient(const OrdersProblem& problem)
      : space(problem), arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    arena_.fill_with_zeros();
  }

  INLINE void take_order(int i) {
    space.take_order(i);
    pack_transposed<W>(space.kernel.data, space.size, space.problem.dim, space.problem.size,
                       kernel_transposed_.data, space.dim);
  }
  INLINE void take_line(const LineOfFields& line) {
    space.take_rows(line.constant.data(), constant_);
    space.take_rows(line.slope.data(), slope_);
  }

  INLINE void take_gradients(const OrderGradients& given, int64_t record, bool has_any) {
    const int dim = space.problem.dim;
    if (!has_any) {
      std::fill_n(dx_.data, space.problem.fields * space.dim, 0.0f);
      std::fill_n(dz_.data, dim, 0.0f);
      return;
    }
    space.prefetch_next(given.to_features + record * space.problem.of_record());
    space.take_rows(given.to_features + record * space.problem.of_record(), dx_);
    std::copy_n(given.to_z + record * dim, dim, dz_.data);
  }
  INLINE void put_gradients(const OrderGradients& given, int64_t record) const {
    space.put_rows(dx_, given.to_features + record * space.problem.of_record());
    std::copy_n(dz_.data, space.problem.dim, given.to_z + record * space.problem.dim);
  }

  // Through the mean and the variance of an order.
  INLINE void pull_back_line() {
    pull_back_product([&](int j, int v, Vector<W> product) {
      return constant_(j, v) + slope_(j, v) * product;
    });
  }

  // Through t_i, u_i and alpha_i.
  INLINE void pull_back(const OrderGradients& given, int64_t record, int i) {
    const OrdersProblem& problem = space.problem;
    const int64_t row = record * problem.orders + i;
    space.prefetch_next(given.of_terms + record * problem.of_record());
    space.prefetch_next(problem.features + record * problem.of_record());
    space.take_rows(given.of_terms + record * problem.of_record(), dt_);
    std::copy_n(given.weights + row * problem.fields, problem.fields, space.weights.data);
    const float* const of_pooled = given.of_pooled + row * problem.dim;
    for (int c = 0; c < problem.dim; c++) space.sum.data[c] = of_pooled[c] + dz_.data[c];
    pull_back_terms(given.of_weights + row * problem.fields);
    space.project();
    pull_back_scores();
    multiply<W>(column_major(space.normalized), space.projected, Accumulate<W>{d_kernel_},
                problem.dim, space.size / W, problem.fields);
    multiply<W>(row_major(space.projected), kernel_transposed_, Store<W>{space.normalized},
                problem.fields, space.dim / W, problem.size);
    pull_back_product([&](int j, int v, Vector<W> product) {
      const Vector<W> gradient = space.normalized(j, v);
      d_scale_(j, v) += gradient * product;
      d_shift_(j, v) += gradient;
      return dt_(j, v) * space.weights.data[j] + gradient * space.scale(j, v);
    });
  }

  INLINE void put_sums(OrderSums* to) const {
    const OrdersProblem& problem = space.problem;
    pack_rows<W>(d_kernel_.data, space.size, to->kernel.data(), problem.size, problem.dim,
                 problem.size);
    std::copy_n(d_bias_.data, problem.size, to->bias.data());
    std::copy_n(d_context_.data, problem.size, to->context.data());
    space.put_rows(d_scale_, to->scale.data());
    space.put_rows(d_shift_, to->shift.data());
  }

  OrderWorkspace<W> space;

 private:
  void lay_out(Arena<W>& arena) {
    const OrdersProblem& problem = space.problem;
    for (Matrix<W>* of_fields : {&dx_, &dt_, &d_scale_, &d_shift_, &constant_, &slope_}) {
      *of_fields = take_matrix<W>(arena, problem.fields, space.dim);
    }
    dz_ = take_matrix<W>(arena, 1, space.dim);
    d_scores_ = take_matrix<W>(arena, 1, space.fields);
    kernel_transposed_ = take_matrix<W>(arena, problem.size, space.dim);
    d_kernel_ = take_matrix<W>(arena, problem.dim, space.size);
    for (Matrix<W>* row : {&d_bias_, &d_context_}) {
      *row = take_matrix<W>(arena, 1, space.size);
    }
  }

  // Adds the gradient of x_i[j] = z_i * x_1[j] to those of both.
  template <typename Gradient>
  INLINE void pull_back_product(const Gradient& gradient_of) {
    for (int v = 0; v < space.dim / W; v++) {
      const Vector<W> z = space.z(0, v);
      Vector<W> of_z = {};
      for (int j = 0; j < space.problem.fields; j++) {
        const Vector<W> x = space.x(j, v), gradient = gradient_of(j, v, z * x);
        dx_(j, v) += gradient * z;
        of_z += gradient * x;
      }
      dz_(0, v) += of_z;
    }
  }

  // u_i is the sum of t_i: its gradient goes to those of all.
  INLINE void pull_back_terms(const float* of_weights) {
    const float* const alpha = space.weights.data;
    float mean = 0.0f;
    for (int j = 0; j < space.problem.fields; j++) {
      Vector<W> products = {};
      for (int v = 0; v < space.dim / W; v++) {
        dt_(j, v) += space.sum(0, v);
        products += dt_(j, v) * (space.z(0, v) * space.x(j, v));
      }
      d_scores_.data[j] = of_weights[j] + sum_of<W>(products);
      mean += alpha[j] * d_scores_.data[j];
    }
    for (int j = 0; j < space.problem.fields; j++) {
      d_scores_.data[j] = alpha[j] * (d_scores_.data[j] - mean);
    }
  }

  // Leaves the gradients of the projections before their activation in their place.
  INLINE void pull_back_scores() {
    const Vector<W> floor = Vector<W>{} + space.problem.lowest;
    for (int v = 0; v < space.size / W; v++) {
      const Vector<W> context = space.context(0, v);
      Vector<W> of_context = {}, of_bias = {};
      for (int j = 0; j < space.problem.fields; j++) {
        const Vector<W> value = space.projected(j, v);
        const Vector<W> gradient = value > floor ? context * d_scores_.data[j] : Vector<W>{};
        of_context += value * d_scores_.data[j];
        of_bias += gradient;
        space.projected(j, v) = gradient;
      }
      d_context_(0, v) += of_context;
      d_bias_(0, v) += of_bias;
    }
  }

  Matrix<W> dx_, dt_, dz_, d_scores_, kernel_transposed_, constant_, slope_;
  Matrix<W> d_kernel_, d_bias_, d_context_, d_scale_, d_shift_;
  Arena<W> arena_;
};

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_ORDER_GRADIENT_H_
