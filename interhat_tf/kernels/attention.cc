// softmax(Q K^T / sqrt(d_K)) V for every head of every record, and its gradient.
//
// A record has few fields, so that a head's map of (m, m) weights is small, but a batch has
// very many of them: written to memory by one operation and read by the next, the maps cost more
// than the arithmetic. Here they never leave the core's cache: a block of records is taken
// through all of the computation, a few rows of its maps at a time, and the gradient computes
// the maps anew. Records are independent of one another and all alike, so a vector register
// holds the same number of several records, one to a lane; no number of fields or width
// leaves lanes empty.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "processor.h"
#include "shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
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

// Rows of the map that are computed together, each value that is read being used for all.
constexpr int kRows = 6;

struct Problem {
  int64_t records;  // B
  int fields;       // m
  int heads;        // h
  int head_width;   // d_K
  bool shared;      // whether all heads have the same keys and values
  float scale;      // of the scores
};

// Some heads of some records in memory: `rows` runs of `width` numbers for each record.
struct Slab {
  int rows;
  int width;
  int64_t stride;  // from run to run
  int64_t record;  // from record to record
  int records;

  Slab(const Problem& problem, int of_heads, int heads, int records) : records(records) {
    const bool all = heads == of_heads;  // then the fields stand one behind the other
    rows = all ? 1 : problem.fields;
    width = (all ? problem.fields : 1) * heads * problem.head_width;
    stride = of_heads * problem.head_width;
    record = problem.fields * stride;
  }
};

// Brings a slab into vectors, one for each number of a record; lanes without one repeat the last.
template <int W>
INLINE void load(const float* from, const Slab& slab, float scale, Vector<W>* to) {
  for (int row = 0; row < slab.rows; row++, from += slab.stride, to += slab.width) {
    if (slab.width < W) {
      for (int i = 0; i < slab.width; i++) {
        for (int lane = 0; lane < W; lane++) {
          to[i][lane] = from[i + std::min(lane, slab.records - 1) * slab.record] * scale;
        }
      }
      continue;
    }
    for (int begin = 0; begin < slab.width; begin += W) {
      const int column = std::min(begin, slab.width - W);  // the last may overlap with one before
      Vector<W> tile[W];
      for (int lane = 0; lane < W; lane++) {
        const float* at = from + column + std::min(lane, slab.records - 1) * slab.record;
        __builtin_memcpy(&tile[lane], at, sizeof(tile[lane]));
        __builtin_prefetch(at + slab.width);  // what the next heads read
      }
      transpose<W>(tile);
      for (int i = 0; i < W; i++) to[column + i] = tile[i] * scale;
    }
  }
}

// Brings vectors back into a slab.
template <int W>
INLINE void store(const Vector<W>* from, const Slab& slab, float scale, float* to) {
  for (int row = 0; row < slab.rows; row++, from += slab.width, to += slab.stride) {
    if (slab.width < W) {
      for (int i = 0; i < slab.width; i++) {
        for (int lane = 0; lane < slab.records; lane++) {
          to[i + lane * slab.record] = from[i][lane] * scale;
        }
      }
      continue;
    }
    for (int begin = 0; begin < slab.width; begin += W) {
      const int column = std::min(begin, slab.width - W);
      Vector<W> tile[W];
      for (int i = 0; i < W; i++) tile[i] = from[column + i] * scale;
      transpose<W>(tile);
      for (int lane = 0; lane < slab.records; lane++) {
        __builtin_memcpy(to + column + lane * slab.record, &tile[lane], sizeof(tile[lane]));
        __builtin_prefetch(to + column + lane * slab.record + slab.width, 1);  // and write
      }
    }
  }
}

// A matrix of vectors: element (i, j) is at `data[i * down + j * across]`.
template <int W>
struct Matrix {
  Vector<W>* data;
  int down;
  int across;

  INLINE Vector<W>& operator()(int i, int j) const { return data[i * down + j * across]; }
  INLINE Matrix from(int i, int j) const { return {&(*this)(i, j), down, across}; }
  INLINE Matrix transposed() const { return {data, across, down}; }
};

// The rows of one of several heads that stand side by side.
template <int W>
INLINE Matrix<W> head_of(Vector<W>* data, int head, int heads, int head_width) {
  return {data + head * head_width, heads * head_width, 1};
}

