"""How the daemon looks for garbage: rarely, since pages are large and hold none."""

import gc

from probe.daemon import settle


def test_a_large_page_does_not_set_off_a_look_at_everything() -> None:
    """What was there is not looked at again, and tens of thousands of new objects are not enough for a look at all."""
    before, looks = gc.get_threshold(), []

    def seen(phase: str, info: dict[str, int]) -> None:
        looks.append(info["generation"] if phase == "start" else 0)

    try:
        settle()
        assert gc.get_freeze_count() > 10_000
        gc.callbacks.append(seen)
        page = [[number] for number in range(100_000)]
        assert max(looks) == 0
        assert len(page) == 100_000
    finally:
        gc.callbacks.remove(seen)
        gc.set_threshold(*before)
        gc.unfreeze()
