// softmax(Q K^T / sqrt(d_K)) V for every head of every record, and its gradient.
//
// A record has few fields, so that a head's (m, m) attention weights are few, but a batch has
// very many of them: written to memory by one operation and read by the next, they cost more
// than the arithmetic. Here they never leave the core's cache: a block of records is taken
// through all of the computation, a few rows of weights at a time, and the gradient computes
// the weights again. Records are independent of one another and all alike, so a vector register
// holds the same number of several records, one to a lane; no number of fields or width
// leaves lanes empty.

#include <algorithm>
#include <cstdint>

#include "attention_of_numbers.h"
#include "interleaved.h"
#include "op.h"
#include "vectors.h"

namespace {

using interhat::Arena;
using interhat::exp2;
using interhat::floats_of;
using interhat::head_of;
using interhat::HeadOfNumbers;
using interhat::interleave_records;
using interhat::kLn2;
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

struct Problem {
  int64_t records;  // B
  int fields;       // m
  int heads;        // h
  int head_width;   // d_K
  bool shared;      // whether all heads have the same keys and values
  float scale;      // of the scores

  int key_heads() const { return shared ? 1 : heads; }  // in memory
};

// Rows of weights, before they are divided by their sums, whose inverses it returns.
// Queries hold the factor log2(e) / sqrt(d_K), so that weights are powers of 2.
template <int W>
INLINE void weigh(LaneMatrix<W> query, LaneMatrix<W> key, int rows, int fields, int head_width,
                  LaneMatrix<W> weights, Vector<W>* inverse_sums) {
  multiply<W, false>(query, key.transposed(), weights, rows, fields, head_width);
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

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* query, const float* key,
                         const float* value, float* output, int64_t first, int64_t last) {
    const int fields = problem.fields, width = problem.head_width;
    const int together = heads_together<W>(problem), size = fields * together * width;
    Vector<W>*of_fields[4], *of_pairs;
    const Arena<W> arena([&](Arena<W>& arena) {
      for (Vector<W>*& array : of_fields) array = arena.take(size);
      of_pairs = arena.take(kTileRows * fields);
    });
    Vector<W>*const q = of_fields[0], *const k = of_fields[1], *const v = of_fields[2];
    Vector<W>* const o = of_fields[3];
    const LaneMatrix<W> weights = {of_pairs, fields, 1};
    for (int64_t record = first; record < last; record += W) {
      const int records = std::min<int64_t>(W, last - record);
      for (int head = 0; head < problem.heads; head += together) {
        const int heads = std::min(together, problem.heads - head);
        const Slab slab(fields, width, problem.heads, heads, records);
        const int64_t at = record * slab.record + head * width;
        interleave_records<W>(query + at, slab, problem.scale * kLog2E, q);
        const int key_heads = problem.shared ? 1 : heads;  // heads of the keys and values
        if (!problem.shared || head == 0) {
          const Slab key_slab(fields, width, problem.key_heads(), key_heads, records);
          const int64_t key_at = record * key_slab.record + head * width;
          interleave_records<W>(key + key_at, key_slab, 1.0f, k);
          interleave_records<W>(value + key_at, key_slab, 1.0f, v);
        }
        for (int h = 0; h < heads; h++) {
          const int key_head = problem.shared ? 0 : h;
          const LaneMatrix<W> queries = head_of<W>(q, h, heads, width);
          const LaneMatrix<W> outputs = head_of<W>(o, h, heads, width);
          const LaneMatrix<W> keys = head_of<W>(k, key_head, key_heads, width);
          const LaneMatrix<W> values = head_of<W>(v, key_head, key_heads, width);
          if (width == 1) {
            interhat::attend<W>(HeadOfNumbers<W>(queries, keys, values, fields), outputs);
            continue;
          }
          for (int i = 0; i < fields; i += kTileRows) {
            const int rows = std::min(kTileRows, fields - i);
            Vector<W> inverse_sums[kTileRows];
            weigh<W>(queries.from(i, 0), keys, rows, fields, width, weights, inverse_sums);
            multiply<W, false>(weights, values, outputs.from(i, 0), rows, width, fields);
            for (int r = 0; r < rows; r++) {
              for (int c = 0; c < width; c++) outputs(i + r, c) *= inverse_sums[r];
            }
          }
        }
        separate_records<W>(o, slab, 1.0f, output + at);
      }
    }
  }
};

struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* query, const float* key,
                         const float* value, const float* gradient, float* query_gradient,
                         float* key_gradient, float* value_gradient, int64_t first,
                         int64_t last) {
    const int fields = problem.fields, width = problem.head_width;
    const int together = heads_together<W>(problem), size = fields * together * width;
    Vector<W>*of_fields[7], *of_pairs[2];
    const Arena<W> arena([&](Arena<W>& arena) {
      for (Vector<W>*& array : of_fields) array = arena.take(size);
      for (Vector<W>*& array : of_pairs) array = arena.take(kTileRows * fields);
    });
    Vector<W>*const q = of_fields[0], *const k = of_fields[1], *const v = of_fields[2];
    Vector<W>*const g = of_fields[3], *const dq = of_fields[4];
    Vector<W>*const dk = of_fields[5], *const dv = of_fields[6];
    const LaneMatrix<W> weights = {of_pairs[0], fields, 1};
    const LaneMatrix<W> d_scores = {of_pairs[1], fields, 1};
    for (int64_t record = first; record < last; record += W) {
      const int records = std::min<int64_t>(W, last - record);
      for (int head = 0; head < problem.heads; head += together) {
        const int heads = std::min(together, problem.heads - head);
        const Slab slab(fields, width, problem.heads, heads, records);
        const int64_t at = record * slab.record + head * width;
        interleave_records<W>(query + at, slab, problem.scale * kLog2E, q);
        interleave_records<W>(gradient + at, slab, 1.0f, g);
        const int key_heads = problem.shared ? 1 : heads;  // heads of the keys and values
        const Slab key_slab(fields, width, problem.key_heads(), key_heads, records);
        const int64_t key_at = record * key_slab.record + (problem.shared ? 0 : head * width);
        if (!problem.shared || head == 0) {
          interleave_records<W>(key + key_at, key_slab, 1.0f, k);
          interleave_records<W>(value + key_at, key_slab, 1.0f, v);
          std::fill(dk, dk + size, Vector<W>{});
          std::fill(dv, dv + size, Vector<W>{});
        }
        for (int h = 0; h < heads; h++) {
          const int key_head = problem.shared ? 0 : h;
          const LaneMatrix<W> queries = head_of<W>(q, h, heads, width);
          const LaneMatrix<W> gradients = head_of<W>(g, h, heads, width);
          const LaneMatrix<W> d_queries = head_of<W>(dq, h, heads, width);
          const LaneMatrix<W> keys = head_of<W>(k, key_head, key_heads, width);
          const LaneMatrix<W> values = head_of<W>(v, key_head, key_heads, width);
          const LaneMatrix<W> d_keys = head_of<W>(dk, key_head, key_heads, width);
          const LaneMatrix<W> d_values = head_of<W>(dv, key_head, key_heads, width);
          if (width == 1) {
            interhat::pull_back<W>(HeadOfNumbers<W>(queries, keys, values, fields),
                                   {gradients, d_queries, d_keys, d_values}, of_pairs[0]);
            continue;
          }
          for (int i = 0; i < fields; i += kTileRows) {
            const int rows = std::min(kTileRows, fields - i);
            const LaneMatrix<W> query_rows = queries.from(i, 0);
            const LaneMatrix<W> gradient_rows = gradients.from(i, 0);
            Vector<W> inverse_sums[kTileRows];
            weigh<W>(query_rows, keys, rows, fields, width, weights, inverse_sums);
            multiply<W, false>(gradient_rows, values.transposed(), d_scores, rows, fields, width);
            for (int r = 0; r < rows; r++) {
              Vector<W> mean = {};
              for (int j = 0; j < fields; j++) {
                weights(r, j) *= inverse_sums[r];
                mean += weights(r, j) * d_scores(r, j);
              }
              for (int j = 0; j < fields; j++) d_scores(r, j) = weights(r, j) * (d_scores(r, j) - mean);
            }
            multiply<W, false>(d_scores, keys, d_queries.from(i, 0), rows, width, fields);
            multiply<W, true>(d_scores.transposed(), query_rows, d_keys, fields, width, rows);
            multiply<W, true>(weights.transposed(), gradient_rows, d_values, fields, width, rows);
          }
        }
        separate_records<W>(dq, slab, problem.scale, query_gradient + at);
        if (!problem.shared || head + heads == problem.heads) {
          separate_records<W>(dk, key_slab, kLn2, key_gradient + key_at);  // queries hold log2(e)
          separate_records<W>(dv, key_slab, 1.0f, value_gradient + key_at);
        }
      }
    }
  }
};

class AttentionOp : public interhat::AttentionOpBase {
 public:
  using AttentionOpBase::AttentionOpBase;

 protected:
  absl::Status find_problem(OpKernelContext* context, Problem* problem) const {
    const TensorShape& query = shape_of(context, 0);
    if (query.dims() != 3 || query.dim_size(2) % num_heads_ != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "query must be (B, m, ", num_heads_, " * d_K), got ", query.DebugString()));
    }
    TensorShape shared = query;
    shared.set_dim(2, query.dim_size(2) / num_heads_);
    const TensorShape& key = shape_of(context, 1);
    if ((key != query && key != shared) || shape_of(context, 2) != key) {
      return absl::InvalidArgumentError(absl::StrCat(
          "key and value must both be ", query.DebugString(), " or ", shared.DebugString(),
          ", got ", key.DebugString(), " and ", shape_of(context, 2).DebugString()));
    }
    if (context->num_inputs() > 3 && shape_of(context, 3) != query) {
      return absl::InvalidArgumentError(absl::StrCat("gradient must be ", query.DebugString(),
                                                     ", got ",
                                                     shape_of(context, 3).DebugString()));
    }
    *problem = {query.dim_size(0),
                static_cast<int>(query.dim_size(1)),
                num_heads_,
                static_cast<int>(shared.dim_size(2)),
                key != query,
                scale_};
    return absl::OkStatus();
  }

  // Shares the records out to threads, by whole vectors; `products` of the weights are their cost.
  template <typename Work>
  static void shard_records(OpKernelContext* context, const Problem& problem, int products,
                            const Work& work) {
    const int64_t of_record =
        static_cast<int64_t>(problem.fields) * problem.fields * problem.heads * problem.head_width;
    if (of_record == 0) return;
    interhat::shard_blocks(context, problem.records, products * of_record, work);
  }
};

class Attention : public AttentionOp {
 public:
  using AttentionOp::AttentionOp;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape_of(context, 0), &output));
    const auto in = [&](int i) { return floats_of(context, i); };
    float* out = output->flat<float>().data();
    shard_records(context, problem, 2, [&](int64_t first, int64_t last) {
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
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    const auto in = [&](int i) { return floats_of(context, i); };
    shard_records(context, problem, 6, [&](int64_t first, int64_t last) {
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
