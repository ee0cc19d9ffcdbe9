"""The stages of tools/check, which installs what they need and starts this in the root of the tree.

Each stage adds to one count of passed, failed and skipped tests; a build or a linter counts as one
test. A stage that fails does not keep the others from running.
"""

import argparse
import collections
import os
import re
import shlex
import subprocess
import sys
import textwrap
import time

import changed_sources
import clang_tidy
import ctest_results
import fuzz

JUNIT_FOLDER = 'build/check'
ALLOWED_SKIPS = 'tests/allowed_skips.txt'
CLANG_FORMAT = 'clang-format-14'
# Of fuzzing, for each backend; they run at once. The corpus, which comes first, takes up to half.
FUZZ_SECONDS = 60
LONG_FUZZ_SECONDS = 600


class Report:
    """What was counted, how long each stage took, and how to repeat what failed."""

    def __init__(self):
        self.counts = collections.Counter()
        self.skip_reasons = collections.Counter()
        self.failures = []  # (what failed, the command that repeats it, its output)
        self.times = []  # (stage, seconds)

    def add(self, what, ok, rerun, output=''):
        """Counts one test."""
        self.counts['passed' if ok else 'failed'] += 1
        if not ok:
            self.failures.append((what, rerun, output))

    def stage(self, name, body, *arguments):
        """Runs a stage and takes its time."""
        print(f'== {name}', flush=True)
        begin = time.monotonic()
        body(self, *arguments)
        self.times.append((name, time.monotonic() - begin))

    def print_summary(self):
        print('== time')
        for name, seconds in self.times + [('total', sum(seconds for _, seconds in self.times))]:
            print(f'{seconds:7.0f} s  {name}')
        for reason, count in sorted(self.skip_reasons.items()):
            print(f'skipped {count}: {reason}')
        for what, rerun, output in self.failures:
            print(f'FAILED: {what}\n  again: {rerun}')
            if output:
                print(textwrap.indent(output, '  | '))
        counts = self.counts
        print(f'{counts["passed"]} passed, {counts["failed"]} failed, {counts["skipped"]} skipped')


def succeeds(command):
    print('+ ' + shlex.join(command), flush=True)
    return subprocess.run(command, check=False).returncode == 0


def without_randomised_addresses():
    """What to put in front of programs with g++ 12's TSan, which 32 random bits stop."""
    prefix = ['setarch', '--addr-no-randomize']
    works = subprocess.run([*prefix, 'true'], check=False, stderr=subprocess.DEVNULL)
    return prefix if works.returncode == 0 else []


def build(report, preset, target, prefix):
    """Configures and builds; false when there is nothing to test."""
    configure = ['cmake', '--preset', preset]
    make = [*prefix, 'cmake', '--build', '--preset', preset, '--target', target]
    ok = succeeds(configure) and succeeds(make)
    report.add(f'{preset}: build', ok, f'{shlex.join(configure)} && {shlex.join(make)}')
    return ok


def run_tests(report, preset, target, selection):
    """Builds and runs the tests of a preset."""
    prefix = without_randomised_addresses() if preset == 'tsan' else []
    if not build(report, preset, target, prefix):
        return
    junit = os.path.abspath(f'{JUNIT_FOLDER}/{preset}.xml')
    os.makedirs(JUNIT_FOLDER, exist_ok=True)
    if os.path.exists(junit):
        os.remove(junit)
    make = f'cmake --build --preset {preset} --target {target}'
    again = f'{make} && {shlex.join([*prefix, "ctest", "--preset", preset])}'
    ran = succeeds([*prefix, 'ctest', '--preset', preset, '--parallel', str(os.cpu_count()),
                    '--progress', '--no-tests=error', '--output-junit', junit,
                    '--test-output-size-passed', '65536', *selection])
    results = ctest_results.read_junit(junit) if os.path.exists(junit) else []
    if os.environ.get('CI') == 'true':
        allowed = ctest_results.read_allowed_skips(ALLOWED_SKIPS)
        results = ctest_results.refuse_skips(results, allowed)
    for result in results:
        if result.outcome == 'skipped':
            report.counts['skipped'] += 1
            report.skip_reasons[result.reason] += 1
            continue
        what = f'{preset}: {result.name}'
        if result.reason:
            what += f' (skipped: {result.reason})'
        # A parameterised test's name ends in a remark that is not part of the pattern.
        pattern = f'^{re.escape(result.name.split("  # ")[0])}( |$)'
        report.add(what, result.outcome == 'passed', f'{again} -R {shlex.quote(pattern)}',
                   result.output)
    if not ran and all(result.outcome != 'failed' for result in results):
        report.add(f'{preset}: ctest', False, again)


def check_format(report):
    """clang-format has nothing to change."""
    command = [CLANG_FORMAT, '--dry-run', '--Werror', *changed_sources.all_sources()]
    ok = subprocess.run(command, check=False).returncode == 0
    report.add('format', ok, f"{CLANG_FORMAT} -i $(git ls-files '*.h' '*.cc')")


def check_clang_tidy(report, everything):
    """clang-tidy finds nothing."""
    sources, words = changed_sources.sources_to_tidy(everything)
    print(f'clang-tidy on {words}: {len(sources)} sources', flush=True)
    for source, said in clang_tidy.findings(sources):
        if said:
            print(said, flush=True)
        report.add(f'clang-tidy: {source}', not said, shlex.join(clang_tidy.command(source)))


def fuzz_backends(report, seconds):
    """Builds the fuzzers, tries their corpus and goes on from there."""
    if not build(report, 'fuzz', 'fuzzers', []):
        return
    again = 'python3 tools/scripts/fuzz.py'
    failed = fuzz.run(fuzz.BACKENDS, seconds)
    for backend in fuzz.BACKENDS:
        report.add(f'fuzz: {backend}', backend not in failed,
                   f'{again} run --seconds {seconds} {backend}, or {fuzz.fuzzer(backend)} with an '
                   f'input of {fuzz.FINDINGS}')
    if not failed:
        total = fuzz.print_coverage(fuzz.coverage())
        report.add(f'fuzz: {total:.1f} % of the lines of backends/ are reached',
                   total >= fuzz.LEAST_COVERAGE, f'{again} coverage')


def main():
    parser = argparse.ArgumentParser(prog='tools/check', allow_abbrev=False)
    parser.add_argument('--long', action='store_true',
                        help='also the tests that take long, ten minutes of fuzzing, and '
                             'clang-tidy on everything')
    options = parser.parse_args()
    fast = [] if options.long else ['--label-exclude', '^long$']

    report = Report()
    report.stage('format', check_format)
    report.stage('dev build and tests', run_tests, 'dev', 'all', fast)
    report.stage('clang-tidy', check_clang_tidy, options.long)
    report.stage('ASan + UBSan build and tests', run_tests, 'asan', 'all', fast)
    report.stage('TSan build and tests', run_tests, 'tsan', 'threads_tests',
                 [*fast, '--label-regex', '^threads$'])
    report.stage('fuzzing', fuzz_backends, LONG_FUZZ_SECONDS if options.long else FUZZ_SECONDS)
    report.print_summary()
    sys.exit(1 if report.counts['failed'] else 0)


if __name__ == '__main__':
    main()
