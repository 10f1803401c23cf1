import os
import pickle
import pickletools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jal.datasets import safe_pickle
from jal.errors import InputError

PATH = Path("somewhere/batch")
OPCODES = {opcode.name: opcode.code.encode("latin1") for opcode in pickletools.opcodes}
MANY = 100_000


def loads(content, **options):
    return safe_pickle.loads(content, PATH, **options)


def refuse(content, message="."):
    with pytest.raises(InputError, match=message) as error:
        loads(content)
    assert str(error.value).startswith("somewhere/batch is not read (")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_values_and_arrays_of_numbers_are_read(protocol):
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    value = {
        "pixels": pixels,
        "columns": np.asfortranarray(pixels[0]),
        "labels": np.array([1, -2, 3]),
        "big": np.array([1, 2], ">i4"),
        "weights": np.array([0.5, 2.5]),
        "scalar": np.array(7),
        "empty": np.zeros((0, 5), np.int64),
        "list": [0, 255, 65535, -1, None, True, False, "é", b"\xff", b"", (), (1,), (1, 2, 3, 4), {}, []],
    }
    value["list"].append(value["list"][13])
    read = loads(pickle.dumps(value, protocol))
    assert read.keys() == value.keys()
    assert read["list"] == value["list"]
    for name, array in value.items():
        if name != "list":
            assert read[name].dtype == array.dtype.newbyteorder("=")
            np.testing.assert_array_equal(read[name], array)


def test_the_text_of_python_2_is_bytes_and_as_a_key_str():
    content = b"\x80\x02}q\x01(U\x04dataq\x02U\x03\xe9tcq\x03U\x04list]q\x04(h\x03K\x01eu."
    assert loads(content) == {"data": b"\xe9tc", "list": [b"\xe9tc", 1]}


def test_what_it_refers_to_can_be_admitted():
    class Asked:
        def __reduce__(self):
            return Path, ("a", "b")

    content = pickle.dumps([Asked()], 2)
    refuse(content, "it asks for 'pathlib.Path'")
    assert loads(content, admitted={"pathlib Path": lambda *parts: "/".join(parts)}) == ["a/b"]

    def complain(*parts):
        raise ValueError

    with pytest.raises(InputError, match="is not read"):
        loads(content, admitted={"pathlib Path": complain})


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_no_code_is_run(tmp_path, protocol):
    witness = tmp_path / "witness"
    for function, *arguments in (
        (os.system, f"touch {witness}"),
        (eval, f"open({str(witness)!r}, 'w')"),
        (Path.touch, witness),
        (np.save, str(witness), [1]),
    ):
        content = pickle.dumps({"data": Malicious(function, *arguments)}, protocol)
        pickle.loads(content)
        assert list(tmp_path.iterdir())  # it does run where it is let
        for file in tmp_path.iterdir():
            file.unlink()
        refuse(content, "it asks for" if protocol in (2, 3, 4) else ".")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        b"(S'echo'\nios\nsystem\n.",
        b"(cos\nsystem\nS'echo'\no.",
        b"\x80\x02cos\nsystem\n)\x81.",
        b"\x80\x02cos\nsystem\n)}\x92.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02cbuiltins\neval\n.",
        b"\x80\x02cnumpy\nload\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02P1\n.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02cnumpy\nndarray\n(K\x01t\x85R.",
        b"\x80\x02cnumpy\ndtype\n}(U\x01aK\x01ub.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}(U\x0c__defaults__K\x01ub.",
        b"\x80\x02]}b.",
        b"\x80\x02}(]K\x01u.",
        b"\x80\x02K\x01K\x01R.",
        b"\x80\x05\x97.",
    ],
)
def test_what_data_does_not_need_is_refused(content):
    refuse(content)
    defaults = safe_pickle._reconstruct.__defaults__
    assert defaults is None


@pytest.mark.parametrize(
    "content",
    [b"", b".", b"\x80", b"<html>404</html>", b"\x80\x02]", b"\x80\x02]].", b"\x80\x02(]."],
)
def test_what_is_cut_or_no_pickle_is_refused(content):
    refuse(content)