template <int W, bool kAdd, int M, int N>
INLINE void block_product(Matrix<W> a, Matrix<W> b, Matrix<W> c, int inner) {
  Vector<W> sums[M][N];
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) sums[i][j] = kAdd ? c(i, j) : Vector<W>{};
  }
  for (int k = 0; k < inner; k++) {
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) sums[i][j] += a(i, k) * b(k, j);
    }
  }
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) c(i, j) = sums[i][j];
  }
}

// Columns N at a time, then half as many, and so on.
template <int W, bool kAdd, int M, int N>
INLINE void product_of_rows(Matrix<W> a, Matrix<W> b, Matrix<W> c, int columns, int inner) {
  int j = 0;
  for (; j + N <= columns; j += N) {
    block_product<W, kAdd, M, N>(a, b.from(0, j), c.from(0, j), inner);
  }
  if constexpr (N > 1) {
    product_of_rows<W, kAdd, M, N / 2>(a, b.from(0, j), c.from(0, j), columns - j, inner);
  }
}

// c = a b, or c += a b, record by record; rows M at a time, then half as many, and so on.
template <int W, bool kAdd, int M = kRows>
INLINE void product(Matrix<W> a, Matrix<W> b, Matrix<W> c, int rows, int columns, int inner) {
  constexpr int N = W == 16 ? 4 : 2;  // M * N sums fit into the registers
  int i = 0;
  for (; i + M <= rows; i += M) {
    product_of_rows<W, kAdd, M, N>(a.from(i, 0), b, c.from(i, 0), columns, inner);
  }
  if constexpr (M > 1) {
    product<W, kAdd, M / 2>(a.from(i, 0), b, c.from(i, 0), rows - i, columns, inner);
  }
}

// Rows of weights, before they are divided by their sums, whose inverses it returns.
// Queries hold the factor log2(e) / sqrt(d_K), so that weights are powers of 2.
template <int W>
INLINE void weigh(Matrix<W> query, Matrix<W> key, int rows, int fields, int head_width,
                  Matrix<W> weights, Vector<W>* inverse_sums) {
  product<W, false>(query, key.transposed(), weights, rows, fields, head_width);
  for (int i = 0; i < rows; i++) {
    Vector<W> highest = weights(i, 0);
    for (int j = 1; j < fields; j++) {
      highest = weights(i, j) > highest ? weights(i, j) : highest;
    }
    Vector<W> sum = {};
    for (int j = 0; j < fields; j++) {
      weights(i, j) = exp2<W>(weights(i, j) - highest);
      sum += weights(i, j);
    }
    inverse_sums[i] = 1.0f / sum;
  }
}

// Heads that are taken together, so that what is read of a row is as long as a vector.
template <int W>
INLINE int heads_together(const Problem& problem) {
  return std::min(problem.heads, std::max(1, 2 * W / problem.head_width));
}

template <int W>
INLINE void forward(const Problem& problem, const float* query, const float* key,
                    const float* value, float* output, int64_t first, int64_t last) {
  const int fields = problem.fields, width = problem.head_width;
  const int together = heads_together<W>(problem), size = fields * together * width;
  Room<W> room(4 * size + kRows * fields);
  Vector<W>*q = room.take(size), *k = room.take(size), *v = room.take(size), *o = room.take(size);
  const Matrix<W> weights = {room.take(kRows * fields), fields, 1};
  for (int64_t record = first; record < last; record += W) {
    const int records = std::min<int64_t>(W, last - record);
    for (int head = 0; head < problem.heads; head += together) {
      const int heads = std::min(together, problem.heads - head);
      const Slab slab(problem, problem.heads, heads, records);
      const int64_t at = record * slab.record + head * width;
      load<W>(query + at, slab, problem.scale * kLog2E, q);
      const int kept = problem.shared ? 1 : heads;  // heads of the keys and values
      if (!problem.shared || head == 0) {
        const Slab kept_slab(problem, problem.shared ? 1 : problem.heads, kept, records);
        const int64_t kept_at = record * kept_slab.record + head * width;
        load<W>(key + kept_at, kept_slab, 1.0f, k);
        load<W>(value + kept_at, kept_slab, 1.0f, v);
      }
      for (int h = 0; h < heads; h++) {
        const int kept_h = problem.shared ? 0 : h;
        const Matrix<W> queries = head_of<W>(q, h, heads, width);
        const Matrix<W> outputs = head_of<W>(o, h, heads, width);
        const Matrix<W> keys = head_of<W>(k, kept_h, kept, width);
        const Matrix<W> values = head_of<W>(v, kept_h, kept, width);
        for (int i = 0; i < fields; i += kRows) {
          const int rows = std::min(kRows, fields - i);
          Vector<W> inverse_sums[kRows];
          weigh<W>(queries.from(i, 0), keys, rows, fields, width, weights, inverse_sums);
          product<W, false>(weights, values, outputs.from(i, 0), rows, width, fields);
          for (int r = 0; r < rows; r++) {
            for (int c = 0; c < width; c++) outputs(i + r, c) *= inverse_sums[r];
          }
        }
      }
      store<W>(o, slab, 1.0f, output + at);
    }
  }
}

