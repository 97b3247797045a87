"""The report of the mails with everything that the engine can say, made by hand."""

from __future__ import annotations

from typing import Any

from tests.http.pages_site import CONTROL, MENS, WOMENS, comparison, interval, mail_report, metric_report, scope

Doc = dict[str, Any]

ADVICE: Doc = {
    "advice": "per_segment",
    "variant": None,
    "winners": [["men", MENS]],
    "sentence": "Segments differ: show Men’s e-mail to Bought men’s goods; for the others nothing is decided yet.",
}
NEVER: Doc = {"undefined": "no_effect_in_sight", "message": "As small as the effect is now, it would take too long."}
OPEN: Doc = {"power_left": 0.63, "detectable_lift": 0.081, "units_left": 12_345, "days_left": 5.2}
HOPELESS: Doc = {"power_left": 0.042, "detectable_lift": 0.081, "units_left": NEVER, "days_left": NEVER}
UNDECIDED = "No difference between the e-mails and No e-mail is shown for Everyone else."


def beliefs(*arms: tuple[str, float, float]) -> list[Doc]:
    return [{"variant": arm, "chance_to_be_best": best, "expected_loss": loss} for arm, best, loss in arms]


def believed(metric: Doc, *arms: tuple[str, float, float], kept: float | None = 0.62) -> Doc:
    """Add what is believed of the arms, and how much noise was taken out."""
    belief = {"chance_to_beat": 0.95, "loss_if_treatment": 0.0001, "loss_if_baseline": 0.02}
    told = [{**one, "belief": belief, "variance_kept": kept} for one in metric["comparisons"]]
    return {**metric, "comparisons": told, "beliefs": beliefs(*arms)}


def effect(segment: str, raw: float, shrunk: float, less_others: float, p: float) -> Doc:
    return {
        "segment": segment,
        "raw": raw,
        "std_error": 0.005,
        "shrunk": shrunk,
        "shrunk_interval": interval(shrunk - 0.012, shrunk + 0.012),
        "against_others": less_others,
        "against_others_interval": interval(less_others - 0.02, less_others + 0.02),
        "against_others_p_value": p,
    }


def segment_comparison(treatment: str, *, differ: bool, always: float, effects: list[Doc]) -> Doc:
    one = interval(0.03, 0.05)
    return {
        "treatment": treatment,
        "baseline": CONTROL,
        "q": 45.2,
        "degrees_of_freedom": 2,
        "p_value": 1.6e-10,
        "p_value_always_valid": always,
        "i_squared": 0.956,
        "tau": 0.031,
        "pooled": {"value": 0.04, "std_error": 0.005, "fixed": one, "always_valid": one},
        "differ": differ,
        "segments": effects,
        "selected": {"segment": "women", "raw": 0.074, "adjusted": 0.0712, "interval": interval(0.052, 0.089)},
    }


def novelty(treatment: str, p: float, effects: list[float]) -> Doc:
    days = [
        {"day": day, "units": 40_000 - 900 * day, "difference": value, "interval": interval(value - 0.01, value + 0.01)}
        for day, value in enumerate(effects)
    ]
    missing = {"undefined": "no_estimate", "message": "No difference with a standard error on that day."}
    days.append({"day": len(effects), "units": 12, "difference": missing, "interval": missing})
    return {"treatment": treatment, "baseline": CONTROL, "days": days, "trend_p_value": p}


def sizes(*arms: tuple[str, int], p: float = 0.86, any_look: float | None = 1.0) -> Doc:
    total = sum(units for _, units in arms)
    return {
        "chi_square": 0.3,
        "degrees_of_freedom": 2,
        "p_value": p,
        "observed": [[arm, units] for arm, units in arms],
        "expected": [[arm, total / len(arms)] for arm, _ in arms],
        "sequential": None if any_look is None else {"log_evidence": -2.5, "p_value": any_look},
    }


def _open_visits() -> Doc:
    found = metric_report(
        "visit",
        {CONTROL: (2_100, 0.181), MENS: (2_130, 0.195), WOMENS: (2_090, 0.183)},
        [comparison(MENS, 0.077, (-0.09, 0.27), p=0.31), comparison(WOMENS, 0.011, (-0.14, 0.19), p=1.0)],
    )
    told = believed(found, (CONTROL, 0.11, 0.0141), (MENS, 0.742, 0.0012), (WOMENS, 0.148, 0.012))
    for one, outlook in zip(told["comparisons"], (OPEN, HOPELESS), strict=True):
        one["outlook"] = outlook
    return told


def full_report(**changes: Any) -> Doc:
    """A segment with a winner, one with a tie, one that is open, and every part of a report."""
    made = mail_report()
    men, women, _ = made["segments"]
    for one, arms in (
        (men, ((CONTROL, 0.0, 0.0691), (MENS, 0.9996, 0.0), (WOMENS, 0.0004, 0.058))),
        (women, ((CONTROL, 0.0, 0.0741), (MENS, 0.26, 0.0046), (WOMENS, 0.74, 0.0012))),
    ):
        first, *rest = one["metrics"]
        one["metrics"] = [believed(first, *arms), *rest]
        one["srm"] = sizes((CONTROL, 9_638), (MENS, 9_558), (WOMENS, 9_622))
    third = scope("everyone", "undecided", UNDECIDED, [_open_visits()], units=6_320)
    third["srm"] = sizes((CONTROL, 2_100), (MENS, 2_130), (WOMENS, 2_090), p=0.82, any_look=0.94)
    overall = {
        **made["overall"],
        "srm": sizes((CONTROL, 21_306), (MENS, 21_307), (WOMENS, 21_387)),
        "novelty": [
            novelty(MENS, 0.4, [0.061, 0.066, 0.058, 0.063, 0.059, 0.062, 0.061, 0.060, 0.064, 0.058]),
            novelty(WOMENS, 0.0004, [0.081, 0.066, 0.05, 0.041, 0.03, 0.027, 0.018, 0.012, 0.011, 0.007]),
        ],
    }
    parts: Doc = {
        "schema": "winnow.report/2",
        "segments": [men, women, third],
        "overall": overall,
        "recommendation": ADVICE,
        "segment_comparisons": [
            segment_comparison(
                WOMENS,
                differ=True,
                always=0.00007,
                effects=[
                    effect("men", 0.0111, 0.0125, -0.047, 0.00003),
                    effect("women", 0.074, 0.0708, 0.061, 0.000002),
                    effect("everyone", 0.002, 0.0104, -0.044, 0.21),
                ],
            ),
            segment_comparison(
                MENS,
                differ=False,
                always=1.0,
                effects=[
                    effect("men", 0.0691, 0.0688, -0.001, 1.0),
                    effect("women", 0.0706, 0.0701, 0.001, 1.0),
                    effect("everyone", 0.014, 0.041, -0.05, 0.21),
                ],
            ),
        ],
    }
    return {**made, **parts, **changes}
