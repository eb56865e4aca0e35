// What a thread works with when it pools an order by scores of batch-normalised features: the
// weights of the order, a record, and the pass forward, which the gradient takes in part again.

#ifndef INTERHAT_TF_KERNELS_ORDER_WORKSPACE_H_
#define INTERHAT_TF_KERNELS_ORDER_WORKSPACE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "gemm.h"
#include "hierarchy_op.h"
#include "vectors.h"

namespace interhat {

struct OrdersProblem : HierarchyInputs {
  float epsilon;
  const float* gammas;  // (k, m, d), as beta, mean and variance
  const float* betas;
  const float* means;  // of the batch or, when the model is not trained, of the training
  const float* variances;
  const float* pooled;  // u, (B, k, d), of which those of lower orders are there
};

// What a thread works with: an order's weights, and a record. Rows are filled up with zeros.
template <int W>
class OrderWorkspace {
 public:
  explicit OrderWorkspace(const OrdersProblem& problem)
      : problem(problem),
        fields(padded<W>(problem.fields)),
        dim(padded<W>(problem.dim)),
        size(padded<W>(problem.size)),
        arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    arena_.fill_with_zeros();
  }

  INLINE void take_order(int i) {
    const int of_record = i * problem.of_record();
    for (int j = 0; j < problem.fields; j++) {
      for (int c = 0; c < problem.dim; c++) {
        const int at = of_record + j * problem.dim + c;
        const float deviation = std::sqrt(problem.variances[at] + problem.epsilon);
        const float factor = problem.gammas[at] / deviation;
        scale.data[j * dim + c] = factor;
        shift.data[j * dim + c] = problem.betas[at] - problem.means[at] * factor;
      }
    }
    pack_rows<W>(problem.kernels + i * problem.of_kernel(), problem.size, kernel.data, size,
                 problem.dim, problem.size);
    const float* const of_context = problem.contexts + i * problem.size;
    std::copy_n(of_context, problem.size, context.data);
    if (problem.biased) std::copy_n(problem.biases + i * problem.size, problem.size, bias.data);
  }

  INLINE void take_record(int64_t record) {
    take_rows(problem.features + record * problem.of_record(), x);
  }

  // Takes the factor z_i of a record's features of an order.
  INLINE void take_factor(int64_t record, int i) {
    const float* const pooled = problem.pooled + record * problem.orders * problem.dim;
    std::fill_n(z.data, problem.dim, 1.0f);
    for (int order = 0; order < i; order++) {
      for (int c = 0; c < problem.dim; c++) z.data[c] += pooled[order * problem.dim + c];
    }
  }

  // act(W_i^T n_i[j] + b_i) of all fields j.
  INLINE void project() {
    for (int j = 0; j < problem.fields; j++) {
      for (int v = 0; v < dim / W; v++) {
        normalized(j, v) = x(j, v) * (z(0, v) * scale(j, v)) + shift(j, v);
      }
    }
    multiply<W>(row_major(normalized), kernel, Store<W>{projected}, problem.fields, size / W,
                problem.dim);
    for (int j = 0; j < problem.fields; j++) {
      for (int v = 0; v < size / W; v++) {
        const Vector<W> sum = projected(j, v) + bias(0, v), floor = Vector<W>{} + problem.lowest;
        projected(j, v) = sum < floor ? floor : sum;  // what is not a number stays so
      }
    }
  }

  // alpha_i; what fills up the last vector has no weight.
  INLINE void weigh() {
    project();
    for (int j = 0; j < problem.fields; j++) {
      Vector<W> score = {};
      for (int v = 0; v < size / W; v++) score += projected(j, v) * context(0, v);
      weights.data[j] = sum_of<W>(score) * kLog2E;
    }
    float highest = weights.data[0];
    for (int j = 1; j < problem.fields; j++) highest = std::max(highest, weights.data[j]);
    for (int v = 0; v < fields / W; v++) weights(0, v) = exp2<W>(weights(0, v) - highest);
    std::fill(weights.data + problem.fields, weights.data + fields, 0.0f);
    Vector<W> sum = {};
    for (int v = 0; v < fields / W; v++) sum += weights(0, v);
    const float inverse_sum = 1.0f / sum_of<W>(sum);
    for (int v = 0; v < fields / W; v++) weights(0, v) *= inverse_sum;
  }

  // t_i, in the place of n_i, and u_i.
  INLINE void pool() {
    for (int v = 0; v < dim / W; v++) {
      const Vector<W> of_order = z(0, v);
      Vector<W> of_fields = {};
      for (int j = 0; j < problem.fields; j++) {
        const Vector<W> term = x(j, v) * (of_order * weights.data[j]);
        normalized(j, v) = term;
        of_fields += term;
      }
      sum(0, v) = of_fields;
    }
  }

  INLINE void take_rows(const float* from, Matrix<W> to) const {
    pack_rows<W>(from, problem.dim, to.data, dim, problem.fields, problem.dim);
  }
  INLINE void put_rows(Matrix<W> from, float* to) const {
    pack_rows<W>(from.data, dim, to, problem.dim, problem.fields, problem.dim);
  }

  // Asks for the next record, whose rows follow, while this one is computed.
  INLINE void prefetch_next(const float* rows) const {
    constexpr int kLine = 16;  // floats of a line of the cache
    const int of_record = problem.of_record();
    for (int at = 0; at < of_record; at += kLine) __builtin_prefetch(rows + of_record + at);
  }

  const OrdersProblem& problem;
  const int fields, dim, size;  // whole vectors
  Matrix<W> x, normalized, projected, scale, shift, kernel, z, sum, weights, context, bias;

 private:
  void lay_out(Arena<W>& arena) {
    for (Matrix<W>* of_fields : {&x, &normalized, &scale, &shift}) {
      *of_fields = take_matrix<W>(arena, problem.fields, dim);
    }
    projected = take_matrix<W>(arena, problem.fields, size);
    kernel = take_matrix<W>(arena, problem.dim, size);
    for (Matrix<W>* row : {&z, &sum}) *row = take_matrix<W>(arena, 1, dim);
    for (Matrix<W>* row : {&context, &bias}) *row = take_matrix<W>(arena, 1, size);
    weights = take_matrix<W>(arena, 1, fields);
  }

  Arena<W> arena_;
};

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_ORDER_WORKSPACE_H_
