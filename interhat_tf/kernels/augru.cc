// The recurrence of `layers/sequences/augru.py`, all steps in one operation, and its gradient.
//
//     [u; r; o] = [W_u i_t + U_u h + b_u; W_r i_t + U_r h + b_r; U_h h],  h = h_{t-1}
//     u'_t = a_t sigmoid(u),  c_t = tanh(W_h i_t + b_h + sigmoid(r) * o)
//     h_t = (1 - u'_t) * h + u'_t * c_t
//
// Some records go through all their steps together, so that their states and the weights stay in
// the core's first cache. Vectors lie along the units of a gate; the gates stand side by side.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gemm.h"
#include "op.h"
#include "recurrence_steps.h"
#include "vectors.h"

namespace {

using interhat::Accumulate;
using interhat::Arena;
using interhat::column_major;
using interhat::ColumnMajor;
using interhat::floats_of;
using interhat::kGates;
using interhat::kTogether;
using interhat::Matrix;
using interhat::multiply;
using interhat::OpKernelContext;
using interhat::pack_rows;
using interhat::pack_transposed;
using interhat::padded;
using interhat::row_major;
using interhat::RowMajor;
using interhat::shape_of;
using interhat::Store;
using interhat::sum_of;
using interhat::take_matrix;
using interhat::Tensor;
using interhat::TensorShape;
using interhat::Vector;
using Problem = interhat::RecurrenceProblem;
template <int W>
using Steps = interhat::RecurrenceSteps<W>;

struct Forward {
  template <int W>
  static INLINE void run(const Problem& problem, float* to, int64_t first, int64_t last) {
    Steps<W> steps(problem);
    for (int64_t record = first; record < last; record += kTogether) {
      const int rows = std::min<int64_t>(kTogether, last - record);
      steps.take_states(record, 0, rows);
      for (int64_t t = 0; t < problem.length; t++) {
        steps.open_gates(record, t, rows);
        steps.move(record, t, rows, to);
      }
    }
  }
};

// Where gradients come from and go to.
struct Gradients {
  const float* of_states;  // (B, L, n)
  float* to_inputs;        // (B, L, d)
  float* to_attention;     // (B, L)
};

// Sums over records and steps: the gradients of the weights.
struct Sums {
  std::vector<float> kernel, recurrent, bias;

  explicit Sums(const Problem& problem)
      : kernel(problem.dim * kGates * problem.units),
        recurrent(problem.units * kGates * problem.units),
        bias(kGates * problem.units) {}

  void add_to(float* to_kernel, float* to_recurrent, float* to_bias) const {
    for (size_t n = 0; n < kernel.size(); n++) to_kernel[n] += kernel[n];
    for (size_t n = 0; n < recurrent.size(); n++) to_recurrent[n] += recurrent[n];
    for (size_t n = 0; n < bias.size(); n++) to_bias[n] += bias[n];
  }
};

// Takes the gradients of some records' states back, step by step, the last one first.
template <int W>
class StepsBack {
 public:
  explicit StepsBack(const Problem& problem)
      : steps_(problem),
        dim_(padded<W>(problem.dim)),
        arena_([&](Arena<W>& arena) { lay_out(arena); }) {
    arena_.fill_with_zeros();
    pack_transposed<W>(steps_.kernel.data, steps_.gates, problem.dim, steps_.gates,
                       kernel_transposed_.data, dim_);
    pack_transposed<W>(steps_.recurrent.data, steps_.gates, problem.units, steps_.gates,
                       recurrent_transposed_.data, steps_.units);
  }

  INLINE void pull_back(const Gradients& given, int64_t record, int rows) {
    std::fill_n(d_state_.data, rows * steps_.units, 0.0f);
    for (int64_t t = steps_.problem.length - 1; t >= 0; t--) {
      steps_.take_states(record, t, rows);
      steps_.open_gates(record, t, rows);
      take_gradient(given, record, t, rows);
      pull_back_gates(given, record, t, rows);
      pull_back_products(given, record, t, rows);
    }
  }

  INLINE void put_sums(Sums* to) const {
    const Problem& problem = steps_.problem;
    for (int gate = 0; gate < kGates; gate++) {
      put_gate(d_kernel_, problem.dim, gate, to->kernel.data());
      put_gate(d_recurrent_, problem.units, gate, to->recurrent.data());
      put_gate(d_bias_, 1, gate, to->bias.data());
    }
  }

