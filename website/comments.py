"""What comments beside the fields of a record say of them becomes their description in the reference."""

import ast
import io
import tokenize

import griffe


class Comments(griffe.Extension):
    """Gives a field or constant without a docstring the comment on its line, else the lines of comment above it."""

    def on_attribute_instance(
        self,
        *,
        node: ast.AST | griffe.ObjectNode,
        attr: griffe.Attribute,
        agent: griffe.Visitor | griffe.Inspector,
        **kwargs,
    ) -> None:
        """Called by griffe for every attribute that it finds."""
        if attr.docstring is None and isinstance(agent, griffe.Visitor) and attr.lineno and attr.endlineno:
            said = comment(agent.code.splitlines(), attr.lineno, attr.endlineno)
            attr.docstring = griffe.Docstring(said, parent=attr) if said else None


def comment(lines: list[str], first: int, last: int) -> str:
    """The comment of a statement in these lines, which are counted from 1; "" where there is none."""
    own = "\n".join(lines[first - 1 : last]).strip()
    found = [token.string for token in _tokens(own) if token.type == tokenize.COMMENT]
    if not found:
        place = first - 2
        while place >= 0 and lines[place].strip().startswith("#"):
            found.insert(0, lines[place].strip())
            place -= 1
    text = " ".join(line.lstrip("# ") for line in found)
    return f"{text[:1].upper()}{text[1:]}{'.' * (not text.endswith('.'))}" if text else ""


def _tokens(text):
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except tokenize.TokenError:
        # Part of a statement.
        return
