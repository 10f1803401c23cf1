"""A benchmark's document in words: text of its file is text on the page."""

from jal.analysis import benchmarks


def test_what_a_benchmark_says_of_its_machine_is_no_markup():
    names = ("device", "processor", "threads", "torch", "numpy", "python", "finished")
    environment = dict.fromkeys(names, "<b>x</b>") | {"commit": "<i>`c`", "dirty": True}
    document = {"environment": environment, "sections": {"<u>": {"failed": "![a](b)"}}}
    said = benchmarks.origin(document)
    assert said.count("\\<b\\>x\\</b\\>") == len(names) and "`` <i>`c` `` with changes" in said
    assert benchmarks.failures(document) == "- \\<u\\>: not measured (!\\[a\\](b))"
