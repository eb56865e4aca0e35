// Self-attention from a record's fields X, its projections included, and the gradient.
//
//     Q = act(X W_Q + b_Q), K and V alike;  H_i = softmax(Q K^T / sqrt(d_K)) V for every head
//     [H_1; ...; H_h], or [H_1; ...; H_h] W_m
//
// Of wide heads, queries, keys, values and what the heads read are many times as much as X;
// written to memory by one operation and read by the next, they cost as much as the maps
// would. Here a record's head goes through all of the computation in the core's first cache.
// Vectors lie along fields and along a head's width, the last of a row filled up with zeros;
// `attention.cc` has records in their lanes instead, for heads too narrow for this.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "processor.h"
#include "shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/util/work_sharder.h"
#include "vectors.h"

namespace {

using interhat::exp2;
using interhat::kLn2;
using interhat::kLog2E;
using interhat::Room;
using interhat::transpose;
using interhat::Vector;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

enum Projection { kQuery, kKey, kValue, kProjections };
constexpr int kOutputKernel = 1 + 2 * kProjections;  // its place among the operation's inputs

struct Problem {
  int64_t records;  // B
  int fields;       // m
  int inputs;       // d
  int heads;        // h
  int head_width;   // d_K
  int outputs;      // columns of W_m; 0 without it
  bool biased;
  float scale;   // of the scores
  float lowest;  // of what a projection gives: 0 with a ReLU
  const float* x;
  const float* kernels[kProjections];  // (d, h * d_K)
  const float* biases[kProjections];   // (h * d_K)
  const float* output_kernel;          // (h * d_K, outputs)

