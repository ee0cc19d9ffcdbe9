#!/usr/bin/env python3
"""Asks a referee for every block of every file of an image, and compares with `iomap map`.

    compare_blocks.py --iomap=BINARY (--debugfs | --xfs_db) [--corrupt] IMAGE PATH...

The paths are all regular files that the image must hold, as whoever made it knows them; a file
that `iomap map --all` leaves out or makes up is a difference too. debugfs is asked with `bmap`,
xfs_db with `dblock` and, for what is unwritten, `bmap`. --corrupt moves one mapping of iomap's
answer by one block on the way to the comparison, which then has to fail.

Prints one line; the first difference when there is one, and ends with 1.
"""

import argparse
import json
import re
import subprocess
import sys


class File:
    """A file as iomap sees it: its inode, and for each block its address in bytes, or None."""

    def __init__(self, header):
        self.path = header['path']
        self.inode = header['inode']
        self.size = header['size']
        self.block_size = header['block_size']
        self.blocks = []  # (address or None, unwritten)

    def add(self, mapping):
        """Adds the blocks of the next mapping, which is aligned but for the end of a last hole."""
        count = -(-(mapping['offset'] + mapping['length']) // self.block_size) - len(self.blocks)
        for _ in range(count):
            address = None
            if 'address' in mapping:
                behind = len(self.blocks) * self.block_size - mapping['offset']
                address = mapping['address'] + behind
            self.blocks.append((address, mapping['type'] == 'unwritten'))


def files_of(lines):
    """The files of `iomap map --all --format=json`."""
    files = []
    for line in map(json.loads, lines):
        if 'error' in line:
            sys.exit(f'{line["path"]}: {line["error"]}')
        if 'inode' in line:
            files.append(File(line))
        else:
            files[-1].add(line)
    return files


def move_one_mapping(files):
    """Changes the answer by hand: one block of one file is said to lie one block further on."""
    file = max(files, key=lambda candidate: len(candidate.blocks))
    index = max(i for i, (address, _) in enumerate(file.blocks) if address is not None)
    address, unwritten = file.blocks[index]
    file.blocks[index] = (address + file.block_size, unwritten)


def run(command, commands):
    return subprocess.run(command, input=commands, capture_output=True, text=True,
                          check=True).stdout


def ask_debugfs(image, files):
    """For each file the (address or None, unwritten) of each block, in debugfs's words."""
    asked = [(file, block) for file in files for block in range(len(file.blocks))]
    script = ''.join(f'bmap <{file.inode}> {block}\n' for file, block in asked)
    output = run(['debugfs', '-f', '/dev/stdin', image], script)
    # "4702 (uninit)" behind the echo of each command; 0 for a hole.
    lines = [line for line in output.splitlines() if not line.startswith('debugfs:')]
    answers = {file: [] for file in files}
    for (file, _), line in zip(asked, lines, strict=True):
        number, *words = line.split()
        address = int(number) * file.block_size if int(number) else None
        answers[file].append((address, '(uninit)' in words))
    return answers


def ask_xfs_db(image, files):
    """The same in the words of xfs_db."""
    return {file: ask_xfs_db_about(image, file) for file in files}


def ask_xfs_db_about(image, file):
    script = f'inode {file.inode}\nbmap -d\n' + ''.join(
        f'push\ndblock {block}\naddr\npop\n' for block in range(len(file.blocks)))
    output = run(['xfs_db', '-r', image], script)
    unwritten = set()
    for match in re.finditer(r'data offset (\d+) .* count (\d+) flag 1', output):
        unwritten.update(range(int(match[1]), int(match[1]) + int(match[2])))
    # For a block that is not mapped the cursor stays on the inode.
    places = re.findall(r'byte offset (\d+),.*\n.*\n.*type (\w+)', output)
    if len(places) != len(file.blocks):
        sys.exit(f'xfs_db answered {len(places)} of {len(file.blocks)} questions: {output[:500]}')
    return [(int(place) if kind == 'data' else None, block in unwritten)
            for block, (place, kind) in enumerate(places)]


def in_words(answer):
    address, unwritten = answer
    if address is None:
        return 'a hole'
    return f'{"unwritten" if unwritten else "written"} at byte {address}'


def first_difference(files, answers, referee):
    """The first block on which the two disagree, in words; None when there is none."""
    for file in files:
        for block, (ours, theirs) in enumerate(zip(file.blocks, answers[file], strict=True)):
            if ours != theirs:
                return (f'block {block} of {file.path}: iomap says {in_words(ours)}, '
                        f'{referee} says {in_words(theirs)}')
    return None


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument('--iomap', required=True)
    referee = parser.add_mutually_exclusive_group(required=True)
    referee.add_argument('--debugfs', action='store_const', dest='referee', const='debugfs')
    referee.add_argument('--xfs_db', action='store_const', dest='referee', const='xfs_db')
    parser.add_argument('--corrupt', action='store_true')
    parser.add_argument('image')
    parser.add_argument('paths', nargs='+')
    options = parser.parse_args()

    command = [options.iomap, 'map', '--all', '--past-eof', '--format=json', options.image]
    files = files_of(run(command, '').splitlines())
    if options.corrupt:
        move_one_mapping(files)
    listed = {file.path for file in files}
    difference = ', '.join(sorted(listed.symmetric_difference(options.paths)))
    if difference:
        difference = f'not in both lists of files: {difference}'
    else:
        ask = ask_debugfs if options.referee == 'debugfs' else ask_xfs_db
        difference = first_difference(files, ask(options.image, files), options.referee)
    name = 'ext4' if options.referee == 'debugfs' else 'xfs'
    blocks = sum(len(file.blocks) for file in files)
    if difference:
        sys.exit(f'{name}: {options.referee} DISAGREES: {difference}')
    print(f'{name}: {len(files)} files, {blocks} blocks: {options.referee} agrees on every block')


if __name__ == '__main__':
    main()
