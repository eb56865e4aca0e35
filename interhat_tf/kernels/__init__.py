"""Operations of our own for a CPU: attention without its maps, Adam for tables.

    python -m interhat_tf.kernels

builds them for the TensorFlow that is installed. It needs a C++ compiler (`$CXX` or
`c++`), and takes half a minute. Training and prediction use them from then on, and no
exported model needs them; without them, or with `INTERHAT_KERNELS=0` in the environment,
TensorFlow's own operations compute the same.
"""

import functools
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import tensorflow as tf

# There is no public way to ask whether XLA compiles what is being traced.
from tensorflow.python.ops import control_flow_util

FOLDER = pathlib.Path(__file__).parent
SOURCES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".cc", ".h"))
# A library of other sources or another TensorFlow is not this one.
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:12]
LIBRARY = FOLDER / f"kernels-{_DIGEST}-tensorflow-{tf.__version__}.so"
SWITCH = "INTERHAT_KERNELS"


def build():
    """Builds the operations beside their sources.

    Returns:
        The path of the library.

    Raises:
        RuntimeError: If there is no compiler, or it fails; the message holds
            what it said.
    """
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if not shutil.which(compiler[0]):
        raise RuntimeError(
            f"no C++ compiler {compiler[0]!r} here; on Debian: apt-get install g++, or set CXX"
        )
    flags = [
        # TensorFlow's headers are not ours to warn about.
        f"-isystem{flag[2:]}" if flag.startswith("-I") else flag
        for flag in tf.sysconfig.get_compile_flags()
    ]
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as folder:
        unfinished = pathlib.Path(folder) / LIBRARY.name
        command = [
            # A square root sets no error number, so that vectors of them can be computed.
            *(*compiler, "-O3", "-fno-math-errno", "-shared", "-fPIC", "-Wall", "-Wno-psabi"),
            *(*flags, *(str(path) for path in SOURCES if path.suffix == ".cc")),
            *("-o", str(unfinished)),
            *tf.sysconfig.get_link_flags(),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{compiler[0]} failed:\n{done.stderr[-4000:]}")
        for old in FOLDER.glob("kernels-*.so"):
            old.unlink()
        os.replace(unfinished, LIBRARY)
    return LIBRARY


def are_usable():
    """Returns whether the operations compute what is being traced or called.

    They are there, not switched off, and neither a GPU nor XLA is to do the work.
    """
    return (
        os.environ.get(SWITCH) != "0"
        and LIBRARY.exists()
        and not tf.config.list_logical_devices("GPU")
        and not control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    )


def attention(query, key, value, num_heads, scale):
    """Returns what every head reads from the fields of a record.

        A_i = softmax(scale Q_i K_i^T),  H_i = A_i V_i

    Args:
        query: float32 queries of h heads side by side, (B, m, h * d_K).
        key: Keys, of the same shape; or (B, m, d_K), the same for all heads.
        value: Values, of the shape of `key`.
        num_heads: Number of heads h.
        scale: Factor of the scores.

    Returns:
        [H_1; ...; H_h], (B, m, h * d_K).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    return _operations().interhat_attention(
        query=query, key=key, value=value, num_heads=num_heads, scale=scale
    )


def self_attention(inputs, kernels, biases, output_kernel, num_heads, scale, relu):
    """Returns what every head reads from the fields of a record, as projected here.

        Q = act(X W_Q + b_Q),  K = act(X W_K + b_K),  V = act(X W_V + b_V)

    then `attention`, and what the heads read times W_m, in one operation that
    writes none of these to memory.

    Args:
        inputs: float32 fields X, (B, m, d).
        kernels: W_Q, W_K and W_V, each (d, h * d_K).
        biases: b_Q, b_K and b_V, each (h * d_K,), or `None` for none.
        output_kernel: W_m, (h * d_K, d'), or `None` for none.
        num_heads: Number of heads h.
        scale: Factor of the scores.
        relu: Whether act is a ReLU; otherwise there is none.

    Returns:
        [H_1; ...; H_h] W_m, (B, m, d'); without W_m, [H_1; ...; H_h], (B, m, h * d_K).

    Raises:
        tf.errors.InvalidArgumentError: If the shapes do not fit together.
    """
    query, key, value = kernels
    query_bias, key_bias, value_bias = biases or [tf.zeros((0,))] * 3
    return _operations().interhat_self_attention(
        inputs=inputs,
        query_kernel=query,
        key_kernel=key,
        value_kernel=value,
        query_bias=query_bias,
        key_bias=key_bias,
        value_bias=value_bias,
        output_kernel=tf.zeros((0, 0)) if output_kernel is None else output_kernel,
        num_heads=num_heads,
        scale=scale,
        relu=relu,
    )


def table_adam(table, first_moment, second_moment, rate, gradient, beta_1, beta_2, epsilon, l2):
    """Updates a float32 table and its moments by Adam, all rows of them.

    Args:
        table: The `tf.Variable`, (rows, ...).
        first_moment: That of the first moments.
        second_moment: That of the second moments.
        rate: The step size with the corrections of the moments' bias, a scalar.
        gradient: `tf.IndexedSlices`; the values of an id that stands several
            times in it are summed.
        beta_1: Decay of the first moments.
        beta_2: Decay of the second moments.
        epsilon: Term added to the root of the second moments.
        l2: Strength of the penalty `l2 * sum(table**2)`, whose gradient is added.

    Raises:
        tf.errors.InvalidArgumentError: If an id is outside the table, or shapes
            do not fit together.
    """
    _operations().interhat_table_adam(
        table=table.handle,
        first_moment=first_moment.handle,
        second_moment=second_moment.handle,
        rate=rate,
        ids=tf.cast(gradient.indices, tf.int32),
        values=gradient.values,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        l2=l2,
    )


@functools.cache
def _operations():
    try:
        operations = tf.load_op_library(str(LIBRARY))
    except tf.errors.OpError as error:
        raise RuntimeError(
            f"{LIBRARY} cannot be loaded; build it again with `python -m interhat_tf.kernels`, "
            f"or set {SWITCH}=0 to do without: {error}"
        ) from error

    @tf.RegisterGradient("InterhatAttention")
    def attention_gradient(operation, gradient):
        return operations.interhat_attention_gradient(
            *operation.inputs,
            gradient=gradient,
            num_heads=operation.get_attr("num_heads"),
            scale=operation.get_attr("scale"),
        )

    @tf.RegisterGradient("InterhatSelfAttention")
    def self_attention_gradient(operation, gradient):
        return operations.interhat_self_attention_gradient(
            *operation.inputs,
            gradient=gradient,
            num_heads=operation.get_attr("num_heads"),
            scale=operation.get_attr("scale"),
            relu=operation.get_attr("relu"),
        )

    return operations