  // Numbers that a field has in the result.
  int64_t result_width() const { return outputs ? outputs : width(); }
  int output_rows() const { return outputs ? heads * head_width : 0; }  // of W_m
  int64_t width() const { return static_cast<int64_t>(heads) * head_width; }
  // A constant 1 behind the inputs makes the bias a row of the weights.
  int weight_rows() const { return inputs + biased; }
};

template <int W>
INLINE int padded(int size) {
  return (size + W - 1) / W * W;
}

template <int W>
INLINE Vector<W> at(const float* from) {
  Vector<W> vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

template <int W>
INLINE void put(Vector<W> vector, float* to) {
  std::memcpy(to, &vector, sizeof(vector));
}

// Rows of whole vectors.
template <int W>
struct Rows {
  float* data;
  int stride;

  INLINE Vector<W>& operator()(int row, int vector) const {
    return *reinterpret_cast<Vector<W>*>(data + row * stride + vector * W);
  }
};

// A matrix of numbers, each of which is to fill a vector, and M rows of it, column by column.
struct Numbers {
  const float* data;
  int64_t stride;

  // More rows have more addresses than there are registers for them.
  static constexpr int kSums = 12;
  static constexpr int kRows = 8;

  template <int M>
  struct Panel {
    const float* rows[M];

    INLINE Panel(Numbers a, int row) {
      for (int i = 0; i < M; i++) rows[i] = a.data + (row + i) * a.stride;
    }
    INLINE float operator()(int i, int64_t k) const { return rows[i][k]; }
  };
};

// The transpose of one, whose columns are therefore in a row.
struct Transposed {
  const float* data;
  int64_t stride;

  static constexpr int kSums = 24;
  static constexpr int kRows = 24;

  template <int M>
  struct Panel {
    const float* data;
    int64_t stride;

    INLINE Panel(Transposed a, int row) : data(a.data + row), stride(a.stride) {}
    INLINE float operator()(int i, int64_t k) const { return data[k * stride + i]; }
  };
};

template <int W>
INLINE Numbers numbers(Rows<W> rows) {
  return {rows.data, rows.stride};
}
template <int W>
INLINE Transposed transposed(Rows<W> rows) {
  return {rows.data, rows.stride};
}

// What becomes of the sums of a product, each of which has a place in `to`.
template <int W>
struct Set {
  Rows<W> to;
  INLINE void operator()(int64_t place, Vector<W> sum) const { put<W>(sum, to.data + place); }
};
template <int W>
struct Add {
  Rows<W> to;
  INLINE void operator()(int64_t place, Vector<W> sum) const {
    put<W>(at<W>(to.data + place) + sum, to.data + place);
  }
};
template <int W>
struct Activate {
  Rows<W> to;
  float lowest;
  INLINE void operator()(int64_t place, Vector<W> sum) const {
    const Vector<W> floor = Vector<W>{} + lowest;
    put<W>(sum < floor ? floor : sum, to.data + place);  // what is not a number stays so
  }
};
// The gradient of `Activate`, of its result `active`, whose rows are as long.
template <int W>
struct SetWhereActive {
  Rows<W> to;
  Rows<W> active;
  float lowest;
  INLINE void operator()(int64_t place, Vector<W> sum) const {
    const Vector<W> floor = Vector<W>{} + lowest;
    put<W>(at<W>(active.data + place) > floor ? sum : Vector<W>{}, to.data + place);
  }
};

template <int W, int M, int N, typename A, typename Keep>
INLINE void block_product(A a, Rows<W> b, Keep keep, int row, int vector, int inner) {
  const typename A::template Panel<M> panel(a, row);
  const float* from = b.data + vector * W;
  Vector<W> sums[M][N] = {};
  for (int64_t k = 0; k < inner; k++, from += b.stride) {
    Vector<W> of_b[N];
    for (int j = 0; j < N; j++) of_b[j] = at<W>(from + j * W);
    for (int i = 0; i < M; i++) {
      const float of_a = panel(i, k);
      for (int j = 0; j < N; j++) sums[i][j] += of_a * of_b[j];
    }
  }
  int64_t place = row * static_cast<int64_t>(keep.to.stride) + vector * W;
  for (int i = 0; i < M; i++, place += keep.to.stride) {
    for (int j = 0; j < N; j++) keep(place + j * W, sums[i][j]);
  }
}

// Rows M at a time, then half as many, and so on.
template <int W, int M, int N, typename A, typename Keep>
INLINE void product_of_rows(A a, Rows<W> b, Keep keep, int row, int rows, int vector,
                            int inner) {
  for (; row + M <= rows; row += M) block_product<W, M, N>(a, b, keep, row, vector, inner);
  if constexpr (M > 1) product_of_rows<W, M / 2, N>(a, b, keep, row, rows, vector, inner);
}

// a b, (rows, vectors), of which sums over `inner`; N vectors at a time, then one less, and so on.
template <int W, int N = 3, typename A, typename Keep>
INLINE void product(A a, Rows<W> b, Keep keep, int rows, int vectors, int inner, int vector = 0) {
  // M * N sums fit into the registers.
  constexpr int M = std::min(A::kRows, (W == 16 ? A::kSums : 12) / N);
  for (; vector + N <= vectors; vector += N) {
    product_of_rows<W, M, N>(a, b, keep, 0, rows, vector, inner);
  }
  if constexpr (N > 1) product<W, N - 1>(a, b, keep, rows, vectors, inner, vector);
}

// Copies rows; where vectors do not fill a row, the last overlaps.
template <int W>
INLINE void copy(const float* from, int64_t from_stride, float* to, int64_t to_stride, int rows,
                 int width) {
  for (int row = 0; row < rows; row++, from += from_stride, to += to_stride) {
    if (width < W) {
      for (int i = 0; i < width; i++) to[i] = from[i];
      continue;
    }
    for (int begin = 0; begin < width; begin += W) {
      const int column = std::min(begin, width - W);
      put<W>(at<W>(from + column), to + column);
      // What the next head reads and writes.
      __builtin_prefetch(from + column + width);
      __builtin_prefetch(to + column + width, 1);
    }
  }
}

template <int W>
INLINE void transpose_rows(const float* from, int from_stride, int rows, int width, float* to,
                           int to_stride) {
  if (rows < W || width < W) {
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < width; j++) to[j * to_stride + i] = from[i * from_stride + j];
    }
    return;
  }
  for (int i = 0; i < rows; i += W) {
    const int row = std::min(i, rows - W);
    for (int j = 0; j < width; j += W) {
      const int column = std::min(j, width - W);
      Vector<W> tile[W];
      for (int r = 0; r < W; r++) tile[r] = at<W>(from + (row + r) * from_stride + column);
      transpose<W>(tile);
      for (int r = 0; r < W; r++) put<W>(tile[r], to + (column + r) * to_stride + row);
    }
  }
}

