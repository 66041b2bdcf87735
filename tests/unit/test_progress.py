from __future__ import annotations

import io
import re
import threading

import pytest

from domicile.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seconds_masked(text: str) -> str:
    return re.sub(r"\d+\.\d s", "N s", text)


def test_plain_lines_say_begin_state_and_end() -> None:
    stream = io.StringIO()
    with progress(stream).step("Applying") as step:
        step.update("table [orders]")
    assert seconds_masked(stream.getvalue()) == "Applying ...\nApplying: table [orders]\nApplying: done in N s\n"


def test_plain_lines_say_that_a_step_failed_and_let_the_error_through() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), progress(stream).step("Applying"):
        raise KeyError
    assert seconds_masked(stream.getvalue()) == "Applying ...\nApplying: failed after N s\n"


def test_a_terminal_shows_a_mark_for_each_step_that_ended() -> None:
    stream = Terminal()
    shown = progress(stream)
    with shown.step("Building [zips]") as step:
        step.update("listener [1/3]")
    with pytest.raises(KeyError), shown.step("Applying"):
        raise KeyError
    text = seconds_masked(stream.getvalue())
    assert "✓ Building [zips] (N s)" in text
    assert "✗ Applying (N s)" in text


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_steps_side_by_side_keep_their_lines_whole(stream: io.StringIO) -> None:
    shown = progress(stream)
    together = threading.Barrier(3)

    def work(region: str) -> None:
        with shown.step(f"Applying {region}"):
            together.wait(timeout=10)

    threads = [threading.Thread(target=work, args=(f"region-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        assert re.search(rf"Applying region-{number}(: done in | \()\d+\.\d s", stream.getvalue())
