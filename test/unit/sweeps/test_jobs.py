"""Jobs on worker processes: one that kills its worker costs itself alone."""

from functools import partial
from pathlib import Path

import pytest
from deadly_jobs import square

from polo_ros.errors import PoloError
from polo_ros.sweeps.jobs import LostJobsError, run_jobs, worker_processes

DEATHS = {0: 0, 1: 2, 2: 0, 3: 1, 4: 0, 5: 0}


def test_a_job_that_kills_its_worker_costs_itself_alone(tmp_path: Path) -> None:
    jobs = [{"number": number, "deaths": deaths} for number, deaths in DEATHS.items()]
    found = []
    with worker_processes(2) as count:
        assert count == 2
        with pytest.raises(LostJobsError, match="number=1 deaths=2, perhaps because memory ran out") as lost:
            found.extend(run_jobs(partial(square, tmp_path), jobs))
        again = list(run_jobs(partial(square, tmp_path), jobs[:2]))  # it has died often enough
    assert lost.value.jobs == [jobs[1]]
    assert sorted(found) == [(number, number**2) for number in DEATHS if number != 1]
    assert found[-1] == (3, 9), "the second try comes after all others"
    tries = {number: len(list(tmp_path.glob(f"{number}-*"))) for number in DEATHS}
    assert tries == {0: 2, 1: 3, 2: 1, 3: 2, 4: 1, 5: 1}, "other jobs run once"
    assert sorted(again) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("workers", "backend", "address", "message"),
    [
        (-1, "loky", "", "workers must be at least 1, or 0 for one per core, not -1"),
        (2, "loky", "tcp://10.0.0.1:8786", "--address is for a Ray cluster or a Dask scheduler"),
        (2, "spark", "", "there is no back end 'spark'; known are loky, ray, dask"),
    ],
)
def test_workers_that_cannot_be_had_get_one_sentence(
    workers: int, backend: str, address: str, message: str
) -> None:
    with pytest.raises(PoloError, match=message), worker_processes(workers, backend, address):
        pass
