#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace iomap::tests {

// Adds a benchmark whose body may fail, which ends the program's run with an error. table.py reads
// the name: QUESTION/FORMAT/WHO.
inline void Register(const std::string& name, std::function<absl::Status(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), [body = std::move(body)](benchmark::State& state) {
    const absl::Status status = body(state);
    if (!status.ok()) {
      state.SkipWithError(status.ToString().c_str());
    }
  });
}

}  // namespace iomap::tests
