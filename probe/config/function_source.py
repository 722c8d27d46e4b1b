"""What can be read from the source of a decorated function without running it: its arguments' lines, its steps."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from probe.config.lines import KeyPath

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_DECORATORS = ("journey", "check")


@dataclass(frozen=True, slots=True)
class Step:
    """A `t.step("…")`. `branch` says in which arm of which `if`, `try` or `match` it stands."""

    name: str
    line: int
    branch: tuple[tuple[int, int], ...]

    def excludes(self, other: "Step") -> bool:
        """Whether a run that comes to one does not come to the other: they stand in different arms."""
        arms = dict(self.branch)
        return any(arms.get(node, arm) != arm for node, arm in other.branch)


def definition_at(tree: ast.Module, line: int) -> FunctionNode | None:
    """The function with a decorator on that line."""
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode) and any(d.lineno <= line <= (d.end_lineno or 0) for d in node.decorator_list):
            return node
    return None


def argument_lines(node: FunctionNode | None, line: int) -> dict[KeyPath, int]:
    """The line of each keyword argument (and element of a list) of the decorator on `line`; `()` is the decorator."""
    lines: dict[KeyPath, int] = {(): line}
    for decorator in node.decorator_list if node else ():
        if isinstance(decorator, ast.Call) and decorator.lineno <= line <= (decorator.end_lineno or 0):
            for keyword in decorator.keywords:
                if keyword.arg is not None:
                    lines[(keyword.arg,)] = keyword.lineno
                    for index, element in enumerate(getattr(keyword.value, "elts", ())):
                        lines[(keyword.arg, index)] = element.lineno
    return lines


def steps_of(node: FunctionNode) -> tuple[Step, ...]:
    """The steps whose names are written out, in the order of the source. Functions inside the function are left out."""
    return tuple(
        Step(call.args[0].value, call.lineno, branch)
        for call, branch in sorted(_step_calls(node, ()), key=lambda c: (c[0].lineno, c[0].col_offset))
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    )


def may_have_steps(node: FunctionNode) -> bool:
    """Whether steps may be taken that `steps_of` cannot see: with computed names, or by a function that is given `t`."""
    parameter = next((a.arg for a in (*node.args.posonlyargs, *node.args.args)), None)
    return any(
        isinstance(call, ast.Call)
        and (_is_step(call) or any(isinstance(a, ast.Name) and a.id == parameter for a in call.args))
        for call in ast.walk(node)
    )


def hides_steps(node: FunctionNode) -> bool:
    """Whether there may be steps whose names `steps_of` does not give. What is to be undone has none."""
    parameter = next((a.arg for a in (*node.args.posonlyargs, *node.args.args)), None)
    seen = len(steps_of(node))
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    return sum(map(_is_step, calls)) > seen or any(
        isinstance(a, ast.Name) and a.id == parameter and not _is_undo(call) for call in calls for a in call.args
    )


def lost_definitions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Checks that a later function of the same name replaces before anybody sees them: the name and both lines."""
    last: dict[str, FunctionNode] = {}
    for node in tree.body:
        if isinstance(node, FunctionNode):
            if (earlier := last.get(node.name)) is not None and any(map(_declares, earlier.decorator_list)):
                yield node.name, earlier.lineno, node.lineno
            last[node.name] = node


def _declares(decorator: ast.expr) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _DECORATORS


def _is_step(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "step"


def _is_undo(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "undo"


def _step_calls(
    node: ast.AST, branch: tuple[tuple[int, int], ...]
) -> Iterator[tuple[ast.Call, tuple[tuple[int, int], ...]]]:
    if isinstance(node, ast.Call) and _is_step(node):
        yield node, branch
    for arm, children in enumerate(_arms(node)):
        inner = (*branch, (id(node), arm)) if isinstance(node, ast.If | ast.Try | ast.Match) else branch
        for child in children:
            if not isinstance(child, FunctionNode | ast.ClassDef | ast.Lambda):
                yield from _step_calls(child, inner)


def _arms(node: ast.AST) -> list[list[ast.AST]]:
    """The parts of a statement of which a run takes one; all children together for any other node."""
    match node:
        case ast.If(body=body, orelse=orelse):
            return [list(body), list(orelse)]
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            return [[*body, *orelse], list(handlers), list(final)]
        case ast.Match(cases=cases):
            return [list(case.body) for case in cases]
        case _:
            return [list(ast.iter_child_nodes(node))]
