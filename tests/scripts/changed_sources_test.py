#!/usr/bin/env python3
"""Which sources tools/check gives to clang-tidy."""

import os
import subprocess
import tempfile
import unittest

import changed_sources

FILES = {
    'iomap/a.h': '#pragma once\n',
    'iomap/a.cc': '#include "iomap/a.h"\n',
    'iomap/b.h': '#pragma once\n',
    'dax/c.cc': '#include "iomap/b.h"\n',
    'dax/d.cc': '#include "iomap/b.h"\n',
    '.clang-tidy': '',
}


class ChangedSourcesTest(unittest.TestCase):
    """Claims about a small repository."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        for path, text in FILES.items():
            os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
        self.git('init', '--quiet', '--initial-branch=main')
        self.commit()

    def git(self, *arguments):
        subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@example.org', *arguments],
                       check=True, capture_output=True)

    def commit(self):
        self.git('add', '--all')
        self.git('commit', '--quiet', '--message=change')

    def append_to(self, path):
        with open(path, 'a', encoding='utf-8') as file:
            file.write('// Changed.\n')

    def to_tidy(self, everything=False):
        return changed_sources.sources_to_tidy(everything)[0]

    def test_on_main_without_a_release_it_is_everything(self):
        self.assertEqual(self.to_tidy(), ['dax/c.cc', 'dax/d.cc', 'iomap/a.cc'])

    def test_on_main_it_is_what_changed_since_the_release(self):
        self.git('tag', 'v0.1')
        self.append_to('dax/d.cc')
        self.commit()
        self.assertEqual(self.to_tidy(), ['dax/d.cc'])

    def test_on_a_branch_it_is_what_changed_since_main(self):
        self.git('checkout', '--quiet', '-b', 'branch')
        self.append_to('dax/d.cc')
        self.commit()
        self.append_to('iomap/a.cc')
        with open('dax/new.cc', 'w', encoding='utf-8') as file:
            file.write('\n')
        self.assertEqual(self.to_tidy(), ['dax/d.cc', 'dax/new.cc', 'iomap/a.cc'])

    def test_a_header_is_seen_through_its_own_source_or_one_user(self):
        self.assertEqual(changed_sources.translation_units(['iomap/a.h']), ['iomap/a.cc'])
        self.assertEqual(changed_sources.translation_units(['iomap/b.h']), ['dax/c.cc'])
        self.assertEqual(changed_sources.translation_units(['dax/d.cc', 'iomap/b.h']), ['dax/d.cc'])

    def test_a_file_that_is_gone_is_not_looked_at(self):
        self.git('tag', 'v0.1')
        os.remove('dax/c.cc')
        self.append_to('dax/d.cc')
        self.commit()
        self.assertEqual(self.to_tidy(), ['dax/d.cc'])

    def test_new_rules_and_the_long_check_look_at_everything(self):
        self.git('checkout', '--quiet', '-b', 'branch')
        self.append_to('dax/d.cc')
        self.commit()
        self.assertEqual(len(self.to_tidy(everything=True)), 3)
        self.append_to('.clang-tidy')
        self.assertEqual(len(self.to_tidy()), 3)


if __name__ == '__main__':
    unittest.main()
