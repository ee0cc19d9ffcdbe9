#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "dax/device.h"
#include "dax/device_event.h"

namespace iomap::dax {

// The bytes of a line, by its address, a multiple of kLineBytes.
using Line = std::array<std::byte, kLineBytes>;

// What persistent memory may hold after a crash, line by line, as x86 defines it:
//
//   * stores through the cache reach the medium in any prefix of the line's own order of stores;
//   * stores past the cache, in any subset of their aligned words of 8 bytes, until the storing
//     thread's next drain;
//   * a flush guarantees what it saw after the same thread's next drain; stores after the flush are
//     optional again.
//
// Lines are keyed by device address, as those of a real cache, and independent of each other. Only
// lines that are touched cost memory. Not thread-safe.
class PersistenceModel {
 public:
  struct Options {
    // Whether an atomic operation orders earlier flushes as a drain does. Experts disagree.
    bool locked_operations_fence = false;
    // The caches are in the power-fail domain (eADR): stores through them are durable at once, in
    // the order of the trace; those past them still need a drain.
    bool caches_are_durable = false;
  };

  // What the medium holds before the first event; called once for each line that is touched.
  using Initial = std::function<Line(uint64_t line_address)>;

  explicit PersistenceModel(Initial initial) : PersistenceModel(std::move(initial), Options()) {}
  PersistenceModel(Initial initial, const Options& options)
      : initial_(std::move(initial)), options_(options) {}

  void Apply(const DeviceEvent& event);

  // What the line holds whatever happens. (Nothing for one that no event has touched.)
  std::optional<Line> GuaranteedLine(uint64_t line_address) const;
  // The lines that may hold more than one thing, ascending.
  std::vector<uint64_t> UncertainLines() const;
  // The different contents that the line may have, the guaranteed one first. Empty for a line that
  // no event has touched.
  std::vector<Line> PossibleLines(uint64_t line_address) const;
  // The different values that the 8 bytes at `address`, a multiple of 8, may have. Empty as above.
  std::vector<uint64_t> PossibleWords(uint64_t address) const;

  // How many different media there may be; infinity where a double ends.
  double StateCount() const;

  // One of them: each line with pending stores with one of its contents. The same for the same
  // generator. Costs what the pending stores are, not what they may become.
  enum class Fate : uint8_t {
    kAny,         // each store, or word of one, by lot
    kNothing,     // only what is guaranteed
    kEverything,  // all that was stored
  };
  std::vector<std::pair<uint64_t, Line>> Draw(std::mt19937_64& random,
                                              Fate fate = Fate::kAny) const;

 private:
  // A store, or what is left of it, that is not guaranteed.
  struct Pending {
    uint64_t sequence;
    uint32_t thread;
    bool through;
    uint64_t mask;  // which bytes of the line
    Line bytes;
  };
  struct LineState {
    Line guaranteed;
    std::vector<Pending> pending;  // in the order of the stores
  };
  struct Flushed {
    uint64_t line;
    uint64_t last_sequence;  // what the flush saw
  };
  struct ThreadState {
    std::vector<Flushed> flushed;
    std::vector<uint64_t> stored_through;  // lines
  };

  LineState& StateOf(uint64_t line_address);
  void Store(const DeviceEvent& event);
  void RetireFlushed(ThreadState& thread);
  void RetireThrough(uint32_t thread);
  static void Retire(LineState& line, size_t index);
  // Calls `content` with what the masked bytes may be, perhaps more than once for one content.
  static void ForEachContent(const LineState& line, uint64_t mask,
                             const std::function<void(const Line&)>& content);

  const Initial initial_;
  const Options options_;
  uint64_t sequence_ = 0;
  absl::flat_hash_map<uint64_t, LineState> lines_;
  absl::btree_map<uint32_t, ThreadState> threads_;
};

}  // namespace iomap::dax
