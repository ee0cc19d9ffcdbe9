#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace iomap::tests {

// Adds a benchmark whose body may fail, which ends the program's run with an error. table.py reads
// the name: QUESTION/FORMAT/WHO.
inline benchmark::internal::Benchmark* Register(
    const std::string& name, std::function<absl::Status(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(name.c_str(),
                                      [body = std::move(body)](benchmark::State& state) {
                                        const absl::Status status = body(state);
                                        if (!status.ok()) {
                                          state.SkipWithError(status.ToString().c_str());
                                        }
                                      });
}

// The same with the time that the body sets for each iteration: where other threads, and the
// kernel, do a part of the work.
inline void RegisterTimed(const std::string& name,
                          std::function<absl::Status(benchmark::State&)> body) {
  constexpr int64_t kIterations = 20;
  Register(name, std::move(body))->UseManualTime()->Iterations(kIterations);
}

// main of a benchmark program: `run_all` registers its benchmarks and runs them.
inline int RunBenchmarks(int argc, char** argv, absl::Status (*run_all)()) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  const absl::Status status = run_all();
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace iomap::tests
