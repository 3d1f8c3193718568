"""What those write who come from NumPy, PyTorch, Keras, MATLAB, Julia, LaTeX, and the cure."""

from __future__ import annotations

import pytest

from graphc.compile.stages import compile_text
from graphc.source import GraphError

DECLARED = "dim B\ninput x: [B, 3]\nparam W: [3, 4]\nparam b: [4]\n"
DERIVATIVE = "as a value it is `grad(loss, x)`; for a function write `derive grad loss wrt x`"
NO_METHODS = "a graph computes with NumPy, where it is called: leave it out"

CASES = {
    # Julia
    "output z = sum(tanh.(x))": "without the dot: `tanh(x)` is of each element",
    "output z = sum(x .+ 1)": "arithmetic is of each element: write `+`",
    "output z = √x": "write `sqrt(x)`",
    # MATLAB
    "v = 1:5\noutput z = sum(v)": "numbers in a row are `arange(5)`",
    "output z = sum(x(1, :))": "square brackets, counted from 0: `x[0, :]`",
    "A = [1 2; 3 4]\noutput z = sum(A)": "a matrix is a list of its rows: `[[1, 2], [3, 4]]`",
    # LaTeX
    "x_{1} = x[0]\noutput z = sum(x)": "an index is a part of the name: `x_1`",
    "output z = x^T @ x": "the transpose is `x.T`",
    "output z = $x$": "formulas stand as they are, without `$`",
    "output z = \\sum_i x_i": "a sum is `sum(x)`",
    "\\hat y = x\noutput z = sum(x)": "a name has no accent: `y_hat`",
    "output g = ∇loss": DERIVATIVE,
    "output g = ∂loss": DERIVATIVE,
    "v ∈ R\noutput z = sum(x)": "a shape is declared: `input x: [3]`",
    "x ↦ tanh -> y\noutput z = sum(x)": "an edge is written `->`",
    "output z = ‖x‖": "the norm is `norm(x)`",
    # NumPy and JAX
    "output z = x.astype(float32)": "write `float`: all floats are of one dtype",
    "output z = x.at[0].set(1.0)": "values never change: `put(x, 1.0, 0)` is a new array",
    "output z = sum(x) / len(x)": "a size has a name: declare `dim N`",
    "g = meshgrid(x, x)\noutput z = sum(x)": "new axes broadcast: `x[:, _] + y[_, :]`",
    "output z = fft(x)": "numbers are real, and there is no Fourier transform",
    "output z = nonzero(x)": "a mask chooses by `where(mask, x, 0)`",
    "output z = nan_to_num(x)": "a mask chooses by `where(isnan(x), 0, x)`",
    "output z = odeint(x, b)": "steps are a loop: `scan step[t in T] carry h = h0",
    "output z = vectorize(tanh)(x)": "operations are of each element: `tanh(x)`",
    # PyTorch and Keras
    "output z = x.cuda()": NO_METHODS,
    "output z = sum(x).item()": NO_METHODS,
    "y = nn.Linear(3, 4)(x)\noutput z = sum(y)": "the input comes first: `dense(x, 4)`",
    "y = Flatten()(x)\noutput z = sum(y)": "the input comes first: `flatten(x)`",
    "y = Conv2d(3, 8)(x)\noutput z = sum(y)": "the input comes first: `conv(x, 8)`",
    "y = LayerNorm(3)(x)\noutput z = sum(y)": "the input comes first: `layernorm(x)`",
    "y = LSTM(4)(x)\noutput z = sum(y)": "the input comes first: `lstm_cell(x, h, c)`",
    "y = Embedding(9, 4)(x)\noutput z = sum(y)": "the input comes first: `embedding(x, 9, 4)`",
    "m = Model(x, b)\noutput z = sum(x)": "the file is the model: declare `output y = ...`",
    "with no_grad() { y = x }\noutput z = sum(x)": "no gradient goes through `stop(x)`",
}


@pytest.mark.parametrize("text", CASES)
def test_a_form_of_another_notation_is_told_by_its_form_here(text: str) -> None:
    with pytest.raises(GraphError) as raised:
        compile_text(f"{DECLARED}{text}\n")
    assert CASES[text] in str(raised.value)


@pytest.mark.parametrize(
    "cure",
    [
        "output z = sum(tanh(x)) + sum(x + 1) + sum(sqrt(x**2))",
        "output z = sum(arange(5)) + sum(linspace(0, 1, 5)) + sum(x[0, :])",
        "output z = x.T @ x + sum([[1, 2], [3, 4]])",
        "output z = put(x, 1.0, 0)",
        "a = sum(x)\noutput z = norm(x) * stop(a)",
        "input u, v: [3]\noutput z = u[:, _] + v[_, :]",
        "y = dense(x, 4)\noutput z = flatten(y)",
        "input i: int[B]\noutput h = embedding(i, 9, 4)",
        "input h: [B, 4]\ny = layernorm(x)\nz, c = lstm_cell(y, h, h) as cell\noutput z",
        "input v: [B, 3, 5, 5]\noutput z = conv(v, 8)",
        "output z = where(isnan(x), 0, x)",
        "output loss = sum(x @ W)\noutput g = grad(loss, x)\nderive grad loss wrt x",
    ],
)
def test_what_is_said_to_be_written_may_be_written(cure: str) -> None:
    compile_text(f"{DECLARED}{cure}\n")