 private:
  void lay_out(Arena<W>& arena) {
    const Problem& problem = steps_.problem;
    kernel_transposed_ = take_matrix<W>(arena, steps_.gates, dim_);
    recurrent_transposed_ = take_matrix<W>(arena, steps_.gates, steps_.units);
    d_kernel_ = take_matrix<W>(arena, problem.dim, steps_.gates);
    d_recurrent_ = take_matrix<W>(arena, problem.units, steps_.gates);
    d_bias_ = take_matrix<W>(arena, 1, steps_.gates);
    for (Matrix<W>* of_rows : {&d_state_, &given_}) {
      *of_rows = take_matrix<W>(arena, kTogether, steps_.units);
    }
    d_inputs_ = take_matrix<W>(arena, kTogether, dim_);
    for (Matrix<W>* of_rows : {&d_value_, &d_of_state_}) {
      *of_rows = take_matrix<W>(arena, kTogether, steps_.gates);
    }
  }

  INLINE void put_gate(Matrix<W> from, int rows, int gate, float* to) const {
    const int units = steps_.problem.units;
    pack_rows<W>(from.data + gate * steps_.units, steps_.gates, to + gate * units, kGates * units,
                 rows, units);
  }

  // Adds the gradient of the states after a step itself.
  INLINE void take_gradient(const Gradients& given, int64_t record, int64_t t, int rows) {
    const Problem& problem = steps_.problem;
    pack_rows<W>(given.of_states + problem.state_at(record, t), problem.length * problem.units,
                 given_.data, steps_.units, rows, problem.units);
    for (int row = 0; row < rows; row++) {
      for (int v = 0; v < steps_.units / W; v++) d_state_(row, v) += given_(row, v);
    }
  }

  // To what the gates are of, before sigmoid and tanh; leaves the states' own share.
  INLINE void pull_back_gates(const Gradients& given, int64_t record, int64_t t, int rows) {
    const int of_gate = steps_.units / W;
    for (int row = 0; row < rows; row++) {
      const int64_t at = (record + row) * steps_.problem.length + t;
      const float attention = steps_.problem.attention[at];
      Vector<W> of_attention = {};
      for (int v = 0; v < of_gate; v++) {
        const int r = v + of_gate, c = r + of_gate;
        const Vector<W> update = steps_.gate(row, v), reset = steps_.gate(row, r);
        const Vector<W> candidate = steps_.gate(row, c), gradient = d_state_(row, v);
        const Vector<W> of_update = gradient * (candidate - steps_.state(row, v));
        const Vector<W> moved = attention * update;
        const Vector<W> of_candidate = gradient * moved * (1.0f - candidate * candidate);
        of_attention += of_update * update;
        d_value_(row, v) = of_update * moved * (1.0f - update);
        d_value_(row, r) = of_candidate * steps_.of_state(row, c) * reset * (1.0f - reset);
        d_value_(row, c) = of_candidate;
        d_of_state_(row, v) = d_value_(row, v);
        d_of_state_(row, r) = d_value_(row, r);
        d_of_state_(row, c) = of_candidate * reset;
        d_state_(row, v) = gradient * (1.0f - moved);
        d_bias_(0, v) += d_value_(row, v);
        d_bias_(0, r) += d_value_(row, r);
        d_bias_(0, c) += d_value_(row, c);
      }
      given.to_attention[at] = sum_of<W>(of_attention);
    }
  }

  // Through the products with the weights.
  INLINE void pull_back_products(const Gradients& given, int64_t record, int64_t t, int rows) {
    const Problem& problem = steps_.problem;
    const int gates = steps_.gates, vectors = gates / W;
    const RowMajor inputs = problem.inputs_of(record, t);
    multiply<W>(ColumnMajor{inputs.data, inputs.stride}, d_value_, Accumulate<W>{d_kernel_},
                problem.dim, vectors, rows);
    multiply<W>(column_major(steps_.state), d_of_state_, Accumulate<W>{d_recurrent_},
                problem.units, vectors, rows);
    multiply<W>(row_major(d_of_state_), recurrent_transposed_, Accumulate<W>{d_state_}, rows,
                steps_.units / W, gates);
    multiply<W>(row_major(d_value_), kernel_transposed_, Store<W>{d_inputs_}, rows, dim_ / W,
                gates);
    const int64_t at = (record * problem.length + t) * problem.dim;
    pack_rows<W>(d_inputs_.data, dim_, given.to_inputs + at, problem.length * problem.dim, rows,
                 problem.dim);
  }

