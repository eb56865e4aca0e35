// Self-attention from a record's fields X, its projections included, and the gradient.
//
//     Q = act(X W_Q + b_Q), K and V alike;  H_i = softmax(Q K^T / sqrt(d_K)) V for every head
//     [H_1; ...; H_h], or [H_1; ...; H_h] W_m
//
// Of wide heads, queries, keys, values and head outputs are many times as much as X;
// written to memory by one operation and read by the next, they cost as much as the attention
// weights would. Here a record's head goes through all of the computation in the core's first
// cache. Vectors lie along fields and along a head's width, the last of a row filled up with
// zeros; `attention.cc` has records in their lanes instead, for heads too narrow for this.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "gemm.h"
#include "op.h"
#include "self_attention_workspace.h"
#include "vectors.h"

namespace {

using interhat::Accumulate;
using interhat::column_major;
using interhat::floats_of;
using interhat::kKey;
using interhat::kLn2;
using interhat::kLog2E;
using interhat::kProjections;
using interhat::kQuery;
using interhat::kValue;
using interhat::Matrix;
using interhat::multiply;
using interhat::OpKernelConstruction;
using interhat::OpKernelContext;
using interhat::pack_rows;
using interhat::pack_transposed;
using interhat::row_major;
using interhat::shape_of;
using interhat::Store;
using interhat::StoreWhereActive;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;
using interhat::Workspace;
using Problem = interhat::SelfAttentionProblem;

constexpr int kOutputKernel = 1 + 2 * kProjections;  // its number among the operation's inputs

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, float* output, int64_t first, int64_t last) {
    Workspace<W> space(problem, false);
    const int fields = problem.fields, width = problem.head_width;
    for (int64_t record = first; record < last; record++) {
      space.take_record(record);
      float* const result = output + record * fields * problem.result_width();
      std::fill_n(space.result.data, fields * space.result_width, 0.0f);
      for (int head = 0; head < problem.heads; head++) {
        space.weigh(head);
        space.project(kValue, head);
        space.attend();
        if (problem.output_width) {
          multiply<W>(row_major(space.head_output), space.output_rows_of(space.output_kernel, head),
                      Accumulate<W>{space.result}, fields, space.result_width / W, width);
        } else {
          pack_rows<W>(space.head_output.data, space.width, result + head * width, problem.width(),
                       fields, width);
        }
      }
      pack_rows<W>(space.result.data, space.result_width, result, problem.output_width, fields,
                   problem.output_width);
    }
  }
};

// Where the gradients of a part of the records go.
struct Gradients {
  float* x;
  float* kernels[kProjections];  // (h, d + 1, d_K), in a part's own memory
  float* output_kernel;
};

struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const float* gradient, Gradients to,
                         int64_t first, int64_t last) {
    Workspace<W> space(problem, true);
    const int fields = problem.fields;
    for (int64_t record = first; record < last; record++) {
      space.take_record(record);
      std::fill_n(space.x_gradient.data, fields * space.inputs, 0.0f);
      const float* const of_result = gradient + record * fields * problem.result_width();
      if (problem.output_width) {
        pack_rows<W>(of_result, problem.output_width, space.result.data, space.result_width, fields,
                     problem.output_width);
        pack_transposed<W>(space.result.data, space.result_width, fields, problem.output_width,
                           space.result_transposed.data, space.fields);
      }
      for (int head = 0; head < problem.heads; head++) {
        space.weigh(head);
        space.project(kQuery, head);
        space.project(kValue, head);
        of_head_output(space, of_result, head);
        of_scores(space);
        of_projections(space, head);
      }
      for (int i = 0; i < fields; i++) {
        std::memcpy(to.x + (record * fields + i) * problem.inputs,
                    space.x_gradient.data + i * space.inputs, problem.inputs * sizeof(float));
      }
    }
    unpack_kernels(space, to);
  }

 private:
  // The gradient of a head's output, and that of its rows of W_m.
  template <int W>
  static INLINE void of_head_output(Workspace<W>& space, const float* of_result, int head) {
    const Problem& problem = space.problem;
    const int fields = problem.fields, d_k = problem.head_width;
    if (!problem.output_width) {
      pack_rows<W>(of_result + head * d_k, problem.width(), space.gradient.data, space.width,
                   fields, d_k);
      pack_transposed<W>(space.gradient.data, space.width, fields, d_k,
                         space.gradient_transposed.data, space.fields);
      return;
    }
    space.attend();
    multiply<W>(column_major(space.head_output), space.result,
                Accumulate<W>{space.output_rows_of(space.output_kernel_gradient, head)}, d_k,
                space.result_width / W, fields);
    const Matrix<W> rows_transposed = space.transposed_output_rows_of(head);
    multiply<W>(column_major(space.result_transposed), rows_transposed, Store<W>{space.gradient},
                fields, space.width / W, problem.output_width);
    multiply<W>(column_major(rows_transposed), space.result_transposed,
                Store<W>{space.gradient_transposed}, d_k, space.fields / W, problem.output_width);
  }

  // The gradient of a head's scores, through the softmax.
  template <int W>
  static INLINE void of_scores(Workspace<W>& space) {
    const int fields = space.problem.fields;
    const Matrix<W> weights = space.weights, scores = space.scores_gradient;
    multiply<W>(row_major(space.projected[kValue]), space.gradient_transposed, Store<W>{scores},
                fields, space.fields / W, space.problem.head_width);
    for (int i = 0; i < space.fields / W; i++) {
      Vector<W> mean = {};
      for (int j = 0; j < fields; j++) mean += weights(j, i) * scores(j, i);
      for (int j = 0; j < fields; j++) {  // of queries that hold log2(e)
        scores(j, i) = weights(j, i) * (scores(j, i) - mean) * kLn2;
      }
    }
  }

  // The gradients of the projections' kernels and of X.
  template <int W>
  static INLINE void of_projections(Workspace<W>& space, int head) {
    const Problem& problem = space.problem;
    const int fields = problem.fields, vectors = space.width / W;
    const auto& projected = space.projected;
    // Of the projections before their activation, one after the other in the same memory.
    const Matrix<W> before = space.head_output;
    for (int p = 0; p < kProjections; p++) {
      const StoreWhereActive<W> store = {before, projected[p], problem.lowest};
      if (p == kQuery) {
        multiply<W>(column_major(space.scores_gradient), projected[kKey], store, fields, vectors,
                    fields);
      } else if (p == kKey) {
        multiply<W>(row_major(space.scores_gradient), projected[kQuery], store, fields, vectors,
                    fields);
      } else {
        multiply<W>(row_major(space.weights), space.gradient, store, fields, vectors, fields);
      }
      multiply<W>(column_major(space.x), before,
                  Accumulate<W>{space.of_head(space.kernels_gradient[p], head)},
                  problem.kernel_rows(), vectors, fields);
      multiply<W>(row_major(before), space.transposed_of_head(p, head),
                  Accumulate<W>{space.x_gradient}, fields, space.inputs / W, problem.head_width);
    }
  }

  template <int W>
  static INLINE void unpack_kernels(const Workspace<W>& space, const Gradients& to) {
    const Problem& problem = space.problem;
    const int d_k = problem.head_width;
    for (int p = 0; p < kProjections; p++) {
      const float factor = p == kQuery ? problem.scale * kLog2E : 1.0f;
      for (int row = 0; row < problem.heads * problem.kernel_rows(); row++) {
        for (int c = 0; c < d_k; c++) {
          to.kernels[p][row * d_k + c] =
              space.kernels_gradient[p].data[row * space.width + c] * factor;
        }
      }
    }
    for (int row = 0; row < problem.output_rows(); row++) {
      std::copy_n(space.output_kernel_gradient.data + row * space.result_width,
                  problem.output_width, to.output_kernel + row * problem.output_width);
    }
  }
};

class SelfAttentionOp : public interhat::AttentionOpBase {
 public:
  explicit SelfAttentionOp(OpKernelConstruction* context) : AttentionOpBase(context) {
    OP_REQUIRES_OK(context, context->GetAttr("relu", &relu_));
    // The factor goes into the kernel, before the activation.
    OP_REQUIRES(context, scale_ > 0,
                absl::InvalidArgumentError(absl::StrCat("scale must be positive, got ", scale_)));
  }