def array(
    shape=b"K\x02K\x03\x86", code=b"U\x02u1", order=b"U\x01|", rest=b"NNNJ\xff\xff\xff\xff" * 1, raw=b""
):
    """An array as Python 2 pickled it, in pieces that may be wrong."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + shape
        + b"cnumpy\ndtype\n"
        + code
        + b"K\x00K\x01\x87R(K\x03"
        + order
        + (rest + b"J\xff\xff\xff\xffK\x00")
        + b"tb\x89"
        + (raw or b"U\x06abcdef")
        + b"tb."
    )


def test_arrays_that_are_not_what_they_say_are_refused():
    assert loads(array()).tolist() == [[97, 98, 99], [100, 101, 102]]
    size = "an array of another size than it says"
    plain = "an array that is not of plain numbers"
    for content, message in (
        (array(shape=b"K\x02K\x04\x86"), size),
        (array(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), size),
        (array(shape=b"K\x00J\xff\xff\xff\x7f\x86"), size),
        (array(shape=b"J\xff\xff\xff\xffK\x06\x86"), plain),
        (array(shape=b"(" + b"K\x01" * 30 + b"t"), plain),
        (array(shape=b"K\x06"), plain),
        (array(shape=b"]\x85"), plain),
        (array(shape=b"\x88K\x06\x86"), plain),
        (array(code=b"U\x02u2"), size),
        (array(code=b"U\x02O8"), plain),
        (array(code=b"U\x04u1,O"), plain),
        (array(code=b"U\x02V6"), plain),
        (array(code=b"K\x01"), "cut or not"),
        (array(order=b"U\x01x"), plain),
        (array(order=b"U\x00"), plain),
        (array(order=b"U\x02<>"), plain),
        (array(rest=b"NN(U\x01at"), plain),
        (array(raw=b"](K\x01e"), size),
        (array(raw=b"K\x06"), size),
        (array(raw=b"X\x06\x00\x00\x00abcde\xc4\x80"), "cut or not"),
    ):
        refuse(content, message)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a place in the memo far out
        b"\x80\x02" + b"]" * MANY + b"a" * (MANY - 1) + b".",
        b"\x80\x02)" + b"\x85" * MANY + b".",
        b"\x80\x02]q\x00" + b"h\x00a" * MANY + b".",  # a list in itself
        b"\x80\x02)" + b"q\x00h\x00\x86" * 200 + b".",  # 2^200 tuples, shared
    ],
)
def test_deep_or_shared_values_cost_nothing(content):
    start = time.perf_counter()
    loads(content)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",  # would be hashed for years
        b"\x80\x02" + b"(" * MANY + b".",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x02T\xff\xff\xff\x7fabc.",
        b"\x80\x02B\xff\xff\xff\xffabc.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
        b"I" + b"9" * MANY + b"\n.",
    ],
)
def test_what_would_take_time_or_memory_is_refused(content):
    start = time.perf_counter()
    refuse(content)
    assert time.perf_counter() - start < 5


def test_too_many_parts_are_refused(monkeypatch):
    monkeypatch.setattr(safe_pickle, "MOST_OPCODES", 1000)
    assert loads(b"\x80\x02]" + b"]a" * 498 + b".") == [[]] * 498
    refuse(b"\x80\x02]" + b"]a" * 499 + b".", "too many parts")


def test_texts_cannot_be_multiplied():
    text = b"\x80\x02]X" + MANY.to_bytes(4, "little") + b"a" * MANY + b"q\x00a"
    once = b"c_codecs\nencode\nh\x00U\x06latin1\x86Ra"
    assert loads(text + once + b".") == ["a" * MANY, b"a" * MANY]
    refuse(text + once * 50 + b".", "more memory than it takes")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_changed_pickle_is_read_or_refused(data):
    whole = pickle.dumps({"data": np.arange(6, dtype=np.uint8), "labels": [1, 2, 3], "names": [b"x"]}, 2)
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        loads(bytes(changed))
    except InputError as error:
        assert "\n" not in str(error)


PIECES = [
    *OPCODES.values(),
    b"K\x01",
    b"U\x01|",
    b"U\x02u1",
    b"q\x00",
    b"h\x00",
    b"]q\x00",
    b"cnumpy\ndtype\n",
    b"cnumpy\nndarray\n",
    b"cnumpy.core.multiarray\n_reconstruct\n",
    b"c_codecs\nencode\n",
    b"X\x02\x00\x00\x00ab",
    b"(K\x01K\x02t",
    b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_any_sequence_of_opcodes_is_read_or_refused(pieces):
    try:
        loads(b"\x80\x02" + b"".join(pieces) + b".")
    except InputError as error:
        assert "\n" not in str(error)