// What one thread works with: room for a record, and the weights of all heads.
template <int W>
class Workspace {
 public:
  Workspace(const Problem& problem, bool backward)
      : problem(problem),
        fields(padded<W>(problem.fields)),
        inputs(padded<W>(problem.inputs)),
        width(padded<W>(problem.head_width)),
        result_width(padded<W>(problem.outputs)),
        room(size(backward) / W) {
    const int m = problem.fields, d_k = problem.head_width, heads = problem.heads;
    std::memset(room.take(0), 0, size(backward) * sizeof(float));
    const int weight_rows = problem.weight_rows();
    x = rows(m, padded<W>(weight_rows));
    x_transposed = rows(weight_rows, fields);
    for (int p = 0; p < kProjections; p++) {
      projected[p] = rows(m, width);
      weights[p] = rows(heads * weight_rows, width);
    }
    query_transposed = rows(d_k, fields);
    map = rows(m, fields);
    outputs = rows(m, width);
    result = rows(m, result_width);
    output_weights = rows(problem.output_rows(), result_width);
    copy_weights();
    if (!backward) return;
    result_transposed = rows(problem.outputs, fields);
    output_weights_gradient = rows(problem.output_rows(), result_width);
    output_weights_transposed = rows(heads * problem.outputs, width);
    for (int head = 0; head < heads; head++) {
      transpose_rows<W>(output_weights_of(output_weights, head).data, result_width, d_k,
                        problem.outputs, transposed_output_weights_of(head).data, width);
    }
    gradient = rows(m, width);
    gradient_transposed = rows(d_k, fields);
    slopes = rows(m, fields);
    x_gradient = rows(m, inputs);
    for (int p = 0; p < kProjections; p++) {
      weights_gradient[p] = rows(heads * weight_rows, width);
      weights_transposed[p] = rows(heads * d_k, inputs);
      for (int head = 0; head < heads; head++) {
        transpose_rows<W>(of_head(weights[p], head).data, width, problem.inputs, d_k,
                          weights_transposed[p].data + head * d_k * inputs, inputs);
      }
    }
  }

  // The weights of a head, and its rows of W_m.
  INLINE Rows<W> of_head(Rows<W> all, int head) const {
    return {all.data + head * problem.weight_rows() * all.stride, all.stride};
  }
  INLINE Rows<W> transposed_of_head(int p, int head) const {
    return {weights_transposed[p].data + head * problem.head_width * inputs, inputs};
  }
  INLINE Rows<W> output_weights_of(Rows<W> all, int head) const {
    return {all.data + head * problem.head_width * all.stride, all.stride};
  }
  INLINE Rows<W> transposed_output_weights_of(int head) const {
    return {output_weights_transposed.data + head * problem.outputs * width, width};
  }

  INLINE void take_record(int64_t record) {
    const float* from = problem.x + record * problem.fields * problem.inputs;
    for (int i = 0; i < problem.fields; i++, from += problem.inputs) {
      float* row = x.data + i * x.stride;
      for (int k = 0; k < problem.inputs; k++) row[k] = from[k];
      if (problem.biased) row[problem.inputs] = 1.0f;
    }
    transpose_rows<W>(x.data, x.stride, problem.fields, problem.weight_rows(), x_transposed.data,
                      fields);
  }

  INLINE void project(int p, int head) {
    const Activate<W> keep = {projected[p], problem.lowest};
    product<W>(transposed(x_transposed), of_head(weights[p], head), keep, problem.fields,
               width / W, problem.weight_rows());
  }

  // The map of a head, transposed: its columns are queries.
  INLINE void weigh(int head) {
    project(kKey, head);
    product<W>(transposed(of_head(weights[kQuery], head)), x_transposed,
               Activate<W>{query_transposed, problem.lowest}, problem.head_width, fields / W,
               problem.weight_rows());
    product<W>(numbers(projected[kKey]), query_transposed, Set<W>{map}, problem.fields, fields / W,
               problem.head_width);
    for (int i = 0; i < fields / W; i++) {
      Vector<W> highest = map(0, i);
      for (int j = 1; j < problem.fields; j++) {
        highest = map(j, i) > highest ? map(j, i) : highest;
      }
      Vector<W> sum = {};
      for (int j = 0; j < problem.fields; j++) {
        map(j, i) = exp2<W>(map(j, i) - highest);
        sum += map(j, i);
      }
      const Vector<W> inverse_sum = 1.0f / sum;
      for (int j = 0; j < problem.fields; j++) map(j, i) *= inverse_sum;
    }
  }

