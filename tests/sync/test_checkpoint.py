"""What an interrupted run leaves for the next worker, also one of the release before or after."""

from portal.sync.checkpoint import Checkpoint, Step


def test_a_checkpoint_comes_back_as_it_was_left() -> None:
    left = Checkpoint(
        steps={
            "invoices": Step(
                last_id=7, rows=3, absent=[5], read_from="2026-11-24T00:00:00", gone=[5], checked=5
            )
        },
        counts={"Invoices": 900},
        all_lines=False,
        entered=[1, 2],
        reread={"invoice": [4]},
    )

    assert Checkpoint.of(left.as_json()) == left
    assert Checkpoint.of(Checkpoint().as_json()) == Checkpoint()


def test_a_step_keeps_the_names_that_the_last_release_takes() -> None:
    kept = Step(last_id=7, gone=[3], judged=True, counted=0).as_json()

    assert set(kept) == {"last_id", "rows", "done", "complete", "absent", "known", "read_from", "rest"}
    assert kept["rest"] == {"gone": [3], "judged": True, "counted": 0}


def test_what_a_newer_release_wrote_besides_is_left_out() -> None:
    found = Checkpoint.of({"steps": {"lines": {"last_id": 1, "rest": {"new": 1}, "newer": 2}}, "newest": 3})

    assert found == Checkpoint(steps={"lines": Step(last_id=1)})
