// Adam's exact step for a table of which a batch has few rows, in one pass over the table.
//
// All rows' moments decay in every step, so that the whole table, its moments and nothing
// else have to be read and written. TensorFlow's operations would first make the gradient as
// large as the table, read the table again for a penalty, and write the penalty's
// gradient as well. An average of the weights is taken along, for which they would read and write
// seven times as much as the table.

#define EIGEN_USE_THREADS  // for TensorFlow's functions that copy a variable

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
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
  float share;  // of the weights in their average
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

// The weights are taken in by their average.
struct TakeIn {
  template <int W>
  static INLINE void run(const Rule& rule, int64_t size, const float* __restrict weight,
                         float* __restrict average) {
    for (int64_t i = 0; i < size; i++) average[i] -= rule.share * (average[i] - weight[i]);
  }
};

// In how many parts rows of a table are, at least one for each thread: a power of two.
int64_t parts_of_rows(OpKernelContext* context) {
  int64_t parts = 1;
  while (parts < interhat::threads_of(context)) parts *= 2;
  return parts;
}

// The part that a row belongs to. Rows whose numbers lie in one line of the cache are in the same.
int64_t part_of(int64_t row, int64_t parts) { return (row >> 6) & (parts - 1); }

// The sums of a gradient's rows that are for the same row of a table. Each part of the rows
// is added up by one thread, in order: results can be repeated. Memory is kept from use to use.
class RowSums {
 public:
  void add_up(OpKernelContext* context, const Tensor& ids, const Tensor& values,
              int64_t table_rows, int64_t width) {
    width_ = width;
    places_.resize(table_rows, -1);
    parts_.resize(parts_of_rows(context));
    const int64_t parts = parts_.size();
    interhat::shard_parts(context, parts, parts, [&](int64_t part, int64_t, int64_t) {
      Part& sums = parts_[part];
      const int32_t* id = ids.flat<int32_t>().data();
      const float* value = values.flat<float>().data();
      for (int64_t i = 0; i < ids.NumElements(); i++, value += width) {
        if (part_of(id[i], parts) == part) sums.add(id[i], value, width, &places_);
      }
    });
  }

  // Writes the gradient of some rows, zero for those without one.
  void write(int64_t first, int64_t last, float* to) const {
    for (int64_t row = first; row < last; row++, to += width_) {
      if (places_[row] < 0) {
        std::fill_n(to, width_, 0.0f);
      } else {
        const Part& part = parts_[part_of(row, parts_.size())];
        std::copy_n(&part.sums[places_[row] * width_], width_, to);
      }
    }
  }

  void clear() {
    for (Part& part : parts_) {
      for (const int32_t row : part.rows) places_[row] = -1;
      part.rows.clear();
      part.sums.clear();
    }
  }

 private:
  struct Part {
    std::vector<int32_t> rows;
    std::vector<float> sums;

    void add(int32_t row, const float* value, int64_t width, std::vector<int32_t>* places) {
      int32_t& place = (*places)[row];
      if (place < 0) {
        place = rows.size();
        rows.push_back(row);
        sums.insert(sums.end(), value, value + width);
        return;
      }
      float* const to = &sums[place * width];
      for (int64_t j = 0; j < width; j++) to[j] += value[j];
    }
  };

  int64_t width_ = 0;
  std::vector<int32_t> places_;  // of the table's rows among their part's sums; -1 for none
  std::vector<Part> parts_;
};

// That ids are rows of a table, and values gradients of them.
absl::Status check_gradient(const Tensor& ids, const Tensor& values, const TensorShape& table) {
  const int64_t rows = table.dim_size(0), width = rows ? table.num_elements() / rows : 0;
  if (values.NumElements() != ids.NumElements() * width) {
    return absl::InvalidArgumentError(
        absl::StrCat("values ", values.shape().DebugString(), " are no rows of ",
                     ids.NumElements(), " ids in a table ", table.DebugString()));
  }
  const int32_t* const id = ids.flat<int32_t>().data();
  for (int64_t i = 0; i < ids.NumElements(); i++) {
    if (id[i] < 0 || id[i] >= rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("id ", id[i], " is outside a table of ", rows, " rows"));
    }
  }
  return absl::OkStatus();
}

