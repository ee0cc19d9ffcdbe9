"""Prints what mapping_bench and dax_bench measured as ratios: the table of README.

usage: table.py RESULTS.json ...    (mapping_bench --benchmark_out=RESULTS.json)

Exits with 1 when a ratio is not reached.
"""

import collections
import json
import statistics
import sys

# (question, format, peer, the least ratio peer : iomap). None: nothing is asked for.
WANTED = [
    ('look-up', 'ext4', 'raw tree', 1 / 1.3),
    ('look-up', 'ext4', 'kernel FIEMAP', 5),
    ('look-up', 'ext4', 'ext2fs_bmap2', 40),
    ('look-up', 'xfs', 'raw tree', 1 / 1.3),
    ('look-up', 'xfs', 'kernel FIEMAP', 2.5),
    ('enumeration', 'ext4', 'raw tree', None),
    ('enumeration', 'ext4', 'kernel FIEMAP', None),
    ('enumeration', 'ext4', 'ext2fs_extent_get', 3),
    ('enumeration', 'xfs', 'raw tree', None),
    ('enumeration', 'xfs', 'kernel FIEMAP', None),
    ('first pass', 'ext4', 'kernel FIEMAP', 10),
    ('first pass', 'xfs', 'kernel FIEMAP', 10),
    ('open and first pass', 'ext4', 'kernel FIEMAP', None),
    ('open and first pass', 'xfs', 'kernel FIEMAP', None),
    ('contiguous 1 GiB', 'ext4', 'get_block', None),
    ('contiguous 1 GiB', 'xfs', 'get_block', None),
    ('write of 1 MiB', 'ext4', 'get_block', None),
    ('write of 1 MiB', 'xfs', 'get_block', None),
    ('one dirty page of 10 million', 'ram', 'one of 10', 0.5),
    ('DAX write of 4 KiB', 'ram', 'pmem_memcpy_persist', 0.6),
    ('DAX write of 2 MiB', 'ram', 'pmem_memcpy_persist', 0.9),
]
# The lines that an fsync flushes, through those of the pages that were dirtied.
FLUSHES = 'random stores and fsync/ram/iomap'
MOST_FLUSHED = 1.02


def read_results(paths):
    """name -> (median nanoseconds of processor time, calls or None, share flushed or None)."""
    runs = []
    for path in paths:
        with open(path, encoding='utf-8') as file:
            runs += json.load(file)['benchmarks']
    times = collections.defaultdict(list)
    counts = {}
    for run in runs:
        if run.get('error_occurred'):
            sys.exit(f"{run['name']}: {run['error_message']}")
        if run['run_type'] == 'iteration':
            times[run['name']].append(run['cpu_time'])
            counts[run['name']] = (run.get('calls'), run.get('flushed'))
    return {name: (statistics.median(values), *counts[name]) for name, values in times.items()}


def duration(nanoseconds):
    for unit, size in (('ms', 1e6), ('µs', 1e3)):
        if nanoseconds >= size:
            return f'{nanoseconds / size:.3g} {unit}'
    return f'{nanoseconds:.3g} ns'


def cell(result):
    nanoseconds, calls, _ = result
    if calls is None:
        return duration(nanoseconds)
    return f'{duration(nanoseconds)}, {calls:,.0f} call{"" if calls == 1 else "s"}'


def rounded(ratio):
    return f'{ratio:,.0f}' if ratio >= 100 else f'{ratio:.3g}'


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    results = read_results(sys.argv[1:])
    missed = []
    print('| question | format | iomap | peer | its time | ratio | wanted |')
    print('| --- | --- | ---: | --- | ---: | ---: | ---: |')
    for question, form, peer, least in WANTED:
        ours = results[f'{question}/{form}/iomap']
        theirs = results[f'{question}/{form}/{peer}']
        ratio = theirs[0] / ours[0]
        if least is not None and ratio < least:
            missed.append(f'{question}, {form}, {peer}: {ratio:.3g}, wanted {least:.3g}')
        wanted = '' if least is None else f'{least:.2g}'
        print(f'| {question} | {form} | {cell(ours)} | {peer} | {cell(theirs)} '
              f'| {rounded(ratio)} | {wanted} |')
    flushed = results[FLUSHES][2]
    print(f'\nRandom stores: an fsync flushes {flushed:.4f} x the lines of the dirtied pages.')
    if flushed > MOST_FLUSHED:
        missed.append(f'flushed lines: {flushed:.4f}, wanted at most {MOST_FLUSHED}')
    for line in missed:
        print(f'not reached: {line}', file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == '__main__':
    main()
