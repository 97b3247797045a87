"""Results by channel, on the page of an experiment."""

from __future__ import annotations

import re
from typing import Any

from experiments.bootstrap import Winnow
from experiments.services.analysing.ports import NewSnapshot
from experiments.services.recording.ports import Watermark
from tests.http.pages_site import WOMEN_VISITS, Site, mail, mail_report, text_of


def channel(name: str | None, units: int) -> dict[str, Any]:
    return {"channel": name, "units": units, "metrics": [WOMEN_VISITS]}


def test_every_variant_stands_below_the_name_of_its_channel(winnow: Winnow) -> None:
    site = Site(winnow)
    site.sign_in("read")
    site.add(mail())
    with winnow.open_unit_of_work() as work:
        work.snapshots.add(
            NewSnapshot(
                experiment="mail",
                version=1,
                watermark=Watermark(exposure_id=1, event_id=1, at=winnow.clock()),
                computed_at=winnow.clock(),
                engine_version="1",
                input_sha256="ab" * 32,
                report_sha256="cd" * 32,
                moments={},
                report=mail_report(),
                supplement={"channels": [channel("email", 1), channel(None, 2_000)]},
            )
        )
        work.commit()
    found = re.search(r'<section[^>]*id="channels">.*?</section>', site.get("/experiments/mail"), re.S)
    assert found is not None
    said = text_of(found[0])
    assert "E-mail 1 customer No e-mail 9.58% – Men’s e-mail 16.6% +73.7%" in said
    assert "Not said 2,000 customers No e-mail 9.58%" in said
    assert "Units" not in found[0]
    assert '<th scope="row"></th>' not in found[0]
