// Vector registers of W numbers, and what is computed with them in more than one place.

#ifndef INTERHAT_TF_KERNELS_VECTORS_H_
#define INTERHAT_TF_KERNELS_VECTORS_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "processor.h"

namespace interhat {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147181f;

template <int W>
struct Lanes {
  typedef float Vector __attribute__((vector_size(W * sizeof(float))));
  typedef int32_t Integers __attribute__((vector_size(W * sizeof(int32_t))));
};
template <int W>
using Vector = typename Lanes<W>::Vector;
template <int W>
using Integers = typename Lanes<W>::Integers;

// Room for so many vectors. Containers of vectors would lose their alignment.
template <int W>
class Room {
 public:
  explicit Room(int64_t size)
      : memory_(std::aligned_alloc(sizeof(Vector<W>), size * sizeof(Vector<W>)), std::free) {}

  // The next vectors that have not been taken.
  Vector<W>* take(int64_t size) {
    taken_ += size;
    return static_cast<Vector<W>*>(memory_.get()) + taken_ - size;
  }

 private:
  std::unique_ptr<void, decltype(&std::free)> memory_;
  int64_t taken_ = 0;
};

// 2^x, to a relative error of 1e-7; x below -126 counts as -126.
template <int W>
INLINE Vector<W> exp2(Vector<W> x) {
  const Vector<W> lowest = Vector<W>{} - 126.0f;
  x = x < lowest ? lowest : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
  const Vector<W> rounded = x + 12582912.0f;
  const Vector<W> rest = x - (rounded - 12582912.0f);  // within [-0.5, 0.5]
  // The polynomial of least relative error there, by least squares with reweighting.
  Vector<W> power = rest * 1.534581097e-4f + 1.339993090e-3f;
  power = power * rest + 9.618489072e-3f;
  power = power * rest + 5.550328642e-2f;
  power = power * rest + 2.402264625e-1f;
  power = power * rest + 6.931471825e-1f;
  power = power * rest + 1.0f;
  return (Vector<W>)((Integers<W>)power + ((Integers<W>)rounded << 23));
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
