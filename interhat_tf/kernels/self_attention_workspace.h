// What a thread works with when it computes self-attention: the arrays of a record and of a head,
// the projections' kernels packed, and the products of which the pass forward consists.

#ifndef INTERHAT_TF_KERNELS_SELF_ATTENTION_WORKSPACE_H_
#define INTERHAT_TF_KERNELS_SELF_ATTENTION_WORKSPACE_H_

#include <algorithm>
#include <cstdint>

#include "gemm.h"
#include "vectors.h"

namespace interhat {

enum Projection { kQuery, kKey, kValue, kProjections };

struct SelfAttentionProblem {
  int64_t records;   // B
  int fields;        // m
  int inputs;        // d
  int heads;         // h
  int head_width;    // d_K
  int output_width;  // d', the columns of W_m; 0 without it
  bool biased;
  float scale;   // of the scores
  float lowest;  // of what a projection gives: 0 with a ReLU
  const float* x;
  const float* kernels[kProjections];  // (d, h * d_K)
  const float* biases[kProjections];   // (h * d_K)
  const float* output_kernel;          // (h * d_K, d')

  int64_t width() const { return static_cast<int64_t>(heads) * head_width; }
  // Numbers that a field has in the result.
  int64_t result_width() const { return output_width ? output_width : width(); }
  int output_rows() const { return output_width ? heads * head_width : 0; }  // of W_m
  // A constant 1 behind the inputs makes the bias a row of the kernel.
  int kernel_rows() const { return inputs + biased; }
  bool is_empty() const { return records * fields * inputs * head_width == 0; }
};

template <int W>
class Workspace {
 public:
  Workspace(const SelfAttentionProblem& problem, bool backward)
      : problem(problem),
        fields(padded<W>(problem.fields)),
        inputs(padded<W>(problem.inputs)),
        width(padded<W>(problem.head_width)),
        result_width(padded<W>(problem.output_width)),
        arena_([&](Arena<W>& arena) { lay_out(arena, backward); }) {
    arena_.fill_with_zeros();
    pack_kernels();
    if (backward) pack_transposed_kernels();
  }

  // The rows of a head, of the projections' kernels and of W_m, as they are and transposed.
  INLINE Matrix<W> of_head(Matrix<W> kernel, int head) const {
    return {kernel.data + head * problem.kernel_rows() * kernel.stride, kernel.stride};
  }
  INLINE Matrix<W> transposed_of_head(int p, int head) const {
    return {kernels_transposed[p].data + head * problem.head_width * inputs, inputs};
  }
  INLINE Matrix<W> output_rows_of(Matrix<W> kernel, int head) const {
    return {kernel.data + head * problem.head_width * kernel.stride, kernel.stride};
  }
  INLINE Matrix<W> transposed_output_rows_of(int head) const {
    return {output_kernel_transposed.data + head * problem.output_width * width, width};
  }

  INLINE void take_record(int64_t record) {
    const float* from = problem.x + record * problem.fields * problem.inputs;
    for (int i = 0; i < problem.fields; i++, from += problem.inputs) {
      float* row = x.data + i * x.stride;
      for (int k = 0; k < problem.inputs; k++) row[k] = from[k];
      if (problem.biased) row[problem.inputs] = 1.0f;
    }
    pack_transposed<W>(x.data, x.stride, problem.fields, problem.kernel_rows(), x_transposed.data,
                       fields);
  }

  INLINE void project(int p, int head) {
    multiply<W>(column_major(x_transposed), of_head(kernels[p], head),
                Activate<W>{projected[p], problem.lowest}, problem.fields, width / W,
                problem.kernel_rows());
  }

  // The attention weights of a head, transposed: their columns are queries.
  INLINE void weigh(int head) {
    project(kKey, head);
    multiply<W>(column_major(of_head(kernels[kQuery], head)), x_transposed,
                Activate<W>{query_transposed, problem.lowest}, problem.head_width, fields / W,
                problem.kernel_rows());
    multiply<W>(row_major(projected[kKey]), query_transposed, Store<W>{weights}, problem.fields,
                fields / W, problem.head_width);
    for (int i = 0; i < fields / W; i++) {
      Vector<W> highest = weights(0, i);
      for (int j = 1; j < problem.fields; j++) {
        highest = weights(j, i) > highest ? weights(j, i) : highest;
      }
      Vector<W> sum = {};
      for (int j = 0; j < problem.fields; j++) {
        weights(j, i) = exp2<W>(weights(j, i) - highest);
        sum += weights(j, i);
      }
      const Vector<W> inverse_sum = 1.0f / sum;
      for (int j = 0; j < problem.fields; j++) weights(j, i) *= inverse_sum;
    }
  }