class TableAdam : public OpKernel {
 public:
  explicit TableAdam(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("count", &count_));
    OP_REQUIRES_OK(context, context->GetAttr("beta_1", &rule_.beta_1));
    OP_REQUIRES_OK(context, context->GetAttr("beta_2", &rule_.beta_2));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &rule_.epsilon));
    OP_REQUIRES_OK(context, context->GetAttr("l2", &rule_.l2));
  }

  void Compute(OpKernelContext* context) override {
    using Device = Eigen::ThreadPoolDevice;
    std::vector<int> numbers(count_);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto locks = tensorflow::MaybeLockVariableInputMutexesInOrder<Device, float>(
        context, /*do_lock=*/true, /*sparse=*/false, numbers);
    std::vector<Tensor> variables(count_);
    for (const int i : numbers) {
      OP_REQUIRES_OK(context, tensorflow::GetInputTensorFromVariable<Device, float>(
                                  context, i, /*lock_held=*/true, /*sparse=*/false, &variables[i]));
      OP_REQUIRES(context, variables[i].shape() == variables[0].shape() && variables[i].dims() > 0,
                  absl::InvalidArgumentError(
                      "a table, its moments and its average must have the same shape"));
    }
    const Tensor &ids = context->input(count_ + kIds), &values = context->input(count_ + kValues);
    OP_REQUIRES_OK(context, check_gradient(ids, values, variables[0].shape()));
    for (const int input : {kRate, kShare}) {
      const TensorShape& shape = shape_of(context, count_ + input);
      OP_REQUIRES(context, shape.dims() == 0,
                  absl::InvalidArgumentError(
                      absl::StrCat(input == kRate ? "rate" : "share", " must be a scalar, got ",
                                   shape.DebugString())));
    }
    if (variables[0].NumElements() == 0) return;
    Rule rule = rule_;
    rule.rate = context->input(count_ + kRate).scalar<float>()();
    rule.share = context->input(count_ + kShare).scalar<float>()();
    const tensorflow::mutex_lock lock(mutex_);
    const int64_t rows = variables[0].dim_size(0), width = variables[0].NumElements() / rows;
    sums_.add_up(context, ids, values, rows, width);
    update(context, rule, &variables, rows, width);
    sums_.clear();
  }

 private:
  // Behind the variables: the table, its moments and, if there is one, its average.
  enum Input { kRate, kShare, kIds, kValues };

  void update(OpKernelContext* context, const Rule& rule, std::vector<Tensor>* variables,
              int64_t rows, int64_t width) const {
    const auto numbers = [&](int i) { return (*variables)[i].flat<float>().data(); };
    float *const weight = numbers(0), *const first_moment = numbers(1);
    float *const second_moment = numbers(2), *const average = count_ > 3 ? numbers(3) : nullptr;
    const int64_t block = std::max<int64_t>(1, kBlock / width);
    interhat::shard(
        context, (rows + block - 1) / block, 4 * block * width,
        [&](int64_t begin, int64_t end) {
          std::vector<float> gradient(block * width);
          for (int64_t first = begin * block; first < std::min(rows, end * block); first += block) {
            const int64_t last = std::min(rows, first + block), at = first * width;
            const int64_t size = (last - first) * width;
            sums_.write(first, last, gradient.data());
            interhat::run<Update>(rule, size, gradient.data(), first_moment + at,
                                  second_moment + at, weight + at);
            if (average) interhat::run<TakeIn>(rule, size, weight + at, average + at);
          }
        });
  }

  int count_;
  Rule rule_;
  tensorflow::mutex mutex_;
  RowSums sums_;  // guarded by `mutex_`
};

}  // namespace

REGISTER_OP("InterhatTableAdam")
    .Input("variables: count * resource")
    .Input("rate: float")
    .Input("share: float")
    .Input("ids: int32")
    .Input("values: float")
    .Attr("count: int >= 3")  // four with an average
    .Attr("beta_1: float")
    .Attr("beta_2: float")
    .Attr("epsilon: float")
    .Attr("l2: float")
    .SetIsStateful()
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext*) { return absl::OkStatus(); });
REGISTER_KERNEL_BUILDER(Name("InterhatTableAdam").Device(tensorflow::DEVICE_CPU), TableAdam);
