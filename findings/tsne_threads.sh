#!/usr/bin/env bash
# scikit-learn 1.9.1: TSNE with a fixed random_state gives another map on two threads than on one.
#
# Expected: random_state makes a result reproducible, as its documentation says of repeated calls.
# Seen: the same call twice on one thread is equal to the bit; on two threads points move by several units, since the
# order of the sums in the gradient depends on the number of threads and the descent amplifies it.
# So: fix the threads (threadpoolctl) wherever a published map is to be made again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 threadpoolctl==3.8.0
"$folder/env/bin/python" - <<'PYTHON'
import os
import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

if len(os.sched_getaffinity(0)) < 2:
    sys.exit("this machine has one core: nothing can be seen here")
X = load_digits().data[:500]


def points(threads):
    with threadpool_limits(threads):
        return TSNE(init="pca", random_state=0, max_iter=500).fit_transform(X)


one, again, two = points(1), points(1), points(2)
same, apart = float(np.abs(one - again).max()), float(np.abs(one - two).max())
print(f"largest move of a point: one thread against one {same:g}, one against two {apart:g}")
sys.exit(0 if same == 0 and apart > 0.1 else "this has changed")
PYTHON
