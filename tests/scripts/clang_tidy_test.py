#!/usr/bin/env python3
"""What clang-tidy says of sources that it sees several at a time."""

import json
import os
import tempfile
import unittest

import clang_tidy

FINDING = 'int* Null{0} = 0;\n'  # for modernize-use-nullptr


class ClangTidyTest(unittest.TestCase):
    """Claims about a folder of sources with a compilation database."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        with open('.clang-tidy', 'w', encoding='utf-8') as file:
            file.write("Checks: '-*,modernize-use-nullptr'\nWarningsAsErrors: '*'\n")
        os.makedirs('dax')
        os.makedirs(clang_tidy.BUILD_FOLDER)

    def findings(self, texts, options=()):
        entries = []
        for name, text in texts.items():
            with open(f'dax/{name}', 'w', encoding='utf-8') as file:
                file.write(text)
            entries.append({'directory': os.getcwd(), 'file': os.path.abspath(f'dax/{name}'),
                            'command': f'c++ {dict(options).get(name, "")} -c dax/{name} -o a.o'})
        path = f'{clang_tidy.BUILD_FOLDER}/compile_commands.json'
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(entries, file)
        found = list(clang_tidy.findings([f'dax/{name}' for name in texts]))
        self.assertEqual(sorted(source for source, _ in found),
                         sorted(f'dax/{name}' for name in texts))
        return {os.path.basename(source): said for source, said in found if said}

    def test_clean_sources_have_no_findings(self):
        self.assertEqual(self.findings({'a.cc': 'int a;\n', 'b.cc': 'int b;\n'}), {})

    def test_a_finding_belongs_to_its_source_alone(self):
        clean = {f'{number}.cc': f'int n{number};\n' for number in range(20)}
        found = self.findings({**clean, 'bad.cc': FINDING.format(1), 'worse.cc': FINDING.format(2)})
        self.assertEqual(sorted(found), ['bad.cc', 'worse.cc'])
        self.assertIn('dax/bad.cc:1:', found['bad.cc'])

    def test_sources_that_define_the_same_name_are_no_finding(self):
        texts = {'a.cc': 'namespace { const int kA = 1; int F() { return kA; } }\nint a = F();\n',
                 'b.cc': 'namespace { const int kA = 2; int F() { return kA; } }\nint b = F();\n'}
        self.assertEqual(self.findings(texts), {})
        self.assertEqual(list(self.findings({**texts, 'bad.cc': FINDING.format(1)})), ['bad.cc'])

    def test_sources_keep_their_options(self):
        text = '#ifdef BAD\n' + FINDING + '#endif\n'
        texts = {f'{number}.cc': text.format(number) for number in range(4)}
        self.assertEqual(list(self.findings(texts, {'2.cc': '-DBAD'})), ['2.cc'])

    def test_what_does_not_compile_is_a_finding(self):
        self.assertEqual(list(self.findings({'a.cc': 'int a;\n', 'b.cc': 'int b = c;\n'})),
                         ['b.cc'])


if __name__ == '__main__':
    unittest.main()
