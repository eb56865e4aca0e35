// Dropout with the random numbers that TensorFlow draws for a key and a counter, bit for bit.
//
//     y_n = scale * x_n where r_n >= rate, otherwise 0
//
// The numbers r are Philox's, 4 of 32 bits for each count (Salmon et al., Parallel Random Numbers:
// As Easy as 1, 2, 3, SC 2011). They are drawn where they are needed, several counts side by side,
// and never written; the gradient, which is the same operation, draws them again.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "op.h"
#include "processor.h"
#include "vectors.h"

namespace {

using interhat::Integers;
using interhat::interleave;
using interhat::load;
using interhat::OpKernel;
using interhat::OpKernelConstruction;
using interhat::OpKernelContext;
using interhat::store;
using interhat::Tensor;
using interhat::Vector;
using interhat::Wide;

constexpr int kNumbers = 4;  // of a count

struct Problem {
  int64_t size;
  const float* from;
  float* to;
  uint64_t key;
  uint64_t counter[2];  // of 128 bits, the lower half first
  float rate;
  float scale;
};

// The products of a factor and the lower half of each number.
template <int W>
INLINE Wide<W> multiply_low(uint32_t factor, Wide<W> numbers) {
#if defined(__x86_64__)
  if constexpr (W == 16) {  // compilers take the product of whole numbers, three times as long
    Wide<W> product;
    asm("vpmuludq %2, %1, %0" : "=v"(product) : "v"(numbers), "v"(Wide<W>{} + factor));
    return product;
  }
#endif
  return (numbers & 0xffffffffull) * factor;
}

// The lower and the higher halves of the products of a factor and each lane.
template <int W>
INLINE void multiply_wide(uint32_t factor, Integers<W> lanes, Integers<W>* low, Integers<W>* high) {
  constexpr uint64_t kLow = 0xffffffffull;
  const Wide<W> even = multiply_low<W>(factor, (Wide<W>)lanes);
  const Wide<W> odd = multiply_low<W>(factor, (Wide<W>)lanes >> 32);
  *low = (Integers<W>)((even & kLow) | (odd << 32));
  *high = (Integers<W>)((even >> 32) | (odd & ~kLow));
}

// The numbers of W counts from one on, each from 0 to 1, in the order in which they are drawn.
template <int W>
INLINE void draw(const Problem& problem, int64_t first, Vector<W>* to) {
  Integers<W> numbers[kNumbers];
  for (int lane = 0; lane < W; lane++) {
    const uint64_t low = problem.counter[0] + static_cast<uint64_t>(first + lane);
    const uint64_t high = problem.counter[1] + (low < problem.counter[0]);
    numbers[0][lane] = static_cast<uint32_t>(low);
    numbers[1][lane] = static_cast<uint32_t>(low >> 32);
    numbers[2][lane] = static_cast<uint32_t>(high);
    numbers[3][lane] = static_cast<uint32_t>(high >> 32);
  }
  uint32_t keys[2] = {static_cast<uint32_t>(problem.key), static_cast<uint32_t>(problem.key >> 32)};
  for (int round = 0; round < 10; round++) {
    Integers<W> low[2], high[2];
    multiply_wide<W>(0xD2511F53u, numbers[0], &low[0], &high[0]);
    multiply_wide<W>(0xCD9E8D57u, numbers[2], &low[1], &high[1]);
    numbers[0] = high[1] ^ numbers[1] ^ keys[0];
    numbers[1] = low[1];
    numbers[2] = high[0] ^ numbers[3] ^ keys[1];
    numbers[3] = low[0];
    keys[0] += 0x9E3779B9u;
    keys[1] += 0xBB67AE85u;
  }
  Vector<W> drawn[kNumbers];
  for (int n = 0; n < kNumbers; n++) {
    // The lower bits become the mantissa of a number from 1 to 2.
    drawn[n] = (Vector<W>)((numbers[n] & 0x7fffffu) | 0x3f800000u) - 1.0f;
  }
  constexpr auto lanes = std::make_integer_sequence<int, W>();
  const Vector<W> even[2] = {interleave<W, 0>(drawn[0], drawn[2], lanes),
                             interleave<W, 1>(drawn[0], drawn[2], lanes)};
  const Vector<W> odd[2] = {interleave<W, 0>(drawn[1], drawn[3], lanes),
                            interleave<W, 1>(drawn[1], drawn[3], lanes)};
  for (int half = 0; half < 2; half++) {
    to[2 * half] = interleave<W, 0>(even[half], odd[half], lanes);
    to[2 * half + 1] = interleave<W, 1>(even[half], odd[half], lanes);
  }
}

struct Drop {
  template <int W>
  static INLINE void run(const Problem& problem, int64_t first, int64_t last) {
    for (int64_t count = first; count < last; count += W) {
      Vector<W> drawn[kNumbers];
      draw<W>(problem, count, drawn);
      const int64_t begin = count * kNumbers;
      const int64_t size = std::min(std::min<int64_t>(W, last - count) * kNumbers,
                                    problem.size - begin);
      for (int n = 0; n < kNumbers; n++) {
        drop<W>(problem, drawn[n], begin + n * W, std::min<int64_t>(W, size - n * W));
      }
    }
  }

 private:
  template <int W>
  static INLINE void drop(const Problem& problem, Vector<W> drawn, int64_t begin, int64_t size) {
    Vector<W> inputs = {};
    if (size == W) inputs = load<W>(problem.from + begin);
    for (int64_t n = 0; size < W && n < size; n++) inputs[n] = problem.from[begin + n];
    const Vector<W> outputs = drawn >= problem.rate ? inputs * problem.scale : Vector<W>{};
    if (size == W) store<W>(outputs, problem.to + begin);
    for (int64_t n = 0; size < W && n < size; n++) problem.to[begin + n] = outputs[n];
  }
};

class Dropout : public OpKernel {
 public:
  explicit Dropout(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& inputs = context->input(0);
    const Tensor &key = context->input(1), &counter = context->input(2);
    OP_REQUIRES(context, key.NumElements() == 1 && counter.NumElements() == 2,
                absl::InvalidArgumentError(absl::StrCat(
                    "a key must have one number and a counter two, got ",
                    key.shape().DebugString(), " and ", counter.shape().DebugString())));
    Tensor* outputs;
    OP_REQUIRES_OK(context, context->allocate_output(0, inputs.shape(), &outputs));
    const Problem problem = {inputs.NumElements(),
                             inputs.flat<float>().data(),
                             outputs->flat<float>().data(),
                             key.flat<tensorflow::uint64>()(0),
                             {counter.flat<tensorflow::uint64>()(0),
                              counter.flat<tensorflow::uint64>()(1)},
                             rate_,
                             scale_};
    constexpr int64_t kTogether = 64, kCost = kTogether * 8;  // counts, and what they take
    const int64_t counts = (problem.size + kNumbers - 1) / kNumbers;
    interhat::shard(context, (counts + kTogether - 1) / kTogether, kCost,
                    [&](int64_t first, int64_t last) {
                      interhat::run<Drop>(problem, first * kTogether,
                                          std::min(last * kTogether, counts));
                    });
  }

 private:
  float rate_, scale_;
};

}  // namespace

REGISTER_OP("InterhatDropout")
    .Input("inputs: float")
    .Input("key: uint64")
    .Input("counter: uint64")
    .Attr("rate: float")
    .Attr("scale: float")
    .Output("outputs: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatDropout").Device(tensorflow::DEVICE_CPU), Dropout);
