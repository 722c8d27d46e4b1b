"""The API keeps what its description promises, whatever is sent: nothing is a 500, and every answer is of its shape."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from probe.core.access import Access
from probe.web.api.table import routes
from probe.web.openapi import description
from tests.web.threaded import served_beside
from tests.web.whole import Whole

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Its plugin for pytest lags behind pytest: the operations are walked here. A stream does not end, and is left out.
SCHEMA = schemathesis.openapi.from_dict(description(routes()))
FOUND: list[Any] = [found.ok() for found in SCHEMA.get_all_operations()]  # type: ignore[union-attr]  # each is well
OPERATIONS = {found.label: found for found in FOUND if not found.path.endswith("/events")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with served_beside(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.mark.parametrize("label", OPERATIONS)
def test_it_keeps_its_promises(label: str, whole: Whole) -> None:
    """By an operator, who may do everything."""
    operation: Any = OPERATIONS[label]

    @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def asked(case: Any) -> None:
        answer = case.call(base_url=whole.address, headers=whole.header(Access.OPERATOR))
        case.validate_response(answer, checks=CHECKS)

    asked()