  // What a head reads.
  INLINE void read() {
    product<W>(transposed(map), projected[kValue], Set<W>{outputs}, problem.fields, width / W,
               problem.fields);
  }

  const Problem& problem;
  const int fields, inputs, width, result_width;  // whole vectors
  Rows<W> x, x_transposed, projected[kProjections], query_transposed, map, outputs;
  // The result or its gradient, and W_m.
  Rows<W> result, result_transposed;
  Rows<W> output_weights, output_weights_gradient, output_weights_transposed;
  Rows<W> gradient, gradient_transposed, slopes, x_gradient;
  Rows<W> weights[kProjections], weights_transposed[kProjections], weights_gradient[kProjections];

 private:
  int64_t size(bool backward) const {
    const int64_t m = problem.fields, d_k = problem.head_width, e = problem.weight_rows();
    const int64_t weights = kProjections * problem.heads * e * width;
    const int64_t output_weights = problem.heads * d_k * result_width;
    const int64_t forward = m * padded<W>(e) + e * fields + (kProjections + 1) * m * width +
                            d_k * fields + m * fields + m * result_width + weights + output_weights;
    if (!backward) return forward;
    return forward + problem.outputs * fields + output_weights +
           problem.heads * problem.outputs * width + m * width + d_k * fields + m * fields +
           m * inputs + weights + kProjections * problem.heads * d_k * inputs;
  }

  Rows<W> rows(int rows, int stride) {
    return {reinterpret_cast<float*>(room.take(static_cast<int64_t>(rows) * stride / W)), stride};
  }

  // Queries get the factor log2(e) * scale, so that weights are powers of 2.
  void copy_weights() {
    const int rows = problem.weight_rows(), d_k = problem.head_width;
    for (int p = 0; p < kProjections; p++) {
      const float factor = p == kQuery ? problem.scale * kLog2E : 1.0f;
      for (int head = 0; head < problem.heads; head++) {
        for (int k = 0; k < rows; k++) {
          const float* from = k < problem.inputs ? problem.kernels[p] + k * problem.width()
                                                 : problem.biases[p];
          float* to = weights[p].data + (head * rows + k) * width;
          for (int c = 0; c < d_k; c++) to[c] = from[head * d_k + c] * factor;
        }
      }
    }
    for (int row = 0; row < problem.output_rows(); row++) {
      std::copy_n(problem.output_kernel + row * problem.outputs, problem.outputs,
                  output_weights.data + row * result_width);
    }
  }

  Room<W> room;
};

template <int W>
INLINE void forward(const Problem& problem, float* output, int64_t first, int64_t last) {
  Workspace<W> space(problem, false);
  const int fields = problem.fields, width = problem.head_width;
  for (int64_t record = first; record < last; record++) {
    space.take_record(record);
    float* const result = output + record * fields * problem.result_width();
    std::fill_n(space.result.data, fields * space.result_width, 0.0f);
    for (int head = 0; head < problem.heads; head++) {
      space.weigh(head);
      space.project(kValue, head);
      space.read();
      if (problem.outputs) {
        product<W>(numbers(space.outputs), space.output_weights_of(space.output_weights, head),
                   Add<W>{space.result}, fields, space.result_width / W, width);
      } else {
        copy<W>(space.outputs.data, space.width, result + head * width, problem.width(), fields,
                width);
      }
    }
    copy<W>(space.result.data, space.result_width, result, problem.outputs, fields,
            problem.outputs);
  }
}

