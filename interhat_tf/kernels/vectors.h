// Vector registers of W numbers, and what is computed with them in more than one place.

#ifndef INTERHAT_TF_KERNELS_VECTORS_H_
#define INTERHAT_TF_KERNELS_VECTORS_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "processor.h"

namespace interhat {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147181f;

template <int W>
struct Lanes {
  typedef float Vector __attribute__((vector_size(W * sizeof(float))));
  typedef uint32_t Integers __attribute__((vector_size(W * sizeof(uint32_t))));
  typedef uint64_t Wide __attribute__((vector_size(W * sizeof(uint32_t))));  // half as many
};
template <int W>
using Vector = typename Lanes<W>::Vector;
template <int W>
using Integers = typename Lanes<W>::Integers;
template <int W>
using Wide = typename Lanes<W>::Wide;

// A count of numbers, rounded up to whole vectors.
template <int W>
INLINE int padded(int size) {
  return (size + W - 1) / W * W;
}

template <int W>
INLINE Vector<W> load(const float* from) {
  Vector<W> vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

template <int W>
INLINE void store(Vector<W> vector, float* to) {
  std::memcpy(to, &vector, sizeof(vector));
}

// Memory for arrays of vectors, one behind the other. Containers of vectors would lose their
// alignment. `lay_out` takes the arrays, and is called twice: first to count, then for good.
template <int W>
class Arena {
 public:
  template <typename LayOut>
  explicit Arena(const LayOut& lay_out) : memory_(nullptr, std::free) {
    lay_out(*this);
    size_ = taken_;
    memory_.reset(std::aligned_alloc(sizeof(Vector<W>), size_ * sizeof(Vector<W>)));
    taken_ = 0;
    lay_out(*this);
  }

  // The next vectors that have not been taken.
  Vector<W>* take(int64_t size) {
    taken_ += size;
    return memory_ ? static_cast<Vector<W>*>(memory_.get()) + taken_ - size : nullptr;
  }

  void fill_with_zeros() { std::memset(memory_.get(), 0, size_ * sizeof(Vector<W>)); }

 private:
  std::unique_ptr<void, decltype(&std::free)> memory_;
  int64_t size_ = 0;
  int64_t taken_ = 0;
};

// 2^x for x within [-0.5, 0.5], the polynomial of least relative error there, by least squares
// with reweighting.
template <int W>
INLINE Vector<W> exp2_of_rest(Vector<W> x) {
  Vector<W> power = x * 1.534581097e-4f + 1.339993090e-3f;
  power = power * x + 9.618489072e-3f;
  power = power * x + 5.550328642e-2f;
  power = power * x + 2.402264625e-1f;
  power = power * x + 6.931471825e-1f;
  return power * x + 1.0f;
}

// 2^x, to a relative error of 1e-7; x below -126 counts as -126, what is not a number stays so.
template <int W>
INLINE Vector<W> exp2(Vector<W> x) {
  const Vector<W> lowest = Vector<W>{} - 126.0f;
  x = x < lowest ? lowest : x;
#if defined(__x86_64__)
  if constexpr (W == 16) {  // AVX-512 rounds, and scales by powers of 2, at once
    Vector<W> rounded, scaled;
    asm("vrndscaleps $0, %1, %0" : "=v"(rounded) : "v"(x));
    asm("vscalefps %2, %1, %0" : "=v"(scaled) : "v"(exp2_of_rest<W>(x - rounded)), "v"(rounded));
    return scaled;
  }
#endif
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
  const Vector<W> rounded = x + 12582912.0f;
  const Vector<W> power = exp2_of_rest<W>(x - (rounded - 12582912.0f));
  const Vector<W> shifted = (Vector<W>)((Integers<W>)power + ((Integers<W>)rounded << 23));
  // The bits of one that is not a number may well become those of another that is.
  return x == x ? shifted : x;
}

// 1 / (1 + e^-x); what is not a number stays so.
template <int W>
INLINE Vector<W> sigmoid(Vector<W> x) {
  const Vector<W> highest = Vector<W>{} + 126.0f, power = x * -kLog2E;
  return 1.0f / (exp2<W>(power > highest ? highest : power) + 1.0f);
}

// The first or second half of a vector.
template <int W, int kHalf, int... I>
INLINE Vector<W / 2> half(Vector<W> x, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(x, x, (kHalf * W / 2 + I)...);
}

// The sum of a vector's numbers.
template <int W>
INLINE float sum_of(Vector<W> x) {
  if constexpr (W == 2) {
    return x[0] + x[1];
  } else {
    return sum_of<W / 2>(half<W, 0>(x, std::make_integer_sequence<int, W / 2>()) +
                         half<W, 1>(x, std::make_integer_sequence<int, W / 2>()));
  }
}

// The first or second half of two vectors interleaved.
template <int W, int kHalf, int... I>
INLINE Vector<W> interleave(Vector<W> a, Vector<W> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (kHalf * W / 2 + I / 2 + I % 2 * W)...);
}

// Transposes W vectors: one interleaving of the first half with the second for each factor 2.
template <int W>
INLINE void transpose(Vector<W>* rows) {
  constexpr auto lanes = std::make_integer_sequence<int, W>();
  for (int stage = 1; stage < W; stage *= 2) {
    Vector<W> next[W];
    for (int i = 0; i < W / 2; i++) {
      next[2 * i] = interleave<W, 0>(rows[i], rows[i + W / 2], lanes);
      next[2 * i + 1] = interleave<W, 1>(rows[i], rows[i + W / 2], lanes);
    }
    for (int i = 0; i < W; i++) rows[i] = next[i];
  }
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_VECTORS_H_
