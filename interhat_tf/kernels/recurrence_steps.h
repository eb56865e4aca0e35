// A step of the recurrence in `augru.cc`: the states of some records, which go through all their
// steps together, and the gates, which the gradient opens again.

#ifndef INTERHAT_TF_KERNELS_RECURRENCE_STEPS_H_
#define INTERHAT_TF_KERNELS_RECURRENCE_STEPS_H_

#include <algorithm>
#include <cstdint>

#include "gemm.h"
#include "vectors.h"

namespace interhat {

constexpr int kGates = 3;      // update, reset, candidate
constexpr int kTogether = 32;  // records

struct RecurrenceProblem {
  int64_t records;  // B
  int64_t length;   // L
  int dim;          // d
  int units;        // n
  const float* inputs;     // i, (B, L, d)
  const float* attention;  // a, (B, L)
  const float* kernel;     // W, (d, 3 n)
  const float* recurrent;  // U, (n, 3 n)
  const float* bias;       // b, (3 n,)
  const float* states;     // h, (B, L, n), of which those of steps before are there

  RowMajor inputs_of(int64_t record, int64_t t) const {
    return {inputs + (record * length + t) * dim, length * dim};
  }
  int64_t state_at(int64_t record, int64_t t) const { return (record * length + t) * units; }
};

// A step of some records: their states, and the gates. Rows are filled up with zeros.
template <int W>
class RecurrenceSteps {
 public:
  explicit RecurrenceSteps(const RecurrenceProblem& problem)
      : problem(problem),
        units(padded<W>(problem.units)),
        gates(kGates * units),
        arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    arena_.fill_with_zeros();
    for (int gate = 0; gate < kGates; gate++) {
      take_gate(problem.kernel, problem.dim, gate, kernel);
      take_gate(problem.recurrent, problem.units, gate, recurrent);
      take_gate(problem.bias, 1, gate, bias_);
    }
  }

  // Takes the states before a step.
  INLINE void take_states(int64_t record, int64_t t, int rows) {
    if (t == 0) {
      std::fill_n(state.data, rows * units, 0.0f);
      return;
    }
    pack_rows<W>(problem.states + problem.state_at(record, t - 1), problem.length * problem.units,
                 state.data, units, rows, problem.units);
  }

  // The three gates of a step; of the candidate also what stands beside the reset gate.
  INLINE void open_gates(int64_t record, int64_t t, int rows) {
    const int vectors = gates / W, of_gate = units / W;
    multiply<W>(problem.inputs_of(record, t), kernel, Store<W>{gate}, rows, vectors, problem.dim);
    multiply<W>(row_major(state), recurrent, Store<W>{of_state}, rows, vectors, problem.units);
    for (int row = 0; row < rows; row++) {
      for (int v = 0; v < of_gate; v++) {
        const int r = v + of_gate, c = r + of_gate;
        gate(row, v) = sigmoid<W>(gate(row, v) + of_state(row, v) + bias_(0, v));
        gate(row, r) = sigmoid<W>(gate(row, r) + of_state(row, r) + bias_(0, r));
        const Vector<W> sum = gate(row, c) + bias_(0, c) + gate(row, r) * of_state(row, c);
        gate(row, c) = 2.0f * sigmoid<W>(2.0f * sum) - 1.0f;  // tanh
      }
    }
  }

  // Moves the states on, and writes them.
  INLINE void move(int64_t record, int64_t t, int rows, float* to) {
    for (int row = 0; row < rows; row++) {
      const float attention = problem.attention[(record + row) * problem.length + t];
      for (int v = 0; v < units / W; v++) {
        const Vector<W> update = attention * gate(row, v), h = state(row, v);
        state(row, v) = h + update * (gate(row, v + 2 * (units / W)) - h);
      }
    }
    pack_rows<W>(state.data, units, to + problem.state_at(record, t),
                 problem.length * problem.units, rows, problem.units);
  }

  const RecurrenceProblem& problem;
  const int units, gates;  // whole vectors
  Matrix<W> kernel, recurrent, state, gate, of_state;

 private:
  void lay_out(Arena<W>& arena) {
    kernel = take_matrix<W>(arena, problem.dim, gates);
    recurrent = take_matrix<W>(arena, problem.units, gates);
    bias_ = take_matrix<W>(arena, 1, gates);
    state = take_matrix<W>(arena, kTogether, units);
    for (Matrix<W>* of_rows : {&gate, &of_state}) {
      *of_rows = take_matrix<W>(arena, kTogether, gates);
    }
  }

  INLINE void take_gate(const float* from, int rows, int gate, Matrix<W> to) {
    pack_rows<W>(from + gate * problem.units, kGates * problem.units, to.data + gate * units, gates,
                 rows, problem.units);
  }

  Matrix<W> bias_;
  Arena<W> arena_;
};

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_RECURRENCE_STEPS_H_
