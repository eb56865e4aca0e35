// What the operations have in common: inputs and outputs, threads, and shapes for the graph.

#ifndef INTERHAT_TF_KERNELS_OP_H_
#define INTERHAT_TF_KERNELS_OP_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "processor.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/util/work_sharder.h"

namespace interhat {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

inline const TensorShape& shape_of(OpKernelContext* context, int input) {
  return context->input(input).shape();
}

inline const float* floats_of(OpKernelContext* context, int input) {
  return context->input(input).flat<float>().data();
}

// Allocates all outputs, each like the input of its number, as gradients are.
inline absl::Status allocate_gradients(OpKernelContext* context, float** to) {
  for (int i = 0; i < context->num_outputs(); i++) {
    Tensor* output;
    TF_RETURN_IF_ERROR(context->allocate_output(i, shape_of(context, i), &output));
    to[i] = output->flat<float>().data();
  }
  return absl::OkStatus();
}

inline int threads_of(OpKernelContext* context) {
  return context->device()->tensorflow_cpu_worker_threads()->num_threads;
}

// Shares items out to the threads; `work` is given the first, and the one after the last.
template <typename Work>
void shard(OpKernelContext* context, int64_t items, int64_t cost, const Work& work) {
  const auto* threads = context->device()->tensorflow_cpu_worker_threads();
  tensorflow::Shard(threads->num_threads, threads->workers, items, cost, work);
}

// In how many blocks records are, which stand side by side in the lanes of vectors.
inline int64_t blocks_of(int64_t records) { return (records + lanes() - 1) / lanes(); }

// Shares blocks of records out to the threads; `work` is given the first record, and the one after
// the last. `cost` is that of a block.
template <typename Work>
void shard_blocks(OpKernelContext* context, int64_t records, int64_t cost, const Work& work) {
  shard(context, blocks_of(records), cost, [&](int64_t first, int64_t last) {
    work(first * lanes(), std::min(last * lanes(), records));
  });
}

// In how many parts records are, a few for every thread, each worth the packing of weights.
inline int64_t parts_of(OpKernelContext* context, int64_t records) {
  constexpr int64_t kLeast = 16;
  const int threads = threads_of(context);
  const int64_t most = threads > 1 ? 4 * threads : 1;
  return std::max<int64_t>(1, std::min(most, records / kLeast));
}

// Shares parts of records out to the threads; `work` is given a part, and its records.
template <typename Work>
void shard_parts(OpKernelContext* context, int64_t records, int64_t parts, const Work& work) {
  constexpr int64_t kMuch = 1 << 20;  // so that a part is not put together with others
  shard(context, parts, kMuch, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      work(part, part * records / parts, (part + 1) * records / parts);
    }
  });
}

// What both kinds of attention are told by the graph.
class AttentionOpBase : public OpKernel {
 public:
  explicit AttentionOpBase(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_heads", &num_heads_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }

 protected:
  int num_heads_;
  float scale_;  // of the scores
};

// The shape of each output is that of the input of its number.
inline absl::Status as_inputs(tensorflow::shape_inference::InferenceContext* context) {
  for (int i = 0; i < context->num_outputs(); i++) context->set_output(i, context->input(i));
  return absl::OkStatus();
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_OP_H_
