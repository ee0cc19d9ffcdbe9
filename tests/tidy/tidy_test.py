#!/usr/bin/env python3
"""Each rule finds what it is for, and leaves alone what it is not for."""

import os
import tempfile
import unittest

import cpp_outline
import rules
import tidy


def lines_found(rule, path, text):
    return [line for line, _ in rule(path, text)]


class RulesTest(unittest.TestCase):
    """Claims about single rules: a sample that fails, and its right form that does not."""

    def assert_finds(self, rule, path, text, line=1):
        self.assertEqual(lines_found(rule, path, text), [line], text)

    def assert_accepts(self, rule, path, text):
        self.assertEqual(lines_found(rule, path, text), [], text)

    def test_includes_go_in_one_direction(self):
        rule = rules.include_direction
        self.assert_finds(rule, 'iomap/seek.cc', '\n#include "dax/device.h"\n', 2)
        self.assert_finds(rule, 'dax/io.cc', '#include "backends/registry.h"\n')
        self.assert_finds(rule, 'backends/ext4/inode.cc', '#include "tools/map.h"\n')
        self.assert_finds(rule, 'backends/ext4/inode.cc', '#include "proto/map.pb.h"\n')
        self.assert_finds(rule, 'tools/map.cc', '#include "tests/support/status_matchers.h"\n')
        self.assert_accepts(rule, 'tools/map.cc', '#include "proto/map.pb.h"\n')
        self.assert_accepts(rule, 'dax/io.cc', '#include "iomap/file.h"\n#include <vector>\n')
        self.assert_accepts(rule, 'tests/iomap/seek_test.cc', '#include "tools/map.h"\n')

    def test_backends_do_not_include_each_other(self):
        rule = rules.include_direction
        self.assert_finds(rule, 'backends/ext4/inode.cc', '#include "backends/xfs/inode.h"\n')
        self.assert_finds(rule, 'backends/crc32c.cc', '#include "backends/xfs/inode.h"\n')
        self.assert_accepts(rule, 'backends/xfs/inode.cc', '#include "backends/xfs/inode.h"\n')
        self.assert_accepts(rule, 'backends/registry.cc', '#include "backends/xfs/filesystem.h"\n')

    def test_unfinished_work_says_what_is_missing(self):
        for mark in ('TODO', 'FIXME', 'XXX', 'HACK'):
            self.assert_finds(rules.unfinished, 'README.md', f'{mark}: later\n')
            self.assert_finds(rules.unfinished, 'iomap/a.cc', f'// {mark} later\n')
        self.assert_accepts(rules.unfinished, 'iomap/a.cc', '// TODO(casefold): hash of names.\n')

    def test_disabled_code_is_found(self):
        for code in ('#if 0', '// return offset;', '// x = 1;', '// if (x) {', '//Append(mapping);',
                     '// }', '// const auto x = Find(y);', '// #include <map>'):
            self.assert_finds(rules.disabled_code, 'iomap/a.cc', code + '\n')
        self.assert_finds(rules.disabled_code, 'tests/a.py', '# return 1\n')
        self.assert_finds(rules.disabled_code, 'tests/a.py', '    # x = f(1)\n')

    def test_sentences_and_examples_are_not_code(self):
        for comment in ('// The first mapping; see there.', '//   writer.Append(extent);',
                        '// Returns the size (bytes).', '// hole, unwritten (zeros); then',
                        '#if defined(__x86_64__)', '// if it is the last one',
                        '// as in: F(x);', '// one of a row of words (see there);',
                        '// --name\nvoid F(int x);'):
            self.assert_accepts(rules.disabled_code, 'iomap/a.cc', comment + '\n')
        self.assert_accepts(rules.disabled_code, 'tests/a.py', '# Returns nothing.\n')

    def test_public_headers_are_documented(self):
        rule = rules.documented_header
        self.assert_finds(rule, 'iomap/a.h', 'namespace iomap {\n\nclass A {\n};\n}\n', 3)
        self.assert_finds(rule, 'dax/a.h', 'namespace iomap {\n\nint F(int x);\n}\n', 3)
        self.assert_finds(rule, 'backends/a.h', '// A\n\ntemplate <typename T>\nint F(T x) {}\n', 3)
        self.assert_finds(rule, 'iomap/a.h', '// A.\nstruct A {\n int x;\n};\n\nstruct B {};\n', 6)
        self.assert_accepts(rule, 'iomap/a.h', '// A.\nclass A {\n  int F();\n};\n')
        self.assert_accepts(rule, 'iomap/a.h', '// Both.\nint F();\nint G();\n')
        self.assert_accepts(rule, 'iomap/a.h', 'class A;\nusing B = int;\nconstexpr int k = F();\n')
        for path in ('iomap/a.cc', 'tools/a.h', 'backends/xfs/format.h'):
            self.assert_accepts(rule, path, 'struct A {};\n')

    def test_headers_are_included_once(self):
        self.assert_finds(rules.pragma_once, 'iomap/a.h', '#include <map>\n')
        self.assert_accepts(rules.pragma_once, 'iomap/a.h', '#pragma once\n')
        self.assert_accepts(rules.pragma_once, 'iomap/a.cc', '')

    def test_string_view_is_abseils(self):
        self.assert_finds(rules.string_view, 'iomap/a.h', 'void F(std::string_view name);\n')
        self.assert_finds(rules.string_view, 'iomap/a.h', '#include <string_view>\n')
        self.assert_accepts(rules.string_view, 'iomap/a.h', 'void F(absl::string_view name);\n')

    def test_files_are_short(self):
        self.assert_finds(rules.file_length, 'iomap/a.cc', '\n' * 501, 501)
        self.assert_accepts(rules.file_length, 'iomap/a.cc', '\n' * 500)
        self.assert_accepts(rules.file_length, 'LICENSE', '\n' * 501)

    def test_functions_are_short(self):
        body = '\nint F() {\n' + '  x();\n' * 68 + '}\n'
        self.assert_accepts(rules.function_length, 'iomap/a.cc', body)
        self.assert_finds(rules.function_length, 'iomap/a.cc', body.replace('}', '  y();\n}'), 2)
        body = 'class A {\n int F() const {\n' + '  x();\n' * 69 + '}\n};\n'
        self.assert_finds(rules.function_length, 'iomap/a.h', body, 2)
        body = 'def f():\n' + '    x()\n' * 70
        self.assert_finds(rules.function_length, 'tests/a.py', body)

    def test_lines_fit(self):
        self.assert_finds(rules.line_length, 'iomap/a.cc', '//' + 'x' * 99 + '\n')
        self.assert_accepts(rules.line_length, 'iomap/a.cc', '//' + 'ä' * 98 + '\n')
        self.assert_finds(rules.line_length, 'tools/check', 'x' * 101 + '\n')
        self.assert_accepts(rules.line_length, 'README.md', 'x' * 101 + '\n')

    def test_folders_of_a_machine_and_numbers_of_issues_are_found(self):
        for words in ('see /home/me/notes', '/root/x', 'closes #12', '(#7)'):
            self.assert_finds(rules.foreign_words, 'README.md', words + '\n')
        for words in ('the root / of', 'a/home/x', '/homes/x', '&#12;', '# 12', '#define'):
            self.assert_accepts(rules.foreign_words, 'README.md', words + '\n')

    def test_white_space_is_found(self):
        self.assert_finds(rules.white_space, 'README.md', 'a \nb\n')
        self.assert_finds(rules.white_space, 'README.md', 'a\nb', 2)
        self.assert_finds(rules.white_space, 'README.md', 'a\n\n', 3)
        self.assert_accepts(rules.white_space, 'README.md', 'a\n\nb\n')

    def test_names_of_files_are_found(self):
        for name in ('a.cc.orig', 'a.rej', 'a.cc.save', 'a~', 'tools/common.h', 'file_utils.h',
                     'helper.py'):
            self.assertEqual(lines_found(rules.file_name, name, ''), [1], name)
        for name in ('iomap/mapping.h', 'tools/communication.h'):
            self.assertEqual(lines_found(rules.file_name, name, ''), [], name)


