"""Over the whole catalogue: finite at the extremes, right gradients, every precision, compiled as eager."""

import shutil

import pytest
import torch

from jal.losses import AMSE, JALCE, build, joint, names

close = torch.testing.assert_close
FAR = 1e4
DETACHED = [name for name in names() if "FL" in name]
"""Their focal factors carry no gradient: test_catalog compares them with the formula that freezes the factor."""


def extremes(K):
    """Logits at and around +-1e4, each pattern once for every label, and the labels."""
    ramp = torch.linspace(-FAR, FAR, K, dtype=torch.float64)
    winner = torch.zeros(K, dtype=torch.float64)
    winner[0] = 1
    half = (torch.arange(K) < K // 2).double()
    patterns = [0 * ramp, 0 * ramp + FAR, 0 * ramp - FAR, ramp]
    for shape in (winner, half):
        patterns += [FAR * shape, -FAR * shape, FAR * (2 * shape - 1), FAR * (1 - 2 * shape)]
    logits = torch.stack(patterns).repeat_interleave(K, dim=0)
    return logits, torch.arange(K).repeat(len(patterns))


@pytest.mark.parametrize("K", [2, 10])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_value_and_gradient_are_finite_at_the_extremes(name, official, dtype, K):
    logits, labels = extremes(K)
    logits = logits.to(dtype).requires_grad_()
    loss = official(name, reduction="none")
    values = loss(logits, labels)
    values.sum().backward()
    assert values.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert logits.grad.dtype == dtype
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()
    assert loss.all_labels(logits).isfinite().all()
    close(values.double(), loss(logits.detach().double(), labels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("a", [1.0, 1.5])
@pytest.mark.parametrize("name", ["AMSE", "JAL-CE", "JAL-FL"])
def test_roots_are_finite_at_the_extremes(name, a, official, dtype):
    logits, labels = extremes(10)
    logits = logits.to(dtype).requires_grad_()
    values = official(name, a=a, q=0.5, reduction="none")(logits, labels)
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", [name for name in names() if name not in DETACHED])
def test_gradients_are_those_of_the_values(name, official, batch):
    logits, labels = batch(5, 4, scale=1.5)
    logits[0] *= 0.05  # a row inside the clip of CE+LC; the others are outside
    loss = official(name, reduction="none")
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits.requires_grad_())
    assert torch.autograd.gradcheck(loss.all_labels, logits)


@pytest.mark.parametrize("given", [{"a": 1.0, "q": 0.5}, {"a": 1.5, "q": 0.5}, {"a": 30, "q": 3}], ids=str)
def test_gradients_of_other_powers(given, batch):
    logits, labels = batch(5, 4, scale=1.5)
    loss = build("AMSE", None, **given)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits.requires_grad_())


def test_single_precision_agrees_with_double(name, official, batch):
    logits, labels = batch(64, 10)
    single = logits.float().requires_grad_()
    double = single.detach().double().requires_grad_()
    loss = official(name)
    values = loss(single, labels), loss(double, labels)
    assert [value.dtype for value in values] == [torch.float32, torch.float64]
    close(values[0].double(), values[1], rtol=2e-6, atol=1e-6)
    gradients = [torch.autograd.grad(v, z)[0] for v, z in zip(values, (single, double), strict=True)]
    close(gradients[0].double(), gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_raised_first(name, official, batch, half):
    logits, labels = batch(16, 10, dtype=half)
    loss = official(name)
    assert loss(logits, labels).dtype == torch.float32
    assert torch.equal(loss(logits, labels), loss(logits.float(), labels))
    assert torch.equal(loss.all_labels(logits), loss.all_labels(logits.float()))


def test_autocast_changes_nothing(name, official, batch):
    features, labels = batch(16, 10, dtype=torch.float32)
    loss = official(name)
    weight = torch.eye(10).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        logits = features @ weight
        within, full = loss(logits, labels), loss(features, labels)
    assert logits.dtype == torch.bfloat16
    assert within.dtype == full.dtype == torch.float32
    assert torch.equal(within, loss(logits, labels))
    assert torch.equal(full, loss(features, labels))
    within.backward()
    assert weight.grad.isfinite().all()


# torch.compile: `fullgraph` makes a graph break an error


def compiled_agrees(loss, backend, batch, dynamic=None, shapes=((16, 10),)):
    torch.compiler.reset()
    fast = torch.compile(loss, backend=backend, fullgraph=True, dynamic=dynamic)
    for shape in shapes:
        logits, labels = batch(*shape, dtype=torch.float32)
        labels[3] = -100
        logits[1, labels[1] - 1] = -torch.inf
        logits.requires_grad_()
        values = fast(logits, labels), loss(logits, labels)
        close(*values)
        close(*(torch.autograd.grad(value, logits)[0] for value in values))


def test_compiles_without_graph_breaks(name, official, batch):
    compiled_agrees(official(name), "aot_eager", batch)


def test_compiles_for_every_shape_at_once(name, official, batch):
    compiled_agrees(official(name), "aot_eager", batch, dynamic=True, shapes=((16, 10), (9, 7)))


@pytest.mark.parametrize(
    ("one", "other"), [(AMSE(20, q=1.5), AMSE(30, q=2.5)), (JALCE(1, 1, 30), JALCE(5, 2, 20))], ids=str
)
def test_one_loss_compiled_does_not_stand_for_another(one, other, batch):
    torch.compiler.reset()
    logits, labels = batch(16, 10)
    for loss in (one, other, joint((3, one)), joint((4, one))):
        fast = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=True)
        close(fast(logits, labels), loss(logits, labels))


def test_numbers_of_a_loss_are_constants_of_its_graph(name, official, batch):
    """As inputs they fail in the default backend, where one is factor and exponent at once."""
    graphs = []
    torch.compiler.reset()
    logits, labels = batch(16, 10)

    def kept(graph, _):
        graphs.append(graph)
        return graph.forward

    torch.compile(official(name), backend=kept, dynamic=True)(logits, labels)
    inputs = [node for graph in graphs for node in graph.graph.find_nodes(op="placeholder")]
    assert [str(node) for node in inputs if "self" in str(node)] == []


@pytest.mark.parametrize("name", ["LDR", "JAL-CE", "JAL-FL", "ANL-CE", "CE+LC", "AGCE+MAE"])
def test_an_exported_loss_takes_any_number_of_classes(name, official, batch):
    N, K = torch.export.Dim("N"), torch.export.Dim("K", min=2)
    loss = official(name)
    program = torch.export.export(loss, batch(16, 10), dynamic_shapes=({0: N, 1: K}, {0: N})).module()
    for shape in ((16, 10), (5, 7), (3, 1000)):
        close(program(*batch(*shape)), loss(*batch(*shape)))


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="inductor needs a C++ compiler"
)
@pytest.mark.parametrize("dynamic", [None, True])
@pytest.mark.parametrize("name", ["JAL-CE", "JAL-FL", "AGCE+MAE", "LDR"])
def test_compiled_code_agrees(name, official, batch, dynamic):
    compiled_agrees(official(name), "inductor", batch, dynamic)


def test_no_value_is_looked_at_on_the_way(name, official):
    """On the meta device there is none: what would wait for a GPU, or break a captured graph, fails."""
    logits = torch.empty(8, 10, device="meta", requires_grad=True)
    labels = torch.empty(8, dtype=torch.int64, device="meta")
    loss = official(name)
    loss(logits, labels).backward()
    assert logits.grad.shape == logits.shape
    assert loss.all_labels(logits).shape == logits.shape
