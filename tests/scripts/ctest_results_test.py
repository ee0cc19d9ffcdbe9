#!/usr/bin/env python3
"""What tools/check makes of CTest's results."""

import tempfile
import unittest

import ctest_results
from ctest_results import TestResult

JUNIT = '''<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="Linux" tests="5" failures="1">
 <testcase name="A.Passes" classname="A.Passes" status="run"><system-out/></testcase>
 <testcase name="A.Fails" status="fail"><failure/><system-out>[ RUN      ] A.Fails
/a/b_test.cc:12: Failure
Expected: 1</system-out></testcase>
 <testcase name="A.Skips" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
  <system-out>/a/b_test.cc:10: Skipped
skipped: needs root
[  SKIPPED ] A.Skips (0 ms)</system-out></testcase>
 <testcase name="A.SkipsSilently" status="notrun"><skipped message=""/><system-out/></testcase>
 <testcase name="A.IsNotBuilt" status="fail"><failure message=""/></testcase>
</testsuite>
'''


class CtestResultsTest(unittest.TestCase):
    """Claims about outcomes, reasons and the list of allowed ones."""

    def results(self):
        with tempfile.NamedTemporaryFile('w', suffix='.xml') as file:
            file.write(JUNIT)
            file.flush()
            return ctest_results.read_junit(file.name)

    def test_each_test_has_an_outcome_and_a_skip_its_reason(self):
        self.assertEqual(self.results(), [
            TestResult('A.Passes', 'passed'),
            TestResult('A.Fails', 'failed', output='/a/b_test.cc:12: Failure\nExpected: 1'),
            TestResult('A.Skips', 'skipped', 'needs root'),
            TestResult('A.SkipsSilently', 'skipped', 'no reason given'),
            TestResult('A.IsNotBuilt', 'failed'),
        ])

    def test_a_skip_for_a_reason_that_is_not_listed_fails(self):
        refused = ctest_results.refuse_skips(self.results(), ['needs root'])
        self.assertEqual([result.outcome for result in refused],
                         ['passed', 'failed', 'skipped', 'failed', 'failed'])
        refused = ctest_results.refuse_skips(self.results(), ['needs r*', 'needs a tape'])
        self.assertEqual(refused[2].outcome, 'skipped')
        refused = ctest_results.refuse_skips(self.results(), [])
        self.assertEqual(refused[2], TestResult('A.Skips', 'failed', 'needs root'))

    def test_the_list_has_remarks_and_blank_lines(self):
        with tempfile.NamedTemporaryFile('w') as file:
            file.write('# why\n\nneeds root\n')
            file.flush()
            self.assertEqual(ctest_results.read_allowed_skips(file.name), ['needs root'])

    def test_a_failure_without_a_known_mark_keeps_its_last_lines(self):
        lines = [f'line {i}' for i in range(100)]
        with tempfile.NamedTemporaryFile('w', suffix='.xml') as file:
            file.write('<testsuite><testcase name="A" status="fail"><system-out>' +
                       '\n'.join(lines) + '</system-out></testcase></testsuite>')
            file.flush()
            output = ctest_results.read_junit(file.name)[0].output.splitlines()
        self.assertEqual(output[-1], 'line 99')
        self.assertLess(len(output), 20)


if __name__ == '__main__':
    unittest.main()
