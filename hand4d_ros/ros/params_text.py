"""Config dataclass in, its YAML file or its README table out.

``python -m hand4d_ros.ros.params_text yaml > config/tracker.yaml`` writes the file again after a
config has changed; a test tells when that is due.
"""

from __future__ import annotations

import sys
import textwrap

from hand4d_ros.ros.forecaster_config import ForecasterNodeConfig
from hand4d_ros.ros.schema import FieldSpec, Value, specs_from_config
from hand4d_ros.ros.tracker_config import TrackerNodeConfig

_WIDTH = 100


def yaml_from_config(config: object, node_name: str, about: str) -> str:
    """Parameter file with every parameter at its default, each with its description.

    Args:
        config: The config whose values are written.
        node_name: Node that the file is for, in any namespace.
        about: First line of the file.

    Returns:
        YAML with comments.
    """
    lines = [f"# {about}", f"/**/{node_name}:", "  ros__parameters:"]
    open_groups: tuple[str, ...] = ()
    for spec in specs_from_config(config):
        *groups, leaf = spec.name.split(".")
        shared = 0
        while groups[: shared + 1] == list(open_groups[: shared + 1]) and shared < len(groups):
            shared += 1
        lines += [f"{'  ' * (depth + 2)}{groups[depth]}:" for depth in range(shared, len(groups))]
        open_groups = tuple(groups)
        lines += _yaml_lines(spec, leaf, "  " * (len(groups) + 2))
    return "\n".join(lines) + "\n"


def markdown_from_config(config: object) -> str:
    """Table of all parameters for a README.

    Args:
        config: The config whose values are the defaults.

    Returns:
        Markdown with a header row.
    """
    lines = [
        "| parameter | type | default | allowed | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for spec in specs_from_config(config):
        allowed = spec.allowed if spec.allowed != spec.type_label else ""
        note = " *(needs a reconfigure)*" if spec.reconfigure else ""
        meaning = spec.description.replace("|", "\\|")
        default = _yaml_value(spec.default)
        lines.append(
            f"| `{spec.name}` | {spec.type_label} | `{default}` | {allowed} | {meaning}{note} |"
        )
    return "\n".join(lines) + "\n"


def _yaml_lines(spec: FieldSpec, leaf: str, indent: str) -> list[str]:
    sentence = spec.description
    facts = [spec.allowed]
    if spec.reconfigure:
        facts.append("needs a reconfigure")
    if spec.read_only:
        facts.append("fixed at start")
    comment = f"{sentence} [{'; '.join(facts)}]"
    lines = textwrap.wrap(
        comment, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
    )
    # rcl cannot read an empty array, which has no type, so such a default stays a comment.
    mark = "# " if spec.default == () else ""
    return [*lines, f"{indent}{mark}{leaf}: {_yaml_value(spec.default)}"]


def _yaml_value(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_yaml_value(element) for element in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    text = repr(value)
    # YAML 1.1 reads an exponent without a point as a string.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


_PAGE = """# Parameters of the tracker and of the forecaster

Made from the dataclasses that also declare them, as is `config/tracker.yaml`; regenerate with
`python -m hand4d_ros.ros.params_text markdown > docs/parameters.md`. What needs a reconfigure is
refused while the node is active: deactivate and clean up first.

"""
_NODES = {"tracker": TrackerNodeConfig(), "forecaster": ForecasterNodeConfig()}
"""Nodes that take parameters from a file, each with its defaults."""


def main() -> int:
    """Print the parameters of the nodes as ``yaml`` or ``markdown``."""
    about = "Every parameter of the {} node at its default. Generated: do not edit."
    makers = {
        "yaml": lambda: "\n".join(
            yaml_from_config(config, name, about.format(name)) for name, config in _NODES.items()
        ),
        "markdown": lambda: (
            _PAGE
            + "\n".join(
                f"## {name.capitalize()}\n\n{markdown_from_config(config)}"
                for name, config in _NODES.items()
            )
        ),
    }
    if len(sys.argv) != 2 or sys.argv[1] not in makers:
        sys.stderr.write(f"usage: python -m {__spec__.name} {{{','.join(makers)}}}\n")
        return 2
    sys.stdout.write(makers[sys.argv[1]]())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
