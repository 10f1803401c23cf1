#!/usr/bin/env bash
# torch 2.13.0: torch.compile(dynamic=True) of a module whose float constant is both a factor's base and an exponent's
# raises KeyError 'unbacked_bindings' in its default backend. Needs a C++ compiler.
#
# Expected: what runs with dynamic=False, and uncompiled, compiles with dynamic=True.
# Seen: constants that are held in a functools.partial become inputs of the graph, and lowering the read of one fails;
# the same constants held in a tuple stay numbers, and it compiles.
# So: hold a module's constants where the compiler leaves them alone, and test dynamic=True with the backend people use.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 setuptools==80.9.0
TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/env/bin/python" - <<'PYTHON'
import functools
import sys

import torch


def power(own, every, a, q):
    return ((a - own.exp()).pow(q) + (q * every).exp().sum(-1, keepdim=True)) / every.shape[-1]


class InPartial(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.function = functools.partial(power, a=30.0, q=2.0)

    def forward(self, logits, labels):
        every = logits.log_softmax(-1)
        return self.function(every.gather(-1, labels[:, None]), every).mean()


class InTuple(InPartial):
    def __init__(self):
        super().__init__()
        constants = (30.0, 2.0)
        self.constants = constants
        self.function = lambda own, every: power(own, every, *self.constants)


def outcome(module):
    torch.compiler.reset()
    logits, labels = torch.randn(8, 10, requires_grad=True), torch.randint(0, 10, (8,))
    try:
        torch.compile(module, dynamic=True)(logits, labels).backward()
    except Exception as error:
        return f"{type(error).__name__}: {'unbacked_bindings' in str(error)}"
    return "compiles"


found = [outcome(InPartial()), outcome(InTuple())]
print(f"in a partial: {found[0]}; in a tuple: {found[1]}")
sys.exit(0 if found[0] != "compiles" and found[0].endswith("True") and found[1] == "compiles" else "this has changed")
PYTHON