class OutlineTest(unittest.TestCase):
    """Claims about the reading of C++."""

    def test_comments_and_literals_are_no_code(self):
        text = 'int a; // {\nint b = "{\\"{"[0]; /* {\n */ char c = \'{\'; int d = 1\'000;\n'
        self.assertNotIn('{', cpp_outline.code_only(text))
        self.assertEqual(text.count('\n'), cpp_outline.code_only(text).count('\n'))
        self.assertNotIn('{', cpp_outline.code_only('auto x = R"a({ " })a";'))

    def test_declarations_at_namespace_scope_have_a_kind(self):
        text = ('namespace a {\nstruct B {\n  int F();\n};\nint G(int x);\n'
                'constexpr int kTable[] = {\n  F(1),\n};\nenum class E { kA };\n}\n')
        declarations, _ = cpp_outline.outline(text)
        self.assertEqual([(d.kind, d.line) for d in declarations],
                         [('class', 2), ('function', 5), ('other', 6), ('class', 9)])

    def test_a_lambda_belongs_to_its_function(self):
        text = 'int F() {\n  G([] {\n    return 1;\n  });\n}\n'
        _, functions = cpp_outline.outline(text)
        self.assertEqual([(f.first_line, f.last_line) for f in functions], [(1, 5)])


class TreeTest(unittest.TestCase):
    """Claims about the walk over a tree."""

    def test_findings_carry_path_line_and_rule(self):
        with tempfile.TemporaryDirectory() as root:
            for path, text in (('iomap/a.cc', '#include "dax/io.h"\n'), ('build/b.cc', 'TODO'),
                               ('c.orig', ''), ('tests/tidy/d.py', '# TODO later\n')):
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                    file.write(text)
            with open(os.path.join(root, 'data'), 'wb') as file:
                file.write(b'\xff\xfe')
            found = [(path, line, rule) for path, line, _, rule in tidy.findings_below(root)]
        self.assertEqual(found,
                         [('c.orig', 1, 'file_name'), ('iomap/a.cc', 1, 'include_direction')])


if __name__ == '__main__':
    unittest.main()
