import sys
from types import ModuleType

import threadpoolctl
from threadpoolctl import threadpool_info

from ratchet.problems import threads_limited


def test_threads_limited_in_the_block_alone():
    before = [each["num_threads"] for each in threadpool_info()]
    assert before
    with threads_limited(1):
        assert {each["num_threads"] for each in threadpool_info()} == {1}
    assert [each["num_threads"] for each in threadpool_info()] == before


def test_threads_limited_looks_for_libraries_again_after_an_import_only(monkeypatch):
    looked = []

    class Watching(threadpoolctl.ThreadpoolController):
        def __init__(self):
            looked.append(self)
            super().__init__()

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Watching)
    for count in (1, 1, 2):
        monkeypatch.setitem(sys.modules, f"imported_{count}", ModuleType("imported"))
        with threads_limited(1):
            pass
    assert len(looked) == 2