 protected:
  absl::Status find_problem(OpKernelContext* context, Problem* problem) const {
    const TensorShape& x = shape_of(context, 0);
    const TensorShape& kernel = shape_of(context, 1);
    const TensorShape& bias = shape_of(context, 1 + kProjections);
    if (x.dims() != 3 || kernel.dims() != 2 || kernel.dim_size(0) != x.dim_size(2) ||
        kernel.dim_size(1) % num_heads_ != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "inputs and kernels must be (B, m, d) and (d, ", num_heads_, " * d_K), got ",
          x.DebugString(), " and ", kernel.DebugString()));
    }
    const bool biased = bias.num_elements() > 0;
    for (int p = 0; p < kProjections; p++) {
      const TensorShape& of_kernel = shape_of(context, 1 + p);
      const TensorShape& of_bias = shape_of(context, 1 + kProjections + p);
      if (of_kernel != kernel || of_bias.dims() != 1 ||
          of_bias.dim_size(0) != (biased ? kernel.dim_size(1) : 0)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "kernels must be alike, biases (h * d_K) or all empty; got ", of_kernel.DebugString(),
            " and ", of_bias.DebugString(), " beside ", kernel.DebugString(), " and ",
            bias.DebugString()));
      }
      problem->kernels[p] = floats_of(context, 1 + p);
      problem->biases[p] = floats_of(context, 1 + kProjections + p);
    }
    const TensorShape& output_kernel = shape_of(context, kOutputKernel);
    if (output_kernel.dims() != 2 || (output_kernel.num_elements() > 0 &&
                                      output_kernel.dim_size(0) != kernel.dim_size(1))) {
      return absl::InvalidArgumentError(
          absl::StrCat("the output's kernel must be (h * d_K, d) or empty, got ",
                       output_kernel.DebugString(), " beside ", kernel.DebugString()));
    }
    problem->output_kernel = floats_of(context, kOutputKernel);
    problem->output_width =
        output_kernel.num_elements() > 0 ? static_cast<int>(output_kernel.dim_size(1)) : 0;
    problem->records = x.dim_size(0);
    problem->fields = static_cast<int>(x.dim_size(1));
    problem->inputs = static_cast<int>(x.dim_size(2));
    problem->heads = num_heads_;
    problem->head_width = static_cast<int>(kernel.dim_size(1) / num_heads_);
    problem->biased = biased;
    problem->scale = scale_;
    problem->lowest = relu_ ? 0.0f : -std::numeric_limits<float>::infinity();
    problem->x = floats_of(context, 0);
    return absl::OkStatus();
  }

 private:
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
    if (problem.is_empty()) return void(std::fill_n(out, output->NumElements(), 0.0f));
    interhat::shard_parts(context, problem.records, interhat::parts_of(context, problem.records),
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
    const TensorShape& gradient = shape_of(context, kOutputKernel + 1);
    OP_REQUIRES(context,
                gradient == TensorShape({problem.records, problem.fields, problem.result_width()}),
                absl::InvalidArgumentError(absl::StrCat(
                    "gradient must have the result's shape, got ", gradient.DebugString())));
    float* out[kOutputKernel + 1];
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    for (int i = 0; i <= kOutputKernel; i++) {
      std::fill_n(out[i], context->input(i).NumElements(), 0.0f);
    }
    if (problem.is_empty()) return;
    const int64_t parts = interhat::parts_of(context, problem.records);
    // Each part has its own sums, which are added up in order: results can be repeated.
    const int64_t of_kernel = problem.heads * problem.kernel_rows() * problem.head_width;
    const int64_t of_part = kProjections * of_kernel + problem.width() * problem.output_width;
    std::vector<float> sums(parts * of_part);
    interhat::shard_parts(
        context, problem.records, parts, [&](int64_t part, int64_t first, int64_t last) {
          float* const own = sums.data() + part * of_part;
          const Gradients to = {
              out[0], {own, own + of_kernel, own + 2 * of_kernel}, own + kProjections * of_kernel};
          interhat::run<Backward>(problem, floats_of(context, kOutputKernel + 1), to, first, last);
        });
    for (int64_t part = 0; part < parts; part++) {
      add_part(problem, sums.data() + part * of_part, out);
    }
  }

 private:
  // Adds the gradients of a part to those of the kernels, biases and W_m.
  static void add_part(const Problem& problem, const float* sum, float* const* out) {
    for (int p = 0; p < kProjections; p++) {
      for (int head = 0; head < problem.heads; head++) {
        for (int row = 0; row < problem.kernel_rows(); row++) {
          float* to = row < problem.inputs ? out[1 + p] + row * problem.width()
                                           : out[1 + kProjections + p];
          to += head * problem.head_width;
          for (int c = 0; c < problem.head_width; c++) to[c] += *sum++;
        }
      }
    }
    const int64_t of_output_kernel = problem.width() * problem.output_width;
    for (int64_t i = 0; i < of_output_kernel; i++) out[kOutputKernel][i] += *sum++;
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
