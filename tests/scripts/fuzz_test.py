#!/usr/bin/env python3
"""What tools/scripts/fuzz.py does around the fuzzers, which are scripts here."""

import contextlib
import io
import os
import tempfile
import unittest

import fuzz

IMAGES = ('ext_a', 'ext_b', 'xfs_a')
CORPUS = {'ext': '# Was a crash.\next_a 1080:53ef\n\n', 'xfs': ''}
# The first of the two folders, its last arguments, is where libFuzzer puts what it found.
FUZZER = '#!/bin/sh\neval "folder=\\${$(($# - 1))}"\necho this is {name} >&2\n{more}\n'


class FuzzTest(unittest.TestCase):
    """Claims about a tree with images, a corpus and fuzzers."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        os.makedirs(fuzz.IMAGES)
        for name in IMAGES:
            self.write(f'{fuzz.IMAGES}/{name}.sparse', '')
        for backend, text in CORPUS.items():
            self.write(fuzz.corpus_file(backend), text)
            self.make_fuzzer(backend, 'exit 0')

    def write(self, path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)

    def read(self, path):
        with open(path, encoding='ascii') as file:
            return file.read()

    def make_fuzzer(self, backend, more):
        path = fuzz.fuzzer(backend)
        self.write(path, FUZZER.replace('{name}', backend).replace('{more}', more))
        os.chmod(path, 0o755)

    def run_quietly(self, function, *arguments):
        """(what the function returned, what it printed)."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = function(*arguments)
        return result, printed.getvalue()

    def test_seeds_are_the_images_of_the_backend_and_the_lines_of_its_corpus(self):
        self.assertEqual(fuzz.lines_of('ext'), ['ext_a', 'ext_b', 'ext_a 1080:53ef'])
        self.assertEqual(fuzz.lines_of('xfs'), ['xfs_a'])
        folder = fuzz.seeds('ext')
        self.assertEqual(sorted(self.read(f'{folder}/{name}') for name in os.listdir(folder)),
                         ['ext_a', 'ext_a 1080:53ef', 'ext_b'])

    def test_a_run_names_the_backends_whose_fuzzer_failed(self):
        failed, printed = self.run_quietly(fuzz.run, fuzz.BACKENDS, 1)
        self.assertEqual(failed, [])
        self.assertIn('this is ext', printed)
        self.assertIn('-max_total_time=1 ', printed)
        self.make_fuzzer('xfs', 'exit 77')
        failed, printed = self.run_quietly(fuzz.run, fuzz.BACKENDS, 1)
        self.assertEqual(failed, ['xfs'])
        self.assertIn('this is xfs', printed)

    def test_keep_adds_new_lines_and_no_bytes_of_images(self):
        self.make_fuzzer('ext', 'echo -n "ext_b 7:07" > $folder/new\n'
                                'printf "\\001\\002" > $folder/image')
        _, printed = self.run_quietly(fuzz.keep, 'ext')
        self.assertIn('ext: 1 new', printed)
        self.assertEqual(self.read(fuzz.corpus_file('ext')), CORPUS['ext'] + 'ext_b 7:07\n')

    def test_coverage_of_a_corpus_that_fails_is_none(self):
        self.make_fuzzer('xfs', 'exit 1')
        with self.assertRaisesRegex(SystemExit, 'xfs: an input of the corpus fails'):
            self.run_quietly(fuzz.coverage)

    def test_the_total_is_of_lines_not_of_files(self):
        total, printed = self.run_quietly(fuzz.print_coverage, [('a.cc', 1, 10), ('b.cc', 89, 90)])
        self.assertEqual(total, 90)
        self.assertIn('10.0 %', printed)


if __name__ == '__main__':
    unittest.main()