  // The output of a head that has weights and values.
  INLINE void attend() {
    multiply<W>(column_major(weights), projected[kValue], Store<W>{head_output}, problem.fields,
                width / W, problem.fields);
  }

  const SelfAttentionProblem& problem;
  const int fields, inputs, width, result_width;  // whole vectors
  Matrix<W> x, x_transposed, projected[kProjections], query_transposed, weights, head_output;
  // The result or its gradient, and W_m.
  Matrix<W> result, result_transposed;
  Matrix<W> output_kernel, output_kernel_gradient, output_kernel_transposed;
  Matrix<W> gradient, gradient_transposed, scores_gradient, x_gradient;
  Matrix<W> kernels[kProjections], kernels_transposed[kProjections], kernels_gradient[kProjections];

 private:
  void lay_out(Arena<W>& arena, bool backward) {
    const auto matrix = [&](int rows, int stride) { return take_matrix(arena, rows, stride); };
    const int m = problem.fields, d_k = problem.head_width, heads = problem.heads;
    const int kernel_rows = problem.kernel_rows();
    x = matrix(m, padded<W>(kernel_rows));
    x_transposed = matrix(kernel_rows, fields);
    for (int p = 0; p < kProjections; p++) {
      projected[p] = matrix(m, width);
      kernels[p] = matrix(heads * kernel_rows, width);
    }
    query_transposed = matrix(d_k, fields);
    weights = matrix(m, fields);
    head_output = matrix(m, width);
    result = matrix(m, result_width);
    output_kernel = matrix(problem.output_rows(), result_width);
    if (!backward) return;
    result_transposed = matrix(problem.output_width, fields);
    output_kernel_gradient = matrix(problem.output_rows(), result_width);
    output_kernel_transposed = matrix(heads * problem.output_width, width);
    gradient = matrix(m, width);
    gradient_transposed = matrix(d_k, fields);
    scores_gradient = matrix(m, fields);
    x_gradient = matrix(m, inputs);
    for (int p = 0; p < kProjections; p++) {
      kernels_gradient[p] = matrix(heads * kernel_rows, width);
      kernels_transposed[p] = matrix(heads * d_k, inputs);
    }
  }

  // Queries get the factor log2(e) * scale, so that weights are powers of 2.
  void pack_kernels() {
    const int rows = problem.kernel_rows(), d_k = problem.head_width;
    for (int p = 0; p < kProjections; p++) {
      const float factor = p == kQuery ? problem.scale * kLog2E : 1.0f;
      for (int head = 0; head < problem.heads; head++) {
        for (int k = 0; k < rows; k++) {
          const float* from = k < problem.inputs ? problem.kernels[p] + k * problem.width()
                                                 : problem.biases[p];
          float* to = kernels[p].data + (head * rows + k) * width;
          for (int c = 0; c < d_k; c++) to[c] = from[head * d_k + c] * factor;
        }
      }
    }
    for (int row = 0; row < problem.output_rows(); row++) {
      std::copy_n(problem.output_kernel + row * problem.output_width, problem.output_width,
                  output_kernel.data + row * result_width);
    }
  }

  void pack_transposed_kernels() {
    for (int head = 0; head < problem.heads; head++) {
      pack_transposed<W>(output_rows_of(output_kernel, head).data, result_width,
                         problem.head_width, problem.output_width,
                         transposed_output_rows_of(head).data, width);
      for (int p = 0; p < kProjections; p++) {
        pack_transposed<W>(of_head(kernels[p], head).data, width, problem.inputs,
                           problem.head_width, transposed_of_head(p, head).data, inputs);
      }
    }
  }

  Arena<W> arena_;
};

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_SELF_ATTENTION_WORKSPACE_H_
