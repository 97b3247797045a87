"""The table to download."""

from __future__ import annotations

import csv
import io

from experiments.domain.definition import Variant
from tests.http import segment_documents
from tests.http.api_client import Caller
from tests.http.pages_site import CONTROL, MENS, WOMENS, Site, mail, mail_report, plain, small

TABLE = "/experiments/mail/results.csv"
MARK = "\ufeff"


def rows(site: Site, path: str = TABLE) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(site.get(path).removeprefix(MARK), newline="")))


def test_there_is_one_row_per_segment_metric_and_comparison(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    found = rows(site)
    # Visits: 3 + 2 + 2 + 2 (in all together), spend and returns: 2 in each of the 4.
    assert len(found) == 9 + 8 + 8
    assert {row["segment"] for row in found} == {"men", "women", "everyone", ""}
    assert {row["segment_name"] for row in found if not row["segment"]} == {"All segments together"}


def test_numbers_are_in_full_and_lifts_are_fractions(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    first = rows(site)[0]
    assert set(list(first.values())[38:]) == {"", "0.86"}, "what a first report does not hold, and its SRM"
    assert dict(list(first.items())[:38]) == {
        "experiment": "mail",
        "snapshot_id": "1",
        "data_until": "2026-01-05T09:00:00+00:00",
        "segment": "men",
        "segment_name": "Bought men’s goods",
        "segment_units": "28818",
        "verdict": "winner",
        "metric": "visit",
        "metric_name": "Visits",
        "metric_kind": "conversion",
        "metric_role": "primary",
        "direction": "increase",
        "treatment": MENS,
        "treatment_name": "Men’s e-mail",
        "baseline": CONTROL,
        "baseline_name": "No e-mail",
        "treatment_units": "9558",
        "baseline_units": "9638",
        "treatment_value": "0.168968",
        "baseline_value": "0.099813",
        "difference": repr(0.693 / 10),
        "difference_always_valid_low": "0.508",
        "difference_always_valid_high": "0.901",
        "difference_fixed_low": repr(0.508 + 0.01),
        "difference_fixed_high": repr(0.901 - 0.01),
        "lift": "0.693",
        "lift_always_valid_low": "0.508",
        "lift_always_valid_high": "0.901",
        "lift_fixed_low": repr(0.508 + 0.01),
        "lift_fixed_high": repr(0.901 - 0.01),
        "p_value": "1e-05",
        "p_value_always_valid": "2e-05",
        "p_value_adjusted": "2e-05",
        "guardrail": "",
        "difference_in_family_low": "0.508",
        "difference_in_family_high": "0.901",
        "lift_in_family_low": "0.508",
        "lift_in_family_high": "0.901",
    }


def test_numbers_that_do_not_exist_are_empty_cells(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    early = next(row for row in rows(site) if row["segment"] == "everyone" and row["metric"] == "visit")
    assert (early["lift_always_valid_low"], early["lift_fixed_high"], early["p_value_adjusted"]) == ("", "", "")


def test_guardrails_have_their_state(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    states = {(row["treatment"], row["guardrail"]) for row in rows(site) if row["metric"] == "returns"}
    assert states == {(MENS, "safe"), (WOMENS, "harmed")}


def test_names_never_become_formulas(site: Site) -> None:
    variants = (
        Variant(key=CONTROL, name="=HYPERLINK(1)", is_control=True),
        Variant(key=MENS, name='@SUM(A1),"x"'),
        Variant(key=WOMENS, name="-2+3"),
    )
    site.add(plain(variants=variants))
    site.store(small())
    first, second = rows(site)
    assert first["baseline_name"] == "'=HYPERLINK(1)"
    assert first["treatment_name"] == '\'@SUM(A1),"x"'
    assert second["treatment_name"] == "'-2+3"


def test_negative_numbers_stay_numbers(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    women = next(row for row in rows(site) if row["treatment"] == WOMENS and row["metric"] == "visit")
    assert float(women["lift_always_valid_low"]) == -0.023


def test_it_is_a_file_named_after_experiment_and_snapshot(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    site.store(small())
    response = site.client.get(f"{TABLE}?snapshot=1")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="mail-1.csv"'
    assert {row["snapshot_id"] for row in rows(site)} == {"2"}


def test_excel_is_told_that_it_is_utf_8(site: Site, api: Caller) -> None:
    site.add(mail())
    site.store(mail_report())
    segment_documents.add_segment(site.winnow, "web", "Web")
    segment_documents.store(site.winnow, "web", segment_documents.report("web", site.winnow.clock()))
    for path in (TABLE, "/segments/web/card.csv", "/segments/web/persona.csv"):
        assert site.client.get(path).data.startswith(b"\xef\xbb\xbf"), path
        assert site.get(path).count(MARK) == 1
    for path in ("/v1/segments/web/card.csv", "/v1/segments/web/persona.csv"):
        assert MARK not in api.get(path).text


def test_the_page_links_to_the_table_of_the_snapshot_it_shows(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    site.store(mail_report())
    assert f'href="{TABLE}"' in site.get("/experiments/mail")
    assert f'href="{TABLE}?snapshot=1"' in site.get("/experiments/mail?snapshot=1")


def test_before_the_first_analysis_there_is_no_table(site: Site) -> None:
    site.add(mail())
    site.get(TABLE, 404)
