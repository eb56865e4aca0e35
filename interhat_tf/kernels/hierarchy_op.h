// What both hierarchies are given, features and the weights of orders, and whether it fits together.

#ifndef INTERHAT_TF_KERNELS_HIERARCHY_OP_H_
#define INTERHAT_TF_KERNELS_HIERARCHY_OP_H_

#include <cstdint>
#include <limits>

#include "op.h"

namespace interhat {

struct HierarchyInputs {
  int64_t records;  // B
  int fields;       // m
  int dim;          // d
  int size;         // s
  int orders;       // k
  bool biased;
  float lowest;           // of what a projection gives: 0 with a ReLU
  const float* features;  // x_1, (B, m, d)
  const float* kernels;   // W, (k, d, s)
  const float* biases;    // b, (k, s)
  const float* contexts;  // c, (k, s)

  int of_record() const { return fields * dim; }
  int of_kernel() const { return dim * size; }
  TensorShape pooled_shape() const { return {records, orders, dim}; }
  TensorShape weights_shape() const { return {records, orders, fields}; }
};

class HierarchyOpBase : public OpKernel {
 public:
  explicit HierarchyOpBase(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("relu", &relu_));
  }

 protected:
  enum Input { kFeatures, kKernels, kBiases, kContexts, kHierarchyInputs };

  absl::Status find_inputs(OpKernelContext* context, HierarchyInputs* to) const {
    const TensorShape& features = shape_of(context, kFeatures);
    const TensorShape& kernels = shape_of(context, kKernels);
    if (features.dims() != 3 || kernels.dims() != 3 ||
        kernels.dim_size(1) != features.dim_size(2)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "features must be (B, m, d) and kernels (k, d, s), got ", features.DebugString(), " and ",
          kernels.DebugString()));
    }
    const TensorShape of_orders = {kernels.dim_size(0), kernels.dim_size(2)};
    const TensorShape& biases = shape_of(context, kBiases);
    const TensorShape& contexts = shape_of(context, kContexts);
    const bool biased = biases.num_elements() > 0;
    if ((biased && biases != of_orders) || contexts != of_orders) {
      return absl::InvalidArgumentError(absl::StrCat(
          "contexts must be (k, s), biases too or empty; got ", contexts.DebugString(), " and ",
          biases.DebugString(), " beside ", kernels.DebugString()));
    }
    *to = {features.dim_size(0),
           static_cast<int>(features.dim_size(1)),
           static_cast<int>(features.dim_size(2)),
           static_cast<int>(kernels.dim_size(2)),
           static_cast<int>(kernels.dim_size(0)),
           biased,
           relu_ ? 0.0f : -std::numeric_limits<float>::infinity(),
           floats_of(context, kFeatures),
           floats_of(context, kKernels),
           floats_of(context, kBiases),
           floats_of(context, kContexts)};
    return absl::OkStatus();
  }

 private:
  bool relu_;
};

// The shapes of the first two results: u, (B, k, d), and alpha, (B, k, m).
inline absl::Status pooled_shapes(tensorflow::shape_inference::InferenceContext* context) {
  tensorflow::shape_inference::ShapeHandle features, kernels;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 3, &features));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 3, &kernels));
  const auto records = context->Dim(features, 0), orders = context->Dim(kernels, 0);
  context->set_output(0, context->MakeShape({records, orders, context->Dim(features, 2)}));
  context->set_output(1, context->MakeShape({records, orders, context->Dim(features, 1)}));
  return absl::OkStatus();
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_HIERARCHY_OP_H_