template <int W>
INLINE void backward(const Problem& problem, const float* query, const float* key,
                     const float* value, const float* gradient, float* query_gradient,
                     float* key_gradient, float* value_gradient, int64_t first, int64_t last) {
  const int fields = problem.fields, width = problem.head_width;
  const int together = heads_together<W>(problem), size = fields * together * width;
  Room<W> room(7 * size + 2 * kRows * fields);
  Vector<W>*q = room.take(size), *k = room.take(size), *v = room.take(size), *g = room.take(size);
  Vector<W>*dq = room.take(size), *dk = room.take(size), *dv = room.take(size);
  const Matrix<W> weights = {room.take(kRows * fields), fields, 1};
  const Matrix<W> slopes = {room.take(kRows * fields), fields, 1};
  for (int64_t record = first; record < last; record += W) {
    const int records = std::min<int64_t>(W, last - record);
    for (int head = 0; head < problem.heads; head += together) {
      const int heads = std::min(together, problem.heads - head);
      const Slab slab(problem, problem.heads, heads, records);
      const int64_t at = record * slab.record + head * width;
      load<W>(query + at, slab, problem.scale * kLog2E, q);
      load<W>(gradient + at, slab, 1.0f, g);
      const int kept = problem.shared ? 1 : heads;  // heads of the keys and values
      const Slab kept_slab(problem, problem.shared ? 1 : problem.heads, kept, records);
      const int64_t kept_at = record * kept_slab.record + (problem.shared ? 0 : head * width);
      if (!problem.shared || head == 0) {
        load<W>(key + kept_at, kept_slab, 1.0f, k);
        load<W>(value + kept_at, kept_slab, 1.0f, v);
        std::fill(dk, dk + size, Vector<W>{});
        std::fill(dv, dv + size, Vector<W>{});
      }
      for (int h = 0; h < heads; h++) {
        const int kept_h = problem.shared ? 0 : h;
        const Matrix<W> queries = head_of<W>(q, h, heads, width);
        const Matrix<W> gradients = head_of<W>(g, h, heads, width);
        const Matrix<W> d_queries = head_of<W>(dq, h, heads, width);
        const Matrix<W> keys = head_of<W>(k, kept_h, kept, width);
        const Matrix<W> values = head_of<W>(v, kept_h, kept, width);
        const Matrix<W> d_keys = head_of<W>(dk, kept_h, kept, width);
        const Matrix<W> d_values = head_of<W>(dv, kept_h, kept, width);
        for (int i = 0; i < fields; i += kRows) {
          const int rows = std::min(kRows, fields - i);
          const Matrix<W> query_rows = queries.from(i, 0), gradient_rows = gradients.from(i, 0);
          Vector<W> inverse_sums[kRows];
          weigh<W>(query_rows, keys, rows, fields, width, weights, inverse_sums);
          product<W, false>(gradient_rows, values.transposed(), slopes, rows, fields, width);
          for (int r = 0; r < rows; r++) {
            Vector<W> mean = {};
            for (int j = 0; j < fields; j++) {
              weights(r, j) *= inverse_sums[r];
              mean += weights(r, j) * slopes(r, j);
            }
            for (int j = 0; j < fields; j++) slopes(r, j) = weights(r, j) * (slopes(r, j) - mean);
          }
          product<W, false>(slopes, keys, d_queries.from(i, 0), rows, width, fields);
          product<W, true>(slopes.transposed(), query_rows, d_keys, fields, width, rows);
          product<W, true>(weights.transposed(), gradient_rows, d_values, fields, width, rows);
        }
      }
      store<W>(dq, slab, problem.scale, query_gradient + at);
      if (!problem.shared || head + heads == problem.heads) {
        store<W>(dk, kept_slab, kLn2, key_gradient + kept_at);  // queries hold log2(e)
        store<W>(dv, kept_slab, 1.0f, value_gradient + kept_at);
      }
    }
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

class AttentionOp : public OpKernel {
 public:
  explicit AttentionOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_heads", &num_heads_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }

 protected:
  absl::Status find_problem(OpKernelContext* context, Problem* problem) const {
    const tensorflow::TensorShape& query = context->input(0).shape();
    if (query.dims() != 3 || query.dim_size(2) % num_heads_ != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "query must be (B, m, ", num_heads_, " * d_K), got ", query.DebugString()));
    }
    tensorflow::TensorShape shared = query;
    shared.set_dim(2, query.dim_size(2) / num_heads_);
    const tensorflow::TensorShape& key = context->input(1).shape();
    if ((key != query && key != shared) || context->input(2).shape() != key) {
      return absl::InvalidArgumentError(absl::StrCat(
          "key and value must both be ", query.DebugString(), " or ", shared.DebugString(),
          ", got ", key.DebugString(), " and ", context->input(2).shape().DebugString()));
    }
    if (context->num_inputs() > 3 && context->input(3).shape() != query) {
      return absl::InvalidArgumentError(absl::StrCat("gradient must be ", query.DebugString(),
                                                     ", got ",
                                                     context->input(3).shape().DebugString()));
    }
    *problem = {query.dim_size(0),
                static_cast<int>(query.dim_size(1)),
                num_heads_,
                static_cast<int>(shared.dim_size(2)),
                key != query,
                scale_};
    return absl::OkStatus();
  }

  // Shares the records out to threads, by whole vectors; `products` of the maps are their cost.
  template <typename Work>
  void share(OpKernelContext* context, const Problem& problem, int products,
             const Work& work) const {
    const int64_t of_record =
        static_cast<int64_t>(problem.fields) * problem.fields * problem.heads * problem.head_width;
    if (of_record == 0) return;
    const int together = interhat::lanes();
    const auto* threads = context->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(threads->num_threads, threads->workers,
                      (problem.records + together - 1) / together, products * of_record,
                      [&](int64_t first, int64_t last) {
                        work(first * together, std::min(last * together, problem.records));
                      });
  }

 private:
  int num_heads_;
  float scale_;
};

