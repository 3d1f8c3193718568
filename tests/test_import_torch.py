"""Programs of PyTorch as graphs: their values, their derivatives, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.cli.app import app

torch: Any = pytest.importorskip(
    "torch", reason="PyTorch is an extra of hundreds of MB: pip install torch==2.13.0"
)

nn, functional = torch.nn, torch.nn.functional


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 8)
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        h = torch.tanh(self.fc1(x))
        p = functional.softmax(self.fc2(h), dim=-1)
        return p


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = (
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.Linear(16, 2),
        )

    def forward(self, x):
        h = functional.relu(self.norm(self.conv(x)))
        return self.last(functional.max_pool2d(h, 2).flatten(1))


class Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(3)), nn.Parameter(torch.zeros(()))

    def forward(self, x, t):
        z = x @ self.w + self.b
        loss = functional.binary_cross_entropy_with_logits(z, t)
        return loss + 0.1 * (self.w**2).sum()


class Kalman(nn.Module):
    def __init__(self):
        super().__init__()
        self.F = nn.Parameter(torch.eye(2) + 0.1)

    def forward(self, x, P, z):
        x, P = self.F @ x, self.F @ P @ self.F.T + 0.1 * torch.eye(2, dtype=P.dtype)
        K = P @ torch.linalg.inv(P + torch.eye(2, dtype=P.dtype))
        innovation = z - x
        return (x + K @ innovation).sum() + torch.trace(P - K @ P)


class Between(nn.Module):
    def forward(self, x, table):
        i = torch.floor(x).long()
        return table[i] * (1 - (x - i)) + table[i + 1] * (x - i)


class Losses(nn.Module):
    def forward(self, z, t, y):
        return functional.cross_entropy(z, t) + functional.mse_loss(z, y)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    def forward(self, x):
        return self.layer(x)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, xs, h):
        for t in range(3):
            h = self.cell(xs[:, t], h)
        return h


class Layers(nn.Module):
    def __init__(self, kind=nn.GRU, **given):
        super().__init__()
        self.rnn = kind(3, 4, **given)

    def forward(self, x):
        hs, _ = self.rnn(x)
        return hs


class Attention(nn.Module):
    def forward(self, q, k, v):
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


class Chosen(nn.Module):
    def forward(self, x, ids):
        bent = torch.where(x > 0, x**2, -x).sum() + torch.clamp(x, 0.0, 1.0).sum()
        return bent + x[ids].sum() + torch.gather(x, 0, ids).sum() + torch.logsumexp(x, 0)


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(7, 4), nn.LayerNorm(4)

    def forward(self, ids):
        return self.norm(self.table(ids)).mean(1)


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.mu = nn.Parameter(torch.randn(3, 2))
        self.log_sigma = nn.Parameter(torch.zeros(3, 2))
        self.logits = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        d = (x[:, None] - self.mu) / self.log_sigma.exp()
        each = -0.5 * (d**2).sum(-1) - self.log_sigma.sum(-1)
        weighted = each + functional.log_softmax(self.logits, 0)
        return -torch.logsumexp(weighted, 1).sum()


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(2, 3, 2, stride=2)

    def forward(self, x, grid):
        u = self.up(x)
        smooth = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
        cubic = functional.interpolate(x, size=(8, 10), mode="bicubic", align_corners=True)
        coarse = functional.interpolate(x, scale_factor=2.0)
        read = functional.grid_sample(u, grid, align_corners=True)
        return u.sum(1, keepdim=True) + smooth * cubic + coarse, read


def normal(*shape: int) -> Any:
    return torch.randn(*shape, dtype=torch.float64)


CASES = {
    "perceptron": (Perceptron, lambda: (normal(5, 3),), ("x",)),
    "convolution": (Convolution, lambda: (normal(2, 1, 4, 4),), ()),
    "logistic": (
        Logistic, lambda: (normal(5, 3), torch.tensor([0.0, 1, 1, 0, 1]).double()), ("x", "t"),
    ),
    "kalman": (
        Kalman, lambda: (normal(2), torch.eye(2, dtype=torch.float64) + 0.1, normal(2)), (),
    ),
    "between": (
        Between, lambda: (torch.tensor([0.5, 1.25, 3.75, 2.1]).double(), normal(5)), (),
    ),
    "losses": (Losses, lambda: (normal(5, 3), torch.tensor([0, 1, 2, 0, 1]), normal(5, 3)), ()),
    "encoder": (Encoder, lambda: (normal(2, 5, 8),), ()),
    "recurrent": (Recurrent, lambda: (normal(2, 3, 3), normal(2, 4)), ()),
    "gru": (lambda: Layers(num_layers=2), lambda: (normal(5, 2, 3),), ()),
    "lstm": (
        lambda: Layers(nn.LSTM, batch_first=True, bidirectional=True),
        lambda: (normal(2, 5, 3),), ("x",),
    ),
    "lstm_projected": (lambda: Layers(nn.LSTM, proj_size=2), lambda: (normal(5, 2, 3),), ()),
    "rnn": (
        lambda: Layers(nn.RNN, nonlinearity="relu", bias=False), lambda: (normal(5, 2, 3),), (),
    ),
    "attention": (Attention, lambda: tuple(normal(1, 2, 4, 3) for _ in range(3)), ()),
    "chosen": (
        Chosen, lambda: (torch.tensor([0.0, 1.0, -2.0, 0.5], dtype=torch.float64),
                         torch.tensor([0, 2])), (),
    ),
    "embedded": (Embedded, lambda: (torch.tensor([[0, 1, 2], [3, 4, 6]]),), ()),
    "mixture": (Mixture, lambda: (normal(6, 2),), ("x",)),
}  # fmt: skip


def exported(model: Any, point: Any, open_: tuple[str, ...] = ()) -> Any:
    sizes = {name: {0: torch.export.Dim("N")} for name in open_} or None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(model, point, dynamic_shapes=sizes)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative_are_those_of_the_module(name: str) -> None:
    torch.manual_seed(0)
    make, draw, open_ = CASES[name]
    model, point = make().double().eval(), draw()
    imported = graphc.import_torch(exported(model, point, open_))
    graph = imported.compile(level=0).module().GRAPH
    inputs = [name for name, type in graph["inputs"].items() if not type.startswith("int")]
    outputs, wrt = [*graph["outputs"]], [*graph["params"], *inputs]
    clause = f"vjp {', '.join(outputs)} wrt {', '.join(wrt)} as pull"
    net = imported.compile(level=0, derive=[clause]).module()
    floats = [one for one in point if one.is_floating_point()]
    for one in floats:
        one.requires_grad_(True)
    value = model(*point)
    cotangent = torch.randn_like(value)
    value.backward(cotangent)
    arrays = [one.detach().numpy() for one in point]
    params = [dict(imported.params)] if graph["params"] else []
    found, pulled = net.pull(*params, *arrays, cotangents={outputs[0]: cotangent.numpy()})
    np.testing.assert_allclose(found[0], value.detach().numpy(), rtol=1e-12, atol=1e-12)
    own = {path.replace(".", "_"): one.grad for path, one in model.named_parameters()}
    own.update(zip(inputs, (one.grad for one in floats), strict=True))
    compared = 0
    for path, gradient in pulled.items():
        if (name := path.replace(".", "_")) in own:
            np.testing.assert_allclose(gradient, own[name].numpy(), rtol=1e-12, atol=1e-12)
            compared += 1
    assert compared


def test_pictures_are_resized_and_read_as_pytorch_does_it() -> None:
    model, x = Pictures().double(), normal(2, 2, 4, 5)
    grid = torch.rand(2, 3, 4, 2, dtype=torch.float64) * 2.4 - 1.2
    imported = graphc.import_torch(exported(model, (x, grid)))
    found = (
        imported.compile(level=0)
        .module()
        .forward(dict(imported.params), x.numpy(), grid.numpy())[0]
    )
    for one, other in zip(found, model(x, grid), strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_a_program_has_the_names_of_its_statements_and_an_open_axis() -> None:
    model = Perceptron().double()
    text = graphc.import_torch(exported(model, (normal(5, 3),), ("x",))).text
    assert text == (
        "block linear(x: [..., K], width: int) -> y: [..., width] {\n"
        "    param weight: [width, K]\n"
        "    param bias: [width]\n"
        "    y = x @ weight.T + bias\n"
        "}\n"
        "dim B\n"
        "input x: [B, 3]\n"
        "h = tanh(linear(x, 8) as fc1)\n"
        "output p = softmax(linear(h, 2) as fc2, axis=-1)\n"
    )


def test_what_the_document_shows_is_what_comes_out() -> None:
    text = (Path(__file__).parent.parent / "docs" / "import.md").read_text(encoding="utf-8")
    section = text.partition("## PyTorch\n")[2]
    shown, graph = (
        section.partition(f"```{word}\n")[2].partition("```")[0] for word in ("python", "graph")
    )
    seen = {"torch": torch, "graphc": graphc, "model": Perceptron(), "x": torch.randn(5, 3)}
    exec(shown, seen)
    assert seen["imported"].text == graph


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 6), nn.Linear(6, 4)

    def forward(self, x):
        a = self.norm(x)
        return x + self.down(torch.tanh(self.up(a)))


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer() for _ in range(3)])
        self.head = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x):
        h = x
        for layer in self.layers:
            h = layer(h)
        return self.head(h)


def test_modules_are_blocks_and_numbered_ones_a_repeat() -> None:
    """Those of one class are one block; weights lie under the paths of their modules."""
    model = Deep().double()
    imported = graphc.import_torch(exported(model, (normal(5, 4),), ("x",)))
    body = imported.text.partition("dim B\n")[2]
    assert body == (
        "input x: [B, 4]\n"
        "x -> repeat layers[i in 3] { layer } -> h\n"
        "output y = linear(relu(linear(h, 4) as head_0), 2) as head_2\n"
    )
    assert imported.text.count("block ") == 3
    own = {path.replace("head.", "head_") for path in model.state_dict()}
    assert {*imported.params} == own
    assert "layers.2.down.weight" in own


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.once, self.tied = nn.Linear(3, 3), nn.Linear(3, 3)
        self.tied.weight = self.once.weight

    def forward(self, x):
        h = self.once(x)
        g = self.once(torch.tanh(h))
        return self.tied(g)


def test_a_recurrent_layer_is_a_scan() -> None:
    program = exported(Layers().eval(), (torch.randn(5, 2, 3),))
    assert graphc.import_torch(program).text == (
        "block gru(x: [5, 2, 3]) -> y: [5, 2, 4] {\n"
        "    param weight_ih_l0: [12, 3]\n"
        "    param weight_hh_l0: [12, 4]\n"
        "    param bias_ih_l0, bias_hh_l0: [12]\n"
        "    from_x = x @ weight_ih_l0.T + bias_ih_l0\n"
        "    scan step[t in 5] carry h = zeros([1, 2, 4])[0] {\n"
        "        part_1 = from_x[t]\n"
        "        from_h = h @ weight_hh_l0.T + bias_hh_l0\n"
        "        r = sigmoid(part_1[..., 0:4] + from_h[..., 0:4])\n"
        "        z = sigmoid(part_1[..., 4:8] + from_h[..., 4:8])\n"
        "        n = tanh(part_1[..., 8:12] + r * from_h[..., 8:12])\n"
        "        new_h = (1 - z) * n + z * h\n"
        "        next h = new_h\n"
        "        collect y = new_h\n"
        "    }\n"
        "}\n"
        "input x: [5, 2, 3]\n"
        "output y = gru(x) as rnn\n"
    )


def test_dropout_between_recurrent_layers_is_refused_while_it_draws() -> None:
    layers = Layers(num_layers=2, dropout=0.5)
    assert "scan" in graphc.import_torch(exported(layers.eval(), (torch.randn(5, 2, 3),))).text
    with pytest.raises(graphc.GraphError, match="dropout draws anew at each call"):
        graphc.import_torch(exported(layers.train(), (torch.randn(5, 2, 3),)))


def test_a_module_is_used_twice_and_a_weight_of_two_is_handed_to_both() -> None:
    model, x = Shared().double(), normal(4, 3)
    imported = graphc.import_torch(exported(model, (x,)))
    assert imported.text.endswith(
        "param tied_weight: [3, 3]\n"
        "input x: [4, 3]\n"
        "h = linear(x, tied_weight) as once\n"
        "g = once(tanh(h), tied_weight)\n"
        "output y = linear(g, tied_weight) as tied\n"
    )
    net = imported.compile(derive=["vjp y wrt params as pull"]).module()
    cotangent = normal(4, 3)
    model(x).backward(cotangent)
    _, pulled = net.pull(dict(imported.params), x.numpy(), cotangents={"y": cotangent.numpy()})
    wanted = model.once.weight.grad.numpy()
    np.testing.assert_allclose(pulled["tied_weight"], wanted, rtol=1e-12, atol=1e-12)


class Heads(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.project, self.heads = nn.Linear(width, width), heads

    def forward(self, x):
        q = self.project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return (q * q).sum(1)


class Related(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Heads(6, 2), Heads(3, 3)

    def forward(self, x):
        return self.b(self.a(x))


def test_parts_whose_sizes_stand_in_a_relation_have_a_block_each() -> None:
    """No letters say that 6 are 2 heads of 3: what would not check is not made one."""
    model, x = Related().double(), normal(2, 5, 6)
    imported = graphc.import_torch(exported(model, (x,)))
    assert imported.text.count("block heads") == 2
    assert imported.text.count("block linear") == 1
    found = imported.compile().module().forward(dict(imported.params), x.numpy())[0][0]
    np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-12, atol=1e-12)


class Refused(nn.Module):
    def forward(self, x):
        a = torch.fft.fft(x).real
        b = torch.special.i1(x)
        return a + b


def test_all_that_cannot_be_said_is_told_at_once_at_its_line() -> None:
    with pytest.raises(graphc.GraphError) as raised:
        graphc.import_torch(exported(Refused(), (normal(4),)))
    lines = {one.span.text for one in raised.value.diagnostics}
    assert lines >= {"a = torch.fft.fft(x).real", "b = torch.special.i1(x)"}


def test_the_command_imports_a_file(tmp_path: Path) -> None:
    model = Perceptron().double()
    torch.export.save(exported(model, (normal(5, 3),)), tmp_path / "net.pt2")
    out = tmp_path / "net.graph"
    done = CliRunner().invoke(app, ["import", str(tmp_path / "net.pt2"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    module = graphc.load(out)
    params = graphc.load_parameters(tmp_path / "net.npz", module)
    x = normal(5, 3)
    found = module.forward(params, x.numpy())[0].p
    np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-12)
