// Adam's exact step for a table of which a batch has few rows, in one pass over the table.
//
// All rows' moments decay in every step, so that the whole table, its moments and nothing
// else have to be read and written. TensorFlow's operations would first make the gradient as
// large as the table, read the table again for a penalty, and write the penalty's
// gradient as well.

#define EIGEN_USE_THREADS  // for TensorFlow's functions that copy a variable

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "op.h"
#include "tensorflow/core/kernels/training_op_helpers.h"

namespace {

using interhat::OpKernel;
using interhat::OpKernelConstruction;
using interhat::OpKernelContext;
using interhat::shape_of;
using interhat::Tensor;
using interhat::TensorShape;

// Numbers of the table whose gradient is put together at a time; it stays in the cache.
constexpr int64_t kBlock = 2048;

struct Rule {
  float rate;  // with the corrections of the moments' bias
  float beta_1;
  float beta_2;
  float epsilon;
  float l2;
};

struct Update {
  // The compiler makes vectors of the widest kind that this is inlined for.
  template <int W>
  static INLINE void run(const Rule& rule, int64_t size, const float* __restrict gradient,
                         float* __restrict first, float* __restrict second,
                         float* __restrict weight) {
    for (int64_t i = 0; i < size; i++) {
      const float slope = gradient[i] + 2 * rule.l2 * weight[i];
      first[i] += (slope - first[i]) * (1 - rule.beta_1);
      second[i] += (slope * slope - second[i]) * (1 - rule.beta_2);
      weight[i] -= rule.rate * first[i] / (std::sqrt(second[i]) + rule.epsilon);
    }
  }
};

// The sums of the gradient's rows that are for the same row of the table.
class RowSums {
 public:
  RowSums(const Tensor& ids, const Tensor& values, int64_t rows, int64_t width)
      : width_(width), sum_of_(rows, -1) {
    const int32_t* id = ids.flat<int32_t>().data();
    const float* value = values.flat<float>().data();
    sums_.reserve(values.NumElements());
    for (int64_t i = 0; i < ids.NumElements(); i++, value += width) {
      int32_t& sum = sum_of_[id[i]];
      if (sum < 0) {
        sum = sums_.size() / width;
        sums_.insert(sums_.end(), value, value + width);
      } else {
        float* to = &sums_[sum * width];
        for (int64_t j = 0; j < width; j++) to[j] += value[j];
      }
    }
  }

  // Writes the gradient of some rows, zero for those without one.
  void write(int64_t first, int64_t last, float* to) const {
    std::fill(to, to + (last - first) * width_, 0.0f);
    for (int64_t row = first; row < last; row++, to += width_) {
      const int32_t sum = sum_of_[row];
      if (sum >= 0) std::memcpy(to, &sums_[sum * width_], width_ * sizeof(float));
    }
  }

 private:
  int64_t width_;
  std::vector<int32_t> sum_of_;
  std::vector<float> sums_;
};

class TableAdam : public OpKernel {
 public:
  explicit TableAdam(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("beta_1", &rule_.beta_1));
    OP_REQUIRES_OK(context, context->GetAttr("beta_2", &rule_.beta_2));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &rule_.epsilon));
    OP_REQUIRES_OK(context, context->GetAttr("l2", &rule_.l2));
  }

  void Compute(OpKernelContext* context) override {
    using Device = Eigen::ThreadPoolDevice;
    const auto locks = tensorflow::MaybeLockVariableInputMutexesInOrder<Device, float>(
        context, /*do_lock=*/true, /*sparse=*/false, {0, 1, 2});
    Tensor variables[3];
    for (int i = 0; i < 3; i++) {
      OP_REQUIRES_OK(context, tensorflow::GetInputTensorFromVariable<Device, float>(
                                  context, i, /*lock_held=*/true, /*sparse=*/false, &variables[i]));
      OP_REQUIRES(context, variables[i].shape() == variables[0].shape() && variables[i].dims() > 0,
                  absl::InvalidArgumentError("a table and its moments must have the same shape"));
    }
    const int64_t rows = variables[0].dim_size(0);
    const int64_t width = rows ? variables[0].NumElements() / rows : 0;
    const Tensor &ids = context->input(4), &values = context->input(5);
    OP_REQUIRES(context, values.NumElements() == ids.NumElements() * width,
                absl::InvalidArgumentError(absl::StrCat(
                    "values ", values.shape().DebugString(), " are no rows of ",
                    ids.NumElements(), " ids in a table ", variables[0].shape().DebugString())));
    for (int64_t i = 0; i < ids.NumElements(); i++) {
      const int32_t id = ids.flat<int32_t>()(i);
      OP_REQUIRES(context, id >= 0 && id < rows,
                  absl::InvalidArgumentError(
                      absl::StrCat("id ", id, " is outside a table of ", rows, " rows")));
    }
    const TensorShape& rate = shape_of(context, 3);
    OP_REQUIRES(context, rate.dims() == 0,
                absl::InvalidArgumentError(
                    absl::StrCat("rate must be a scalar, got ", rate.DebugString())));
    if (width == 0) return;
    Rule rule = rule_;
    rule.rate = context->input(3).scalar<float>()();
    const RowSums sums(ids, values, rows, width);
    float* data[3];
    for (int i = 0; i < 3; i++) data[i] = variables[i].flat<float>().data();
    const int64_t block = std::max<int64_t>(1, kBlock / width);
    interhat::shard(
        context, (rows + block - 1) / block, 4 * block * width,
        [&](int64_t begin, int64_t end) {
          std::vector<float> gradient(block * width);
          for (int64_t first = begin * block; first < std::min(rows, end * block); first += block) {
            const int64_t last = std::min(rows, first + block), at = first * width;
            sums.write(first, last, gradient.data());
            interhat::run<Update>(rule, (last - first) * width, gradient.data(), data[1] + at,
                                  data[2] + at, data[0] + at);
          }
        });
  }

 private:
  Rule rule_;
};

}  // namespace

REGISTER_OP("InterhatTableAdam")
    .Input("table: resource")
    .Input("first_moment: resource")
    .Input("second_moment: resource")
    .Input("rate: float")
    .Input("ids: int32")
    .Input("values: float")
    .Attr("beta_1: float")
    .Attr("beta_2: float")
    .Attr("epsilon: float")
    .Attr("l2: float")
    .SetIsStateful()
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext*) { return absl::OkStatus(); });
REGISTER_KERNEL_BUILDER(Name("InterhatTableAdam").Device(tensorflow::DEVICE_CPU), TableAdam);