// Writes the gradients of X, of the weights, (h, d + 1, d_K) each, and of W_m.
template <int W>
INLINE void backward(const Problem& problem, const float* gradient, float* x_gradient,
                     float* const* weights_gradient, float* output_kernel_gradient, int64_t first,
                     int64_t last) {
  Workspace<W> space(problem, true);
  const int fields = problem.fields, d_k = problem.head_width, weight_rows = problem.weight_rows();
  const int vectors = space.width / W;
  const auto& projected = space.projected;
  for (int64_t record = first; record < last; record++) {
    space.take_record(record);
    std::fill_n(space.x_gradient.data, fields * space.inputs, 0.0f);
    const float* const of_result = gradient + record * fields * problem.result_width();
    if (problem.outputs) {
      copy<W>(of_result, problem.outputs, space.result.data, space.result_width, fields,
              problem.outputs);
      transpose_rows<W>(space.result.data, space.result_width, fields, problem.outputs,
                        space.result_transposed.data, space.fields);
    }
    for (int head = 0; head < problem.heads; head++) {
      space.weigh(head);
      space.project(kQuery, head);
      space.project(kValue, head);
      if (problem.outputs) {
        space.read();
        product<W>(transposed(space.outputs), space.result,
                   Add<W>{space.output_weights_of(space.output_weights_gradient, head)}, d_k,
                   space.result_width / W, fields);
        const Rows<W> weights_transposed = space.transposed_output_weights_of(head);
        product<W>(transposed(space.result_transposed), weights_transposed, Set<W>{space.gradient},
                   fields, vectors, problem.outputs);
        product<W>(transposed(weights_transposed), space.result_transposed,
                   Set<W>{space.gradient_transposed}, d_k, space.fields / W, problem.outputs);
      } else {
        copy<W>(of_result + head * d_k, problem.width(), space.gradient.data, space.width, fields,
                d_k);
        transpose_rows<W>(space.gradient.data, space.width, fields, d_k,
                          space.gradient_transposed.data, space.fields);
      }
      product<W>(numbers(projected[kValue]), space.gradient_transposed, Set<W>{space.slopes},
                 fields, space.fields / W, d_k);
      for (int i = 0; i < space.fields / W; i++) {
        Vector<W> mean = {};
        for (int j = 0; j < fields; j++) mean += space.map(j, i) * space.slopes(j, i);
        for (int j = 0; j < fields; j++) {  // of queries that hold log2(e)
          space.slopes(j, i) = space.map(j, i) * (space.slopes(j, i) - mean) * kLn2;
        }
      }
      // Of the projections before their activation, one after the other in the same place.
      const Rows<W> slopes = space.outputs;
      for (int p = 0; p < kProjections; p++) {
        const SetWhereActive<W> keep = {slopes, projected[p], problem.lowest};
        if (p == kQuery) {
          product<W>(transposed(space.slopes), projected[kKey], keep, fields, vectors, fields);
        } else if (p == kKey) {
          product<W>(numbers(space.slopes), projected[kQuery], keep, fields, vectors, fields);
        } else {
          product<W>(numbers(space.map), space.gradient, keep, fields, vectors, fields);
        }
        product<W>(transposed(space.x), slopes,
                   Add<W>{space.of_head(space.weights_gradient[p], head)}, weight_rows, vectors,
                   fields);
        product<W>(numbers(slopes), space.transposed_of_head(p, head), Add<W>{space.x_gradient},
                   fields, space.inputs / W, d_k);
      }
    }
    for (int i = 0; i < fields; i++) {
      std::memcpy(x_gradient + (record * fields + i) * problem.inputs,
                  space.x_gradient.data + i * space.inputs, problem.inputs * sizeof(float));
    }
  }
  for (int p = 0; p < kProjections; p++) {
    const float factor = p == kQuery ? problem.scale * kLog2E : 1.0f;
    for (int row = 0; row < problem.heads * weight_rows; row++) {
      for (int c = 0; c < d_k; c++) {
        weights_gradient[p][row * d_k + c] =
            space.weights_gradient[p].data[row * space.width + c] * factor;
      }
    }
  }
  for (int row = 0; row < problem.output_rows(); row++) {
    std::copy_n(space.output_weights_gradient.data + row * space.result_width, problem.outputs,
                output_kernel_gradient + row * problem.outputs);
  }
}

struct Forward {
  template <int W, typename... Arguments>
  static INLINE void run(Arguments... arguments) {
    forward<W>(arguments...);
  }
};

struct Backward {
  template <int W, typename... Arguments>
  static INLINE void run(Arguments... arguments) {
    backward<W>(arguments...);
  }
};

