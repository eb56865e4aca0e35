// Shapes of results that TensorFlow asks for when it builds a graph.

#ifndef INTERHAT_TF_KERNELS_SHAPES_H_
#define INTERHAT_TF_KERNELS_SHAPES_H_

#include "absl/status/status.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace interhat {

// Each output is like the input of its number, as gradients are.
inline absl::Status as_inputs(tensorflow::shape_inference::InferenceContext* context) {
  for (int i = 0; i < context->num_outputs(); i++) context->set_output(i, context->input(i));
  return absl::OkStatus();
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_SHAPES_H_