class Attention : public AttentionOp {
 public:
  using AttentionOp::AttentionOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &output));
    const auto in = [&](int i) { return context->input(i).flat<float>().data(); };
    float* out = output->flat<float>().data();
    share(context, problem, 2, [&](int64_t first, int64_t last) {
      interhat::run<Forward>(problem, in(0), in(1), in(2), out, first, last);
    });
  }
};

class AttentionGradient : public AttentionOp {
 public:
  using AttentionOp::AttentionOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    float* out[3];
    for (int i = 0; i < 3; i++) {
      Tensor* output;
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(i).shape(), &output));
      out[i] = output->flat<float>().data();
    }
    const auto in = [&](int i) { return context->input(i).flat<float>().data(); };
    share(context, problem, 6, [&](int64_t first, int64_t last) {
      interhat::run<Backward>(problem, in(0), in(1), in(2), in(3), out[0], out[1], out[2], first,
                              last);
    });
  }
};

}  // namespace

REGISTER_OP("InterhatAttention")
    .Input("query: float")
    .Input("key: float")
    .Input("value: float")
    .Attr("num_heads: int >= 1")
    .Attr("scale: float")
    .Output("output: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatAttention").Device(tensorflow::DEVICE_CPU), Attention);

REGISTER_OP("InterhatAttentionGradient")
    .Input("query: float")
    .Input("key: float")
    .Input("value: float")
    .Input("gradient: float")
    .Attr("num_heads: int >= 1")
    .Attr("scale: float")
    .Output("query_gradient: float")
    .Output("key_gradient: float")
    .Output("value_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatAttentionGradient").Device(tensorflow::DEVICE_CPU),
                        AttentionGradient);
