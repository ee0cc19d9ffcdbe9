"""What CTest's JUnit file says, and which of its skips are allowed."""

import dataclasses
import fnmatch
import re
import xml.etree.ElementTree


@dataclasses.dataclass
class TestResult:
    """One test: its name, its outcome ('passed', 'failed' or 'skipped'), why it was skipped, and
    what it printed when it failed."""

    name: str
    outcome: str
    reason: str = ''
    output: str = ''


# Of what a failed test printed: the lines from its first failure on, or its last ones.
_OUTPUT_LINES = 12


def _failure_in(output):
    lines = output.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if re.search(r': Failure$|ERROR: |WARNING: ',
                                                                 line)),
                 max(0, len(lines) - _OUTPUT_LINES))
    return '\n'.join(lines[first:first + _OUTPUT_LINES])


def _reason_in(output):
    match = re.search(r'skipped: (.*)', output) or re.search(r': Skipped\n(.*)', output)
    return match.group(1).strip() if match and match.group(1).strip() else 'no reason given'


def read_junit(path):
    """The tests of a file that `ctest --output-junit` wrote, in its order."""
    results = []
    for case in xml.etree.ElementTree.parse(path).getroot().iter('testcase'):
        name = case.get('name')
        if case.get('status') == 'run':
            results.append(TestResult(name, 'passed'))
        elif case.find('skipped') is not None and case.get('status') == 'notrun':
            results.append(TestResult(name, 'skipped', _reason_in(case.findtext('system-out', ''))))
        else:
            output = _failure_in(case.findtext('system-out', ''))
            results.append(TestResult(name, 'failed', output=output))
    return results


def read_allowed_skips(path):
    """The patterns of tests/allowed_skips.txt."""
    with open(path, encoding='utf-8') as file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith('#')]


def refuse_skips(results, allowed):
    """The same results, each skip whose reason is not allowed turned into a failure."""
    return [
        dataclasses.replace(result, outcome='failed')
        if result.outcome == 'skipped'
        and not any(fnmatch.fnmatchcase(result.reason, pattern) for pattern in allowed)
        else result
        for result in results
    ]
