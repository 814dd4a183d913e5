"""How long something waited for a CPU, as the kernel tells it."""

import asyncio
from pathlib import Path

import pytest

from harness.observe import machine
from harness.observe.machine import MachineWatch, waited_s
from harness.record import rows

SHOWN = "some avg10=1.53 avg60=0.87 avg300=0.73 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=17\n"


@pytest.mark.parametrize(
    ("shown", "seconds"),
    [
        (SHOWN.format(2_500_000), 2.5),
        ("", None),
        ("\n", None),
        ("full total=1\n", None),
        ("some total=?\n", None),
        ("some avg10=0.00\n", None),
        ("some total\n", None),
    ],
)
def test_the_time_is_read_where_it_is_told(shown: str, seconds: float | None) -> None:
    assert waited_s(shown) == seconds


@pytest.mark.parametrize(("written", "waiting"), [(True, 0.0), (False, None)])
def test_each_second_has_its_share_or_nothing_is_recorded(
    written: bool, waiting: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "EVERY_S", 0.02)
    events: list[rows.Event] = []
    pressure = tmp_path / "cpu"
    if written:
        pressure.write_text(SHOWN.format(1))

    async def watch() -> None:
        watching = asyncio.create_task(MachineWatch(on_event=events.append, pressure=pressure).run())
        await asyncio.sleep(0.2)
        watching.cancel()

    asyncio.run(watch())

    seen = {event.cpu_waiting_ratio for event in events if isinstance(event, rows.MachinePressure)}
    assert seen == (set() if waiting is None else {waiting})
