"""The real e-mail test of 2008, from its file to verdicts, through real commands.

Expected: what was published with the data, and Welch intervals computed apart from this engine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import ROOT, winnow

DATA = ROOT.parent / "shared" / "data"
HILLSTROM, COOKIE_CATS = DATA / "hillstrom.csv.gz", DATA / "cookie_cats.csv.gz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HILLSTROM.exists(), reason="the real data are not beside this checkout"),
]


def replayed(url: str, file: Path, plan: str, key: str) -> dict[str, Any]:
    loaded = winnow(url, "replay", str(file), "--plan", str(ROOT / "examples" / plan))
    assert loaded.returncode == 0, loaded.stderr
    analysed = winnow(url, "analyse", key, "--json")
    assert analysed.returncode == 0, analysed.stderr
    report: dict[str, Any] = json.loads(analysed.stdout)
    return report


def metric_of(scope: dict[str, Any], key: str) -> dict[str, Any]:
    return next(metric for metric in scope["metrics"] if metric["metric"] == key)


def arms_of(scope: dict[str, Any], metric: str, field: str) -> dict[str, float]:
    return {arm["variant"]: arm[field] for arm in metric_of(scope, metric)["arms"]}


def against(scope: dict[str, Any], metric: str, treatment: str, baseline: str) -> dict[str, Any]:
    comparisons = metric_of(scope, metric)["comparisons"]
    return next(c for c in comparisons if (c["treatment"], c["baseline"]) == (treatment, baseline))


def six(**numbers: float) -> Any:
    return pytest.approx(numbers, abs=5.1e-7)


def test_the_email_test_is_reproduced(sql_url: str) -> None:
    report = replayed(sql_url, HILLSTROM, "hillstrom.toml", "hillstrom")
    overall = report["overall"]
    assert report["units"] == 64_000
    assert (report["units_mixed"], report["units_outside"]) == (0, 0)
    assert arms_of(overall, "visit", "units") == {"no_email": 21_306, "mens_email": 21_307, "womens_email": 21_387}
    assert arms_of(overall, "visit", "total") == {"no_email": 2_262, "mens_email": 3_894, "womens_email": 3_238}
    assert arms_of(overall, "conversion", "total") == {"no_email": 122, "mens_email": 267, "womens_email": 189}
    assert arms_of(overall, "spend", "value") == six(no_email=0.652789, mens_email=1.422617, womens_email=1.077202)
    assert arms_of(overall, "spend", "std_dev") == six(no_email=11.588200, mens_email=17.754205, womens_email=15.116106)
    assert overall["srm"]["p_value"] == pytest.approx(0.9037, abs=5e-5)
    for treatment, difference, low, high in (
        ("mens_email", 0.769827, 0.485140, 1.054515),
        ("womens_email", 0.424412, 0.168957, 0.679868),
    ):
        found = against(overall, "spend", treatment, "no_email")["difference"]
        assert found["value"] == pytest.approx(difference, abs=5.1e-7)
        assert (found["fixed"]["low"], found["fixed"]["high"]) == pytest.approx((low, high), abs=5.1e-7)
    _check_segments({scope["segment"]: scope for scope in report["segments"]})
    _check_again(sql_url)


def _check_again(url: str) -> None:
    """A second load says so and stores nothing, and the snapshot comes out of the same rows again."""
    again = winnow(url, "replay", str(HILLSTROM), "--plan", str(ROOT / "examples" / "hillstrom.toml"), "--json")
    counted = {"experiment": "hillstrom", "units": 64_000, "events": 10_550, "without_consent": 0}
    assert json.loads(again.stdout) == {**counted, "already": True}
    verified = winnow(url, "verify", "hillstrom")
    assert (verified.returncode, "is identical" in verified.stdout) == (0, True)


def _check_segments(segments: dict[str, Any]) -> None:
    assert arms_of(segments["mens_only"], "visit", "value") == six(
        mens_email=0.168968, no_email=0.099813, womens_email=0.110892
    )
    assert arms_of(segments["womens_only"], "visit", "value") == six(
        mens_email=0.166388, no_email=0.095808, womens_email=0.169794
    )
    assert arms_of(segments["both"], "visit", "value") == six(
        mens_email=0.314993, no_email=0.180549, womens_email=0.251653
    )
    verdicts = {key: scope["verdict"] for key, scope in segments.items()}
    assert (verdicts["mens_only"]["outcome"], verdicts["mens_only"]["variant"]) == ("winner", "mens_email")
    assert (verdicts["both"]["outcome"], verdicts["both"]["variant"]) == ("winner", "mens_email")
    assert verdicts["womens_only"]["outcome"] == "tied"
    assert set(verdicts["womens_only"]["leaders"]) == {"womens_email", "mens_email"}
    assert segments["everyone"]["units"] == 0


def test_the_later_gate_loses_players(sqlite_url: str) -> None:
    report = replayed(sqlite_url, COOKIE_CATS, "cookie_cats.toml", "cookie_cats")
    overall = report["overall"]
    assert arms_of(overall, "retention_7", "units") == {"gate_30": 44_700, "gate_40": 45_489}
    assert arms_of(overall, "retention_7", "total") == {"gate_30": 8_502, "gate_40": 8_279}
    assert overall["srm"]["p_value"] == pytest.approx(0.0086, abs=5e-5)
    assert against(overall, "retention_7", "gate_40", "gate_30")["p_value"] == pytest.approx(0.00155, abs=1e-5)