class SelfAttentionOp : public OpKernel {
 public:
  explicit SelfAttentionOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_heads", &num_heads_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
    OP_REQUIRES_OK(context, context->GetAttr("relu", &relu_));
    // The factor goes into the weights, before the activation.
    OP_REQUIRES(context, scale_ > 0,
                absl::InvalidArgumentError(absl::StrCat("scale must be positive, got ", scale_)));
  }

 protected:
  absl::Status find_problem(OpKernelContext* context, Problem* problem) const {
    const tensorflow::TensorShape& x = context->input(0).shape();
    const tensorflow::TensorShape& kernel = context->input(1).shape();
    const tensorflow::TensorShape& bias = context->input(1 + kProjections).shape();
    if (x.dims() != 3 || kernel.dims() != 2 || kernel.dim_size(0) != x.dim_size(2) ||
        kernel.dim_size(1) % num_heads_ != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "inputs and kernels must be (B, m, d) and (d, ", num_heads_, " * d_K), got ",
          x.DebugString(), " and ", kernel.DebugString()));
    }
    const bool biased = bias.num_elements() > 0;
    for (int p = 0; p < kProjections; p++) {
      const tensorflow::TensorShape& of_kernel = context->input(1 + p).shape();
      const tensorflow::TensorShape& of_bias = context->input(1 + kProjections + p).shape();
      if (of_kernel != kernel || of_bias.dims() != 1 ||
          of_bias.dim_size(0) != (biased ? kernel.dim_size(1) : 0)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "kernels must be alike, biases (h * d_K) or all empty; got ", of_kernel.DebugString(),
            " and ", of_bias.DebugString(), " beside ", kernel.DebugString(), " and ",
            bias.DebugString()));
      }
      problem->kernels[p] = context->input(1 + p).flat<float>().data();
      problem->biases[p] = context->input(1 + kProjections + p).flat<float>().data();
    }
    const tensorflow::TensorShape& output_kernel = context->input(kOutputKernel).shape();
    if (output_kernel.dims() != 2 || (output_kernel.num_elements() > 0 &&
                                      output_kernel.dim_size(0) != kernel.dim_size(1))) {
      return absl::InvalidArgumentError(
          absl::StrCat("the output's kernel must be (h * d_K, d) or empty, got ",
                       output_kernel.DebugString(), " beside ", kernel.DebugString()));
    }
    problem->output_kernel = context->input(kOutputKernel).flat<float>().data();
    problem->outputs =
        output_kernel.num_elements() > 0 ? static_cast<int>(output_kernel.dim_size(1)) : 0;
    problem->records = x.dim_size(0);
    problem->fields = static_cast<int>(x.dim_size(1));
    problem->inputs = static_cast<int>(x.dim_size(2));
    problem->heads = num_heads_;
    problem->head_width = static_cast<int>(kernel.dim_size(1) / num_heads_);
    problem->biased = biased;
    problem->scale = scale_;
    problem->lowest = relu_ ? 0.0f : -std::numeric_limits<float>::infinity();
    problem->x = context->input(0).flat<float>().data();
    return absl::OkStatus();
  }

  // Cuts the records into parts, a few for every thread; `work` is given a part and its records.
  template <typename Work>
  static void share(OpKernelContext* context, const Problem& problem, int64_t parts,
                    const Work& work) {
    const auto* threads = context->device()->tensorflow_cpu_worker_threads();
    constexpr int64_t kMuch = 1 << 20;  // so that a part is not put together with others
    tensorflow::Shard(threads->num_threads, threads->workers, parts, kMuch,
                      [&](int64_t first, int64_t last) {
                        for (int64_t part = first; part < last; part++) {
                          work(part, part * problem.records / parts,
                               (part + 1) * problem.records / parts);
                        }
                      });
  }

  static int64_t parts_of(OpKernelContext* context, const Problem& problem) {
    constexpr int64_t kLeast = 16;  // records for which weights are worth preparing
    const int threads = context->device()->tensorflow_cpu_worker_threads()->num_threads;
    const int64_t most = threads > 1 ? 4 * threads : 1;
    return std::max<int64_t>(1, std::min(most, problem.records / kLeast));
  }

  static bool is_empty(const Problem& problem) {
    return problem.records * problem.fields * problem.inputs * problem.head_width == 0;
  }

 private:
  int num_heads_;
  float scale_;
  bool relu_;
};

class SelfAttention : public SelfAttentionOp {
 public:
  using SelfAttentionOp::SelfAttentionOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor* output;
    OP_REQUIRES_OK(context,
                   context->allocate_output(
                       0, {problem.records, problem.fields, problem.result_width()}, &output));
    float* out = output->flat<float>().data();
    if (is_empty(problem)) return void(std::fill_n(out, output->NumElements(), 0.0f));
    share(context, problem, parts_of(context, problem),
          [&](int64_t, int64_t first, int64_t last) {
            interhat::run<Forward>(problem, out, first, last);
          });
  }
};

