#!/usr/bin/env python3
"""Fuzzing, from the root of the tree, with what the preset `fuzz` has built:

  fuzz.py run [--seconds N] [BACKEND ...]   the corpus, then N seconds more of each backend
  fuzz.py coverage                          lines of the backends that the corpus reaches
  fuzz.py keep                              adds to the corpus what runs have found to be new

A backend is "ext" or "xfs". Its corpus is tests/fuzz/corpus/BACKEND.txt, one input a line. What a
run finds new stays below build/fuzz/corpus, from where the next one goes on; an input that fails is
left in build/fuzz/findings.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys

BACKENDS = ('ext', 'xfs')
BUILD = 'build/fuzz'
FINDINGS = f'{BUILD}/findings'
IMAGES = 'tests/fuzz/images'
LEAST_COVERAGE = 85.0  # per cent of the lines of backends/
LONGEST_INPUT = 4096  # bytes
MOST_SECONDS = 30  # of one input, before libFuzzer calls it endless


def corpus_file(backend):
    return f'tests/fuzz/corpus/{backend}.txt'


def fuzzer(backend):
    return os.path.abspath(f'{BUILD}/tests/fuzz/{backend}_fuzzer')


def lines_of(backend):
    """The inputs of the corpus, and each image as it is."""
    images = [os.path.splitext(name)[0] for name in sorted(os.listdir(IMAGES))]
    lines = [name for name in images if name.startswith(backend)]
    with open(corpus_file(backend), encoding='ascii') as file:
        lines += [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith('#')]


def write_inputs(lines, folder):
    """One input a file, in a new folder, as libFuzzer takes them."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for line in lines:
        name = hashlib.sha1(line.encode()).hexdigest()
        with open(f'{folder}/{name}', 'w', encoding='ascii') as file:
            file.write(line)
    return folder


def seeds(backend):
    return write_inputs(lines_of(backend), f'{BUILD}/seeds/{backend}')


def start(backend, options, folders, profile=os.devnull, **how):
    os.makedirs(FINDINGS, exist_ok=True)
    command = [fuzzer(backend), f'-max_len={LONGEST_INPUT}', f'-timeout={MOST_SECONDS}',
               f'-artifact_prefix={FINDINGS}/{backend}-', *options, *folders]
    print('+ ' + shlex.join(command), flush=True)
    return subprocess.Popen(command, env={**os.environ, 'LLVM_PROFILE_FILE': profile}, **how)


def run(backends, seconds):
    """Runs the fuzzers at once; the backends where something was found. Their output, in a file."""
    running = {}
    for backend in backends:
        grown = f'{BUILD}/corpus/{backend}'
        os.makedirs(grown, exist_ok=True)
        with open(f'{BUILD}/{backend}.log', 'w', encoding='utf-8') as log:
            running[backend] = start(
                backend, [f'-max_total_time={seconds}', '-print_final_stats=1'],
                [grown, seeds(backend)], stdout=log, stderr=log)
    failed = []
    for backend, process in running.items():
        if process.wait() != 0:
            failed.append(backend)
        with open(f'{BUILD}/{backend}.log', encoding='utf-8', errors='replace') as log:
            lines = log.read().splitlines()
        count = 60 if backend in failed else 6
        print(f'{backend}:', *lines[-count:], sep='\n  ', flush=True)
    return failed


def coverage():
    """Lines of the backends under the corpus as (file, reached, all)."""
    profiles = []
    for backend in BACKENDS:
        profiles.append(f'{BUILD}/{backend}.profraw')
        if start(backend, ['-runs=0'], [seeds(backend)], profiles[-1],
                 stderr=subprocess.DEVNULL).wait() != 0:
            sys.exit(f'{backend}: an input of the corpus fails')
    merged = f'{BUILD}/coverage.profdata'
    subprocess.run(['llvm-profdata-14', 'merge', '-sparse', '-o', merged, *profiles], check=True)
    told = subprocess.run(
        ['llvm-cov-14', 'export', '-summary-only', f'-instr-profile={merged}', fuzzer('ext'),
         f'-object={fuzzer("xfs")}', 'backends'], check=True, capture_output=True).stdout
    files = json.loads(told)['data'][0]['files']
    root = os.getcwd() + os.sep
    return sorted((file['filename'].removeprefix(root), file['summary']['lines']['covered'],
                   file['summary']['lines']['count']) for file in files)


def print_coverage(files):
    """Prints a table, and returns the total in per cent."""
    for name, reached, count in files:
        print(f'{100 * reached / max(1, count):6.1f} %  {reached:5} of {count:5}  {name}')
    reached, count = (sum(file[i] for file in files) for i in (1, 2))
    total = 100 * reached / max(1, count)
    print(f'{total:6.1f} %  {reached:5} of {count:5}  all of backends/', flush=True)
    return total


def keep(backend):
    """Adds to the corpus the fewest inputs that reach what it does not."""
    folder = seeds(backend)
    before = set(os.listdir(folder))
    if start(backend, ['-merge=1'], [folder, f'{BUILD}/corpus/{backend}'],
             stderr=subprocess.DEVNULL).wait() != 0:
        sys.exit(f'{backend}: the merge failed')
    new = []
    for name in set(os.listdir(folder)) - before:
        with open(f'{folder}/{name}', encoding='ascii', errors='replace') as file:
            new.append(file.read())
    # An image in bytes is no line; it can be kept as an image of its own.
    new = sorted(line for line in new if line.isprintable() and line)
    with open(corpus_file(backend), 'a', encoding='ascii') as file:
        file.writelines(line + '\n' for line in new)
    print(f'{backend}: {len(new)} new')


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', choices=['run', 'coverage', 'keep'])
    parser.add_argument('backends', nargs='*', metavar='BACKEND')
    parser.add_argument('--seconds', type=int, default=60)
    options = parser.parse_intermixed_args()
    backends = options.backends or BACKENDS
    if options.task == 'run':
        sys.exit(1 if run(backends, options.seconds) else 0)
    if options.task == 'coverage':
        sys.exit(0 if print_coverage(coverage()) >= LEAST_COVERAGE else 1)
    for backend in backends:
        keep(backend)


if __name__ == '__main__':
    main()
