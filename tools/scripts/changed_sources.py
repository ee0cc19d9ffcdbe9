"""Which sources clang-tidy looks at: all, or what changed since the last release or since main."""

import os
import re
import subprocess

SOURCE_FOLDERS = ('iomap', 'dax', 'backends', 'tools', 'tests')
# A change of one of these can bring findings anywhere.
CONCERNS_ALL = ('.clang-tidy', 'tools/scripts/changed_sources.py')


def all_sources():
    """Every .h and .cc of the tree, sorted."""
    found = []
    for top in SOURCE_FOLDERS:
        for folder, _, names in os.walk(top):
            paths = (os.path.join(folder, name) for name in names)
            found += [path for path in paths if path.endswith(('.h', '.cc'))]
    return sorted(found)


def _git(*arguments):
    """The output of git, or None when it fails. The tree may belong to another user."""
    command = ['git', '-c', 'safe.directory=*', *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def base_commit():
    """The commit to compare with, where this branch left main or the last release; or None."""
    for main in ('main', 'origin/main'):
        left_main_at = _git('merge-base', 'HEAD', main)
        if left_main_at:
            if left_main_at != _git('rev-parse', 'HEAD'):
                return left_main_at
            break
    return _git('describe', '--tags', '--abbrev=0', '--match=v*')


def _includes(source):
    with open(source, encoding='utf-8') as file:
        return set(re.findall(r'^#include "([^"]+)"', file.read(), re.MULTILINE))


def translation_units(changed):
    """The .cc files that show clang-tidy all of `changed`: for a header, its own or one user."""
    sources = all_sources()
    units = {path for path in changed if path.endswith('.cc') and path in sources}
    for header in (path for path in changed if path.endswith('.h') and path in sources):
        own = header[:-2] + '.cc'
        users = [path for path in sources if path.endswith('.cc') and header in _includes(path)]
        if own in sources:
            units.add(own)
        elif users and not units.intersection(users):
            units.add(users[0])
    return sorted(units)


def sources_to_tidy(everything):
    """(The .cc files to look at, in words which these are)."""
    base = None if everything else base_commit()
    if base is not None:
        changed = _git('diff', '--name-only', base, '--').splitlines()
        changed += _git('ls-files', '--others', '--exclude-standard').splitlines()
        if not set(changed).intersection(CONCERNS_ALL):
            return translation_units(changed), f'what changed since {base[:12]}'
    return [path for path in all_sources() if path.endswith('.cc')], 'everything'