class SelfAttentionGradient : public SelfAttentionOp {
 public:
  using SelfAttentionOp::SelfAttentionOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    const Tensor& gradient = context->input(kOutputKernel + 1);
    OP_REQUIRES(
        context,
        gradient.shape() ==
            tensorflow::TensorShape({problem.records, problem.fields, problem.result_width()}),
        absl::InvalidArgumentError(absl::StrCat("gradient has the shape ",
                                                gradient.shape().DebugString(),
                                                ", which the result has not")));
    float* out[kOutputKernel + 1];
    for (int i = 0; i <= kOutputKernel; i++) {
      Tensor* output;
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(i).shape(), &output));
      out[i] = output->flat<float>().data();
      std::fill_n(out[i], output->NumElements(), 0.0f);
    }
    if (is_empty(problem)) return;
    const int64_t parts = parts_of(context, problem);
    // Each part has sums of its own, which are added up in order: results can be repeated.
    const int64_t of_weights = problem.heads * problem.weight_rows() * problem.head_width;
    const int64_t of_output_kernel = problem.width() * problem.outputs;
    const int64_t of_part = kProjections * of_weights + of_output_kernel;
    std::vector<float> sums(parts * of_part);
    share(context, problem, parts, [&](int64_t part, int64_t first, int64_t last) {
      float* weights[kProjections];
      for (int p = 0; p < kProjections; p++) {
        weights[p] = sums.data() + part * of_part + p * of_weights;
      }
      interhat::run<Backward>(problem, gradient.flat<float>().data(), out[0], weights,
                              weights[0] + kProjections * of_weights, first, last);
    });
    const float* sum = sums.data();
    for (int64_t part = 0; part < parts; part++) {
      for (int p = 0; p < kProjections; p++) {
        for (int head = 0; head < problem.heads; head++) {
          for (int row = 0; row < problem.weight_rows(); row++) {
            float* to = row < problem.inputs ? out[1 + p] + row * problem.width()
                                             : out[1 + kProjections + p];
            to += head * problem.head_width;
            for (int c = 0; c < problem.head_width; c++) to[c] += *sum++;
          }
        }
      }
      for (int64_t i = 0; i < of_output_kernel; i++) out[kOutputKernel][i] += *sum++;
    }
  }
};

absl::Status result_shape(tensorflow::shape_inference::InferenceContext* context) {
  tensorflow::shape_inference::ShapeHandle x, kernel, output_kernel;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 3, &x));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 2, &kernel));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(kOutputKernel), 2, &output_kernel));
  // An empty kernel, (0, 0), is none.
  const auto rows = context->Dim(output_kernel, 0);
  const auto width = !context->ValueKnown(rows)    ? context->UnknownDim()
                     : context->Value(rows) == 0 ? context->Dim(kernel, 1)
                                                 : context->Dim(output_kernel, 1);
  context->set_output(0, context->MakeShape({context->Dim(x, 0), context->Dim(x, 1), width}));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("InterhatSelfAttention")
    .Input("inputs: float")
    .Input("query_kernel: float")
    .Input("key_kernel: float")
    .Input("value_kernel: float")
    .Input("query_bias: float")
    .Input("key_bias: float")
    .Input("value_bias: float")
    .Input("output_kernel: float")
    .Attr("num_heads: int >= 1")
    .Attr("scale: float")
    .Attr("relu: bool")
    .Output("result: float")
    .SetShapeFn(result_shape);
REGISTER_KERNEL_BUILDER(Name("InterhatSelfAttention").Device(tensorflow::DEVICE_CPU),
                        SelfAttention);

REGISTER_OP("InterhatSelfAttentionGradient")
    .Input("inputs: float")
    .Input("query_kernel: float")
    .Input("key_kernel: float")
    .Input("value_kernel: float")
    .Input("query_bias: float")
    .Input("key_bias: float")
    .Input("value_bias: float")
    .Input("output_kernel: float")
    .Input("gradient: float")
    .Attr("num_heads: int >= 1")
    .Attr("scale: float")
    .Attr("relu: bool")
    .Output("inputs_gradient: float")
    .Output("query_kernel_gradient: float")
    .Output("key_kernel_gradient: float")
    .Output("value_kernel_gradient: float")
    .Output("query_bias_gradient: float")
    .Output("key_bias_gradient: float")
    .Output("value_bias_gradient: float")
    .Output("output_kernel_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatSelfAttentionGradient").Device(tensorflow::DEVICE_CPU),
                        SelfAttentionGradient);
