// Attention of a head with d_K = 1, whose queries, keys and values are a number for each field.
//
//     w_ij = 2^(q_i k_j - max_j q_i k_j),  o_i = sum_j w_ij v_j / sum_j w_ij
//
// A product of numbers is highest at the highest or at the lowest key, so that the highest score
// of a row is known before any other: a weight is used as soon as it is computed, and only the
// gradient keeps those of some rows. Heads of more numbers take several passes over the weights.

#ifndef INTERHAT_TF_KERNELS_ATTENTION_OF_NUMBERS_H_
#define INTERHAT_TF_KERNELS_ATTENTION_OF_NUMBERS_H_

#include "interleaved.h"
#include "vectors.h"

namespace interhat {

// Fields whose weights are computed side by side.
constexpr int kFieldsTogether = 4;

// A number of each field; `query` holds the factor log2(e) / sqrt(d_K).
template <int W>
struct HeadOfNumbers {
  LaneMatrix<W> query, key, value;
  int fields;
  Vector<W> lowest_key, highest_key;

  INLINE HeadOfNumbers(LaneMatrix<W> query, LaneMatrix<W> key, LaneMatrix<W> value, int fields)
      : query(query), key(key), value(value), fields(fields) {
    lowest_key = highest_key = key(0, 0);
    for (int j = 1; j < fields; j++) {
      const Vector<W> k = key(j, 0);
      lowest_key = k < lowest_key ? k : lowest_key;
      highest_key = k > highest_key ? k : highest_key;
    }
  }

  INLINE Vector<W> highest_score(Vector<W> q) const {
    return q * (q > 0.0f ? highest_key : lowest_key);
  }
};

// What the weights of N fields from `i` on sum up to; `weights` keeps them, if asked to.
template <int W, int N, bool kKeep>
struct Attended {
  Vector<W> q[N], sum[N], of_values[N];

  INLINE Attended(const HeadOfNumbers<W>& head, int i, Vector<W>* weights) {
    Vector<W> highest[N];
    for (int n = 0; n < N; n++) {
      q[n] = head.query(i + n, 0);
      highest[n] = head.highest_score(q[n]);
      sum[n] = of_values[n] = Vector<W>{};
    }
    for (int j = 0; j < head.fields; j++) {
      const Vector<W> k = head.key(j, 0), v = head.value(j, 0);
      for (int n = 0; n < N; n++) {
        const Vector<W> weight = exp2<W>(q[n] * k - highest[n]);
        sum[n] += weight;
        of_values[n] += weight * v;
        if constexpr (kKeep) weights[j * N + n] = weight;
      }
    }
  }
};

// The outputs of N fields from `i` on.
template <int W, int N>
INLINE void attend(const HeadOfNumbers<W>& head, int i, LaneMatrix<W> output) {
  const Attended<W, N, false> found(head, i, nullptr);
  for (int n = 0; n < N; n++) output(i + n, 0) = found.of_values[n] / found.sum[n];
}

// Gradients of a head, of which those of keys and values are added to.
template <int W>
struct GradientsOfNumbers {
  LaneMatrix<W> of_output, to_query, to_key, to_value;
};

// The gradients of N fields from `i` on; `weights` has room for theirs.
template <int W, int N>
INLINE void pull_back(const HeadOfNumbers<W>& head, int i, const GradientsOfNumbers<W>& gradients,
                      Vector<W>* weights) {
  const Attended<W, N, true> found(head, i, weights);
  Vector<W> output[N], factor[N], to_query[N];  // factor: of the output over the sum of weights
  for (int n = 0; n < N; n++) {
    const Vector<W> inverse_sum = 1.0f / found.sum[n];
    output[n] = found.of_values[n] * inverse_sum;
    factor[n] = gradients.of_output(i + n, 0) * inverse_sum;
    to_query[n] = Vector<W>{};
  }
  for (int j = 0; j < head.fields; j++) {
    const Vector<W> k = head.key(j, 0), v = head.value(j, 0);
    Vector<W> to_key = gradients.to_key(j, 0), to_value = gradients.to_value(j, 0);
    for (int n = 0; n < N; n++) {
      const Vector<W> of_value = weights[j * N + n] * factor[n];
      const Vector<W> of_score = of_value * (v - output[n]);
      to_value += of_value;
      to_key += of_score * found.q[n];
      to_query[n] += of_score * k;
    }
    gradients.to_key(j, 0) = to_key, gradients.to_value(j, 0) = to_value;
  }
  for (int n = 0; n < N; n++) gradients.to_query(i + n, 0) = to_query[n];
}

// The outputs of all fields.
template <int W>
INLINE void attend(const HeadOfNumbers<W>& head, LaneMatrix<W> output) {
  int i = 0;
  for (; i + kFieldsTogether <= head.fields; i += kFieldsTogether) {
    attend<W, kFieldsTogether>(head, i, output);
  }
  for (; i < head.fields; i++) attend<W, 1>(head, i, output);
}

// The gradients of all fields; `weights` has room for those of `kFieldsTogether`.
template <int W>
INLINE void pull_back(const HeadOfNumbers<W>& head, const GradientsOfNumbers<W>& gradients,
                      Vector<W>* weights) {
  int i = 0;
  for (; i + kFieldsTogether <= head.fields; i += kFieldsTogether) {
    pull_back<W, kFieldsTogether>(head, i, gradients, weights);
  }
  for (; i < head.fields; i++) pull_back<W, 1>(head, i, gradients, weights);
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_ATTENTION_OF_NUMBERS_H_
