"""The rules of other tools as they come, and over the whole range in which they can be tuned."""

from scripts.bench_detect.peers import PYRRA, BurnRate, Consecutive, Locations, ProbeFor, Rule, Windowed

DEFAULTS: tuple[Rule, ...] = (
    BurnRate(name="SRE burn rates, 99.9 %", objective=0.999),
    BurnRate(name="SRE burn rates, 99 %", objective=0.99),
    BurnRate(name="SRE burn rates, 95 %", objective=0.95),
    BurnRate(name="Pyrra, 99 %", objective=0.99, windows=PYRRA),
    Locations(name="Datadog, 1 location, 0 min"),
    Locations(name="Datadog, 1 location, 3 min, 2 retries", lasts=180, retries=2),
    Locations(name="Datadog, 2 locations, 2 min, 1 retry", locations=2, lasts=120, retries=1),
    Locations(name="Datadog, 2 locations, 0 min, 2 retries", locations=2, retries=2),
    Locations(name="New Relic, 3 locations", locations=3),
    Locations(name="Checkly, 1 failed run, 2 retries after 60 s", retries=2, gap=60.0),
    Locations(name="Checkly, 5 min, half of the locations", share=0.5, lasts=300),
    Locations(name="Checkly, 1 failed run, half of the locations, 1 retry", share=0.5, retries=1, gap=5.0),
    Consecutive(name="Gatus, 3 failures, 2 successes", failures=3),
    Consecutive(name="Uptime Kuma, no retries", failures=1, successes=1),
    Consecutive(name="Uptime Kuma, 3 retries", failures=4, successes=1),
    ProbeFor(name="blackbox, for: 2m", lasts=120),
    ProbeFor(name="blackbox, for: 5m", lasts=300),
    Windowed(name="Grafana, high sensitivity", good=0.95),
    Windowed(name="Grafana, medium sensitivity", good=0.90),
    Windowed(name="Grafana, low sensitivity", good=0.75),
    Windowed(name="Grafana, 3 failed in 5 min", count=3, lasts=0),
)
"""What a user gets who changes nothing, or picks what the documentation shows first."""


def tuned() -> tuple[Rule, ...]:
    """Every family over its range: the best of these is what somebody finds who tunes with the truth at hand."""
    return (
        *(
            Consecutive(name=f"{n} in a row in a region (Gatus, Uptime Kuma)", failures=n)
            for n in (2, 3, 4, 5, 6, 8, 10, 15)
        ),
        *(ProbeFor(name=f"probe_success == 0 for {n} min (blackbox)", lasts=60.0 * n) for n in (1, 2, 3, 5, 7, 10, 15)),
        *(
            Locations(
                name=f"{n} locations, {minutes} min, {retries} retries (Datadog, New Relic, Checkly)",
                locations=n,
                lasts=60.0 * minutes,
                retries=retries,
            )
            for n in (1, 2, 3, 4, 5, 6)
            for minutes in (0, 1, 3, 5)
            for retries in (0, 1, 2)
        ),
        *(
            Windowed(name=f"below {good:.0%} over 5 min for {minutes} min (Grafana)", good=good, lasts=60.0 * minutes)
            for good in (0.95, 0.9, 0.75, 0.5)
            for minutes in (0, 1, 5)
        ),
        *(Windowed(name=f"{n} failed in 5 min (Grafana)", count=n, lasts=0) for n in (2, 3, 4, 5, 6, 8, 10)),
        *(
            BurnRate(name=f"burn rates, {objective:.1%} (SRE, Sloth)", objective=objective)
            for objective in (0.999, 0.995, 0.99, 0.98, 0.97, 0.95)
        ),
    )


def with_latency() -> tuple[Rule, ...]:
    """Those that are also tried with a static assertion on the duration: without it none but us sees a slow service."""
    return tuple(
        rule
        for rule in tuned()
        if not isinstance(rule, ProbeFor) and not (isinstance(rule, Locations) and (rule.retries or rule.lasts > 60))
    )


LIMITS = (2.0, 3.0)
"""The static assertions, in medians."""
