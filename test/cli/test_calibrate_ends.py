"""The device is closed however a calibration ends."""

from __future__ import annotations

import os
import signal

import pytest
from fake_lens import FakeLens

from sff_ros.cameras.lens_device import Frame
from sff_ros.cli import calibrate
from sff_ros.cli.main import main


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_puts_the_lens_back(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(FakeLens):
        def frame(self, not_before_ns: int) -> Frame:
            os.kill(os.getpid(), number)
            return super().frame(not_before_ns)

    device = Killed(realtime=False)
    monkeypatch.setattr(calibrate, 'open_device', lambda _: device)
    before = signal.getsignal(signal.SIGTERM)
    assert main(['calibrate', 'settle']) == 130
    assert device.closed == 1
    assert signal.getsignal(signal.SIGTERM) == before
