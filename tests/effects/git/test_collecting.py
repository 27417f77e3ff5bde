"""The collector is held back as long as anybody wants that, and then is as it was."""

import gc
import threading

import pytest

from agentos_lsp.effects.git import collecting


def test_it_comes_back_when_the_last_one_lets_go():
    assert gc.isenabled()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with collecting.held_back():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with collecting.held_back():
        thread.start()
        assert inside.wait(10)
        assert not gc.isenabled()
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_an_error_lets_go_and_one_that_was_off_stays_off():
    with pytest.raises(OSError, match="the disk"), collecting.held_back():
        raise OSError(28, "the disk is full")
    assert gc.isenabled()
    gc.disable()
    try:
        with collecting.held_back():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
