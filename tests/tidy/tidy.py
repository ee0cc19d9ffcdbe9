#!/usr/bin/env python3
"""Checks every file of the tree against the rules of the house: tidy.py ROOT.

Prints `path:line: what is wrong (rule)` for each finding, and ends with 1 when there is one.
"""

import os
import sys

import rules

SKIPPED_NAMES = {'.git', 'build', '__pycache__'}
# The rules and their samples spell out what they look for.
SELF = 'tests/tidy/'
SELF_EXEMPT = {rules.unfinished, rules.foreign_words, rules.disabled_code}


def paths_below(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED_NAMES)
        for name in sorted(set(names) - SKIPPED_NAMES):
            yield os.path.relpath(os.path.join(folder, name), root)


def findings_in(path, text):
    """All findings of one file as (path, line, message, rule name)."""
    for rule in rules.ALL_RULES:
        if path.startswith(SELF) and rule in SELF_EXEMPT:
            continue
        for line, message in rule(path, text):
            yield path, line, message, rule.__name__


def findings_below(root):
    for path in paths_below(root):
        try:
            with open(os.path.join(root, path), encoding='utf-8') as file:
                text = file.read()
        except UnicodeDecodeError:
            text = ''  # data: only its name can be wrong
        yield from findings_in(path, text)


def main():
    found = False
    for path, line, message, rule in findings_below(sys.argv[1]):
        print(f'{path}:{line}: {message} ({rule})')
        found = True
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
