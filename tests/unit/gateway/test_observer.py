"""Observer: each step of a request is measured once, and its end is told to whoever keeps spans."""

from gateway.observing.metrics import Metrics
from gateway.observing.observer import Answered, Observer
from gateway.steps import Step
from kernel.trace import current
from tests.unit.gateway import parts

TOLD = Answered("POST", "/v1/exchanges", 200, "-")


class Kept:
    """Keeps what it is given."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.wanted = wanted
        self.courses = []

    def keeps(self, _: str) -> bool:
        return self.wanted

    def take(self, course) -> None:
        self.courses.append(course)


def observed(spans=None):
    metrics, clock = Metrics(), parts.Set()
    return Observer(clock, parts.Counting(), metrics, spans), metrics, clock


def seconds(metrics, step):
    metrics.settle()
    return metrics.registry.get_sample_value("causeway_stage_seconds_sum", {"stage": step.value})


def test_a_step_lasts_until_the_next_and_the_last_until_the_answer():
    observer, metrics, clock = observed()
    observer.begin(None)
    for step, lasts in ((Step.AUTHENTICATE, 1.0), (Step.FETCH, 2.0), (Step.RELEASE, 4.0)):
        observer.at(step)
        clock.seconds += lasts
    observer.end(TOLD)
    assert seconds(metrics, Step.AUTHENTICATE) == 1.0
    assert seconds(metrics, Step.FETCH) == 2.0
    assert seconds(metrics, Step.RELEASE) == 4.0
    assert seconds(metrics, Step.SEAL) == 0.0


def test_a_step_outside_of_a_request_is_nobodys():
    observer, metrics, _ = observed()
    observer.at(Step.SEAL)
    observer.begin(None)
    observer.end(TOLD)
    observer.at(Step.SEAL)
    assert seconds(metrics, Step.SEAL) == 0.0
    assert current() is None


def test_the_wait_for_a_turn_is_measured_from_when_the_request_was_whole():
    observer, metrics, clock = observed()
    observer.begin(None, clock.seconds - 3.0)
    observer.end(TOLD)
    metrics.settle()
    assert metrics.registry.get_sample_value("causeway_turn_wait_seconds_sum") == 3.0


def test_whoever_keeps_spans_gets_the_courses_that_it_wants_and_no_others():
    kept = Kept()
    observer, _, _ = observed(kept)
    observer.begin(None)
    observer.at(Step.SEAL)
    observer.end(TOLD)
    (course,) = kept.courses
    assert ([step for step, _ in course.marks], course.answered) == ([Step.SEAL], TOLD)
    other = Kept(wanted=False)
    observer, _, _ = observed(other)
    observer.begin("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    observer.end(TOLD)
    assert other.courses == []


def test_the_steps_have_the_numbers_of_the_pipelines_plan():
    assert [step.number for step in Step] == list(range(1, 12))
    assert (Step.DECIDE.number, Step.FETCH.number) == (4, 6)
