"""Runs clang-tidy over many sources in few processes.

Most of clang-tidy's time goes to the headers of libraries, which it reads and searches anew for
every source. Sources of one target are therefore looked at several at a time, as one text. Where
such a text has findings, or does not compile for all that, it is halved, down to single sources:
only what is said of a single source counts.
"""

import collections
import concurrent.futures
import json
import os
import re
import shlex
import subprocess

CLANG_TIDY = 'clang-tidy-14'
BUILD_FOLDER = 'build/dev'
_TEXTS = f'{BUILD_FOLDER}/clang-tidy'
_MOST_SOURCES = 8  # of one text


def command(source):
    """What looks at a single source."""
    return [CLANG_TIDY, '-p', BUILD_FOLDER, '--quiet', source]


def _compiler_options():
    """source -> the options it is compiled with that say what its text means."""
    with open(f'{BUILD_FOLDER}/compile_commands.json', encoding='utf-8') as file:
        entries = json.load(file)
    options = {}
    for entry in entries:
        words = iter(shlex.split(entry['command']))
        kept = []
        for word in words:
            if word == '-isystem':
                kept += [word, next(words)]
            elif word.startswith(('-I', '-D', '-std=', '-W')):
                kept.append(word)
        options[os.path.relpath(entry['file'])] = tuple(kept)
    return options


def _own_names(source):
    """The source's own types and constants, as far as one sees; functions and aliases may agree."""
    names = set()
    with open(source, encoding='utf-8') as file:
        for line in file:
            if re.match(r'(?!namespace|using|return|TEST|INSTANTIATE)[A-Za-z]', line):
                name = re.search(r'(?<!::)\b(?!const\b)([A-Za-z_]\w*)\s*(?:[={[]|:(?!:))', line)
                names.update(name.groups() if name else ())
    return names


def _groups(sources, options):
    """The sources in lists for one text each: of one folder, same options, no name twice."""
    groups = collections.defaultdict(list)  # (folder, options) -> [(sources, their names)]
    for source in sources:
        names = _own_names(source)
        alike = groups[os.path.dirname(source), options.get(source)]
        for members, taken in alike:
            if len(members) < _MOST_SOURCES and not names & taken:
                members.append(source)
                taken |= names
                break
        else:
            alike.append(([source], names))
    return [members for alike in groups.values() for members, _ in alike]


def _group_is_clean(sources, options):
    text = os.path.join(_TEXTS, sources[0].replace('/', '+'))
    with open(text, 'w', encoding='utf-8') as file:
        for source in sources:
            with open(source, encoding='utf-8') as part:
                file.write(f'#line 1 "{source}"\n{part.read()}')
    done = subprocess.run([CLANG_TIDY, '--quiet', text, '--', *options, '-I.'],
                          check=False, capture_output=True)
    os.remove(text)
    return done.returncode == 0


def _findings(sources, options):
    """[(source, what clang-tidy says of it, empty when nothing)]."""
    if len(sources) == 1:
        done = subprocess.run(command(sources[0]), check=False, capture_output=True, text=True)
        said = '' if done.returncode == 0 else done.stdout or done.stderr or 'it failed'
        return [(sources[0], said)]
    if _group_is_clean(sources, options):
        return [(source, '') for source in sources]
    half = len(sources) // 2
    return _findings(sources[:half], options) + _findings(sources[half:], options)


def findings(sources):
    """Yields (source, what clang-tidy says of it, empty when nothing), of each once.

    Runs as many processes as there are processors. Needs BUILD_FOLDER's compile_commands.json.
    """
    os.makedirs(_TEXTS, exist_ok=True)
    options = _compiler_options()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(_findings, group, options.get(group[0], ()))
                for group in _groups(sources, options)]
        for run in concurrent.futures.as_completed(runs):
            yield from run.result()
