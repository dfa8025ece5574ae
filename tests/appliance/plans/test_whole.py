"""A job's bytes over all of its parts."""

from __future__ import annotations

from appliance.plans.whole import Whole


def figures(whole: Whole) -> tuple[int, int, int]:
    return whole.done, whole.total, whole.percent


def test_parts_that_are_still_to_come_count_from_the_beginning() -> None:
    whole = Whole()
    assert figures(whole) == (0, 0, 0)
    whole.expect({"image": 100, "files": 300})
    assert figures(whole) == (0, 400, 0)
    whole.reach("image", 100, 100)
    assert figures(whole) == (100, 400, 25)
    whole.reach("files", 100, 300)
    assert figures(whole) == (200, 400, 50)


def test_a_part_that_is_larger_than_was_expected_raises_the_whole() -> None:
    whole = Whole()
    whole.expect({"image": 100, "files": 300})
    whole.end("image")
    whole.reach("files", 10, 500)
    assert figures(whole) == (110, 600, 18)
    whole.reach("files", 700, 600)  # who counts does not say less than what came
    assert figures(whole) == (800, 800, 100)


def test_who_begins_again_goes_on_with_what_has_come() -> None:
    whole = Whole()
    whole.expect({"image": 100, "files": 300, "memory": 200})
    whole.reach("image", 80, 120)
    # Somebody else has brought the image meanwhile; the files are counted a second time.
    whole = Whole(whole.text)
    whole.expect({"files": 320, "memory": 200})
    assert figures(whole) == (120, 640, 18)
    whole.reach("files", 160, 320)
    whole.expect({"files": 100, "memory": 200})
    assert figures(whole) == (280, 640, 43)
    # And the memory is not to come at all.
    whole.expect({"files": 100})
    assert figures(whole) == (280, 440, 63)


def test_a_part_that_must_be_done_again_goes_back_and_no_other_does() -> None:
    whole = Whole()
    whole.expect({"files": 300, "memory": 200})
    whole.end("files")
    whole.reach("memory", 150, 200)
    whole.reach("memory", 0, 200)
    assert figures(whole) == (300, 500, 60)


def test_the_end_of_what_nobody_counted_is_nothing() -> None:
    whole = Whole()
    whole.end("files")
    assert figures(whole) == (0, 0, 0)
