"""Prints what host_bench measured, a column for each way of tracking: the table of dax/README.md.

usage: host_table.py RESULTS.json    (host_bench --benchmark_out=RESULTS.json)

Exits with 1 when something takes longer than is wanted.
"""

import collections
import json
import re
import statistics
import sys

from table import duration

WAYS = ['async', 'async-user', 'write-faults', 'signals', 'nothing', 'raw mechanism', 'kernel ext4']
STORE = 'first store to a clean page'
FSYNC = 'fsync of 1,000 dirty pages of 64 MiB'
BOTH = 'stores to 1,000 pages of 64 MiB and fsync'
LARGE = 'fsync of one dirty page of 1 GiB'
RANGE = 'msync of 2 MiB of 1 GiB, one page dirty'
HOLE = 'store to a page of a hole, in sequence'
UNMAPPED = 'fsync, nothing mapped'

# (question, whose time it is wanted by or None, how often that, or how many nanoseconds at most)
WANTED = [
    (STORE, 'raw mechanism', 1.1),
    (FSYNC, 'raw mechanism', 1.3),
    (BOTH, 'kernel ext4', 0.1),
    (LARGE, None, 1e6),
    (RANGE, None, 10e3),
    (HOLE, None, 20e3),
    (UNMAPPED, None, 200),
]


def read_results(path):
    """(question, way) -> median nanoseconds."""
    with open(path, encoding='utf-8') as file:
        runs = json.load(file)['benchmarks']
    times = collections.defaultdict(list)
    for run in runs:
        if run.get('error_occurred'):
            sys.exit(f"{run['name']}: {run['error_message']}")
        if run['run_type'] == 'iteration':
            question, way = re.match(r'([^/]*)/([^/]*)', run['name']).groups()
            times[question, way].append(run['real_time'])
    return {key: statistics.median(values) for key, values in times.items()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    times = read_results(sys.argv[1])
    print('| | ' + ' | '.join(WAYS) + ' |')
    print('| --- |' + ' ---: |' * len(WAYS))
    for question in (STORE, FSYNC, BOTH, LARGE, RANGE, HOLE):
        cells = [duration(times[question, way]) if (question, way) in times else ''
                 for way in WAYS]
        print(f'| {question} | ' + ' | '.join(cells) + ' |')
    print(f"\n{UNMAPPED}: {duration(times[UNMAPPED, 'iomap'])}.\n")
    missed = False
    for question, peer, most in WANTED:
        ours = times[question, 'iomap' if question == UNMAPPED else 'async']
        if peer is None:
            said, is_reached = f'{duration(ours)}, wanted {duration(most)}', ours <= most
        else:
            ratio = ours / times[question, peer]
            said, is_reached = f'{ratio:.2f} x {peer}, wanted {most}', ratio <= most
        missed |= not is_reached
        print(f"{'reached' if is_reached else 'NOT REACHED'}: {question}: {said}")
    sys.exit(1 if missed else 0)


if __name__ == '__main__':
    main()
