"""What a C++ source declares and how long its functions are, from its braces alone.

No compiler is asked: the tree is formatted by clang-format, so that braces and statements are
enough.
"""

import dataclasses
import re

_TOKEN = re.compile(
    r'''//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'''
    r"""|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])*'""",
    re.DOTALL)
_PREPROCESSOR = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.MULTILINE)
_TEMPLATE = re.compile(r'^\s*template\s*<.*?>\s*(?=class|struct|union|enum|\w)', re.DOTALL)


@dataclasses.dataclass
class Declaration:
    """A statement at namespace scope: its kind ('class', 'function' or 'other') and first line."""

    kind: str
    line: int
    text: str


@dataclasses.dataclass
class Function:
    """A function body with what is declared in front of it: first and last line."""

    first_line: int
    last_line: int


def _blank(match):
    return re.sub(r'[^\n]', ' ', match.group(0))


def code_only(text):
    """The text with comments, literals and preprocessor lines made blank, in the same lines."""
    return _PREPROCESSOR.sub(_blank, _TOKEN.sub(_blank, text))


def _kind_of(statement, opens_body):
    text = _TEMPLATE.sub('', statement).strip()
    if re.match(r'(inline\s+)?namespace\b|extern\s*$', text):
        return 'namespace'
    if re.match(r'(class|struct|union|enum)\b', text) and not text.endswith(')'):
        return 'class' if opens_body else 'other'
    before_parameters = text.split('(')[0]
    is_call_like = '(' in text and '=' not in before_parameters.replace('operator', '')
    if is_call_like and not re.match(r'(static_assert|using|typedef|friend)\b', text):
        return 'function'
    return 'other'


def outline(text):
    """The declarations at namespace scope and all functions: ([Declaration], [Function])."""
    declarations, functions = [], []
    scopes = []  # (kind, first line of its statement)
    statement, first_line, line = '', 0, 1
    for character in code_only(text):
        at_namespace_scope = all(kind == 'namespace' for kind, _ in scopes)
        if character in '{;' and statement.strip():
            kind = _kind_of(statement, character == '{')
            if at_namespace_scope and kind != 'namespace' and '}' not in statement:
                declarations.append(Declaration(kind, first_line, statement.strip()))
        if character == '{':
            inside = scopes[-1][0] if scopes else 'namespace'
            kind = _kind_of(statement, True) if inside in ('namespace', 'class') else 'other'
            scopes.append((kind, first_line or line))
            statement, first_line = '', 0
        elif character == '}':
            if scopes:
                kind, begin = scopes.pop()
                if kind == 'function':
                    functions.append(Function(begin, line))
            statement, first_line = '', 0
        elif character == ';':
            statement, first_line = '', 0
        else:
            if not first_line and not character.isspace():
                first_line = line
            statement += character
        line += character == '\n'
    return declarations, functions
