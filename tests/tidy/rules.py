"""The rules of the house that a machine can check.

A rule is a function of a path, relative to the root of the tree, and the text of the file. It
yields (line number, what is wrong). ALL_RULES is the table.
"""

import ast
import os
import re

import cpp_outline

CPP_SUFFIXES = ('.h', '.cc')
SCRIPTS = ('tools/setup', 'tools/check', 'tools/demo', '.ci/run')
MOST_FILE_LINES = 500
MOST_FUNCTION_LINES = 70
MOST_COLUMNS = 100

# What no folder includes but these: iomap <- dax <- backends <- tools, protobuf for tools alone,
# and tests see everything. `google` is protobuf's own library.
INCLUDED_BY = {
    'iomap': {'iomap', 'dax', 'backends', 'tools', 'tests'},
    'dax': {'dax', 'backends', 'tools', 'tests'},
    'backends': {'backends', 'tools', 'tests'},
    'proto': {'tools', 'tests'},
    'google': {'tools', 'tests'},
    'tools': {'tools', 'tests'},
    'tests': {'tests'},
}
BACKENDS = {'ext4', 'xfs'}


def is_cpp(path):
    return path.endswith(CPP_SUFFIXES)


def is_code(path):
    """True for what a person writes to be run or built; false for prose and data."""
    built = CPP_SUFFIXES + ('.py', '.cmake', '.proto', '.sh', 'CMakeLists.txt')
    return path.endswith(built) or path in SCRIPTS


def _matches(pattern, text):
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text.count('\n', 0, match.start()) + 1, match


def include_direction(path, text):
    """An include against the direction of the architecture."""
    if not is_cpp(path):
        return
    folders = path.split('/')
    for line, match in _matches(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', text):
        included = match.group(1).split('/')
        if len(included) > 1 and folders[0] not in INCLUDED_BY.get(included[0], {folders[0]}):
            yield line, f'{folders[0]}/ does not include {match.group(1)}'
        elif folders[0] == 'backends' and path != 'backends/registry.cc':
            if included[0] == 'backends' and included[1] in BACKENDS - {folders[1]}:
                yield line, f'{path} does not include a backend that it is not part of'


def unfinished(path, text):
    """A mark of unfinished work that does not name what is missing, as `TODO(name): ...`."""
    for line, match in _matches(r'\b(TODO|FIXME|XXX|HACK)\b(?!\([^)]+\): \S)', text):
        yield line, f'{match.group(1)} that does not say what is missing'


def disabled_code(path, text):
    """Code that is switched off by a comment or by the preprocessor."""
    if is_cpp(path):
        for line, _ in _matches(r'^[ \t]*#[ \t]*if[ \t]+(0|false)\b', text):
            yield line, 'code behind #if 0'
        # An example in a comment is indented by more than one space.
        code = (r'^[ \t]*// ?(?! )(?:\}|(?:return\b|if \(|for \(|while \(|#include|\}).*[;{}>]'
                r'|(?!.*: )(?!.*\w \w+ \w+ \w)[\w:<>*&.,\[\]() "=+\-]*'
                r'[\w\])"] ?[=(][^.\n]*\)?;)[ \t]*$')
    elif path.endswith('.py') or is_code(path):
        code = (r'^[ \t]*# ?(?! )(?:(?:import|from|return|def|print\()\b.*[)\w:]'
                r'|\w+ = \w+\(.*\)|set\(.*\))$')
    else:
        return
    for line, _ in _matches(code, text):
        yield line, 'code that is commented out'


def documented_header(path, text):
    """A class, struct or function of a public header, at namespace scope, without a comment.

    The structs of a format.h are explained by the backend's FORMAT.md.
    """
    is_public = path.startswith(('iomap/', 'dax/', 'backends/')) and not path.endswith('format.h')
    if not path.endswith('.h') or not is_public:
        return
    lines = text.splitlines()
    declarations, _ = cpp_outline.outline(text)
    for declaration in declarations:
        if declaration.kind == 'other' or 'operator' in declaration.text:
            continue
        above = declaration.line - 2  # a group without a blank line between shares one comment
        while above >= 0 and lines[above].strip() and not lines[above].lstrip().startswith('//'):
            above -= 1
        if above < 0 or not lines[above].strip():
            first = declaration.text.splitlines()[0]
            yield declaration.line, f'no comment says what this is: {first}'


def pragma_once(path, text):
    """A header that can be included twice."""
    if path.endswith('.h') and '#pragma once\n' not in text:
        yield 1, 'a header without #pragma once'


def string_view(path, text):
    """std::string_view, which Debian's Abseil does not take."""
    if is_cpp(path):
        for line, _ in _matches(r'\bstd::string_view\b|#include <string_view>', text):
            yield line, 'std::string_view: this tree uses absl::string_view'


def file_length(path, text):
    """A file that asks to be two."""
    count = text.count('\n')
    if is_code(path) and count > MOST_FILE_LINES:
        yield count, f'{count} lines, at most {MOST_FILE_LINES}'


def function_length(path, text):
    """A function that hides another function."""
    if is_cpp(path):
        _, functions = cpp_outline.outline(text)
        spans = [(function.first_line, function.last_line) for function in functions]
    elif path.endswith('.py'):
        spans = [(node.lineno, node.end_lineno) for node in ast.walk(ast.parse(text))
                 if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    else:
        return
    for first, last in spans:
        if last - first + 1 > MOST_FUNCTION_LINES:
            yield first, f'a function of {last - first + 1} lines, at most {MOST_FUNCTION_LINES}'


def line_length(path, text):
    """A line that does not fit."""
    if is_code(path):
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MOST_COLUMNS:
                yield number, f'{len(line)} columns, at most {MOST_COLUMNS}'


def foreign_words(path, text):
    """A folder of somebody's machine, or an issue's number: it says nothing to a reader."""
    words = (r'(?<![\w.])/(?:home|root|work|Users)/\w', r'(?<![\w&/])#\d+\b')
    if path != 'LICENSE':
        for line, match in _matches('(?i)' + '|'.join(words), text):
            yield line, f'"{match.group(0)}" says nothing to a reader of this tree'


def white_space(path, text):
    """White space at the end of a line, or a file that does not end in one newline."""
    for line, _ in _matches(r'[ \t]+$', text):
        yield line, 'white space at the end of the line'
    if text and (not text.endswith('\n') or text.endswith('\n\n')):
        yield text.count('\n') + 1, 'the file does not end in one newline'


def file_name(path, text):
    """A file that an editor or a merge left behind, or whose name hides that an idea is missing."""
    name = os.path.basename(path)
    if re.search(r'(\.(orig|rej|save|bak|swp|tmp)|~)$', name):
        yield 1, 'a file that an editor or a merge left behind'
    if re.search(r'(^|_)(utils?|common|misc|helpers?|manager)(_|\.|$)', name):
        yield 1, 'a name that says nothing about what is in the file'


ALL_RULES = (
    include_direction, unfinished, disabled_code, documented_header, pragma_once, string_view,
    file_length, function_length, line_length, foreign_words, white_space, file_name,
)
