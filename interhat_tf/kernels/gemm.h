// The matrix product of small matrices that stay in a core's first cache.
//
// Vectors lie along the rows of the right operand and of the result; the left operand gives one
// number at a time, for a whole vector. What becomes of the sums is the caller's: an epilogue.

#ifndef INTERHAT_TF_KERNELS_GEMM_H_
#define INTERHAT_TF_KERNELS_GEMM_H_

#include <algorithm>
#include <cstdint>

#include "vectors.h"

namespace interhat {

// Rows of whole vectors, the last of a row filled up with zeros.
template <int W>
struct Matrix {
  float* data;
  int stride;

  INLINE Vector<W>& operator()(int row, int vector) const {
    return *reinterpret_cast<Vector<W>*>(data + row * stride + vector * W);
  }
};

template <int W>
Matrix<W> take_matrix(Arena<W>& arena, int rows, int stride) {
  return {reinterpret_cast<float*>(arena.take(static_cast<int64_t>(rows) * stride / W)), stride};
}

// A left operand: each of its numbers is to fill a vector. A panel is M rows of it, which are read
// column by column.
struct RowMajor {
  const float* data;
  int64_t stride;

  // More rows have more addresses than there are registers for them.
  static constexpr int kAccumulators = 12;
  static constexpr int kTileRows = 8;

  template <int M>
  struct Panel {
    const float* rows[M];

    INLINE Panel(RowMajor a, int row) {
      for (int i = 0; i < M; i++) rows[i] = a.data + (row + i) * a.stride;
    }
    INLINE float operator()(int i, int64_t k) const { return rows[i][k]; }
  };
};

// The same with columns that stand in a row, as in a transpose.
struct ColumnMajor {
  const float* data;
  int64_t stride;

  static constexpr int kAccumulators = 24;
  static constexpr int kTileRows = 24;

  template <int M>
  struct Panel {
    const float* data;
    int64_t stride;

    INLINE Panel(ColumnMajor a, int row) : data(a.data + row), stride(a.stride) {}
    INLINE float operator()(int i, int64_t k) const { return data[k * stride + i]; }
  };
};

template <int W>
INLINE RowMajor row_major(Matrix<W> rows) {
  return {rows.data, rows.stride};
}
template <int W>
INLINE ColumnMajor column_major(Matrix<W> rows) {
  return {rows.data, rows.stride};
}

// Epilogues: what becomes of the sums of a product, each of which has an offset in `to`.
template <int W>
struct Store {
  Matrix<W> to;
  INLINE void operator()(int64_t offset, Vector<W> sum) const { store<W>(sum, to.data + offset); }
};
template <int W>
struct Accumulate {
  Matrix<W> to;
  INLINE void operator()(int64_t offset, Vector<W> sum) const {
    store<W>(load<W>(to.data + offset) + sum, to.data + offset);
  }
};
template <int W>
struct Activate {
  Matrix<W> to;
  float lowest;
  INLINE void operator()(int64_t offset, Vector<W> sum) const {
    const Vector<W> floor = Vector<W>{} + lowest;
    store<W>(sum < floor ? floor : sum, to.data + offset);  // what is not a number stays so
  }
};
// The gradient of `Activate`, whose result is `active`, with rows as long.
template <int W>
struct StoreWhereActive {
  Matrix<W> to;
  Matrix<W> active;
  float lowest;
  INLINE void operator()(int64_t offset, Vector<W> sum) const {
    const Vector<W> floor = Vector<W>{} + lowest;
    store<W>(load<W>(active.data + offset) > floor ? sum : Vector<W>{}, to.data + offset);
  }
};

// A tile of M rows and N vectors, whose sums stay in registers.
template <int W, int M, int N, typename A, typename Epilogue>
INLINE void multiply_tile(A a, Matrix<W> b, Epilogue epilogue, int row, int vector, int inner) {
  const typename A::template Panel<M> panel(a, row);
  const float* from = b.data + vector * W;
  Vector<W> tile[M][N] = {};
  for (int64_t k = 0; k < inner; k++, from += b.stride) {
    Vector<W> b_row[N];
    for (int j = 0; j < N; j++) b_row[j] = load<W>(from + j * W);
    for (int i = 0; i < M; i++) {
      const float a_value = panel(i, k);
      for (int j = 0; j < N; j++) tile[i][j] += a_value * b_row[j];
    }
  }
  int64_t offset = row * static_cast<int64_t>(epilogue.to.stride) + vector * W;
  for (int i = 0; i < M; i++, offset += epilogue.to.stride) {
    for (int j = 0; j < N; j++) epilogue(offset + j * W, tile[i][j]);
  }
}

// N vectors of all rows: M rows at a time, then half as many, and so on.
template <int W, int M, int N, typename A, typename Epilogue>
INLINE void multiply_column(A a, Matrix<W> b, Epilogue epilogue, int row, int rows, int vector,
                            int inner) {
  for (; row + M <= rows; row += M) multiply_tile<W, M, N>(a, b, epilogue, row, vector, inner);
  if constexpr (M > 1) multiply_column<W, M / 2, N>(a, b, epilogue, row, rows, vector, inner);
}

// a b, (rows, vectors), by sums over `inner`; N vectors at a time, then one less, and so on.
template <int W, int N = 3, typename A, typename Epilogue>
INLINE void multiply(A a, Matrix<W> b, Epilogue epilogue, int rows, int vectors, int inner,
                     int vector = 0) {
  // M * N accumulators fit into the registers.
  constexpr int M = std::min(A::kTileRows, (W == 16 ? A::kAccumulators : 12) / N);
  for (; vector + N <= vectors; vector += N) {
    multiply_column<W, M, N>(a, b, epilogue, 0, rows, vector, inner);
  }
  if constexpr (N > 1) multiply<W, N - 1>(a, b, epilogue, rows, vectors, inner, vector);
}

// Copies rows to another stride; where vectors do not fill a row, the last overlaps.
template <int W>
INLINE void pack_rows(const float* from, int64_t from_stride, float* to, int64_t to_stride,
                      int rows, int width) {
  for (int row = 0; row < rows; row++, from += from_stride, to += to_stride) {
    if (width < W) {
      for (int i = 0; i < width; i++) to[i] = from[i];
      continue;
    }
    for (int begin = 0; begin < width; begin += W) {
      const int column = std::min(begin, width - W);
      store<W>(load<W>(from + column), to + column);
      // What the next head reads and writes.
      __builtin_prefetch(from + column + width);
      __builtin_prefetch(to + column + width, 1);
    }
  }
}

// Copies columns to rows.
template <int W>
INLINE void pack_transposed(const float* from, int from_stride, int rows, int width, float* to,
                            int to_stride) {
  if (rows < W || width < W) {
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < width; j++) to[j * to_stride + i] = from[i * from_stride + j];
    }
    return;
  }
  for (int i = 0; i < rows; i += W) {
    const int row = std::min(i, rows - W);
    for (int j = 0; j < width; j += W) {
      const int column = std::min(j, width - W);
      Vector<W> tile[W];
      for (int r = 0; r < W; r++) tile[r] = load<W>(from + (row + r) * from_stride + column);
      transpose<W>(tile);
      for (int r = 0; r < W; r++) store<W>(tile[r], to + (column + r) * to_stride + row);
    }
  }
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_GEMM_H_
