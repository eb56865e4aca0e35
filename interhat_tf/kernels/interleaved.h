// Several records side by side in vectors, one to a lane: how they come there, and their product.

#ifndef INTERHAT_TF_KERNELS_INTERLEAVED_H_
#define INTERHAT_TF_KERNELS_INTERLEAVED_H_

#include <algorithm>
#include <cstdint>

#include "vectors.h"

namespace interhat {

// Rows of a result that are computed together, each value that is read being used for all.
constexpr int kTileRows = 6;

// Some heads of some records in memory: `rows` runs of `width` numbers for each record.
struct Slab {
  int rows;
  int width;
  int64_t stride;  // from run to run
  int64_t record;  // from record to record
  int records;

  Slab(int fields, int head_width, int of_heads, int heads, int records) : records(records) {
    const bool all = heads == of_heads;  // then the fields stand one behind the other
    rows = all ? 1 : fields;
    width = (all ? fields : 1) * heads * head_width;
    stride = of_heads * head_width;
    record = fields * stride;
  }
};

// Brings a slab into vectors, one for each number of a record; lanes without one repeat the last.
template <int W>
INLINE void interleave_records(const float* from, const Slab& slab, float scale, Vector<W>* to) {
  for (int row = 0; row < slab.rows; row++, from += slab.stride, to += slab.width) {
    if (slab.width < W) {
      for (int i = 0; i < slab.width; i++) {
        for (int lane = 0; lane < W; lane++) {
          to[i][lane] = from[i + std::min(lane, slab.records - 1) * slab.record] * scale;
        }
      }
      continue;
    }
    for (int begin = 0; begin < slab.width; begin += W) {
      const int column = std::min(begin, slab.width - W);  // the last may overlap with one before
      Vector<W> tile[W];
      for (int lane = 0; lane < W; lane++) {
        const float* at = from + column + std::min(lane, slab.records - 1) * slab.record;
        __builtin_memcpy(&tile[lane], at, sizeof(tile[lane]));
        __builtin_prefetch(at + slab.width);  // for the next heads
      }
      transpose<W>(tile);
      for (int i = 0; i < W; i++) to[column + i] = tile[i] * scale;
    }
  }
}

// Brings vectors back into a slab.
template <int W>
INLINE void separate_records(const Vector<W>* from, const Slab& slab, float scale, float* to) {
  for (int row = 0; row < slab.rows; row++, from += slab.width, to += slab.stride) {
    if (slab.width < W) {
      for (int i = 0; i < slab.width; i++) {
        for (int lane = 0; lane < slab.records; lane++) {
          to[i + lane * slab.record] = from[i][lane] * scale;
        }
      }
      continue;
    }
    for (int begin = 0; begin < slab.width; begin += W) {
      const int column = std::min(begin, slab.width - W);
      Vector<W> tile[W];
      for (int i = 0; i < W; i++) tile[i] = from[column + i] * scale;
      transpose<W>(tile);
      for (int lane = 0; lane < slab.records; lane++) {
        __builtin_memcpy(to + column + lane * slab.record, &tile[lane], sizeof(tile[lane]));
        __builtin_prefetch(to + column + lane * slab.record + slab.width, 1);
      }
    }
  }
}

// A matrix of vectors: element (i, j) is at `data[i * down + j * across]`.
template <int W>
struct LaneMatrix {
  Vector<W>* data;
  int down;
  int across;

  INLINE Vector<W>& operator()(int i, int j) const { return data[i * down + j * across]; }
  INLINE LaneMatrix from(int i, int j) const { return {&(*this)(i, j), down, across}; }
  INLINE LaneMatrix transposed() const { return {data, across, down}; }
};

// The rows of one of several heads that stand side by side.
template <int W>
INLINE LaneMatrix<W> head_of(Vector<W>* data, int head, int heads, int head_width) {
  return {data + head * head_width, heads * head_width, 1};
}

template <int W, bool kAdd, int M, int N>
INLINE void multiply_tile(LaneMatrix<W> a, LaneMatrix<W> b, LaneMatrix<W> c, int inner) {
  Vector<W> tile[M][N];
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) tile[i][j] = kAdd ? c(i, j) : Vector<W>{};
  }
  for (int k = 0; k < inner; k++) {
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) tile[i][j] += a(i, k) * b(k, j);
    }
  }
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) c(i, j) = tile[i][j];
  }
}

// Columns N at a time, then half as many, and so on.
template <int W, bool kAdd, int M, int N>
INLINE void multiply_rows(LaneMatrix<W> a, LaneMatrix<W> b, LaneMatrix<W> c, int columns,
                          int inner) {
  int j = 0;
  for (; j + N <= columns; j += N) {
    multiply_tile<W, kAdd, M, N>(a, b.from(0, j), c.from(0, j), inner);
  }
  if constexpr (N > 1) {
    multiply_rows<W, kAdd, M, N / 2>(a, b.from(0, j), c.from(0, j), columns - j, inner);
  }
}

// c = a b, or c += a b, record by record; rows M at a time, then half as many, and so on.
template <int W, bool kAdd, int M = kTileRows>
INLINE void multiply(LaneMatrix<W> a, LaneMatrix<W> b, LaneMatrix<W> c, int rows, int columns,
                     int inner) {
  constexpr int N = W == 16 ? 4 : 2;  // M * N accumulators fit into the registers
  int i = 0;
  for (; i + M <= rows; i += M) {
    multiply_rows<W, kAdd, M, N>(a.from(i, 0), b, c.from(i, 0), columns, inner);
  }
  if constexpr (M > 1) {
    multiply<W, kAdd, M / 2>(a.from(i, 0), b, c.from(i, 0), rows - i, columns, inner);
  }
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_INTERLEAVED_H_