  Steps<W> steps_;
  const int dim_;  // whole vectors
  Matrix<W> kernel_transposed_, recurrent_transposed_, d_kernel_, d_recurrent_, d_bias_;
  Matrix<W> d_state_, given_, d_inputs_, d_value_, d_of_state_;
  Arena<W> arena_;
};

struct Backward {
  template <int W>
  static INLINE void run(const Problem& problem, const Gradients& given, Sums* sums, int64_t first,
                         int64_t last) {
    StepsBack<W> steps(problem);
    for (int64_t record = first; record < last; record += kTogether) {
      steps.pull_back(given, record, std::min<int64_t>(kTogether, last - record));
    }
    steps.put_sums(sums);
  }
};

enum Input { kValues, kAttention, kKernel, kRecurrent, kBias, kStates, kOfStates };

absl::Status find_problem(OpKernelContext* context, Problem* problem) {
  const TensorShape &inputs = shape_of(context, kValues), &bias = shape_of(context, kBias);
  if (inputs.dims() != 3 || bias.dims() != 1 || bias.dim_size(0) % kGates) {
    return absl::InvalidArgumentError(
        absl::StrCat("inputs must be (B, L, d) and the bias (3 n,), got ", inputs.DebugString(),
                     " and ", bias.DebugString()));
  }
  const int64_t dim = inputs.dim_size(2), gates = bias.dim_size(0), units = gates / kGates;
  if (shape_of(context, kAttention) != TensorShape({inputs.dim_size(0), inputs.dim_size(1)}) ||
      shape_of(context, kKernel) != TensorShape({dim, gates}) ||
      shape_of(context, kRecurrent) != TensorShape({units, gates})) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attention must be (B, L), kernels (d, 3 n) and (n, 3 n), got ",
        shape_of(context, kAttention).DebugString(), ", ", shape_of(context, kKernel).DebugString(),
        " and ", shape_of(context, kRecurrent).DebugString(), " beside ", inputs.DebugString(),
        " and ", bias.DebugString()));
  }
  *problem = {inputs.dim_size(0),
              inputs.dim_size(1),
              static_cast<int>(dim),
              static_cast<int>(units),
              floats_of(context, kValues),
              floats_of(context, kAttention),
              floats_of(context, kKernel),
              floats_of(context, kRecurrent),
              floats_of(context, kBias),
              nullptr};
  return absl::OkStatus();
}

class Augru : public interhat::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    Tensor* states;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, {problem.records, problem.length, problem.units}, &states));
    float* const to = states->flat<float>().data();
    problem.states = to;
    interhat::shard_parts(context, problem.records, interhat::parts_of(context, problem.records),
                          [&](int64_t, int64_t first, int64_t last) {
                            interhat::run<Forward>(problem, to, first, last);
                          });
  }
};

class AugruGradient : public interhat::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    Problem problem;
    OP_REQUIRES_OK(context, find_problem(context, &problem));
    const TensorShape states = {problem.records, problem.length, problem.units};
    OP_REQUIRES(context,
                shape_of(context, kStates) == states && shape_of(context, kOfStates) == states,
                absl::InvalidArgumentError("states and their gradients must have their shapes"));
    problem.states = floats_of(context, kStates);
    float* out[kStates];
    OP_REQUIRES_OK(context, interhat::allocate_gradients(context, out));
    const Gradients given = {floats_of(context, kOfStates), out[kValues], out[kAttention]};
    // Each part has its own sums, which are added up in order: results can be repeated.
    const int64_t parts = interhat::parts_of(context, problem.records);
    std::vector<Sums> of_parts(parts, Sums(problem));
    interhat::shard_parts(context, problem.records, parts,
                          [&](int64_t part, int64_t first, int64_t last) {
                            interhat::run<Backward>(problem, given, &of_parts[part], first, last);
                          });
    for (const int input : {kKernel, kRecurrent, kBias}) {
      std::fill_n(out[input], shape_of(context, input).num_elements(), 0.0f);
    }
    for (const Sums& sums : of_parts) sums.add_to(out[kKernel], out[kRecurrent], out[kBias]);
  }
};

absl::Status states_shape(tensorflow::shape_inference::InferenceContext* context) {
  tensorflow::shape_inference::ShapeHandle inputs, recurrent;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(kValues), 3, &inputs));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(kRecurrent), 2, &recurrent));
  context->set_output(0, context->MakeShape({context->Dim(inputs, 0), context->Dim(inputs, 1),
                                             context->Dim(recurrent, 0)}));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("InterhatAugru")
    .Input("inputs: float")
    .Input("attention: float")
    .Input("kernel: float")
    .Input("recurrent_kernel: float")
    .Input("bias: float")
    .Output("states: float")
    .SetShapeFn(states_shape);
REGISTER_KERNEL_BUILDER(Name("InterhatAugru").Device(tensorflow::DEVICE_CPU), Augru);

REGISTER_OP("InterhatAugruGradient")
    .Input("inputs: float")
    .Input("attention: float")
    .Input("kernel: float")
    .Input("recurrent_kernel: float")
    .Input("bias: float")
    .Input("states: float")
    .Input("states_gradient: float")
    .Output("inputs_gradient: float")
    .Output("attention_gradient: float")
    .Output("kernel_gradient: float")
    .Output("recurrent_kernel_gradient: float")
    .Output("bias_gradient: float")
    .SetShapeFn(interhat::as_inputs);
REGISTER_KERNEL_BUILDER(Name("InterhatAugruGradient").Device(tensorflow::DEVICE_CPU),
                        AugruGradient);
